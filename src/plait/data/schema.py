"""What each column of a frame is: a role, and for evidence the modality that reads it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from plait import registry
from plait.contracts import Json, Side, Source
from plait.errors import SchemaError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ROLES", "ColumnSpec", "Schema", "SideSpec"]

ROLES = ("source", "target", "time", "label_time", "group", "id", "weight", "sensitive", "ignored")
SINGLE = ("time", "label_time", "group", "weight")  # roles that one column at most may have
VERSION = 1

_COLUMN_KEYS = ("role", "modality", "options", "share", "side")
_SIDE_KEYS = ("key", "time", "columns", "path")


@dataclass(frozen=True)
class ColumnSpec:
    """One column.

    Parameters
    ----------
    name
        Column name; for a column with a `side`, any name.
    role
        One of source, target, time, label_time, group, id, weight, sensitive, ignored.
    modality
        The room that reads it; for sources only, which must have one.
    options
        Passed to the room untouched.
    share
        Sources of one modality with the same `share` tie their encoders.
    side
        Name of the long table that holds the cells; the frame then gives the keys.
    why
        Why inference chose the role, for people; not part of the schema.

    Raises
    ------
    SchemaError
        If role or modality are unknown or do not go together.
    """

    name: str
    role: str = "source"
    modality: str | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    share: str | None = None
    side: str | None = None
    why: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        where = f"column {self.name!r}: "
        if self.role not in ROLES:
            raise SchemaError(where + str(unknown("role", self.role, ROLES)))
        if self.role == "source":
            if self.modality not in registry.names("modalities"):
                raise SchemaError(where + str(unknown("modality", self.modality, registry.names("modalities"))))
        elif self.modality or self.options or self.share or self.side:
            raise SchemaError(
                f"{where}role {self.role!r} takes no modality, options, share or side; only a source does"
            )


@dataclass(frozen=True)
class SideSpec:
    """A long table: its name, its key column (of the same name in the frame), and optionally its time column.

    `columns` are those to read (all others if empty); `path` is where to read it from if it is not passed.
    """

    name: str
    key: str
    time: str | None = None
    columns: tuple[str, ...] = ()
    path: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns of a frame, in order, and the long tables beside it.

    Raises
    ------
    SchemaError
        If a column stands twice, two columns have a role that only one may have, or a side is unknown.
    """

    columns: tuple[ColumnSpec, ...]
    sides: tuple[SideSpec, ...] = ()

    def __post_init__(self) -> None:
        seen: dict[str, ColumnSpec] = {}
        for spec in self.columns:
            if spec.name in seen:
                raise SchemaError(
                    f"column {spec.name!r} stands twice, as {seen[spec.name].role} and as {spec.role}; keep one"
                )
            seen[spec.name] = spec
        for role in SINGLE:
            named = self.names(role)
            if len(named) > 1:
                raise SchemaError(f"columns {', '.join(map(repr, named))} all have role {role!r}; only one may")
        tables = [side.name for side in self.sides]
        for spec in self.columns:
            if spec.side is not None and spec.side not in tables:
                raise SchemaError(f"column {spec.name!r}: {unknown('side', spec.side, tables)}")
        self._check_shares()

    def _check_shares(self) -> None:
        tied: dict[str, ColumnSpec] = {}
        for spec in self.columns:
            if spec.share is not None:
                first = tied.setdefault(spec.share, spec)
                if first.modality != spec.modality:
                    raise SchemaError(
                        f"column {spec.name!r} ({spec.modality}) shares {spec.share!r} with {first.name!r} "
                        f"({first.modality}); only sources of one modality can"
                    )

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        *,
        target: str | Sequence[str] | None = None,
        time: str | None = None,
        label_time: str | None = None,
        group: str | None = None,
        id: str | Sequence[str] | None = None,
        weight: str | None = None,
        sensitive: str | Sequence[str] = (),
        ignore: str | Sequence[str] = (),
        sides: Mapping[str, Side] | None = None,
    ) -> Self:
        """Find out what each column is; the roles named here are taken as said.

        Every other column goes to the modality that is surest of a sample of its cells. Constants, columns without a
        value and obvious identifiers are left out, with the reason. A long table becomes a source named after it.

        Raises
        ------
        SchemaError
            If a named column is not there, or is named twice.
        """
        from plait.data.frame import as_frame
        from plait.data.roles import judge

        frame = as_frame(frame)
        named = {
            "target": _listed(target),
            "time": _listed(time),
            "label_time": _listed(label_time),
            "group": _listed(group),
            "id": _listed(id),
            "weight": _listed(weight),
            "sensitive": _listed(sensitive),
            "ignored": _listed(ignore),
        }
        roles = _by_column(named, frame.columns)
        tables = dict(sides or {})
        keys = _keys(tables, frame.columns)
        columns = []
        for name in frame.columns:
            if name in roles:
                columns.append(ColumnSpec(name, roles[name]))
            elif name in keys:
                columns.append(ColumnSpec(name, "id", why=f"key of {keys[name]}"))
            else:
                role, modality, why = judge(frame[name])
                columns.append(ColumnSpec(name, role, modality, why=why))
        columns += [_side_column(name, frame, side) for name, side in tables.items()]
        known = tuple(
            SideSpec(name, side.key, side.time, tuple(c for c in side.columns if c not in (side.key, side.time)))
            for name, side in tables.items()
        )
        return cls(tuple(columns), known)

    @classmethod
    def numeric(cls, names: Iterable[str]) -> Self:
        """Columns of numbers without meaningful names: all one source, nothing inferred."""
        from plait.data.roles import number_modality

        modality = number_modality()
        return cls(tuple(ColumnSpec(name, "source", modality) for name in names))

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """All columns of a joint modality as one source named after it, and each other source column by itself."""
        specs = [spec for spec in self.columns if spec.role == "source" and spec.modality is not None]
        rooms = {name: registry.get("modalities", name) for name in dict.fromkeys(str(s.modality) for s in specs)}
        alone = {spec.name for spec in specs if not rooms[str(spec.modality)].joint}
        gathered: dict[str, list[ColumnSpec]] = {}
        for spec in specs:
            name = spec.name
            if name not in alone:
                name = str(spec.modality)
                while name in alone:  # a column of its own has this name already
                    name += "_"
            gathered.setdefault(name, []).append(spec)
        return tuple(_source(name, own) for name, own in gathered.items())

    def names(self, role: str) -> tuple[str, ...]:
        """Columns that have `role`, in order."""
        return tuple(spec.name for spec in self.columns if spec.role == role)

    def _single(self, role: str) -> str | None:
        return next(iter(self.names(role)), None)

    @property
    def target(self) -> str | None:
        """The column that is predicted, if one is.

        Raises
        ------
        SchemaError
            If there are several, of which only `plait.MultiTask` takes all (`aimed` makes it one).
        """
        if len(self.targets) > 1:
            shown = ", ".join(map(repr, self.targets))
            raise SchemaError(
                f"columns {shown} are all targets; this is about one: ask the model of one (task), or"
                " give all but one another role"
            )
        return self._single("target")

    @property
    def targets(self) -> tuple[str, ...]:
        return self.names("target")

    def aimed(self, target: str) -> Self:
        """The schema for one of several targets: the others are ignored."""
        columns = (
            ColumnSpec(spec.name, "ignored") if spec.role == "target" and spec.name != target else spec
            for spec in self.columns
        )
        return replace(self, columns=tuple(columns))

    @property
    def time(self) -> str | None:
        return self._single("time")

    @property
    def label_time(self) -> str | None:
        return self._single("label_time")

    @property
    def group(self) -> str | None:
        return self._single("group")

    @property
    def weight(self) -> str | None:
        return self._single("weight")

    def to_json(self) -> Json:
        """The schema as JSON: a column is its modality or role, or an object where there is more to say."""
        out: dict[str, Json] = {"version": VERSION, "columns": {spec.name: _short(spec) for spec in self.columns}}
        if self.sides:
            out["sides"] = {
                side.name: {
                    "key": side.key,
                    **({"time": side.time} if side.time else {}),
                    **({"columns": list(side.columns)} if side.columns else {}),
                    **({"path": side.path} if side.path else {}),
                }
                for side in self.sides
            }
        return out

    @classmethod
    def from_json(cls, saved: Json) -> Self:
        """The schema that `to_json` wrote, or a person edited.

        Raises
        ------
        SchemaError
            For every mistake, naming the column, the value, and what is allowed.
        """
        fields = _mapping("the schema", saved, ("version", "columns", "sides"))
        version = fields.get("version", VERSION)
        if version != VERSION:
            raise SchemaError(f"the schema has version {version!r}; this Plait reads version {VERSION}")
        columns = _mapping("columns", fields.get("columns"))
        sides = _mapping("sides", fields.get("sides", {}))
        return cls(
            tuple(_column_spec(name, said) for name, said in columns.items()),
            tuple(_side_spec(name, said) for name, said in sides.items()),
        )

    def write(self, path: str | Path) -> None:
        """Write YAML made to be edited, one line a column."""
        from plait.data.schema_yaml import dump

        dump(self, path)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the YAML that `write` wrote.

        Raises
        ------
        SchemaError
            If there is no such file, it is no YAML, or says what `from_json` refuses.
        """
        from plait.data.schema_yaml import load

        return cls.from_json(load(path))


def _listed(names: str | Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _by_column(named: Mapping[str, tuple[str, ...]], columns: Collection[str]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for role, names in named.items():
        for name in names:
            if name not in columns:
                raise SchemaError(f"{role} {name!r} is no column: {unknown('column', name, columns)}")
            if roles.get(name, role) != role:
                raise SchemaError(f"column {name!r} is named as {roles[name]} and as {role}; a column has one role")
            roles[name] = role
    return roles


def _keys(tables: Mapping[str, Side], columns: Collection[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for name, side in tables.items():
        if name in columns:
            raise SchemaError(f"the long table {name!r} has the name of a column; give it another")
        if side.key not in columns:
            raise SchemaError(f"the frame lacks {side.key!r}, the key of the long table {name!r}")
        keys[side.key] = f"{keys[side.key]} and {name}" if side.key in keys else name
    return keys


def _side_column(name: str, frame: pd.DataFrame, side: Side) -> ColumnSpec:
    from plait.data.frame import column
    from plait.data.roles import best_modality, sample

    modality, sure = best_modality(sample(column(frame[side.key], side=side)))
    if sure <= 0:
        raise SchemaError(f"no modality reads the long table {name!r} with columns {', '.join(side.columns)}")
    return ColumnSpec(name, "source", modality, side=name)


def _source(name: str, specs: Sequence[ColumnSpec]) -> Source:
    first = specs[0]
    if first.share is not None and len(specs) > 1:
        raise SchemaError(
            f"column {first.name!r}: {first.modality!r} reads its columns together; share ties no encoder"
        )
    options = {spec.name: spec.options for spec in specs if spec.options}
    return Source(name, str(first.modality), tuple(spec.name for spec in specs), options, first.share)


def _short(spec: ColumnSpec) -> Json:
    if spec.role != "source":
        return spec.role
    said = {"options": dict(spec.options), "share": spec.share, "side": spec.side}
    more = {key: value for key, value in said.items() if value}
    if not more and spec.modality not in ROLES:
        return spec.modality
    return {"modality": spec.modality, **more}


def _mapping(where: str, said: Json, keys: Sequence[str] = ()) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise SchemaError(f"{where}: expected 'name: value' pairs, found {said!r}")
    for key in said:
        if keys and key not in keys:
            raise SchemaError(f"{where}: {unknown('key', key, keys)}")
    return said


def _text(where: str, key: str, said: Mapping[str, Json]) -> str | None:
    value = said.get(key)
    if value is not None and not isinstance(value, str):
        raise SchemaError(f"{where}: {key} must be text, not {value!r}; put it in quotes")
    return value


def _column_spec(name: str, said: Json) -> ColumnSpec:
    where = f"column {name!r}"
    if isinstance(said, str):
        if said in ROLES and said != "source":
            return ColumnSpec(name, said)
        modalities = registry.names("modalities")
        if said not in modalities:
            raise SchemaError(f"{where}: {_neither(said, modalities)}")
        return ColumnSpec(name, "source", said)
    fields = _mapping(where, said, _COLUMN_KEYS)
    options = _mapping(f"{where}, options", fields.get("options", {}))
    role = _text(where, "role", fields) or "source"
    modality, share, side = (_text(where, key, fields) for key in ("modality", "share", "side"))
    return ColumnSpec(name, role, modality, options, share, side)


def _neither(said: str, modalities: Sequence[str]) -> str:
    roles = ROLES[1:]
    near = difflib.get_close_matches(said, [*modalities, *roles], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown modality or role {said!r}{hint} (modalities: {', '.join(modalities)}; roles: {', '.join(roles)})"


def _side_spec(name: str, said: Json) -> SideSpec:
    where = f"side {name!r}"
    fields = _mapping(where, said, _SIDE_KEYS)
    key, time, path = (_text(where, key, fields) for key in ("key", "time", "path"))
    if key is None:
        raise SchemaError(f"{where}: 'key' is missing; name the column that the frame and the long table share")
    columns = fields.get("columns", [])
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise SchemaError(f"{where}: columns must be a list of names, not {columns!r}")
    return SideSpec(name, key, time, tuple(columns), path)
