"""What a verb shows: words and tables for a person, or one JSON object for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.contracts import Progress

__all__ = ["Screen", "clock"]

WIDE = 200  # columns where the output is no terminal: nothing is cut


class Screen:
    """Where a verb speaks.

    Parameters
    ----------
    as_json
        Standard output then carries the one object given to `result`; words and tables go to standard error.
    """

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console

        self.as_json = as_json
        plain: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
        stream = sys.stderr if as_json else sys.stdout
        self._words = Console(file=stream, width=None if stream.isatty() else WIDE, **plain)
        self._error = Console(stderr=True, **plain)

    def say(self, text: str = "") -> None:
        self._words.print(text, soft_wrap=True)

    def note(self, text: str) -> None:
        """Something to know that is no part of the answer."""
        self._error.print(f"note: {text}", soft_wrap=True)

    def heading(self, text: str) -> None:
        self._words.print(f"\n{text}", style="bold", soft_wrap=True)

    def table(self, rows: Sequence[Sequence[object]]) -> None:
        """Rows of cells, the header first."""
        from rich.table import Table

        header, *body = rows
        table = Table(*map(str, header), box=None, header_style="bold", pad_edge=False)
        for row in body:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        self._words.print(table)

    def result(self, value: Any) -> None:
        """The answer, for a program; a person has seen it already."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False, allow_nan=False))

    @contextmanager
    def progress(self) -> Iterator[Callable[[Progress], None]]:
        """A callback that draws a bar with the time left and the metric, where standard error is a terminal."""
        if not self._error.is_terminal:
            yield lambda progress: None
            return
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.TaskProgressColumn(),
            bars.TimeRemainingColumn(compact=True),
            bars.TextColumn("{task.fields[metric]}", markup=False),
        )
        with bars.Progress(*columns, console=self._error, transient=True) as drawn:
            task = drawn.add_task("starting", total=None, metric="")
            stage = ""

            def report(now: Progress) -> None:
                nonlocal stage
                if now.stage != stage:
                    stage = now.stage
                    drawn.reset(task, total=now.total, description=stage, metric="")
                metric = "" if now.metric is None else f"{now.metric:.4f}"
                drawn.update(task, completed=now.done, total=now.total, metric=metric)

            yield report


def clock(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
