"""Several targets at once: a head of its own for each, side by side, where any label may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Comparing, Head, Json, Prediction, Reducible, State, Task
from plait.errors import ConfigError, InputError, RowError, unknown

if TYPE_CHECKING:
    import torch

__all__ = ["Several"]

Floats = npt.NDArray[np.float64]

RULES = ("equal", "uncertainty", "gradient")  # how losses may be weighted, beside fixed weights


class Several(Head):
    """The scores of all members side by side; a missing label is NaN and counts nowhere.

    The loss is ``L = sum_t w_t L_t``, where ``L_t`` is the mean loss of target ``t`` over its labelled rows, in units
    of what the target's prior loses on the training rows. So no kind of loss drowns another, and a target with few
    labels does not vanish beside one with many. Units and shares of labels are those of the training rows, not of a
    mini-batch, so that the loss of a mini-batch is the mean over its rows.

    Parameters
    ----------
    asked
        Target to the name of its head, or to its head and the head's options:
        ``{"default": "binary", "loss": {"head": "quantile", "levels": [0.1, 0.5, 0.9]}}``.
    weights
        ``w_t`` by target (missing ones are 1), or a rule by which a training finds them: ``"equal"``,
        ``"uncertainty"`` or ``"gradient"`` (`plait.training.several`).

    Raises
    ------
    ConfigError
        If a head, an option, a weight or a rule is not known or out of range.
    """

    name: ClassVar[str] = "several"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "regression"

    def __init__(
        self, asked: Mapping[str, str | Mapping[str, Json]], weights: str | Mapping[str, float] = "equal"
    ) -> None:
        self.asked = {target: _asked(target, said) for target, said in asked.items()}
        self.weights = weights
        self.members: dict[str, Head] = {
            target: registry.make("heads", said["head"], {k: v for k, v in said.items() if k != "head"})
            for target, said in self.asked.items()
        }
        self._fixed = _fixed(weights, tuple(asked))

    def fit(self, targets: Array, weight: Floats) -> Self:
        """Fit each member on its labelled rows.

        Parameters
        ----------
        targets
            object ``N x T``, columns in the order of `asked`; None or NaN where a label is missing.

        Raises
        ------
        InputError
            If a target has no labels in rows that count, or labels that its head refuses; the target is named.
        """
        units, shares, widths = [], [], []
        for i, (target, member) in enumerate(self.members.items()):
            known = _labelled(targets[:, i])
            own = weight[known]
            if not own.sum() > 0:
                raise InputError(f"target {target!r} has no labels in rows that count; leave it out or give some")
            with _said_of(target, known):
                encoded = member.fit(targets[known, i], own).encode(targets[known, i])
            lost = float(member.error(np.tile(member.prior, (len(own), 1)), encoded, own).sum() / own.sum())
            units.append(lost if np.isfinite(lost) and lost > 1e-9 else 1.0)
            shares.append(float(own.sum() / weight.sum()))
            widths.append(0 if encoded.ndim == 1 else encoded.shape[1])
        self._learned(units, shares, widths)
        return self

    def _learned(self, units: Sequence[float], shares: Sequence[float], widths: Sequence[int]) -> None:
        """What is known after a fit; a width of 0 is that of a member that encodes to one plain number a row."""
        self.units, self.shares, self.widths = np.array(units), np.array(shares), tuple(widths)
        self._scale = 1.0 / (self.units * self.shares)
        self.outputs = sum(member.outputs for member in self.members.values())

    @property
    def spans(self) -> dict[str, slice]:
        """Which of the scores are each target's."""
        ends = np.cumsum([0, *(member.outputs for member in self.members.values())]).tolist()
        return {target: slice(*ends) for target, ends in zip(self.members, pairwise(ends), strict=True)}

    @property
    def prior(self) -> Floats:
        return np.concatenate([member.prior for member in self.members.values()])

    def encode(self, targets: Array) -> Floats:
        """Each member's encoding side by side, NaN where a label is missing: float64 ``N x T``, or wider."""
        out = np.full((len(targets), sum(max(1, width) for width in self.widths)), np.nan)
        for i, (target, (member, _, columns)) in enumerate(self._each.items()):
            known = _labelled(targets[:, i])
            if not known.any():
                continue
            with _said_of(target, known):
                encoded = member.encode(targets[known, i])
            out[known, columns] = encoded.reshape(len(encoded), -1)
        return out

    def decode(self, scores: Floats) -> Prediction:
        """The members' predictions, as `parts`; the values are the scores."""
        scores = np.asarray(scores, np.float64)
        parts = {target: member.decode(scores[:, span]) for target, (member, span, _) in self._each.items()}
        return Prediction("several", scores, parts=parts)

    def error(self, scores: Array, targets: Array, weight: Array) -> Floats:
        """What a training is stopped by: ``sum_t w_t sqrt(n_t) L_t`` over the rows, ``n_t`` the share of labels.

        The mean of few labels moves by chance, by about one over the root of their number: where ten of them had as
        much of a say as a thousand, they stopped trainings in which nothing was learned yet.
        """
        told = self.errors(scores, targets, weight) @ (self.fixed * np.sqrt(self.shares))
        return np.asarray(told, np.float64)

    def errors(self, scores: Array, targets: Array, weight: Array) -> Floats:
        """Each member's loss in its unit, float64 ``N x T``: its mean over all rows is ``L_t``. 0 without a label."""
        out = np.zeros((len(targets), len(self.members)))
        for i, (member, span, columns) in enumerate(self._each.values()):
            own = _flat(targets[:, columns], self.widths[i])
            known = ~np.isnan(targets[:, columns]).all(axis=1)
            out[known, i] = member.error(scores[known, span], own[known], weight[known]) * self._scale[i]
        return out

    def together(self, encoded: Array) -> npt.NDArray[np.int64] | None:
        """The groups of the first member that compares rows; rows without its label are groups of their own."""
        for member, _, columns in self._each.values():
            known = ~np.isnan(encoded[:, columns]).all(axis=1)
            groups = member.together(encoded[known, columns]) if isinstance(member, Comparing) and known.any() else None
            if groups is not None:
                found = len(encoded) + np.arange(len(encoded))
                found[known] = groups
                return np.unique(found, return_inverse=True)[1].astype(np.int64)
        return None

    def unlabelled(self, targets: Array) -> tuple[str, ...]:
        """Targets of which encoded rows have no label."""
        each = self._each.items()
        return tuple(target for target, (_, _, columns) in each if np.isnan(targets[:, columns]).all())

    def problems(self) -> tuple[Head, ...]:
        """Those of all members, one after the other."""
        return tuple(problem for problems in self._problems for problem in problems)

    def split(self, encoded: Array) -> list[Floats]:
        """Each problem's targets; a row without a label is not asked."""
        found = []
        for i, (member, _, columns) in enumerate(self._each.values()):
            own = _flat(encoded[:, columns], self.widths[i])
            known = ~np.isnan(encoded[:, columns]).all(axis=1)
            for targets in member.split(own[known]) if isinstance(member, Reducible) else [own[known]]:
                found.append(np.full(len(encoded), np.nan))
                found[-1][known] = targets
        return found

    def joined(self, scores: Sequence[Array]) -> Floats:
        """The members' scores side by side, from those of all problems."""
        rest, found = list(scores), []
        for member, problems in zip(self.members.values(), self._problems, strict=True):
            own, rest = rest[: len(problems)], rest[len(problems) :]
            found.append(member.joined(own) if isinstance(member, Reducible) else own[0])
        return np.concatenate(found, axis=1)

    def origin(self, output: int) -> tuple[int, int] | None:
        """The problem that a score is of, and which of its scores; None where it is made of several."""
        first = 0
        for (member, span, _), problems in zip(self._each.values(), self._problems, strict=True):
            if output < span.stop:
                inner = output - span.start
                found = member.origin(inner) if isinstance(member, Reducible) else (0, inner)
                return None if found is None else (first + found[0], found[1])
            first += len(problems)
        raise IndexError(output)

    @property
    def _problems(self) -> list[tuple[Head, ...]]:
        return [member.problems() if isinstance(member, Reducible) else (member,) for member in self.members.values()]

    def module(self, width: int) -> torch.nn.Module:
        from plait.layers.readout import SideBySide

        return SideBySide(member.module(width) for member in self.members.values())

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        losses_T = self.losses(scores, targets, weight)
        return losses_T @ losses_T.new_tensor(self.fixed)

    def losses(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """``L_t`` of a mini-batch: ``T``."""
        import torch

        found = []
        for i, (member, span, columns) in enumerate(self._each.values()):
            own = targets[:, columns]
            rows = (~own.isnan().all(dim=1)).nonzero()[:, 0]
            if len(rows):
                flat = own[rows] if self.widths[i] else own[rows, 0]
                loss = member.loss(scores[rows, span], flat, weight[rows])
                found.append(loss * (len(rows) / len(targets) * float(self._scale[i])))
            else:
                found.append(scores[:0].sum())  # nothing, from which gradients of nothing flow
        return torch.stack(found)

    @property
    def fixed(self) -> Floats:
        """``w_t`` before any training has found others: float64 ``T``."""
        return np.array([self._fixed.get(target, 1.0) for target in self.members])

    @property
    def _each(self) -> dict[str, tuple[Head, slice, slice]]:
        """Members, which scores are theirs, and which columns of encoded targets."""
        ends = np.cumsum([0, *(max(1, width) for width in self.widths)]).tolist()
        columns = [slice(*pair) for pair in pairwise(ends)]
        each = zip(self.members.values(), self.spans.values(), columns, strict=True)
        return dict(zip(self.members, each, strict=True))

    def state(self) -> State:
        values = {
            "asked": [[target, said] for target, said in self.asked.items()],
            "weights": self.weights if isinstance(self.weights, str) else dict(self.weights),
            "widths": list(self.widths),
        }
        parts = {str(i): member.state() for i, member in enumerate(self.members.values())}
        return State(self.version, values, {"units": self.units, "shares": self.shares}, parts=parts)

    @classmethod
    def from_state(cls, state: State) -> Self:
        head = cls(dict(state.values["asked"]), state.values["weights"])
        for i, (target, said) in enumerate(head.asked.items()):
            head.members[target] = registry.get("heads", said["head"]).from_state(state.parts[str(i)])
        head._learned(state.arrays["units"].tolist(), state.arrays["shares"].tolist(), state.values["widths"])
        return head


@contextmanager
def _said_of(target: str, known: npt.NDArray[np.bool_]) -> Iterator[None]:
    """What a head says of known labels is said of the target, and of rows by their places among all."""
    try:
        yield
    except RowError as error:
        raise error.among(np.flatnonzero(known).tolist(), f"target {target!r}: ") from None
    except InputError as error:
        raise InputError(f"target {target!r}: {error}") from None


def _asked(target: str, said: str | Mapping[str, Json]) -> dict[str, Json]:
    options = said if isinstance(said, Mapping) else {"head": said}
    if not isinstance(options.get("head"), str):
        raise ConfigError(f"target {target!r}: {said!r} names no head; give a name, or {{'head': name, ...}}")
    return dict(options)


def _fixed(weights: str | Mapping[str, float], targets: Sequence[str]) -> dict[str, float]:
    """Fixed weights, if the user gave any."""
    if isinstance(weights, str):
        if weights not in RULES:
            raise unknown("weights", weights, RULES)
        return {}
    if not isinstance(weights, Mapping):
        raise ConfigError(f"weights={weights!r} must be numbers by target, or one of {', '.join(RULES)}")
    for target, value in weights.items():
        if target not in targets:
            raise unknown("target in weights", target, targets)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < np.inf:
            raise ConfigError(f"weights: {value!r} of {target!r} is out of range (allowed: numbers of 0 or more)")
    found = {target: float(weights.get(target, 1.0)) for target in targets}
    if not any(found.values()):
        raise ConfigError("weights are 0 for every target; give at least one a weight above 0")
    return found


def _labelled(cells: Array) -> npt.NDArray[np.bool_]:
    """Where there is a label: neither None nor NaN."""
    return np.array([not (cell is None or (isinstance(cell, float) and cell != cell)) for cell in cells], bool)


def _flat(columns: Array, width: int) -> Array:
    """Encoded targets as their head takes them."""
    return columns if width else columns[:, 0]
