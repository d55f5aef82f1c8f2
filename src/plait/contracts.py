"""What crosses rooms: frozen dataclasses of numpy arrays, and the protocols of the parts.

Shapes: ``N`` rows, ``F`` features, ``K`` scores a row, ``B`` rows of a mini-batch, ``T`` tokens, ``D`` width.

A *score* is the common currency of learners, fusions and heads (float64, ``N x K``): log-odds of the second class
(binary, ``K = 1``), logits of the classes (multiclass, ``K`` classes), or the standardised value (regression,
``K = 1``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

__all__ = [
    "Array",
    "Batch",
    "Batches",
    "Column",
    "Encoder",
    "Fault",
    "Features",
    "FitContext",
    "Head",
    "Json",
    "Learner",
    "Modality",
    "Prediction",
    "Predictor",
    "Progress",
    "Ragged",
    "Side",
    "Source",
    "Sparse",
    "State",
    "Task",
    "Tokens",
]

Array: TypeAlias = npt.NDArray[Any]
Json: TypeAlias = Any  # what json.dumps accepts; a recursive alias costs more than it tells
Task: TypeAlias = Literal["binary", "multiclass", "regression"]

MAX_FEATURES = 256  # dense features a source may have


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length: row ``i`` is ``values[offsets[i]:offsets[i + 1]]`` (offsets int64, ``N + 1``)."""

    values: Array
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.offsets)

    @classmethod
    def from_rows(cls, rows: Sequence[Array], empty: Array) -> Self:
        """Pack a list of arrays; `empty` (length 0) gives dtype and trailing shape when there are no rows."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return cls(np.concatenate([empty, *rows]) if rows else empty, offsets)

    def row(self, i: int) -> Array:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def take(self, rows: Array) -> Ragged:
        """Rows by index (int) in the given order."""
        rows = np.asarray(rows)
        lengths = self.lengths[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        where = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.values[where], offsets)

    @staticmethod
    def concatenate(parts: Sequence[Ragged]) -> Ragged:
        lengths = np.concatenate([part.lengths for part in parts])
        values = np.concatenate([part.values[part.offsets[0] : part.offsets[-1]] for part in parts])
        return Ragged(values, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))


@dataclass(frozen=True)
class Sparse:
    """A compressed-sparse-row matrix in numpy alone (the edge runtime has no scipy): ``N x width``, float32 data."""

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    data: npt.NDArray[np.float32]
    width: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def take(self, rows: Array) -> Sparse:
        rows = np.asarray(rows)
        pairs = Ragged(np.arange(len(self.indices)), self.indptr).take(rows)
        return Sparse(pairs.offsets, self.indices[pairs.values], self.data[pairs.values], self.width)

    def keep(self, present: Array) -> Sparse:
        """Zero the rows where `present` (bool ``N``) is false."""
        lengths = np.diff(self.indptr)
        inside = np.repeat(present, lengths)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.where(present, lengths, 0))])
        return Sparse(indptr, self.indices[inside], self.data[inside], self.width)

    def dot(self, dense: Array) -> Array:
        """Product with a dense ``width x K`` matrix: float64 ``N x K``."""
        out = np.zeros((len(self), dense.shape[1]))
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        for k in range(dense.shape[1]):
            terms = dense[:, k][self.indices] * self.data
            out[:, k] = np.bincount(rows, weights=terms, minlength=len(self))
        return out

    @staticmethod
    def beside(parts: Sequence[Sparse]) -> Sparse:
        """Matrices of the same rows side by side."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(part.width for part in parts)])
        lengths = np.sum([np.diff(part.indptr) for part in parts], axis=0)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        indices = np.empty(indptr[-1], np.int32)
        data = np.empty(indptr[-1], np.float32)
        filled = indptr[:-1].copy()
        for start, part in zip(starts, parts, strict=False):
            own = np.diff(part.indptr)
            where = np.repeat(filled - part.indptr[:-1], own) + np.arange(len(part.indices))
            indices[where] = part.indices + start
            data[where] = part.data
            filled += own
        return Sparse(indptr, indices, data, int(starts[-1]))


@dataclass(frozen=True)
class Side:
    """A long table behind nested cells: a row's cell is the side's rows with its key, known by the row's time.

    `columns` are equal-length numpy arrays and include `key` and, where given, `time` (datetime64[ns] or float).
    """

    name: str
    columns: Mapping[str, Array]
    key: str
    time: str | None = None


@dataclass(frozen=True)
class Column:
    """One column of a frame.

    Parameters
    ----------
    name
        Column name.
    values
        One of float64, bool, datetime64[ns], timedelta64[ns], or object (str and any other cell).
    present
        bool ``N``: false where the cell is missing (None, NaN, NaT). What stands in `values` there is undefined.
    row_time
        float64 ``N``, seconds since 1970 (NaN unknown): the moment at which the row is judged, or None.
    side
        The long table that this column's values are keys of, or None.
    """

    name: str
    values: Array
    present: npt.NDArray[np.bool_]
    row_time: npt.NDArray[np.float64] | None = None
    side: Side | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> Column:
        """Rows by index (int), bool mask, or slice."""
        time = None if self.row_time is None else self.row_time[rows]
        return Column(self.name, self.values[rows], self.present[rows], time, self.side)


