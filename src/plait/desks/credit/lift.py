"""What evidence adds to a scorecard: points row by row and source by source, ranking, and money at equal approval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Progress, Side
from plait.contracts.crossing import unheard
from plait.desks.credit.model import CreditModel
from plait.desks.credit.policy import cutoff
from plait.errors import ConfigError, InputError
from plait.explain.shapley import explain_sources
from plait.metrics.classification import roc_auc
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span
from plait.metrics.weights import as_weight, finite

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CALIBRATION",
    "CAP",
    "Money",
    "PointShares",
    "Terms",
    "Without",
    "money_by_approval",
    "split_points",
    "without_sources",
]

Floats = npt.NDArray[np.float64]
CALIBRATION, CAP = "calibration", "held back by the cap"
RESAMPLES = 500
APPROVED = tuple(step / 20 for step in range(6, 20))  # shares of the applications, .30 to .95


@dataclass(frozen=True)
class PointShares:
    """How the points of rows come about: ``points == scorecard + values.sum(axis=1)``.

    Parameters
    ----------
    lines
        ``L`` names, in this order: `CALIBRATION`; the joint source "beyond the scorecard"; every other source; `CAP`.
    scorecard
        float64 ``N``: points by the scorecard alone.
    values
        float64 ``N x L``: points that each line adds; 0 where a source is absent.
    error
        float64 ``N x L``: standard error of each; 0 where exact (up to 10 sources in a row).
    """

    lines: tuple[str, ...]
    scorecard: Floats
    values: Floats
    error: Floats

    @property
    def points(self) -> Floats:
        """Points at the end: float64 ``N``."""
        return np.asarray(self.scorecard + self.values.sum(axis=1))

    def frame(self) -> pd.DataFrame:
        """A row each: ``scorecard``, a column a line, ``points``."""
        import pandas as pd

        columns = dict(zip(self.lines, self.values.T, strict=True))
        return pd.DataFrame({"scorecard": self.scorecard, **columns, "points": self.points})


def split_points(
    model: CreditModel,
    frame: pd.DataFrame,
    sides: Mapping[str, Side] | None = None,
    *,
    seed: int = 0,
    report: Callable[[Progress], None] = unheard,
) -> PointShares:
    """Points of the adjustment by source of evidence, row by row.

    The evidence model's log-odds are split by Shapley values over its sources, present or not
    (`plait.explain.shapley`); the blend is linear in them up to its cap, so shares in points are these times a number.
    What the table says through the evidence model less what it says through the scorecard stands as one line, as does
    what the cap held back.

    Parameters
    ----------
    frame
        ``N`` rows with the columns that the model reads.
    sides
        Long tables by name.
    seed
        Of the orders of sources, where a row has more than 10.
    report
        Called with `plait.contracts.Progress`.
    """
    subject = model.evidence.subject(frame, sides=sides, outputs=model.bad, scale="score")
    found = explain_sources(subject, seed=seed, progress=report)
    blend, card = model.blend, model.scorecard.log_odds(frame)
    factor = -model.points.factor
    pull = factor * blend.gamma * blend.evidence.slope
    joint = np.array([subject.rooms[name].joint for name in found.sources])
    table = blend.evidence(found.base + found.values[:, joint].sum(axis=1)) - blend.card(card)
    movement = blend.movement(card, subject.prediction)
    limit = blend.cap / blend.factor
    values = [
        factor * blend.calibration(card),
        factor * blend.gamma * table,
        *(pull * found.values[:, ~joint]).T,
        factor * (np.clip(movement, -limit, limit) - movement),
    ]
    nothing = np.zeros(len(card))
    together = np.sqrt(np.square(found.error[:, joint]).sum(axis=1))
    errors = [nothing, abs(pull) * together, *(abs(pull) * found.error[:, ~joint]).T, nothing]
    names = np.asarray(found.sources)
    beyond = f"{', '.join(names[joint]) or 'base rate'} beyond the scorecard"
    lines = (CALIBRATION, beyond, *map(str, names[~joint]), CAP)
    told = np.stack(values, axis=1) + 0.0  # 0 and not -0
    return PointShares(lines, model.points.of(card), told, np.stack(errors, axis=1))


@dataclass(frozen=True)
class Without:
    """The blend with a source of evidence hidden in every row.

    Parameters
    ----------
    source
        Its name.
    present
        Share of the rows that have it.
    roc_auc
        Of the blend without it.
    lost
        ROC AUC of the blend less that, paired.
    """

    source: str
    present: float
    roc_auc: Span
    lost: Span


def without_sources(
    model: CreditModel,
    frame: pd.DataFrame,
    bad: Array,
    sides: Mapping[str, Side] | None = None,
    *,
    weight: Array | None = None,
    seed: int = 0,
) -> tuple[Without, ...]:
    """How well the blend ranks where a source is hidden, one at a time, in the order of the schema.

    Parameters
    ----------
    frame
        ``N`` rows with the columns that the model reads. The scorecard keeps its columns, whatever is hidden.
    bad
        ``N``, 1 = default.
    weight
        float64 ``N``, not negative.
    seed
        Of the bootstrap.

    Raises
    ------
    InputError
        If the outcomes are all alike.
    """
    subject = model.evidence.subject(frame, sides=sides, outputs=model.bad, scale="score")
    card, rows = model.scorecard.log_odds(frame), np.arange(len(frame))
    told = {"": subject.prediction}
    for i, name in enumerate(subject.sources):
        seen = np.broadcast_to(np.arange(len(subject.sources)) != i, (len(rows), len(subject.sources)))
        told[name] = subject.coalitions(rows, seen)
    scores = {name: model.blend.log_odds(card, each).log_odds for name, each in told.items()}
    found = bootstrap(roc_auc, bad, scores, weight=weight, resamples=RESAMPLES, seed=seed)
    return tuple(
        Without(name, float(there), Span.of(found.interval(name)), Span.of(found.difference("", name)))
        for name, there in zip(subject.sources, subject.batches.present.mean(axis=0), strict=True)
    )


@dataclass(frozen=True)
class Terms:
    """What a loan brings: `margin` of its amount where it is repaid, minus `loss_given_default` where it is not.

    Both are shares of the amount over the life of the loan, the same for all loans: neither the moment of the default
    nor the price of risk is looked at.

    Raises
    ------
    ConfigError
        If a share is negative or not finite, or the loss is more than the amount.
    """

    loss_given_default: float = 0.6
    margin: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.loss_given_default <= 1:
            raise ConfigError(f"loss given default {self.loss_given_default:g} is out of range (allowed: 0 to 1)")
        if not 0 <= self.margin < np.inf:
            raise ConfigError(f"margin {self.margin:g} is out of range (allowed: 0 or more)")

    def gain(self, bad: Array, amounts: Array) -> Floats:
        """Profit of each loan if it is made: float64 ``N``.

        Raises
        ------
        InputError
            If an amount is missing, negative or not finite.
        """
        lent = finite(amounts, len(bad), "amounts")
        if (lent < 0).any():
            raise InputError(f"amounts are negative in {int((lent < 0).sum())} rows; give 0 or more a row")
        money = cutoff.Money(self.margin, self.loss_given_default, amounts=lent)
        return money.profit(np.asarray(bad, np.float64))[:, 0]


@dataclass(frozen=True)
class Money:
    """Profit where the safest are approved, in per cent of all amounts applied for, with 95% intervals.

    Parameters
    ----------
    approved
        float64 ``A``: shares of the applications, rising.
    amount
        What was applied for in all rows, each as often as its weight says.
    profit
        Name of a score to float64 ``A x 3``: value, low, high.
    gained
        float64 ``A x 3``: profit by the last score less that by the first, paired.
    terms
        What was assumed of every loan.
    """

    approved: Floats
    amount: float
    profit: Mapping[str, Floats]
    gained: Floats
    terms: Terms


def money_by_approval(
    scores: Mapping[str, Array],
    bad: Array,
    amounts: Array,
    *,
    terms: Terms | None = None,
    approved: Sequence[float] | Array = APPROVED,
    weight: Array | None = None,
    seed: int = 0,
) -> Money:
    """Profit at equal shares approved, whichever score chooses whom.

    Rows of equal score are approved in equal part, so that nothing hangs on the order of rows.

    Parameters
    ----------
    scores
        Name to ``N`` risks, the highest declined first; the last is compared with the first.
    bad, amounts
        float64 ``N``: outcome (1 = default), and what was applied for.
    terms
        What a loan brings; default: `Terms` as they are.
    approved
        Shares of the applications, within 0..1.
    weight
        float64 ``N``, not negative.
    seed
        Of the bootstrap.

    Raises
    ------
    InputError
        If an amount is missing or negative, or all are 0.
    ConfigError
        If a share is not within 0..1.
    """
    terms = terms or Terms()
    shares = np.asarray(approved, np.float64)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ConfigError("shares of applications approved must be within 0 to 1")
    gain, lent = terms.gain(bad, amounts), np.asarray(amounts, np.float64)
    if not lent.any():
        raise InputError("all amounts are 0; name the column of what was applied for")

    def profit(gain: Array, risk: Array, weight: Array) -> Array:
        return 100 * _approving(shares, gain, risk, weight) / (weight @ lent)[..., None]

    found = bootstrap(profit, gain, scores, weight=weight, resamples=RESAMPLES, seed=seed)
    first, *_, last = scores
    told = {name: np.stack(found.interval(name), axis=1) for name in scores}
    applied = float(as_weight(weight, len(lent)) @ lent)
    return Money(shares, applied, told, np.stack(found.difference(last, first), axis=1), terms)


def _approving(shares: Floats, gain: Array, risk: Array, weight: Array) -> Floats:
    """Gain of approving each of the safest `shares` of the weight: ``(R x) A``."""
    order = np.argsort(risk, kind="stable")
    starts = np.flatnonzero(np.diff(risk[order], prepend=-np.inf))
    drawn = np.atleast_2d(weight)[:, order]
    mass, money = (
        np.pad(np.add.reduceat(each, starts, axis=1).cumsum(axis=1), ((0, 0), (1, 0)))
        for each in (drawn, drawn * gain[order])
    )
    made = [np.interp(shares * m[-1], m, g) for m, g in zip(mass, money, strict=True)]
    return np.reshape(made, (*weight.shape[:-1], len(shares)))
