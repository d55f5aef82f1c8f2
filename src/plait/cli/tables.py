"""Long tables on the command line: ``NAME=FILE``, with the key and time where no schema tells them yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plait.cli.options import keyed
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    from plait.contracts import Side
    from plait.data.schema import Schema

__all__ = ["LongTables", "long_tables"]

ROLES = ("key", "time")


@dataclass(frozen=True)
class LongTables:
    """The long tables that were named: where each lies, and those that were read, since their key was given, too."""

    paths: Mapping[str, str]
    read: Mapping[str, Side]

    def keyed(self) -> dict[str, Side]:
        """The tables that a schema can be inferred with.

        Raises
        ------
        ConfigError
            If one of them came without its key.
        """
        for name, path in self.paths.items():
            if name not in self.read:
                raise ConfigError(
                    f"--side {name}={path}: without a schema, name its key: {name}={path},key=COLUMN,time=COLUMN"
                )
        return dict(self.read)

    def of(self, schema: Schema) -> dict[str, Side]:
        """Every long table of a schema: those named here, the others from the paths in the schema."""
        from plait.data.asof import sides

        return sides(schema, {**self.paths, **self.read})

    def placed(self, schema: Schema) -> Schema:
        """The schema, told where the tables lie, so that another verb finds them."""
        sides = tuple(replace(side, path=self.paths.get(side.name, side.path)) for side in schema.sides)
        return replace(schema, sides=sides)


def long_tables(given: Sequence[str] | None) -> LongTables:
    """Understand ``NAME=FILE`` and ``NAME=FILE,key=COLUMN,time=COLUMN``; tables of the second form are read.

    Raises
    ------
    ConfigError
        If an entry cannot be understood, or names a time without a key.
    DataError, SchemaError
        If a table cannot be read or lacks a column.
    """
    from plait.data.asof import side

    paths: dict[str, str] = {}
    read: dict[str, Side] = {}
    for name, text in keyed("side", given).items():
        paths[name], *said = text.split(",")
        roles = keyed(f"side {name!r}:", said)
        for role in roles:
            if role not in ROLES:
                raise unknown(f"part of --side {name}", role, ROLES)
        if "key" in roles:
            read[name] = side(name, paths[name], roles["key"], roles.get("time"))
        elif roles:
            raise ConfigError(f"--side {name} names a time but no key; write {name}={paths[name]},key=COLUMN,{said[0]}")
    return LongTables(paths, read)
