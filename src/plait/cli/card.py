"""``plait card``: the model card and the validation document of a run, as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.decisions import Amount, Cost
from plait.cli.options import AsJson, SidePaths, names
from plait.cli.report import Language, MovedData, RunFolder, read_run
from plait.cli.screen import Screen

__all__ = ["card"]


def card(
    run: RunFolder,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The Markdown file to write.")],
    rules: Annotated[
        list[str] | None, typer.Option(metavar="us,eu,china", help="Map rules of these places to the run's evidence.")
    ] = None,
    validation: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the validation document, too.")] = None,
    data: MovedData = None,
    side: SidePaths = None,
    cost: Cost = None,
    amount: Amount = None,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Write the model card of a run, filled from the run.

    What no run can show is marked for people to fill in.
    """
    from plait.data.files import check_file, replacing
    from plait.media.decode import running
    from plait.report import card as documents
    from plait.report.rulebook import assess, pack
    from plait.report.sections import write

    screen = Screen(as_json)
    packs = [pack(name) for name in names(rules)]
    for path in (output, validation):
        if path is not None:
            check_file(path)
    with screen.progress() as progress, running(progress):
        read = read_run(run, data, side, cost, amount, language=language, progress=progress)
        sections = write(read)
    texts = {output: documents.card(read, sections, packs)}
    if validation is not None:
        texts[validation] = documents.validation(read, sections)
    for path, text in texts.items():
        with replacing(path) as beside:
            beside.write_text(text, "utf-8")
        screen.say(f"written to {path}: {len(text.splitlines()):,} lines")
    screen.result(
        {
            "files": [str(path) for path in texts],
            "rules": {
                rules.name: [
                    {
                        "id": shown.clause.id,
                        "source": shown.clause.source,
                        "check": shown.clause.check,
                        "evidence": [section.key for section in shown.there],
                        "missing": [section.key for section in shown.missing],
                    }
                    for shown in assess(rules, sections)
                ]
                for rules in packs
            },
        }
    )
