"""Any room whose cells pretrained encoders read, seen through one: frozen, or learning on with the network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    MAX_FEATURES,
    Array,
    Batch,
    Column,
    Divisible,
    Encoder,
    Exhibit,
    Features,
    FitContext,
    Json,
    Origins,
    Place,
    Ragged,
    Readable,
    Source,
    Sparse,
    State,
    Traceable,
)
from plait.data.source_options import refuse_newer
from plait.errors import ConfigError, SchemaError, unknown
from plait.media.cache import shelf

if TYPE_CHECKING:
    from plait.layers.checkpoint import Checkpoint
    from plait.layers.pretrained import Body

__all__ = ["Pretrained"]

TUNINGS = ("frozen", "full", "lora")
OPTIONS = ("pretrained", "tuning", "rank", "max_words", "components")
SEARCHED = "PLAIT_PRETRAINED"  # folders, divided as in PATH, that moved checkpoints are looked for in
PCA_ROWS = 5_000
COMPONENTS = 64
VECTOR = "pretrained vector"


class Pretrained:
    """A room with a pretrained encoder in front of the network, named by the column's option ``pretrained``.

    Options of the column
    ---------------------
    pretrained
        A local folder in Hugging Face format (config.json, model.safetensors, for words a tokenizer), or the name of
        an installed package that carries one (`plait list` shows them). Nothing is fetched.
    tuning
        ``"frozen"`` (default): a cell is one vector, embedded once; its principal components join the dense features,
        the vector itself the wide ones, and the network reads it as tokens. ``"full"``: all weights learn on in the
        network; ``"lora"``: low-rank adapters do. These two leave the features as they were.
    rank
        Of the adapters (default 8).
    max_words
        Tokens read of a text (default 128; 512 is what BERT-like models allow).
    components
        Principal components among the dense features (default 64, and what `MAX_FEATURES` leaves).

    All other options are the room's. A saved model carries what it learned; of a frozen encoder it carries the name and
    the digest of the weights, and looks for them in the same folder or in those of the environment variable
    ``PLAIT_PRETRAINED``.
    """

    joint: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        room = registry.get("modalities", source.modality)
        if not hasattr(room, "items"):
            raise SchemaError(f"source {source.name!r}: no pretrained encoder reads {source.modality!r} columns")
        (self._column,) = source.columns
        options = dict(source.options.get(self._column, {}))
        own = {key: options.pop(key) for key in OPTIONS if key in options}
        self._where = str(own["pretrained"])
        self._tuning = own.get("tuning", "frozen")
        if self._tuning not in TUNINGS:
            raise unknown(f"tuning of column {self._column!r}", self._tuning, TUNINGS)
        self._rank = _whole(own.get("rank", 8), "rank", 1, 256, self._column)
        self._longest = _whole(own.get("max_words", 128), "max_words", 1, 100_000, self._column)
        self._components = _whole(own.get("components", COMPONENTS), "components", 0, MAX_FEATURES, self._column)
        self._inner_options = options
        self._inner: Readable = room(replace(source, options={self._column: options}))
        self._mean = np.zeros(0, np.float32)
        self._axes = np.zeros((0, 0), np.float32)
        self._saved: Checkpoint | None = None

    @property
    def name(self) -> str:
        return str(self._inner.name)

    @property
    def frozen(self) -> bool:
        return bool(self._tuning == "frozen")

    @property
    def deep(self) -> bool:
        """Tuned, it is read by a network alone."""
        return not self.frozen

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        from plait.layers.checkpoint import Checkpoint

        return self._saved or Checkpoint.open(_folder(self._where))

    @cached_property
    def _body(self) -> Body:
        """The frozen encoder, loaded on first use."""
        from plait.layers.checkpoint import Checkpoint
        from plait.layers.pretrained import Body

        for folder in _candidates(self._where):
            if (Path(folder) / "config.json").is_file():
                found = Checkpoint.open(folder)
                if found.digest == self._checkpoint.digest:
                    return Body(found, self._form, found.load(folder)).requires_grad_(False)
        raise ConfigError(
            f"column {self._column!r}: the pretrained encoder that the model was fitted with (digest "
            f"{self._checkpoint.digest[:8]}) is not in {self._where!r}; put it back, or name its folder in {SEARCHED}"
        )

    @property
    def _form(self) -> str:
        nothing = Column(self._column, np.empty(0, object), np.empty(0, bool))
        form: str = self._inner.items(self._inner.transform((nothing,))).form
        return form

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Fit the room; then, with a frozen encoder, the principal components of training vectors."""
        from plait.layers.pretrained import check

        check(self._checkpoint, self._form)
        self._adapt()
        self._inner.fit(chunks, context)
        if not self.frozen or "features" not in context.doors or not self._components:
            return self
        parts, kept = [np.empty((0, self._width), np.float32)], 0
        for columns in chunks:
            batch = self.transform(columns)
            rows = np.flatnonzero(batch.present)[: PCA_ROWS - kept]
            parts.append(_vectors(batch)[rows])
            kept += len(rows)
        vectors = np.concatenate(parts)
        if len(vectors) > 1:
            self._mean = vectors.mean(axis=0)
            # The right singular vectors of the centred rows, each on the scale of its own spread.
            _, size, axes = np.linalg.svd(vectors - self._mean, full_matrices=False)
            count = int((size > 1e-6 * size[0]).sum()) if size[0] > 0 else 0
            count = min(count, self._components, len(vectors) - 1)
            signs = np.where(axes[np.arange(count), np.abs(axes[:count]).argmax(axis=1)] < 0, -1.0, 1.0)
            scale = signs * np.sqrt(len(vectors)) / size[:count]
            self._axes = (axes[:count] * scale[:, None]).T.astype(np.float32)
        return self

    def _adapt(self) -> None:
        """Let the room give what the encoder was made for, where the user left it open."""
        made_for: dict[str, Json] = {}
        if self._form == "pixels":
            size = self._checkpoint.config.image_size
            made_for["size"] = size if isinstance(size, int) else list(size)
        elif self._form == "waves":
            made_for["rate"] = self._checkpoint.preprocessing.get("sampling_rate", 16_000)
        self._inner_options = {**made_for, **self._inner_options}
        self._inner = type(self._inner)(replace(self.source, options={self._column: self._inner_options}))

    @property
    def _width(self) -> int:
        config = self._checkpoint.config
        return int(getattr(config, "hidden_size", 0) or getattr(config, "d_model", 0))

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """The room's batch, with the vectors of a frozen encoder beside its arrays."""
        batch = self._inner.transform(columns)
        if not self.frozen:
            return batch
        return replace(batch, arrays={**batch.arrays, VECTOR: self._embedded(batch)})

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """The room's places."""
        return cast("Divisible", self._inner).places(columns, row, most, within)

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """The room's versions, embedded as `transform` embeds, equal ones once; none of them goes to the cache."""
        batch = cast("Divisible", self._inner).keep(columns, row, places, kept)
        if not self.frozen:
            return batch
        _, first, which = np.unique(kept, axis=0, return_index=True, return_inverse=True)
        vectors = self._embedded(batch.take(first), lasting=False)[which.reshape(-1)]
        return replace(batch, arrays={**batch.arrays, VECTOR: vectors})

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        """The room's own."""
        return cast("Divisible", self._inner).exhibit(columns, row)

    def _embedded(self, batch: Batch, *, lasting: bool = True) -> npt.NDArray[np.float32]:
        """A vector a row, from the cache where the same cell was embedded before; else embedded, and kept if
        `lasting`."""
        from plait.layers.pretrained import embed, prepare

        vectors = np.zeros((len(batch), self._width), np.float32)
        if not batch.present.any():
            return vectors
        found = self._checkpoint
        inputs = prepare(found, self._inner.items(batch), batch.present, self._longest)
        kept = shelf(embed, {"weights": found.digest, "first": found.pools_first, "form": list(inputs.arrays)})
        rows, keys = np.flatnonzero(batch.present), []
        new = []
        for row in rows.tolist():
            keys.append(_key(inputs, row))
            known = None if kept is None else kept.get(keys[-1])
            if isinstance(known, Mapping):
                vectors[row] = known["vector"]
            else:
                new.append(len(keys) - 1)
        if new:
            vectors[rows[new]] = embed(self._body, inputs.take(rows[new]), first=found.pools_first)
            if kept is not None and lasting:
                for place in new:
                    kept.put(keys[place], {"vector": vectors[rows[place]]})
        return vectors

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        return self._joined(self._inner.fit_features(batch, context), batch)

    def features(self, batch: Batch) -> Features:
        return self._joined(self._inner.features(batch), batch)

    def _joined(self, own: Features, batch: Batch) -> Features:
        """The room's features with the components, and the vectors in the wide form."""
        if not self.frozen:
            return own
        vectors = _vectors(batch)
        count = min(self._axes.shape[1], MAX_FEATURES - len(own.names))
        made = np.full((len(batch), max(count, 0)), np.nan, np.float32)
        rows = np.flatnonzero(batch.present)
        if len(rows) and count > 0:
            made[rows] = (vectors[rows] - self._mean) @ self._axes[:, :count]
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(batch.present * vectors.shape[1])])
        indices = np.tile(np.arange(vectors.shape[1], dtype=np.int32), len(rows))
        # Of length 2, as the rows of the text room's own wide form: under one penalty both are heard.
        full = Sparse(indptr, indices, (2.0 * vectors[rows]).ravel().astype(np.float32), vectors.shape[1])
        return Features(
            np.concatenate([own.values, made], axis=1),
            (*own.names, *(f"pretrained {i + 1}" for i in range(made.shape[1]))),
            np.concatenate([own.present, ~np.isnan(made)], axis=1),
            np.concatenate([own.categorical, np.zeros(made.shape[1], bool)]),
            np.concatenate([own.covered, np.ones(made.shape[1], bool)]),
            full if own.wide is None else Sparse.beside([own.wide, full]),
        )

    def origins(self) -> Origins:
        """What the room tells of its wide form, and the numbers of the vector beside it."""
        told = self._inner.origins() if isinstance(self._inner, Traceable) else Origins()
        return Origins(terms=[*told.terms, *[VECTOR] * (self._width if self.frozen else 0)])

    def inputs(self, batch: Batch) -> Batch:
        """What the encoder reads: the vectors, or what the pretrained model itself reads."""
        if self.frozen:
            return Batch({"vector": _vectors(batch)}, batch.present)
        from plait.layers.pretrained import prepare

        return prepare(self._checkpoint, self._inner.items(batch), batch.present, self._longest)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """Tokens of the frozen vector, or the pretrained model as a part of the network."""
        from plait.layers.pretrained import Body, PretrainedTokens
        from plait.layers.vectors import VectorTokens

        if self.frozen:
            vector: Encoder = VectorTokens(width, self._width)
            return vector
        found = self._checkpoint
        # A saved model brings all weights with it; a new one starts from those of the folder.
        model = found.blank() if self._saved else found.load(_folder(self._where))
        lora = self._rank if self._tuning == "lora" else 0
        encoder: Encoder = PretrainedTokens(width, Body(found, self._form, model), lora=lora)
        return encoder

    def state(self) -> State:
        values: dict[str, Json] = {"digest": self._checkpoint.digest, "files": list(self._checkpoint.texts)}
        values["options"] = self._inner_options
        texts = {f"file{i}": text for i, text in enumerate(self._checkpoint.texts.values())}
        arrays: Mapping[str, Array] = {"mean": self._mean, "axes": self._axes}
        return State(self.version, values, arrays, texts, {"room": self._inner.state()})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        from plait.layers.checkpoint import Checkpoint

        refuse_newer(source, state, cls.version)
        room = cls(source)
        room._inner_options = dict(state.values["options"])
        inner = replace(source, options={room._column: room._inner_options})
        room._inner = registry.get("modalities", source.modality).from_state(inner, state.parts["room"])
        texts = {name: state.texts[f"file{i}"] for i, name in enumerate(state.values["files"])}
        room._saved = Checkpoint(texts, str(state.values["digest"]))
        room._mean, room._axes = state.arrays["mean"], state.arrays["axes"]
        return room


