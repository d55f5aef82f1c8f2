"""Exposure at default: what is drawn, and how much of the rest will be by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.desks.credit.losses.book import numbers
from plait.desks.credit.monitoring.days import days_of
from plait.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OFF_BALANCE", "Approach", "Ccf", "estimate_ccf", "exposure", "off_balance"]

Floats = npt.NDArray[np.float64]
Approach: TypeAlias = Literal["fixed", "cohort"]

LEAST_UNDRAWN = 0.05  # share of the limit; below it a factor is a division by next to nothing
DOUBT = 20.0  # rows of the overall factor that each segment is joined by

OFF_BALANCE: Mapping[
    str, float
] = {  # conversion factors of the standardised approach (Basel Committee, CRE20.94-20.101)
    "guarantee": 1.0,
    "acceptance": 1.0,
    "standby_letter_of_credit": 1.0,
    "forward_purchase": 1.0,
    "note_issuance_facility": 0.5,
    "performance_bond": 0.5,
    "bid_bond": 0.5,
    "commitment": 0.4,
    "trade_letter_of_credit": 0.2,
    "cancellable_commitment": 0.1,
}


def exposure(drawn: Array, limit: Array, ccf: Array | float) -> Floats:
    """Exposure at default: ``drawn + CCF x max(limit - drawn, 0)``, never below what is drawn; float64 ``N``.

    Parameters
    ----------
    drawn, limit
        Amounts today, ``N``.
    ccf
        Credit conversion factors, held in [0, 1].
    """
    drawn, limit = np.asarray(drawn, np.float64), np.asarray(limit, np.float64)
    return np.asarray(drawn + np.clip(ccf, 0.0, 1.0) * np.maximum(limit - drawn, 0.0))


def off_balance(amount: Array, product: Array) -> Floats:
    """Exposure of products that are no loan yet: amount x the conversion factor of Basel; float64 ``N``.

    Raises
    ------
    ConfigError
        If a product is none of `OFF_BALANCE`.
    """
    names = np.asarray(product).astype(str)
    for name in sorted(set(names.tolist())):
        if name not in OFF_BALANCE:
            raise unknown("off-balance product", name, OFF_BALANCE)
    return np.asarray(np.asarray(amount, np.float64) * [OFF_BALANCE[name] for name in names.tolist()])


@dataclass(frozen=True)
class Ccf:
    """Credit conversion factors by segment.

    Parameters
    ----------
    column
        Segments are its values; None: one factor for all.
    factors, overall
        Segment to factor, and that of a segment that was not seen.
    rows
        Defaults that the factors rest on.
    outside
        How many observed factors lay below 0 or above 1 and were held at the bound.
    undefined
        How many defaults had next to nothing undrawn: they tell no factor.
    """

    column: str | None
    factors: Mapping[str, float]
    overall: float
    rows: int
    outside: int
    undefined: int

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Factor of rows: float64 ``N`` in [0, 1]."""
        if self.column is None:
            return np.full(len(frame), self.overall)
        if self.column not in frame.columns:
            raise unknown("column", self.column, map(str, frame.columns))
        return np.asarray([self.factors.get(str(cell), self.overall) for cell in frame[self.column]], np.float64)

    def to_json(self) -> dict[str, Json]:
        return {
            "column": self.column,
            "factors": dict(self.factors),
            "overall": self.overall,
            "rows": self.rows,
            "outside": self.outside,
            "undefined": self.undefined,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(**said)


def estimate_ccf(
    history: pd.DataFrame,
    defaults: pd.DataFrame,
    *,
    key: str,
    month: str,
    drawn: str,
    limit: str,
    segment: str | None = None,
    approach: Approach = "fixed",
    horizon: int = 12,
) -> Ccf:
    """Learn factors from accounts that defaulted: ``(drawn at default - drawn before) / (limit - drawn before)``.

    Parameters
    ----------
    history
        The long table: a row an account and month, with `key`, `month` (a date), `drawn`, `limit`.
    defaults
        A row each default: `key`, `month` of default, `drawn` then, and `segment`.
    approach
        ``"fixed"``: looks at each account `horizon` months before its default. ``"cohort"``: at the last yearly
        reporting date (end of December) before it, so that months to default vary as they do in a year's PD
        (EBA/GL/2017/16, 6.3; Moral, in Engelmann & Rauhmeier 2011).
    horizon
        Months, for the fixed approach.

    Raises
    ------
    ConfigError
        If there is no such column or approach.
    DataError
        If no default has a record at its reference date with something undrawn, or a date is none.
    """
    import pandas as pd

    if approach not in get_args(Approach):
        raise unknown("approach", approach, get_args(Approach))
    for frame, names in ((history, (key, month, drawn, limit)), (defaults, (key, month, drawn, segment or key))):
        for name in names:
            if name not in frame.columns:
                raise unknown("column", name, map(str, frame.columns))
    at = days_of(defaults, month).astype("datetime64[M]")
    year_end = at.astype("datetime64[Y]").astype("datetime64[M]") - 1
    reference = at - horizon if approach == "fixed" else year_end
    known = days_of(history, month).astype("datetime64[M]")
    before = history.assign(**{month: known})[[key, month, drawn, limit]]
    before = before.drop_duplicates([key, month], keep="last").set_index([key, month])
    then = before.reindex(pd.MultiIndex.from_arrays([defaults[key], pd.DatetimeIndex(reference)]))
    was, allowed = then[drawn].to_numpy(np.float64), then[limit].to_numpy(np.float64)
    now = numbers(defaults, drawn, "drawn")
    seen = ~np.isnan(was) & ~np.isnan(allowed)
    open_ = seen & (allowed - was > LEAST_UNDRAWN * allowed)
    if not open_.any():
        raise DataError(f"none of {len(defaults):,} defaults has a record at its reference date with something undrawn")
    raw = (now - was)[open_] / (allowed - was)[open_]
    held = np.clip(raw, 0.0, 1.0)
    overall, factors = float(held.mean()), {}
    if segment is not None:
        labels = defaults[segment].astype(str).to_numpy()[open_]
        for name in sorted(set(labels.tolist())):
            own = held[labels == name]
            factors[name] = float((own.sum() + DOUBT * overall) / (len(own) + DOUBT))
    outside = int(((raw < 0) | (raw > 1)).sum())
    return Ccf(segment, factors, overall, len(held), outside, int(seen.sum() - open_.sum()))
