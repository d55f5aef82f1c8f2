"""Where the model must not be trusted: too few defaults, outcomes too young, cells unlike those learned from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from plait.desks.credit.policy.ranges import Ranges
from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.report.charts import bars, drawn
from plait.report.numbers import count, percent
from plait.report.page import Block, Facts, Listing, Pictures, Prose, Section, Subheading, Table

__all__ = ["part"]

KEY = "limits"
FEWEST = 100  # defaults that figures and tests by grade need
STRANGE = 0.01  # share of a column's cells beyond what was learned from
YOUNG = 0.5  # of the expected defaults: fewer came true in the last stretch of time
SHOWN = 12


class _Beyond(NamedTuple):
    """A column, how many of its cells held out are unlike all training cells, and what those were like."""

    column: str
    share: float
    learned: str


def part(run: CreditRun) -> Part:
    say = run.say
    beyond = sorted(_beyond(run), key=lambda each: -each.share)
    strange = [each for each in beyond if each.share > 0]
    gone = 1 - run.known.scores.present.mean(axis=0)
    missing = [(s.name, float(share)) for s, share in zip(run.schema.sources, gone, strict=True)]
    blocks: list[Block] = [
        Listing(tuple(say(f"limits.{key}") for key in ("population", "purpose", "person", "causes"))),
        _facts(run),
        Subheading(say("limits.beyond")),
        Prose(say("limits.how")),
    ]
    if strange:
        rows = tuple((each.column, percent(each.share), each.learned) for each in strange[:SHOWN])
        blocks.append(Table(say("limits.table"), tuple(say("limits.header").split("|")), rows))
    plot = bars([name for name, _ in missing], [100 * share for _, share in missing], say.drawn("limits.missing_axis"))
    blocks.append(Pictures((drawn(plot, say("limits.missing")),)))
    verdict = say("limits.verdict", columns=len(beyond), strange=len(strange))
    return Part(Section.of(KEY, say("limits.title"), blocks, verdict), tuple(_found(run, strange)))


def _facts(run: CreditRun) -> Facts:
    say, record = run.say, run.desk.record
    fitted, judged = round(record["bad_rate"] * record["rows"]), run.known.bad
    return Facts(
        (
            (say("limits.bad_fitted"), count(fitted), say("limits.of_rows", rows=count(record["rows"]))),
            (say("limits.bad_judged"), count(judged.sum()), say("limits.of_rows", rows=count(len(judged)))),
        )
    )


def _found(run: CreditRun, strange: list[_Beyond]) -> Iterator[Finding]:
    say = run.say
    if (few := run.known.bad.sum()) < FEWEST:
        yield finding(say, KEY, "rows", bad=count(few), least=FEWEST)
    periods = run.calibration.periods if run.dated else ()
    if periods and (last := periods[-1]).high < YOUNG * last.predicted:
        told = {"observed": percent(last.observed), "predicted": percent(last.predicted)}
        yield finding(say, KEY, "young", **told)
    for each in strange:
        if each.share > STRANGE:
            yield finding(say, KEY, "range", column=each.column, share=percent(each.share))


def _beyond(run: CreditRun) -> Iterator[_Beyond]:
    """Columns of numbers and categories, and how many of their cells held out lie beyond those fitted on."""
    ranges = Ranges.of(run.train, run.desk.tabular)
    for name, rows in ranges.strange(run.judged()).items():
        if name in run.hidden:
            learned = run.say("scorecard.hidden")
        elif name in ranges.numbers:
            learned = "{:,g} .. {:,g}".format(*ranges.numbers[name])
        else:
            learned = run.say("limits.levels", count=len(ranges.categories[name]))
        yield _Beyond(name, float(rows.mean()), learned)
