"""Calibration of a fitted model: one calibrator over its scores, chosen on scores of rows that it was not fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Calibrator, Contributions, FitContext, Head, Json, Modality, Reducible, State
from plait.data.splits import inner_pairs
from plait.errors import ConfigError, DataError, unknown
from plait.evidence import Fitted, View

__all__ = ["AUTO", "Calibrated", "Choice", "check_method", "choose", "plain"]

NONE, AUTO = "none", "auto"
CLEARLY = 2.0  # standard errors by which a calibrator must beat doing nothing

Rows = npt.NDArray[np.float64]


class Calibrated(Fitted):
    """A fitted model whose scores pass through a calibrator. Rows without any source keep the prior."""

    def __init__(self, fitted: Fitted, calibrator: Calibrator) -> None:
        super().__init__(fitted.rooms, fitted.head)
        self.fitted = fitted
        self.calibrator = calibrator

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        return self.calibrator(self.fitted.score(view))

    def coalitions(self, view: View, rows: Array, present: Array) -> npt.NDArray[np.float64]:
        some = np.any(view.batches.present[rows] & present, axis=1)
        scores = self.calibrator(self.fitted.coalitions(view, rows, present))
        return np.asarray(np.where(np.asarray(some)[:, None], scores, self.head.prior))

    def shares(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        """What adds up to the scores before calibration, stretched to add up to those after it (two classes).

        With more classes one score depends on all others, and what calibration adds stays in the residual.
        """
        found = self.fitted.contributions(view, output)
        score = self.score(view)[np.arange(len(view)), output]
        if self.head.outputs > 1:
            return replace(found, score=score)
        base = self.calibrator(found.base[:, None])[:, 0]
        moved = found.score - found.base
        stretch = np.divide(score - base, moved, out=np.ones(len(moved)), where=np.abs(moved) > 1e-12)
        return replace(found, base=base, values=found.values * stretch[:, None], score=score)

    @property
    def settings(self) -> dict[str, dict[str, Json]]:
        return self.fitted.settings

    def state(self) -> State:
        parts = {"fitted": self.fitted.state(), "calibrator": self.calibrator.state()}
        return State(self.version, {"calibrator": self.calibrator.name}, parts=parts)

    @classmethod
    def from_state(cls, state: State, fusion: str, rooms: Mapping[str, Modality], head: Head) -> Self:
        fitted = registry.get("fusions", fusion).from_state(state.parts["fitted"], rooms, head)
        calibrator = registry.get("calibrators", state.values["calibrator"])
        return cls(fitted, calibrator.from_state(state.parts["calibrator"]))


def plain(fitted: Fitted) -> Fitted:
    """The model without its calibrator, if it has one."""
    return fitted.fitted if isinstance(fitted, Calibrated) else fitted


@dataclass(frozen=True)
class Choice:
    """A calibrator (None: scores stay as they are) and how it was chosen.

    `losses` are the log losses on rows that each candidate was not fitted on, ``"none"`` among them, from simple to
    free; `gains` is by how much each is better than none, and `errors` the standard errors of that. They are empty
    where the rows cannot be divided.
    """

    calibrator: Calibrator | None
    rows: int
    losses: Mapping[str, float]
    gains: Mapping[str, float]
    errors: Mapping[str, float]

    @property
    def method(self) -> str:
        return NONE if self.calibrator is None else self.calibrator.name

    def to_json(self) -> dict[str, Json]:
        return {
            "method": self.method,
            "rows": self.rows,
            "log_loss": dict(self.losses),
            "gain": dict(self.gains),
            "standard_error": dict(self.errors),
        }


def check_method(method: str) -> None:
    """``"auto"``, ``"none"`` or the name of a calibrator; else ConfigError."""
    allowed = (AUTO, NONE, *registry.names("calibrators"))
    if method not in allowed:
        raise unknown("calibration method", method, allowed)


def choose(head: Head, scores: Array, context: FitContext, method: str = AUTO) -> Choice:
    """Fit a calibrator on scores of rows that the model was not fitted on.

    ``"auto"`` judges every registered one, and doing nothing, by log loss on rows that it was not fitted on in turn
    (past to future where the rows have a time, else in five folds). Of the calibrators it takes the one of least
    freedom that is not worse than the best by more than a standard error of their paired difference (the
    one-standard-error rule of Breiman et al., 1984), and only if that one beats doing nothing by two. It is then fitted
    on all rows.

    Parameters
    ----------
    scores
        float64 ``N x K``.
    context
        The same rows: targets, weights, times, groups.
    method
        ``"auto"``, ``"none"`` or the name of a calibrator.

    Raises
    ------
    ConfigError
        If there is no such calibrator, or the model predicts values.
    DataError
        If the rows that count are of one class.
    """
    check_method(method)
    named = {name: registry.get("calibrators", name) for name in registry.names("calibrators")}
    order = sorted(named, key=lambda name: (named[name].freedom, name))
    if isinstance(head, Reducible):
        raise ConfigError(f"calibration is for classes, and this model has a head of another kind ({head.name})")
    if head.task == "regression":
        raise ConfigError("calibration is for classes, and this model predicts values; conformalize gives intervals")
    if len(np.unique(context.targets[context.weight > 0])) < 2:
        raise DataError("the rows to calibrate on are of one class; at least two are needed")
    scores = np.asarray(scores, np.float64)
    rows = _judged(head, scores, context, {NONE: None, **{name: named[name] for name in order}})
    means = {name: float(loss.mean()) for name, loss in rows.items()}
    gains = {name: _difference(rows[NONE], loss) for name, loss in rows.items() if name != NONE}
    if method == AUTO:
        method = _simplest(rows, gains, order) if rows else NONE
    fitted = None if method == NONE else named[method]().fit(scores, context.targets, context.weight)
    told = {name: gain for name, (gain, _) in gains.items()}, {name: error for name, (_, error) in gains.items()}
    return Choice(fitted, len(context), means, *told)


def _judged(
    head: Head, scores: Array, context: FitContext, candidates: Mapping[str, type[Calibrator] | None]
) -> dict[str, Rows]:
    """Log loss of each held-out row under each candidate, weighted so that their mean is the loss."""
    pairs = inner_pairs(context, few=len(context) + 1)
    if not pairs:
        return {}
    judged = np.concatenate([judge for _, judge in pairs])
    targets, weight = context.targets[judged], context.weight[judged]
    found: dict[str, Rows] = {}
    for name, kind in candidates.items():
        parts = [scores[judge] for _, judge in pairs]
        if kind is not None:
            makers = (kind().fit(scores[fit], context.targets[fit], context.weight[fit]) for fit, _ in pairs)
            parts = [made(part) for made, part in zip(makers, parts, strict=True)]
        found[name] = head.error(np.concatenate(parts), targets, weight) / weight.mean()
    return found


def _simplest(rows: Mapping[str, Rows], gains: Mapping[str, tuple[float, float]], order: Sequence[str]) -> str:
    """The calibrator of least freedom that the best one does not clearly beat, if it clearly beats none."""
    best = rows[min(order, key=lambda name: rows[name].mean())]
    for name in order:
        worse, error = _difference(rows[name], best)
        if worse <= error:
            gain, error = gains[name]
            return name if gain > CLEARLY * error else NONE
    return NONE


def _difference(rows: Rows, others: Rows) -> tuple[float, float]:
    """Mean of the paired difference of two losses, and its standard error."""
    apart = rows - others
    return float(apart.mean()), float(apart.std() / np.sqrt(len(apart)))
