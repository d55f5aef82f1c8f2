"""Evidence that is streamed: rooms are fitted chunk by chunk, and fusions read all rows as often as they need.

In memory are a sample of the rows, what is known of every row beside its cells (target, weight, time, group: 8 bytes
each), and one chunk or pool of cells at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait import registry
from plait.contracts import (
    Array,
    Batch,
    Batches,
    Column,
    Comparing,
    Features,
    FitContext,
    Head,
    Json,
    Learner,
    Modality,
    Nested,
    Progress,
    Ragged,
    Reducible,
    Side,
    Source,
    State,
    Streaming,
)
from plait.data.faults import Tally
from plait.data.frame import read_columns, seconds, source_columns
from plait.data.schema import Schema
from plait.data.splits import holdout
from plait.data.stream import CHUNK, Stream
from plait.errors import ConfigError
from plait.evidence import Evidence, Joined, Pool, Pools, copies, join

__all__ = ["JUDGED", "SAMPLE", "Reader", "Streamed", "check_fusion", "evidence_of"]

SAMPLE = 200_000  # rows at most that labels are looked at of, and that choices are made on
JUDGED = 20_000  # rows at most that tell when a network stops
HEAVY = 4_096  # rows of a chunk that holds more than numbers and words of a table
BYTES = 1 << 28  # of cells as arrays that a sample or pool may take
PROBED = 64  # rows by which the size of a row is told


def check_fusion(fusion: object, name: str, learner: str | None, head: Head, frame: pd.DataFrame | Stream) -> None:
    """Before a row is read: can the fusion learn from it, where it is a stream?

    Raises
    ------
    ConfigError
        If it cannot; those that can are named.
    """
    if not isinstance(frame, Stream):
        return
    if isinstance(head, Comparing) or (isinstance(head, Reducible) and name == "early"):
        raise ConfigError(f"a {head.name} target needs all rows in memory, and a stream's are not; give a frame")
    if getattr(fusion, "streams", False):
        return
    learners = [n for n in registry.names("learners") if issubclass(registry.get("learners", n), Streaming)]
    fusions = [n for n in registry.names("fusions") if hasattr(registry.get("fusions", n), "streams") and n != "early"]
    asked = f"fusion {name!r}" + (f" with learner {learner!r}" if learner else "")
    raise ConfigError(
        f"{asked} needs all rows in memory, and a stream's are not; fusion early with {', '.join(learners)}, or "
        f"{', '.join(fusions)} by mini-batches and without privacy, learn from a stream"
    )


def evidence_of(
    frame: pd.DataFrame | Stream,
    schema: Schema,
    rooms: dict[str, Modality],
    head: Head,
    context: FitContext,
    sides: Mapping[str, Side] | None,
    lap: Callable[[str], None],
) -> Evidence:
    """Rooms fitted, and what is learned from; of a frame in memory, of a stream as `Streamed`."""
    if isinstance(frame, Stream):
        return Streamed.read(frame, schema, rooms, head, context, sides, lap)
    return Evidence.of(frame, schema, rooms, head, context, sides, lap)


class Reader:
    """Cells of a stream as rooms take them, in chunks.

    Parameters
    ----------
    stream, schema, sides
        The rows, what their columns are, and the long tables beside them.
    size
        Rows of a chunk.
    time
        float64 ``N``: moments of the rows, where they are known already.
    """

    def __init__(
        self,
        stream: Stream,
        schema: Schema,
        sides: Mapping[str, Side] | None,
        size: int,
        time: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self.stream, self.schema, self.sides, self.size = stream, schema, sides, size
        self.time = time
        if time is None and schema.time is not None and schema.time in stream.columns:
            self.time = seconds(stream[schema.time], schema.time)  # text has one format in all rows, not in each chunk

    @classmethod
    def of(
        cls,
        stream: Stream,
        schema: Schema,
        sides: Mapping[str, Side] | None,
        rooms: Mapping[str, Modality],
        time: npt.NDArray[np.float64] | None = None,
    ) -> Reader:
        """In chunks that fit the rooms."""
        read_columns(stream.columns, schema)
        return cls(stream, schema, sides, CHUNK if all(room.joint for room in rooms.values()) else HEAVY, time)

    def __len__(self) -> int:
        return len(self.stream)

    def take(self, rows: Array) -> Reader:
        """Some of the rows, by ascending position."""
        time = None if self.time is None else self.time[rows]
        return Reader(self.stream.take(rows), self.schema, self.sides, self.size, time)

    def only(self, source: Source) -> Reader:
        """One source of the same rows."""
        kept = tuple(spec for spec in self.schema.columns if spec.name in source.columns or spec.role == "time")
        used = {spec.side for spec in kept}
        sides = tuple(side for side in self.schema.sides if side.name in used)
        return Reader(self.stream, replace(self.schema, columns=kept, sides=sides), self.sides, self.size, self.time)

    def frames(self) -> Iterator[tuple[int, pd.DataFrame]]:
        """Chunks of evidence, times (in seconds) and identifiers, and the position of their first row."""
        start = 0
        for frame in self._known.chunks(self.size):
            yield start, self.timed(frame, slice(start, start + len(frame)))
            start += len(frame)

    def columns(self, frame: pd.DataFrame) -> dict[str, tuple[Column, ...]]:
        return source_columns(frame, self.schema, self.sides)

    def shuffled(self, rng: np.random.Generator) -> Iterator[tuple[npt.NDArray[np.int64], pd.DataFrame]]:
        """All rows once in random order, but for the order within a pool; see `plait.data.stream.Stream.shuffled`."""
        for places, frame in self._known.shuffled(rng, self.size):
            yield places, self.timed(frame, places)

    def timed(self, frame: pd.DataFrame, rows: Array | slice) -> pd.DataFrame:
        return frame if self.time is None else frame.assign(**{str(self.schema.time): self.time[rows]})

    @property
    def _known(self) -> Stream:
        read = ("source", "time", "id")
        wanted = {spec.name for spec in self.schema.columns if spec.role in read}
        wanted |= {side.key for side in self.schema.sides}
        return self.stream.select([name for name in self.stream.columns if name in wanted])


class _Chunks:
    """One source's columns, as its room is fitted on them: read again whenever they are asked for."""

    def __init__(self, reader: Reader, context: FitContext, name: str) -> None:
        self.reader, self.context, self.name = reader, context, name

    def __iter__(self) -> Iterator[tuple[Column, ...]]:
        for start, frame in self.reader.frames():
            (columns,) = self.reader.columns(frame).values()
            yield columns
            self.context.report(Progress(f"reading {self.name}: rows", start + len(frame), len(self.reader)))


