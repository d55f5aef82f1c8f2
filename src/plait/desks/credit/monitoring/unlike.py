"""Applications unlike those of then: how many of the new ones are odder than the share that was to be expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plait.contracts import Json
from plait.data.schema import ColumnSpec, Schema

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Side

__all__ = ["Unlike", "unlike"]

SHOWN = 5  # of the oddest rows


@dataclass(frozen=True)
class Unlike:
    """New rows that are odder than those of then usually are.

    Parameters
    ----------
    rows, odd
        New rows, and how many of them are above the threshold.
    expected
        The share that would be, were they like those of then.
    p_value
        The chance of so many, were they (one-sided; over all that the rows held out of then may be like).
    oddest
        Position, p-value and reasons of the oddest, the oddest first.
    """

    rows: int
    odd: int
    expected: float
    p_value: float
    oddest: tuple[tuple[int, float, str], ...]

    def to_json(self) -> Json:
        told = [{"row": row, "p_value": p, "because": why} for row, p, why in self.oddest]
        return {**{name: getattr(self, name) for name in ("rows", "odd", "expected", "p_value")}, "oddest": told}

    def __str__(self) -> str:
        head = (
            f"unlike the reference rows: {self.odd:,} of {self.rows:,} new rows ({self.odd / self.rows:.2%}; "
            f"{self.expected:.2%} expected, p {self.p_value:.3g})"
        )
        return "\n".join([head, *(f"  row {row}: {why}" for row, _, why in self.oddest)])


def unlike(
    schema: Schema,
    old: tuple[pd.DataFrame, Mapping[str, Side]],
    new: tuple[pd.DataFrame, Mapping[str, Side]],
    share: float,
    seed: int = 0,
) -> Unlike:
    """Look for new rows (frame and long tables) that are unlike the old ones, by all sources, without outcomes.

    Of ``n`` old rows held out and a threshold that ``k`` of them reach, the count among ``m`` new rows is beta-binomial
    where they are of one kind: Beta(``k``, ``n + 1 - k``) is the share of alerts (Vovk 2012).
    """
    from scipy.stats import betabinom

    from plait.estimators import Detector

    roles = {"label_time", "target", "weight"}
    columns = tuple(ColumnSpec(each.name, "ignored") if each.role in roles else each for each in schema.columns)
    detector = Detector(schema=replace(schema, columns=columns), budget=share, random_state=seed)
    detector.fit(old[0], sides=old[1])
    found = detector.explain(new[0], sides=new[1])
    alarm = detector.model_.alarm
    odd, count = sum(each.alert for each in found), len(alarm.scores)
    chance = float(betabinom.sf(odd - 1, len(found), alarm.rank, count + 1 - alarm.rank))
    oddest = sorted((each for each in found if each.alert), key=lambda each: -each.score)[:SHOWN]
    return Unlike(len(found), odd, alarm.promised, chance, tuple((e.row, e.p_value, e.text) for e in oddest))
