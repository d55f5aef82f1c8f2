"""What each column of a frame is and what is wrong with it; nothing is fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Array, Column, Json
from plait.data.faults import ROWS, counted, look
from plait.data.frame import as_frame, column, seconds
from plait.data.read import as_json, content
from plait.data.roles import identifies, named_identifier, sample
from plait.data.schema import ColumnSpec, Schema
from plait.errors import InputError, SchemaError

if TYPE_CHECKING:
    from plait.contracts import Side

__all__ = ["ColumnReport", "Inspection", "inspect", "is_class_target"]

ALMOST = 0.99  # AUC or |rank correlation| from which one column is taken for a copy of the target
ENOUGH = 30  # rows under which near-perfect prediction by one column proves little
ONE_SIDED = 0.2  # share of a class that values without any other class may hold
MAJORITY = 0.6  # share of all rows above which a class is expected to be alone somewhere
FEW = 10  # rows of a class under which it is not judged
MAX_CLASSES = 10


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
    """What `inspect` found: the schema (given or inferred), a report a column, warnings about the whole, and the cells
    of `rows_read` rows that no model could read (`plait.data.faults.counted`)."""

    rows_seen: int
    schema: Schema
    columns: tuple[ColumnReport, ...]
    warnings: tuple[str, ...]
    faults: tuple[Json, ...] = ()
    rows_read: int = 0

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

    Found are constants, identifiers, columns that give the target away (equal up to renaming, or with an AUC or
    |rank correlation| of .99 alone; also by being missing), infinite numbers, cells of mixed types, columns of equal
    content, times that do not parse, and targets that cannot be learned.

    Parameters
    ----------
    frame
        Anything that `as_frame` takes; no rows or one row will do.
    schema
        Inferred from the roles if None; with a schema no roles are named.
    target, time, label_time, group, id, weight, sensitive, ignore, sides
        As in `Schema.infer`.
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
    elif any((target, time, label_time, group, id, weight, sensitive, ignore, sides)):
        raise SchemaError("name the roles in the schema, or leave the schema out")
    cells = {str(name): column(table[name]) for name in table.columns}
    specs = {spec.name: spec for spec in schema.columns}
    twins = _twins(cells)
    target_cells = cells.get(schema.target or "")
    leaks = {} if target_cells is None else _leaks(cells, target_cells, schema.names("source"))
    reports = []
    for name, own in cells.items():
        spec = specs.get(name, ColumnSpec(name, "ignored", why="not in the schema"))
        warnings = [spec.why, leaks.get(name, ""), *_cell_warnings(own), *_role_warnings(table, own, spec.role)]
        if name in twins:
            warnings.append(f"same content as {twins[name]!r}")
        missing = 1.0 - float(own.present.mean()) if len(own) else 0.0
        told = tuple(filter(None, warnings))
        reports.append(ColumnReport(name, spec.role, spec.modality, missing, _distinct(own), _examples(own), told))
    faults, looked = look(table, schema, read_rows)
    return Inspection(len(table), schema, tuple(reports), tuple(_whole(table, schema)), tuple(counted(faults)), looked)


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


def is_class_target(cells: Column) -> bool:
    """Whether a target is classes: text, booleans, or at most 10 distinct whole numbers."""
    if cells.values.dtype.kind != "f":
        return cells.values.dtype.kind in "bO"
    distinct = np.unique(cells.values[cells.present])
    return len(distinct) <= 10 and bool((np.isfinite(distinct) & (np.floor(distinct) == distinct)).all())


def _cell_warnings(cells: Column) -> list[str]:
    values = cells.values[cells.present]
    if values.dtype.kind == "f":
        infinite = int(np.isinf(values).sum())
        return [f"{infinite:,} infinite values"] if infinite else []
    kinds = Counter(_kind(cell) for cell in values) if values.dtype == object else Counter[str]()
    if len(kinds) < 2:
        return []
    return ["mixed types: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())]


def _kind(cell: object) -> str:
    if isinstance(cell, bool | np.bool_):
        return "bool"
    if isinstance(cell, int | float | np.number):
        return "number"
    return (list if isinstance(cell, tuple | np.ndarray) else type(cell)).__name__


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


def _examples(cells: Column) -> tuple[str, ...]:
    """Three different cells as short texts."""
    distinct = dict.fromkeys(" ".join(text.split()) for text in _as_texts(sample(cells).values))
    return tuple(text if len(text) <= 30 else text[:29] + "…" for text in list(distinct)[:3])


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


def _twins(cells: dict[str, Column]) -> dict[str, str]:
    """Columns with the content of an earlier one, by name."""
    first: dict[bytes, str] = {}
    twins = {}
    for name, own in cells.items():
        if own.present.any():
            same = first.setdefault(content(own), name)
            if same != name:
                twins[name] = same
    return twins


def _leaks(cells: Mapping[str, Column], target: Column, sources: Sequence[str]) -> dict[str, str]:
    """Source columns that give the target away, by name, with how."""
    known = target.present.copy()
    if target.values.dtype.kind == "f":
        known[known] = np.isfinite(target.values[known])
    rows = np.flatnonzero(known)
    if len(rows) < ENOUGH:
        return {}
    told = target.take(rows)
    classes = is_class_target(told)
    goals = _indicators(told.values) if classes else [_ranks(told.values)]
    found = {name: _leak(cells[name].take(rows), goals, classes) for name in sources if name in cells}
    return {name: how for name, how in found.items() if how}


def _indicators(labels: Array) -> list[Array]:
    """The rarest classes, each against the rest, as 0 and 1; one is enough for two classes."""
    codes, distinct = pd.factorize(labels)
    rarest = np.argsort(np.bincount(codes, minlength=len(distinct)), kind="stable")
    return [(codes == one).astype(float) for one in rarest[: 1 if len(distinct) == 2 else MAX_CLASSES]]


def _leak(cells: Column, goals: Sequence[Array], classes: bool) -> str:
    seen = np.flatnonzero(cells.present)
    own = cells.values[seen]
    order = _ranks(own) if own.dtype.kind != "O" else None
    levels = _levels(own)
    for goal in goals:
        if classes and len(seen) < len(cells) and _auc(_ranks(cells.present), goal, either=True) >= ALMOST:
            return "likely leak: where it is missing tells the target"
        wanted = goal[seen]
        if len(seen) < ENOUGH or (wanted == wanted[0]).all():
            continue
        measure = _auc if classes else _correlation
        strength = 0.0 if order is None else measure(order, wanted, either=True)
        if levels is not None:
            strength = max(strength, measure(_ranks(_mean_of_others(levels, wanted)), wanted, either=False))
        if strength >= ALMOST:
            return f"likely leak: alone it gives the target away ({'AUC' if classes else 'correlation'} {strength:.3f})"
        if classes and order is not None and _pure_end(order, wanted) >= ONE_SIDED:
            return "likely leak: its extreme values belong to one class only"
    return ""


def _pure_end(order: Array, goal: Array) -> float:
    """Largest share of a class, other than a large majority, that lies at one end of the order almost by itself."""
    rows = np.argsort(order, kind="stable")
    found = 0.0
    for along in (rows, rows[::-1]):
        ends = np.flatnonzero(np.append(np.diff(order[along]) != 0, True))  # equal values stay together
        far = ends + 1 >= ENOUGH
        for one in (goal, 1 - goal):
            if one.mean() <= MAJORITY:
                inside = np.cumsum(one[along])[ends]
                found = max(found, float(inside[far & (inside >= ALMOST * (ends + 1))].max(initial=0.0) / one.sum()))
    return found


def _levels(values: Array) -> npt.NDArray[np.int64] | None:
    """Codes of the distinct cells, if they repeat enough to be judged one by one."""
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:  # lists and dicts
        return None
    return codes.astype(np.int64) if 2 * len(distinct) <= len(codes) else None


def _mean_of_others(levels: Array, goal: Array) -> Array:
    """Mean of `goal` over the other rows of the same level, so that chance in small levels does not count."""
    sums, counts = np.bincount(levels, goal), np.bincount(levels)
    alone = counts[levels] == 1
    return np.where(alone, goal.mean(), (sums[levels] - goal) / np.maximum(counts[levels] - 1, 1))


def _ranks(values: Array) -> Array:
    return pd.Series(values).rank().to_numpy(np.float64)


def _auc(ranks: Array, positive: Array, *, either: bool) -> float:
    """Area under the ROC curve of scores with these ranks; of the better direction if `either`. 0 for few rows."""
    ones = positive.sum()
    zeros = len(positive) - ones
    if min(ones, zeros) < FEW:
        return 0.0
    area = float((ranks[positive > 0].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    return max(area, 1 - area) if either else area


def _correlation(ranks: Array, goal: Array, *, either: bool) -> float:
    if np.ptp(ranks) == 0:
        return 0.0
    found = float(np.corrcoef(ranks, goal)[0, 1])
    return abs(found) if either else found
