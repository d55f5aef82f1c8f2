"""Decisions: approve, decline, or hand over to a person, with every policy that was asked and what it said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from plait.contracts import Array, Decision, Json, PolicyOutcome, Reason, Side
from plait.desks.credit.policy.cutoff import DECLINE, REFER, Settled, settle
from plait.desks.credit.policy.ranges import Ranges
from plait.desks.credit.policy.settings import PolicySettings
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel, Scores

__all__ = ["ACTIONS", "Flag", "decide", "flags"]

ACTIONS = ("approve", "refer", "decline")
Reasons = Callable[[npt.NDArray[np.int64]], Sequence[tuple[Reason, ...]]]


@dataclass(frozen=True)
class Flag:
    """A policy that can hand over: by row why it does, "" where it does not."""

    policy: str
    why: Sequence[str]


def decide(
    model: CreditModel,
    frame: pd.DataFrame,
    policy: PolicySettings | None = None,
    *,
    sides: Mapping[str, Side] | None = None,
    reasons: Reasons | None = None,
) -> tuple[Decision, ...]:
    """Decide about ``N`` applications.

    Approve up to the cut-off, decline beyond it. A person decides in the grey zone, and wherever a policy of
    ``handover`` says so: the evidence would have moved the score beyond its cap, scorecard and evidence disagree, a
    cell is broken, missing or unlike any that the model was fitted on, the promised interval holds both outcomes, or
    the decision hangs on a column that tells groups of people apart. Where capacity is short, the least risky are
    approved, and people look at what lies nearest to the cut-off.

    Parameters
    ----------
    policy
        Default: the model's own, of its credit.yaml.
    sides
        Long tables by name.
    reasons
        From positions of declined rows to the reasons of each.

    Returns
    -------
    By row; a decision's ``policies`` are all that were asked, in order.

    Raises
    ------
    ConfigError
        If the policy has no cut-off, or hands over by a promise or range that the model does not hold.
    DataError
        If a column is not there, or an amount is not above 0 where it counts.
    """
    policy = model.config.policy if policy is None else policy
    scores = model.score(frame, sides)
    cut = policy.cut_off(model.points)
    zone = policy.zone(model.points, _amounts(frame, policy) if policy.cost_of_review is not None else None)
    asked = flags(model, frame, policy, scores, cut, sides)
    forced = np.array([any(flag.why[i] for flag in asked) for i in range(len(frame))], np.bool_)
    done = settle(scores.log_odds, cut, zone, mandated=forced, capacity=policy.capacity, reviews=policy.reviews)
    declined = np.flatnonzero(done.action == DECLINE)
    told: dict[int, tuple[Reason, ...]] = {}
    if reasons is not None and len(declined):
        told = dict(zip(declined.tolist(), reasons(declined), strict=True))
    ends = [np.broadcast_to(end, len(frame)) for end in zone]
    made = []
    for i, figures in enumerate(_figures(model, scores, cut)):
        outcomes = (*_ruled(policy, done, scores, cut, ends, i), *(_outcome(flag, i) for flag in asked))
        why = "; ".join(each.why for each in outcomes if each.effect == "handover")
        sources = [source.name for source, has in zip(model.schema.sources, scores.present[i], strict=True) if has]
        action = ACTIONS[done.action[i]]
        made.append(Decision(action, figures, told.get(i, ()), tuple(sources), outcomes, why or None))
    return tuple(made)


def flags(
    model: CreditModel,
    frame: pd.DataFrame,
    policy: PolicySettings,
    scores: Scores,
    cut: float,
    sides: Mapping[str, Side] | None = None,
) -> tuple[Flag, ...]:
    """What each policy of ``handover`` that is on says of each row; `cut` is the cut-off in log-odds of default."""
    wanted, rows = policy.handover, len(frame)
    made = []
    if wanted.capped:
        made.append(Flag("cap", _where(scores.capped, "the evidence would have moved the score beyond its cap")))
    if wanted.disagreement is not None:
        apart = np.abs(scores.scorecard - scores.evidence)
        why = [f"scorecard and evidence are {gap:.0f} points apart" for gap in apart]
        made.append(Flag("disagreement", _kept(apart > wanted.disagreement, why)))
    if wanted.faults:
        broken = [""] * rows
        for fault in scores.faults:
            broken[fault.row] = f"{fault.column} cannot be read"
        made.append(Flag("faults", broken))
    if wanted.missing:
        made.append(Flag("missing evidence", _missing(frame, wanted.missing)))
    if wanted.outside:
        made.append(Flag("range", _ranges(model).outside(frame)))
    if wanted.uncertain:
        both = model.evidence.predict_set(frame, sides=sides).sum(1) != 1
        made.append(Flag("uncertainty", _where(both, "the evidence model promises neither outcome")))
    if wanted.proxies:
        made.append(Flag("proxy", _proxies(model, frame, wanted.proxies, scores, cut, sides)))
    if wanted.amount_above is not None:
        high = _amounts(frame, policy) > wanted.amount_above
        made.append(Flag("amount", _where(high, f"the amount is above {wanted.amount_above:,.0f}")))
    return tuple(made)


def _figures(model: CreditModel, scores: Scores, cut: float) -> list[dict[str, Json]]:
    """What each decision rests on, by name."""
    limit = float(model.points.of(cut)) if np.isfinite(cut) else None
    return [
        {
            "pd": float(scores.pd[i]),
            "points": float(scores.points[i]),
            "scorecard": float(scores.scorecard[i]),
            "adjustment": float(scores.adjustment[i]),
            "evidence": float(scores.evidence[i]),
            "grade": model.scale.names[scores.grade[i]],
            "cut_off_points": limit,
            "cut_off_pd": float(expit(cut)),
        }
        for i in range(len(scores))
    ]


def _ruled(
    policy: PolicySettings, done: Settled, scores: Scores, cut: float, ends: Sequence[Array], i: int
) -> tuple[PolicyOutcome, ...]:
    """What cut-off, grey zone, reviews and capacity say of a row."""
    chance, risk = scores.pd[i], scores.log_odds[i]
    side = "at most" if risk <= cut else "above"
    made = [PolicyOutcome("cut-off", "pass", f"PD {chance:.2%} is {side} {expit(cut):.2%}")]
    low, high = (float(end[i]) for end in ends)
    if low < high:
        inside = low < risk <= high
        told = f"{expit(low):.2%} to {expit(high):.2%}"
        referred = inside and done.action[i] == REFER
        why = f"PD {chance:.2%} is {'' if inside else 'not '}in the grey zone of {told}"
        made.append(PolicyOutcome("grey zone", "handover" if referred else "pass", why))
    if policy.reviews is not None:
        crowded = bool(done.unreviewed[i])
        why = "people look at rows nearer to the cut-off" if crowded else "within what people can look at"
        made.append(PolicyOutcome("reviews", "change" if crowded else "pass", why))
    if policy.capacity is not None:
        crowded = bool(done.crowded[i])
        why = "less risky applications fill the capacity" if crowded else "within capacity"
        made.append(PolicyOutcome("capacity", "change" if crowded else "pass", why))
    return tuple(made)


def _outcome(flag: Flag, i: int) -> PolicyOutcome:
    why = flag.why[i]
    return PolicyOutcome(flag.policy, "handover" if why else "pass", why or "nothing found")


def _where(mask: Array, why: str) -> list[str]:
    return [why if each else "" for each in mask.tolist()]


def _kept(mask: Array, why: Sequence[str]) -> list[str]:
    return [each if kept else "" for kept, each in zip(mask.tolist(), why, strict=True)]


def _missing(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    told: list[list[str]] = [[] for _ in range(len(frame))]
    for name in columns:
        if name not in frame.columns:
            raise unknown("column of handover: missing", name, frame.columns)
        for i in np.flatnonzero(frame[name].isna().to_numpy()):
            told[i].append(name)
    return [f"{', '.join(names)} is missing" if names else "" for names in told]


def _ranges(model: CreditModel) -> Ranges:
    if "ranges" not in model.record:
        raise ConfigError(
            "handover: outside needs the ranges of the training rows; fit the desk again, or switch it off"
        )
    return Ranges.from_json(model.record["ranges"])


def _proxies(
    model: CreditModel,
    frame: pd.DataFrame,
    columns: Sequence[str],
    scores: Scores,
    cut: float,
    sides: Mapping[str, Side] | None,
) -> list[str]:
    """Where the decision would be another one if the columns were missing."""
    for name in columns:
        if name not in model.used:
            raise unknown("column of handover: proxies", name, model.used)
    blind = frame.copy()
    for name in columns:
        blind[name] = frame[name].where(np.zeros(len(frame), np.bool_))
    hangs = (model.log_odds(blind, sides) <= cut) != (scores.log_odds <= cut)
    return _where(hangs, f"the decision hangs on {', '.join(columns)}, from which groups of people can be told")


def _amounts(frame: pd.DataFrame, policy: PolicySettings) -> npt.NDArray[np.float64]:
    """Amounts of the rows; 1 each where the policy names no column."""
    if policy.amount is None:
        return np.ones(len(frame))
    if policy.amount not in frame.columns:
        raise unknown("amount column of policy", policy.amount, frame.columns)
    amounts = frame[policy.amount].to_numpy(np.float64)
    if wrong := int((~(amounts > 0)).sum()):
        raise DataError(f"the amount {policy.amount!r} is missing or not above 0 in {wrong:,} rows; mend them")
    return amounts
