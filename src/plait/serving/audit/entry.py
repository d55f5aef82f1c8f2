"""What the audit keeps: entries of named fields, each salted and digested on its own, and the link that joins entries.

The chain is that of Haber and Stornetta (How to time-stamp a digital document, 1991), over salted digests in place of
values, so that a value can be deleted and the chain still be checked::

    digest = SHA-256( salt, canonical([name, value]) )                                salt: 16 random bytes
    link   = SHA-256( link before, canonical([seq, time, kind, [[name, digest], ...]]) )     names sorted

Canonical JSON: object keys sorted by code point, no blanks, UTF-8 in which only ``"``, ``\\`` and control characters
are escaped, numbers as Python writes them (a float by its shortest repr), no NaN, no infinity, keys that are strings.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from plait.contracts import Json
from plait.errors import DataError

__all__ = ["LOOKED_UP", "Entry", "Sealed", "canonical", "digest_of", "findable", "link_of", "pack", "seal"]

LOOKED_UP: Final = ("decision", "request", "subject")  # fields that entries are found by
LONGEST: Final = 200  # characters of those
SALT: Final = 16  # bytes
UNSTORED: Final = re.compile("[\\0\\ud800-\\udfff]")
KIND: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_WRITE: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True)
class Entry:
    """Something that happened.

    Parameters
    ----------
    kind
        ``"predict"``, ``"explain"``, ``"feedback"``, ``"shadow"``, ``"credit.decide"``, ``"event"``, and of the audit
        itself ``"redaction"`` and ``"checkpoint"``.
    fields
        Name to JSON. ``decision``, ``request`` and ``subject`` are texts of 1 to 200 characters, and entries are found
        by them. A row that was scored is named by its digest and never kept.
    """

    kind: str
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Sealed:
    """An entry ready to be written: `fields` as stored, `digests` as linked, and what it is found by."""

    kind: str
    fields: str
    digests: tuple[tuple[str, str], ...]
    found_by: Mapping[str, str | None]


def canonical(value: Json) -> str:
    """JSON in the one form that is digested.

    Raises
    ------
    ValueError
        If there is no such form: NaN, infinity, half of a surrogate pair, a key that is no string, another type.
    """
    try:
        keyed = _keyed_by_strings(value)
        written = _WRITE(value)
        written.encode()
    except (TypeError, RecursionError):
        raise ValueError("is no JSON") from None
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair") from None
    except ValueError:
        raise ValueError("holds NaN, infinity, or itself") from None
    if not keyed:
        raise ValueError("has a key that is no string")
    return written


def _keyed_by_strings(value: Json) -> bool:
    """json writes other keys as strings, so that two values would be one."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_keyed_by_strings, value.values()))
    return not isinstance(value, list | tuple) or all(map(_keyed_by_strings, value))


def seal(entry: Entry) -> Sealed:
    """Salt and digest the fields of an entry.

    Raises
    ------
    DataError
        If the kind or a field cannot be kept; the message names the field and never its value.
    """
    if not (KIND.fullmatch(entry.kind) and len(entry.kind) <= 100):
        raise DataError("an entry's kind is lower-case words joined by dots, as in 'credit.decide'")
    salts = os.urandom(SALT * len(entry.fields))
    body, digests = {}, []
    for i, name in enumerate(sorted(entry.fields)):
        try:
            value = canonical(entry.fields[name])
        except ValueError as error:
            raise DataError(f"field {name!r} of a {entry.kind!r} entry {error}; give plain JSON") from None
        salt = salts[i * SALT : (i + 1) * SALT]
        digest = digest_of(salt, name, value)
        digests.append((name, digest))
        body[name] = (digest, salt.hex(), value)
    return Sealed(entry.kind, pack(body), tuple(digests), {name: _key(entry, name) for name in LOOKED_UP})


def findable(value: Json) -> bool:
    """Whether an entry can be found by this: a text of 1 to 200 characters, as databases hold texts."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST and UNSTORED.search(value) is None


def _key(entry: Entry, name: str) -> str | None:
    value: str | None = entry.fields.get(name)
    if value is None or findable(value):
        return value
    raise DataError(f"field {name!r} of a {entry.kind!r} entry must be a text of 1 to {LONGEST} characters")


def pack(body: Mapping[str, tuple[str, str, str] | tuple[str]]) -> str:
    """Fields as they are stored: canonical JSON, name to digest, salt and value, or to the digest alone.

    Parameters
    ----------
    body
        By name: digest and salt in hexadecimal, and the value as canonical JSON.
    """
    packed = []
    for name in sorted(body):
        digest, *rest = body[name]
        told = f',"{rest[0]}",{rest[1]}' if rest else ""
        packed.append(f'{_WRITE(name)}:["{digest}"{told}]')
    return "{" + ",".join(packed) + "}"


def digest_of(salt: bytes, name: str, value: str) -> str:
    """Hexadecimal digest of a field whose value is canonical JSON already."""
    return hashlib.sha256(salt + f"[{_WRITE(name)},{value}]".encode()).hexdigest()


def link_of(before: str, seq: int, time: str, kind: str, digests: Iterable[tuple[str, str]]) -> str:
    """Hexadecimal link of an entry to the one before it."""
    told = _WRITE([seq, time, kind, [list(each) for each in digests]])
    return hashlib.sha256(bytes.fromhex(before) + told.encode()).hexdigest()