class Streamed(Evidence):
    """Evidence over a stream.

    What it holds in memory, and is to those who ask no further, is a sample of at most `SAMPLE` rows: `batches`,
    `context`, `joined`. Whatever looks at labels beside the model itself (out-of-fold features, choices of a learner,
    baselines) is learned from it. All other rows are unseen by what was learned so; docs/decisions/0012 says why
    features made for unseen rows are honest for them.

    Parameters
    ----------
    everyone
        Of all rows.
    chosen
        int64 ``n``, ascending: the rows of the sample.
    present
        bool ``N x S``: which sources each row has.
    """

    def __init__(
        self,
        reader: Reader,
        batches: Batches,
        rooms: Mapping[str, Modality],
        head: Head,
        everyone: FitContext,
        chosen: npt.NDArray[np.int64],
        present: npt.NDArray[np.bool_],
        faults: list[dict[str, Json]],
    ) -> None:
        super().__init__(batches, rooms, head, everyone.take(chosen))
        self.reader, self.chosen, self.present = reader, chosen, present
        self._everyone, self._faults = everyone, faults

    @classmethod
    def read(
        cls,
        stream: Stream,
        schema: Schema,
        rooms: dict[str, Modality],
        head: Head,
        context: FitContext,
        sides: Mapping[str, Side] | None,
        lap: Callable[[str], None],
    ) -> Self:
        """Fit `rooms` on chunks of the stream, then read it once: presence, faults, and the sample."""
        reader = Reader.of(stream, schema, sides, rooms, context.time)
        for source in schema.sources:
            chunks = _Chunks(reader.only(source), context, source.name)
            rooms[source.name] = _fitted(rooms[source.name], chunks, context)
            lap(f"read {source.name}")
        probe = _read(reader.take(np.arange(min(PROBED, len(stream)))), rooms)
        most = max(PROBED, BYTES * len(probe) // max(1, sum(map(_bytes, probe.sources.values()))))
        reader.size = min(reader.size, most)
        chosen = stream.drawn(min(SAMPLE, most), context.rng("sample"))
        tally, present, sample = Tally(), [], []
        for start, batches in _batches(reader, rooms):
            stop = start + len(batches)
            tally.add(batches.faults, start)
            present.append(batches.present)
            low, high = np.searchsorted(chosen, [start, stop])
            sample.append(batches.take(chosen[low:high] - start))
            context.report(Progress("reading: rows", stop, len(stream)))
        lap("read rows")
        return cls(reader, _joined(sample), rooms, head, context, chosen, np.concatenate(present), tally.told())

    @property
    def everyone(self) -> FitContext:
        return self._everyone

    @property
    def sample(self) -> Evidence:
        held = Evidence(self.batches, self.rooms, self.head, self.context)
        held._whole = self
        return held

    @property
    def faults(self) -> list[dict[str, Json]]:
        return self._faults

    def within(self, name: str) -> Streamed:
        own = copy.copy(self)
        own.context, own._everyone, own._whole = self.context.within(name), self._everyone.within(name), self
        return own

    def teach(self, learner: Learner, masking: float) -> None:
        """Tune a learner on the sample, then fit it on all rows in chunks, and after them on masked copies."""
        assert isinstance(learner, Streaming)  # `check_fusion` saw to it
        learner.tune(self.joined.features, self.context)
        chosen, kept = copies(self.present, self.everyone, masking)
        rows = np.concatenate([np.arange(len(self.everyone)), chosen])
        learner.fit_chunks(_Taught(self, chosen, kept), self.everyone.take(rows))

    def holdout(self, share: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """As of rows in memory, but no more rows to stop by than `JUDGED`, give or take those of one moment."""
        fit, judge = holdout(self.everyone, min(share, JUDGED / len(self.everyone)))
        rng = self.everyone.rng("judged")
        return fit, judge if len(judge) <= 2 * JUDGED else np.sort(rng.choice(judge, JUDGED, replace=False))

    def inputs(self, rows: Array) -> dict[str, Batch]:
        return _inputs(self.rooms, _read(self.reader.take(rows), self.rooms))

    def pools(self, rows: Array) -> Pools:
        """Epochs of some of the rows, by ascending position: row groups in random order, several to a pool."""
        reader = self.reader.take(rows)

        def shuffled(rng: np.random.Generator, multiple: int) -> Iterator[Pool]:
            held: Pool | None = None
            for places, frame in reader.shuffled(rng):
                batches = _transformed(self.rooms, reader.columns(frame), len(frame))
                pool = Pool(places, _inputs(self.rooms, batches))
                pool = pool if held is None else held.before(pool)
                order = rng.permutation(len(pool))
                cut = len(pool) // multiple * multiple
                held = pool.take(order[cut:])
                if cut:
                    yield pool.take(order[:cut])
            if held is not None and len(held):
                yield held

        return shuffled

    def features(self, rows: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], Joined]]:
        """Dense training features of rows by ascending position, chunk by chunk: out of fold for rows of the sample."""
        known = self.joined.features
        for start, batches in _batches(self.reader.take(rows), self.rooms):
            places = rows[start : start + len(batches)]
            parts = {name: self.rooms[name].features(batch) for name, batch in batches.sources.items()}
            joined = join({name: replace(part, wide=None) for name, part in parts.items()}, len(batches))
            at = np.minimum(np.searchsorted(self.chosen, places), len(self.chosen) - 1)
            own = self.chosen[at] == places
            joined.features.values[own] = known.values[at[own]]
            joined.features.present[own] = known.present[at[own]]
            yield places, joined


