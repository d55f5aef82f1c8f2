"""Less discriminatory alternatives of a desk's model: searched on its own rows, with its own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Progress, Side
from plait.contracts.crossing import unheard
from plait.data.division import divide
from plait.data.frame import source_columns
from plait.data.schema import ColumnSpec, Schema
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.policy.cutoff import APPROVE, settle
from plait.desks.credit.policy.mitigate import (
    Mitigation,
    Sample,
    Scorer,
    Way,
    prices,
    reweighed,
    search,
    ways_of,
)
from plait.desks.credit.policy.observed import amounts_of, outcomes
from plait.errors import ConfigError, DataError
from plait.judgement.groups import groups_of
from plait.judgement.proxies import proxies_of

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel

__all__ = ["Search", "alternatives", "schema_of", "weights_of"]

VALIDATION = 0.35  # of the rows: the ratios of small groups are coarse


@dataclass(frozen=True)
class Search:
    """What is searched, and how: a model, whose schema and settings hold, and rows whose outcome is known.

    Parameters
    ----------
    sensitive
        Columns that name groups; none of them is read by any alternative.
    weight
        float64 ``N``.
    """

    model: CreditModel
    frame: pd.DataFrame
    sensitive: tuple[str, ...]
    weight: npt.NDArray[np.float64]
    sides: Mapping[str, Side]
    seed: int = 0
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        if not self.sensitive:
            raise ConfigError("no column is sensitive; name some, or give them that role in the schema (--sensitive)")
        for name in self.sensitive:
            if name not in self.frame.columns:
                raise DataError(f"the sensitive column {name!r} is not in the data")
            if name in self.model.used:
                raise ConfigError(
                    f"the model reads the sensitive column {name!r} itself; fit it with --sensitive {name}"
                )
        if np.isnan(outcomes(self.model, self.frame)).any():
            raise DataError("alternatives are fitted on rows whose outcome is known; leave the others out")

    def sample(self, rows: Array) -> Sample:
        """Some of the rows, by position."""
        frame = self.frame.iloc[rows]
        frame.attrs.update(self.frame.attrs)
        codes = {name: groups_of(self.frame[name], None)[0][rows] for name in self.sensitive}
        return Sample(frame, outcomes(self.model, frame), codes, self.weight[rows])

    def approve(self, rows: Sample, chance: Array) -> Array:
        """Who is approved outright by the policy, as the gate has it: bool ``N``."""
        from scipy.special import logit

        policy, points = self.model.config.policy, self.model.points
        zone = policy.zone(points, None if policy.amount is None else amounts_of(rows.frame, policy))
        done = settle(logit(chance), policy.cut_off(points), zone, capacity=policy.capacity, reviews=policy.reviews)
        return np.asarray(done.action == APPROVE)

    def fit(self, rows: Sample, without: Sequence[str], weight: Array, report: Callable[[Progress], None]) -> Scorer:
        """The desk's model of these rows, without some columns."""
        target = str(self.model.schema.target)
        fitted = fit_credit(
            rows.frame,
            rows.frame[target],
            schema=schema_of(self.model.schema, without),
            bad=self.model.bad,
            config=self.model.config,
            sides=self.sides,
            weight=weight,
            seed=self.seed,
            n_jobs=self.n_jobs,
            report=report,
        )
        return lambda frame: fitted.score(frame, self.sides).pd

    def proxies(self) -> tuple[str, ...]:
        """Columns that the model reads and from which a sensitive one can be told, the most telling first."""
        columns = source_columns(self.frame, self.model.schema, self.sides)
        told: dict[str, float] = {}
        for name in self.sensitive:
            codes = groups_of(self.frame[name], None)[0]
            for proxy in proxies_of(self.model.schema.sources, columns, codes, self.seed)[1:]:
                if proxy.told:
                    told[proxy.column] = max(proxy.auc.value, told.get(proxy.column, 0.0))
        return tuple(sorted(told, key=lambda name: -told[name]))


def alternatives(searched: Search, *, least: float = 0.8, report: Callable[[Progress], None] = unheard) -> Mitigation:
    """Try the model without its proxies and with row weights, and choose the best that passes (`search`).

    The later 35% of the rows (at random, where they have no time) validate.

    Raises
    ------
    DataError
        If fewer than two groups of a sensitive column have rows enough.
    """
    placed = searched.frame.reset_index(drop=True)
    found = divide(placed, searched.model.schema, classifies=True, test=VALIDATION, seed=searched.seed)
    assert found.test is not None
    train, valid = (searched.sample(np.asarray(part.index)) for part in (found.train, found.test))
    return search(
        lambda without, weight: searched.fit(train, without, weight, report),
        train,
        valid,
        ways_of(searched.proxies()),
        approve=searched.approve,
        least=least,
        seed=searched.seed,
        report=report,
    )


def schema_of(schema: Schema, without: Sequence[str]) -> Schema:
    """The schema with some of its evidence ignored."""
    return replace(
        schema,
        columns=tuple(ColumnSpec(spec.name, "ignored") if spec.name in without else spec for spec in schema.columns),
    )


def weights_of(searched: Search, way: Way, report: Callable[[Progress], None] = unheard) -> npt.NDArray[np.float64]:
    """Row weights of a way on all rows: float64 ``N``. The model as it is is fitted on them to see whom it approves."""
    rows = searched.sample(np.arange(len(searched.frame)))
    if not way.strength:
        return rows.weight
    scorer = searched.fit(rows, (), rows.weight, report)
    offsets = prices(rows, np.asarray(searched.approve(rows, scorer(rows.frame)), np.bool_))
    return np.asarray(rows.weight * reweighed(rows.bad, offsets, way.strength, rows.weight))
