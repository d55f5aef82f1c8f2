"""Whether grades keep their promise: each tested, their order, and what grading loses."""

from __future__ import annotations

from collections.abc import Iterator

from plait.desks.credit.grade_charts import rates
from plait.desks.credit.grade_tests import GradeReport, grade_report
from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.metrics.shown import chance
from plait.report.charts import drawn
from plait.report.numbers import between, count, number, percent
from plait.report.page import Block, Facts, Pictures, Prose, Section, Table

__all__ = ["part"]

KEY = "grades"


def part(run: CreditRun) -> Part:
    say, known = run.say, run.known
    found = grade_report(run.desk.scale, known.scores.pd, known.bad, seed=run.seed)
    test, gathered = found.hosmer_lemeshow, found.concentration
    facts = [
        (say("grades.hosmer_lemeshow"), chance(test.p), say("grades.freedom", freedom=test.freedom)),
        ("Spiegelhalter", chance(found.spiegelhalter.p), say("grades.p")),
        (say("grades.herfindahl"), number(gathered.herfindahl), say("grades.largest", share=percent(gathered.share))),
    ]
    if found.gini is not None:
        lost = found.gini.lost
        facts.append((say("grades.lost"), number(lost.value), between(lost.low, lost.high)))
    blocks: list[Block] = [
        Prose(say("grades.how")),
        Facts(tuple(facts)),
        _table(run, found),
        Pictures((drawn(rates(run.desk.scale, found), say("grades.caption")),)),
    ]
    off = sum(line.light == "red" for line in found.lines)
    verdict = say("grades.rising" if found.monotone else "grades.turning", grades=len(found.lines), off=off)
    return Part(Section.of(KEY, say("grades.title"), blocks, verdict), tuple(_found(run, found)))


def _found(run: CreditRun, found: GradeReport) -> Iterator[Finding]:
    for each in found.inversions:
        better, worse = found.lines[each.better], found.lines[each.worse]
        told = {"better": better.name, "worse": worse.name, "p": chance(each.p)}
        rated = {"low": percent(worse.rate.value), "high": percent(better.rate.value)}
        yield finding(run.say, KEY, "grade_order", **told, **rated)
    for line in found.lines:
        if line.light in ("red", "yellow"):
            rule = "grade_red" if line.light == "red" else "grade_yellow"
            told = {"rate": percent(line.rate.value), "pd": percent(line.pd), "p": chance(line.corrected)}
            yield finding(run.say, KEY, rule, name=line.name, **told)


def _table(run: CreditRun, found: GradeReport) -> Table:
    say = run.say
    rows = tuple(
        (
            line.name,
            count(line.rows),
            percent(line.share),
            percent(line.pd),
            percent(line.rate.value),
            "–" if not line.rows else f"{percent(line.rate.low)} … {percent(line.rate.high)}",
            chance(line.corrected),
            say(f"grade_light.{line.light}") if line.light != "-" else "",
        )
        for line in found.lines
    )
    return Table(say("grades.table"), tuple(say("grades.header").split("|")), rows)
