"""A pretrained network with the rooms that it reads through: what fits start from, and what finds rows."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from plait import artifact, registry
from plait.contracts import Array, Batch, Batches, Json, Modality, Side, Source, State
from plait.data.frame import source_columns
from plait.data.schema import Schema
from plait.errors import ArtifactError, ConfigError, SchemaError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from plait.network import Network
    from plait.training.neural import NeuralFusion

__all__ = ["FILE", "Base", "Nearest", "untrained"]

FILE = "base.plait"  # in the folder that `plait pretrain` writes
SCORES = 1 << 24  # cosines that are in memory at once


@dataclass(frozen=True)
class Nearest:
    """Rows that fit queries: their positions, best first (int64 ``Q x k``, -1 where there is none), and cosines
    (float32 ``Q x k``, NaN where there is none)."""

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Base:
    """What pretraining leaves.

    Parameters
    ----------
    schema, rooms
        The sources, and their rooms as they were fitted.
    network
        Encoders, body and `plait.pretraining.views.Views`.
    fusion
        Whose body it is.
    record
        How it went: rows, losses an epoch, seconds, versions, seed and threads.
    """

    schema: Schema
    rooms: Mapping[str, Modality]
    network: Network
    fusion: NeuralFusion
    record: Mapping[str, Json]

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.schema.sources

    def taken(self, schema: Schema) -> dict[str, Modality]:
        """Copies of the fitted rooms of equal sources (name, modality, columns, options) in a fit's schema.

        Raises
        ------
        SchemaError
            If there is none, or rows are judged by another time than they were in pretraining.
        """
        found = {s.name: copy(self.rooms[s.name]) for s in schema.sources if self._knows(s)}
        if not found:
            own, theirs = (", ".join(repr(s.name) for s in each.sources) for each in (self.schema, schema))
            raise SchemaError(f"the base knows none of the sources {theirs}: it was pretrained on {own}")
        if schema.time != self.schema.time:
            raise SchemaError(
                f"the base was pretrained with time {self.schema.time!r}, and this fit has time {schema.time!r}; give "
                "both the same"
            )
        return found

    def said(self, schema: Schema) -> Schema:
        """An inferred schema in which columns are what they were in pretraining, where both take them for evidence or
        leave them out: few rows may look different from many."""
        known = {spec.name: spec for spec in self.schema.columns if spec.role in ("source", "ignored", "id")}
        told = (
            known.get(spec.name, spec) if spec.role in ("source", "ignored", "id") else spec for spec in schema.columns
        )
        return replace(schema, columns=tuple(told))

    def _knows(self, source: Source) -> bool:
        return source.name in self.rooms and self.rooms[source.name].source == source

    def vectors(
        self, frame: pd.DataFrame, present: Array | None = None, *, sides: Mapping[str, Side] | None = None
    ) -> npt.NDArray[np.float32]:
        """Unit vectors of rows, float32 ``N x D``; `present` (bool ``N x S`` or ``S``) hides sources.

        NaN in rows without any source.
        """
        from plait.network import predict

        columns = source_columns(frame, self.schema, sides)
        found = {name: room.transform(columns[name]) for name, room in self.rooms.items()}
        batches = Batches(found, len(frame)).mask(present)
        pooled = predict(self.network, {name: self.rooms[name].inputs(b) for name, b in batches.sources.items()})
        length = np.linalg.norm(pooled, axis=1, keepdims=True)
        there = batches.present.any(axis=1, keepdims=True)
        return np.where(there, pooled / np.maximum(length, 1e-12), np.nan).astype(np.float32)

    def vectors_of(
        self, frame: pd.DataFrame, source: str, *, sides: Mapping[str, Side] | None = None
    ) -> npt.NDArray[np.float32]:
        """Unit vectors of one source of rows, float32 ``N x D``, NaN where it is absent.

        Of the frame, no other columns are read, save that of the time. Vectors of different sources can be compared:
        those of one row lie close together.

        Raises
        ------
        ConfigError
            If the base has no such source.
        """
        from plait.pretraining.views import alone

        return alone(self.network, self._inputs(frame, source, sides), source)

    def nearest(
        self,
        queries: pd.DataFrame,
        among: pd.DataFrame,
        *,
        of: str,
        to: str,
        k: int = 5,
        sides: Mapping[str, Side] | None = None,
    ) -> Nearest:
        """The `k` rows of `among` whose source `of` fits the source `to` of each query best.

        ``of="letter", to="balance"`` finds the letters that fit a balance curve. No label was needed for it.

        Raises
        ------
        ConfigError
            If the base has no such source, was pretrained without contrast, or `k` is no number from 1.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ConfigError(f"k={k!r} is out of range (allowed: 1, 2, ...)")
        if of != to and self.record.get("contrast") is False:
            raise ConfigError("the base was pretrained with contrast=0: its sources never met; pretrain with more")
        asked, found = self.vectors_of(queries, to, sides=sides), self.vectors_of(among, of, sides=sides)
        there = np.flatnonzero(~np.isnan(found[:, 0]))
        k = min(k, len(among))
        rows = np.full((len(asked), k), -1, np.int64)
        scores = np.full((len(asked), k), np.nan, np.float32)
        best = min(k, len(there))
        step = max(1, SCORES // max(len(there), 1))
        for start in range(0, len(asked), step):
            told = asked[start : start + step] @ found[there].T
            order = np.argsort(-told, axis=1, kind="stable")[:, :best]
            rows[start : start + step, :best] = there[order]
            scores[start : start + step, :best] = np.take_along_axis(told, order, axis=1)
        rows[np.isnan(asked[:, 0])] = -1
        return Nearest(rows, scores)

    def _inputs(self, frame: pd.DataFrame, source: str, sides: Mapping[str, Side] | None) -> Batch:
        if source not in self.rooms:
            raise unknown("source", source, self.rooms)
        room = self.rooms[source]
        kept = tuple(spec for spec in self.schema.columns if spec.name in room.source.columns or spec.role == "time")
        used = {spec.side for spec in kept}
        schema = replace(self.schema, columns=kept, sides=tuple(s for s in self.schema.sides if s.name in used))
        (cells,) = source_columns(frame, schema, sides).values()
        return room.inputs(room.transform(cells))

    def state(self) -> State:
        """What networks of other heads start from (`plait.training.start`)."""
        places = self.network.places
        values = {
            "fusion": self.fusion.name,
            "width": self.fusion.width,
            "sources": {source.name: {"place": places[source.name]} for source in self.sources},
        }
        return State(1, values, {name: value.numpy().copy() for name, value in self.network.state_dict().items()})

    def save(self, path: str | PathLike[str]) -> None:
        """Write it, whole or not at all, as one directory, or one zip where `path` ends in ``.zip``."""
        rooms = State(1, parts={name: room.state() for name, room in self.rooms.items()})
        values = {"fusion": self.fusion.name, "shape": self.fusion.shape, "record": dict(self.record)}
        state = State(1, values, parts={"rooms": rooms, "network": self.state()})
        artifact.write(path, state, {"kind": "base", "schema": self.schema.to_json()})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a base back: what `save` wrote, or a folder that ``plait pretrain`` wrote.

        Raises
        ------
        ArtifactError
            If the files are damaged, hostile, newer than this version, or hold no base.
        """
        import torch

        inside = Path(path) / FILE
        manifest, state = artifact.read(inside if inside.exists() else path)
        if manifest.get("kind") != "base":
            raise ArtifactError(f"{path} holds a model, not a base; pretrain one with plait pretrain")
        try:
            schema = Schema.from_json(manifest["schema"])
            parts = state.parts["rooms"].parts
            rooms = {s.name: registry.room(s).from_state(s, parts[s.name]) for s in schema.sources}
            fusion = registry.make("fusions", state.values["fusion"], state.values["shape"])
            network = untrained(rooms, fusion)
            arrays = state.parts["network"].arrays
            network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise ArtifactError(f"{path} is not a complete base: {type(error).__name__} {error}") from None
        network.eval()
        return cls(schema, rooms, network, fusion, state.values["record"])


def untrained(rooms: Mapping[str, Modality], fusion: NeuralFusion) -> Network:
    """The network of a base before it has learned anything."""
    from plait.network import build
    from plait.pretraining.views import Views

    return build(rooms, Views(len(rooms), fusion.width), fusion.body, fusion.width)
