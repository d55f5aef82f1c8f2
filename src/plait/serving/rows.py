"""Rows of a request: records or an Arrow table, cell by cell what the model's rooms take, as columns of arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from plait.contracts import Array, Json, Sendable, Side
from plait.data.asof import side
from plait.errors import InputError, unknown
from plait.serving.cells import Check, Files, UnfitError, check_of, is_moment, is_number, is_signal, moment
from plait.serving.errors import SHOWN, RefusedError

if TYPE_CHECKING:
    from plait.data.schema import Schema, SideSpec

__all__ = ["Form", "Rows", "Taken", "forms_of"]

NO_FILES: Mapping[str, bytes] = {}
PLAIN: Mapping[str, Json] = {"type": ["string", "number", "boolean"]}
KEY: Mapping[str, Json] = {"type": ["string", "number"]}
CARRIED = ("id", "group", "sensitive", "weight", "label_time")  # roles whose cells are taken along


@dataclass(frozen=True)
class Rows:
    """Rows that were checked.

    Parameters
    ----------
    columns
        By name, arrays of ``N`` cells: float64 (NaN missing), datetime64[us] (NaT missing), or object (None missing).
    count
        ``N``.
    sides
        Long tables that came with the rows.
    ignored
        Columns that came, too, and that the model does not know.
    """

    columns: Mapping[str, Array]
    count: int
    sides: Mapping[str, Side] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def frame(self) -> pd.DataFrame:
        """The rows for a model; no path in any of their cells is opened."""
        made = pd.DataFrame(dict(self.columns), index=pd.RangeIndex(self.count), copy=False)
        made.attrs["folder"] = None
        return made

    def take(self, begin: int, end: int) -> Rows:
        """The rows from `begin` up to `end`."""
        columns = {name: cells[begin:end] for name, cells in self.columns.items()}
        return Rows(columns, end - begin, self.sides, self.ignored)

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """Rows of one model under each other; none of them has long tables of its own."""
        if len(parts) == 1:
            return parts[0]
        names = dict.fromkeys(name for part in parts for name in part.columns)
        columns = {
            name: np.concatenate([part.columns.get(name, np.full(part.count, None, object)) for part in parts])
            for name in names
        }
        return Rows(columns, sum(part.count for part in parts))

    def digests(self) -> list[str]:
        """SHA-256 of each row's cells that are there, in canonical JSON, as hex; the same for JSON and for Arrow."""
        names = sorted(self.columns)
        cells = [_plain(self.columns[name]) for name in names]
        found = []
        for row in zip(*cells, strict=True) if names else [()] * self.count:
            there = {name: cell for name, cell in zip(names, row, strict=True) if cell is not None and cell == cell}
            found.append(hashlib.sha256(_CANONICAL(there).encode()).hexdigest())
        return found

    def records(self, names: Sequence[str]) -> list[dict[str, Json]]:
        """Some of the columns, a mapping a row, without missing cells."""
        cells = [(name, _plain(self.columns[name])) for name in names if name in self.columns]
        return [
            {name: values[row] for name, values in cells if values[row] is not None and values[row] == values[row]}
            for row in range(self.count)
        ]


def _plain(cells: Array) -> list[Any]:
    found: list[Any] = cells.tolist()
    return found


def _digested(cell: object) -> str:
    """Bytes by their own digest, moments in ISO 8601."""
    return hashlib.sha256(cell).hexdigest() if isinstance(cell, bytes) else str(cell)


_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_digested).encode


class Taken(NamedTuple):
    """What a column of the frame takes: the JSON Schema of a cell, and the check made of it."""

    schema: Mapping[str, Json]
    check: Check


def forms_of(schema: Schema, rooms: Mapping[str, Any]) -> dict[str, Taken]:
    """What each column of a model's rows takes, sources first, then roles whose cells are taken along."""
    keys = {each.name: each.key for each in schema.sides}
    told: dict[str, Mapping[str, Json]] = {}
    for room in rooms.values():
        told |= room.cells() if isinstance(room, Sendable) else {name: {} for name in room.source.columns}
    found: dict[str, Mapping[str, Json]] = {}
    for spec in schema.columns:
        if spec.role == "source":
            found[spec.name if spec.side is None else keys[spec.side]] = KEY if spec.side else told[spec.name]
    if schema.time is not None:
        found[schema.time] = {"type": "string", "format": "date-time", "description": "The moment of the row."}
    for role in CARRIED:
        found |= {name: PLAIN for name in schema.names(role) if name not in found}
    return {name: Taken(each, check_of(each)) for name, each in found.items()}


