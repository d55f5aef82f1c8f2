"""``plait calibrate``: put a saved model's probabilities right, or promise sets or intervals, on other rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, Model, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json
    from plait.data.schema import Schema

__all__ = ["calibrate"]


def calibrate(
    model: Model,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="NEW", help="Where the new model is written.")],
    method: Annotated[
        str | None,
        typer.Option(
            help="auto, none, or one of `plait list calibrators`; by default auto, and with --coverage as is."
        ),
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(metavar="0.9", help="Promise sets or intervals that hold the truth so often.")
    ] = None,
    conformal: Annotated[
        str | None, typer.Option(help="lac, aps or raps for classes; absolute or scaled for values.")
    ] = None,
    by_class: Annotated[bool, typer.Option("--by-class", help="Keep the promise within each class.")] = False,
    by: Annotated[str | None, typer.Option(metavar="COLUMN", help="Keep it within each value of this column.")] = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    as_json: AsJson = False,
) -> None:
    """Calibrate a model on other rows, and write it anew.

    With --coverage it promises sets of classes or intervals of values instead, or, with --method too, does both: each
    then gets half of the rows, the earlier half to calibrate where rows have a time, else every other one.
    """
    from plait.cli.rows import rows_of, target_of, weight_of
    from plait.estimators import load_one
    from plait.media.decode import running

    screen = Screen(as_json)
    if coverage is None and (conformal is not None or by_class or by is not None):
        raise ConfigError("--conformal, --by-class and --by are about a promise; give --coverage, as in 0.9")
    estimator = load_one(model)
    schema = estimator.schema_
    values = estimator.model_.head.task == "regression"
    if method is None and coverage is None:
        method = "auto"
    if values and method is not None:
        raise ConfigError("this model predicts values, which have intervals instead; give --coverage, as in 0.9")
    frame = rows_of(data, data_folder, encoding, mask_personal)
    frame = frame[target_of(frame, schema).notna()]
    target, tables = target_of(frame, schema), long_tables(side).of(schema)
    weight = weight_of(frame, schema) if schema.weight in frame.columns else None

    def learn(rows: Any, how: Any, **options: Any) -> None:
        own = None if weight is None else weight[rows]
        how(frame.iloc[rows], target.iloc[rows], own, sides=tables, **options)

    first, second = _halves(frame, schema, both=method is not None and coverage is not None)
    with screen.progress() as report, running(report):
        if method is not None:
            learn(first, estimator.calibrate, method=method)
        if coverage is not None:
            learn(second, estimator.conformalize, coverage=coverage, method=conformal, by_class=by_class, by=by)
    asked = {"calibration": method is not None, "conformal": coverage is not None}
    told = {kind: estimator.record_[kind] for kind, wanted in asked.items() if wanted}
    _show(screen, told)
    estimator.save(output)
    screen.heading(f"written to {output}")
    screen.result({"file": str(output), "rows": len(frame), **told})


def _halves(frame: pd.DataFrame, schema: Schema, *, both: bool) -> tuple[Any, Any]:
    """Rows to calibrate on and rows to promise on, by position."""
    import numpy as np

    from plait.data.frame import seconds

    rows = np.arange(len(frame))
    if not both:
        return rows, rows
    if schema.time not in frame.columns:
        return rows[::2], rows[1::2]
    order = np.argsort(seconds(frame[schema.time]), kind="stable")
    return order[: len(order) // 2], order[len(order) // 2 :]


def _show(screen: Screen, told: dict[str, Json]) -> None:
    if (calibration := told.get("calibration")) is not None:
        screen.heading(f"calibration: {calibration['method']}, on {calibration['rows']:,} rows")
        gains, errors = calibration["gain"], calibration["standard_error"]
        lines = [
            (name, f"{loss:.5f}", f"{gains.get(name, 0):+.5f}", f"{errors.get(name, 0):.5f}")
            for name, loss in calibration["log_loss"].items()
        ]
        screen.table([("method", "log loss held out", "better than none by", "standard error"), *lines])
    if (conformal := told.get("conformal")) is not None:
        within = " within each class" * conformal.get("by_class", False)
        within += f" within each {conformal['by']}" if conformal["by"] else ""
        screen.heading(
            f"{conformal['kind']} ({conformal['method']}) promised to hold {conformal['coverage']:.0%}{within}"
        )
        if conformal["unbounded"]:
            screen.note(f"{conformal['unbounded']} group(s) have too few rows: there, everything is in")
