"""Rooms and detectors that were fitted on rows without labels: what `Detector` wraps and an artifact keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from plait import artifact, registry
from plait.classical.tails import Tails
from plait.conformal.outliers import Alarm
from plait.contracts import Array, Batches, Column, Detector, FeatureShares, FitContext, Json, Modality, Progress, State
from plait.data.faults import counted
from plait.data.frame import source_columns
from plait.data.schema import Schema
from plait.errors import ArtifactError, SchemaError
from plait.evidence import Joined, View
from plait.model import single_threaded_blas

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Contributions, Side

__all__ = ["Detection", "Usual"]

Floats = npt.NDArray[np.float64]

USUAL = (0.05, 0.95)
SHARED = 2_000  # rows of which features' shares are learned


@dataclass(frozen=True)
class Usual:
    """What features usually are: between `low` and `high` (float64 ``F``) in nine rows of ten that have them.

    `levels` (float64 ``L x 3``): feature, level and share of the rows that have it, of categories.
    """

    low: Floats
    high: Floats
    levels: Floats

    @classmethod
    def of(cls, joined: Joined) -> Self:
        values = joined.features.values.astype(np.float64)
        ends = np.full((2, values.shape[1]), np.nan)
        levels: list[tuple[float, float, float]] = []
        for i, column in enumerate(values.T):
            seen = column[~np.isnan(column)]
            if not len(seen):
                continue
            ends[:, i] = np.quantile(seen, USUAL)
            if joined.features.categorical[i]:
                codes, counts = np.unique(seen, return_counts=True)
                levels += [(i, code, rows / len(seen)) for code, rows in zip(codes, counts, strict=True)]
        return cls(ends[0], ends[1], np.array(levels, np.float64).reshape(-1, 3))

    def share(self, feature: int, level: float) -> float | None:
        """The share of training rows with a level; None of what is no category."""
        own = self.levels[self.levels[:, 0] == feature]
        return float(own[own[:, 1] == level, 2].sum()) if len(own) else None


class Detection:
    """Fitted rooms and detectors, and the alarm that keeps to a budget.

    A row's score is its surprise by the detector that finds it oddest, on one scale (`plait.classical.tails`): about 1
    in the usual row, and ``log(n)`` where a detector finds one row in ``n`` as odd.
    """

    def __init__(
        self,
        schema: Schema,
        rooms: Mapping[str, Modality],
        detectors: Mapping[str, Detector],
        tails: Tails,
        parts: Mapping[str, Tails],
        usual: Usual,
        alarm: Alarm,
        record: Mapping[str, Json],
    ) -> None:
        self.schema = schema
        self.rooms = rooms
        self.detectors = detectors
        self.tails = tails  # of what each detector says of rows
        self.parts = parts  # of what it says of features, by detector
        self.usual = usual
        self.alarm = alarm
        self.record = record

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        schema: Schema,
        detectors: Mapping[str, Detector],
        context: FitContext,
        rows: tuple[Array, Array],
        share: float,
        sides: Mapping[str, Side] | None = None,
    ) -> Self:
        """Learn from some of the rows what is usual, and from others (int each) how odd rows are that were not seen.

        The same rows may be both; their scores are then said to be their own.
        """
        sources = schema.sources
        if not sources:
            raise SchemaError("no column is left to look at: every one is a role, ignored or constant")
        learned, held = rows
        both = np.array_equal(learned, held)
        began, own, seconds = perf_counter(), context.take(learned), {}
        columns = source_columns(frame, schema, sides)
        rooms: dict[str, Modality] = {}
        batches = {}
        with single_threaded_blas():
            for source in sources:
                context.report(Progress(f"reading {source.name}", len(rooms), len(sources)))
                room: Modality = registry.room(source)(source)
                rooms[source.name] = room.fit([tuple(_taken(columns[source.name], learned))], own)
                batches[source.name] = rooms[source.name].transform(columns[source.name])
            seconds["read"] = perf_counter() - began
            view = View(Batches(batches, len(frame)), rooms)
            joined = view.joined.take(learned)
            for done, (name, detector) in enumerate(detectors.items()):
                context.report(Progress(f"detector {name}", done, len(detectors)))
                began = perf_counter()
                detector.fit(joined.features, _groups(joined), own)
                seconds[name] = perf_counter() - began
            some = joined.features.take(context.rng("shares").permutation(len(learned))[:SHARED])
            parts = {name: Tails().fit(detector.shares(some)) for name, detector in detectors.items()}
            made = cls(schema, rooms, detectors, Tails(), parts, Usual.of(joined), Alarm(np.zeros(1), share), {})
            raw = made.raw(view)
            made.tails.fit(raw[learned])
            made.alarm = Alarm(np.sort(made.tails(raw[held]).max(axis=1)), share, both)
        made.record = {
            "rows": len(frame),
            "learned": len(learned),
            "held_out": 0 if both else len(held),
            "features": joined.features.values.shape[1],
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "seed": context.seed,
            "threads": context.threads,
            "alarm": made.alarm.to_json(),
            "faults": counted(view.batches.faults),
            "versions": artifact.versions(),
        }
        return made

    def view(self, frame: pd.DataFrame, sides: Mapping[str, Side] | None = None) -> View:
        """Rows as the rooms read them."""
        columns = source_columns(frame, self.schema, sides)
        batches = {name: room.transform(columns[name]) for name, room in self.rooms.items()}
        return View(Batches(batches, len(frame)), self.rooms)

    def raw(self, view: View) -> Floats:
        """What each detector says, on its own scale: float64 ``N x K``."""
        return np.stack([detector.scores(view.joined.features) for detector in self.detectors.values()], axis=1)

    def surprises(self, view: View) -> Floats:
        """What each detector says, on one scale: float64 ``N x K``."""
        with single_threaded_blas():
            return self.tails(self.raw(view))

    def contributions(self, view: View) -> Contributions:
        """What adds up to the score: it is shared out by how surprising is what features add to its detector's."""
        found, joined = self.surprises(view), view.joined
        dense = np.zeros(joined.features.values.shape)
        oddest = found.argmax(axis=1)
        with single_threaded_blas():
            for place, (name, detector) in enumerate(self.detectors.items()):
                rows = np.flatnonzero(oddest == place)
                odd = self.parts[name](detector.shares(joined.features.take(rows)))
                odd = np.maximum(odd - 1.0, 0.0) ** 2  # 1 is usual; squares, since many a little odd are usual, too
                total = odd.sum(axis=1, keepdims=True)
                dense[rows] = np.divide(odd, total, out=odd, where=total > 0) * found[rows, place][:, None]
        told = FeatureShares(np.zeros(len(view)), dense, None, "surprise, shared out by what makes a row odd")
        return joined.contributions(told, self.rooms, found.max(axis=1), " and ".join(self.detectors))

    def state(self) -> State:
        arrays = {"low": self.usual.low, "high": self.usual.high, "levels": self.usual.levels}
        parts = {
            "rooms": State(1, parts={name: room.state() for name, room in self.rooms.items()}),
            "detectors": State(1, parts={name: one.state() for name, one in self.detectors.items()}),
            "tails": self.tails.state(),
            "parts": State(1, parts={name: tails.state() for name, tails in self.parts.items()}),
            "alarm": self.alarm.state(),
        }
        return State(1, {"record": self.record, "detectors": list(self.detectors)}, arrays, parts=parts)

    @classmethod
    def from_state(cls, schema: Schema, state: State) -> Self:
        """The same again.

        Raises
        ------
        ArtifactError
            If something is missing.
        """
        try:
            known = state.parts["rooms"].parts
            rooms = {s.name: registry.room(s).from_state(s, known[s.name]) for s in schema.sources}
            own = state.parts["detectors"].parts
            names: Sequence[str] = state.values["detectors"]
            detectors = {name: registry.get("detectors", name).from_state(own[name]) for name in names}
            usual = Usual(*(state.arrays[name] for name in ("low", "high", "levels")))
            tails, alarm = Tails.from_state(state.parts["tails"]), Alarm.from_state(state.parts["alarm"])
            parts = {name: Tails.from_state(state.parts["parts"].parts[name]) for name in names}
            return cls(schema, rooms, detectors, tails, parts, usual, alarm, state.values["record"])
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ArtifactError(f"it holds no complete detector: {type(error).__name__} {error}") from None


def _taken(columns: Sequence[Column], rows: Array) -> list[Column]:
    return [column.take(rows) for column in columns]


def _groups(joined: Joined) -> npt.NDArray[np.int64]:
    """The source of each feature."""
    return np.repeat(np.arange(len(joined.sources)), np.diff(joined.starts)).astype(np.int64)
