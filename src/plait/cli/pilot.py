"""``plait fit --dry-run``: the plan, and how long it would take, told from a fit on a few rows."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING

from plait.cli.screen import Screen, clock
from plait.cli.stream import sampled

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json, Progress, Side
    from plait.data.stream import Stream
    from plait.estimators import Classifier, MultiTask, Regressor
    from plait.pretraining import Base

__all__ = ["pilot"]

ROWS = 1000


class _Stages:
    """Seconds a stage, from what a fit reports of its progress."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage: str | None = None
        self._since = perf_counter()

    def __call__(self, progress: Progress) -> None:
        self.enter(progress.stage)

    def enter(self, stage: str | None) -> None:
        now = perf_counter()
        if self._stage is not None:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now


def pilot(
    screen: Screen,
    estimator: Classifier | Regressor | MultiTask,
    train: pd.DataFrame | Stream,
    target: str | list[str],
    sides: Mapping[str, Side],
    base: Base | None = None,
) -> None:
    """Fit the plan for all rows on at most 1,000 of them, spread evenly, and multiply; nothing is written."""
    import numpy as np

    plan = _plan(estimator, len(train))
    some = sampled(train.take(np.unique(np.linspace(0, len(train) - 1, min(ROWS, len(train))).astype(int))))
    for _ in range(2):  # the first loads libraries, the second tells the time
        stages = _Stages()
        estimator.set_params(plan=plan)
        estimator.fit(some.drop(columns=target), some[target], sides=sides, progress=stages, base=base)
        stages.enter(None)
    more = len(train) / len(some)
    told = {stage: round(seconds * more, 2) for stage, seconds in stages.seconds.items()}
    total = sum(told.values())
    screen.heading(f"the plan: {plan['fusion']} fusion, about {clock(total)} (from a pilot on {len(some):,} rows)")
    screen.table([("stage", "seconds"), *told.items()])
    sources = {source.name: list(source.columns) for source in estimator.schema_.sources}
    screen.result({"dry_run": True, "sources": sources, "plan": plan, "seconds": told, "estimated_seconds": total})


def _plan(estimator: Classifier | Regressor | MultiTask, rows: int) -> dict[str, Json]:
    """What a fit on so many rows would do, in the form that the argument `plan` takes."""
    from dataclasses import asdict

    from plait import registry
    from plait.data.schema import Schema
    from plait.stacking import make_fusion

    if estimator.plan is not None:
        return dict(estimator.plan)
    options = estimator.options or {}
    plan: dict[str, Json] = {"fusion": estimator.fusion, "learner": estimator.learner, "options": options}
    fusion = make_fusion(estimator.fusion, estimator.learner, options)
    if isinstance(estimator.schema, Schema) and hasattr(fusion, "parts"):
        rooms = [registry.room(source)(source) for source in estimator.schema.sources]
        plan["parts"] = [asdict(part) for part in fusion.parts(rows, rooms)]
    return plan
