"""What fusions learn from and predict on: the sources of the same rows, and their features side by side, made once.

`Evidence` is the training side (rooms, batches, head, context); `View` is any other rows, with sources possibly
hidden. Both make the joined features at most once, however many parts of a model ask for them.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.classical.shares import gathered, rest
from plait.contracts import (
    Array,
    Batch,
    Batches,
    Column,
    Contributions,
    Features,
    FeatureShares,
    FitContext,
    Head,
    Json,
    Learner,
    Modality,
    Origin,
    Origins,
    Prediction,
    Progress,
    Side,
    Sparse,
    State,
    Traceable,
)
from plait.data.fingerprint import fingerprint
from plait.data.splits import holdout, inner_folds
from plait.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.schema import Schema

__all__ = [
    "Evidence",
    "Fitted",
    "Joined",
    "Pool",
    "Pools",
    "View",
    "copies",
    "join",
    "masked_copies",
    "whole",
]

AT_ONCE = 8_192  # coalitions scored at once, which bounds memory


@dataclass(frozen=True)
class Joined:
    """Features of all sources side by side; source ``i`` owns dense columns ``starts[i]:starts[i + 1]``.

    `wide_starts` says the same of the wide form. Both have ``S + 1`` entries.
    """

    features: Features
    sources: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    wide_starts: npt.NDArray[np.int64]

    def take(self, rows: Array) -> Joined:
        return replace(self, features=self.features.take(rows))

    def mask(self, present: npt.NDArray[np.bool_]) -> Features:
        """The features with sources hidden wherever `present` (bool ``N x S``) is false."""
        if present.all():
            return self.features
        seen = np.repeat(present, np.diff(self.starts), axis=1)
        values = np.where(seen, self.features.values, np.float32(np.nan))
        wide = self.features.wide
        if wide is not None:
            rows = np.repeat(np.arange(len(wide)), np.diff(wide.indptr))
            owner = np.searchsorted(self.wide_starts, wide.indices, side="right") - 1
            kept = present[rows, owner]
            counts = np.bincount(rows[kept], minlength=len(wide))
            indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
            wide = Sparse(indptr, wide.indices[kept], wide.data[kept], wide.width)
        return replace(self.features, values=values, present=self.features.present & seen, wide=wide)

    def contributions(
        self,
        shares: FeatureShares,
        rooms: Mapping[str, Modality],
        score: npt.NDArray[np.float64],
        part: str,
    ) -> Contributions:
        """What a learner tells of its features, by the columns of the frame that they are made of."""
        told = {name: room.origins() if isinstance(room, Traceable) else Origins() for name, room in rooms.items()}
        dense = []
        for i, source in enumerate(self.sources):
            names = self.features.names[int(self.starts[i]) : int(self.starts[i + 1])]
            columns = told[source].features or [whole(rooms[source])] * len(names)
            plain = (name.removeprefix(f"{source}.") if len(self.sources) > 1 else name for name in names)
            dense += [Origin(source, column, name) for column, name in zip(columns, plain, strict=True)]

        def term(place: int) -> Origin:
            i = int(np.searchsorted(self.wide_starts, place, side="right")) - 1
            source, j = self.sources[i], place - int(self.wide_starts[i])
            own = told[source]
            column = own.columns[j] if own.columns else whole(rooms[source])
            return Origin(source, column, own.terms[j]) if own.terms else rest(source, column)

        origins, values = gathered(shares, self.features.wide, dense, term)
        return Contributions(origins, values, shares.base, score, {part: shares.method})

    def only(self, source: str) -> Joined:
        """The features of one source, under their own names."""
        i = self.sources.index(source)
        span = slice(int(self.starts[i]), int(self.starts[i + 1]))
        first, last = int(self.wide_starts[i]), int(self.wide_starts[i + 1])
        whole, wide = self.features, None
        if whole.wide is not None and last > first:
            rows = np.repeat(np.arange(len(whole)), np.diff(whole.wide.indptr))
            own = (whole.wide.indices >= first) & (whole.wide.indices < last)
            counts = np.bincount(rows[own], minlength=len(whole))
            indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
            indices = (whole.wide.indices[own] - first).astype(np.int32)
            wide = Sparse(indptr, indices, whole.wide.data[own], last - first)
        names = tuple(name.removeprefix(f"{source}.") for name in whole.names[span])
        part = Features(
            whole.values[:, span], names, whole.present[:, span], whole.categorical[span], whole.covered[span], wide
        )
        return join({source: part}, len(whole))


def whole(room: Modality) -> str:
    """Where shares stand that belong to no single column: under the source's one column, or its own name."""
    return room.source.columns[0] if len(room.source.columns) == 1 else room.source.name


