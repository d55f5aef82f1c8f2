"""Stacking on what the parts did not see: late fusion and auto are two uses of it.

The parts are fitted on inner training rows, scored on inner held-out rows (past to future where rows have a time),
joined by a `Stack` fitted on those scores, and fitted again on all rows (Wolpert, Neural Networks 1992; weights kept
non-negative as in Breiman, Machine Learning 1996).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Contributions, Head, Json, Modality, Progress, State
from plait.data.splits import inner_pairs
from plait.errors import ConfigError, DataError
from plait.evidence import Evidence, Fitted, View

__all__ = [
    "FEW",
    "Part",
    "Scored",
    "Stack",
    "Stacked",
    "Unseen",
    "divisible",
    "inner_scores",
    "make_fusion",
    "refit",
    "unseen",
]

FEW = 2_000  # rows under which held-out scores come from folds: one holdout would be too few
MANY = 20_000  # the same for calibration, which is learned from nothing but those scores
PULLS = (0.0003, 0.003, 0.03, 3.0)  # strengths of the pull to equal weights, as shares of the rows
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

    def from_state(self, state: State, rooms: Mapping[str, Modality], head: Head) -> Fitted:
        """What `fit` returned, in rooms that were fitted alike."""
        own = rooms if self.source is None else {self.source: rooms[self.source]}
        fitted: Fitted = registry.get("fusions", self.fusion).from_state(state, own, head)
        return fitted

    def score(self, fitted: Fitted, view: View) -> npt.NDArray[np.float64]:
        return fitted.score(view if self.source is None else view.narrow(self.source))

    def coalitions(self, fitted: Fitted, view: View, rows: Array, present: Array) -> npt.NDArray[np.float64]:
        """Scores of coalitions of the view's sources; see `plait.evidence.Fitted.coalitions`."""
        if self.source is None:
            return fitted.coalitions(view, rows, present)
        own = list(view.batches.sources).index(self.source)
        return fitted.coalitions(view.narrow(self.source), rows, present[:, own : own + 1])

    def contributions(self, fitted: Fitted, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        """What adds up to one score of each row, the method under the part's name."""
        found = fitted.contributions(view if self.source is None else view.narrow(self.source), output)
        return replace(found, methods=dict.fromkeys([self.name], "; ".join(found.methods.values())))


def divisible(evidence: Evidence) -> bool:
    """Whether the rows can be divided to judge parts: more than one row, class and group."""
    return bool(inner_pairs(evidence.context, few=FEW))


class _Member(NamedTuple):
    """What a part says of rows held out (float64 ``n x K``), and the fitted part, where it is asked for."""

    scores: npt.NDArray[np.float64]
    fitted: Fitted | None


def _member(part: Part, rows: Evidence, view: View, options: Mapping[str, Mapping[str, Json]], last: bool) -> _Member:
    """Fit a part on inner rows and score the rows held out, once; the `last` part is handed on itself, too."""

    def make() -> _Member:
        fitted = part.fit(rows.within("fit"), options)
        return _Member(part.score(fitted, view), fitted if last else None)

    def to(made: _Member) -> State:
        parts = {} if made.fitted is None else {"fitted": made.fitted.state()}
        return State(1, arrays={"scores": made.scores}, parts=parts)

    def back(state: State) -> _Member:
        own = state.parts.get("fitted")
        fitted = None if own is None else part.from_state(own, rows.rooms, rows.head)
        return _Member(state.arrays["scores"], fitted)

    return rows.context.once(f"{part.name}, on held-out rows", make, to, back)


class Scored(NamedTuple):
    """Training rows (int ``n``) and what is said of them (float64 ``n x K``) by parts that were not fitted on them."""

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Unseen:
    """Scores of the parts on rows that they were not fitted on: float64 ``n x P x K``; rows and their cut, int ``n``.

    `most` says that the last split fitted on four rows of five, so that what was chosen there holds for all rows.
    """

    rows: npt.NDArray[np.int64]
    cuts: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    fitted: tuple[Fitted, ...]
    most: bool

    def joined(self, stack: Stack) -> Scored:
        """What a stack of the parts says of the rows: of the last cut in time, whose bias it has, or of all folds."""
        own = self.cuts == self.cuts.max() if self.most else np.ones(len(self.rows), bool)
        return Scored(self.rows[own], stack(self.scores[own]))


def unseen(
    evidence: Evidence,
    parts: Sequence[Part],
    options: Mapping[str, Mapping[str, Json]],
    *,
    cuts: int = 3,
    few: int = FEW,
    deadline: float | None = None,
) -> Unseen:
    """Fit every part on inner rows and score the rows held out; `fitted` are those of the last of the `cuts` in time.

    Without a time, fewer than `few` rows are held out in folds (`plait.data.splits.inner_pairs`).

    Past `deadline` (of `time.monotonic`) no further part is started; the first always runs.

    Raises
    ------
    DataError
        If the rows cannot be divided: one row, or one class.
    """
    pairs = inner_pairs(evidence.context, few=few, cuts=cuts)
    if not pairs:
        raise DataError("the training rows cannot be divided to judge parts; use fusion='early'")
    forward = len(pairs) <= cuts
    views, inner = [], []
    for fit, judge in pairs:
        inner.append(evidence.take(fit))
        views.append(View(evidence.batches.take(judge), inner[-1].rooms))
    scores, fitted = [], []
    for done, part in enumerate(parts):
        if done and deadline is not None and monotonic() > deadline:
            break
        evidence.context.report(Progress(f"held-out rows: {part.name}", done, len(parts)))
        told = [
            _member(part, rows.within(f"{done} {part.name}, held out {cut}"), view, options, rows is inner[-1])
            for cut, (rows, view) in enumerate(zip(inner, views, strict=True))
        ]
        scores.append(np.concatenate([member.scores for member in told]))
        fitted += [member.fitted for member in told if member.fitted is not None]
    which = np.repeat(np.arange(len(pairs)), [len(judge) for _, judge in pairs])
    return Unseen(
        np.concatenate([judge for _, judge in pairs]), which, np.stack(scores, axis=1), tuple(fitted), forward
    )


def refit(
    evidence: Evidence,
    parts: Sequence[Part],
    fitted: Sequence[Fitted],
    stack: Stack,
    options: Mapping[str, Mapping[str, Json]],
    *,
    chosen: bool,
) -> Stacked:
    """Fit the parts that count on all rows; the others leave the model.

    With `chosen`, what a part chose on the inner rows is kept (they are most of all rows); without, it chooses again.

    A part that is too dear to fit twice (`Fitted.refits` false) stays as it was fitted on the inner rows.
    """
    keep = np.flatnonzero((stack.weights >= NEGLIGIBLE) | (stack.weights == stack.weights.max()))
    whole = []
    for done, i in enumerate(keep):
        part, member = parts[int(i)], fitted[int(i)]
        evidence.context.report(Progress(f"all rows: {part.name}", done, len(keep)))
        if member.refits:
            settings = member.settings if chosen else {}
            names = {*options, *settings}
            own = evidence.within(f"{i} {part.name}, all rows")
            member = part.fit(own, {n: {**options.get(n, {}), **settings.get(n, {})} for n in names})
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
    def fit(cls, head: Head, seen: Unseen, targets: Array, weight: Array) -> Self:
        """Weights of least held-out loss, but no further from equal than the rows can tell.

        Of the fits under ever stronger pulls to equal weights, the last is taken that is not worse than the best one by
        more than a standard error of their paired difference (the one-standard-error rule of Breiman et al., 1984):
        equal weights are hard to beat, most of all where the future differs from the past. Every cut has a bias of its
        own and the last one's is kept: a base rate that moved is not the parts' doing.
        """
        fits = []
        for pull in PULLS:
            weights, biases = _least(head, seen, targets, weight, pull * weight.sum())
            joined = head.prior + biases[seen.cuts] + np.einsum("npk,p->nk", seen.scores - head.prior, weights)
            fits.append((weights, biases[-1], head.error(joined, targets, weight)))
        best = min((losses for _, _, losses in fits), key=lambda losses: float(losses.sum()))
        rows = max(len(best), 1)
        within = [fit for fit in fits if (fit[2] - best).mean() <= (fit[2] - best).std() / np.sqrt(rows)]
        return cls(head, within[-1][0], within[-1][1])

    def __call__(self, scores: Array) -> npt.NDArray[np.float64]:
        return np.asarray(self.head.prior + self.bias + np.einsum("npk,p->nk", scores - self.head.prior, self.weights))


def _least(
    head: Head, seen: Unseen, targets: Array, weight: Array, pull: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights ``P`` and biases ``cuts x K`` of least loss under a pull (in rows) of the weights to each other."""
    from scipy.optimize import minimize

    parts, outputs = seen.scores.shape[1:]
    cuts = int(seen.cuts.max(initial=0)) + 1
    centred = seen.scores - head.prior

    def loss(vector: Array) -> float:
        weights, biases = vector[:parts], vector[parts:].reshape(cuts, outputs)
        joined = head.prior + biases[seen.cuts] + np.einsum("npk,p->nk", centred, weights)
        held = pull * float(((weights - weights.mean()) ** 2).sum()) + float((biases**2).mean())
        return (float(head.error(joined, targets, weight).sum()) + held) / float(weight.sum())

    start = np.concatenate([np.full(parts, 1 / parts), np.zeros(cuts * outputs)])
    bounds = [(0.0, 2.0)] * parts + [(None, None)] * (cuts * outputs)
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    return found[:parts], found[parts:].reshape(cuts, outputs)


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
        self.unseen: Scored | None = None  # right after the fit, for calibration

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        return self.stack(np.stack([part.score(fitted, view) for part, fitted in self.parts], axis=1))

    def coalitions(self, view: View, rows: Array, present: Array) -> npt.NDArray[np.float64]:
        some = np.any(view.batches.present[rows] & present, axis=1)
        scores = [part.coalitions(fitted, view, rows, present) for part, fitted in self.parts]
        return np.asarray(np.where(np.asarray(some)[:, None], self.stack(np.stack(scores, axis=1)), self.head.prior))

    def shares(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        """The parts' own, weighted as their scores are; the base takes the bias."""
        told = [part.contributions(fitted, view, output) for part, fitted in self.parts]
        origins = tuple(dict.fromkeys(origin for found in told for origin in found.origins))
        prior = np.asarray(self.head.prior, np.float64)[output]
        base, values = prior + np.asarray(self.stack.bias)[output], np.zeros((len(view), len(origins)))
        attention: dict[str, Array] = {}
        attending = sum(weight for weight, found in zip(self.stack.weights, told, strict=True) if found.attention)
        for weight, found in zip(self.stack.weights, told, strict=True):
            base += weight * (found.base - prior)
            values += weight * found.by(origins)
            for source, share in found.attention.items():
                attention[source] = attention.get(source, 0.0) + weight / attending * share
        methods = {part: method for found in told for part, method in found.methods.items()}
        score = self.scores(view)[np.arange(len(view)), output]
        return Contributions(origins, values, base, score, methods, attention)

    @property
    def noted(self) -> dict[str, Json]:
        return {part.name: told for part, fitted in self.parts for told in fitted.noted.values()}

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
            parts.append((part, part.from_state(state.parts[str(i)], rooms, head)))
        return cls(rooms, head, parts, Stack(head, state.arrays["weights"], state.arrays["bias"]))


def inner_scores(fitted: Fitted, evidence: Evidence, part: Part, options: Mapping[str, Mapping[str, Json]]) -> Scored:
    """Scores of training rows by models that were not fitted on them.

    A stack has them from its own fit. Any other fusion is fitted again on inner rows, past to future where rows have a
    time, with what it chose on all rows.

    Raises
    ------
    DataError
        If the rows cannot be divided.
    """
    if isinstance(fitted, Stacked) and fitted.unseen is not None:
        return fitted.unseen
    settings = fitted.settings
    names = {*options, *settings}
    both = {name: {**options.get(name, {}), **settings.get(name, {})} for name in names}
    dear = not fitted.refits  # a network is fitted once more, not three or five times
    inner = evidence.within(part.name)
    seen = unseen(inner, [part], both, cuts=1 if dear else 3, few=0 if dear else MANY)
    return Scored(seen.rows, seen.scores[:, 0])
