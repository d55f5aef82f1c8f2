"""``plait pretrain``: from rows without labels to a base that fits start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from plait.cli.options import (
    AsJson,
    Data,
    DataFolder,
    Encoding,
    Group,
    Ignore,
    Jobs,
    MaskPersonal,
    Output,
    SchemaFile,
    Seed,
    SidePaths,
    Time,
    names,
    part_options,
)
from plait.cli.resume import Every, Kept, Resume
from plait.cli.screen import Screen, clock
from plait.cli.shown import show_sources
from plait.cli.tables import long_tables
from plait.cli.watching import Watch, watching

if TYPE_CHECKING:
    from plait.contracts import Json
    from plait.data.schema import Schema
    from plait.pretraining import Base

__all__ = ["From", "begun", "pretrain"]

RECORD, PICTURE = "record.json", "losses.png"

From: TypeAlias = Annotated[
    Path | None, typer.Option("--from", metavar="BASE", help="Start from what `plait pretrain` wrote.")
]


def begun(path: Path | None, schema: Schema, schema_file: Path | None) -> tuple[Base | None, Schema]:
    """The base at `path`, and the schema: an inferred one says of columns what they were in pretraining.

    Raises
    ------
    ArtifactError
        If there is none that can be read.
    """
    from plait.pretraining import Base

    if path is None:
        return None, schema
    base = Base.load(path)
    return base, base.said(schema) if schema_file is None else schema


def pretrain(
    data: Data,
    output: Output = None,
    time: Time = None,
    group: Group = None,
    ignore: Ignore = None,
    schema_file: SchemaFile = None,
    fusion: Annotated[str, typer.Option(help="Whose network is trained: a neural one of `plait list fusions`.")] = (
        "attention"
    ),
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the rows; by default by how many rows there are.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="PART.OPTION=VALUE", help="Option of the fusion or of pretraining: pretraining.hidden=.5"),
    ] = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    watch: Watch = None,
    resume: Resume = False,
    checkpoint: Every = "30s",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be learned from; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Learn from rows without labels, for fits to start from: `plait fit --from`.

    Name columns that are no evidence, targets above all, with --ignore. Writes base.plait, schema.yaml, record.json and
    a picture of the losses.
    """
    from plait.cli.rows import rows_of, say_faults, schema_of
    from plait.contracts import FORGETFUL
    from plait.data.files import made_folder
    from plait.pretraining import pretrain as learned
    from plait.pretraining.fitting import check_options
    from plait.report.written import check_folder

    screen, tables = Screen(as_json), long_tables(side)
    options = part_options(option)
    if epochs is not None:
        options.setdefault(fusion, {})["epochs"] = epochs
    check_options(fusion, options)
    check_folder(output, dry_run)
    kept = Kept.of(screen, None if dry_run else output, resume, checkpoint)
    frame = rows_of(data, data_folder, encoding, mask_personal)
    schema = schema_of(frame, schema_file, {"time": time, "group": group, "ignore": names(ignore)}, tables)
    columns = show_sources(screen, f"{data}: {len(frame):,} rows", schema.sources)
    if output is None or dry_run:
        screen.result({"dry_run": True, "rows": len(frame), "sources": columns})
        return
    told: dict[str, Any] = {"schema": schema, "fusion": fusion, "options": options, "seed": seed, "n_jobs": jobs}
    watched = watching(screen, watch, output, {"fusion": fusion, "seed": seed}, resume)
    with kept.refused(), watched, screen.progress() as progress:
        told["keep"] = kept.place or FORGETFUL
        base = learned(frame, sides=tables.of(schema), report=progress, **told)
    say_faults(screen, base.record["faults"])
    record = {"data": str(data), "sources": columns, **base.record}
    _write(made_folder(output), base, record)
    kept.over()
    _show(screen, output, record)
    screen.result(record)


def _write(folder: Path, base: Base, record: dict[str, Json]) -> None:
    from plait.pretraining.base import FILE
    from plait.report.losses import draw_losses
    from plait.report.written import write_json

    base.save(folder / FILE)
    base.schema.write(folder / "schema.yaml")
    draw_losses(record["losses"], record["held_out"], folder / PICTURE)
    write_json(folder / RECORD, record)


def _show(screen: Screen, output: Path, record: dict[str, Json]) -> None:
    screen.heading(f"learned in {clock(record['seconds'])}, {len(record['losses'])} epochs")
    told = {name: value for name, value in record["told"].items() if name.startswith(("told ", "paired"))}
    screen.table([("at the end", "value"), *((name, f"{value:.4f}") for name, value in told.items())])
    screen.heading(f"written to {output}: base.plait, schema.yaml, {RECORD}, {PICTURE}")
    screen.say(f"fit from it: plait fit DATA --from {output} --fusion {record['fusion']} ...")