@dataclass(frozen=True)
class Source:
    """A group of columns that one room reads: all tabular columns together, any other column alone.

    `options` maps a column's name to what the schema says about it; `share` names an encoder tied with other sources.
    """

    name: str
    modality: str
    columns: tuple[str, ...]
    options: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    share: str | None = None


@dataclass(frozen=True)
class Fault:
    """A cell that is there but cannot be read; it counts as missing. `row` is the position in the batch."""

    row: int
    column: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Cells of one source as arrays. Every array or `Ragged` has ``N`` rows; `present` is bool ``N``."""

    arrays: Mapping[str, Array | Ragged]
    present: npt.NDArray[np.bool_]
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Array) -> Batch:
        """Rows by index (int), in the given order; faults stay with the whole."""
        arrays = {k: v.take(rows) if isinstance(v, Ragged) else v[rows] for k, v in self.arrays.items()}
        return Batch(arrays, self.present[rows])

    def mask(self, present: Array) -> Batch:
        """The same rows, with the source absent wherever `present` (bool ``N``) is false."""
        return replace(self, present=self.present & present)

    @staticmethod
    def concatenate(parts: Sequence[Batch]) -> Batch:
        """Stack batches of the same source, in order."""
        arrays: dict[str, Array | Ragged] = {}
        for key in parts[0].arrays:
            values = [part.arrays[key] for part in parts]
            ragged = [v for v in values if isinstance(v, Ragged)]
            arrays[key] = Ragged.concatenate(ragged) if ragged else np.concatenate(values)  # type: ignore[arg-type]
        starts = np.cumsum([0, *(len(part) for part in parts)])
        faults = (replace(f, row=f.row + int(s)) for s, p in zip(starts, parts, strict=False) for f in p.faults)
        return Batch(arrays, np.concatenate([part.present for part in parts]), tuple(faults))


@dataclass(frozen=True)
class Batches:
    """The same ``N`` rows through every source's eyes: source name to `Batch`."""

    sources: Mapping[str, Batch]
    rows: int

    def __len__(self) -> int:
        return self.rows

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """bool ``N x S``, sources in order."""
        if not self.sources:
            return np.zeros((self.rows, 0), bool)
        return np.stack([batch.present for batch in self.sources.values()], axis=1)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for batch in self.sources.values() for fault in batch.faults)

    def take(self, rows: Array) -> Batches:
        rows = np.asarray(rows)
        return Batches({name: batch.take(rows) for name, batch in self.sources.items()}, len(rows))

    def mask(self, present: Array | None) -> Batches:
        """Sources absent wherever `present` (bool ``N x S`` or ``S``) is false; None changes nothing."""
        if present is None:
            return self
        seen = np.broadcast_to(np.asarray(present, bool), (self.rows, len(self.sources)))
        return replace(self, sources={n: b.mask(seen[:, i]) for i, (n, b) in enumerate(self.sources.items())})


@dataclass(frozen=True)
class Features:
    """What a room tells classical learners.

    Parameters
    ----------
    values
        float32 ``N x F``, at most 256 columns a source; NaN exactly where `present` is false, never infinite.
    names
        ``F`` unique names, readable by a person.
    present
        bool ``N x F``.
    categorical
        bool ``F``: columns that hold category codes (0, 1, ...), for learners that declare `accepts_categorical`.
    wide
        Sparse ``N x W`` form, for learners that declare `accepts_wide`; all-zero rows where the source is absent.
        Learners with `accepts_wide` ignore the columns marked `categorical` (the wide form holds them one-hot).
    """

    values: npt.NDArray[np.float32]
    names: tuple[str, ...]
    present: npt.NDArray[np.bool_]
    categorical: npt.NDArray[np.bool_]
    wide: Sparse | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> Features:
        wide = None if self.wide is None else self.wide.take(rows)
        return replace(self, values=self.values[rows], present=self.present[rows], wide=wide)


@dataclass(frozen=True)
class Tokens:
    """What a room tells the neural body: values ``B x T x D``, mask bool ``B x T`` (true = a token is there)."""

    values_BTD: torch.Tensor
    mask_BT: torch.Tensor


@dataclass(frozen=True)
class Progress:
    """One report of a long job: `done` of `total` steps of `stage`, with the last `metric` if there is one."""

    stage: str
    done: int
    total: int
    metric: float | None = None


