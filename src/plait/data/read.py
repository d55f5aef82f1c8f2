"""Files to frames and back: CSV, TSV, JSON lines, Parquet, Arrow; one file, or a folder of files of one kind."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plait.contracts import Array, Column, Json
from plait.data import delimited
from plait.data.encodings import guess
from plait.data.files import replacing
from plait.data.frame import Cells, as_frame, column
from plait.errors import DataError, unknown

__all__ = ["as_json", "content", "digest", "files_of", "read", "write_frame"]

_KINDS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}


def read(
    path: str | Path, *, encoding: str | None = None, mask: bool | Sequence[str] = False, salt: str | None = None
) -> pd.DataFrame:
    """Read a file, or a folder of files of one kind in name order, into a frame.

    Delimited text may be gzipped (``.csv.gz``) and split by comma, semicolon, tab or bar, as its header shows.
    In it, a column is numbers or booleans only if every cell says so; dates stay text until a schema says otherwise,
    and numbers with leading zeros or beyond 2**53 stay text, being identifiers. An empty cell, ``NA``, ``N/A``,
    ``NaN`` and ``null`` are missing. Lists and objects in JSON lines stay Python cells. The folder of the file is kept
    in ``attrs["folder"]``: cells that are paths lie in it.

    Parameters
    ----------
    path
        A ``.csv``, ``.tsv``, ``.jsonl``, ``.parquet`` or ``.arrow`` (``.feather``) file, or a folder of such.
    encoding
        Of text files; UTF-8 by default.
    mask
        Replace personal data by tokens (`plait.data.personal.mask`): of these kinds, or of all kinds if True.
    salt
        With `mask`: makes tokens of equal values equal.

    Raises
    ------
    DataError
        If there is no such file, it is empty, damaged, ragged or in another encoding, two columns share a name, or the
        kind of file is unknown.
    """
    parts, kind = files_of(path)
    frame = _READERS[kind](parts, encoding)
    if frame.shape[1] == 0:
        raise DataError(f"{str(path)!r} has no columns")
    frame = as_frame(frame)
    frame.attrs["folder"] = str(parts[0].parent)
    if mask:
        from plait.data.personal import mask as masked

        return masked(frame, kinds=None if mask is True else mask, salt=salt)
    return frame


def files_of(path: str | Path) -> tuple[list[Path], str]:
    """The files to read, in name order, and their one kind."""
    path = Path(path)
    if not path.exists():
        siblings = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, siblings, n=1)
        raise DataError(f"no file {str(path)!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and file.name[0] not in "._")
        if not files:
            raise DataError(f"the folder {str(path)!r} holds no files")
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise DataError(f"the folder {str(path)!r} holds files of several kinds ({', '.join(sorted(kinds))}); keep one")
    for file in files:
        if file.stat().st_size == 0:
            raise DataError(f"{str(file)!r} is empty")
    return files, kinds.pop()


def _kind(path: Path) -> str:
    name = path.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    kind = _KINDS.get(suffix)
    if kind is None or (name.endswith(".gz") and kind in ("parquet", "arrow")):
        raise DataError(f"{str(path)!r}: {unknown('kind of file', suffix or path.name, _KINDS)}")
    return kind


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.name.lower().endswith(".gz") else data
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(f"cannot read {str(path)!r}: {error}") from None


def _text(path: Path, encoding: str | None) -> str:
    data = _bytes(path).removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} is not {error.encoding}: byte {error.start} cannot be read; name the encoding "
            f"(it looks like encoding={guess(data)!r}, --encoding {guess(data)})"
        ) from None
    except LookupError:
        raise DataError(f"unknown encoding {encoding!r}; allowed are Python's names, such as 'gb18030'") from None
    if not text.strip():
        raise DataError(f"{str(path)!r} is empty")
    return text


def _same_columns(parts: Sequence[Path], names: Sequence[Sequence[str]]) -> None:
    for part, own in zip(parts, names, strict=True):
        odd = sorted(set(own) ^ set(names[0]))
        if odd:
            raise DataError(f"{str(part)!r} and {str(parts[0])!r} differ in column(s) {', '.join(map(repr, odd[:5]))}")


def _delimited(delimiter: str | None) -> Callable[[list[Path], str | None], pd.DataFrame]:
    def load(parts: list[Path], encoding: str | None) -> pd.DataFrame:
        tables = [delimited.parse(_text(part, encoding), str(part), delimiter) for part in parts]
        _same_columns(parts, [table.column_names for table in tables])
        table = pa.concat_tables([part.select(tables[0].column_names) for part in tables])
        return delimited.infer(table)

    return load


def _json_lines(parts: list[Path], encoding: str | None) -> pd.DataFrame:
    records = [record for part in parts for record in _records(part, encoding)]
    names = dict.fromkeys(name for record in records for name in record)
    return pd.DataFrame({name: _narrow([record.get(name) for record in records]) for name in names})


def _records(path: Path, encoding: str | None) -> Iterator[dict[str, Json]]:
    for number, line in enumerate(_text(path, encoding).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"{str(path)!r}, line {number}: not JSON ({error})") from None
        if not isinstance(record, dict):
            raise DataError(
                f"{str(path)!r}, line {number}: expected a JSON object {{...}}, found {line.strip()[:40]!r}"
            )
        yield record


def _narrow(cells: list[Json]) -> Cells:
    kinds = {type(cell) for cell in cells}
    if kinds == {bool}:
        return pd.Series(cells, dtype=bool)
    numbers = kinds - {type(None)}
    exact = all(abs(cell) <= 2**53 for cell in cells if type(cell) is int)
    if numbers and numbers <= {int, float} and exact:
        return pd.Series(cells, dtype=np.int64 if kinds == {int} else np.float64)
    return pd.Series(cells, dtype=object)


def _arrow_tables(open_table: Callable[[Path], pa.Table]) -> Callable[[list[Path], str | None], pd.DataFrame]:
    def load(parts: list[Path], encoding: str | None) -> pd.DataFrame:
        try:
            tables = [open_table(part) for part in parts]
            _same_columns(parts, [table.column_names for table in tables])
            table = tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")
            names = table.column_names
            if len(set(names)) == len(names):
                frame: pd.DataFrame = table.to_pandas(date_as_object=False)
                return frame.reset_index(drop=frame.index.names == [None])
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"cannot read {str(parts[0])!r}: {str(error).splitlines()[0]}") from None
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{str(parts[0])!r}: duplicate column(s) {', '.join(map(repr, twice))}")

    return load


def _parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.read()


def _ipc(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as file:
        if file.read(6) == b"ARROW1":
            return pa.ipc.open_file(file).read_all()
        file.seek(0)
        return pa.ipc.open_stream(file).read_all()


_READERS: dict[str, Callable[[list[Path], str | None], pd.DataFrame]] = {
    "csv": _delimited(None),
    "tsv": _delimited("\t"),
    "jsonl": _json_lines,
    "parquet": _arrow_tables(_parquet),
    "arrow": _arrow_tables(_ipc),
}


def digest(source: str | Path | pd.DataFrame) -> str:
    """SHA-256 of a file's bytes (a folder's files in name order), or of a frame's names, kinds and cells, as hex.

    A frame's index and the order of columns in memory do not count; its column order and cells do.
    """
    total = hashlib.sha256()
    if isinstance(source, pd.DataFrame):
        for name in source.columns:
            total.update(json.dumps(str(name)).encode() + content(column(source[name])))
        return total.hexdigest()
    for part in files_of(source)[0]:
        with part.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def content(cells: Column) -> bytes:
    """SHA-256 of a column's cells, whatever its name: equal exactly for equal cells."""
    total = hashlib.sha256(f"{cells.values.dtype.name} {len(cells)} ".encode() + cells.present.tobytes())
    present: Array = cells.values[cells.present]
    if present.dtype != object:
        total.update(np.ascontiguousarray(present).tobytes())
    else:
        texts = (cell if isinstance(cell, str) else f"\x01{as_json(cell)}" for cell in present)
        total.update("\x00".join(texts).encode("utf-8", "surrogatepass"))
    return total.digest()


