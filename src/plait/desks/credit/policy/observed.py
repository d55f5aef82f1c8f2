"""Applications as a model scores them, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Rows, Side
from plait.data.asof import sides
from plait.desks.credit.policy.cutoff import Money
from plait.desks.credit.policy.settings import PolicySettings
from plait.errors import DataError, unknown
from plait.metrics.weights import as_weight

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.config import Config
    from plait.desks.credit.model import CreditModel, Scores

__all__ = ["Observed", "amounts_of", "outcomes", "policy_of", "row_weights"]


@dataclass(frozen=True)
class Observed:
    """``N`` applications: as they came, as they were scored, and what is known of them.

    Parameters
    ----------
    bad
        float64 ``N``: 1 defaulted, 0 did not, NaN: not known.
    amounts
        float64 ``N``: 1 each where the policy names no column.
    sides
        Long tables by name.
    """

    frame: pd.DataFrame
    scores: Scores
    bad: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    amounts: npt.NDArray[np.float64]
    sides: Mapping[str, Side]

    @classmethod
    def of(cls, model: CreditModel, rows: Rows, policy: PolicySettings, *, known: bool = True) -> Self:
        """Score rows and look at their outcomes; rows without one are left out where it must be `known`.

        Raises
        ------
        DataError
            If no outcome is known, one is of neither kind, or an amount or weight is no number of 0 or more.
        """
        frame, tables = rows.frame, sides(model.schema, rows.sides)
        bad = outcomes(model, frame)
        if known and np.isnan(bad).any():
            attrs = frame.attrs
            frame, bad = frame[~np.isnan(bad)], bad[~np.isnan(bad)]
            frame.attrs.update(attrs)
        if not len(frame):
            raise DataError(f"no row has an outcome in {model.schema.target!r}; give rows whose outcome is known")
        weight, amounts = row_weights(model, frame), amounts_of(frame, policy)
        return cls(frame, model.score(frame, tables), bad, weight, amounts, tables)

    def take(self, rows: Array) -> Observed:
        """Some of the rows, by position."""
        kept: dict[str, Any] = {name: value[rows] for name, value in vars(self.scores).items() if name != "faults"}
        return replace(
            self,
            frame=self.frame.iloc[rows],
            scores=replace(self.scores, faults=(), **kept),
            bad=self.bad[rows],
            weight=self.weight[rows],
            amounts=self.amounts[rows],
        )

    def money(self, policy: PolicySettings) -> Money | None:
        """What these loans earn and lose, as far as the policy says it."""
        if policy.margin is None or policy.lgd is None:
            return None
        return Money(policy.margin, policy.lgd, policy.cost_of_review, policy.review_finds, self.amounts)


def outcomes(model: CreditModel, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """1 where a row's outcome is the model's bad one, 0 where it is the other, NaN where it is missing.

    Raises
    ------
    DataError
        If the column is not there, or a cell holds something else.
    """
    target = str(model.schema.target)
    if target not in frame.columns:
        raise DataError(f"the outcome is not in the data: {unknown('column', target, frame.columns)}")
    cells = frame[target]
    known = cells.notna().to_numpy()
    classes = model.evidence.classes_.tolist()
    if strangers := set(cells[known].tolist()) - set(classes):
        raise DataError(
            f"the outcome {target!r} holds {min(map(str, strangers))!r}; it is {classes[0]!r} or {classes[1]!r}"
        )
    return np.where(known, (cells == model.bad).to_numpy(np.float64), np.nan)


def amounts_of(frame: pd.DataFrame, policy: PolicySettings) -> npt.NDArray[np.float64]:
    """Amounts of the rows: float64 ``N``, 1 each where the policy names no column.

    Raises
    ------
    ConfigError
        If there is no such column.
    DataError
        If an amount is missing, negative or infinite.
    """
    return np.ones(len(frame)) if policy.amount is None else _numbers(frame, policy.amount, "amount")


def row_weights(model: CreditModel, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Weights of the rows: float64 ``N``; 1 each where the column is not there, as it need not be beside new rows.

    Raises
    ------
    DataError
        If one is missing, negative or infinite.
    """
    named = model.schema.weight
    new = named is None or named not in frame.columns
    return as_weight(None if new else _numbers(frame, str(named), "weight"), len(frame))


def policy_of(model: CreditModel, config: Config | None) -> PolicySettings:
    """The policy of a credit.yaml, or the model's own."""
    return (model.config if config is None else config).policy


def _numbers(frame: pd.DataFrame, name: str, what: str) -> npt.NDArray[np.float64]:
    if name not in frame.columns:
        raise unknown(f"{what} column", name, frame.columns)
    values = frame[name].to_numpy(np.float64)
    if wrong := int((~(values >= 0) | np.isinf(values)).sum()):
        raise DataError(f"the {what} {name!r} is missing or below 0 in {wrong:,} rows; mend them")
    return values
