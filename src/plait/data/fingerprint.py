"""What arrays hold as a short text: the same for the same values, and otherwise another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import TypeAlias

import numpy as np

from plait.contracts import Array, Batch, Nested, Ragged, State

__all__ = ["fingerprint"]

Held: TypeAlias = Array | Ragged | Nested | Batch | State | None


def fingerprint(*held: Held) -> str:
    """BLAKE2b of types, shapes and values, 32 hexadecimal digits; None is a value of its own.

    What is missing counts by what stands in its place, so arrays must come out of the same code.
    """
    found = blake2b(digest_size=16)
    for thing in held:
        for array in _arrays(thing):
            found.update(f"{array.dtype.str}{array.shape}".encode())
            cells = np.ascontiguousarray(array).reshape(-1)
            found.update(repr(cells.tolist()).encode() if array.dtype.hasobject else cells.view(np.uint8).data)
    return found.hexdigest()


def _arrays(held: Held) -> Iterator[Array]:
    if isinstance(held, np.ndarray):
        yield held
    elif isinstance(held, Ragged):
        yield from (held.values, held.offsets)
    elif isinstance(held, Nested):
        yield held.offsets
        yield from _arrays(held.items)
    elif isinstance(held, Batch):
        yield held.present
        for name in sorted(held.arrays):
            yield np.array(name)
            yield from _arrays(held.arrays[name])
    elif isinstance(held, State):
        yield np.array(json.dumps([held.version, held.values, held.texts], sort_keys=True))
        for name, array in sorted(held.arrays.items()):
            yield from (np.array(name), array)
        for name, part in sorted(held.parts.items()):
            yield np.array(name)
            yield from _arrays(part)
    else:
        yield np.array("none")