def _fitted(room: Modality, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Modality:
    """A room, fitted once, wherever that is kept."""
    name = room.source.name
    if name in context.job.known:
        return room
    place = context.within("rooms").within(name)
    return place.once(
        f"reading {name}",
        lambda: room.fit(chunks, context),
        lambda fitted: State(1, parts={"room": fitted.state()}),
        lambda state: type(room).from_state(room.source, state.parts["room"]),
    )


class _Taught:
    """What a learner reads: the features of all rows, then those of masked copies; again whenever asked."""

    def __init__(self, evidence: Streamed, chosen: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]) -> None:
        self.evidence, self.chosen, self.kept = evidence, chosen, kept

    def __iter__(self) -> Iterator[Features]:
        evidence, done = self.evidence, 0
        total = len(evidence.everyone) + len(self.chosen)
        for rows, present in ((np.arange(len(evidence.everyone)), evidence.present), (self.chosen, self.kept)):
            start = 0
            for _, joined in evidence.features(rows):
                stop = start + len(joined.features)
                yield joined.mask(present[start:stop]) if len(self.chosen) else joined.features
                start, done = stop, done + stop - start
                evidence.everyone.report(Progress("features: rows", done, total))


def _transformed(rooms: Mapping[str, Modality], columns: Mapping[str, tuple[Column, ...]], rows: int) -> Batches:
    return Batches({name: room.transform(columns[name]) for name, room in rooms.items()}, rows)


def _batches(reader: Reader, rooms: Mapping[str, Modality]) -> Iterator[tuple[int, Batches]]:
    for start, frame in reader.frames():
        yield start, _transformed(rooms, reader.columns(frame), len(frame))


def _read(reader: Reader, rooms: Mapping[str, Modality]) -> Batches:
    """All rows of a reader in memory."""
    return _joined([batches for _, batches in _batches(reader, rooms)])


def _joined(parts: list[Batches]) -> Batches:
    sources = {name: Batch.concatenate([part.sources[name] for part in parts]) for name in parts[0].sources}
    return Batches(sources, sum(map(len, parts)))


def _inputs(rooms: Mapping[str, Modality], batches: Batches) -> dict[str, Batch]:
    return {name: rooms[name].inputs(batch) for name, batch in batches.sources.items()}


def _bytes(batch: Batch) -> int:
    total = batch.present.nbytes
    for array in batch.arrays.values():
        if isinstance(array, Nested):
            total += _bytes(array.items) + array.offsets.nbytes
        elif isinstance(array, Ragged):
            total += array.values.nbytes + array.offsets.nbytes
        else:
            total += array.nbytes
    return total
