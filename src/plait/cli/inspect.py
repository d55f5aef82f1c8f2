"""``plait inspect``: what each column is, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import (
    AsJson,
    Data,
    Group,
    Ignore,
    LabelTime,
    SchemaFile,
    Sensitive,
    Target,
    Time,
    Weight,
    names,
)
from plait.cli.screen import Screen
from plait.errors import DataError

__all__ = ["inspect"]


def inspect(
    data: Data,
    target: Target = None,
    time: Time = None,
    label_time: LabelTime = None,
    group: Group = None,
    weight: Weight = None,
    ignore: Ignore = None,
    sensitive: Sensitive = None,
    schema_file: SchemaFile = None,
    write_schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the schema as YAML, to be edited and given to fit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what each column is, and what is wrong with it.

    Finds constants, identifiers, unreadable times and columns that look like a leak of the target.
    """
    from plait.cli.rows import schema_of
    from plait.data import quality
    from plait.data.read import read

    if write_schema is not None and write_schema.exists():
        raise DataError(f"{write_schema} is there already; name another file or remove it")
    screen = Screen(as_json)
    frame = read(data)
    roles = {"target": target, "time": time, "label_time": label_time, "group": group, "weight": weight}
    schema = schema_of(frame, schema_file, {**roles, "ignore": names(ignore), "sensitive": names(sensitive)})
    found = quality.inspect(frame, schema)
    rows = found.rows()
    screen.say(f"{data}: {len(frame):,} rows, {len(frame.columns):,} columns")
    screen.table([list(rows[0]), *(list(row.values()) for row in rows)])
    for warning in found.warnings:
        screen.note(warning)
    if write_schema is not None:
        schema.write(write_schema)
        screen.note(f"wrote {write_schema}")
    screen.result(found.to_json())
