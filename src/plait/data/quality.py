"""What each column of a frame is and what is wrong with it; nothing is fitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plait.contracts import Array, Column, Json
from plait.data import aggregates, future, leaks, oddities, personal, twins
from plait.data.across import across, within
from plait.data.faults import ROWS, counted, look
from plait.data.findings import Finding, by_column
from plait.data.frame import as_frame, column, seconds
from plait.data.labels import is_class_target
from plait.data.moving import moved
from plait.data.read import as_json
from plait.data.roles import identifies, named_identifier, sample
from plait.data.schema import ColumnSpec, Schema
from plait.errors import InputError, SchemaError

if TYPE_CHECKING:
    from plait.contracts import Side

__all__ = ["ColumnReport", "Finding", "Inspection", "across", "inspect", "is_class_target", "leaking"]


@dataclass(frozen=True)
class ColumnReport:
    """One column: its role and modality, share of missing cells, distinct values (None for nested cells), three
    examples, and what is wrong with it."""

    name: str
    role: str
    modality: str | None
    missing: float
    distinct: int | None
    examples: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found: the schema (given or inferred), a report a column, warnings about the whole, the cells of
    `rows_read` rows that no model could read (`plait.data.faults.counted`), and all that is wrong as findings."""

    rows_seen: int
    schema: Schema
    columns: tuple[ColumnReport, ...]
    warnings: tuple[str, ...]
    faults: tuple[Json, ...] = ()
    rows_read: int = 0
    findings: tuple[Finding, ...] = ()

    def rows(self) -> list[dict[str, str]]:
        """One dict of texts a column, in order, for a table."""
        return [
            {
                "column": report.name,
                "role": report.role,
                "modality": report.modality or "",
                "missing": f"{report.missing:.1%}",
                "distinct": "" if report.distinct is None else f"{report.distinct:,}",
                "examples": " | ".join(report.examples),
                "warnings": "; ".join(report.warnings),
            }
            for report in self.columns
        ]

    def to_json(self) -> Json:
        return {
            "rows": self.rows_seen,
            "columns": [asdict(report) for report in self.columns],
            "warnings": list(self.warnings),
            "faults": list(self.faults),
            "rows_read": self.rows_read,
            "findings": [finding.to_json() for finding in self.findings],
            "schema": self.schema.to_json(),
        }


def inspect(
    frame: object,
    schema: Schema | None = None,
    *,
    target: str | None = None,
    time: str | None = None,
    label_time: str | None = None,
    group: str | None = None,
    id: str | Sequence[str] | None = None,
    weight: str | None = None,
    sensitive: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    sides: Mapping[str, Side] | None = None,
    read_rows: int | None = ROWS,
) -> Inspection:
    """Look at every column: what it is, how much is missing, and what would spoil a model.

    Found are what gives the target away (copies up to renaming and noise, missing cells, extreme values, words, means
    of the target over groups, the order of rows and identifiers), what was known only after the row's time, rows and
    columns that stand twice, cells of mixed types, encodings, units, spellings and date formats, columns that moved in
    time, personal data, and roles that a column cannot have. `Inspection.findings` says which, and how bad.

    Parameters
    ----------
    frame
        Anything that `as_frame` takes; no rows or one row will do.
    schema
        Inferred from the roles if None; with a schema no roles are named.
    target, time, label_time, group, id, weight, sensitive, ignore
        As in `Schema.infer`.
    sides
        The long tables, for inference or as the schema names them.
    read_rows
        Rows whose cells are read as a model would read them, to find those that it cannot; None: all of them.

    Raises
    ------
    SchemaError
        If a role names no column, or roles are named beside a schema.
    """
    table = as_frame(frame)
    if schema is None:
        schema = Schema.infer(
            table,
            target=target,
            time=time,
            label_time=label_time,
            group=group,
            id=id,
            weight=weight,
            sensitive=sensitive,
            ignore=ignore,
            sides=sides,
        )
    elif any((target, time, label_time, group, id, weight, sensitive, ignore)):
        raise SchemaError("name the roles in the schema, or leave the schema out")
    cells = {str(name): column(table[name]) for name in table.columns}
    specs = {spec.name: spec for spec in schema.columns}
    findings = tuple(_findings(table, cells, schema, sides or {}))
    said = by_column(findings)
    reports = []
    for name, own in cells.items():
        spec = specs.get(name, ColumnSpec(name, "ignored", why="not in the schema"))
        missing = 1.0 - float(own.present.mean()) if len(own) else 0.0
        told = tuple(filter(None, (spec.why, *(finding.said for finding in said.get(name, ())))))
        shown = _examples(own, said.get(name, ()))
        reports.append(ColumnReport(name, spec.role, spec.modality, missing, _distinct(own), shown, told))
    whole = (*_whole(table, schema), *(f.said for f in findings if not f.columns or f.columns[0] not in cells))
    faults, looked = look(table, schema, read_rows)
    return Inspection(len(table), schema, tuple(reports), whole, tuple(counted(faults)), looked, findings)


