"""Batches as Arrow streams: read without trusting them, and written."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from plait.contracts import Json
from plait.serving.errors import RefusedError

__all__ = ["stream_of", "table_of"]

MOST_ROWS: Final = 1_000_000  # that are looked at, whatever a request may hold
COLUMNS: Final = 10_000
DICTIONARY, BATCH = 2, 3  # kinds of messages that carry buffers (Arrow's Message.fbs)


def table_of(body: bytes) -> pa.Table:
    """The table of an Arrow IPC stream.

    Every buffer is checked before it is looked at. A compressed stream is refused: what it unpacks to is not bounded by
    what it weighs.

    Raises
    ------
    RefusedError
        400 if it is no such stream, is damaged or compressed; 413 if it claims to have too many rows.
    """
    try:
        if any(map(_compressed, pa.ipc.MessageReader.open_stream(body))):
            raise RefusedError(400, "the Arrow stream is compressed; write it without compression")
        with pa.ipc.open_stream(body) as reader:
            if len(reader.schema) > COLUMNS:
                raise RefusedError(413, f"the Arrow stream has more than {COLUMNS:,} columns")
            batches, rows = [], 0
            for batch in reader:
                rows += batch.num_rows
                if rows > MOST_ROWS:
                    raise RefusedError(413, f"the Arrow stream has more than {MOST_ROWS:,} rows; send fewer")
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
        names = table.column_names
    except (pa.ArrowException, OSError, ValueError, UnicodeError) as error:
        raise RefusedError(400, f"the body is no Arrow IPC stream ({type(error).__name__}); send one") from None
    if len(set(names)) < len(names):
        raise RefusedError(400, "the Arrow stream has two columns of one name; keep one of them")
    for name in names:
        if "\0" in name:
            raise RefusedError(400, "the Arrow stream has a column whose name holds a NUL character")
    return table


def stream_of(rows: Sequence[Mapping[str, Json]], about: Mapping[str, str]) -> bytes:
    """Rows as an Arrow IPC stream; `about` goes into the metadata of its schema."""
    table = pa.Table.from_pylist([dict(row) for row in rows]).replace_schema_metadata(dict(about))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _compressed(message: Any) -> bool:
    """Whether a message's buffers are compressed, by the FlatBuffers of its metadata (Arrow's Message.fbs)."""
    data = message.metadata.to_pybytes()
    try:
        root = struct.unpack_from("<I", data, 0)[0]
        kind = _field(data, root, 1)
        if kind is None or data[kind] not in (DICTIONARY, BATCH):
            return False
        header = _table(data, _field(data, root, 2))
        if data[kind] == DICTIONARY:
            header = _table(data, _field(data, header, 1))
        return _field(data, header, 3) is not None
    except (struct.error, IndexError, TypeError):
        raise RefusedError(400, "the Arrow stream has a message that cannot be read") from None


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where a field of a FlatBuffers table stands; None where the table has it not."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, vtable)[0]
    place = 4 + 2 * number
    offset = struct.unpack_from("<H", data, vtable + place)[0] if place + 2 <= size else 0
    return table + offset if offset else None


def _table(data: bytes, field: int | None) -> int:
    """The table that a field points to."""
    if field is None:
        raise IndexError
    return field + int(struct.unpack_from("<I", data, field)[0])
