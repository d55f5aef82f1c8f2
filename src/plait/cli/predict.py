"""``plait predict``: the model's word on new rows, as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Data, Model, SidePaths, keyed
from plait.cli.screen import Screen

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Side
    from plait.data.schema import Schema
    from plait.estimators import Classifier, Regressor

__all__ = ["predict"]


def predict(
    model: Model,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="CSV, TSV, JSONL, Parquet or Arrow.")],
    side: SidePaths = None,
    as_json: AsJson = False,
) -> None:
    """Predict new rows, into a file.

    One row each, in their order, with identifiers carried along.
    """
    from plait.cli.rows import say_ignored
    from plait.data.asof import sides
    from plait.data.read import read, write_frame
    from plait.estimators import load

    screen = Screen(as_json)
    estimator = load(model)
    schema = estimator.schema_
    frame = read(data)
    ignored = estimator.ignored_columns(frame)
    say_ignored(screen, ignored)
    predicted = _predicted(estimator, frame, schema, sides(schema, keyed("side", side)))
    write_frame(predicted, output)
    screen.say(f"{len(predicted):,} rows predicted: {output}")
    screen.result(
        {"rows": len(predicted), "file": str(output), "columns": list(predicted.columns), "ignored": list(ignored)}
    )


def _predicted(
    estimator: Classifier | Regressor, frame: pd.DataFrame, schema: Schema, sides: Mapping[str, Side]
) -> pd.DataFrame:
    import pandas as pd

    carried = [name for name in schema.names("id") if name in frame.columns]
    out = {name: frame[name].to_numpy() for name in carried}
    if not hasattr(estimator, "predict_proba"):
        return pd.DataFrame({**out, "prediction": estimator.predict(frame, sides=sides)})
    probability = estimator.predict_proba(frame, sides=sides)
    classes = estimator.classes_
    each = {f"probability_{label}": probability[:, i] for i, label in enumerate(classes.tolist())}
    return pd.DataFrame({**out, "prediction": classes[probability.argmax(axis=1)], **each})
