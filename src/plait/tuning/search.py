"""Look for options, fit the best on all rows, and keep the fit that was not tuned beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path
from time import monotonic
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import pandas as pd
from sklearn.base import clone

from plait.classical.options import count
from plait.contracts import Json, Progress, Side, Space, unheard
from plait.data.frame import as_frame
from plait.data.read import digest
from plait.data.schema import Schema
from plait.errors import ConfigError, PlaitError
from plait.estimators.classifier import Classifier
from plait.estimators.multitask import MultiTask
from plait.estimators.regressor import Regressor
from plait.model import duration
from plait.tuning.space import check_space, space_of
from plait.tuning.splits import Splits
from plait.tuning.study import Study, Trial, by_part

__all__ = ["Estimating", "Spread", "Tuned", "tune"]

Estimating: TypeAlias = Classifier | Regressor | MultiTask
E = TypeVar("E", bound=Estimating)
Options = Mapping[str, Mapping[str, Json]]


class Spread(Protocol):
    """Where trials run beside each other."""

    workers: int

    def __call__(self, call: Callable[[Any, Any], Any], shared: Any, each: Sequence[Any]) -> list[Any]:
        """``[call(shared, one) for one in each]``."""


@dataclass(frozen=True)
class Tuned(Generic[E]):
    """What a search came to.

    Parameters
    ----------
    estimator
        Fitted on all rows with the best options; `default` itself where no trial was better.
    default
        Fitted on all rows without tuning.
    options
        What the best trial sets, by part; empty where no trial was better.
    loss, default_loss
        Mean losses on the rows that trials are judged by. The best of many is too good to be true: judge `estimator`
        on rows of its own.
    trials
        In their order.
    importance
        How much of the spread of the losses each option explains, largest first.
    space
        What was searched.
    judged_rows
        Rows that a trial is judged by.
    stopped
        ``"trials"`` or ``"budget"``: what ended the search.
    """

    estimator: E
    default: E
    options: Options
    loss: float
    default_loss: float
    trials: tuple[Trial, ...]
    importance: Mapping[str, float]
    space: Space
    judged_rows: int
    stopped: Literal["trials", "budget"]

    def to_json(self) -> dict[str, Json]:
        """All but the estimators, as what `json.dumps` accepts."""
        return {
            "options": {part: dict(own) for part, own in self.options.items()},
            "loss": self.loss,
            "default_loss": self.default_loss,
            "judged_rows": self.judged_rows,
            "stopped": self.stopped,
            "importance": dict(self.importance),
            "space": {name: asdict(where) for name, where in self.space.items()},
            "trials": [asdict(trial) for trial in self.trials],
        }


def tune(
    estimator: E,
    X: object,
    y: object = None,
    sample_weight: object = None,
    *,
    space: Space | None = None,
    trials: int = 30,
    budget: float | str | None = None,
    sides: Mapping[str, Side] | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    spread: Spread | None = None,
    report: Callable[[Progress], None] = unheard,
) -> Tuned[E]:
    """Try options on inner rows held out, and fit the best on all rows.

    Trials are judged past to future where rows have a time, else on folds or a holdout
    (`plait.data.splits.inner_pairs`); the options that the estimator has count as its default. The same seed, rows and
    number of workers try the same, also where a search goes on after a stop.

    Parameters
    ----------
    estimator
        Not changed. Its fusion and learner stay; their options are looked for.
    X, y, sample_weight, sides
        As for `fit`. Rows to be judged by later are not among them. Of several targets, what is lowered is the sum of
        their losses by which a training of them is stopped (`plait.heads.several.Several.error`).
    space
        By ``"part.option"``; None: what the parts declare (`plait.tuning.space_of`).
    trials
        At most so many, those of earlier runs in the `folder` among them.
    budget
        Seconds, or ``"10min"``, after which none begins. It makes the result depend on the clock.
    folder
        Where trials are kept as they end (``trials.jsonl``), so that a search can go on with `resume`.
    spread
        Where trials run beside each other (`plait.cluster.Tasks`); None: one after the other, here.
    report
        Called with `Progress`; of every trial with its number (`done`), its loss and the best so far (`metrics`), and
        what it tried (`settings`). The default is number 0.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    InputError
        If data, options or space cannot be used, or the folder keeps another search.
    PlaitError
        If every trial failed.
    """
    if not count(trials):
        raise ConfigError(f"trials={trials!r} is out of range (allowed: 1, 2, ...)")
    until = None if budget is None else monotonic() + duration(budget, "budget")
    searched = space_of(estimator.fusion, estimator.learner) if space is None else dict(space)
    check_space(searched)
    own: dict[str, Mapping[str, Json]] = dict(estimator.options or {})
    told = _told(estimator, X, y, sample_weight)
    study = Study(searched, _seed(estimator), told, None if folder is None else Path(folder), resume)
    report(Progress("the default", 0, trials))
    default = clone(estimator).fit(X, y, sample_weight, sides=sides)
    splits = Splits(default.model_.training_rows(), estimator.fusion, estimator.learner)
    base = splits.loss(own)
    stopped: Literal["trials", "budget"] = "trials"
    best, heard = base, 0
    report(Progress("trials", 0, trials, metrics={"loss": base, "best": base}))
    for done in _search(study, splits, own, trials, spread):
        best, heard = _told_of(done[heard:], best, trials, report), len(done)
        if until is not None and monotonic() > until and len(done) < trials:
            stopped = "budget"
            break
    ended = study.trials()
    finished = [trial for trial in ended if trial.ended == "finished" and trial.loss is not None]
    if not finished:
        raise PlaitError(f"all {len(ended)} trials failed, the first because: {ended[0].why}")
    best_trial = min(finished, key=lambda trial: trial.loss or 0.0)
    loss = float(best_trial.loss or 0.0)
    options, tuned = {}, default
    if loss < base:
        options = by_part(best_trial.values)
        report(Progress("the best, on all rows", len(ended), trials, loss))
        tuned = clone(estimator).set_params(options=_merged(own, options)).fit(X, y, sample_weight, sides=sides)
    found = study.importance()
    return Tuned(tuned, default, options, min(loss, base), base, ended, found, searched, splits.rows, stopped)


def _search(
    study: Study, splits: Splits, own: Options, most: int, spread: Spread | None
) -> Iterator[tuple[Trial, ...]]:
    """Run trials; all that have ended, after each round."""
    while len(study.trials()) < most:
        width = 1 if spread is None else spread.workers
        asked = study.ask(min(width, most - len(study.trials())))
        options = [_merged(own, study.options(trial)) for trial in asked]
        if spread is None:
            _one(study, splits, asked[0], options[0])
        else:
            for trial, (loss, why) in zip(asked, spread(_judged, splits, options), strict=True):
                study.end(trial, loss, "failed" if why else "finished", why)
        yield study.trials()


def _told_of(ended: Sequence[Trial], best: float, trials: int, report: Callable[[Progress], None]) -> float:
    """Report trials that have ended; the best loss so far, with theirs."""
    for trial in ended:
        loss = nan if trial.loss is None else trial.loss
        best = min(best, loss) if trial.ended == "finished" else best
        metrics = {"loss": loss, "best": best}
        report(Progress("trials", trial.number + 1, trials, metrics=metrics, settings=trial.values))
    return best


def _one(study: Study, splits: Splits, trial: Any, options: Options) -> None:
    """Run a trial here, split by split, as long as there is hope."""
    loss = None
    try:
        for step, loss in enumerate(splits.losses(options), start=1):
            if study.hopeless(trial, loss, step) and step < len(splits.judged):
                study.end(trial, None, "pruned")
                return
    except PlaitError as error:
        study.end(trial, None, "failed", str(error))
        return
    study.end(trial, loss)


def _judged(splits: Splits, options: Options) -> tuple[float | None, str]:
    """The loss of a trial, or why there is none."""
    try:
        return splits.loss(options), ""
    except PlaitError as error:
        return None, str(error)


def _merged(own: Options, options: Options) -> dict[str, dict[str, Json]]:
    return {part: {**own.get(part, {}), **options.get(part, {})} for part in {**own, **options}}


def _seed(estimator: Estimating) -> int:
    state = estimator.random_state
    return int(state) if isinstance(state, int) else 0


def _told(estimator: Estimating, X: object, y: object, weight: object) -> dict[str, Json]:
    """What losses depend on, beside the space."""
    options, schema = estimator.options or {}, estimator.schema
    read = schema if schema is None or isinstance(schema, Schema) else Schema.read(Path(schema))
    asked = {"targets": estimator.targets, "weights": estimator.weights} if isinstance(estimator, MultiTask) else {}
    return {
        **asked,
        "fusion": estimator.fusion,
        "learner": estimator.learner,
        "options": {part: dict(own) for part, own in options.items()},
        "schema": None if read is None else read.to_json(),
        "roles": [estimator.time, estimator.label_time, estimator.group],
        "rows": digest(as_frame(X)),
        "target": _digest_of(y),
        "weight": _digest_of(weight),
        "seed": _seed(estimator),
    }


def _digest_of(y: object) -> str:
    """Of one target, or of a frame of several; nothing of those that are among the columns of the rows."""
    if y is None:
        return ""
    return digest(as_frame(y) if hasattr(y, "columns") else pd.DataFrame({"y": pd.Series(y).to_numpy()}))
