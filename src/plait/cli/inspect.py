"""``plait inspect``: what each column is, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import (
    AsJson,
    Data,
    DataFolder,
    Encoding,
    Group,
    Ignore,
    LabelTime,
    MaskPersonal,
    SchemaFile,
    Sensitive,
    SidePaths,
    Target,
    Time,
    Weight,
    names,
)
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
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
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Read the cells of all rows, not of some, to find those that cannot be.")
    ] = False,
    write_schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the schema as YAML, to be edited and given to fit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what each column is, and what is wrong with it.

    Finds constants, identifiers, unreadable times and columns that look like a leak of the target.
    """
    from plait.cli.rows import rows_of, say_faults, schema_of
    from plait.data import quality
    from plait.data.faults import ROWS
    from plait.media.decode import running

    if write_schema is not None and write_schema.exists():
        raise DataError(f"{write_schema} is there already; name another file or remove it")
    screen = Screen(as_json)
    frame = rows_of(data, data_folder, encoding, mask_personal)
    roles = {"target": target, "time": time, "label_time": label_time, "group": group, "weight": weight}
    tables = long_tables(side)
    schema = schema_of(frame, schema_file, {**roles, "ignore": names(ignore), "sensitive": names(sensitive)}, tables)
    beside = tables.of(schema)
    with screen.progress() as report, running(report):
        found = quality.inspect(frame, schema, sides=beside, read_rows=None if all_rows else ROWS)
    rows = found.rows()
    screen.say(f"{data}: {len(frame):,} rows, {len(frame.columns):,} columns")
    screen.table([list(rows[0]), *(list(row.values()) for row in rows)])
    for spec in schema.columns:
        if spec.side is not None:
            table = beside[spec.side]
            records = len(table.columns[table.key])
            screen.say(f"long table {spec.side}: {records:,} records by {table.key}, read as {spec.modality}")
    for warning in found.warnings:
        screen.note(warning)
    say_faults(screen, found.faults)
    if found.rows_read < len(frame):
        screen.note(f"unreadable cells were looked for in {found.rows_read:,} rows; --all-rows looks in all")
    if write_schema is not None:
        schema.write(write_schema)
        screen.note(f"wrote {write_schema}")
    screen.result(found.to_json())
