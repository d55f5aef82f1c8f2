"""How good a model of several targets is: each target judged on the rows that have its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Array, Composite, Json, Prediction
from plait.data.frame import groups_of
from plait.estimators.base import Sides
from plait.estimators.judged import Judged
from plait.estimators.tasks import known_rows
from plait.metrics.evaluation import Evaluation
from plait.metrics.shown import aligned, between, number
from plait.model import Model, single_threaded_blas

__all__ = ["Evaluations", "judged"]


@dataclass(frozen=True)
class Evaluations:
    """The evaluation of each target that rows had labels of; `silent` are the targets of which they had none."""

    targets: Mapping[str, Evaluation]
    silent: tuple[str, ...] = ()

    def __getitem__(self, target: str) -> Evaluation:
        """The evaluation of a target by name."""
        if target not in self.targets:
            why = "no row had its label" if target in self.silent else f"there are {', '.join(self.targets)}"
            raise KeyError(f"no evaluation of {target!r}: {why}")
        return self.targets[target]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The leading figure of each target as a table of strings, the header first."""
        beside = list(dict.fromkeys(name for each in self.targets.values() for name in each.baselines))
        body = []
        for name, each in self.targets.items():
            lead = each.figures[0]
            others = [number(lead.baselines[other].value) if other in lead.baselines else "" for other in beside]
            interval = between(lead.low, lead.high)
            body.append((name, f"{each.n:,}", lead.metric, number(lead.value), interval, *others))
        return (("target", "rows", "metric", "model", "95% interval", *beside), *body)

    def __str__(self) -> str:
        lines = [*aligned(self.rows())]
        for name, each in self.targets.items():
            lines += ["", f"{name}", str(each)]
        lines += [f"note: no row has a label of {name}: it is left out" for name in self.silent]
        return "\n".join(lines)

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return {
            "targets": {name: each.to_json() for name, each in self.targets.items()},
            "silent": list(self.silent),
        }


def judged(
    model: Model, frame: pd.DataFrame, labels: Array, weight: npt.NDArray[np.float64] | None, sides: Sides | None
) -> dict[str, Judged]:
    """Each target on the rows that have its label; all rows are predicted once.

    Parameters
    ----------
    labels
        object ``N x T``, targets in the order of the model's head; None where one is missing.
    """
    head = model.head
    assert isinstance(head, Composite)
    schema = model.schema
    batches = model.batches(frame, sides)
    with single_threaded_blas():
        whole = replace(model.fitted.predict(batches), faults=batches.faults)
    baselines = cache(lambda: model.baselines(batches))
    groups = groups_of(frame, schema.group if schema.group in frame.columns else None)
    times = tuple(name for name in (schema.time, schema.label_time) if name is not None and name in frame.columns)
    found = {}
    for i, target in enumerate(head.members):
        rows = known_rows(labels[:, i])
        if not len(rows):
            continue
        found[target] = Judged(
            prediction=_part(whole, target, rows),
            targets=_plain(labels[rows, i]),
            frame=frame.iloc[rows],
            weight=None if weight is None else weight[rows],
            groups=None if groups is None else groups[rows],
            present=batches.present[rows],
            sources=tuple(batches.sources),
            times=times,
            baselines=lambda target=target, rows=rows: {  # type: ignore[misc]
                name: _part(other, target, rows) for name, other in baselines().items()
            },
            seed=int(model.record["seed"]),
        )
    return found


def _part(whole: Prediction, target: str, rows: Array) -> Prediction:
    """What is said of one target in some rows."""
    part = whole.parts[target]
    return replace(part, values=part.values[rows], faults=whole.faults)


def _plain(labels: Array) -> Array:
    """Labels of one target as an array of their own kind, where they are of one plain kind."""
    plain = all(isinstance(label, bool | int | float | np.generic) for label in labels)
    return np.array(labels.tolist()) if plain else labels
