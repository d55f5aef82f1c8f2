"""What rooms hand each other: frozen dataclasses."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from plait.contracts.arrays import Array, Ragged, Sparse
from plait.contracts.keeping import FORGETFUL, Keep

if TYPE_CHECKING:
    import torch

__all__ = [
    "MAX_FEATURES",
    "Batch",
    "Batches",
    "Column",
    "Fault",
    "Features",
    "FitContext",
    "Items",
    "Job",
    "Json",
    "Nested",
    "Prediction",
    "Progress",
    "Side",
    "Source",
    "State",
    "Task",
    "Tokens",
]

Json: TypeAlias = Any  # what json.dumps accepts; a recursive alias costs more than it tells
Task: TypeAlias = Literal["binary", "multiclass", "regression"]
Done = TypeVar("Done")

MAX_FEATURES = 256  # dense features a source may have, or one a column where it has more columns


@dataclass(frozen=True)
class Side:
    """A long table behind nested cells: a row's cell is the side's rows with its key, known by the row's time.

    `columns` are equal-length numpy arrays, sorted by key and time; they include `key` and, where given, `time`
    (float64 seconds since 1970).
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
    folder
        The folder that cells which are paths lie in, or None: then no path is opened.
    """

    name: str
    values: Array
    present: npt.NDArray[np.bool_]
    row_time: npt.NDArray[np.float64] | None = None
    side: Side | None = None
    folder: str | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> Column:
        """Rows by index (int), bool mask, or slice."""
        time = None if self.row_time is None else self.row_time[rows]
        return replace(self, values=self.values[rows], present=self.present[rows], row_time=time)


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
class Nested:
    """Rows of unequally many items: row ``i`` is items ``offsets[i]:offsets[i + 1]`` of `items` (offsets int64)."""

    items: Batch
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.offsets)

    def take(self, rows: Array) -> Nested:
        """Rows by index (int) in the given order."""
        chosen = Ragged(np.arange(self.offsets[-1]), self.offsets).take(rows)
        return Nested(self.items.take(chosen.values), chosen.offsets)

    @staticmethod
    def concatenate(parts: Sequence[Nested]) -> Nested:
        lengths = np.concatenate([part.lengths for part in parts])
        items = Batch.concatenate([part.items for part in parts])
        return Nested(items, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))


@dataclass(frozen=True)
class Batch:
    """Cells of one source as arrays. Every array, `Ragged` or `Nested` has ``N`` rows; `present` is bool ``N``."""

    arrays: Mapping[str, Array | Ragged | Nested]
    present: npt.NDArray[np.bool_]
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Array) -> Batch:
        """Rows by index (int), in the given order; faults stay with the whole."""
        arrays = {k: v[rows] if isinstance(v, np.ndarray) else v.take(rows) for k, v in self.arrays.items()}
        return Batch(arrays, self.present[rows])

    def mask(self, present: Array) -> Batch:
        """The same rows, with the source absent wherever `present` (bool ``N``) is false."""
        return replace(self, present=self.present & present)

    @staticmethod
    def concatenate(parts: Sequence[Batch]) -> Batch:
        """Stack batches of the same source, in order."""
        arrays: dict[str, Array | Ragged | Nested] = {}
        for key, first in parts[0].arrays.items():
            values: list[Any] = [part.arrays[key] for part in parts]
            arrays[key] = np.concatenate(values) if isinstance(first, np.ndarray) else first.concatenate(values)
        starts = np.cumsum([0, *(len(part) for part in parts)])
        faults = (replace(f, row=f.row + int(s)) for s, p in zip(starts, parts, strict=False) for f in p.faults)
        return Batch(arrays, np.concatenate([part.present for part in parts]), tuple(faults))


@dataclass(frozen=True)
class Items:
    """What a pretrained encoder reads of a batch, in one of the forms that such encoders take.

    Parameters
    ----------
    form
        ``"words"``: `values` is a list of ``N`` str. ``"pixels"``: uint8 ``N x H x W x 3``. ``"waves"``: Ragged int16,
        or float32 in -1..1, `rate` samples a second. ``"steps"``: Ragged float32 ``T x C``, oldest first, NaN
        unobserved.
    values
        Rows in the order of the batch; what stands in absent rows is not read.
    """

    form: Literal["words", "pixels", "waves", "steps"]
    values: list[str] | Array | Ragged
    rate: int | None = None


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
        float32 ``N x F``; `MAX_FEATURES` bounds the columns of a source; NaN exactly where `present` is false, never
        infinite.
    names
        ``F`` unique names, readable by a person.
    present
        bool ``N x F``.
    categorical
        bool ``F``: columns that hold category codes (0, 1, ...), for learners that declare `accepts_categorical`.
    covered
        bool ``F``: columns that say in short what the wide form says in full (category codes, topics of a text);
        learners that declare `accepts_wide` leave them out.
    wide
        Sparse ``N x W`` form, for learners that declare `accepts_wide`; all-zero rows where the source is absent.
    """

    values: npt.NDArray[np.float32]
    names: tuple[str, ...]
    present: npt.NDArray[np.bool_]
    categorical: npt.NDArray[np.bool_]
    covered: npt.NDArray[np.bool_]
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
    """One report of a long job: `done` of `total` steps of `stage`, with the last `metric` if there is one.

    `metrics` are all figures of the moment by name (losses, rates, norms of gradients), for those who watch, `part` is
    the place of the part of the fit that reports (``"attention/network"``), empty for the whole, and `settings` are
    what a trial tried, by ``part.option``.
    """

    stage: str
    done: int
    total: int
    metric: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    part: str = ""
    settings: Mapping[str, Json] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """The metrics, and the last metric among them."""
        return dict(self.metrics) if self.metric is None else {"metric": self.metric, **self.metrics}

    @property
    def curves(self) -> dict[str, float]:
        """What can be drawn over the steps: figures, and settings that are numbers."""
        numbers = {name: float(value) for name, value in self.settings.items() if isinstance(value, int | float)}
        return {**self.figures, **numbers}