def _folder(where: str) -> str:
    """A folder as it is; else the folder that the package of this name carries."""
    if Path(where).is_dir():
        return where
    packages = registry.names("embedders")
    if where in packages:
        return str(registry.get("embedders", where).folder())
    raise ConfigError(f"pretrained {where!r} is neither a folder nor a known package (packages: {', '.join(packages)})")


def _candidates(where: str) -> list[str]:
    searched = [part for part in os.environ.get(SEARCHED, "").split(os.pathsep) if part]
    if Path(where).is_dir() or where in registry.names("embedders"):
        return [_folder(where), *searched]
    return searched


def _key(inputs: Batch, row: int) -> str:
    """What a prepared cell is known by."""
    digest = blake2b(digest_size=16)
    for array in inputs.arrays.values():
        cell = array.row(row) if isinstance(array, Ragged) else np.asarray(array)[row]
        digest.update(cell.tobytes())
    return digest.hexdigest()


def _vectors(batch: Batch) -> npt.NDArray[np.float32]:
    vectors = batch.arrays[VECTOR]
    assert isinstance(vectors, np.ndarray)
    return vectors


def _whole(given: Json, option: str, low: int, high: int, column: str) -> Any:
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise ConfigError(f"{option} of column {column!r} is {given!r}; it must be a whole number in {low}..{high}")
    return given
