"""Whether the rows held out are still those that the score was made for: stability of score, grades and variables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plait.desks.credit.monitoring.pictures import in_time
from plait.desks.credit.monitoring.populations import kept, population
from plait.desks.credit.monitoring.report import MonitoringReport, monitor
from plait.desks.credit.monitoring.stability import LARGE, MODERATE
from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.metrics.shown import chance
from plait.report.charts import bars, drawn
from plait.report.numbers import count, number, signed
from plait.report.page import Block, Pictures, Prose, Section, Table

__all__ = ["part"]

KEY = "stability"
WHOLE = ("score", "grade")


def part(run: CreditRun) -> Part:
    say = run.say
    time = run.schema.time if run.dated else None
    new = population(run.desk, run.judged(), target=run.target, time=time, sides=run.sides)
    found = monitor(kept(run.desk), new, by="quarter", seed=run.seed)
    shown = sorted(found.stability["all"], key=lambda each: (each.name not in WHOLE, -each.psi))
    rows = tuple(
        (
            _name(run, each.name),
            number(each.psi),
            number(each.floor),
            chance(each.adjusted),
            "" if np.isnan(each.points) else signed(each.points),
        )
        for each in shown
    )
    plot = bars([row[0] for row in rows], [each.psi for each in shown], "PSI", reference=MODERATE)
    pictures = [drawn(plot, say("stability.caption"))]
    if len(found.stability) > 2:
        pictures.append(drawn(in_time(found), say("stability.in_time")))
    blocks: list[Block] = [
        Prose(say("stability.how", rows=count(run.desk.record["blend_rows"]))),
        Table(say("stability.table"), tuple(say("stability.header").split("|")), rows),
        Pictures(tuple(pictures)),
    ]
    verdict = say("stability.verdict", score=number(found["score"].psi), grade=number(found["grade"].psi))
    return Part(Section.of(KEY, say("stability.title"), blocks, verdict), tuple(_found(run, found)))


def _found(run: CreditRun, found: MonitoringReport) -> Iterator[Finding]:
    """Changes that are more than chance."""
    for each in found.stability["all"]:
        if each.sure and each.psi >= (MODERATE if each.name in WHOLE else LARGE):
            whole = "population" if each.psi >= LARGE else "population_moved"
            rule = whole if each.name in WHOLE else "characteristic"
            yield finding(run.say, KEY, rule, name=_name(run, each.name), psi=number(each.psi))


def _name(run: CreditRun, name: str) -> str:
    return run.say(f"stability.{name}") if name in WHOLE else name
