"""Reasons of declined applications: how often they can be given and account for the gap, and some in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from plait.desks.credit.reasons.find import Told, barred, find_reasons
from plait.desks.credit.reasons.neutral import cut_off_of
from plait.desks.credit.reasons.pictures import counted, ladder
from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.report.charts import drawn
from plait.report.numbers import count, percent
from plait.report.page import Block, Facts, Listing, Notice, Prose, Section, Subheading

__all__ = ["part"]

KEY = "cases"  # what rule packs call explanations of decisions
SAMPLE = 100  # declined applications whose reasons are counted
HALF = 0.5  # of the gap that reasons should account for
OFTEN = 0.95  # of the applications in which they should


def part(run: CreditRun) -> Part:
    say, goal = run.say, cut_off_of(run.desk)
    declined = np.flatnonzero(run.known.scores.log_odds > goal)
    if not len(declined):
        return Part(Section.absent(KEY, say("cases.title"), say("cases.nobody")))
    judged = run.judged()
    sample = judged.iloc[_spread(run, declined, SAMPLE)]
    told = find_reasons(run.desk, sample, sides=run.sides, cut_off=goal, places=(), report=run.asked.progress)
    closing = float(np.mean([each.closed >= HALF for each in told]))
    bare = sum(not each.reasons for each in told)
    facts = (
        (say("cases.declined"), count(len(declined)), say("cases.of", rows=count(len(judged)))),
        (say("cases.closing"), percent(closing), say("cases.of_sample", rows=count(len(told)))),
        (say("cases.bare"), count(bare), say("cases.of_sample", rows=count(len(told)))),
    )
    blocks: list[Block] = [
        Prose(say("cases.how")),
        Facts(facts),
        drawn(counted(told, run.desk.config.reasons), say("cases.counted")),
    ]
    if run.asked.rows:
        chosen = judged.iloc[_spread(run, declined, run.asked.rows)]
        shown = find_reasons(run.desk, chosen, sides=run.sides, cut_off=goal, report=run.asked.progress)
        blocks += [block for each in shown for block in _case(run, each)]
        blocks.append(Notice(say("cases.masked")))
    verdict = say("cases.verdict", rows=count(len(told)), share=percent(closing))
    return Part(Section.of(KEY, say("cases.title"), blocks, verdict), tuple(_found(run, told, closing, bare)))


def _found(run: CreditRun, told: Sequence[Told], closing: float, bare: int) -> Iterator[Finding]:
    allowed = set(run.desk.used) - barred(run.desk)
    named = {name for each in told for reason in each.reasons for name in reason.columns}
    if strangers := sorted(named - allowed):
        yield finding(run.say, KEY, "stranger", columns=", ".join(strangers))
    if closing < OFTEN:
        yield finding(run.say, KEY, "closing", share=percent(closing))
    if bare:
        yield finding(run.say, KEY, "bare", rows=count(bare))


def _spread(run: CreditRun, declined: np.ndarray[tuple[int], np.dtype[np.intp]], most: int) -> list[int]:
    """Places of at most so many declined rows, from the riskiest to the nearest to the cut-off, in even steps."""
    ranked = declined[np.argsort(-run.known.scores.log_odds[declined], kind="stable")]
    chosen = np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(np.int64)
    return [int(row) for row in ranked[chosen]]


def _case(run: CreditRun, told: Told) -> Iterator[Block]:
    say = run.say
    yield Subheading(say("cases.declined_case", row=told.row, points=f"{told.points:.0f}", goal=f"{told.cut_off:.0f}"))
    if not told.reasons:
        yield Notice(say("cases.none_told"), "watch")
        return
    yield Listing(
        tuple(
            say("cases.reason", sentence=reason.sentences[say.language], points=f"{reason.share:.0f}")
            for reason in told.reasons
        )
    )
    yield drawn(ladder(told, run.desk.config.reasons), say("cases.ladder"))