def unheard(progress: Progress) -> None:
    """Report to nobody."""


def heard_of(part: str, report: Callable[[Progress], None], progress: Progress) -> None:
    """Report what happened in a part of the fit."""
    report(replace(progress, part=f"{part}/{progress.part}" if progress.part else part))


@dataclass(frozen=True)
class FitContext:
    """All that a part may know while fitting, aligned with the training rows.

    Parameters
    ----------
    targets
        float64 ``N``: class index or standardised value, as the head encodes it; ``N x T`` where a head encodes so.
    task
        How classical learners see the target.
    outputs
        Scores a row (``K``); 0: there is no target, and `targets` say nothing.
    weight
        float64 ``N``, mean 1.
    time, label_time
        float64 ``N``, seconds since 1970: the moment of the row, and when its outcome became known; or None.
    groups
        int64 ``N`` or None: rows of one group never stand on both sides of a split.
    folds
        int64 ``N``: fold of each row for out-of-fold features; rows of ``-1`` (nothing could be divided) count as one
        more fold. None: the part makes its own.
    seed, threads
        The run's seed and thread count.
    doors
        ``{"features", "tokens"}`` or a part of it: what will be asked of the rooms later.
    job
        What the fit has beside its rows.
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
    job: Job = field(default_factory=lambda: Job())

    @property
    def report(self) -> Callable[[Progress], None]:
        return self.job.report

    @property
    def keep(self) -> Keep:
        return self.job.keep

    def __len__(self) -> int:
        return len(self.targets)

    @classmethod
    def unlabelled(cls, rows: int, **known: Any) -> FitContext:
        """The context of rows without a target: no scores are asked for, so rooms have no features that use labels."""
        return cls(np.zeros(rows), "regression", 0, np.ones(rows), **known)

    def within(self, name: str) -> FitContext:
        """The same context for a part of the fit that keeps what it does, and reports, under a name of its own."""
        report = self.report if self.report is unheard else partial(heard_of, name, self.report)
        return replace(self, job=replace(self.job, keep=self.keep.within(name), report=report))

    def once(
        self, what: str, make: Callable[[], Done], to: Callable[[Done], State], back: Callable[[State], Done]
    ) -> Done:
        """What an earlier run of the same fit has done in this place, or else made now and kept.

        Parameters
        ----------
        what
            How it is called in reports.
        make
            Does it.
        to, back
            Between it and its state; there and back changes nothing that later steps see.
        """
        found = self.keep.read()
        if found is not None:
            self.report(Progress(f"done before: {what}", 1, 1))
            return back(found)
        made = make()
        if self.keep is not FORGETFUL:
            self.keep.write(to(made))
        return made

    def named(self, places: Array) -> list[str]:
        """What rows are called in an error, by place (int)."""
        return [str(name) for name in (places if self.job.rows is None else self.job.rows[places])]

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
            job=replace(self.job, rows=pick(self.job.rows)),
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
class Job:
    """What a fit has beside its rows.

    Parameters
    ----------
    report
        Called with `Progress`.
    keep
        Where the fit keeps what it has done.
    base
        The pretrained network that networks start from (`plait.pretraining`), or None.
    known
        Sources whose rooms came fitted, with the base.
    rows
        Names of the rows in errors, the index of their frame; None: their places.
    """

    report: Callable[[Progress], None] = unheard
    keep: Keep = FORGETFUL
    base: State | None = None
    known: frozenset[str] = frozenset()
    rows: Array | None = None


@dataclass(frozen=True)
class Prediction:
    """What a head says about ``N`` rows.

    Parameters
    ----------
    kind
        ``"class"``, ``"value"``, ``"grade"``, ``"labels"``, ``"quantiles"``, ``"ranking"`` or ``"several"``.
    values
        float64: probabilities of classes or of grades in their order (``N x C``), or of labels that do not exclude each
        other (``N x C``); values or the scores of a ranking (``N``); quantiles (``N x L``).
    classes
        The ``C`` classes, grades or labels.
    levels
        Of quantiles: their ``L`` levels, rising.
    faults
        Cells that could not be read, and counted as missing.
    parts
        Of several targets (kind ``"several"``, whose values are the scores side by side): the prediction of each.
    """

    kind: str
    values: npt.NDArray[np.float64]
    classes: Array | None = None
    faults: tuple[Fault, ...] = ()
    parts: Mapping[str, Prediction] = field(default_factory=dict)
    levels: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.values)
