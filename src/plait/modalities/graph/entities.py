"""Who is linked: a key, whatever its type, as a number of 64 bits; and whether two columns name the same entities."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Side

__all__ = ["endpoints", "entities", "mix"]

Codes = npt.NDArray[np.uint64]

SHARED = 0.5  # of the fewer names, that must be among the others, for two columns to name the same entities
SHARED_NUMBERS = 0.3  # of all numbers; small whole numbers are often counts of something else
FEW = 10  # shared numbers under which they prove nothing
SCALARS = (str, bytes, bool, int, float, np.generic)


def entities(values: Array, present: npt.NDArray[np.bool_]) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Keys as 64-bit hashes of their text (12, 12.0 and "12" are one entity), and which cells are keys at all.

    Two of a million entities share a hash with a chance of 3e-8. What is no text, number or moment is no key.
    """
    out = np.zeros(len(values), np.uint64)
    rows = np.flatnonzero(present)
    if values.dtype == object:
        cells = values[rows].tolist()
        scalar = np.fromiter((isinstance(cell, SCALARS) for cell in cells), bool, len(cells))
        texts = [_text(cell) if good else "" for cell, good in zip(cells, scalar.tolist(), strict=True)]
        told = {text: _hash(text) for text in dict.fromkeys(texts)}
        hashed = np.fromiter((told[text] for text in texts), np.uint64, len(texts))
        scalar &= np.fromiter((bool(text) for text in texts), bool, len(texts))
    else:
        cells, where = np.unique(values[rows], return_inverse=True)
        texts = [_text(cell) for cell in cells.tolist()]
        hashed = np.array([_hash(text) for text in texts], np.uint64)[where]
        scalar = np.array([bool(text) for text in texts], bool)[where]
    out[rows] = np.where(scalar, hashed, 0)
    known = np.zeros(len(values), bool)
    known[rows] = scalar
    return out, known


def _text(cell: object) -> str:
    """The one text of a key; empty where there is none (an infinity, say)."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float):
        if not np.isfinite(cell):
            return ""
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e18 else repr(cell)
    if isinstance(cell, int) and abs(cell) >= 1 << 63:
        return hex(cell)  # the decimal form of a huge integer may be refused
    return "" if cell is None else str(cell)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def mix(a: Codes, b: Codes) -> Codes:
    """A hash of pairs, so that a choice by its order is fair: SplitMix64's finaliser (Steele et al., 2014)."""
    z = a ^ (b << np.uint64(17) | b >> np.uint64(47))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), np.uint64)


def endpoints(side: Side) -> tuple[str, ...]:
    """Columns besides the key that name the key's entities too, the most alike first."""
    shares = {name: _alike(side.columns[side.key], side.columns[name]) for name in side.columns}
    found = [name for name, share in shares.items() if share > 0 and name not in (side.key, side.time)]
    return tuple(sorted(found, key=lambda name: -shares[name]))


def _alike(keys: Array, others: Array) -> float:
    """How much two columns name the same things, 0 where too little."""
    if keys.dtype.kind == "f" and others.dtype.kind == "f":
        a, b = np.unique(keys), np.unique(others[np.isfinite(others)])
        if (b != np.floor(b)).any():
            return 0.0
        both = len(np.intersect1d(a, b, assume_unique=True))
        share = both / max(len(a) + len(b) - both, 1)
        return share if share >= SHARED_NUMBERS and both >= FEW else 0.0
    if keys.dtype != object or others.dtype != object:
        return 0.0
    names, told = set(keys.tolist()), {cell for cell in others.tolist() if isinstance(cell, str)}
    share = len(names & told) / max(min(len(names), len(told)), 1)
    return share if share >= SHARED and len(names & told) > 1 else 0.0
