"""Lists of what another room reads: the posts of a day, the sentences of a call, the pages of a file."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    MAX_FEATURES,
    Array,
    Batch,
    Column,
    Encoder,
    Exhibit,
    Fault,
    Features,
    FitContext,
    Json,
    Modality,
    Nested,
    Origins,
    Place,
    Ragged,
    Sendable,
    Source,
    Sparse,
    State,
    Traceable,
)
from plait.data.history import History, facts
from plait.data.source_options import refuse_newer
from plait.data.splits import inner_folds
from plait.errors import ConfigError, unknown
from plait.modalities.list.cells import UnreadableError, decode
from plait.modalities.list.cut import Cut, cut, known_by
from plait.modalities.list.places import divide, shown, without
from plait.modalities.list.pooled import kinds, pool, pool_wide

__all__ = ["List"]

LARGEST = float(np.finfo(np.float32).max)
ASKED = 256  # items that rooms are asked about
FOR_SURE = 0.85  # of what a room says of the items: a room that reads the cells whole knows them better
SENTENCES = ("Nothing is known of these items.", "They are taken for sentences, then.", "Any other room can be named.")


class List:
    """Lists of items that another room reads.

    A cell is a list of items, of mappings ``{"time": ..., "item": ...}`` (any key will do for the item, where it is the
    only other one), or of pairs (time, item); or JSON text of one of these. Items are what cells of the other room are:
    texts, paths of pictures, bytes of sounds. Or the column holds keys of a long side table with one column beside key
    and time: then a row sees the items of its key that were known at the row's time, and nothing later.

    Items that are None are left out; a list without items is missing. Items dated after the row's time are not seen.
    An item that cannot be read is left out and makes the cell a fault; the row keeps its other items.

    Options of the column
    ---------------------
    of
        The modality of the items (default: the room that is surest of them in training rows).
    max_items
        The most recent items read of a cell (default 32).
    time
        Key of the items' times in mappings (default ``"time"``).

    All other options are those of the items' room.

    Features are the mean, the last and the largest of each of the items' features, as many as find room, and how many
    items there are, over which time they spread and how long ago the last one was, in days, where that is known. The
    wide form is the mean of the items' wide forms, as long as those are. Where labels are used, all items of a row are
    in the row's fold.

    The batch holds ``items`` (`Nested`, the other room's batch) and, where training cells were timed, ``time`` (Ragged
    float64, days since 1970 or the cells' own numbers) and ``now`` (float64, days: the row's time, NaN unknown).
    """

    name: ClassVar[str] = "list"
    joint: ClassVar[bool] = False
    version: ClassVar[int] = 2
    nests: ClassVar[bool] = True

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        self._options: dict[str, Json] = dict(source.options.get(self._column, {}))
        self._of: str | None = self._options.pop("of", None)
        self._time_key = str(self._options.pop("time", "time"))
        self._max_items: int = self._options.pop("max_items", 32)
        if not isinstance(self._max_items, int) or isinstance(self._max_items, bool) or self._max_items < 1:
            said = f"column {self._column!r}: max_items is {self._max_items!r}"
            raise ConfigError(f"{said} (allowed: a whole number from 1)")
        if self._of is not None and self._of not in _rooms():
            raise unknown(f"modality of the items of column {self._column!r}", self._of, _rooms())
        self._inner: Modality | None = None if self._of is None else self._room(self._of)
        self._timed = False
        self._usual_age = 1.0
        self._history: History | None = None

    def _room(self, of: str) -> Modality:
        """The unfitted room of the items."""
        source = replace(self.source, modality=of, options={self._column: self._options}, share=None)
        return registry.room(source)(source)

    @property
    def items_room(self) -> Modality:
        """The room of the items, once it is known."""
        assert self._inner is not None
        return self._inner

    @staticmethod
    def accepts(column: Column) -> float:
        """A little less than the best of the other rooms says of the items, where the cells are lists."""
        if column.side is not None:
            names = facts(column.side)
            values = column.side.columns[names[0]] if len(names) == 1 else np.empty(0)
            return FOR_SURE * _surest(values[:ASKED])[1] if values.dtype == object else 0.0
        cells = column.values[column.present][:64].tolist() if column.values.dtype == object else ()
        items: list[Any] = []
        read = 0
        for cell in cells:
            try:
                found = decode(cell).values
            except UnreadableError:
                continue
            read += 1
            items += found[:8]
        return FOR_SURE * _surest(items[:ASKED])[1] * read / len(cells) if read >= 0.8 * len(cells) > 0 else 0.0

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Dated posts of a few words, 0 to 5 a cell; one cell in ten missing or empty, one in twenty broken."""
        starts = ("the shop is busy today", "prices went up again", "we lost a customer", "rent is due on friday")
        ends = ("and all is well", "so we need a loan", "but sales are fine", "as we said last week")
        broken: tuple[Any, ...] = ("no list", 7, [["2024-03-01", "one"], "two"], [{"time": "2024-03-01", "post": 5.5}])
        values = np.empty(n, object)
        for row, kind in enumerate(rng.random(n)):
            count = rng.integers(1, 6)
            posts = [f"{starts[a]} on street {c}, {ends[b]}." for a, b, c in rng.integers(0, [4, 4, 100], (count, 3))]
            days = np.datetime64("2024-03-01") + rng.integers(0, 90, len(posts))
            values[row] = [{"time": str(day), "post": post} for day, post in zip(days, posts, strict=True)]
            if kind < 0.1:
                values[row] = [] if kind < 0.05 else None
            elif kind < 0.15:
                values[row] = broken[row % 4]
        return (Column("posts", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn whether items are timed and how old they usually are; find the items' room and fit it on all items."""
        items: list[Any] = []
        lengths, ages = [np.empty(0, np.int64)], [np.empty(0)]
        for (column,) in chunks:
            found = self._cut(column)
            items += found.flat.values[: ASKED - len(items)].tolist()
            lengths.append(np.diff(found.offsets))
            ages.append(_ages(found))
        age = np.concatenate(ages)
        self._timed = bool(np.isfinite(age).any())
        self._usual_age = float(np.median(age[age > 0])) if (age > 0).any() else 1.0
        if self._inner is None:
            self._of, sure = _surest(items)
            if not sure:
                self._of, _ = _surest(SENTENCES)
            self._inner = self._room(str(self._of))
        owner = np.repeat(np.arange(len(context)), np.concatenate(lengths))
        self._inner.fit(_Flat(self, chunks), _for_items(context, owner))
        return self

    def _cut(self, column: Column) -> Cut:
        if column.side is None:
            return cut(column, self._time_key, self._max_items)
        if self._history is None or self._history.side is not column.side:
            self._history = History.of(column.side)
        return known_by(column, self._history, self._max_items)

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        (column,) = columns
        found = self._cut(column)
        items = self.items_room.transform((found.items,))
        owner, there = found.owner, items.present[found.which]
        present = np.bincount(owner[there], minlength=len(column)) > 0
        first: dict[int, Fault] = {fault.row: fault for fault in found.faults}
        reasons = {fault.row: fault.reason for fault in items.faults}
        for place in np.flatnonzero(np.isin(found.which, list(reasons))).tolist():
            row = int(owner[place])
            first.setdefault(row, Fault(row, column.name, f"an item: {reasons[int(found.which[place])]}"))
        arrays: dict[str, Array | Ragged | Nested] = {"items": Nested(items.take(found.which), found.offsets)}
        if self._timed:
            arrays |= {"time": Ragged(found.time, found.offsets), "now": found.now}
        return Batch(arrays, present, tuple(first[row] for row in sorted(first)))

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Runs of items, oldest first; of a single item, the places that its own room finds in it."""
        column = columns[0].take(np.array([row]))
        present = self.transform((column,)).present[0]
        return divide(self.items_room, self._cut(column).flat, most, within) if present else ()

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """The list without items, or with items that lack some of their own places."""
        column = columns[0].take(np.array([row]))
        return without(self.items_room, self._cut(column).flat, self.transform((column,)), places, kept)

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        column = columns[0].take(np.array([row]))
        return shown(self.items_room, self._cut(column).flat, _nested(self.transform((column,))).items.present)

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """Features with what the items' room learns of labels out of fold: a row's items share its fold and label."""
        folds = inner_folds(context) if context.folds is None else context.folds
        rows, nested = _held(batch)
        owner = np.repeat(rows, nested.lengths)
        inner = replace(_for_items(context, owner), folds=folds[owner])
        self._inner = copy.copy(self.items_room)  # shared by copies of this room
        return self._assemble(batch, rows, nested, self._inner.fit_features(nested.items, inner))

    def features(self, batch: Batch) -> Features:
        rows, nested = _held(batch)
        return self._assemble(batch, rows, nested, self.items_room.features(nested.items))

    def _assemble(self, batch: Batch, rows: Array, nested: Nested, items: Features) -> Features:
        shared = ("items", "span", "recency") if self._timed else ("items",)
        room = MAX_FEATURES - len(shared)
        told = pool(items, nested.offsets, kinds(len(items.names), room), room)
        values = np.full((len(batch), len(shared) + len(told.names)), np.nan, np.float32)
        values[rows, 0] = nested.lengths
        if self._timed:
            values[rows, 1:3] = _pace(_ragged(batch, "time").take(rows), np.asarray(batch.arrays["now"])[rows])
        values[rows, len(shared) :] = told.values
        plain = np.zeros(len(shared), bool)
        return Features(
            values,
            (*shared, *told.names),
            ~np.isnan(values),
            np.concatenate([plain, told.categorical]),
            np.concatenate([plain, told.covered]),
            None if items.wide is None else _spread(pool_wide(items.wide, nested.offsets), rows, len(batch)),
        )

    def origins(self) -> Origins:
        """What the items' room tells of its wide form."""
        inner = self.items_room
        told = inner.origins() if isinstance(inner, Traceable) else Origins()
        return Origins(terms=told.terms)

    def inputs(self, batch: Batch) -> Batch:
        """What the items' encoder reads, as ``items`` (`Nested`), and how old each item is: ``age`` (Ragged float32).

        Ages are counted from the row's time, or from its last item, in units of the usual age: ``log(1 + age)``.
        """
        nested = _nested(batch)
        items = self.items_room.inputs(nested.items)
        arrays: dict[str, Array | Ragged | Nested] = {"items": Nested(items, nested.offsets)}
        if self._timed:
            time = _ragged(batch, "time")
            age = _age(time.values, time.offsets, np.asarray(batch.arrays["now"])) / self._usual_age
            arrays["age"] = Ragged(np.log1p(np.nan_to_num(age)).astype(np.float32), time.offsets)
        return Batch(arrays, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """A token an item, at most 32; `kind` names the encoder of the items."""
        from plait.layers.items import ItemTokens

        encoder: Any = self.items_room.encoder(width, kind)
        return ItemTokens(encoder, width, self._max_items, self._timed)

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell: a list of what the items' room takes, with times or without."""
        inner = self.items_room
        item = inner.cells()[self._column] if isinstance(inner, Sendable) else {}
        timed = {
            "type": "object",
            "properties": {self._time_key: {"type": ["string", "number"]}},
            "required": [self._time_key],
            "additionalProperties": item,
        }
        return {self._column: {"type": "array", "items": {"anyOf": [item, timed]}}}

    def state(self) -> State:
        values = {"of": self._of, "timed": self._timed, "usual_age": self._usual_age}
        return State(self.version, values, parts={"items": self.items_room.state()})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        room._of = str(state.values["of"])
        room._timed, room._usual_age = bool(state.values["timed"]), float(state.values["usual_age"])
        unfitted = room._room(room._of)
        room._inner = type(unfitted).from_state(unfitted.source, state.parts["items"])
        return room


class _Flat:
    """The items of chunks of rows, chunk by chunk, as often as they are asked for."""

    def __init__(self, room: List, chunks: Iterable[tuple[Column, ...]]) -> None:
        self._room, self._chunks = room, chunks

    def __iter__(self) -> Iterator[tuple[Column, ...]]:
        return ((self._room._cut(column).flat,) for (column,) in self._chunks)


def _rooms() -> tuple[str, ...]:
    """The rooms that an item can belong to: those that read one column, and no lists themselves."""
    rooms = {name: registry.get("modalities", name) for name in registry.names("modalities")}
    return tuple(name for name, room in rooms.items() if not room.joint and not getattr(room, "nests", False))


def _surest(items: Iterable[object]) -> tuple[str | None, float]:
    """The room that is surest of the items, and how sure it is."""
    cells = list(items)
    values = np.empty(len(cells), object)
    values[:] = cells
    column = Column("items", values, np.array([cell is not None for cell in cells], bool))
    sure = {name: float(registry.get("modalities", name).accepts(column)) for name in _rooms()}
    best = max(sure, key=lambda name: sure[name], default=None)
    return best, 0.0 if best is None else sure[best]


def _for_items(context: FitContext, owner: npt.NDArray[np.int64]) -> FitContext:
    """The context of items: what is known of their rows, each row counting as much as before, and never divided."""
    weight = context.weight / np.maximum(np.bincount(owner, minlength=len(context)), 1)
    groups = np.arange(len(context)) if context.groups is None else context.groups
    made = replace(context, weight=weight, groups=groups).take(owner)
    return replace(made, weight=made.weight / (made.weight.mean() or 1.0)) if len(owner) else made


def _held(batch: Batch) -> tuple[npt.NDArray[np.int64], Nested]:
    """The present rows and their items."""
    rows = np.flatnonzero(batch.present)
    return rows, _nested(batch).take(rows)


def _nested(batch: Batch) -> Nested:
    nested = batch.arrays["items"]
    assert isinstance(nested, Nested)
    return nested


def _ragged(batch: Batch, key: str) -> Ragged:
    array = batch.arrays[key]
    assert isinstance(array, Ragged)
    return array


def _ages(found: Cut) -> npt.NDArray[np.float64]:
    return _age(found.time, found.offsets, found.now)


def _age(time: Array, offsets: Array, now: Array) -> npt.NDArray[np.float64]:
    """How long before the row's time (where unknown: its last item) each item is; NaN where it is not timed."""
    lengths = np.diff(offsets)
    held = lengths > 0
    newest = np.full(len(lengths), np.nan)
    newest[held] = time[offsets[1:][held] - 1]
    return np.repeat(np.where(np.isnan(now), newest, now), lengths) - time


def _pace(time: Ragged, now: Array) -> Array:
    """Span of the items' times and the time since the last of them: float64 ``N x 2``."""
    first, last = time.values[time.offsets[:-1]], time.values[time.offsets[1:] - 1]
    pace: Array = np.clip(np.stack([last - first, now - last], axis=1), -LARGEST, LARGEST)
    return pace


def _spread(wide: Sparse, rows: Array, total: int) -> Sparse:
    """The same rows among all rows, the others empty."""
    lengths = np.zeros(total + 1, np.int64)
    lengths[rows + 1] = np.diff(wide.indptr)
    return Sparse(np.cumsum(lengths), wide.indices, wide.data, wide.width)
