"""How approvals at the policy's cut-off fall on groups of people, and what tells the groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from plait.desks.credit.reasons.neutral import cut_off_of
from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.report.numbers import between, number, percent
from plait.report.page import Prose
from plait.report.sections import fairness

__all__ = ["part"]

KEY = "fairness"


def part(run: CreditRun) -> Part:
    """The report's section on the desk's own approvals."""
    section = fairness.section(run)
    if not section.applies:
        return Part(section)
    goal = cut_off_of(run.desk)
    told = {"pd": percent(float(expit(goal))), "points": f"{run.desk.points.of(goal):.0f}"}
    approved = np.average(run.known.scores.log_odds <= goal, weights=run.known.weight)
    at = Prose(run.say("fairness.cut_off", approved=percent(float(approved)), **told))
    return Part(type(section).of(KEY, section.title, (at, *section.blocks), section.verdict), tuple(_found(run)))


def _found(run: CreditRun) -> Iterator[Finding]:
    say, report = run.say, run.fairness
    if not run.says_cut_off:
        yield finding(say, KEY, "no_policy")
    for each in report.attributes:
        ratio = each.ratio
        if np.isnan(ratio.value):
            yield finding(say, KEY, "untold", column=each.name)
        elif ratio.value < fairness.FOUR_FIFTHS:
            told = {"ratio": number(ratio.value), "interval": between(ratio.low, ratio.high)}
            yield finding(say, KEY, "four_fifths", column=each.name, **told)
        if proxies := [proxy.column for proxy in each.proxies if proxy.told]:
            yield finding(say, KEY, "proxy", column=each.name, columns=", ".join(proxies))
