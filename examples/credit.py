"""Credit desk: from made applications with five kinds of evidence to grades, reasons, decisions, and a gate.

Run it with ``python examples/credit.py``: offline, on made data, under two minutes on two cores.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

import plait
from plait.contracts import Rows
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.grade_tests import grade_report
from plait.desks.credit.judged import judge_scores
from plait.desks.credit.model import CreditModel, Scores
from plait.desks.credit.policy.decide import decide
from plait.desks.credit.policy.gate import judge_approvals
from plait.desks.credit.policy.observed import Observed
from plait.desks.credit.reasons.find import find_reasons

ROWS = 2_000
SENSITIVE = ["sex", "age", "origin"]  # for checks, never to learn from
LABELS = {
    "account": {"en": "Account", "zh": "账户流水", "step": "month"},
    "amount": {"en": "Amount asked for", "zh": "申请金额"},
    "call": {"en": "Recorded call", "zh": "电话录音"},
    "debts": {"en": "Monthly payments on debts", "zh": "每月还债"},
    "district": {"en": "District", "zh": "居住区"},
    "income": {"en": "Yearly income", "zh": "年收入"},
    "inquiries": {"en": "Inquiries at the bureau", "zh": "征信查询次数"},
    "late_payments": {"en": "Late payments", "zh": "逾期次数"},
    "letter": {"en": "Letter", "zh": "申请信"},
    "statement": {"en": "Bank statement", "zh": "银行对账单"},
}
LENDER = Config.of(
    {
        "evidence": {"fusion": "late", "learner": "linear"},
        "blend": {"cap": 60},
        "scorecard": {"special_codes": {"utilisation": {"never had a card": [-1]}}},
        "policy": {"approve_below": 0.25, "refer": [0.22, 0.28], "handover": {"disagreement": 80}},
        "reasons": {"labels": LABELS},
    }
)


def main() -> None:
    applications = plait.samples.applications(ROWS, seed=0)
    schema = plait.Schema.infer(applications, target="default", time="applied_at", sensitive=SENSITIVE)
    past, later = plait.split(applications, time="applied_at")
    say(f"{len(past):,} past applications to fit, {len(later):,} later ones to judge (made data)")
    print("evidence:", ", ".join(source.name for source in schema.sources))

    model = fit_credit(past, past["default"], schema=schema, config=LENDER)
    say("What decides")
    print("scorecard:", ", ".join(variable.name for variable in model.scorecard.variables))
    print("blend:", model.blend)

    scores, bad = model.score(later), later["default"].to_numpy(float)
    say("How well it ranks applications that it never saw")
    print(judge_scores(scores, bad))
    say("Grades, and whether they keep their promise")
    print(grade_report(model.scale, scores.pd, bad))
    reasons(model, later, scores)
    decisions(model, later)
    gate(model, later)


def reasons(model: CreditModel, later: pd.DataFrame, scores: Scores) -> None:
    """Why one application is declined, in both languages."""
    complete = scores.present.all(axis=1) & (scores.log_odds > model.config.policy.cut_off(model.points))
    told = find_reasons(model, later.iloc[np.flatnonzero(complete)[:1]])[0]
    say(f"Why application {told.row} is declined: {told.points:.0f} points, {told.cut_off:.0f} are needed")
    for reason in told.reasons:
        print(f"{reason.share:4.0f} points  {reason.sentences['en']}")
        print(f"             {reason.sentences['zh']}")


def decisions(model: CreditModel, later: pd.DataFrame) -> None:
    """What becomes of each application."""
    made = decide(model, later)
    say("Decisions")
    print(", ".join(f"{action}: {count}" for action, count in Counter(each.action for each in made).most_common()))
    policies = Counter(outcome.policy for each in made for outcome in each.policies if outcome.effect == "handover")
    print("to a person by policy:", ", ".join(f"{policy} {count}" for policy, count in policies.most_common()))


def gate(model: CreditModel, later: pd.DataFrame) -> None:
    """Whether approvals are fair to groups of people: on these data, they are not, and the gate says so."""
    policy = model.config.policy
    found = judge_approvals(model, Observed.of(model, Rows(later), policy), policy)
    say("The gate: the least favoured group needs four fifths of the approvals of the most favoured one")
    for each in found.attributes:
        told = ", ".join(proxy.column for proxy in each.proxies if proxy.told)
        print(f"{each.name}: {each.ratio}" + (f", told by {told}" if told else ""))
    print("gate:", found.refusal(0.8) or "passed")


def say(heading: str) -> None:
    print(f"\n== {heading} ==")


if __name__ == "__main__":
    main()
