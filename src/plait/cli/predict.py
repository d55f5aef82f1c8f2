"""``plait predict``: the model's word on new rows, as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.multitask import columns_of
from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, Model, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Array, Prediction, Side
    from plait.data.schema import Schema
    from plait.estimators import Classifier, Regressor

__all__ = ["predict"]


def predict(
    model: Model,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="CSV, TSV, JSONL, Parquet or Arrow.")],
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    as_json: AsJson = False,
) -> None:
    """Predict new rows, into a file.

    One row each, in their order, with identifiers carried along; sets or intervals where the model promises them.
    """
    from plait.cli.rows import rows_of, say_faults, say_ignored
    from plait.data.faults import counted
    from plait.data.files import check_file
    from plait.data.read import write_frame
    from plait.estimators import MultiTask, load_predictor
    from plait.media.decode import running

    screen = Screen(as_json)
    check_file(output)
    estimator = load_predictor(model)
    schema = estimator.schema_
    frame = rows_of(data, data_folder, encoding, mask_personal)
    ignored = estimator.ignored_columns(frame)
    say_ignored(screen, ignored)
    for target in schema.targets:
        if target in frame.columns:
            screen.note(f"the target {target!r} is among the columns; it is not read")
    tables = long_tables(side).of(schema)
    with screen.progress() as report, running(report):
        prediction = estimator.prediction(frame, sides=tables)
    faults = counted(prediction.faults)
    say_faults(screen, faults)
    predicted = _as_frame(prediction, frame, schema)
    if estimator.model_.conformal is not None and not isinstance(estimator, MultiTask):
        for name, cells in _promised(estimator, frame, prediction, tables).items():
            predicted[name] = cells
    write_frame(predicted, output)
    screen.say(f"{len(predicted):,} rows predicted: {output}")
    screen.result(
        {
            "rows": len(predicted),
            "file": str(output),
            "columns": list(predicted.columns),
            "ignored": list(ignored),
            "faults": faults,
        }
    )


def _as_frame(prediction: Prediction, frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    import pandas as pd

    carried = [name for name in schema.names("id") if name in frame.columns]
    out = {name: frame[name].to_numpy() for name in carried}
    if prediction.parts:
        return pd.DataFrame({**out, **columns_of(prediction)})
    if prediction.classes is None:
        return pd.DataFrame({**out, "prediction": prediction.values})
    probability, classes = prediction.values, prediction.classes
    each = {f"probability_{label}": probability[:, i] for i, label in enumerate(classes.tolist())}
    return pd.DataFrame({**out, "prediction": classes[probability.argmax(axis=1)], **each})


def _promised(
    estimator: Classifier | Regressor, frame: pd.DataFrame, prediction: Prediction, tables: Mapping[str, Side]
) -> dict[str, Array]:
    """Columns of the sets or intervals: whether a class may be the true one, or low and high ends."""
    if prediction.classes is None:
        low, high = estimator.predict_interval(frame, sides=tables).T
        return {"low": low, "high": high}
    inside = estimator.sets_of(frame, prediction)
    return {f"may_be_{label}": inside[:, i] for i, label in enumerate(prediction.classes.tolist())}
