"""``plait evaluate``: judge a saved model on rows it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import AsJson, Data, Model, SidePaths, keyed
from plait.cli.screen import Screen

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    data: Data,
    pictures: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw curves into this folder.")] = None,
    side: SidePaths = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on other rows.

    Metrics with intervals, beside a constant, a linear model and LightGBM fitted on the same training rows.
    """
    from plait.cli.rows import say_ignored, target_of, weight_of
    from plait.data.asof import sides
    from plait.data.read import read
    from plait.estimators import load

    screen = Screen(as_json)
    estimator = load(model)
    schema = estimator.schema_
    frame = read(data)
    target = target_of(frame, schema)
    weight = weight_of(frame, schema) if schema.weight in frame.columns else None
    tables = sides(schema, keyed("side", side))
    say_ignored(screen, estimator.ignored_columns(frame))
    evaluation = estimator.evaluate(frame, target, weight, sides=tables)
    screen.say(str(evaluation))
    if pictures is not None:
        from plait.report.curves import draw

        for path in draw(evaluation, pictures):
            screen.note(f"drew {path}")
    screen.result(evaluation.to_json())
