"""``plait predict``: the model's word on new rows, as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, Model, SidePaths
from plait.cli.screen import Screen
from plait.cli.spread import On, Workers, check_on
from plait.cli.stream import Streaming, opened
from plait.cli.tables import long_tables
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json, Side
    from plait.data.stream import Stream
    from plait.estimators.framed import Report

__all__ = ["predict"]

READING = {"encoding": "encoding", "mask": "mask-personal"}  # what only files that are read whole have


def predict(
    model: Model,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="CSV, TSV, JSONL, Parquet or Arrow.")],
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    stream: Streaming = None,
    on: On = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Predict new rows, into a file.

    One row each, in their order, with identifiers carried along; sets or intervals where the model promises them.
    With --stream, Parquet is read and predicted piece by piece; with --on ray, in pieces into a new folder.
    """
    from plait.cli.rows import say_faults, say_ignored
    from plait.data.files import check_file
    from plait.estimators import load_predictor
    from plait.media.decode import running

    screen = Screen(as_json)
    if count := check_on(on, workers):
        _on_cluster(
            screen, model, data, output, side, data_folder, count, {"encoding": encoding, "mask": mask_personal}
        )
        return
    check_file(output)
    estimator = load_predictor(model)
    schema = estimator.schema_
    frame = opened(screen, data, stream, data_folder, encoding, mask_personal)
    ignored = estimator.ignored_columns(frame)
    say_ignored(screen, ignored)
    for target in schema.targets:
        if target in frame.columns:
            screen.note(f"the target {target!r} is among the columns; it is not read")
    tables = long_tables(side).of(schema)
    with screen.progress() as report, running(report):
        columns, faults = _written(estimator, frame, output, tables, report)
    say_faults(screen, faults)
    screen.say(f"{len(frame):,} rows predicted: {output}")
    screen.result(
        {
            "rows": len(frame),
            "file": str(output),
            "columns": columns,
            "ignored": list(ignored),
            "faults": faults,
        }
    )


def _written(
    estimator: Any, frame: pd.DataFrame | Stream, output: Path, tables: Mapping[str, Side], report: Report
) -> tuple[list[str], list[dict[str, Json]]]:
    """Predict into the file; its columns, and the cells that could not be read."""
    from plait.data.faults import counted
    from plait.data.read import write_frame
    from plait.data.stream import Stream
    from plait.estimators.answers import answers
    from plait.estimators.streams import predict_stream

    if isinstance(frame, Stream):
        faults = predict_stream(estimator, frame, output, sides=tables, progress=report)
        return list(Stream.open(output).columns), faults
    prediction = estimator.prediction(frame, sides=tables)
    predicted = answers(estimator, frame, prediction, tables)
    write_frame(predicted, output)
    return list(predicted.columns), counted(prediction.faults)


def _on_cluster(
    screen: Screen,
    model: Path,
    data: Path,
    output: Path,
    side: list[str] | None,
    folder: Path | None,
    workers: int,
    read: Mapping[str, object],
) -> None:
    """Predict on a cluster, as `plait.cluster.predict`."""
    from plait.cluster import predict as predicted
    from plait.estimators import load_predictor

    for name, value in read.items():
        if value:
            raise ConfigError(f"--on ray reads Parquet as it is; leave out --{READING[name]}")
    tables = long_tables(side).of(load_predictor(model).schema_)
    rows = predicted(model, data, output, workers=workers, sides=tables, folder=folder)
    screen.say(f"{rows:,} rows predicted by {workers} workers: {output}")
    screen.result({"rows": rows, "folder": str(output), "workers": workers})