class Form:
    """What rows of one model look like.

    Parameters
    ----------
    schema
        The model's.
    rooms
        Its fitted rooms, by source.
    open
        Keep columns that the schema does not know, if their cells are plain: for desks, whose operations name columns.
    """

    def __init__(self, schema: Schema, rooms: Mapping[str, Any], *, open: bool = False) -> None:
        self.schema = schema
        self.taken = forms_of(schema, rooms)
        self._time, self._open = schema.time, open
        keys = {each.name: each.key for each in schema.sides}
        self.sources = frozenset(
            spec.name if spec.side is None else keys[spec.side] for spec in schema.columns if spec.role == "source"
        )
        # Columns that stand in every frame, whether they came or not
        self._needed = self.sources if self._time is None else self.sources | {self._time}
        self._facts = {spec.side: _fact(rooms, spec.name) for spec in schema.columns if spec.side is not None}

    @property
    def tables(self) -> tuple[str, ...]:
        """The long tables that are read beside the rows."""
        return tuple(each.name for each in self.schema.sides)

    @property
    def subject(self) -> tuple[str, ...]:
        """Columns that say whom a row is about."""
        return self.schema.names("id")

    def records(self, rows: Any, sides: Any = None, files: Files = NO_FILES) -> Rows:
        """Rows from JSON.

        Parameters
        ----------
        rows
            A list of objects: column to cell. A column that is left out, or null, is a missing cell.
        sides
            Long tables by name: a list of objects each.
        files
            The bytes that cells name.

        Raises
        ------
        RefusedError
            422 with the rows and columns that do not fit.
        """
        if type(rows) is not list or not rows or not all(type(row) is dict for row in rows):
            raise RefusedError(
                422, 'rows: give a list of objects, one a row, and at least one: [{"column": cell, ...}]'
            )
        given: dict[str, None] = {}
        for row in rows:
            given.update(dict.fromkeys(row))
        self._known(rows)
        wrong: list[dict[str, Json]] = []
        columns: dict[str, Array] = {}
        for name, taken in self._asked(given).items():
            cells = [row.get(name) for row in rows] if name in given else [None] * len(rows)
            columns[name] = self._array(name, taken, cells, files, wrong)
        if wrong:
            raise RefusedError(422, _first(wrong), wrong)
        return Rows(columns, len(rows), self._sides(sides, files), self._ignored(given))

    def table(self, table: Any) -> Rows:
        """Rows from a checked `pyarrow.Table`.

        Raises
        ------
        RefusedError
            422 as of `records`.
        """
        given = dict.fromkeys(table.column_names)
        if table.num_rows == 0 or self.sources.isdisjoint(given):
            raise self._strange(given)
        wrong: list[dict[str, Json]] = []
        columns: dict[str, Array] = {}
        for name, taken in self._asked(given).items():
            quick = self._quick(name, taken, table.column(name)) if name in given else None
            if quick is None:
                cells = _cells(table, name) if name in given else [None] * table.num_rows
                quick = self._array(name, taken, cells, NO_FILES, wrong)
            columns[name] = quick
        if wrong:
            raise RefusedError(422, _first(wrong), wrong)
        return Rows(columns, table.num_rows, self._sides(None, NO_FILES), self._ignored(given))

    def _quick(self, name: str, taken: Taken, column: Any) -> Array | None:
        """An Arrow column that fits as a whole, without a Python object a cell; None: look at its cells."""
        import pyarrow as pa

        kind, found = column.type, None
        if is_number(taken.schema) and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            found = column.cast(pa.float64(), safe=False).to_numpy()
            return None if np.isinf(found).any() else found
        if pa.types.is_timestamp(kind) and is_moment(taken.schema):
            found = column.cast(pa.timestamp("us"), safe=False).to_numpy()
            if name == self._time and not self._open:
                return np.where(np.isnat(found), np.nan, found.astype(np.int64) / 1e6)
        elif _is_text(taken.schema) and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            found = column.to_numpy()
        return found

    def _known(self, rows: Sequence[Mapping[str, Json]]) -> None:
        for place, row in enumerate(rows):
            if self.sources.isdisjoint(row) and not self._open:
                error = self._strange(row)
                raise RefusedError(422, f"row {place}: {error.message}", [{"row": place, "message": error.message}])

    def _strange(self, given: Mapping[str, object]) -> RefusedError:
        name = next(iter(given), None)
        if name is None:
            return RefusedError(422, f"holds no column; give at least one of {', '.join(sorted(self.sources)[:12])}")
        return RefusedError(422, f"holds no column that the model reads: {unknown('column', name[:60], self.sources)}")

    def _asked(self, given: Mapping[str, object]) -> dict[str, Taken]:
        if not self._open:
            return {name: each for name, each in self.taken.items() if name in given or name in self._needed}
        extra = {name: Taken({}, check_of({})) for name in given if name not in self.taken}
        return {**{n: each for n, each in self.taken.items() if n in given or n in self.sources}, **extra}

    def _ignored(self, given: Mapping[str, object]) -> tuple[str, ...]:
        return () if self._open else tuple(name for name in given if name not in self.taken)

    def _array(self, name: str, taken: Taken, cells: list[Any], files: Files, wrong: list[dict[str, Json]]) -> Array:
        """Cells as an array; those that do not fit are added to `wrong`."""
        kinds = set(map(type, cells))
        if (is_number(taken.schema) or not taken.schema) and kinds <= {float, int, type(None)}:
            quick = _floats(cells)
            if quick is not None:
                return quick
        if _is_text(taken.schema) and kinds <= _TEXTS:
            return np.fromiter(cells, object, len(cells))
        check = _clock if name == self._time and not self._open else taken.check
        found: list[Any] = [None] * len(cells)
        for row, cell in enumerate(cells):
            if cell is not None:
                try:
                    found[row] = check(cell, files)
                except UnfitError as unfit:
                    if len(wrong) < SHOWN:
                        wrong.append({"row": row, "column": name, "message": str(unfit)})
        if wrong:
            return np.empty(0)
        if check is _clock or is_number(taken.schema):
            return np.array([np.nan if each is None else each for each in found], np.float64)
        if is_moment(taken.schema):
            return np.array(found, "datetime64[us]")
        return np.fromiter(found, object, len(found))

    def _sides(self, given: Any, files: Files) -> dict[str, Side]:
        """The long tables that came."""
        if given is None:
            return {}
        if type(given) is not dict:
            raise RefusedError(422, 'sides: give an object of long tables by name: {"NAME": [{"column": cell}, ...]}')
        specs = {each.name: each for each in self.schema.sides}
        for name in given:
            if name not in specs:
                raise RefusedError(422, f"sides: {unknown('long table', name[:60], specs)}")
        return {name: self._side(specs[name], rows, files) for name, rows in given.items()}

    def _side(self, spec: SideSpec, rows: Any, files: Files) -> Side:
        where = f"sides.{spec.name}: "
        if type(rows) is not list or not all(type(row) is dict for row in rows):
            raise RefusedError(422, f"{where}give a list of objects, one a record")
        names = dict.fromkeys(name for row in rows for name in row)
        plain, fact = check_of(PLAIN), self._facts[spec.name]
        checks: dict[str, Callable[[Any, Files], Any]] = dict.fromkeys(names, fact)
        checks |= {spec.key: plain} | ({} if spec.time is None else {spec.time: _clock})
        columns: dict[str, Array] = {}
        for name in dict.fromkeys([*names, spec.key, *([] if spec.time is None else [spec.time]), *spec.columns]):
            cells: list[Any] = []
            for place, row in enumerate(rows):
                cell = row.get(name)
                try:
                    cells.append(None if cell is None else checks.get(name, plain)(cell, files))
                except UnfitError as unfit:
                    told = f"{where}record {place}, {name[:60]!r} {unfit}"
                    raise RefusedError(
                        422, told, [{"row": place, "column": name[:60], "message": str(unfit)}]
                    ) from None
            columns[name] = np.fromiter(cells, object, len(cells))
        try:
            return side(spec.name, pd.DataFrame(columns), spec.key, spec.time, spec.columns or None)
        except InputError as error:
            raise RefusedError(422, f"{where}{error}") from None