@dataclass(frozen=True)
class FitContext:
    """All that a part may know while fitting, aligned with the training rows.

    Parameters
    ----------
    targets
        float64 ``N``: class index or standardised value, as the head encodes it.
    task
        How classical learners see the target.
    outputs
        Scores a row (``K``).
    weight
        float64 ``N``, mean 1.
    time, label_time
        float64 ``N``, seconds since 1970: the moment of the row, and when its outcome became known; or None.
    groups
        int64 ``N`` or None: rows of one group never stand on both sides of a split.
    folds
        int64 ``N``: fold of each row for out-of-fold features (``-1``: never held out). None: the part makes its own.
    seed, threads
        The run's seed and thread count.
    doors
        ``{"features", "tokens"}`` or a part of it: what will be asked of the rooms later.
    report
        Called with `Progress`.
    """

    targets: npt.NDArray[np.float64]
    task: Task
    outputs: int
    weight: npt.NDArray[np.float64]
    time: npt.NDArray[np.float64] | None = None
    label_time: npt.NDArray[np.float64] | None = None
    groups: npt.NDArray[np.int64] | None = None
    folds: npt.NDArray[np.int64] | None = None
    seed: int = 0
    threads: int = 1
    doors: frozenset[str] = frozenset({"features", "tokens"})
    report: Callable[[Progress], None] = lambda progress: None

    def __len__(self) -> int:
        return len(self.targets)

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose, so that adding a draw in one place changes no other."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    def take(self, rows: Array) -> FitContext:
        """The context of some of the rows; folds are dropped, since they were made for the whole."""

        def pick(values: Array | None) -> Array | None:
            return None if values is None else values[rows]

        return replace(
            self,
            targets=self.targets[rows],
            weight=self.weight[rows],
            time=pick(self.time),
            label_time=pick(self.label_time),
            groups=pick(self.groups),
            folds=None,
        )


@dataclass(frozen=True)
class State:
    """A fitted part on its way to disk: JSON values, arrays, long texts and nested parts; nothing executable."""

    version: int
    values: Mapping[str, Json] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """What a head says about ``N`` rows.

    Parameters
    ----------
    kind
        ``"class"`` or ``"value"``; later kinds join here.
    values
        float64: probabilities ``N x C`` (class) or values ``N`` (value).
    classes
        The ``C`` labels of a class prediction.
    """

    kind: str
    values: npt.NDArray[np.float64]
    classes: Array | None = None

    def __len__(self) -> int:
        return len(self.values)


class Modality(Protocol):
    """A room: two doors over the cells of one source. The conformance suite says the rest.

    `joint` rooms read all their columns as one source; others make each column a source.
    """

    name: ClassVar[str]
    joint: ClassVar[bool]
    version: ClassVar[int]
    source: Source

    def __init__(self, source: Source) -> None: ...

    @staticmethod
    def accepts(column: Column) -> float:
        """How sure this room is that the column is its own, 0..1, from a sample of its cells."""

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Made columns of one source, with some cells missing and some broken, for the conformance suite."""

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn what needs no label (vocabularies, scales) from training rows; `chunks` can be iterated again."""

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Cells to arrays, presence and faults; never raises for a cell."""

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """Features of the training rows, out of fold (`context.folds`) wherever a label is used."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Features of any other rows."""

    def inputs(self, batch: Batch) -> Batch:
        """The arrays that the encoder reads (subword ids, scaled numbers), made once a fit, not once an epoch."""
        return batch

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """The module that turns inputs into tokens."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self: ...


class Encoder(Protocol):
    """An ``nn.Module`` from a room's inputs to tokens."""

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Arrays of one mini-batch as padded tensors, with ``"present"`` (bool ``B``) among them."""

    def __call__(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        """Tokens; all masked in rows whose source is absent."""


class Learner(Protocol):
    """A classical learner over features. Its options are keyword arguments of the constructor."""

    name: ClassVar[str]
    version: ClassVar[int]
    accepts_wide: ClassVar[bool]
    accepts_categorical: ClassVar[bool]

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose what the user left open (trees, penalty) on inner held-out rows; `fit` then uses the choice."""

    def fit(self, features: Features, context: FitContext) -> Self:
        """Learn `context.targets` from all rows, weighted by `context.weight`."""

    @property
    def settings(self) -> dict[str, Json]:
        """The constructor's options that repeat this fit without choosing again."""

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        """float64 ``N x K``."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, state: State) -> Self: ...


class Head(Protocol):
    """What is predicted: encodes targets, measures error, and turns scores into a `Prediction`."""

    name: ClassVar[str]
    version: ClassVar[int]
    task: ClassVar[Task]
    outputs: int

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn the classes or the scale, and the prior."""

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        """Class index or standardised value, float64 ``N``."""

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        """Scores (``K``) of a row of which nothing is known."""

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction: ...

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        """Weighted loss of each row (log loss or squared error), for early stopping and stacking: float64 ``N``."""

    def module(self, width: int) -> torch.nn.Module:
        """From (tokens ``B x T x D``, mask ``B x T``, pooled ``B x D``) to scores ``B x K``."""

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The mean weighted training loss, a scalar."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, state: State) -> Self: ...


class Predictor(Protocol):
    """All that explanation and reports see of a fitted model."""

    @property
    def sources(self) -> tuple[str, ...]: ...

    def predict(self, batches: Batches, present: Array | None = None) -> Prediction:
        """Predict rows; `present` (bool ``N x S`` or ``S``) hides sources. With nothing present: the prior."""
