"""Alerts that keep to a budget: conformal p-values of odd scores (Bates et al., Annals of Statistics 2023)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, State
from plait.errors import ConfigError

__all__ = ["Alarm", "Budget"]

SLACK = 1e-9  # for rounding in share * (n + 1)


@dataclass(frozen=True)
class Budget:
    """How many alerts there may be: a share of the rows, or so many a day.

    Parameters
    ----------
    share
        Above 0, at most .5; or None.
    a_day
        Above 0, where `share` is None.
    """

    share: float | None = None
    a_day: float | None = None

    @classmethod
    def of(cls, said: float | str) -> Self:
        """``0.01``, ``"1%"`` or ``"50 a day"``.

        Raises
        ------
        ConfigError
            If it reads as none of them, or is out of range.
        """
        text = str(said).strip().lower()
        found = re.fullmatch(r"([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*(%|a day|per day|/ ?day)?", text)
        if found is None:
            raise ConfigError(f"budget={said!r} cannot be read; write a share (0.01 or '1%') or '50 a day'")
        number, unit = float(found[1]), found[2]
        if unit not in (None, "%"):
            if not number > 0:
                raise ConfigError(f"budget={said!r} is out of range (allowed: more than 0 a day)")
            return cls(a_day=number)
        share = number / 100 if unit else number
        if not 0 < share <= 0.5:
            raise ConfigError(f"budget={said!r} is out of range (allowed: above 0, at most 0.5, as in 0.01 or '1%')")
        return cls(share)

    def of_rows(self, a_day: float | None) -> float:
        """The share of rows, of which there are `a_day` (None: it is not known).

        Raises
        ------
        ConfigError
            If alerts are counted by day and rows are not, or there would be an alert for every other row or more.
        """
        if self.a_day is None:
            assert self.share is not None
            return self.share
        if a_day is None:
            raise ConfigError(f"a budget of {self.a_day:g} alerts a day needs to know days; name the time column")
        if self.a_day > a_day / 2:
            raise ConfigError(
                f"a budget of {self.a_day:g} alerts a day is over half of the {a_day:,.1f} rows a day; ask for less"
            )
        return self.a_day / a_day


@dataclass(frozen=True)
class Alarm:
    """Odd scores of rows held out, and from which score on there is an alert.

    With ``k`` the whole part of ``share (n + 1)``, a new row alerts where its score is above the ``k``-th highest of
    the ``n`` held out. A new row of the same kind then alerts with probability ``k / (n + 1)``, whatever the scores are
    like; given the rows held out, with a probability that has the distribution Beta(``k``, ``n + 1 - k``) (Vovk 2012).

    Parameters
    ----------
    scores
        float64 ``n``, ascending: the higher, the odder.
    share
        What was asked for.
    own
        The scores are those of the rows learned from: the share of them alerts, and of new rows nothing is promised.
    """

    scores: npt.NDArray[np.float64]
    share: float
    own: bool = False

    @cached_property
    def rank(self) -> int:
        """``k``, at least 1: fewer rows than a promise needs promise ``1 / (n + 1)``."""
        if self.own:
            return int(self.share * len(self.scores) + SLACK) + 1
        return max(int(self.share * (len(self.scores) + 1) + SLACK), 1)

    @property
    def threshold(self) -> float:
        """Rows of a higher score alert."""
        return float(self.scores[len(self.scores) - self.rank])

    @property
    def promised(self) -> float:
        """The chance that a new row alerts."""
        return self.rank / (len(self.scores) + 1)

    @property
    def short(self) -> bool:
        """Whether the rows held out are too few for the share that was asked for, so that more is promised."""
        return self.promised > self.share + SLACK

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of alerts among very many new rows lies, 95%, given the rows held out."""
        from scipy.stats import beta

        low, high = beta.ppf((0.025, 0.975), self.rank, len(self.scores) + 1 - self.rank)
        return float(low), float(high)

    def p_values(self, scores: Array) -> npt.NDArray[np.float64]:
        """The chance that a row like those held out has a score as high: ``(1 + #{held out as high}) / (n + 1)``."""
        as_high = len(self.scores) - np.searchsorted(self.scores, scores, side="left")
        return np.asarray((1 + as_high) / (len(self.scores) + 1))

    def to_json(self) -> Json:
        told = {"asked": self.share, "rows": len(self.scores), "threshold": self.threshold, "own": self.own}
        if self.own:
            return told
        low, high = self.interval
        return {**told, "promised": self.promised, "low": low, "high": high, "short": self.short}

    def state(self) -> State:
        return State(1, {"share": self.share, "own": self.own}, {"scores": self.scores})

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls(state.arrays["scores"], state.values["share"], state.values["own"])
