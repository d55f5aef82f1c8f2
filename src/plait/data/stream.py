"""Rows of Parquet files that are read piece by piece, so that there may be more of them than memory holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from plait.contracts import Array
from plait.data.frame import Cells
from plait.data.read import files_of
from plait.errors import DataError, unknown

__all__ = ["CHUNK", "RowGroup", "Stream"]

CHUNK = 65_536  # rows that are in memory at a time
OPEN = 8  # row groups that a shuffled pass reads side by side
BUFFER = 1 << 16  # bytes of a column that are read ahead
WEIGHED = 1_000  # rows by which a frame's size in memory is told


@dataclass(frozen=True)
class RowGroup:
    """A row group of a file: rows ``start:start + rows`` of all rows in the files."""

    file: Path
    number: int
    start: int
    rows: int


@dataclass(frozen=True, eq=False)
class Stream:
    """Rows of a Parquet file or a folder of them, in name order; made by `open`, read by none but its own methods.

    It looks like a frame as far as a frame can be looked at without its rows: ``len``, ``columns``, ``index``,
    ``attrs``, and one whole column by ``stream[name]``.

    Parameters
    ----------
    groups
        The row groups, in order.
    schema
        Names and types that all files agree on.
    columns
        Those that are read, in order.
    kept
        bool over all rows in the files: which of them are rows of the stream; None: all.
    attrs
        As of the frame that `plait.data.read.read` makes: the folder that cells which are paths lie in.
    """

    groups: tuple[RowGroup, ...]
    schema: pa.Schema
    columns: tuple[str, ...]
    kept: npt.NDArray[np.bool_] | None = None
    attrs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: str | Path) -> Stream:
        """Look at the files' feet; no row is read.

        Parameters
        ----------
        path
            A ``.parquet`` file, or a folder of such files.

        Raises
        ------
        DataError
            If there is no such file, it is damaged or of another kind, or files differ in columns or types.
        """
        files, kind = files_of(path)
        if kind != "parquet":
            raise DataError(
                f"{str(path)!r} is {kind}, and only Parquet is read piece by piece; write it as Parquet first: "
                f"pandas.read_csv({files[0].name!r}).to_parquet('data.parquet')"
            )
        groups: list[RowGroup] = []
        schemas = []
        try:
            for file in files:
                with pq.ParquetFile(file) as opened:
                    schemas.append(opened.schema_arrow.remove_metadata())
                    for number in range(opened.num_row_groups):
                        start = groups[-1].start + groups[-1].rows if groups else 0
                        groups.append(RowGroup(file, number, start, opened.metadata.row_group(number).num_rows))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"cannot read {str(file)!r}: {str(error).splitlines()[0]}") from None
        schema = _agreed(files, schemas)
        columns = tuple(name for name in schema.names if not name.startswith("__index_level_"))
        if not columns:
            raise DataError(f"{str(path)!r} has no columns")
        return cls(tuple(groups), schema, columns, attrs={"folder": str(files[0].parent)})

    @cached_property
    def _before(self) -> npt.NDArray[np.int64]:
        """Rows of the stream before each row group, and all of them."""
        if self.kept is None:
            counts = [group.rows for group in self.groups]
        else:
            counts = [int(self.kept[g.start : g.start + g.rows].sum()) for g in self.groups]
        return np.cumsum([0, *counts]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._before[-1])

    @property
    def index(self) -> npt.NDArray[np.int64]:
        """Positions of the rows among all rows in the files, int64 ``N``."""
        return np.arange(len(self)) if self.kept is None else np.flatnonzero(self.kept)

    def select(self, columns: Sequence[str]) -> Stream:
        """The same rows, of which only these columns are read.

        Raises
        ------
        ConfigError
            If a column is not there.
        """
        for name in columns:
            if name not in self.columns:
                raise unknown("column", name, self.columns)
        return replace(self, columns=tuple(columns))

    def drop(self, columns: str | Sequence[str]) -> Stream:
        """The same rows without these columns."""
        gone = {columns} if isinstance(columns, str) else set(columns)
        return replace(self, columns=tuple(name for name in self.columns if name not in gone))

    def take(self, rows: Array) -> Stream:
        """Some of the rows, by bool mask or by position (int), in the order of the files."""
        kept = np.zeros(sum(group.rows for group in self.groups), bool)
        kept[self.index[rows]] = True
        return replace(self, kept=kept)

    def chunks(self, rows: int = CHUNK) -> Iterator[pd.DataFrame]:
        """All rows in order, `rows` at a time; the last chunk may have fewer."""
        held: pa.Table | None = None
        for number in range(len(self.groups)):
            for table in self._tables(number, rows):
                held = table if held is None else pa.concat_tables([held, table])
                while held.num_rows >= rows:
                    yield self._frame(held.slice(0, rows))
                    held = held.slice(rows)
        if held is not None and held.num_rows:
            yield self._frame(held)

    def shuffled(
        self, rng: np.random.Generator, rows: int = CHUNK
    ) -> Iterator[tuple[npt.NDArray[np.int64], pd.DataFrame]]:
        """All rows once, about `rows` at a time, and their positions: row groups in random order, several side by side.

        Within a pool rows stand in order; who learns from them shuffles the pool.
        """
        waiting = iter(rng.permutation(len(self.groups)).tolist())
        size = max(1, rows // OPEN)
        active = [self._placed(number, size) for number in islice(waiting, OPEN)]
        places: list[npt.NDArray[np.int64]] = []
        held: list[pa.Table] = []
        while active:
            source = active.pop(0)
            found = next(source, None)
            if found is None:
                active += [self._placed(number, size) for number in islice(waiting, 1)]
                continue
            active.append(source)
            places.append(found[0])
            held.append(found[1])
            if sum(map(len, places)) >= rows:
                yield np.concatenate(places), self._frame(pa.concat_tables(held))
                places, held = [], []
        if held:
            yield np.concatenate(places), self._frame(pa.concat_tables(held))

    def frame(self) -> pd.DataFrame:
        """All rows in memory."""
        numbers = range(len(self.groups))
        tables = [table for number in numbers for table in self._tables(number, CHUNK)]
        return self._frame(pa.concat_tables(tables) if tables else self._types.empty_table())

    def sample(self, rows: int, seed: int = 0) -> pd.DataFrame:
        """At most so many rows, drawn from all of them and in order."""
        return self.take(self.drawn(rows, np.random.default_rng(seed))).frame()

    def drawn(self, rows: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Positions of at most so many rows at random, ascending."""
        if rows >= len(self):
            return np.arange(len(self))
        return np.sort(rng.choice(len(self), rows, replace=False))

    def __getitem__(self, name: str) -> Cells:
        """A whole column; of words, a pandas category, which costs memory once a word."""
        one, kind = self.select([name]), self.schema.field(name).type
        words = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        found = []
        for number in range(len(one.groups)):
            for table in one._tables(number, CHUNK):
                found += [cells.dictionary_encode() if words else cells for cells in table.column(0).chunks]
        whole = pa.chunked_array(found, pa.dictionary(pa.int32(), kind) if words else kind)
        cells: Cells = whole.unify_dictionaries().to_pandas(date_as_object=False)
        return cells.rename(name)

    @property
    def nbytes(self) -> int:
        """About how many bytes all rows would take in memory, told from the first ones."""
        first = self.take(np.arange(min(WEIGHED, len(self)))).frame()
        return int(first.memory_usage(deep=True).sum() / max(1, len(first)) * len(self))

    @property
    def _types(self) -> pa.Schema:
        return pa.schema([self.schema.field(name) for name in self.columns])

    def _tables(self, number: int, size: int) -> Iterator[pa.Table]:
        """The stream's rows of a row group, at most `size` at a time."""
        if self._before[number] == self._before[number + 1]:
            return
        group = self.groups[number]
        place, types = group.start, self._types
        try:
            with pq.ParquetFile(group.file, buffer_size=BUFFER) as file:
                for batch in file.iter_batches(size, [group.number], list(self.columns), use_threads=False):
                    table = pa.Table.from_batches([batch]).select(list(self.columns)).cast(types)
                    kept = None if self.kept is None else self.kept[place : place + len(batch)]
                    place += len(batch)
                    yield table if kept is None or kept.all() else table.filter(pa.array(kept))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"cannot read {str(group.file)!r}: {str(error).splitlines()[0]}") from None

    def _placed(self, number: int, size: int) -> Iterator[tuple[npt.NDArray[np.int64], pa.Table]]:
        """The same with the rows' positions in the stream."""
        place = int(self._before[number])
        for table in self._tables(number, size):
            yield np.arange(place, place + table.num_rows), table
            place += table.num_rows

    def _frame(self, table: pa.Table) -> pd.DataFrame:
        frame: pd.DataFrame = table.to_pandas(date_as_object=False, ignore_metadata=True)
        frame.attrs.update(self.attrs)
        return frame


def _agreed(files: Sequence[Path], schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The one schema of all files."""
    for file, schema in zip(files, schemas, strict=True):
        twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
        if twice:
            raise DataError(f"{str(file)!r}: duplicate column(s) {', '.join(map(repr, twice))}")
        odd = sorted(set(schema.names) ^ set(schemas[0].names))
        if odd:
            raise DataError(f"{str(file)!r} and {str(files[0])!r} differ in column(s) {', '.join(map(repr, odd[:5]))}")
    try:
        return pa.unify_schemas(list(schemas), promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(
            f"the files in {str(files[0].parent)!r} differ in types: {str(error).splitlines()[0]}"
        ) from None
