"""Personal data in columns, never the data itself; and whether the model gives away whom it learned from."""

from __future__ import annotations

from plait.judgement.membership import FEW, FIGURES
from plait.report.numbers import between, count, number
from plait.report.page import Block, Notice, Prose, Section, Subheading, Table
from plait.report.run import Run

__all__ = ["section"]


def section(run: Run) -> Section:
    say, found = run.say, run.personal
    blocks: list[Block] = []
    if found:
        rows = tuple(
            (
                ", ".join(finding.columns),
                say.name("personal", str(finding.evidence["of"])),
                count(finding.evidence["cells"]),
            )
            for finding in found
        )
        blocks.append(Table(say("privacy.table"), tuple(say("privacy.header").split("|")), rows, left=2))
    blocks.append(Notice(say("privacy.shown" if run.asked.show_personal else "privacy.masked")))
    columns = list(dict.fromkeys(name for finding in found for name in finding.columns))
    verdict = say("privacy.some", columns=", ".join(columns)) if found else say("privacy.none")
    evidence = {spec.name for spec in run.schema.columns if spec.role == "source"}
    read = [name for name in columns if name in evidence]
    watch = [say("privacy.watch", columns=", ".join(read))] if read else []
    if run.test is not None and min(len(run.train), len(run.test)) >= FEW:
        blocks += _members(run)
        if run.membership.leaks:
            watch.append(say("privacy.leaks"))
    return Section.of("privacy", say("privacy.title"), blocks, verdict, watch)


def _members(run: Run) -> list[Block]:
    """How well attacks tell the rows that the model was fitted on."""
    say, found = run.say, run.membership
    rows = []
    for name, figures in found.attacks.items():
        spans = [figures[key] for key in FIGURES]
        rows.append(
            (say.name("attack", name), *(f"{number(span.value)} {between(span.low, span.high)}" for span in spans))
        )
    return [
        Subheading(say("privacy.members")),
        Prose(say("privacy.leaks" if found.leaks else "privacy.safe")),
        Table(say("privacy.attacks"), tuple(say("privacy.attack_header").split("|")), tuple(rows)),
        *(Notice(note) for note in found.notes),
        *([Notice(say("privacy.later"))] if run.schema.time is not None else []),
    ]
