"""``plait drift``: whether new rows are still like the old ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.gate import refuse
from plait.cli.options import (
    AsJson,
    Data,
    DataFolder,
    Encoding,
    Ignore,
    MaskPersonal,
    Output,
    SchemaFile,
    Seed,
    SidePaths,
    Target,
    Time,
    names,
)
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import ConfigError

__all__ = ["drift"]


def drift(
    old: Data,
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same columns, of other rows.")],
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Also: its score, and how good it can be expected to be.")
    ] = None,
    target: Target = None,
    time: Time = None,
    ignore: Ignore = None,
    schema_file: SchemaFile = None,
    level: Annotated[float, typer.Option(help="Chance of an alarm without drift, over the whole report.")] = 0.05,
    fail_on_drift: Annotated[bool, typer.Option("--fail-on-drift", help="Exit with 3 where there is drift.")] = False,
    output: Output = None,
    side: SidePaths = None,
    new_side: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A long table beside the new rows; by default that of the old."),
    ] = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Compare two files: every column, every source as a whole, and with a model its score and expected performance."""
    from plait.cli.rows import rows_of, schema_of
    from plait.estimators import load_one
    from plait.judgement.drift import drift as compare
    from plait.media.decode import running

    screen = Screen(as_json)
    estimator = None if model is None else load_one(model)
    given = {"--schema": schema_file, "--time": time, "--ignore": ignore}
    if estimator is not None and (said := [name for name, value in given.items() if value]):
        raise ConfigError(f"{said[0]} says what columns are, but the model knows; leave it out")
    frames = rows_of(old, data_folder, encoding, mask_personal), rows_of(new, data_folder, encoding, mask_personal)
    tables = long_tables(side)
    roles = {"target": target, "time": time, "ignore": names(ignore)}
    schema = schema_of(frames[0], schema_file, roles, tables) if estimator is None else estimator.schema_
    with screen.progress() as report, running(report):
        found = compare(
            frames[0],
            frames[1],
            model=estimator,
            schema=schema,
            target=target,
            sides=tables.of(schema),
            new_sides=long_tables(new_side).of(schema) if new_side else None,
            level=level,
            seed=seed,
            progress=report,
        )
    screen.say(str(found))
    if output is not None:
        from plait.report.judged import draw_drift

        for path in draw_drift(found, output):
            screen.note(f"drew {path}")
    screen.result(found.to_json())
    if fail_on_drift and found.drifted:
        refuse(screen, f"drift in {', '.join(shift.name for shift in found.drifted)}")
