"""Columns of a frame as the numbers of a small linear model: standardised, levels told apart, missing ones marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.data.frame import as_frame
from plait.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Design", "fractional_logit"]

Floats = npt.NDArray[np.float64]

RARE = 0.01  # share of the rows below which a level has no term of its own
DOUBT = 1.0  # rows that speak for no effect, for each term


@dataclass(frozen=True)
class Design:
    """Terms of a linear model, learned from training rows.

    Parameters
    ----------
    numbers
        Column to mean and standard deviation: a term each, 0 where missing.
    levels
        Column to the levels with a term of their own; the most common level and rare ones have none.
    gaps
        Columns in which cells were missing: a term each, 1 where they are.
    """

    numbers: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[str, ...]]
    gaps: tuple[str, ...]

    @classmethod
    def learn(cls, frame: pd.DataFrame, columns: Sequence[str]) -> Self:
        """From the training rows.

        Raises
        ------
        ConfigError
            If a column is not there.
        """
        numbers: dict[str, tuple[float, float]] = {}
        levels: dict[str, tuple[str, ...]] = {}
        gaps = []
        for name in columns:
            if name not in frame.columns:
                raise unknown("column", name, map(str, frame.columns))
            cells = frame[name]
            absent = cells.isna().to_numpy()
            if absent.mean() >= RARE:
                gaps.append(name)
            if cells.dtype.kind in "biuf":
                values = cells.to_numpy(np.float64)[~absent]
                spread = float(values.std()) if len(values) else 0.0
                if spread > 0:
                    numbers[name] = (float(values.mean()), spread)
            else:
                shares = (
                    cells.dropna()
                    .astype(str)
                    .value_counts(normalize=True)
                    .sort_index()
                    .sort_values(ascending=False, kind="stable")
                )
                levels[name] = tuple(str(level) for level, share in shares.iloc[1:].items() if share >= RARE)
        return cls(numbers, levels, tuple(gaps))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return tuple(dict.fromkeys([*self.numbers, *self.levels, *self.gaps]))

    @property
    def names(self) -> tuple[str, ...]:
        """The terms."""
        made = [*self.numbers, *(f"{name} = {level}" for name, each in self.levels.items() for level in each)]
        return (*made, *(f"{name} missing" for name in self.gaps))

    def __call__(self, frame: pd.DataFrame) -> Floats:
        """Terms of rows: float64 ``N x F``.

        Raises
        ------
        DataError
            If a column is not there, or one of numbers holds anything else.
        """
        import pandas as pd

        frame = as_frame(frame)
        if lost := [name for name in self.columns if name not in frame.columns]:
            raise DataError(f"the rows lack column(s) {', '.join(map(repr, lost[:5]))}, which the model reads")
        terms: list[Floats] = []
        for name, (mean, spread) in self.numbers.items():
            try:
                values = pd.to_numeric(frame[name]).to_numpy(np.float64)
            except (TypeError, ValueError):
                raise DataError(f"column {name!r} holds text; the model learned it as numbers") from None
            terms.append(np.nan_to_num((values - mean) / spread))
        for name, levels in self.levels.items():
            told = np.asarray(frame[name].astype(str), object)
            terms.extend(np.where(told == level, 1.0, 0.0) for level in levels)
        terms.extend(np.where(frame[name].isna(), 1.0, 0.0) for name in self.gaps)
        return np.column_stack(terms) if terms else np.zeros((len(frame), 0))

    def to_json(self) -> dict[str, Json]:
        return {
            "numbers": {name: list(pair) for name, pair in self.numbers.items()},
            "levels": {name: list(each) for name, each in self.levels.items()},
            "gaps": list(self.gaps),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        numbers = {name: (float(mean), float(spread)) for name, (mean, spread) in said["numbers"].items()}
        return cls(numbers, {name: tuple(each) for name, each in said["levels"].items()}, tuple(said["gaps"]))


def fractional_logit(terms: Array, shares: Array, weight: Array | None = None) -> Floats:
    """Constant and coefficients ``1 + F`` of shares in 0..1 (Papke & Wooldridge, J. Applied Econometrics 1996).

    For shares of 0 and 1 it is logistic regression. A row of doubt for each term keeps coefficients finite where a term
    tells all.
    """
    from plait.classical.score_curves import logistic

    rows, width = terms.shape
    doubt = np.hstack([np.zeros((width, 1)), np.eye(width)])
    every = np.vstack([np.hstack([np.ones((rows, 1)), terms]), doubt])
    weights = np.concatenate([np.ones(rows) if weight is None else weight, np.full(width, DOUBT)])
    return logistic(every, np.concatenate([shares, np.full(width, 0.5)]), weights, np.full(width + 1, -np.inf))
