"""``plait evaluate``: judge a saved model on rows it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.gate import Favourable, RequireFair, Threshold, check_least, refuse
from plait.cli.options import AsJson, Data, DataFolder, Model, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    data: Data,
    pictures: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw curves into this folder.")] = None,
    require_fair: RequireFair = None,
    favourable: Favourable = None,
    threshold: Threshold = 0.5,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on other rows.

    Metrics with intervals, beside a constant, a linear model and LightGBM fitted on the same training rows.
    """
    from plait.cli.rows import rows_of, say_faults, say_ignored, target_of, weight_of
    from plait.estimators import load
    from plait.media.decode import running

    screen = Screen(as_json)
    check_least(require_fair)
    estimator = load(model)
    schema = estimator.schema_
    frame = rows_of(data, data_folder)
    target = target_of(frame, schema)
    weight = weight_of(frame, schema) if schema.weight in frame.columns else None
    tables = long_tables(side).of(schema)
    say_ignored(screen, estimator.ignored_columns(frame))
    with screen.progress() as report, running(report):
        evaluation = estimator.evaluate(frame, target, weight, sides=tables)
    say_faults(screen, evaluation.faults)
    screen.say(str(evaluation))
    if pictures is not None:
        from plait.report.curves import draw

        for path in draw(evaluation, pictures):
            screen.note(f"drew {path}")
    if require_fair is None:
        screen.result(evaluation.to_json())
        return
    from plait.judgement.fairness import fairness

    judged = fairness(
        estimator, frame, target, favourable=favourable, threshold=threshold, sample_weight=weight, sides=tables
    )
    screen.heading("fairness")
    screen.say(str(judged))
    screen.result({**evaluation.to_json(), "fairness": judged.to_json()})
    refuse(screen, judged.refusal(require_fair))
