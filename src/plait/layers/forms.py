"""What encoders read of a mini-batch, made in numpy: rows padded to rectangles, masks beside them.

An encoder names its form, which says in JSON what it is. The arrays are the same whether torch or an exported graph
reads them, since both ask the same form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from plait.contracts import Array, Batch, Json, Nested, Ragged
from plait.errors import ArtifactError, PlaitError
from plait.layers.padding import dense, pad, ragged

__all__ = [
    "Bags",
    "Cells",
    "Film",
    "Form",
    "Ids",
    "Items",
    "Links",
    "Records",
    "Sounds",
    "Steps",
    "Whole",
    "form_of",
    "picked",
]


class Form(ABC):
    """From a room's inputs to arrays by name, each of ``B`` rows, ``present`` (bool ``B``) among them.

    `uneven` names the arrays whose second axis is as long as the longest row of the mini-batch; all other axes but the
    first are of one length, whatever the rows are.
    """

    uneven: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __call__(self, inputs: Batch) -> dict[str, Array]: ...

    @property
    def lengths(self) -> frozenset[str]:
        """`uneven`, of this very form."""
        return frozenset(self.uneven)

    def to_json(self) -> dict[str, Json]:
        return {"form": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]


def form_of(told: Mapping[str, Json]) -> Form:
    """The form that `Form.to_json` told of.

    Raises
    ------
    ArtifactError
        If there is no such form.
    """
    kinds = (Bags, Cells, Film, Ids, Items, Links, Records, Sounds, Steps, Whole)
    named = {kind.__name__: kind for kind in kinds}
    own = {name: value for name, value in told.items() if name != "form"}
    if told["form"] not in named:
        raise ArtifactError(f"the model reads inputs of unknown form {told['form']!r}; install the newer plait_edge")
    form: Form = named[told["form"]](**own)
    return form


@dataclass(frozen=True)
class Cells(Form):
    """Numbers (``numbers``, float32 ``B x C1``) and codes (int64 ``B x C2``) of a row, and which are ``there``."""

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        codes = dense(inputs, "codes")
        there = np.concatenate([dense(inputs, "numbers_present"), codes > 0], axis=1) & inputs.present[:, None]
        numbers = np.asarray(dense(inputs, "numbers"), np.float32)
        return {"numbers": numbers, "codes": np.asarray(codes, np.int64), "there": there, "present": _present(inputs)}


@dataclass(frozen=True)
class Steps(Form):
    """The most recent `limit` steps (``values``, float32 ``B x T x C``), padded on the left to a `multiple`."""

    uneven: ClassVar[tuple[str, ...]] = ("values", "there")

    limit: int
    multiple: int
    channels: int

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        values, there = pad(ragged(inputs, "values"), inputs.present, self.limit, self.multiple, recent=True)
        values = values.reshape(*there.shape, self.channels).astype(np.float32)
        return {"values": values, "there": there, "present": _present(inputs)}


@dataclass(frozen=True)
class Ids(Form):
    """The first `limit` ids of a row (int64 ``B x T``, 0 is padding), padded to a `multiple`."""

    uneven: ClassVar[tuple[str, ...]] = ("ids",)

    limit: int
    multiple: int

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        ids, _ = pad(ragged(inputs, "ids"), inputs.present, self.limit, self.multiple)
        return {"ids": ids.astype(np.int64), "present": _present(inputs)}


@dataclass(frozen=True)
class Bags(Form):
    """The ids of all rows one after the other (int64), their ``weights`` (float32), and where each row ``starts``."""

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        rows = np.flatnonzero(inputs.present)
        ids = ragged(inputs, "ids").take(rows)
        weights = np.ones(len(ids.values))
        if "weights" in inputs.arrays:
            weights = ragged(inputs, "weights").take(rows).values
        lengths = np.zeros(len(inputs), np.int64)
        lengths[rows] = ids.lengths
        return {
            "ids": ids.values.astype(np.int64),
            "weights": weights.astype(np.float32),
            "starts": np.cumsum(lengths) - lengths,
            "present": _present(inputs),
        }


@dataclass(frozen=True)
class Records(Form):
    """The most recent `limit` records: ``values`` float32 ``B x T x F``, ``codes`` int64 ``B x T x C``, ``clocks``
    float32 ``B x T x 2``."""

    uneven: ClassVar[tuple[str, ...]] = ("values", "codes", "clocks", "there")

    limit: int

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        arrays = {"present": _present(inputs)}
        for name, dtype in (("values", np.float32), ("codes", np.int64), ("clocks", np.float32)):
            padded, arrays["there"] = pad(ragged(inputs, name), inputs.present, self.limit, recent=True)
            arrays[name] = padded.astype(dtype)
        return arrays


@dataclass(frozen=True)
class Whole(Form):
    """Arrays that have one shape in every row, as they are."""

    names: tuple[str, ...]

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        found = {name: np.ascontiguousarray(dense(inputs, name)) for name in self.names}
        return {**found, "present": _present(inputs)}


@dataclass(frozen=True)
class Sounds(Form):
    """``samples`` (int16 ``B x T``) and the ``lengths`` (int64 ``B``) of sounds."""

    uneven: ClassVar[tuple[str, ...]] = ("samples",)

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        sounds = ragged(inputs, "samples")
        samples, _ = pad(sounds, inputs.present, int(sounds.lengths.max(initial=1)))
        lengths = np.where(inputs.present, sounds.lengths, 0)
        return {"samples": samples, "lengths": lengths, "present": _present(inputs)}


@dataclass(frozen=True)
class Film(Form):
    """``frames``, ``track`` and ``numbers`` of films, and what `Sounds` makes of their sound tracks (``sound.``)."""

    uneven: ClassVar[tuple[str, ...]] = ("sound.samples",)

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        sounds: Ragged = ragged(inputs, "samples")
        heard = Sounds()(Batch({"samples": sounds}, inputs.present & (sounds.lengths > 0)))
        return {
            **Whole(("frames", "track", "numbers"))(inputs),
            **{f"sound.{name}": array for name, array in heard.items()},
        }


@dataclass(frozen=True)
class Links(Form):
    """``own`` (float32 ``B x F``) of an entity, and its most recent `limit` ``links`` and their ``kinds``."""

    uneven: ClassVar[tuple[str, ...]] = ("links", "kinds", "there")

    limit: int

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        present = _present(inputs)
        links, there = pad(ragged(inputs, "links"), present, self.limit, recent=True)
        kinds, _ = pad(ragged(inputs, "kinds"), present, self.limit, recent=True)
        own = np.where(present[:, None], dense(inputs, "own"), np.float32(0.0))
        return {"own": own, "links": links, "kinds": kinds, "there": there, "present": present}


@dataclass(frozen=True)
class Items(Form):
    """The most recent `limit` items of rows, all in one batch as the form `inner` makes it (``item ...``).

    ``row`` and ``place`` (int64 ``I``; counted from the row's last item, so that a token means the same in short and
    in long rows) say where an item belongs, ``there`` whether it can be read, ``age`` how old it is where that is told.
    """

    inner: Mapping[str, Json]
    limit: int
    timed: bool

    @property
    def lengths(self) -> frozenset[str]:
        return frozenset(f"item {name}" for name in form_of(self.inner).lengths)

    def __call__(self, inputs: Batch) -> dict[str, Array]:
        arrays, items = picked(inputs, self.limit, self.timed)
        return arrays | {f"item {name}": array for name, array in form_of(self.inner)(items).items()}


def picked(inputs: Batch, limit: int, timed: bool) -> tuple[dict[str, Array], Batch]:
    """Where the most recent `limit` items of rows belong, and these items, those of all rows in one batch."""
    nested = inputs.arrays["items"]
    if not isinstance(nested, Nested):
        raise PlaitError("the encoder's input 'items' must be rows of items (Nested)")
    rows = np.flatnonzero(inputs.present)
    kept = nested.take(rows)
    owner = np.repeat(rows, kept.lengths)
    place = np.repeat(kept.offsets[1:], kept.lengths) - 1 - np.arange(len(owner))
    inside = np.flatnonzero(place < limit)
    items, owner, place = kept.items.take(inside), owner[inside], place[inside]
    age = ragged(inputs, "age").take(rows).values[inside].astype(np.float32) if timed else np.zeros(0, np.float32)
    if not len(inside) and len(inputs):  # graphs cannot reshape nothing: one item that is not there
        items, owner, place = _nothing(items), np.zeros(1, np.int64), np.zeros(1, np.int64)
        age = np.zeros(1, np.float32)
    arrays = {"row": owner, "place": place, "there": _present(items), "present": _present(inputs)}
    return arrays | ({"age": age} if timed else {}), items


def _nothing(like: Batch) -> Batch:
    """One row that is absent, of the arrays of a batch without rows."""

    def blank(array: Array | Ragged | Nested) -> Array | Ragged | Nested:
        if isinstance(array, Nested):
            return Nested(array.items, np.zeros(2, np.int64))
        if isinstance(array, Ragged):
            return Ragged(array.values[:0], np.zeros(2, np.int64))
        return np.zeros((1, *array.shape[1:]), array.dtype)

    return Batch({name: blank(array) for name, array in like.arrays.items()}, np.zeros(1, bool))


def _present(inputs: Batch) -> Array:
    return np.asarray(inputs.present, bool)