def _findings(
    frame: pd.DataFrame, cells: Mapping[str, Column], schema: Schema, sides: Mapping[str, Side]
) -> Iterator[Finding]:
    """All that is wrong, what spoils a model most first."""
    roles = {spec.name: spec.role for spec in schema.columns}
    yield from _target_told(cells, schema)
    yield from future.known_later(frame, cells, schema, sides)
    yield from within(cells, schema)
    for name, own in cells.items():
        role = roles.get(name, "ignored")
        yield from oddities.of_cells(own, role)
        yield from _of_role(frame, own, role)
    yield from twins.columns_alike(cells, schema)
    yield from moved(frame, cells, schema)
    yield from personal.find(frame, schema)


def _target_told(cells: Mapping[str, Column], schema: Schema) -> Iterator[Finding]:
    """Evidence, identifiers and an order of rows that give the target away."""
    sources = schema.names("source")
    aim = leaks.Aim.of(cells.get(schema.target or ""))
    if aim is None:
        return
    told = list(leaks.columns_that_tell(cells, aim, sources))
    yield from told
    others = [name for name in sources if name not in {f.columns[0] for f in told if f.kind != "stands_out"}]
    groups = [*others, *schema.names("group"), *schema.names("id"), *schema.names("sensitive")]
    yield from aggregates.aggregates_of_the_target(cells, aim, others, groups)
    identifiers = (*schema.names("id"), *schema.names("group"))
    yield from leaks.order_that_tells(cells, aim, identifiers, in_time=_in_time(cells, schema))


def leaking(
    train: object, test: object | None, schema: Schema, sides: Mapping[str, Side] | None = None
) -> tuple[Finding, ...]:
    """What makes the figures of a fit too good: columns of the training rows that give the target away, what is known
    only later, and what stands on both sides of the split (`across`).

    Parameters
    ----------
    train, test
        The rows to fit, with their target, and the rows to judge, or None.
    schema, sides
        What their columns are, and the long tables that it names.
    """
    frame = as_frame(train)
    cells = {str(name): column(frame[name]) for name in frame.columns}
    found = [*_target_told(cells, schema), *future.known_later(frame, cells, schema, sides or {})]
    return (*found, *(() if test is None else across(train, test, schema)))


def _in_time(cells: Mapping[str, Column], schema: Schema) -> bool:
    """Whether the rows stand in the order of their time."""
    if schema.time is None or schema.time not in cells:
        return False
    own = cells[schema.time]
    values = own.values[own.present]
    return values.dtype != object and bool((values[1:] >= values[:-1]).all())


def _whole(frame: pd.DataFrame, schema: Schema) -> list[str]:
    warnings = []
    if not len(frame):
        warnings.append("the frame has no rows")
    if not schema.sources:
        warnings.append("no column is evidence: a model would have nothing to learn from")
    absent = [spec.name for spec in schema.columns if spec.side is None and spec.name not in frame.columns]
    if absent:
        warnings.append(f"the schema names columns that are not there: {', '.join(map(repr, absent))}")
    return warnings


def _of_role(frame: pd.DataFrame, cells: Column, role: str) -> Iterator[Finding]:
    for said in _role_warnings(frame, cells, role):
        yield Finding("role", (cells.name,), "warning", said)


def _role_warnings(frame: pd.DataFrame, cells: Column, role: str) -> list[str]:
    values = cells.values[cells.present]
    missing = int((~cells.present).sum())
    if role == "target":
        if not len(values):
            return ["no target in any row"]
        warnings = [f"missing in {missing:,} rows, which cannot be learned from"] if missing else []
        if is_class_target(cells) and len(set(values.tolist())) < 2:
            warnings.append("one class only")
        return warnings
    if role in ("time", "label_time"):
        try:
            seconds(frame[cells.name])
        except InputError as error:
            return [str(error)]
        return [f"missing in {missing:,} rows"] if missing else []
    if role == "id":
        distinct = _distinct(cells)
        return ["not unique"] if distinct is not None and distinct < len(values) else []
    if role == "weight" and values.dtype.kind == "f" and not (np.isfinite(values) & (values >= 0)).all():
        return ["weights must be finite and not negative"]
    if role == "source" and named_identifier(cells.name):
        return [identifies(cells, 1.0) or "named as an identifier, but repeats: is it the group?"]
    return []


def _distinct(cells: Column) -> int | None:
    try:
        return int(pd.Series(cells.values[cells.present]).nunique())
    except TypeError:  # lists and dicts
        return None


def _examples(cells: Column, said: Iterable[Finding]) -> tuple[str, ...]:
    """Three different cells as short texts, personal data replaced by tokens."""
    for finding in said:
        if finding.kind == "personal" and finding.evidence["whole"]:
            return (f"[{finding.evidence['of']}]",)
    distinct = dict.fromkeys(" ".join(text.split()) for text in _as_texts(sample(cells).values))
    shown = (personal.hidden(text[:200]) for text in list(distinct)[:3])
    return tuple(text if len(text) <= 30 else text[:29] + "…" for text in shown)


def _as_texts(values: Array) -> Iterator[str]:
    kind = values.dtype.kind
    if kind == "f":
        return (f"{value:.10g}" for value in values)
    if kind == "M":
        return iter(np.datetime_as_string(values, unit="auto"))
    if kind == "m":
        return (str(value) for value in pd.to_timedelta(values))
    return (_as_text(cell) for cell in values)


def _as_text(cell: object) -> str:
    if isinstance(cell, bytes):
        return f"{len(cell):,} bytes"
    return cell if isinstance(cell, str) else as_json(cell)
