"""Stacking on what the parts did not see: late fusion and auto are two uses of it.

The parts are fitted on inner training rows, scored on inner held-out rows (past to future where rows have a time),
joined by a `Stack` fitted on those scores, and fitted again on all rows (Wolpert, Neural Networks 1992; weights kept
non-negative as in Breiman, Machine Learning 1996).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Head, Json, Modality, Progress, State
from plait.data.splits import holdout, inner_folds
from plait.errors import ConfigError
from plait.evidence import Evidence, Fitted, View

__all__ = ["Part", "Stack", "Stacked", "Unseen", "make_fusion", "refit", "splits", "unseen"]

FOLDS_BELOW = 2_000  # rows under which held-out scores come from folds: one holdout would be too few
NEGLIGIBLE = 0.02  # weight under which a part leaves the model


def make_fusion(name: str, learner: str | None, options: Mapping[str, Mapping[str, Json]]) -> Any:
    """Construct a fusion; `options` are by part name, `learner` only goes to fusions that have one.

    Raises
    ------
    ConfigError
        For an unknown fusion, learner or option, or a learner given to a fusion that takes none.
    """
    from inspect import signature

    own: dict[str, Any] = dict(options.get(name, {}))
    takes = signature(registry.get("fusions", name)).parameters
    if learner is not None:
        registry.target("learners", learner)
        if "learner" not in takes:
            raise ConfigError(f"fusion {name!r} takes no learner, but learner={learner!r} was given; leave it out")
        own["learner"] = learner
    if "options" in takes:
        own["options"] = options
    return registry.make("fusions", name, own)


@dataclass(frozen=True)
class Part:
    """One member of a stack: a fusion over all sources, or over one."""

    name: str
    fusion: str
    learner: str | None = None
    source: str | None = None

    def fit(self, evidence: Evidence, options: Mapping[str, Mapping[str, Json]]) -> Fitted:
        fusion = make_fusion(self.fusion, self.learner, options)
        fitted: Fitted = fusion.fit(evidence if self.source is None else evidence.narrow(self.source))
        return fitted

    def score(self, fitted: Fitted, view: View) -> npt.NDArray[np.float64]:
        return fitted.score(view if self.source is None else view.narrow(self.source))


@dataclass(frozen=True)
class Unseen:
    """Scores of the parts on rows that they were not fitted on: float64 ``n x P x K``, rows int ``n``."""

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    fitted: tuple[Fitted, ...]


def splits(evidence: Evidence) -> list[tuple[Array, Array]]:
    """Inner (fit rows, judged rows): folds for few rows without a time, else one holdout."""
    context = evidence.context
    if context.time is None and len(context) < FOLDS_BELOW:
        folds = inner_folds(context)
        return [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in np.unique(folds)]
    return [holdout(context)]


def unseen(
    evidence: Evidence,
    parts: Sequence[Part],
    options: Mapping[str, Mapping[str, Json]],
    deadline: float | None = None,
) -> Unseen:
    """Fit every part on inner rows and score the rows held out; `fitted` are those of the last split.

    Past `deadline` (of `time.monotonic`) no further part is started; the first always runs.
    """
    views, judged, inner = [], [], []
    for fit, judge in splits(evidence):
        inner.append(evidence.take(fit))
        views.append(View(evidence.batches.take(judge), inner[-1].rooms))
        judged.append(judge)
    scores, fitted = [], []
    for done, part in enumerate(parts):
        if done and deadline is not None and monotonic() > deadline:
            break
        evidence.context.report(Progress(f"held-out rows: {part.name}", done, len(parts)))
        members = [part.fit(rows, options) for rows in inner]
        scores.append(np.concatenate([part.score(m, view) for m, view in zip(members, views, strict=True)]))
        fitted.append(members[-1])
    return Unseen(np.concatenate(judged), np.stack(scores, axis=1), tuple(fitted))


def refit(
    evidence: Evidence,
    parts: Sequence[Part],
    fitted: Sequence[Fitted],
    stack: Stack,
    options: Mapping[str, Mapping[str, Json]],
) -> Stacked:
    """Fit the parts that count on all rows, with what they chose on the inner rows; the others leave the model.

    A part that is too dear to fit twice (`Fitted.refits` false) stays as it was fitted on the inner rows.
    """
    keep = np.flatnonzero((stack.weights >= NEGLIGIBLE) | (stack.weights == stack.weights.max()))
    once = len(splits(evidence)) == 1
    whole = []
    for done, i in enumerate(keep):
        part, member = parts[int(i)], fitted[int(i)]
        evidence.context.report(Progress(f"all rows: {part.name}", done, len(keep)))
        if member.refits or not once:
            settings = member.settings if once else {}
            names = {*options, *settings}
            member = part.fit(evidence, {n: {**options.get(n, {}), **settings.get(n, {})} for n in names})
        else:
            member.rooms = evidence.rooms
        whole.append((part, member))
    return Stacked(evidence.rooms, evidence.head, whole, Stack(stack.head, stack.weights[keep], stack.bias))


class Stack:
    """``prior + bias + sum_p weight_p (score_p - prior)`` with weights >= 0, drawn to each other.

    The bias takes up a base rate that moved between the rows that were fitted and those held out, so that the weights
    come from ranking within the latter.

    A part that has nothing to say answers the prior and so adds nothing.
    """

    def __init__(self, head: Head, weights: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]) -> None:
        self.head = head
        self.weights = weights
        self.bias = bias

    @classmethod
    def fit(cls, head: Head, scores: Array, targets: Array, weight: Array, *, shrink: float = 5.0) -> Self:
        """Least held-out loss; `shrink` is the strength, in rows, of the pull of the weights to each other."""
        from scipy.optimize import minimize

        parts, outputs = scores.shape[1:]
        centred = scores - head.prior
        start = np.concatenate([np.full(parts, 1 / parts), np.zeros(outputs)])
        total = float(weight.sum())

        def loss(vector: Array) -> float:
            weights, bias = vector[:parts], vector[parts:]
            joined = head.prior + bias + np.einsum("npk,p->nk", centred, weights)
            pull = shrink * float(((weights - weights.mean()) ** 2).sum() + (bias**2).sum() / len(bias))
            return (float(head.error(joined, targets, weight).sum()) + pull) / total

        bounds = [(0.0, 2.0)] * parts + [(None, None)] * outputs
        found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
        return cls(head, found[:parts], found[parts:])

    def __call__(self, scores: Array) -> npt.NDArray[np.float64]:
        return np.asarray(self.head.prior + self.bias + np.einsum("npk,p->nk", scores - self.head.prior, self.weights))


class Stacked(Fitted):
    """Fitted parts joined by a stack; parts of negligible weight are left out."""

    def __init__(
        self,
        rooms: Mapping[str, Modality],
        head: Head,
        parts: Sequence[tuple[Part, Fitted]],
        stack: Stack,
    ) -> None:
        super().__init__(rooms, head)
        self.parts = tuple(parts)
        self.stack = stack

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        return self.stack(np.stack([part.score(fitted, view) for part, fitted in self.parts], axis=1))

    def state(self) -> State:
        values = [
            {"name": part.name, "fusion": part.fusion, "learner": part.learner, "source": part.source}
            for part, _ in self.parts
        ]
        arrays: dict[str, Array] = {"weights": self.stack.weights, "bias": self.stack.bias}
        parts = {str(i): fitted.state() for i, (_, fitted) in enumerate(self.parts)}
        return State(self.version, {"parts": values}, arrays, parts=parts)

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> Self:
        parts = []
        for i, values in enumerate(state.values["parts"]):
            part = Part(**values)
            own = rooms if part.source is None else {part.source: rooms[part.source]}
            fusion = registry.get("fusions", part.fusion)
            parts.append((part, fusion.from_state(state.parts[str(i)], own, head)))
        return cls(rooms, head, parts, Stack(head, state.arrays["weights"], state.arrays["bias"]))
