"""Rows as monitoring looks at them: what a fitted desk says of them, and the bins of its scorecard they fall into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from plait.contracts import Array, Side
from plait.data.frame import column, seconds
from plait.desks.credit.monitoring.days import days_of
from plait.desks.credit.monitoring.stability import Binned, Population, Reference
from plait.desks.credit.scorecard.cells import read
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel

__all__ = ["kept", "population"]


def population(
    model: CreditModel,
    frame: pd.DataFrame,
    *,
    target: str | None = None,
    time: str | None = None,
    sides: Mapping[str, Side] | None = None,
) -> Population:
    """What a fitted desk says of rows.

    Parameters
    ----------
    target
        Column of outcomes, labels as the model was fitted on; missing cells are outcomes that are not known yet.
    time
        Column of the moment of each row.

    Raises
    ------
    ConfigError
        If a column is unknown.
    DataError
        If there are no rows, or a moment is missing.
    """
    if target is not None and target not in frame.columns:
        raise unknown("column", target, map(str, frame.columns))
    day = None if time is None else days_of(frame, time)
    if day is not None and np.isnat(day).any():
        raise DataError(f"{int(np.isnat(day).sum()):,} rows have no {time!r}; leave them out")
    if not len(frame):
        raise DataError("there are no rows to monitor")
    scores = model.score(frame, sides)
    card = model.scorecard
    moments = None if card.time is None else seconds(frame[card.time], card.time)
    variables = []
    for each in card.variables:
        code = each.bins.find(read(frame, each.name, each.bins.kind, moments))
        variables.append(Binned(each.name, each.bins.labels, card.bin_points(each), code))
    bad = None if target is None else _bad(frame, target, model)
    return Population(scores.points, scores.pd, scores.grade, model.scale.names, tuple(variables), bad, day)


def kept(model: CreditModel) -> Reference:
    """The population that a model itself remembers: scores and grades of the rows on which its blend was fitted, and
    the bins of its scorecard's training rows.

    Raises
    ------
    ConfigError
        If it was fitted before models remembered it.
    """
    if "population" not in model.record:
        raise ConfigError("this model keeps no population of its own; name reference rows, which it was not fitted on")
    variables = {each.name: each.bins.count for each in model.scorecard.variables}
    return Reference.from_json(model.record["population"], variables)


def _bad(frame: pd.DataFrame, target: str, model: CreditModel) -> Array:
    """1 default, 0 good, NaN not known: float64 ``N``."""
    cells = column(frame[target])
    labels = model.evidence.classes_.tolist()
    known = cells.values[cells.present].tolist()
    for label in known:
        if label not in labels:
            raise unknown(f"outcome in {target!r}:", label, map(str, labels))
    bad = np.full(len(frame), np.nan)
    bad[cells.present] = [label == model.bad for label in known]
    return bad