def as_json(cell: object) -> str:
    """A cell of any kind as one line of JSON; what JSON does not know becomes its text."""
    return json.dumps(cell, ensure_ascii=False, default=_plain)


def _plain(cell: object) -> Json:
    if isinstance(cell, np.ndarray | np.generic):
        return cell.tolist()
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return float(cell)
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    return str(cell)


def write_frame(frame: pd.DataFrame, path: str | Path) -> None:
    """Write `frame` without its index as CSV, TSV, JSON lines, Parquet or Arrow, as the name of `path` says.

    The file appears whole or not at all. In delimited text a list or dict is written as JSON.

    Raises
    ------
    DataError
        If the kind of file is unknown, the folder cannot be written to, or Parquet cannot hold the cells.
    """
    path = Path(path)
    kind = _kind(path)
    if path.name.lower().endswith(".gz"):
        raise DataError(f"{str(path)!r}: writing gzipped text is not supported; leave out '.gz'")
    with replacing(path) as beside:
        if kind in ("csv", "tsv"):
            delimited.write(_flat(frame), beside, "," if kind == "csv" else "\t")
        elif kind == "jsonl":
            _write_json_lines(frame, beside)
        else:
            _write_arrow(frame, beside, kind)


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    nested: dict[str, Cells] = {}
    for name, cells in frame.select_dtypes(object).items():
        inside = cells.map(lambda cell: isinstance(cell, list | dict | tuple | np.ndarray))
        if inside.any():
            nested[str(name)] = cells.where(~inside, cells.map(as_json))
    return frame.assign(**nested) if nested else frame


def _write_json_lines(frame: pd.DataFrame, path: Path) -> None:
    columns: list[list[Any]] = []
    for name in frame.columns:
        cells = frame[name]
        present = cells.notna()
        columns.append(cells.astype(object).where(present, None).tolist())
    names = [str(name) for name in frame.columns]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(as_json(dict(zip(names, row, strict=True))) + "\n" for row in zip(*columns, strict=True))


def _write_arrow(frame: pd.DataFrame, path: Path, kind: str) -> None:
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except pa.ArrowException as error:
        raise DataError(f"the frame does not fit into {kind}: {str(error).splitlines()[0]}") from None
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        feather.write_feather(table, str(path))
