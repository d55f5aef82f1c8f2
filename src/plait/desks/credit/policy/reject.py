"""Reject inference: what a model would be if the declined had been observed, under assumptions that are stated.

Outcomes of declined applications are not known, and nothing in the data can say what they would have been. Each
assumption below fills them in another way; the report shows how far the answer hangs on which one is made. Sources:
Hsia 1978 (augmentation), Siddiqi 2017, chapter 7 (parcelling, fuzzy), Manski 1989 (bounds without assumptions),
Crook and Banasik 2004 (that extrapolation from the accepted alone is hard to beat).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.errors import ConfigError, DataError
from plait.metrics.shown import aligned, number, plain
from plait.metrics.weights import as_weight, finite

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ASSUMPTIONS", "Assumed", "Fit", "RejectReport", "reject_inference"]

Scorer: TypeAlias = "Callable[[pd.DataFrame], Array]"
Fit: TypeAlias = "Callable[[pd.DataFrame, Array, Array], Scorer]"
"""Rows, outcomes (1 bad, 0 good) and weights to a function from rows to probabilities, fitted on them."""

BANDS = 10  # of the probability to be accepted, for augmentation
FEWEST = 20  # accepted rows that a band needs to speak for its declined ones
ASSUMPTIONS = {
    "accepted only": "the declined are like accepted ones that look the same to the model; it extrapolates to the rest",
    "reweighting": "the declined are like the accepted whose chance of being accepted was the same",
    "parcelling": "the odds of the declined are {factor:g} times those of accepted ones of the same score; drawn",
    "fuzzy": "the odds of the declined are {factor:g} times those of accepted ones of the same score; both outcomes "
    "count, each by its probability",
}


@dataclass(frozen=True)
class Assumed:
    """A model under one assumption.

    Parameters
    ----------
    states
        The assumption, in words.
    declined, everyone
        Mean probability of default that it says.
    cut_off
        The probability up to which as many applications are approved as were accepted so far.
    swapped
        Share of the declined that are approved there.
    expected
        Mean probability of default of those approved there.
    """

    name: str
    states: str
    declined: float
    everyone: float
    cut_off: float
    swapped: float
    expected: float


@dataclass(frozen=True)
class RejectReport:
    """How the answer moves with the assumption.

    Parameters
    ----------
    accepted, declined
        Rows.
    observed
        Bad rate of the accepted.
    bounds
        Bad rate of all applications if none, or every one, of the declined was bad: what is known without assuming.
    outside
        Share of the declined that no accepted row resembles in its chance of being accepted: there, any answer is an
        extrapolation.
    """

    accepted: int
    declined: int
    observed: float
    bounds: tuple[float, float]
    outside: float
    assumed: tuple[Assumed, ...]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first."""
        head = ("assumption", "PD of declined", "PD of all", "cut-off", "declined approved", "PD of approved")
        body = [
            (
                each.name,
                f"{each.declined:.2%}",
                f"{each.everyone:.2%}",
                number(each.cut_off),
                f"{each.swapped:.1%}",
                f"{each.expected:.2%}",
            )
            for each in self.assumed
        ]
        return (head, *body)

    def __str__(self) -> str:
        low, high = self.bounds
        told = [
            f"{self.accepted:,} accepted ({self.observed:.2%} bad), {self.declined:,} declined",
            "",
            *aligned(self.rows()),
            *(f"{each.name}: {each.states}" for each in self.assumed),
            f"without any assumption: {low:.2%} to {high:.2%} of all applications are bad",
            f"{self.outside:.1%} of the declined have no accepted counterpart: for them every answer extrapolates",
        ]
        return "\n".join(told)

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts."""
        return plain(self)


def reject_inference(
    fit: Fit,
    accepted: pd.DataFrame,
    bad: Array,
    declined: pd.DataFrame,
    *,
    factors: Sequence[float] = (1.0, 2.0, 4.0),
    weight: Array | None = None,
    seed: int = 0,
) -> RejectReport:
    """Fit a model under each assumption, and show how its probabilities and the cut-off move.

    Parameters
    ----------
    fit
        Fits a model of default; also, on all rows, one of acceptance.
    accepted, bad
        ``N`` rows and their outcomes (1 or 0).
    declined
        Rows with the same columns.
    factors
        How many times the odds of the declined are those of the accepted of the same score, for parcelling and fuzzy;
        1: no worse than they look.
    weight
        float64 ``N``, of the accepted.

    Raises
    ------
    ConfigError
        If a factor is not above 0.
    DataError
        If there are no declined rows, or an outcome is missing.
    """
    import pandas as pd

    if not len(declined):
        raise DataError("there are no declined applications to infer")
    if any(not factor > 0 for factor in factors):
        raise ConfigError(f"factors are {list(factors)}; each is above 0, 1 meaning no worse than they look")
    bad = finite(bad, len(accepted), "outcomes")
    weight = as_weight(weight, len(accepted))
    ones = np.ones(len(declined))
    everyone = pd.concat([accepted, declined], ignore_index=True)
    plainly = fit(accepted, bad, weight)
    taken = np.concatenate([np.ones(len(accepted)), np.zeros(len(declined))])
    chance = np.asarray(fit(everyone, taken, np.concatenate([weight, ones]))(everyone), np.float64)
    more, outside = _more(chance, taken, np.concatenate([weight, ones]))
    made = {"accepted only": (1.0, plainly), "reweighting": (1.0, fit(accepted, bad, weight * more))}
    rng = np.random.default_rng([seed, 0x4EC7])
    likely = np.asarray(plainly(declined), np.float64)
    for factor in factors:
        worse = factor * likely / (1 - likely + factor * likely)
        drawn = (rng.random(len(declined)) < worse).astype(np.float64)
        parcelled = fit(everyone, np.concatenate([bad, drawn]), np.concatenate([weight, ones]))
        twice = pd.concat([accepted, declined, declined], ignore_index=True)
        outcomes = np.concatenate([bad, ones, 0 * ones])
        made[f"parcelling x{factor:g}"] = (factor, parcelled)
        made[f"fuzzy x{factor:g}"] = (factor, fit(twice, outcomes, np.concatenate([weight, worse, 1 - worse])))
    total = weight.sum() + len(declined)
    known = float(weight @ bad)
    return RejectReport(
        len(accepted),
        len(declined),
        known / float(weight.sum()),
        (known / total, (known + len(declined)) / total),
        outside,
        tuple(_assumed(name, factor, scorer, everyone, taken) for name, (factor, scorer) in made.items()),
    )


def _more(chance: Array, taken: Array, weight: Array) -> tuple[npt.NDArray[np.float64], float]:
    """How many applications each accepted one speaks for (float64 ``N``), and the share of the declined that none
    speaks for: bands of the chance of being accepted, joined upwards until each has accepted rows enough."""
    edges = np.unique(np.quantile(chance, np.arange(1, BANDS) / BANDS))
    band = np.searchsorted(edges, chance, side="right")
    inside = np.bincount(band[taken == 1], minlength=len(edges) + 1)
    alone = (inside < FEWEST)[band] & (taken == 0)
    while len(inside) > 1 and inside.min() < FEWEST:
        least = int(inside.argmin())
        at = least if least < len(inside) - 1 else least - 1
        band = np.where(band > at, band - 1, band)
        inside = np.bincount(band[taken == 1], minlength=len(inside) - 1)
    everyone = np.bincount(band, weight, minlength=len(inside))
    observed = np.bincount(band[taken == 1], weight[taken == 1], minlength=len(inside))
    return (everyone / observed)[band][taken == 1], float(alone.sum() / (taken == 0).sum())


def _assumed(name: str, factor: float, scorer: Scorer, everyone: pd.DataFrame, taken: Array) -> Assumed:
    said = np.asarray(scorer(everyone), np.float64)
    rising = np.sort(said)
    cut = float(rising[max(int(taken.sum()), 1) - 1])
    approved = said <= cut
    states = ASSUMPTIONS[name.partition(" x")[0]].format(factor=factor)
    declined = taken == 0
    return Assumed(
        name,
        states,
        float(said[declined].mean()),
        float(said.mean()),
        cut,
        float(approved[declined].mean()),
        float(said[approved].mean()),
    )
