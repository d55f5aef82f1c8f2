"""``plait report``: what a run is worth, as one HTML file that asks for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from plait.cli.decisions import Amount, Cost
from plait.cli.options import AsJson, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables

if TYPE_CHECKING:
    from plait.report.run import Run

__all__ = ["Language", "MovedData", "RunFolder", "read_run", "report"]

RunFolder: TypeAlias = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `plait fit -o` wrote.")]
MovedData: TypeAlias = Annotated[
    Path | None, typer.Option("--data", metavar="FILE", help="Where the run's data lies now, if it was moved.")
]
Language: TypeAlias = Annotated[str, typer.Option(help="en or zh.")]


def report(
    run: RunFolder,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML file to write.")],
    data: MovedData = None,
    side: SidePaths = None,
    cost: Cost = None,
    amount: Amount = None,
    language: Language = "en",
    rows: Annotated[int, typer.Option(help="Rows that are explained one by one.", min=0, max=20)] = 3,
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="Show personal data that cells hold; by default it is masked.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write what a run is worth as one HTML page.

    Data, splits, figures beside baselines, calibration, slices, fairness, explanations, drift, and how to get it all
    again. The page loads nothing from elsewhere.
    """
    from plait.data.files import check_file, replacing
    from plait.media.decode import running
    from plait.report.html import page
    from plait.report.sections import heading, write

    screen = Screen(as_json)
    check_file(output)
    with screen.progress() as progress, running(progress):
        asked = {"language": language, "rows": rows, "show_personal": show_personal, "progress": progress}
        read = read_run(run, data, side, cost, amount, **asked)
        sections = write(read)
    with replacing(output) as beside:
        beside.write_text(page(*heading(read), sections, read.say), "utf-8")
    for section in sections:
        screen.say(f"{section.title}: {section.verdict}" if section.verdict else section.title)
    size = output.stat().st_size
    screen.say(f"written to {output}: {size:,} bytes")
    screen.result(
        {
            "file": str(output),
            "bytes": size,
            "sections": [
                {"key": s.key, "title": s.title, "applies": s.applies, "verdict": s.verdict, "watch": list(s.watch)}
                for s in sections
            ],
        }
    )


def read_run(
    folder: Path,
    data: Path | None,
    side: Sequence[str] | None,
    cost: Sequence[str] | None,
    amount: str | None,
    **asked: Any,
) -> Run:
    """A run with the costs that were named; `asked` goes to `plait.report.run.Asked`.

    Raises
    ------
    InputError
        If the run, its data or an option cannot be used.
    """
    from plait.cli.decisions import Asked as Decisions
    from plait.cli.decisions import check_two
    from plait.report.run import Asked, Run

    read = Run.read(folder, Asked(data=data, sides=dict(long_tables(side).paths), **asked))
    check_two(read.classes, cost=bool(cost))
    decisions = Decisions.of(read.train if read.test is None else read.test, None, cost, amount, lift=False)
    read.costs, read.amounts = decisions.costs, decisions.amounts
    return read