def join(parts: Mapping[str, Features], rows: int) -> Joined:
    """Put the features of several sources side by side; names are prefixed where there is more than one source."""
    sources = tuple(parts)
    starts = np.cumsum([0, *(part.values.shape[1] for part in parts.values())]).astype(np.int64)
    widths = [0 if part.wide is None else part.wide.width for part in parts.values()]
    wides = [part.wide for part in parts.values() if part.wide is not None]
    prefix = len(sources) > 1
    features = Features(
        np.concatenate([np.empty((rows, 0), np.float32), *(part.values for part in parts.values())], axis=1),
        tuple(f"{source}.{name}" if prefix else name for source, part in parts.items() for name in part.names),
        np.concatenate([np.empty((rows, 0), bool), *(part.present for part in parts.values())], axis=1),
        np.concatenate([np.empty(0, bool), *(part.categorical for part in parts.values())]),
        np.concatenate([np.empty(0, bool), *(part.covered for part in parts.values())]),
        Sparse.beside(wides) if wides else None,
    )
    return Joined(features, sources, starts, np.cumsum([0, *widths]).astype(np.int64))


@dataclass(frozen=True)
class Pool:
    """Some of the rows a network learns from: their positions (int64 ``n``), and each source's encoder inputs."""

    rows: npt.NDArray[np.int64]
    inputs: Mapping[str, Batch]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Array) -> Pool:
        return Pool(self.rows[places], {source: batch.take(places) for source, batch in self.inputs.items()})

    def before(self, other: Pool) -> Pool:
        """These rows, then those."""
        inputs = {source: Batch.concatenate([batch, other.inputs[source]]) for source, batch in self.inputs.items()}
        return Pool(np.concatenate([self.rows, other.rows]), inputs)


Pools: TypeAlias = Callable[[np.random.Generator, int], Iterator[Pool]]
"""An epoch: all rows once, in one pool or many; every pool but the last holds a multiple of the rows asked for."""


