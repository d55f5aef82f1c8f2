"""What a verb shows: words and tables for a person, or one JSON object for a program."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from plait.threads import leads

if TYPE_CHECKING:
    from plait.contracts import Progress

__all__ = ["Screen", "clock", "figures"]

WIDE = 200  # columns where the output is no terminal: nothing is cut


class Screen:
    """Where a verb speaks.

    Parameters
    ----------
    as_json
        Standard output then carries the one object given to `result`; words and tables go to standard error.

    Of processes that do the same work together, only the leader speaks.
    """

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console

        self.as_json = as_json
        plain: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
        stream = sys.stderr if as_json else sys.stdout
        self._leads = leads()
        plain["quiet"] = not self._leads
        self._words = Console(file=stream, width=None if stream.isatty() else WIDE, **plain)
        self._error = Console(stderr=True, **plain)
        self._others: tuple[Callable[[Progress], None], ...] = ()

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
        if self.as_json and self._leads:
            print(json.dumps(value, ensure_ascii=False, allow_nan=False))

    @contextmanager
    def heard_by(self, report: Callable[[Progress], None]) -> Iterator[None]:
        """Somebody else hears of all progress, too."""
        before, self._others = self._others, (*self._others, report)
        try:
            yield
        finally:
            self._others = before

    @contextmanager
    def progress(self) -> Iterator[Callable[[Progress], None]]:
        """A callback that draws a bar with the time left, figures and rows a second, where standard error is a
        terminal."""
        with self._drawn() as draw:

            def report(now: Progress) -> None:
                draw(now)
                for other in self._others:
                    other(now)

            yield report

    @contextmanager
    def _drawn(self) -> Iterator[Callable[[Progress], None]]:
        if not (self._error.is_terminal and self._leads):
            yield lambda progress: None
            return
        from rich import progress as bars

        columns = (
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.TaskProgressColumn(),
            bars.TimeRemainingColumn(compact=True),
            bars.TextColumn("{task.fields[told]}", markup=False),
        )
        with bars.Progress(*columns, console=self._error, transient=True) as drawn:
            task = drawn.add_task("starting", total=None, told="")
            stage, pace = "", _Pace()

            def report(now: Progress) -> None:
                nonlocal stage, pace
                where = f"{now.part}: {now.stage}" if now.part else now.stage
                if where != stage:
                    stage, pace = where, _Pace()
                    drawn.reset(task, total=now.total, description=where, told="")
                drawn.update(task, completed=now.done, total=now.total, told=figures(now, pace(now)))

            yield report


class _Pace:
    """Rows a second since a stage began."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def __call__(self, now: Progress) -> float | None:
        rows, clocked = now.metrics.get("rows"), time.monotonic()
        if rows is None:
            return None
        if self._began is None:
            self._began = clocked, rows
        spent = clocked - self._began[0]
        return (rows - self._began[1]) / spent if spent > 0 else None


def figures(now: Progress, rows_a_second: float | None) -> str:
    """What is known of the moment, in a line: the loss (and that of rows held out), the rate, the pace."""
    told = []
    if "loss" in now.metrics:
        told.append(f"loss {now.metrics['loss']:.4f}")
    if now.metric is not None:
        told.append(f"{now.metric:.4f}")
    if "best" in now.metrics:
        told.append(f"best {now.metrics['best']:.4f}")
    if "learning_rate" in now.metrics:
        told.append(f"rate {now.metrics['learning_rate']:.1e}")
    if rows_a_second:
        told.append(f"{rows_a_second:,.0f} rows/s")
    return ", ".join(told)


def clock(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
