"""Cells to arrays: each content is decoded once, in parallel, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np

from plait.contracts import Array, Column, Json
from plait.media.content import MAX_BYTES, UnreadableError, content

__all__ = ["Arrays", "decoded"]

Arrays: TypeAlias = Mapping[str, Array]


def decoded(
    column: Column,
    read: Callable[[bytes], Arrays],
    settings: Json,
    *,
    given: Callable[[object], Arrays | None] | None = None,
    max_bytes: int = MAX_BYTES,
    outside: bool = False,
) -> Iterator[tuple[int, Arrays | str]]:
    """Decode the cells of a column that are there.

    Parameters
    ----------
    read
        From the bytes of a file to named numeric arrays. It is a function of the bytes and `settings` alone, runs in
        threads, and raises `UnreadableError` for every file that it cannot read, nothing else.
    settings
        What `read` depends on beside the bytes, with the room's name and version: results are kept by it.
    given
        Takes cells that are arrays or decoded objects already; None says that the cell is none of these.
    max_bytes, outside
        See `plait.media.content.content`.

    Yields
    ------
    row, arrays
        In the order of rows; the reason instead of the arrays where a cell cannot be read. Arrays are read-only.
    """
    for row in np.flatnonzero(column.present).tolist():
        cell = column.values[row]
        try:
            arrays = None if given is None else given(cell)
            if arrays is None:
                arrays = read(content(cell, column.folder, max_bytes=max_bytes, outside=outside))
            yield row, arrays
        except UnreadableError as error:
            yield row, str(error)