_SPECIAL = {"format", "contentEncoding", "items"}
_TEXTS = {str, type(None)}


def _is_text(schema: Mapping[str, Json]) -> bool:
    """Whether a cell of this schema is a text and nothing else."""
    return schema.get("type") == "string" and not schema.keys() & _SPECIAL


def _floats(cells: Sequence[float | int | None]) -> Array | None:
    """Numbers as float64, NaN where missing; None where one of them is beyond every float."""
    try:
        found = np.array(cells, np.float64)
    except OverflowError:
        return None
    return None if np.isinf(found).any() else found


def _cells(table: Any, name: str) -> list[Any]:
    """The cells of an Arrow column; NaN is a missing one."""
    try:
        cells: list[Any] = table.column(name).to_pylist()
    except (ValueError, OverflowError, KeyError):
        raise RefusedError(422, f"column {name[:60]!r} holds what Python cannot: moments out of range, say") from None
    return [None if cell != cell else cell for cell in cells] if float in set(map(type, cells)) else cells


def _clock(cell: Any, files: Files) -> float:
    """A moment as seconds since 1970; numbers are taken as they are, as in files."""
    if type(cell) in (int, float):
        return float(check_of({"type": "number"})(cell, files))
    return (moment(cell) - _EPOCH).total_seconds()


_EPOCH = moment("1970-01-01")


def _fact(rooms: Mapping[str, Any], column: str) -> Check:
    """What checks the cells of a long table: files where the room of the items reads them, else plain values."""
    for room in rooms.values():
        if column in room.source.columns and isinstance(room, Sendable):
            items = room.cells()[column].get("items", {}).get("anyOf", ({},))[0]
            if is_signal(items):
                return check_of(items)
    return check_of(PLAIN)


def _first(wrong: Sequence[Mapping[str, Json]]) -> str:
    first = wrong[0]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"row {first['row']}, column {first['column']!r} {first['message']}{more}"
