"""Personal data in columns: how much of which kind, never the data itself."""

from __future__ import annotations

from plait.report.numbers import count
from plait.report.page import Block, Notice, Section, Table
from plait.report.run import Run

__all__ = ["section"]


def section(run: Run) -> Section:
    say = run.say
    blocks: list[Block] = []
    found = run.personal
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
    return Section.of("privacy", say("privacy.title"), blocks, verdict, watch)
