"""From the rows that a program holds to the body of a request: JSON, JSON beside files, or Arrow."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.errors import DataError

if TYPE_CHECKING:
    from plait.contracts import Json

__all__ = ["ARROW_ROWS", "INLINE", "Body", "arrow_of", "files_of", "json_of", "records"]

ARROW_ROWS = 200  # a frame of so many rows and more goes as Arrow, which both sides read several times as fast as JSON
INLINE = 1 << 16  # bytes of a cell up to which it goes inside the JSON, where base64 costs a third more of it
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Body:
    """What is sent: keyword arguments of an ``httpx`` request, the same for each attempt."""

    content: bytes
    kind: str = "application/json"
    parameters: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def sent(self) -> dict[str, Any]:
        """As ``httpx`` takes it."""
        if not self.files:
            return {"content": self.content, "params": self.parameters, "headers": {"Content-Type": self.kind}}
        parts: dict[str, Any] = {"request": (None, self.content, self.kind)}
        parts |= {name: (name, held, "application/octet-stream") for name, held in self.files.items()}
        return {"files": parts, "params": self.parameters}


def records(rows: Any) -> Sequence[Mapping[str, Any]]:
    """Rows as records: of a pandas or polars frame, an Arrow table, or records already.

    Raises
    ------
    DataError
        If they are none of these, or there are none.
    """
    if _is_pandas(rows):
        found = list(rows.to_dict("records"))
    elif _is_arrow(rows):
        found = list(_arrow(rows).to_pylist())
    elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes | Mapping):
        found = list(rows)
    else:
        raise DataError(f"rows are a frame or a list of records (column to cell), not a {type(rows).__name__}")
    if strange := [i for i, row in enumerate(found) if not isinstance(row, Mapping)]:
        raise DataError(f"row {strange[0]} is a {type(found[strange[0]]).__name__}, not a record of column to cell")
    if not found:
        raise DataError("there are no rows; give one at least")
    return found


def _is_pandas(rows: object) -> bool:
    return hasattr(rows, "to_dict") and hasattr(rows, "columns") and not _is_arrow(rows)


def _is_arrow(rows: object) -> bool:
    """Whether it is a table of Arrow, or gives one as frames of polars do."""
    return hasattr(rows, "to_arrow") or hasattr(rows, "to_pylist")


def _arrow(rows: Any) -> Any:
    import pyarrow as pa

    if _is_pandas(rows):
        return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    return rows.to_arrow() if hasattr(rows, "to_arrow") else rows


def json_of(content: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Body:
    """A request as JSON; cells of many bytes go beside it, as parts.

    Parameters
    ----------
    content
        What is asked; cells may be what frames hold: numpy's values, moments, bytes, a `pathlib.Path` to be read here.
    files
        Parts by name, for cells that say ``{"file": name}``.

    Raises
    ------
    DataError
        If a cell has no form in JSON, or a file cannot be read.
    """
    held = dict(files or {})
    plain = _plain(content, held)
    return Body(json.dumps(plain, ensure_ascii=False, allow_nan=False).encode(), files=held)


def arrow_of(rows: Any, parameters: Mapping[str, str]) -> Body | None:
    """A frame of `ARROW_ROWS` rows and more as an Arrow stream; None where the rows had better go as JSON.

    Frames whose columns mix types, or hold what Arrow has no type for, are of these.
    """
    if not (_is_pandas(rows) or _is_arrow(rows)) or len(rows) < ARROW_ROWS:
        return None
    import pyarrow as pa

    try:
        table = _arrow(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Body(sink.getvalue().to_pybytes(), ARROW, parameters)


def files_of(files: Mapping[str, bytes | str | PathLike[str]]) -> dict[str, bytes]:
    """Parts by name: bytes as they are, and files of this machine by their path.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    return {name: bytes(held) if isinstance(held, bytes | bytearray) else _read(held) for name, held in files.items()}


def _read(path: str | PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _plain(cell: Any, held: dict[str, bytes]) -> Json:
    """A cell as JSON has it; many bytes are put among the parts held, and named."""
    if cell is None or isinstance(cell, str | bool):
        return cell
    if isinstance(cell, Mapping):
        return {str(name): _plain(value, held) for name, value in cell.items()}
    if isinstance(cell, bytes | bytearray | memoryview):
        return _bytes(bytes(cell), held)
    if isinstance(cell, Path):
        return _bytes(_read(cell), held)
    if hasattr(cell, "dtype") and hasattr(cell, "tolist"):  # numpy: moments as text, which keeps nanoseconds
        return _plain(cell.astype(str).tolist() if cell.dtype.kind == "M" else cell.tolist(), held)
    if isinstance(cell, Integral):
        return int(cell)
    if isinstance(cell, Real | Decimal):
        return _number(float(cell))
    if isinstance(cell, date | time):  # datetime and pandas' Timestamp are dates
        return None if cell != cell else cell.isoformat()
    if isinstance(cell, list | tuple | set | frozenset):
        return [_plain(item, held) for item in cell]
    if type(cell).__name__ in ("NAType", "NaTType"):  # pandas' missing values, which need not be installed here
        return None
    raise DataError(f"a cell holds a {type(cell).__name__}, which has no form in JSON; give text, numbers or bytes")


def _number(value: float) -> float | None:
    if math.isinf(value):
        raise DataError("a cell holds infinity, which has no form in JSON; give a number, or None for a missing cell")
    return None if math.isnan(value) else value


def _bytes(content: bytes, held: dict[str, bytes]) -> Json:
    if len(content) <= INLINE:
        return {"base64": base64.b64encode(content).decode("ascii")}
    name = f"part-{len(held)}"
    while name in held or name == "request":
        name += "x"
    held[name] = content
    return {"file": name}