class Evidence:
    """What a fusion is fitted on.

    Fusions may fit label-using features in `rooms` (through `joined`); when they return, the rooms know them from
    all of the rows given. `take` makes copies of the rooms, so that trials on some of the rows leave no trace.
    """

    _whole: Evidence | None = None  # whose features these are, too

    def __init__(self, batches: Batches, rooms: Mapping[str, Modality], head: Head, context: FitContext) -> None:
        self.batches = batches
        self.rooms = rooms
        self.head = head
        self.context = context

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        schema: Schema,
        rooms: dict[str, Modality],
        head: Head,
        context: FitContext,
        sides: Mapping[str, Side] | None = None,
        lap: Callable[[str], None] = lambda stage: None,
    ) -> Self:
        """Fit `rooms` on the frame and read it; `lap` is told of each stage that is over."""
        from plait.data.frame import source_columns  # it needs pandas, which what applies a model does not

        columns = source_columns(frame, schema, sides)
        batches: dict[str, Batch] = {}
        for name, room in rooms.items():
            context.report(Progress(f"reading {name}", len(batches), len(rooms)))
            rooms[name], batches[name] = _read(room, columns[name], context)
            lap(f"read {name}")
        return cls(Batches(batches, len(frame)), rooms, head, context)

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def everyone(self) -> FitContext:
        """All rows that are learned from; `context` and `batches` are of a sample where not all are in memory."""
        return self.context

    @property
    def sample(self) -> Evidence:
        """What of this is in memory."""
        return self

    @property
    def faults(self) -> list[dict[str, Json]]:
        """Cells that could not be read, counted."""
        from plait.data.faults import counted

        return counted(self.batches.faults)

    def teach(self, learner: Learner, masking: float) -> None:
        """Fit a learner on the joined features of all rows and of masked copies of a share of them."""
        learner.tune(self.joined.features, self.context)
        learner.fit(*masked_copies(self.joined, self.batches.present, self.context, masking))

    def holdout(self, share: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows to fit a network on and rows to stop it by; see `plait.data.splits.holdout`."""
        return holdout(self.context, share)

    def inputs(self, rows: Array) -> dict[str, Batch]:
        """What encoders read of some of the rows."""
        return {name: self.rooms[name].inputs(batch.take(rows)) for name, batch in self.batches.sources.items()}

    def pools(self, rows: Array) -> Pools | None:
        """Epochs of some of the rows, pool by pool; None: they are in memory, and `inputs` tells more."""
        return None

    def within(self, name: str) -> Evidence:
        """The same for a part of the fit that keeps what it does under a name of its own; features are shared."""
        own = copy.copy(self)
        own.context, own._whole = self.context.within(name), self
        return own

    def take(self, rows: Array) -> Evidence:
        """Some of the rows, with rooms of their own."""
        rooms = {name: copy.copy(room) for name, room in self.rooms.items()}
        return Evidence(self.batches.take(rows), rooms, self.head, self.context.take(rows))

    def narrow(self, source: str) -> Evidence:
        """One source of the same rows, by the same room; features already made are shared."""
        batches = Batches({source: self.batches.sources[source]}, len(self))
        narrowed = Evidence(batches, {source: self.rooms[source]}, self.head, self.context)
        narrowed.joined = self.joined.only(source)
        return narrowed

    @cached_property
    def joined(self) -> Joined:
        """Training features, out of fold wherever a label is used."""
        if self._whole is not None:
            return self._whole.joined
        context = self.context
        if context.folds is None:
            context = replace(context, folds=inner_folds(context))
        parts = {n: self.rooms[n].fit_features(batch, context) for n, batch in self.batches.sources.items()}
        return join(parts, len(self.batches))


def _read(room: Modality, columns: tuple[Column, ...], context: FitContext) -> tuple[Modality, Batch]:
    """A room, fitted once, and what it reads, each time anew: that is what cannot be kept cheaply."""

    def make() -> tuple[Modality, Batch]:
        fitted = room if name in context.job.known else room.fit([columns], context)
        return fitted, fitted.transform(columns)

    def to(made: tuple[Modality, Batch]) -> State:
        return State(1, {"cells": fingerprint(made[1])}, parts={"room": made[0].state()})

    def back(state: State) -> tuple[Modality, Batch]:
        fitted = type(room).from_state(room.source, state.parts["room"])
        batch = fitted.transform(columns)
        if fingerprint(batch) != state.values["cells"]:
            raise DataError(
                f"the cells of source {name!r} are not those that this fit was begun with; give the same data, or "
                "start again without what was kept"
            )
        return fitted, batch

    name = room.source.name
    return context.within("rooms").within(name).once(f"reading {name}", make, to, back)


class View:
    """Rows to be predicted. `present` (bool ``N x S`` or ``S``) hides sources."""

    def __init__(self, batches: Batches, rooms: Mapping[str, Modality], present: Array | None = None) -> None:
        self.batches = batches.mask(present)
        self.rooms = rooms
        self.like: tuple[View, Array, frozenset[str]] | None = None  # whose rows these are, save for some sources
        self.made: dict[str, Features] = {}

    def __len__(self) -> int:
        return len(self.batches)

    def narrow(self, source: str) -> View:
        """One source of the same rows; features already made are shared."""
        batches = Batches({source: self.batches.sources[source]}, len(self))
        narrowed = View(batches, {source: self.rooms[source]})
        narrowed.joined = self.joined.only(source)
        return narrowed

    def replaced(self, rows: Array, others: Mapping[str, Batch]) -> View:
        """``M`` of the rows by index (repeats allowed), the cells of some sources being `others` (``M`` rows each).

        Features of the sources that stay are taken from this view, not made again; networks encode them once.
        """
        kept = self.batches.take(rows)
        view = View(Batches({**kept.sources, **others}, len(kept)), self.rooms)
        view.like = self, np.asarray(rows), frozenset(others)
        return view

    @property
    def features(self) -> dict[str, Features]:
        """Of each source."""
        return {name: self.of(name) for name in self.batches.sources}

    def of(self, source: str) -> Features:
        """Features of one source, made once."""
        if source not in self.made:
            if self.like is not None and source not in self.like[2]:
                self.made[source] = self.like[0].of(source).take(self.like[1])
            else:
                self.made[source] = self.rooms[source].features(self.batches.sources[source])
        return self.made[source]

    @cached_property
    def joined(self) -> Joined:
        return join(self.features, len(self.batches))


class Fitted(ABC):
    """What `Fusion.fit` returns: a predictor that scores views and gives its state away."""

    version: ClassVar[int] = 1
    refits: ClassVar[bool] = True  # cheap enough to be fitted a second time, on all rows, within a stack

    def __init__(self, rooms: Mapping[str, Modality], head: Head) -> None:
        self.rooms = rooms
        self.head = head

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self.rooms)

    @abstractmethod
    def scores(self, view: View) -> npt.NDArray[np.float64]:
        """float64 ``N x K``; what stands in rows without any source is ignored."""

    @abstractmethod
    def state(self) -> State: ...

    @property
    def settings(self) -> dict[str, dict[str, Json]]:
        """Options by part name that repeat this fit without choosing again."""
        return {}

    @property
    def noted(self) -> dict[str, Json]:
        """What the record of a run keeps of the fit, by part name."""
        return {}

    def score(self, view: View) -> npt.NDArray[np.float64]:
        """Scores, with the head's prior where nothing is present."""
        seen = np.asarray(view.batches.present.any(axis=1))
        if not seen.any():
            return np.tile(self.head.prior, (len(view), 1))
        return np.asarray(np.where(seen[:, None], self.scores(view), self.head.prior), np.float64)

    def coalitions(self, view: View, rows: Array, present: Array) -> npt.NDArray[np.float64]:
        """Scores of `rows` of a view (int ``M``), each with the sources in `present` alone (bool ``M x S``).

        What `score` says of such rows, float64 ``M x K``; each source of a row is looked at once, however many
        coalitions it is in, and equal coalitions are scored once.
        """
        seen = view.batches.present[rows] & present
        keys = np.column_stack([rows, np.packbits(seen, axis=1)])
        _, first, where = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        out = np.tile(np.asarray(self.head.prior, np.float64), (len(first), 1))
        some = np.flatnonzero(seen[first].any(axis=1))
        for start in range(0, len(some), AT_ONCE):
            chunk = some[start : start + AT_ONCE]
            out[chunk] = self.together(view, np.asarray(rows)[first[chunk]], seen[first[chunk]])
        return np.asarray(out[where.reshape(-1)])

    def together(self, view: View, rows: Array, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Scores of coalitions, none of them empty and all of them there: what `coalitions` is made of."""
        return self.scores(View(view.batches.take(rows), self.rooms, present))

    def contributions(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        """What adds up to one score of each row; `output` (int64 ``N``) says which of the ``K``.

        Rows without any source have the prior as their base, and nothing else.
        """
        seen = np.asarray(view.batches.present.any(axis=1))
        found = self.shares(view, output)
        prior = np.asarray(self.head.prior, np.float64)[output]
        return replace(
            found,
            values=np.where(seen[:, None], found.values, 0.0),
            base=np.where(seen, found.base, prior),
            score=np.where(seen, found.score, prior),
            attention={name: np.where(seen, weights, 0.0) for name, weights in found.attention.items()},
        )

    def shares(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        """What `contributions` is made of; all is residual where a fusion does not tell more."""
        rows = np.arange(len(view))
        prior = np.asarray(self.head.prior, np.float64)[output]
        return Contributions((), np.zeros((len(view), 0)), prior, self.score(view)[rows, output])

    def predict(self, batches: Batches, present: Array | None = None) -> Prediction:
        """Predict rows; `present` (bool ``N x S`` or ``S``) hides sources. With nothing present: the prior."""
        return self.head.decode(self.score(View(batches, self.rooms, present)))


def masked_copies(
    joined: Joined, present: npt.NDArray[np.bool_], context: FitContext, share: float
) -> tuple[Features, FitContext]:
    """Add copies of a share of the rows with a random subset of their sources hidden.

    A booster that never saw a source absent answers nonsense where one is; the copies teach it. Rows with a single
    source are never copied (with nothing present the prior answers).

    Parameters
    ----------
    present
        bool ``N x S``.
    share
        Copies per row, 0..1.
    """
    chosen, kept = copies(present, context, share)
    if not len(chosen):
        return joined.features, context
    rows = np.concatenate([np.arange(len(context)), chosen])
    features = joined.take(rows).mask(np.concatenate([present, kept]))
    return features, context.take(rows)


def copies(
    present: npt.NDArray[np.bool_], context: FitContext, share: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The rows that `masked_copies` copies (int64 ``n``, ascending), and which sources each copy keeps (``n x S``)."""
    rng = context.rng("masked sources")
    candidates = np.flatnonzero(present.sum(axis=1) > 1)
    chosen = np.sort(rng.permutation(candidates)[: round(share * len(candidates))])
    kept = present[chosen] & (rng.random((len(chosen), present.shape[1])) < 0.5)
    lost = ~kept.any(axis=1)
    kept[lost] = _one_of(present[chosen[lost]], rng)
    return chosen, kept


def _one_of(present: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """One present source a row, at random: bool ``n x S``."""
    kept = np.zeros(present.shape, bool)
    kept[np.arange(len(present)), np.where(present, rng.random(present.shape), -1.0).argmax(axis=1)] = True
    return kept
