"""Delimited text: strict parsing, with the line of every mistake, and careful inference of types."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from plait.errors import DataError

__all__ = ["infer", "parse", "write"]

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")
LARGEST_EXACT = 2**53  # integers beyond it are identifiers: as float64 two of them may become one

_BLOCK = 1 << 24  # bytes that Arrow parses at a time; a row must fit
_NUMBER = r"^[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$|^[-+]?[Ii]nf(inity)?$"
_INTEGER = r"^[-+]?[0-9]+$"


def parse(text: str, where: str, delimiter: str | None = None) -> pa.Table:
    """Parse delimited text into a table of strings, null where missing.

    Parameters
    ----------
    text
        All of the file, header first.
    where
        What to call the file in errors.
    delimiter
        Taken from the header if None: comma, semicolon, tab or bar.

    Raises
    ------
    DataError
        If two columns share a name, a row has another number of cells than the header, or a quote is left open.
    """
    import pyarrow.csv as arrow

    delimiter = delimiter or _delimiter(text)
    header = next(row for _, row in _rows(text, where, delimiter))
    names = [name.strip() or f"unnamed_{i}" for i, name in enumerate(header)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{where!r}: duplicate column(s) {', '.join(map(repr, twice))}; rename or drop one")
    if text.count('"') % 2:  # Arrow would read an open quote to the end of the file
        _check(text, where, delimiter, len(names))
    data = text if text.endswith(("\n", "\r")) else text + "\n"
    try:
        table = arrow.read_csv(
            pa.BufferReader(data.encode()),
            arrow.ReadOptions(block_size=_BLOCK),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow.ConvertOptions(
                column_types={name: pa.string() for name in header},
                null_values=list(MISSING),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowException as error:
        _check(text, where, delimiter, len(names))
        raise DataError(f"cannot read {where!r}: {str(error).splitlines()[0]}") from None
    return table.rename_columns(names)


def _delimiter(text: str) -> str:
    bare, quoted = "", False
    for sign in text.lstrip("\r\n"):
        quoted ^= sign == '"'
        if sign in "\r\n" and not quoted:
            break
        bare += "" if quoted else sign
    return max(",;\t|", key=bare.count)


def _rows(text: str, where: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line that each begins on (1 is the first)."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{where!r}, line {line}: {error}; is a quote left open there?") from None


def _check(text: str, where: str, delimiter: str, expected: int) -> None:
    for line, row in _rows(text, where, delimiter):
        if len(row) != expected:
            raise DataError(
                f"{where!r}, line {line}: expected {expected} cells, found {len(row)}; "
                "quote cells that hold the delimiter, and give every row all of its cells"
            )


def infer(table: pa.Table) -> pd.DataFrame:
    """Numbers and booleans where every cell that is not missing says so; all else stays text."""
    return pd.DataFrame({name: _typed(table.column(name)).to_pandas() for name in table.column_names})


def _typed(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    bare = pc.utf8_trim_whitespace(cells)
    bare = pc.if_else(pc.is_in(bare, value_set=pa.array(MISSING)), None, bare)
    told = bare.drop_null()
    if not len(told):
        return bare.cast(pa.float64()) if len(cells) else cells
    if pc.all(pc.match_substring_regex(told, _NUMBER)).as_py():
        bare = pc.utf8_ltrim(bare, characters="+")
        if not pc.all(pc.match_substring_regex(told, _INTEGER)).as_py():
            return bare.cast(pa.float64())
        try:
            whole = bare.cast(pa.int64())
        except pa.ArrowInvalid:  # beyond 64 bits
            return cells
        return whole if pc.max(pc.abs(whole)).as_py() <= LARGEST_EXACT else cells
    lower = pc.utf8_lower(bare)
    if pc.all(pc.is_in(lower.drop_null(), value_set=pa.array(["true", "false"]))).as_py():
        return lower.cast(pa.bool_())
    return cells


def write(frame: pd.DataFrame, path: Path, delimiter: str) -> None:
    """Write a frame of flat cells without its index; a missing cell is empty."""
    frame.to_csv(path, sep=delimiter, index=False, lineterminator="\n")
