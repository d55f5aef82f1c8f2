"""``plait windows``: the columns that a stream would have known, to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import AsJson, Data
from plait.cli.screen import Screen
from plait.errors import DataError

__all__ = ["windows"]


def windows(
    data: Data,
    features: Annotated[Path, typer.Option(metavar="FILE", help="Windows over the past of entities, as YAML.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="CSV, TSV, JSONL, Parquet or Arrow.")],
    time: Annotated[str, typer.Option(metavar="COLUMN", help="Of the moments.")] = "time",
    arrival: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="In which order rows came in; by default that of their times.")
    ] = None,
    late: Annotated[
        str, typer.Option(metavar="SPAN", help="How far behind a row still counts, with --arrival.")
    ] = "0s",
    as_json: AsJson = False,
) -> None:
    """Add windows over the past of entities to rows, as `plait watch --features` makes them on a stream."""
    from plait.data.files import check_file
    from plait.data.read import read, write_frame
    from plait.data.windows import Windows

    screen = Screen(as_json)
    check_file(output)
    wanted = Windows.read(features)
    frame = read(data)
    if taken := sorted(set(wanted.names) & set(frame.columns)):
        raise DataError(f"{data} has a column {taken[0]!r} already; drop or rename it")
    write_frame(frame.join(wanted.columns(frame, time, arrival=arrival, late=late)), output)
    screen.say(f"{len(frame):,} rows with {len(wanted.names)} windows: {output}")
    screen.result({"rows": len(frame), "file": str(output), "columns": list(wanted.names)})
