"""``plait evaluate``: judge a saved model on rows it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.decisions import Amount, Asked, Cost, Decided, Lift, Permutations, SliceBy, check_two
from plait.cli.gate import Favourable, RequireFair, check_least, refuse
from plait.cli.multitask import evaluate_several
from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, Model, SidePaths
from plait.cli.screen import Screen
from plait.cli.stream import Streaming, in_memory, opened, sampled
from plait.cli.tables import long_tables
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Side
    from plait.estimators import Classifier, Regressor
    from plait.judgement.fairness import FairnessReport

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    data: Data,
    pictures: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw curves into this folder.")] = None,
    slice_by: SliceBy = None,
    cost: Cost = None,
    amount: Amount = None,
    lift: Lift = False,
    permutations: Permutations = None,
    threshold: Decided = None,
    require_fair: RequireFair = None,
    favourable: Favourable = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    stream: Streaming = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model on other rows.

    Metrics with intervals, beside a constant, a linear model and LightGBM fitted on the same training rows.
    """
    from plait.cli.rows import say_faults, say_ignored, target_of, weight_of
    from plait.estimators import MultiTask, load_predictor
    from plait.media.decode import running

    screen = Screen(as_json)
    check_least(require_fair)
    if favourable is not None and require_fair is None:
        raise ConfigError("--favourable says what --require-fair judges by; give that, too, as in 0.8")
    estimator = load_predictor(model)
    schema = estimator.schema_
    frame = opened(screen, data, stream, data_folder, encoding, mask_personal)
    tables = long_tables(side).of(schema)
    say_ignored(screen, estimator.ignored_columns(frame))
    if isinstance(estimator, MultiTask):
        of_one = {"slice-by": slice_by, "cost": cost, "amount": amount, "lift": lift, "permutations": permutations}
        of_one |= {"threshold": threshold is not None, "require-fair": require_fair is not None}
        evaluate_several(screen, estimator, in_memory(frame, "a model of several targets"), tables, pictures, of_one)
        return
    target = target_of(frame, schema)
    weight = weight_of(frame, schema) if schema.weight in frame.columns else None
    check_two(getattr(estimator, "classes_", None), lift=lift, cost=bool(cost), threshold=threshold is not None)
    asked = Asked.of(frame, slice_by, cost, amount, lift, permutations)
    decided = 0.5 if threshold is None else threshold
    with screen.progress() as report, running(report):
        judged = estimator.judge(frame, target, weight, sides=tables)
        evaluation = judged.evaluate(threshold=decided)
    say_faults(screen, evaluation.faults)
    screen.say(str(evaluation))
    if pictures is not None:
        from plait.report.curves import draw

        for path in draw(evaluation, pictures):
            screen.note(f"drew {path}")
    told = {**evaluation.to_json(), **asked.show(judged, screen, pictures)}
    if require_fair is None:
        screen.result(told)
        return
    fair = _fairness(screen, estimator, sampled(frame), favourable, decided, tables)
    screen.result({**told, "fairness": fair.to_json()})
    refuse(screen, fair.refusal(require_fair))


def _fairness(
    screen: Screen,
    estimator: Classifier | Regressor,
    frame: pd.DataFrame,
    favourable: str | None,
    decided: float,
    tables: Mapping[str, Side],
) -> FairnessReport:
    from plait.cli.rows import target_of, weight_of
    from plait.judgement.fairness import fairness

    schema = estimator.schema_
    weight = weight_of(frame, schema) if schema.weight in frame.columns else None
    target = target_of(frame, schema)
    found = fairness(
        estimator, frame, target, favourable=favourable, threshold=decided, sample_weight=weight, sides=tables
    )
    screen.heading("fairness")
    screen.say(str(found))
    return found
