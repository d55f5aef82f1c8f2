"""Figures of a job as JSON lines: one object a line, flushed at once."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TextIO

from plait.contracts import Json, Progress, Watcher

__all__ = ["Jsonl"]

Step = tuple[int, float]  # steps done, and epochs: the end of an epoch is told after its last step


class Jsonl(Watcher):
    """A file of lines ``{"time", "part", "stage", "step", "total", "metrics"}``; what is not finite is null.

    Lines of trials have ``"settings"``, too.

    Parameters
    ----------
    target
        The file.
    goes_on
        Go on with the file that is there. A last line that was cut off is taken away, and what it tells already of a
        stage is not told again.
    """

    name: ClassVar[str] = "jsonl"

    def __init__(self, target: str, *, goes_on: bool = False) -> None:
        self._path = Path(target)
        self._known: dict[tuple[str, str], Step] = {}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if goes_on and self._path.exists():
            self._read()
        self._file: TextIO = self._path.open("a" if goes_on else "w", encoding="utf-8")

    @staticmethod
    def place(folder: Path) -> str:
        """``metrics.jsonl`` in the folder of the run."""
        return str(folder / "metrics.jsonl")

    def asked(self, parameters: Mapping[str, Json]) -> None:
        """Nothing: the run's own record tells it."""

    def __call__(self, progress: Progress) -> None:
        key, step = (progress.part, progress.stage), (progress.done, progress.metrics.get("epoch", 0.0))
        if step <= self._known.get(key, (-1, 0.0)):
            return
        self._known[key] = step
        line = {
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "part": progress.part,
            "stage": progress.stage,
            "step": progress.done,
            "total": progress.total,
            "metrics": {name: value if math.isfinite(value) else None for name, value in progress.figures.items()},
            **({"settings": dict(progress.settings)} if progress.settings else {}),
        }
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self, files: Sequence[Path] = (), failed: str = "") -> None:
        self._file.close()

    def _read(self) -> None:
        """What the file tells already, without a last line that was cut off."""
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                told = _parsed(line)
                if told is None:
                    break
                whole += len(line)
                epoch = told["metrics"].get("epoch") or 0.0
                self._known[told["part"], told["stage"]] = told["step"], epoch
        with self._path.open("r+b") as file:
            file.truncate(whole)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A whole line of ours."""
    try:
        told = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    wanted = {"part", "stage", "step", "metrics"}
    return told if isinstance(told, dict) and wanted <= told.keys() and isinstance(told["metrics"], dict) else None
