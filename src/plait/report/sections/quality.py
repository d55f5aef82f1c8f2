"""Cells that could not be read, and what is odd about columns."""

from __future__ import annotations

from collections.abc import Sequence

from plait.contracts import Json
from plait.data.findings import Finding
from plait.report.masking import masked_text
from plait.report.numbers import count
from plait.report.page import Block, Notice, Section, Subheading, Table
from plait.report.run import Run
from plait.report.sections.leaks import KINDS

__all__ = ["section"]

SHOWN = 20
ELSEWHERE = (*KINDS, "personal")  # kinds of findings that other sections show


def section(run: Run) -> Section:
    say = run.say
    faults = [("fit", fault) for fault in run.record["faults"]]
    if run.test is not None:
        faults += [("judge", fault) for fault in run.evaluation.faults]
    cells = sum(fault["cells"] for _, fault in faults)
    odd = [finding for finding in run.findings if finding.kind not in ELSEWHERE]
    shown = str if run.asked.show_personal else _masked  # findings quote cells
    blocks: list[Block] = []
    if faults:
        blocks.append(_table(run, faults[:SHOWN]))
    if odd:
        blocks.append(Subheading(say("quality.odd")))
        blocks += [
            Notice(shown(finding), "plain" if finding.severity == "note" else "watch") for finding in odd[:SHOWN]
        ]
    if len(odd) > SHOWN:
        blocks.append(Notice(say("quality.more", findings=len(odd) - SHOWN)))
    watch = [say("quality.watch", cells=count(cells))] if cells else []
    watch += [shown(finding) for finding in odd if finding.severity != "note"]
    verdict = say("quality.verdict", cells=count(cells), findings=len(odd))
    return Section.of("quality", say("quality.title"), blocks, verdict, watch)


def _masked(finding: Finding) -> str:
    return masked_text(str(finding))


def _table(run: Run, faults: Sequence[tuple[str, Json]]) -> Table:
    say = run.say
    rows = tuple(
        (fault["column"], fault["reason"], say(f"splits.{side}"), count(fault["cells"])) for side, fault in faults
    )
    return Table(say("quality.table"), tuple(say("quality.header").split("|")), rows, left=3)
