"""Figures of a job for TensorBoard, by its own writer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from plait.contracts import Json, Progress, Watcher
from plait.errors import MissingExtraError

__all__ = ["TensorBoard"]


class TensorBoard(Watcher):
    """Scalars ``part/stage/figure`` by step, in event files; look at them by ``tensorboard --logdir TARGET``.

    Parameters
    ----------
    target
        The folder.
    goes_on
        Steps that event files in the folder tell already are not told again.

    Raises
    ------
    MissingExtraError
        If tensorboard is not installed.
    """

    name: ClassVar[str] = "tensorboard"

    def __init__(self, target: str, *, goes_on: bool = False) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError:
            raise MissingExtraError("--watch tensorboard needs tensorboard: pip install 'plait[track]'") from None
        Path(target).mkdir(parents=True, exist_ok=True)
        self._known = _last_steps(target) if goes_on else {}
        self._writer: Any = Writer(target)

    @staticmethod
    def place(folder: Path) -> str:
        """``tensorboard`` in the folder of the run."""
        return str(folder / "tensorboard")

    def asked(self, parameters: Mapping[str, Json]) -> None:
        """Nothing: the run's own record tells it."""

    def __call__(self, progress: Progress) -> None:
        for name, value in progress.curves.items():
            tag = "/".join(filter(None, (progress.part, progress.stage, name)))
            if math.isfinite(value) and progress.done > self._known.get(tag, -1):
                self._known[tag] = progress.done
                self._writer.add_scalar(tag, value, progress.done)
        self._writer.flush()

    def close(self, files: Sequence[Path] = (), failed: str = "") -> None:
        self._writer.close()


def _last_steps(folder: str) -> dict[str, int]:
    """The last step of each tag in the event files of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator

    told = EventAccumulator(folder, size_guidance={TENSORS: 1}).Reload()
    return {tag: told.Tensors(tag)[-1].step for tag in told.Tags()[TENSORS]}
