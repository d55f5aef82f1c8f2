"""Which of several targets helps which: by learning them with and without each other, or by looking ahead once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone

from plait import registry
from plait.contracts import FitContext, Json
from plait.data.frame import groups_of, times_of
from plait.data.splits import holdout
from plait.errors import ConfigError, unknown
from plait.estimators.tasks import labels_of
from plait.evidence import View
from plait.metrics.shown import aligned, number, plain
from plait.model import single_threaded_blas

if TYPE_CHECKING:
    from plait.estimators.base import Sides
    from plait.estimators.multitask import MultiTask

__all__ = ["Affinity", "Method", "affinity"]

Method: TypeAlias = Literal["exact", "lookahead"]
Floats: TypeAlias = npt.NDArray[np.float64]

BALANCE = "lookahead"


@dataclass(frozen=True)
class Affinity:
    """What learning one target does for another.

    Parameters
    ----------
    targets
        ``T`` names.
    helps, low, high
        float64 ``T x T``: what learning the row's target does for the column's, above 0 where it helps, and its 95%
        interval. ``"exact"``: by how much the error on rows held out is larger without the row's target, in units of
        what the prior loses; NaN on the diagonal. ``"lookahead"``: the share of the column's loss that a step for the
        row's target takes away; without intervals (NaN).
    method
        ``"exact"`` or ``"lookahead"``.
    fits, seconds
        What it cost.
    """

    targets: tuple[str, ...]
    helps: Floats
    low: Floats
    high: Floats
    method: Method
    fits: int
    seconds: float

    def __getitem__(self, pair: tuple[str, str]) -> float:
        """What learning the first target does for the second."""
        first, second = (self.targets.index(name) for name in pair)
        return float(self.helps[first, second])

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings: learned along (rows), helped (columns); ``*`` where the interval leaves out 0."""
        body = []
        for j, name in enumerate(self.targets):
            sure = (self.low[j] > 0) | (self.high[j] < 0)
            told = (number(value) + (" *" if mark else "") for value, mark in zip(self.helps[j], sure, strict=True))
            body.append((name, *told))
        return (("learning", *(f"for {name}" for name in self.targets)), *body)

    def __str__(self) -> str:
        lines = aligned(self.rows())
        if self.method == "exact":
            lines.append("above 0: it helps; * the 95% interval over rows held out leaves out 0")
        else:
            lines.append("above 0: it helps; the share of a loss that a step for the row's target takes away")
        return "\n".join([*lines, f"{self.fits} fits, {self.seconds:.0f} s"])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


def affinity(
    estimator: MultiTask,
    evidence: pd.DataFrame,
    labels: pd.DataFrame,
    weight: Floats,
    sides: Sides | None,
    method: Method,
    repeats: int,
    each: float | None = None,
) -> Affinity:
    """See `plait.MultiTask.task_affinity`; where it is told what one fit takes (`each`, seconds), it tells the cost."""
    names = tuple(map(str, labels.columns))
    if method not in ("exact", BALANCE):
        raise unknown("method", method, ("exact", BALANCE))
    if len(names) < 2:
        raise ConfigError("there is one target; which helps which is about several")
    if not getattr(registry.get("fusions", estimator.fusion), "any_head", False):
        raise ConfigError(f"fusion {estimator.fusion!r} learns each target alone, so that none helps another")
    if not (isinstance(repeats, int) and repeats > 0):
        raise ConfigError(f"repeats={repeats!r} is out of range (allowed: 1, 2, ...)")
    fits = repeats * (len(names) + 1 if method == "exact" else 1)
    if each is not None:
        nothing = np.full((len(names), len(names)), np.nan)
        # Three quarters of the rows are fitted on; or a look at half a mini-batch a target comes every tenth step.
        share = 0.75 if method == "exact" else 1 + len(names) / 20
        return Affinity(names, nothing, nothing, nothing, method, fits, fits * share * each)
    began = perf_counter()
    seeds = [int(estimator._settings().seed) + i for i in range(repeats)]
    if method == "exact":
        found = _exact(estimator, evidence, labels, weight, sides, seeds)
    else:
        found = _ahead(estimator, evidence, labels, weight, sides, seeds)
    return Affinity(names, *found, method, fits, perf_counter() - began)


