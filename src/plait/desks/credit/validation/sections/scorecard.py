"""The scorecard: its variables with p-values, the points of every bin, and what was left out and why."""

from __future__ import annotations

from collections.abc import Iterator

from plait.desks.credit.scorecard import Scorecard, Variable
from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.metrics.shown import chance
from plait.report.charts import bars, drawn
from plait.report.numbers import count, number, percent, signed
from plait.report.page import Block, Notice, Picture, Pictures, Prose, Section, Subheading, Table

__all__ = ["part"]

KEY = "scorecard"
LEVEL = 0.05  # of a Wald test
LABEL = 60  # characters of a bin


def part(run: CreditRun) -> Part:
    say, card = run.say, run.desk.scorecard
    blocks: list[Block] = [
        Prose(say("scorecard.how")),
        _variables(run, card),
        Pictures((_information(run, card),)),
        *(Notice(note) for note in card.notes),
        Subheading(say("scorecard.bins")),
        *(_bins(run, card, each) for each in card.variables),
    ]
    if card.left_out:
        left = tuple((each.name, "" if each.bins is None else number(each.bins.iv), each.why) for each in card.left_out)
        blocks.append(Table(say("scorecard.left_out"), tuple(say("scorecard.left_header").split("|")), left, left=3))
    rising = sum(each.bins.monotone for each in card.variables)
    verdict = say("scorecard.verdict", variables=len(card.variables), monotone=rising, left=len(card.left_out))
    return Part(Section.of(KEY, say("scorecard.title"), blocks, verdict), tuple(_found(run, card)))


def _found(run: CreditRun, card: Scorecard) -> Iterator[Finding]:
    say = run.say
    for each in card.variables:
        if each.coefficient >= 0:
            yield finding(say, KEY, "sign", name=each.name, coefficient=signed(each.coefficient))
        if each.p_value > LEVEL:
            yield finding(say, KEY, "p_value", name=each.name, p=chance(each.p_value))
        if not each.bins.monotone:
            yield finding(say, KEY, "monotone", name=each.name, why=each.bins.why_not_monotone)


def _variables(run: CreditRun, card: Scorecard) -> Table:
    say = run.say
    rows = tuple(
        (
            each.name,
            number(each.bins.iv),
            signed(each.coefficient),
            number(each.standard_error),
            chance(each.p_value),
            say("scorecard.rising" if each.bins.monotone else "scorecard.turning"),
        )
        for each in card.variables
    )
    return Table(say("scorecard.table"), tuple(say("scorecard.header").split("|")), rows)


def _information(run: CreditRun, card: Scorecard) -> Picture:
    plot = bars(
        [each.name for each in card.variables],
        [each.bins.iv for each in card.variables],
        run.say.drawn("scorecard.axis"),
    )
    return drawn(plot, run.say("scorecard.caption"))


def _bins(run: CreditRun, card: Scorecard, variable: Variable) -> Table:
    """A row a bin; what a special or missing bin is worth without having seen a row is not shown."""
    say, bins, worth = run.say, variable.bins, card.bin_points(variable)
    hidden = variable.name in run.hidden
    rows = tuple(
        (
            say("scorecard.hidden") if hidden and i < bins.regular else _cut(label),
            count(bins.count[i]),
            percent(bins.bad_rate[i]),
            signed(bins.woe[i]),
            number(bins.information[i]),
            f"{worth[i]:.1f}",
        )
        for i, label in enumerate(bins.labels)
        if i < bins.regular or bins.count[i] > 0
    )
    return Table(variable.name, tuple(say("scorecard.bin_header").split("|")), rows)


def _cut(label: str) -> str:
    return label if len(label) <= LABEL else f"{label[: LABEL - 1]}…"
