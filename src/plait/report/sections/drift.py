"""What changed between the rows fitted on and those held out, and what performance that lets one expect."""

from __future__ import annotations

import numpy as np

from plait.judgement.shifts import Shift
from plait.report.charts import bars, drawn
from plait.report.numbers import count, number, percent
from plait.report.page import Block, Notice, Picture, Pictures, Prose, Section, Table
from plait.report.run import Run

__all__ = ["section"]

SHOWN = 20
MODERATE = 0.1  # the customary bound of a PSI that is worth a look


def section(run: Run) -> Section:
    say, title = run.say, run.say("drift.title")
    if run.test is None:
        return Section.absent("drift", title, say("metrics.none"))
    found = run.drift
    blocks: list[Block] = [Prose(say("drift.how", level=percent(found.level)))]
    numbered = [shift for shift in found.shifts if not np.isnan(shift.psi)]
    if numbered:
        blocks.append(Pictures((_psi(run, sorted(numbered, key=lambda shift: -shift.psi)[:SHOWN]),)))
    blocks.append(_table(run, list(found.shifts)[:SHOWN], {shift.name for shift in found.drifted}))
    if found.performance is not None:
        rows = found.performance.rows()
        header = (rows[0][0], *(say.name("drift", name) for name in rows[0][1:]))
        body = tuple((say.name("metric", name), *cells) for name, *cells in rows[1:])
        blocks += [Table(say("drift.performance"), header, body), Prose(say("drift.performance_how"))]
    blocks += [Notice(note) for note in found.notes]
    names = ", ".join(shift.name for shift in found.drifted)
    rows_told = {"old": count(found.rows_old), "new": count(found.rows_new)}
    verdict = say("drift.some", columns=names, **rows_told) if names else say("drift.none", **rows_told)
    return Section.of("drift", title, blocks, verdict, [say("drift.watch", columns=names)] if names else [])


def _psi(run: Run, shifts: list[Shift]) -> Picture:
    plot = bars(
        [shift.name for shift in shifts],
        [shift.psi for shift in shifts],
        run.say.drawn("drift.psi"),
        reference=MODERATE,
    )
    return drawn(plot, run.say("drift.psi_caption"))


def _table(run: Run, shifts: list[Shift], drifted: set[str]) -> Table:
    rows = tuple(
        (
            shift.name,
            shift.test,
            number(shift.statistic),
            number(shift.adjusted),
            number(shift.psi),
            " → ".join(map(percent, shift.missing)) if any(shift.missing) else "",
            run.say("drift.moved") if shift.name in drifted else "",
        )
        for shift in shifts
    )
    return Table(run.say("drift.table"), tuple(run.say("drift.header").split("|")), rows, left=2)
