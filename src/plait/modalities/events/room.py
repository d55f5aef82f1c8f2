"""The room of event histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    Nested,
    Place,
    Ragged,
    Side,
    Source,
    State,
)
from plait.data.history import History, facts
from plait.data.sketch import LARGE, Sketch
from plait.data.source_options import column_options, refuse_newer
from plait.errors import ConfigError, SchemaError, unknown
from plait.media.content import UnreadableError
from plait.modalities.events.cells import Kind, decode, is_moment, kind_of, text_of
from plait.modalities.events.fields import LARGEST, Category, Number, as_numbers, scales
from plait.modalities.events.learned import Learned, suiting
from plait.modalities.events.places import divide, readable, without
from plait.modalities.events.sight import Seen, from_cells, from_side, unit_of
from plait.modalities.events.summary import Sight, since, summarise, unique_names

__all__ = ["Events"]

OPTIONS = ("columns", "encoder", "max_events", "time", "windows")
MAX_COLUMNS = 16  # of the records, that are read
JUDGED = 100_000  # values of a column of the records by which its kind is told
RECORDS = 64  # that the encoder reads: the most recent


class Events:
    """Event histories: each cell is a timed list of records with mixed columns.

    A cell is a list of mappings (``[{"time": ..., "kind": ..., "amount": ...}, ...]``), a mapping of lists of one
    length, or JSON text of these. Or the column holds keys of a long side table. Records may stand in any order. A row
    sees only records up to its own moment, where it has one and the records are dated; all is counted back from that
    moment, or else from the row's last record. A cell without a visible record is missing; what is no list of records,
    a record without a time and an infinite number are faults.

    Columns of numbers are amounts; texts and truth values are categories, and so are the numbers that the schema calls
    so. What other columns hold is not read.

    Options of the column
    ---------------------
    time
        Name of the records' times: datetimes, ISO texts, or numbers (seconds or milliseconds since 1970 by their size,
        else days). Default: ``"time"``, or the first column of dates; without either, records stand in order.
    columns
        Names of the columns to read, or name to ``"number"`` or ``"category"`` (default: all, 16 at most).
    max_events
        The most recent visible records that are kept (default 256).
    windows
        Days, rising (default: those of 1, 7, 30, 90 and 365 that suit the length of training histories).
    encoder
        ``"records"`` (default), ``"record_states"``, or another that reads the same inputs.

    The batch holds ``time`` (Ragged float64 ``T``, days), ``numbers`` (Ragged float32 ``T x C1``, NaN missing),
    ``codes`` and ``marks`` (Ragged int32 and uint32 ``T x C2``, 0 missing) and ``now`` (float64 ``N``, days).
    """

    name: ClassVar[str] = "events"
    joint: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        options = column_options(source, OPTIONS)
        self._wanted = _columns(options.get("columns"), self._column)
        self._time: str | None = options.get("time")
        self._max_events = _positive(options.get("max_events", 256), self._column)
        self._windows = _windows(options.get("windows"), self._column)
        self._encoder = str(options.get("encoder", "auto"))
        if self._encoder != "auto":
            registry.target("encoders", self._encoder)
        self._learned = Learned()
        self._known: tuple[History, tuple[Array, Array, Array]] | None = None

    @staticmethod
    def accepts(column: Column) -> float:
        """Near 1 where (almost) all cells are lists of records with a category, or keys of a side table with one.

        Half as sure where there may be one field beside the time: that can be a list of what another room reads.
        """
        if column.side is not None:
            kinds = _side_kinds(column.side).values()
            sure = 0.95 if "category" in kinds else 0.6 if "number" in kinds else 0.0
            return sure if len(kinds) > 1 else sure / 2
        cells = column.values[column.present][:64] if column.values.dtype == object else ()
        held = read = mixed = several = 0
        for cell in cells:
            try:
                records = decode(cell)
            except UnreadableError:
                held += 1
                continue
            if records is not None:
                held += 1
                read += 1
                mixed += any(_has_text(values) for values in records.values())
                several += (
                    sum(not all(map(is_moment, values)) for name, values in records.items() if name != "time") > 1
                )
        sure = 0.95 * read / held if mixed and read >= 0.8 * held and mixed >= 0.5 * read else 0.0
        return sure if several else sure / 2

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """1 to 12 payments around the row's moment; one cell in ten missing, one in twenty broken."""
        kinds = np.array(["salary", "rent", "shop", "cash"])
        values = np.empty(n, object)
        now = np.round(rng.uniform(19_000, 19_100, n)) * 86_400.0
        for row, chance in enumerate(rng.random(n)):
            count = int(rng.integers(1, 13))
            days = now[row] / 86_400.0 - rng.exponential(20.0, count) + 2.0
            amounts, chosen = np.round(rng.lognormal(3, 1, count), 2), kinds[rng.integers(0, 4, count)]
            records = [
                {"time": float(day), "kind": str(kind), "amount": float(amount), "online": bool(amount > 20)}
                for day, kind, amount in zip(np.round(days * 86_400), chosen, amounts, strict=True)
            ]
            if chance < 0.1:
                values[row] = [] if chance < 0.05 else None
            elif chance < 0.15:
                values[row] = ["no record", [{"kind": "rent"}], 7, {"time": [1], "kind": ["a", "b"]}][row % 4]
            elif chance < 0.5:
                values[row] = {key: [record[key] for record in records] for key in records[0]}
            else:
                values[row] = records
        there = np.array([cell is not None for cell in values], bool)
        return (Column("payments", values, there, now),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn the columns and their kinds, vocabularies, scales, and windows that suit the histories' spans."""
        kinds, clock = self._learn_kinds(chunks)
        self._learned, self._known = clock, None
        counts: dict[str, Counter[str]] = {name: Counter() for name, kind in kinds.items() if kind == "category"}
        numbers = {name: Sketch(LARGE) for name, kind in kinds.items() if kind == "number"}
        spans, gaps = Sketch(LARGE), Sketch(LARGE)
        for (column,) in chunks:
            seen, values = self._raw(column, tuple(kinds))
            for name, counter in counts.items():
                counter.update(text for text in map(text_of, values[name]) if text is not None)
            for name, sketch in numbers.items():
                sketch.add(as_numbers(values[name]))
            first = seen.offsets[:-1][np.diff(seen.offsets) > 0]
            spans.add(seen.now[np.diff(seen.offsets) > 0] - seen.time[first])
            between = np.delete(np.diff(seen.time, prepend=0.0), first)
            gaps.add(np.where(between > 0, between, np.nan))
        usual = gaps.sample()
        self._learned = replace(
            clock,
            numbers=tuple(Number(name, *scales(sketch.sample())) for name, sketch in numbers.items()),
            categories=tuple(Category.of(name, counter) for name, counter in counts.items()),
            windows=self._windows or suiting(spans.sample()),
            gap=float(np.median(usual)) if len(usual) else 1.0,
        )
        return self

    def _learn_kinds(self, chunks: Iterable[tuple[Column, ...]]) -> tuple[dict[str, Kind], Learned]:
        """The kind of every column that is read; and which column holds the times, and what these are."""
        values: dict[str, list[Any]] = {}
        for (column,) in chunks:
            if column.side is not None:
                found = self._asked(_side_kinds(column.side), column.side)
                return _few(found), Learned(column.side.time, dated=column.side.time is not None)
            for row in np.flatnonzero(column.present).tolist():
                try:
                    records = decode(column.values[row])
                except UnreadableError:
                    continue
                for name, given in (records or {}).items():
                    known = values.setdefault(name, [])
                    known += given[: JUDGED - len(known)]
        kinds = {name: kind for name, given in values.items() if (kind := kind_of(given)) is not None}
        dates = [name for name, kind in kinds.items() if kind == "moment"]
        time = self._time or ("time" if "time" in values else next(iter(dates), None))
        numeric = time is not None and kinds.get(time) == "number"
        unit = unit_of(as_numbers(values[time])) if time is not None and numeric else 1.0
        found = {name: kind for name, kind in kinds.items() if name != time and kind != "moment"}
        return _few(self._asked(found, None)), Learned(time, unit, dated=time is not None and unit > 0)

    def _asked(self, found: dict[str, Kind], side: Side | None) -> dict[str, Kind]:
        """The columns that the schema asks for, or all that were found."""
        if side is not None and not found:
            raise SchemaError(f"column {self._column!r}: its side table has no column to read beside key and time")
        if self._wanted is None:
            return found
        for name in self._wanted:
            if side is not None and name not in side.columns:
                raise unknown(f"column of side table {side.name!r}", name, facts(side))
        return {name: kind or found.get(name, "category") for name, kind in self._wanted.items()}

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Cells to the records that each row may see; see the class for what the batch holds."""
        (column,) = columns
        seen, numbers, codes, marks = self._encoded(column)
        beyond = np.concatenate([[0], np.cumsum((np.abs(numbers) > LARGEST).any(axis=1))])
        bad = beyond[seen.offsets[1:]] > beyond[seen.offsets[:-1]]
        lengths = np.where(bad, 0, np.diff(seen.offsets))
        inside = np.repeat(~bad, np.diff(seen.offsets))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        arrays: dict[str, Array | Ragged | Nested] = {
            "time": Ragged(seen.time[inside], offsets),
            "numbers": Ragged(numbers[inside].astype(np.float32), offsets),
            "codes": Ragged(codes[inside], offsets),
            "marks": Ragged(marks[inside], offsets),
            "now": np.where(lengths > 0, seen.now, np.nan),
        }
        reason = "infinity, or a number beyond 3.4e38"
        infinite = (Fault(int(row), column.name, reason) for row in np.flatnonzero(bad))
        return Batch(arrays, lengths > 0, (*seen.faults, *infinite))

    def _raw(self, column: Column, names: tuple[str, ...]) -> tuple[Seen, dict[str, Any]]:
        """What rows may see, and the values as they were given; of a side table every record counts once."""
        if column.side is None:
            learned = self._learned
            seen = from_cells(column, names, learned.time, learned.unit, self._max_events)
            return seen, seen.values
        history = History.of(column.side)
        seen = from_side(column, history, self._max_events)
        once = np.unique(seen.place)
        return seen, {name: history.values(name)[once] for name in names}

    def _encoded(self, column: Column) -> tuple[Seen, Array, Array, Array]:
        """What rows may see: numbers float64 ``S x C1``, codes and marks ``S x C2``."""
        learned = self._learned
        if column.side is None:
            seen = from_cells(column, learned.columns, learned.time, learned.unit, self._max_events)
            return (seen, *learned.encode(seen.values, len(seen.time)))
        history, encoded = self._table(column.side)
        seen = from_side(column, history, self._max_events)
        numbers, codes, marks = (values[seen.place] for values in encoded)
        return seen, numbers, codes, marks

    def _table(self, side: Side) -> tuple[History, tuple[Array, Array, Array]]:
        """A side table, sorted and encoded once for all batches."""
        if self._known is None or self._known[0].side is not side:
            learned = self._learned
            for name in learned.columns:
                if name not in side.columns:
                    raise unknown(f"column of side table {side.name!r}", name, facts(side))
            history = History.of(side)
            values = {name: history.values(name) for name in learned.columns}
            self._known = history, learned.encode(values, len(history.order))
        return self._known

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Runs of records of like length, oldest first, down to single records."""
        return divide(self._records(columns, row), most, within)

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """The history without the records of places; none that was beyond the row's sight comes in."""
        column = columns[0].take(np.array([row]))
        moment = self._learned.dated and column.row_time is not None and not np.isnan(column.row_time[0])
        return without(
            self.transform((column,)), places, kept, numbered=self._learned.time is None, moment=bool(moment)
        )

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        return Exhibit("records", self._records(columns, row))

    def _records(self, columns: tuple[Column, ...], row: int) -> tuple[dict[str, object], ...]:
        """What the row may see, as a person reads it."""
        column, learned = columns[0].take(np.array([row])), self._learned
        if not self.transform((column,)).present[0]:
            return ()
        if column.side is None:
            seen = from_cells(column, learned.columns, learned.time, learned.unit, self._max_events)
            values = seen.values
        else:
            history, _ = self._table(column.side)
            seen = from_side(column, history, self._max_events)
            values = {name: history.values(name)[seen.place].tolist() for name in learned.columns}
        return readable(seen.time, values, dated=learned.dated, numbered=learned.time is None)

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """The same as `features`: none of them uses a label."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Pace, sums and extremes by window and by kind, what follows what, variety, hours; at most 256."""
        rows = np.flatnonzero(batch.present)
        time = _ragged(batch, "time").take(rows)
        row = np.repeat(np.arange(len(rows)), time.lengths)
        now = np.asarray(batch.arrays["now"])[rows]
        numbers, codes, marks = (_ragged(batch, key).take(rows).values for key in ("numbers", "codes", "marks"))
        age = np.maximum(now[row] - time.values, 0.0)
        sight = Sight(row, len(rows), time.values, age, now, numbers.astype(np.float64), codes, marks)
        made = list(summarise(sight, self._learned.layout))[:MAX_FEATURES]
        names = unique_names([f"{self._column}.{name}" for name, _ in made])
        out = np.full((len(batch), len(made)), np.nan)
        out[rows] = np.stack([values for _, values in made], axis=1)
        present = np.isfinite(out)
        values = np.where(present, np.clip(out, -LARGEST, LARGEST), np.nan).astype(np.float32)
        return Features(values, names, present, np.zeros(len(made), bool), np.zeros(len(made), bool))

    def inputs(self, batch: Batch) -> Batch:
        """The 64 most recent records for the encoder, bounded and NaN-free.

        ``values`` (Ragged float32): numbers on the training records' scale (inverse hyperbolic sine) and which are
        there; how lately each of the most frequent kinds came, 1 at the record itself and 0 long before; where dated,
        sine and cosine of the time of day and of the week. ``clocks`` (Ragged float32 ``T x 2``): logarithms of the
        time to the row's moment and from the record before, in usual gaps. ``codes`` (Ragged int32).
        """
        learned = self._learned
        time = _ragged(batch, "time")
        lengths = np.where(batch.present, np.minimum(time.lengths, RECORDS), 0)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        where = np.repeat(time.offsets[1:] - offsets[1:], lengths) + np.arange(offsets[-1])
        when, row = time.values[where], np.repeat(np.arange(len(batch)), lengths)
        numbers = _ragged(batch, "numbers").values[where].astype(np.float64)
        there = ~np.isnan(numbers)
        location = np.array([number.location for number in learned.numbers])
        scale = np.array([number.scale for number in learned.numbers])
        parts = [np.arcsinh((np.where(there, numbers, location) - location) / scale), there]
        codes = _ragged(batch, "codes").values[where]
        for code in learned.kinds:
            lag = since(row, when, codes[:, learned.layout.kind] == code)
            parts.append((1.0 / (1.0 + lag / learned.gap))[:, None])
        if learned.dated:
            turn = 2 * np.pi * np.stack([when % 1.0, when / 7 % 1.0], axis=1)
            parts += [np.sin(turn), np.cos(turn)]
        age = np.maximum(np.asarray(batch.arrays["now"])[row] - when, 0.0)
        gap = np.diff(when, prepend=0.0)
        gap[offsets[:-1][lengths > 0]] = 0.0
        clocks = np.log1p(np.stack([age, np.maximum(gap, 0.0)], axis=1) / learned.gap)
        arrays = {
            "values": Ragged(np.concatenate(parts, axis=1).astype(np.float32), offsets),
            "clocks": Ragged(clocks.astype(np.float32), offsets),
            "codes": Ragged(codes, offsets),
        }
        return Batch(arrays, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """A token for each record, few for the body; see the options."""
        learned = self._learned
        chosen = self._encoder if kind == "auto" else kind
        options = {
            "width": width,
            "numbers": 2 * len(learned.numbers) + len(learned.kinds) + 4 * learned.dated,
            "levels": [len(category.levels) + 2 for category in learned.categories],
            "max_records": RECORDS,
        }
        encoder: Encoder = registry.make("encoders", "records" if chosen == "auto" else chosen, options)
        return encoder

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        known = self._learned
        record: dict[str, Json] = {} if known.time is None else {known.time: "2026-01-31" if known.dated else 1.0}
        record |= {number.name: 1.0 for number in known.numbers}
        record |= {category.name: next(iter(category.levels), "other") for category in known.categories}
        said = "A list of records, or lists of one length by column."
        return {self._column: {"type": ["array", "object"], "description": said, "examples": [[record]]}}

    def state(self) -> State:
        return State(self.version, self._learned.as_json())

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        room._learned = Learned.from_json(state.values)
        return room


def _side_kinds(side: Side) -> dict[str, Kind]:
    """The readable columns of a side table and their kinds."""
    kinds: dict[str, Kind] = {}
    for name in facts(side):
        values = side.columns[name]
        if values.dtype.kind in "iuf":
            kinds[name] = "number"
        elif values.dtype.kind in "bOU":
            kind = "category" if values.dtype.kind != "O" else kind_of(values)
            if kind in ("number", "category"):
                kinds[name] = kind
    return kinds


def _few(kinds: dict[str, Kind]) -> dict[str, Kind]:
    return dict(list(kinds.items())[:MAX_COLUMNS])


def _has_text(values: Iterable[object]) -> bool:
    return any(isinstance(value, str) and not is_moment(value) for value in values)


def _columns(given: Json, column: str) -> dict[str, Kind | None] | None:
    """Column names, with their kinds where the schema says them."""
    if given is None:
        return None
    allowed = "allowed: a list of distinct names, or name to 'number' or 'category'"
    if isinstance(given, Mapping) and given and all(kind in ("number", "category") for kind in given.values()):
        return {str(name): kind for name, kind in given.items()}
    if not isinstance(given, list | tuple) or not given or len(set(map(str, given))) < len(given):
        raise ConfigError(f"column {column!r}: columns is {given!r} ({allowed})")
    return dict.fromkeys(map(str, given))


def _windows(given: Json, column: str) -> tuple[float, ...] | None:
    if given is None:
        return None
    numbers = given if isinstance(given, list | tuple) else [given]
    plain = all(isinstance(number, int | float) and 0 < number < np.inf for number in numbers)
    if not plain or not 1 <= len(numbers) <= 6 or sorted(set(numbers)) != list(numbers):
        raise ConfigError(f"column {column!r}: windows is {given!r} (allowed: 1 to 6 rising numbers of days)")
    return tuple(float(number) for number in numbers)


def _positive(given: Json, column: str) -> int:
    if not isinstance(given, int) or given < 1:
        raise ConfigError(f"column {column!r}: max_events is {given!r} (allowed: a whole number from 1)")
    return given


def _ragged(batch: Batch, key: str) -> Ragged:
    array = batch.arrays[key]
    assert isinstance(array, Ragged)
    return array
