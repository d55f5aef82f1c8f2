"""Whether a model gives away which rows it was fitted on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, FitContext, Head, Json, Learner, Modality, Progress
from plait.contracts.crossing import unheard
from plait.data.frame import as_frame, source_columns
from plait.data.schema import Schema
from plait.errors import DataError
from plait.estimators.base import as_target
from plait.evidence import View, join
from plait.metrics.classification import rankings
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, plain

if TYPE_CHECKING:
    import pandas as pd

    from plait.estimators import Classifier, Regressor
    from plait.estimators.base import Sides

__all__ = ["FIGURES", "MembershipReport", "membership"]

FIGURES = ("auc", "tpr_at_1_percent", "advantage")
FEW = 100  # rows of each side under which a false positive rate of 1% cannot be told
LEAK = 0.55  # AUC that the lower end of an attack's interval must reach to be called a leak
RESAMPLES = 500

Report: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True)
class MembershipReport:
    """How well attacks tell training rows from others.

    Parameters
    ----------
    members, outsiders
        Rows that the attacks were judged on.
    attacks
        Name to 95% intervals of `FIGURES`: ROC AUC (.5: a guess), the share of members found when 1% of outsiders are
        taken for members, and the best difference of the two rates (0: a guess).
    """

    members: int
    outsiders: int
    attacks: Mapping[str, Mapping[str, Span]]
    notes: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether an attack surely does better than an AUC of .55."""
        return any(found["auc"].low > LEAK for found in self.attacks.values())

    def rows(self) -> tuple[tuple[str, ...], ...]:
        header = ("attack", "ROC AUC", "found at 1% false alarms", "advantage")
        return (header, *((name, *(str(found[key]) for key in FIGURES)) for name, found in self.attacks.items()))

    def __str__(self) -> str:
        told = "the model gives members away" if self.leaks else "no attack surely tells members (AUC above .55)"
        lines = [f"{self.members:,} members, {self.outsiders:,} outsiders: {told}", "", *aligned(self.rows())]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts, with ``leaks``."""
        return {**plain(self), "leaks": self.leaks}


def membership(
    model: Classifier | Regressor,
    members: tuple[object, object],
    outsiders: tuple[object, object],
    *,
    sides: Sides | None = None,
    rows: int = 5_000,
    seed: int = 0,
    progress: Report = unheard,
) -> MembershipReport:
    """Attack a fitted model as one would who wants to know whether a person's row was learned from.

    Parameters
    ----------
    members
        Rows that the model was fitted on, and their targets.
    outsiders
        Rows of the same population that it was not fitted on, and theirs. Where they are of another time, drift looks
        like membership.
    rows
        Of each at most, drawn at random.

    Raises
    ------
    DataError
        If either has under 100 rows.

    Notes
    -----
    ``"loss"``: the smaller the loss, the likelier a member (Yeom et al. 2018, attack 1). ``"calibrated loss"``: the
    loss less that of a reference model fitted on half of the outsiders, which tells how hard the row is anyway (Watson
    et al., "On the importance of difficulty calibration in membership inference attacks", ICLR 2022); it is judged on
    the other half. Attacks with many shadow models (Carlini et al. 2022) can do better: this bounds the leak from
    below.
    """
    rng = np.random.default_rng([seed, 0x3E3])
    inside = _drawn(members, "members", rows, rng)
    outside = _drawn(outsiders, "outsiders", rows, rng)
    progress(Progress("losses", 0, 2))
    losses = [_losses(model, *each, sides) for each in (inside, outside)]
    found = {"loss": _judged(-losses[0], -losses[1], seed)}
    progress(Progress("reference model", 1, 2))
    half = np.arange(len(outside[1])) % 2 == 0
    reference = _Reference.fit(model, outside[0][half], outside[1][half], sides, seed)
    hard = [reference.losses(frame, targets, sides) for frame, targets in (inside, outside)]
    found["calibrated loss"] = _judged(hard[0] - losses[0], (hard[1] - losses[1])[~half], seed)
    return MembershipReport(len(inside[1]), len(outside[1]), found)


def _drawn(given: tuple[object, object], what: str, most: int, rng: np.random.Generator) -> tuple[pd.DataFrame, Array]:
    frame, targets = as_frame(given[0]), as_target(given[1])
    if len(frame) != len(targets):
        raise DataError(f"there are {len(frame)} {what} but {len(targets)} targets of theirs")
    if len(frame) < FEW:
        raise DataError(f"there are {len(frame)} {what}; a rate of 1% needs at least {FEW} rows")
    chosen = np.sort(rng.permutation(len(frame))[:most])
    return frame.iloc[chosen], targets[chosen]


def _losses(
    model: Classifier | Regressor, frame: pd.DataFrame, targets: Array, sides: Sides | None
) -> npt.NDArray[np.float64]:
    """Log loss or squared error of each row."""
    inner = model.model_
    scores = inner.fitted.score(View(inner.batches(frame, sides), inner.rooms))
    return _error(inner.head, scores, targets)


def _error(head: Head, scores: Array, targets: Array) -> npt.NDArray[np.float64]:
    return head.error(scores, head.encode(targets), np.ones(len(targets)))


@dataclass(frozen=True)
class _Reference:
    """A model of half of the outsiders, by rooms of its own: it knows nothing of the attacked model."""

    schema: Schema
    rooms: Mapping[str, Modality]
    learner: Learner
    head: Head

    @classmethod
    def fit(
        cls, model: Classifier | Regressor, frame: pd.DataFrame, targets: Array, sides: Sides | None, seed: int
    ) -> _Reference:
        head, schema = model.model_.head, model.schema_
        encoded = head.encode(targets)
        doors = frozenset({"features"})
        context = FitContext(encoded, head.task, head.outputs, np.ones(len(encoded)), seed=seed, doors=doors)
        columns = source_columns(frame, schema, sides)
        rooms: dict[str, Modality] = {}
        parts = {}
        for source in schema.sources:
            rooms[source.name] = registry.room(source)(source).fit([columns[source.name]], context)
            batch = rooms[source.name].transform(columns[source.name])
            parts[source.name] = rooms[source.name].fit_features(batch, context)
        learner: Learner = registry.make("learners", "lightgbm", {"trees": 80, "leaves": 8, "members": 1})
        return cls(schema, rooms, learner.fit(join(parts, len(frame)).features, context), head)

    def losses(self, frame: pd.DataFrame, targets: Array, sides: Sides | None) -> npt.NDArray[np.float64]:
        columns = source_columns(frame, self.schema, sides)
        parts = {name: room.features(room.transform(columns[name])) for name, room in self.rooms.items()}
        return _error(self.head, self.learner.scores(join(parts, len(frame)).features), targets)


def _judged(members: Array, outsiders: Array, seed: int) -> dict[str, Span]:
    """`FIGURES` of scores that should be higher for members."""
    truth = np.repeat((1, 0), (len(members), len(outsiders)))

    def metric(targets: Array, scores: Array, weight: Array) -> Array:
        (ranked,) = rankings(targets, scores, weight)
        fpr = ranked.fp / np.maximum(ranked.fp[..., -1:], 1e-300)
        tpr = ranked.tp / np.maximum(ranked.tp[..., -1:], 1e-300)
        caught = np.where(fpr <= 0.01, tpr, 0.0).max(-1)
        return np.stack([ranked.roc_auc(), caught, (tpr - fpr).max(-1)], axis=-1)

    scores = {"": np.concatenate([members, outsiders])}
    centred = np.array([False, False, True])
    found = bootstrap(metric, truth, scores, resamples=RESAMPLES, seed=seed, centred=centred).interval("")
    return {name: Span(*map(float, each)) for name, *each in zip(FIGURES, *found, strict=True)}
