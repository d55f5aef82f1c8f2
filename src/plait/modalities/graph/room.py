"""The room of entities among others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    Array,
    Batch,
    Column,
    Encoder,
    Exhibit,
    Fault,
    Features,
    FitContext,
    Json,
    Place,
    Ragged,
    Side,
    Source,
    State,
)
from plait.data.source_options import refuse_newer
from plait.data.splits import inner_folds
from plait.data.versions import versions
from plait.errors import ConfigError, DataError, unknown
from plait.modalities.graph.activity import Rows, activity
from plait.modalities.graph.entities import endpoints, entities
from plait.modalities.graph.labels import Labels, Near, columns_of
from plait.modalities.graph.layout import Layout
from plait.modalities.graph.links import LinkTable
from plait.modalities.graph.places import Surroundings
from plait.modalities.graph.structure import Around, structure
from plait.modalities.graph.tokens import described, width_of

__all__ = ["Graph"]

OPTIONS = ("target", "amount", "kind", "directed", "hops", "max_neighbours", "windows", "encoder")
BLOCK = 4096  # rows whose neighbourhoods are held at once
SCALED = 2048  # training rows from which the scales of tokens are taken
LARGEST = 3e38


class Graph:
    """Entities among others: a row's cell is a key, and a long table of links tells with whom its entity had to do.

    The table has a row a link: the column of keys and another one of the same entities are its ends; time, amount and
    kind are optional. Numeric columns ``<key>.a`` and ``<target>.a`` are an attribute ``a`` of the one and of the other
    end, as joined from a table of entities; an entity has those that its links tell. (The other columns of the frame
    are of rows, not of entities, and are not seen here.)

    A row sees links up to and with its own moment and nothing later; links without times are all seen, and so are all
    by a row whose moment is not known. A key without a visible link is an entity that nobody knows yet: no link, not a
    missing cell. Beyond a bound, the neighbours met last are looked at, of those met at once a choice by hash.

    Options of the column
    ---------------------
    target
        Column of the other ends (default: the one whose values are most those of the keys).
    directed
        Whether links go from the key to the target (default true). Links of false are stored once and go both ways.
    amount, kind
        Columns of the links (default: the first of numbers, the first of at most 100 categories; attributes aside).
    hops
        1 or 2 (default): how far to look.
    max_neighbours
        Neighbours looked at, and walks of two links (default 512).
    windows
        Days, a list, for flows (default: about 1/64, 1/16 and 1/4 of the time that training saw).
    encoder
        Name of the encoder (default ``"neighbours"``).

    Features besides: neighbours' known labels, of training rows of other folds, known by the row's moment.

    The batch holds ``values`` (float32 ``N x F``), ``links`` (Ragged float32 ``T x E``) and ``kinds`` (Ragged int64) of
    the latest links, ``entity`` (uint64 hash of the key), ``moment`` (seconds), and for labels ``near`` and ``far``
    (Ragged uint64) with ``weight`` (Ragged float32 ``T x 2``: links, 1 / degree) and ``through`` (Ragged float32).
    """

    name: ClassVar[str] = "graph"
    joint: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        self._options = _checked(source.options.get(self._column, {}), self._column)
        self._hops = int(self._options.get("hops", 2))
        self._bound = int(self._options.get("max_neighbours", 512))
        self._layout: Layout | None = None
        self._names: tuple[str, ...] = ()
        self._label_columns = 1
        self._location, self._scale = np.zeros(0), np.ones(0)
        self._labels: Labels | None = None
        self._table: LinkTable | None = None

    @staticmethod
    def accepts(column: Column) -> float:
        """1 for keys of a side table that has another column of the same entities."""
        return 1.0 if column.side is not None and endpoints(column.side) else 0.0

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Payments among 150 accounts in 30 days; one cell in ten missing, one in twenty no key."""
        names = np.array([f"account {i}" for i in range(150)], object)
        source, target = rng.integers(0, 150, (2, 900)) ** 2 // 150  # the first ones pay and are paid most
        time = np.sort(rng.uniform(0, 30, 900)) * 86_400.0
        order = np.lexsort((time, names[source].astype(str)))
        links = {
            "payer": names[source],
            "time": time,
            "payee": names[target],
            "amount": np.round(rng.lognormal(4, 1, 900), 2),
            "kind": np.array(["card", "transfer", "cash"], object)[rng.integers(0, 3, 900)],
        }
        side = Side("payments", {name: values[order] for name, values in links.items()}, "payer", "time")
        values = np.array([*names, "nobody"], object)[rng.integers(0, 151, n)]
        for row, kind in enumerate(rng.random(n)):
            if kind < 0.15:
                values[row] = None if kind < 0.1 else [["account 1"], float("inf"), {"account": 1}][row % 3]
        present = np.array([cell is not None for cell in values], bool)
        return (Column("payer", values, present, rng.uniform(0, 31, n) * 86_400.0, side),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn the layout of the links, windows, and the scales of the encoder's numbers."""
        rows, latest, side = 0, -np.inf, None
        for (column,) in chunks:
            rows += len(column)
            side = side if side is not None else column.side
            known = np.full(1, np.inf) if column.row_time is None else column.row_time[~np.isnan(column.row_time)]
            latest = max(latest, float(known.max(initial=-np.inf)))
        self._label_columns = columns_of(context)
        if side is None:
            return self
        self._layout = Layout.learn(side, np.inf if latest == -np.inf else latest, self._options)
        nobody = Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        self._names = tuple(self._block(self._compiled(side), nobody)[0])
        values = np.concatenate([_array(batch, "values")[batch.present] for batch in self._some(chunks, rows)])
        self._location, self._scale = np.zeros(len(self._names)), np.ones(len(self._names))
        for i, own in enumerate(values.T.astype(np.float64)):
            own = own[np.isfinite(own)]
            if len(own):
                low, self._location[i], high = np.quantile(own, [0.25, 0.5, 0.75])
                self._scale[i] = (high - low) / 1.349 or own.std() or 1.0
        return self

    def _some(self, chunks: Iterable[tuple[Column, ...]], rows: int) -> Iterator[Batch]:
        """Batches of rows spread evenly over all chunks."""
        every, before = -(-rows // SCALED), 0
        for (column,) in chunks:
            yield self.transform((column.take(np.flatnonzero((before + np.arange(len(column))) % every == 0)),))
            before += len(column)

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Cells to neighbourhoods as of the row's moment; see the class for what the batch holds."""
        (column,) = columns
        hashes, present = entities(column.values, column.present)
        faults = [
            Fault(int(row), column.name, f"{_kind(column.values[row])} is no key")
            for row in np.flatnonzero(column.present & ~present)
        ]
        if column.side is None or self._layout is None:
            faults = [Fault(int(r), column.name, "no links beside the column") for r in np.flatnonzero(column.present)]
            present = np.zeros(len(column), bool)
        moment = np.full(len(column), np.nan) if column.row_time is None else column.row_time
        moment = np.where(np.isnan(moment), np.inf, moment)
        arrays: dict[str, Array | Ragged] = {"entity": np.where(present, hashes, np.uint64(0)), "moment": moment}
        if self._layout is None or column.side is None:
            arrays |= _nothing(len(hashes), len(self._names), 0 if self._layout is None else width_of(self._layout))
        else:
            arrays |= self._neighbourhoods(self._compiled(column.side), hashes, present, moment)
        return Batch(arrays, present, tuple(faults))

    def _neighbourhoods(
        self, table: LinkTable, hashes: Array, present: Array, moment: npt.NDArray[np.float64]
    ) -> dict[str, Array | Ragged]:
        all_rows = Rows.of(table, np.where(present, table.code(hashes), -1), moment)
        parts = []
        for start in range(0, max(len(hashes), 1), BLOCK):
            inside = slice(start, start + BLOCK)
            rows = Rows(all_rows.code[inside], all_rows.seen[inside], all_rows.now[inside])
            told, arrays = self._block(table, rows)
            values = np.clip(np.stack(list(told.values()), axis=1), -LARGEST, LARGEST)
            arrays["values"] = np.where(present[inside, None], values, np.nan).astype(np.float32)
            parts.append(Batch(arrays, present[inside]))
        return dict(Batch.concatenate(parts).arrays)  # type: ignore[arg-type]  # nothing here is nested

    def _block(self, table: LinkTable, rows: Rows) -> tuple[dict[str, Array], dict[str, Array | Ragged]]:
        """Features by name (float64), and the ragged arrays."""
        around = Around.of(table, rows, self._bound, self._hops)
        told = activity(table, rows) | structure(table, rows, around, self._hops)
        links, kinds = described(table, rows)
        near, far = around.near, around.far
        first, last = table.contacts.met.spans(near.values, rows.seen[around.row])
        weight = np.stack([around.links, 1.0 / np.maximum(last - first, 1)], axis=1).astype(np.float32)
        arrays: dict[str, Array | Ragged] = {
            "links": links,
            "kinds": kinds,
            "near": Ragged(table.entities[near.values], near.offsets),
            "weight": Ragged(weight, near.offsets),
            "far": Ragged(table.entities[far.values], far.offsets),
            "through": Ragged(around.through.astype(np.float32), far.offsets),
        }
        return told, arrays

    def _compiled(self, side: Side) -> LinkTable:
        if self._table is None or self._table.side is not side:
            assert self._layout is not None
            self._table = LinkTable(side, self._layout)
        return self._table

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """Features of the training rows; labels of neighbours come from rows of other folds than the row's own."""
        folds = inner_folds(context) if context.folds is None else context.folds
        self._label_columns = columns_of(context)  # of this target: the room may have been fitted for another
        entity = _array(batch, "entity")
        rows = np.flatnonzero(batch.present)
        told = np.full((len(batch), len(self._label_names())), np.nan)
        for fold in np.unique(folds[rows]):
            held, others = rows[folds[rows] == fold], rows[folds[rows] != fold]
            labels = Labels.of(entity, others, context)
            told[held] = self._known(batch.take(held), labels, len(rows) / max(len(others), 1))
        self._labels = Labels.of(entity, rows, context)
        return self._features(batch, told)

    def features(self, batch: Batch) -> Features:
        """Features of other rows; labels of neighbours come from all training rows."""
        told = np.full((len(batch), len(self._label_names())), np.nan)
        if self._labels is not None:
            told = self._known(batch, self._labels, 1.0)
        return self._features(batch, told)

    def _known(self, batch: Batch, labels: Labels, share: float) -> npt.NDArray[np.float64]:
        """What is known of neighbours' labels; `share` is by how much fewer there are than at prediction."""
        weight, moment = _ragged(batch, "weight"), _array(batch, "moment")
        near = _ragged(batch, "near")
        weights = [np.ones(len(near.values)), weight.values[:, 1]]
        if self._timed:
            weights.append(weight.values[:, 0])
        asked = [Near(near, each.astype(np.float64)) for each in weights]
        if self._hops > 1:
            asked.append(Near(_ragged(batch, "far"), _ragged(batch, "through").values.astype(np.float64)))
        found = [labels.means(each, moment) for each in asked]
        counts = [found[0][1]] + ([found[-1][1]] if self._hops > 1 else [])
        return np.concatenate([*(means for means, _ in found), share * np.stack(counts, axis=1)], axis=1)

    @property
    def _timed(self) -> bool:
        return self._layout is not None and self._layout.time is not None

    def _label_names(self) -> tuple[str, ...]:
        if not self._label_columns:
            return ()
        kinds = ("near", "exclusive", *(("met",) if self._timed else ()), *(("far",) if self._hops > 1 else ()))
        parts = range(self._label_columns)
        each = [""] if self._label_columns == 1 else [f"[{part}]" for part in parts]
        known = ("labels_known", *(("labels_known_far",) if self._hops > 1 else ()))
        return (*(f"label_{kind}{part}" for kind in kinds for part in each), *known)

    def _features(self, batch: Batch, told: npt.NDArray[np.float64]) -> Features:
        names = tuple(f"{self._column}.{name}" for name in (*self._names, *self._label_names()))
        values = np.concatenate([_array(batch, "values"), told], axis=1)
        values = np.where(batch.present[:, None], values, np.nan).astype(np.float32)
        nowhere = np.zeros(len(names), bool)
        return Features(values, names, ~np.isnan(values), nowhere, nowhere)

    def inputs(self, batch: Batch) -> Batch:
        """For the encoder: ``own`` (float32 ``N x F``, the features but labels, scaled), ``links`` and ``kinds``."""
        values = _array(batch, "values")
        scaled = np.arcsinh((values - self._location) / self._scale) if len(self._names) else values
        own = np.where(np.isnan(scaled), 0.0, scaled).astype(np.float32)
        arrays = {"own": own, "links": batch.arrays["links"], "kinds": batch.arrays["kinds"]}
        return Batch(arrays, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """The entity itself as a token, and its links pooled into eight."""
        wanted = str(self._options.get("encoder", "auto")) if kind == "auto" else kind
        make = registry.get("encoders", "neighbours" if wanted == "auto" else wanted)
        kinds = 0 if self._layout is None else len(self._layout.kinds)
        features = 0 if self._layout is None else width_of(self._layout)
        encoder: Encoder = make(width=width, own=len(self._names), features=features, kinds=kinds + 1)
        return encoder

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """The neighbours of the entity, the weightiest one by one, the others in groups."""
        whole = self._one(columns[0], row)
        return self._around(columns[0], whole).places(most, within) if whole.present[0] else ()

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """All links between the entity and neighbours that are not kept are taken out; PageRank stays as it was."""
        (column,) = columns
        whole = self._one(column, row)
        around = self._around(column, whole) if whole.present[0] else None

        def without(gone: npt.NDArray[np.bool_]) -> Batch:
            assert around is not None
            left = around.without([place for place, out in zip(places, gone, strict=True) if out])
            entity, moment = _array(whole, "entity"), _array(whole, "moment")
            read = self._neighbourhoods(left, entity, whole.present, moment)
            return Batch({"entity": entity, "moment": moment, **read}, whole.present)

        return versions(whole, kept, without)

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        """The neighbours, the weightiest first: how many links, how much out and in, and when first and last."""
        whole = self._one(columns[0], row)
        if not whole.present[0]:
            raise DataError(f"row {row} of column {self._column!r} has no entity to show")
        return Exhibit("links", self._around(columns[0], whole).told())

    def _one(self, column: Column, row: int) -> Batch:
        return self.transform((column.take(np.array([row])),))

    def _around(self, column: Column, whole: Batch) -> Surroundings:
        assert column.side is not None
        table = self._compiled(column.side)
        return Surroundings.of(table, Rows.of(table, table.code(_array(whole, "entity")), _array(whole, "moment")))

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        return {self._column: {"type": ["string", "number"], "description": "The key of an entity."}}

    def state(self) -> State:
        layout = None if self._layout is None else self._layout.to_json()
        values = {"layout": layout, "names": list(self._names), "label_columns": self._label_columns}
        arrays: dict[str, Array] = {"location": self._location, "scale": self._scale}
        if self._labels is not None:
            known = self._labels
            arrays |= {"entity": known.entity, "time": known.time, "target": known.target, "weight": known.weight}
        return State(self.version, values, arrays)

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        layout, arrays = state.values["layout"], state.arrays
        room._layout = None if layout is None else Layout.from_json(layout)
        room._names = tuple(state.values["names"])
        room._label_columns = int(state.values["label_columns"])
        room._location, room._scale = arrays["location"], arrays["scale"]
        if "entity" in arrays:
            room._labels = Labels(arrays["entity"], arrays["time"], arrays["target"], arrays["weight"])
        return room


def _checked(options: dict[str, Json] | Json, column: str) -> dict[str, Json]:
    def positive(value: Json) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < np.inf

    def named(value: Json) -> bool:
        return isinstance(value, str)

    rules = {
        "target": (named, "the name of a column"),
        "amount": (named, "the name of a column"),
        "kind": (named, "the name of a column"),
        "directed": (lambda value: isinstance(value, bool), "true or false"),
        "hops": (lambda value: value in (1, 2) and not isinstance(value, bool), "1 or 2"),
        "max_neighbours": (lambda value: positive(value) and isinstance(value, int), "a whole number from 1"),
        "windows": (lambda value: isinstance(value, list | tuple) and all(map(positive, value)), "a list of days"),
        "encoder": (lambda value: value in ("auto", *registry.names("encoders")), "the name of an encoder"),
    }
    for key, value in options.items():
        if key not in OPTIONS:
            raise unknown(f"option of column {column!r}", key, OPTIONS)
        allows, allowed = rules[key]
        if not allows(value):
            raise ConfigError(f"column {column!r}: {key} is {value!r} (allowed: {allowed})")
    return dict(options)


def _kind(cell: object) -> str:
    return f"{cell}" if isinstance(cell, float) else f"a {type(cell).__name__}"


def _nothing(rows: int, features: int, width: int) -> dict[str, Array | Ragged]:
    """The arrays of rows that are all absent."""

    def none(values: Array) -> Ragged:
        return Ragged(values, np.zeros(rows + 1, np.int64))

    return {
        "values": np.full((rows, features), np.nan, np.float32),
        "links": none(np.zeros((0, width), np.float32)),
        "kinds": none(np.zeros(0, np.int64)),
        "near": none(np.zeros(0, np.uint64)),
        "weight": none(np.zeros((0, 2), np.float32)),
        "far": none(np.zeros(0, np.uint64)),
        "through": none(np.zeros(0, np.float32)),
    }


def _array(batch: Batch, key: str) -> Array:
    array = batch.arrays[key]
    assert isinstance(array, np.ndarray)
    return array


def _ragged(batch: Batch, key: str) -> Ragged:
    array = batch.arrays[key]
    assert isinstance(array, Ragged)
    return array
