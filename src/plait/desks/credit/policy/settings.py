"""What a lender has decided about approving: cut-offs, capacity, what errors cost, and when a person decides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import logit

from plait.contracts import Array, Json
from plait.errors import ConfigError, unknown
from plait.metrics.value import Costs

if TYPE_CHECKING:
    from plait.desks.credit.scorecard.points import Points

__all__ = ["HandoverSettings", "PolicySettings"]

NOTHING = 1e-9  # an amount under which nobody lends


@dataclass(frozen=True)
class HandoverSettings:
    """When a person decides, the grey zone aside: ``policy: {handover: ...}``.

    Parameters
    ----------
    capped
        The evidence would have moved the scorecard further than the blend lets it.
    faults
        A cell could not be read.
    outside
        A number or category lies outside what the model was fitted on.
    missing
        Columns that must not be missing.
    proxies
        Columns from which groups of people can be told: if the decision would be another one without them, a person
        makes it.
    disagreement
        Points by which scorecard and evidence may differ; None: any.
    uncertain
        The probability's interval of the evidence model (`plait.Classifier.conformalize`) holds both outcomes.
    amount_above
        Amounts above it are never decided automatically; None: no limit.
    """

    capped: bool = False
    faults: bool = True
    outside: bool = True
    missing: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    disagreement: float | None = None
    uncertain: bool = False
    amount_above: float | None = None

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """Read it; raises `ConfigError` for what is unknown or of the wrong kind."""
        kept: dict[str, Json] = dict(said)
        for name, value in said.items():
            if name not in (known := [each.name for each in fields(cls)]):
                raise unknown("key of policy: handover", name, known)
            if name in ("missing", "proxies"):
                kept[name] = _names(f"handover: {name}", value)
            elif name in ("disagreement", "amount_above"):
                kept[name] = None if value is None else _number(f"handover: {name}", value, 0, math.inf)
            elif not isinstance(value, bool):
                raise ConfigError(f"policy: handover: {name} is yes or no, not {value!r}")
        return cls(**kept)


@dataclass(frozen=True)
class PolicySettings:
    """The section ``policy`` of a credit.yaml.

    Parameters
    ----------
    approve_below, approve_from
        The cut-off: approve below a probability of default, or from so many points on. Without one, `margin` and `lgd`
        imply it.
    refer
        The grey zone, in the unit of the cut-off: a person decides between its two ends, below which (or, in points,
        above which) is approved and beyond which declined.
    capacity
        How many may be approved of the rows that are decided together: a share up to 1, a number above it.
    reviews
        How many of them people can look at, alike.
    margin
        What a good loan earns, as a share of its amount.
    lgd
        What a bad loan loses, as a share of its amount.
    cost_of_review, review_finds
        What a person's look costs, and the share of the bad ones that it finds.
    amount
        The column of the amount.
    handover
        When a person decides, the grey zone aside.

    Raises
    ------
    ConfigError
        If two cut-offs are given, ends of the zone are not in order, or a number is out of range.
    """

    approve_below: float | None = None
    approve_from: float | None = None
    refer: tuple[float, float] | None = None
    capacity: float | None = None
    reviews: float | None = None
    margin: float | None = None
    lgd: float | None = None
    cost_of_review: float | None = None
    review_finds: float | None = None
    amount: str | None = None
    handover: HandoverSettings = field(default_factory=HandoverSettings)

    def __post_init__(self) -> None:
        if self.approve_below is not None and self.approve_from is not None:
            raise ConfigError("policy: approve_below (a probability) and approve_from (points) both cut off; keep one")
        if (self.margin is None) != (self.lgd is None):
            raise ConfigError("policy: margin and lgd go together: what a good loan earns and what a bad one loses")
        if (self.cost_of_review is None) != (self.review_finds is None):
            raise ConfigError("policy: cost_of_review and review_finds go together: what a look costs, what it finds")
        if self.cost_of_review is not None and self.lgd is None:
            raise ConfigError("policy: cost_of_review is weighed against margin and lgd; give these, too")
        if self.refer is not None:
            low, high = self.refer
            if low > high:
                raise ConfigError(f"policy: refer: {low:g} to {high:g} is empty; give the lower end first")
            cut = self.approve_from if self.approve_from is not None else self.approve_below
            if cut is not None and not low <= cut <= high:
                raise ConfigError(f"policy: the cut-off {cut:g} lies outside the grey zone {low:g} to {high:g}")
            if self.approve_from is None and not 0 <= low <= high <= 1:
                raise ConfigError(f"policy: refer: {low:g} to {high:g} are no probabilities; approve_from cuts points")

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """Read the section; raises `ConfigError` for what is unknown or out of range."""
        kept: dict[str, Json] = {}
        for name, value in said.items():
            if name not in (known := [each.name for each in fields(cls)]):
                raise unknown("key of policy", name, known)
            if value is None:
                continue
            if name == "handover":
                if not isinstance(value, Mapping):
                    raise ConfigError("policy: handover takes keys with values; see docs/desks/credit/policy.md")
                kept[name] = HandoverSettings.of(value)
            elif name == "amount":
                kept[name] = str(value)
            elif name == "refer":
                if not isinstance(value, list | tuple) or len(value) != 2:
                    raise ConfigError(f"policy: refer takes two numbers, as in [0.1, 0.2], not {value!r}")
                low, high = (_number(name, each, -math.inf, math.inf) for each in value)
                kept[name] = (low, high)
            else:
                kept[name] = _number(name, value, *_RANGES[name])
                if name in ("capacity", "reviews") and kept[name] > 1 and kept[name] % 1:
                    raise ConfigError(f"policy: {name} is a share up to 1 or a whole number of rows, not {value!r}")
        return cls(**kept)

    def to_json(self) -> Json:
        """What `of` reads."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items() if v is not None}

    @property
    def costs(self) -> Costs | None:
        """Profit of a unit lent as costs of declining (a gain is a negative cost); None: it is not said."""
        if self.margin is None or self.lgd is None:
            return None
        return Costs(false_positive=0.0, false_negative=self.lgd, true_positive=0.0, true_negative=-self.margin)

    def cut_off(self, points: Points) -> float:
        """The log-odds of default below which is approved.

        Raises
        ------
        ConfigError
            If neither a cut-off nor costs are given.
        """
        if self.approve_from is not None:
            return points.log_odds(self.approve_from)
        if self.approve_below is not None:
            return float(logit(self.approve_below))
        if self.costs is None:
            raise ConfigError(
                "policy: where is the cut-off? Write approve_below (a probability of default), approve_from (points), "
                "or margin and lgd, which imply it, into the section policy of a credit.yaml, and name it by --policy"
            )
        return float(logit(float(self.costs.implied)))

    def zone(self, points: Points, amounts: Array | None = None) -> tuple[Array, Array]:
        """Log-odds of default between which a person decides: float64 scalars, or ``N`` where it depends on the amount.

        Without a zone that is given, it is where a review pays: with a probability of default ``p``, a person's look at
        a loan of 1 costs ``c`` and keeps a share ``q`` of the bad ones out, so it beats approving where
        ``p q lgd > c``, and declining where ``(1 - p) margin - p (1 - q) lgd > c``. Without costs of a review it is
        empty.

        Parameters
        ----------
        amounts
            float64 ``N``, 0 or more; None: 1 each. No look at a loan of 0 pays.
        """
        cut = np.asarray(self.cut_off(points))
        if self.refer is not None:
            low, high = self.refer
            if self.approve_from is not None:
                return np.asarray(points.log_odds(high)), np.asarray(points.log_odds(low))
            return logit(np.asarray(low)), logit(np.asarray(high))
        if self.cost_of_review is None or not self.review_finds or self.margin is None or self.lgd is None:
            return cut, cut
        cost = self.cost_of_review / (np.ones(()) if amounts is None else np.maximum(amounts, NOTHING))
        ends = (
            cost / (self.review_finds * self.lgd),
            (self.margin - cost) / (self.margin + (1 - self.review_finds) * self.lgd),
        )
        first, last = (logit(np.clip(end, 0, 1)) for end in ends)
        pays = first < last
        return np.where(pays, np.minimum(first, cut), cut), np.where(pays, np.maximum(last, cut), cut)


_RANGES: Mapping[str, tuple[float, float]] = {
    "approve_below": (0, 1),
    "approve_from": (-math.inf, math.inf),
    "capacity": (0, math.inf),
    "reviews": (0, math.inf),
    "margin": (0, 10),
    "lgd": (0, 10),
    "cost_of_review": (0, math.inf),
    "review_finds": (0, 1),
}


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or math.isinf(value):
        told = f" of {low:g} to {high:g}" if high < math.inf else " of 0 or more" if low == 0 else ""
        raise ConfigError(f"policy: {name} is a number{told}, not {value!r}")
    return float(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
        raise ConfigError(f"policy: {name} takes columns, as in [letter, income], not {value!r}")
    return tuple(listed)
