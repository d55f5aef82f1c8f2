"""Cells of a request, each checked against what its room takes before any model sees it."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias

from plait.contracts import Json

__all__ = ["DEEPEST", "Check", "Files", "UnfitError", "check_of", "is_moment", "is_number", "is_signal", "moment"]

Files: TypeAlias = Mapping[str, bytes]
Check: TypeAlias = Callable[[Any, Files], Any]

DEEPEST: Final = 16  # lists and objects inside one another in a cell
SIGNAL = 'give {"base64": "..."}, or {"file": "NAME"} for the bytes of a part; a path or URL is never opened'
SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class UnfitError(ValueError):
    """A cell is not what its room takes; the message says what it takes, never what the cell holds."""


def is_signal(schema: Mapping[str, Json]) -> bool:
    """Whether a cell of this schema is the bytes of a file."""
    return "contentEncoding" in schema


def is_number(schema: Mapping[str, Json]) -> bool:
    """Whether a cell of this schema is a number and nothing else."""
    return schema.get("type") == "number"


def is_moment(schema: Mapping[str, Json]) -> bool:
    """Whether a cell of this schema is a date."""
    return schema.get("format") == "date-time"


def check_of(schema: Mapping[str, Json]) -> Check:
    """What checks a cell that is there: it returns the cell as rooms take it.

    Parameters
    ----------
    schema
        What a room says of its cells (`plait.contracts.Sendable`).

    Returns
    -------
    Check
        From a JSON value and the files of the request to float, datetime, bytes or the value itself, or `UnfitError`.
    """
    if is_signal(schema):
        return _signal
    if "anyOf" in schema:
        return _any([check_of(each) for each in schema["anyOf"]])
    if is_number(schema):
        return _number
    if is_moment(schema):
        return lambda cell, files: moment(cell)
    types = schema.get("type", list(SCALARS))
    names = [types] if isinstance(types, str) else list(types)
    if names == ["array"] and "items" in schema:
        return _items(check_of(schema["items"]))
    if names == ["object"] and "additionalProperties" in schema:
        return _mapping(schema)
    return _typed(names)


def moment(cell: object) -> datetime:
    """A date or moment in ISO 8601 as UTC without a zone, where it gives none it is taken for UTC.

    Raises
    ------
    UnfitError
        If it is none.
    """
    if type(cell) is str:
        try:
            found = datetime.fromisoformat(cell)
            return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
        except (ValueError, OverflowError):
            pass
    elif isinstance(cell, datetime):
        return cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
    elif isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    raise UnfitError("takes a date or moment as text in ISO 8601 (2026-01-31, 2026-01-31T09:30:00Z)")


def _number(cell: Any, files: Files) -> float:
    kind = type(cell)
    if kind is float or kind is int:
        try:
            value = float(cell)
        except OverflowError:
            value = math.inf
        if math.isfinite(value):
            return value
        raise UnfitError("takes numbers up to 1.8e308")
    raise UnfitError("takes a number or null")


def _signal(cell: Any, files: Files) -> bytes:
    if type(cell) is bytes:  # of an Arrow column
        found = cell
    elif type(cell) is dict and set(cell) == {"base64"} and type(cell["base64"]) is str:
        try:
            found = base64.b64decode(cell["base64"], validate=True)
        except (binascii.Error, ValueError):
            raise UnfitError("takes a file, and its base64 does not decode; encode the bytes by RFC 4648") from None
    elif type(cell) is dict and set(cell) == {"file"} and type(cell["file"]) is str:
        if cell["file"] not in files:
            raise UnfitError(
                "takes a file, and names a part that the request does not have; send it as multipart/form-data"
            )
        found = files[cell["file"]]
    else:
        raise UnfitError(f"takes a file: {SIGNAL}")
    if not found:
        raise UnfitError("takes a file, and this one has 0 bytes; leave the cell out if there is none")
    return found


def _typed(names: list[str]) -> Check:
    allowed = tuple(kind for name in names for kind in SCALARS[name])
    said = "takes " + " or ".join({"array": "a list", "object": "an object"}.get(name, f"a {name}") for name in names)

    def check(cell: Any, files: Files) -> Any:
        kind = type(cell)
        if kind not in allowed:
            raise UnfitError(said)
        if kind is float and not math.isfinite(cell):
            raise UnfitError("takes numbers up to 1.8e308")
        if kind is list or kind is dict:
            _shallow(cell, DEEPEST)
        return cell

    return check


def _shallow(cell: Any, left: int) -> None:
    """Refuse lists and objects that lie too deep, and numbers that are none."""
    if left == 0:
        raise UnfitError(f"takes lists and objects {DEEPEST} deep at most")
    inner = cell.values() if type(cell) is dict else cell
    kinds = set(map(type, inner))
    if float in kinds and any(math.isinf(each) for each in inner if type(each) is float):
        raise UnfitError("takes numbers up to 1.8e308")
    if list in kinds or dict in kinds:
        for each in inner:
            if type(each) is list or type(each) is dict:
                _shallow(each, left - 1)


def _any(checks: list[Check]) -> Check:
    def check(cell: Any, files: Files) -> Any:
        said = ""
        for each in checks:
            try:
                return each(cell, files)
            except UnfitError as unfit:
                said = said or str(unfit)
        raise UnfitError(said)

    return check


def _items(item: Check) -> Check:
    def check(cell: Any, files: Files) -> Any:
        if type(cell) is not list:
            raise UnfitError("takes a list")
        return [None if each is None else item(each, files) for each in cell]

    return check


def _mapping(schema: Mapping[str, Json]) -> Check:
    known = {name: check_of(each) for name, each in schema.get("properties", {}).items()}
    other, required = check_of(schema["additionalProperties"]), tuple(schema.get("required", ()))

    def check(cell: Any, files: Files) -> Any:
        if type(cell) is not dict or any(name not in cell for name in required):
            raise UnfitError(f"takes an object with {', '.join(map(repr, required))}")
        return {name: None if each is None else known.get(name, other)(each, files) for name, each in cell.items()}

    return check