def _exact(
    estimator: MultiTask,
    evidence: pd.DataFrame,
    labels: pd.DataFrame,
    weight: Floats,
    sides: Sides | None,
    seeds: Sequence[int],
) -> tuple[Floats, Floats, Floats]:
    """Errors on rows held out with and without each target, row by row, means over the seeds."""
    fit, judge = holdout(_context(estimator, evidence, seeds[0]), 0.25)
    names = list(labels.columns)
    known = labels.iloc[judge].notna().to_numpy()
    gains = np.zeros((len(names), len(judge), len(names)))
    for seed in seeds:

        def lost(left: list[Any], seed: int = seed) -> dict[Any, Floats]:
            own = cast("MultiTask", clone(estimator)).set_params(**_about(estimator, left), random_state=seed)
            own.fit(evidence.iloc[fit], labels.iloc[fit][left], weight[fit], sides=sides)
            return _errors(own, evidence.iloc[judge], labels.iloc[judge][left], weight[judge], sides)

        whole = lost(names)
        for j, without in enumerate(names):
            alone = lost([name for name in names if name != without])
            for name, error in alone.items():
                gains[j, :, names.index(name)] += (error - whole[name]) / len(seeds)
    rows = known.sum(axis=0)
    mean = np.divide(gains.sum(axis=1), rows, out=np.full(gains.shape[::2], np.nan), where=rows > 0)
    apart = np.where(known, gains - mean[:, None], 0.0)
    spread = 1.96 * np.sqrt(np.divide((apart**2).sum(axis=1), rows**2, out=np.full(mean.shape, np.nan), where=rows > 1))
    for values in (mean, spread):
        np.fill_diagonal(values, np.nan)
    return mean, mean - spread, mean + spread


def _errors(
    estimator: MultiTask, evidence: pd.DataFrame, labels: pd.DataFrame, weight: Floats, sides: Sides | None
) -> dict[Any, Floats]:
    """Each target's error of each row in units of what its prior loses; 0 where it has no label."""
    model = estimator.model_
    head = cast("Any", model.head)
    with single_threaded_blas():
        scores = model.fitted.score(View(model.batches(evidence, sides), model.rooms))
    errors = head.errors(scores, head.encode(labels_of(labels)), weight / weight.mean()) * head.shares
    return dict(zip(labels.columns, errors.T, strict=True))


def _ahead(
    estimator: MultiTask,
    evidence: pd.DataFrame,
    labels: pd.DataFrame,
    weight: Floats,
    sides: Sides | None,
    seeds: Sequence[int],
) -> tuple[Floats, Floats, Floats]:
    """What steps for each target do to the losses of all, means over the seeds."""
    names = list(labels.columns)
    options: dict[str, Mapping[str, Json]] = dict(estimator.options or {})
    options[estimator.fusion] = {**options.get(estimator.fusion, {}), "balance": BALANCE}
    found = np.zeros((len(names), len(names)))
    for seed in seeds:
        own = cast("MultiTask", clone(estimator)).set_params(options=options, random_state=seed)
        own.fit(evidence, labels, weight, sides=sides)
        told = cast("Any", own.model_.fitted).history["told"]
        found += [[told.get(f"affinity.{j}.{i}", np.nan) / len(seeds) for i in names] for j in names]
    unknown_ends = np.full(found.shape, np.nan)
    return found, unknown_ends, unknown_ends


def _context(estimator: MultiTask, frame: pd.DataFrame, seed: int) -> FitContext:
    """What a split of the rows goes by."""
    return FitContext.unlabelled(
        len(frame),
        time=times_of(frame, estimator.time, required=True),
        label_time=times_of(frame, estimator.label_time, required=False),
        groups=groups_of(frame, estimator.group),
        seed=seed,
    )


def _about(estimator: MultiTask, names: Sequence[str]) -> dict[str, Any]:
    """What the estimator is told of its targets, for some of them."""
    asked, weights = estimator.targets, estimator.weights
    told: dict[str, Any] = {"targets": list(names), "weights": weights}
    if isinstance(asked, Mapping):
        told["targets"] = {name: asked[name] for name in names}
    if isinstance(weights, Mapping):
        told["weights"] = {name: weight for name, weight in weights.items() if name in names}
    return told
