"""Where to cut off: what rules of approval approve, lose and earn, and the cut-offs that cost and capacity imply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Prediction
from plait.errors import InputError
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, number, plain
from plait.metrics.value import Costs, threshold_table
from plait.metrics.weights import as_weight, finite, ratio

__all__ = [
    "APPROVE",
    "DECLINE",
    "REFER",
    "ChosenCutOff",
    "CutOffReport",
    "Money",
    "Outcome",
    "Settled",
    "choose",
    "compare",
    "settle",
]

APPROVE, REFER, DECLINE = 0, 1, 2
RESAMPLES = 500


@dataclass(frozen=True)
class Money:
    """What loans earn and lose.

    Parameters
    ----------
    margin, lgd
        Shares of the amount: earned on a good loan, lost on a bad one.
    cost_of_review, review_finds
        What a person's look costs, and the share of the bad ones that it finds; it approves the others. None: not
        said, and rows that are referred count nothing.
    amounts
        float64 ``N``; None: 1 each.
    """

    margin: float
    lgd: float
    cost_of_review: float | None = None
    review_finds: float | None = None
    amounts: Array | None = None

    @property
    def costs(self) -> Costs:
        """Declining costs nothing; approving earns the margin (a negative cost) or loses the LGD."""
        return Costs(false_positive=0.0, false_negative=self.lgd, true_positive=0.0, true_negative=-self.margin)

    def profit(self, bad: Array) -> Array:
        """Profit of each row by action: float64 ``N x 3``; amounts must be those of the rows."""
        amounts = np.ones(len(bad)) if self.amounts is None else finite(self.amounts, len(bad), "amounts")
        approved = ((1 - bad) * self.margin - bad * self.lgd) * amounts
        kept = np.zeros(len(bad))
        if self.cost_of_review is not None and self.review_finds is not None:
            kept = ((1 - bad) * self.margin - bad * (1 - self.review_finds) * self.lgd) * amounts - self.cost_of_review
        return np.stack([approved, kept, np.zeros(len(bad))], axis=1)


@dataclass(frozen=True)
class Outcome:
    """What a rule did.

    Parameters
    ----------
    highest
        Probability of default of the riskiest row that it approved; NaN: it approved none.
    approved, referred
        Shares of rows.
    bad_rate
        Of the approved rows.
    profit
        Mean of a row, 0 where it is declined; None: it is not said what loans earn and lose.
    beyond
        That minus the baseline's, paired.
    """

    highest: float
    approved: Span
    referred: float
    bad_rate: Span
    profit: Span | None
    beyond: Span | None


@dataclass(frozen=True)
class CutOffReport:
    """Rules by name, side by side on the same rows; the first is the baseline."""

    n: int
    bad_rate: float
    outcomes: Mapping[str, Outcome]
    notes: tuple[str, ...] = ()

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first."""
        base, *_ = self.outcomes
        head = ("rule", "riskiest approved", "approved", "referred", "bad rate", "profit of a row", f"minus {base!r}")
        body = [
            (
                name,
                number(each.highest),
                f"{each.approved.value:.1%}",
                f"{each.referred:.1%}",
                _per_cent(each.bad_rate),
                "-" if each.profit is None else str(each.profit),
                "-" if each.beyond is None else str(each.beyond),
            )
            for name, each in self.outcomes.items()
        ]
        return (head, *body)

    def __str__(self) -> str:
        told = [f"{self.n:,} rows, {self.bad_rate:.1%} bad", "", *aligned(self.rows())]
        return "\n".join([*told, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


@dataclass(frozen=True)
class Settled:
    """What is done about ``N`` rows.

    Parameters
    ----------
    action
        int64 ``N`` of `APPROVE`, `REFER` and `DECLINE`.
    crowded
        bool ``N``: declined only because others, less risky, fill the capacity.
    unreviewed
        bool ``N``: in the grey zone, but decided by the cut-off, since people look at others, nearer to it.
    """

    action: npt.NDArray[np.int64]
    crowded: npt.NDArray[np.bool_]
    unreviewed: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ChosenCutOff:
    """The cut-off of highest profit on some rows (which that profit flatters), where it lies on other samples of them,
    and the one that costs imply: Elkan 2001, ``margin / (margin + lgd)``."""

    chosen: float
    between: tuple[float, float]
    implied: float


def choose(
    chance: Array, bad: Array, money: Money, *, weight: Array | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> ChosenCutOff:
    """The cut-off of highest profit on validation rows (`plait.metrics.value.threshold_table`).

    Parameters
    ----------
    chance, bad
        float64 ``N``: probability of default, and 1 or 0.

    Raises
    ------
    InputError
        If a probability or an amount is none.
    """
    found = threshold_table(
        Prediction("class", np.stack([1 - chance, chance], axis=1), np.array([0, 1])),
        np.asarray(bad, np.int64),
        costs=money.costs,
        weight=weight,
        amounts=money.amounts,
        resamples=resamples,
        seed=seed,
    )
    return ChosenCutOff(found.best.threshold, found.best_range, found.implied.threshold)


def settle(
    risk: Array,
    cut: float,
    zone: tuple[float | Array, float | Array] | None = None,
    *,
    mandated: Array | None = None,
    capacity: float | None = None,
    reviews: float | None = None,
) -> Settled:
    """Approve, refer or decline each row.

    Parameters
    ----------
    risk
        float64 ``N``, rising with risk (probabilities or log-odds of default).
    cut
        Approve up to here, on the same scale.
    zone
        Between its ends (each one number or ``N``) a person decides; None: nobody does.
    mandated
        bool ``N``: a person decides in any case; these take the first reviews.
    capacity, reviews
        How many of these rows may be approved, and looked at: up to 1 a share of the rows, above it a number; None:
        any. The least risky are approved; of the grey zone, the rows nearest to the cut-off are looked at.
    """
    rows = len(risk)
    forced = np.zeros(rows, np.bool_) if mandated is None else np.asarray(mandated, np.bool_)
    low, high = (cut, cut) if zone is None else zone
    grey = ~forced & (risk > low) & (risk <= high)
    seen = _first(grey, np.abs(risk - cut), None if reviews is None else max(0, _count(reviews, rows) - forced.sum()))
    approved = ~forced & ~seen & (np.where(grey, risk <= cut, risk <= low))
    kept = _first(approved, risk, None if capacity is None else _count(capacity, rows))
    action = np.where(forced | seen, REFER, np.where(kept, APPROVE, DECLINE)).astype(np.int64)
    return Settled(action, approved & ~kept, grey & ~seen)


def _count(limit: float, rows: int) -> int:
    return int(limit * rows + 1e-9) if limit <= 1 else int(limit)


def _first(chosen: npt.NDArray[np.bool_], order: Array, most: int | None) -> npt.NDArray[np.bool_]:
    """Those of the chosen rows that come first, at most so many; of equals the earlier row."""
    if most is None or chosen.sum() <= most:
        return chosen
    place = np.flatnonzero(chosen)
    kept = np.zeros(len(chosen), np.bool_)
    kept[place[np.argsort(order[place], kind="stable")[:most]]] = True
    return kept


def compare(
    actions: Mapping[str, Array],
    chance: Array,
    bad: Array,
    *,
    money: Money | None = None,
    weight: Array | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> CutOffReport:
    """Judge rules on rows whose outcome is known, on the same resamples.

    Parameters
    ----------
    actions
        Name of a rule to what it does: int64 ``N`` (`settle`). The first is the baseline.
    chance, bad
        float64 ``N``: probability of default, and 1 or 0.
    money
        What loans earn and lose; None: profit is left out.

    Raises
    ------
    InputError
        If there are no rules, or a number is none.
    """
    if not actions:
        raise InputError("no rules to compare; give at least one")
    bad, chance = finite(bad, len(bad), "outcomes"), finite(chance, len(bad), "probabilities")
    weight = as_weight(weight, len(bad))
    gains = np.zeros((len(bad), 3)) if money is None else money.profit(bad)

    def figures(bad: Array, action: Array, weight: Array) -> Array:
        approved = action == APPROVE
        mass, taken = weight.sum(-1), weight @ approved
        earned = weight @ gains[np.arange(len(action)), action]
        return np.stack([taken / mass, ratio(weight @ (approved * bad), taken), earned / mass], axis=-1)

    found = bootstrap(figures, bad, actions, weight=weight, resamples=resamples, seed=seed)
    base, *_ = actions
    made = {}
    for name, action in actions.items():
        approved, lost, earned = (found.interval(name).at(i) for i in range(3))
        highest = float(chance[action == APPROVE].max(initial=-np.inf))
        made[name] = Outcome(
            highest if np.isfinite(highest) else float("nan"),
            approved,
            float(weight @ (action == REFER) / weight.sum()),
            lost,
            None if money is None else earned,
            None if money is None or name == base else found.difference(name, base).at(2),
        )
    told = list(notes)
    if money is not None and any(each.referred for each in made.values()):
        told.append(
            "referred rows count nothing: it is not said what a review costs and finds"
            if money.cost_of_review is None
            else f"assumed: a review costs {money.cost_of_review:g}, finds {money.review_finds:.0%} of the bad ones, "
            "and approves the others"
        )
    return CutOffReport(len(bad), float(weight @ bad / weight.sum()), made, tuple(told))


def _per_cent(span: Span) -> str:
    if np.isnan(span.value):
        return "-"
    return f"{span.value:.2%}" + ("" if np.isnan(span.low) else f" ({span.low:.2%} to {span.high:.2%})")
