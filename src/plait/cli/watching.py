"""``--watch``: where the figures of a fit are written while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from plait.cli.screen import Screen

__all__ = ["Watch", "watching"]

SHOWN = ("*.json", "*.yaml", "*.png")  # files of a run that are shown with it, beside its figures

Watch: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WATCHER[=TARGET]",
        help="Write figures while it runs: jsonl, tensorboard=logs/, mlflow=sqlite:///runs.db; see `plait list`.",
    ),
]


@contextmanager
def watching(
    screen: Screen, specs: Sequence[str] | None, output: Path | None, params: Mapping[str, Any], goes_on: bool = False
) -> Iterator[None]:
    """Watchers hear of all that the screen shows the progress of, and are closed in the end.

    Raises
    ------
    ConfigError, MissingExtraError
        If a watcher is unknown or its library is not installed.
    """
    from plait.threads import leads
    from plait.watched import watched

    if not leads():  # of processes that do the same work together, one writes
        yield
        return

    def shown() -> list[Path]:
        return [] if output is None else sorted(path for pattern in SHOWN for path in output.glob(pattern))

    with (
        watched(specs or (), output, parameters=params, goes_on=goes_on, say=screen.note, shown=shown) as report,
        screen.heard_by(report),
    ):
        yield
