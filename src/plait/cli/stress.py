"""``plait stress``: what is left of a model as its evidence gets worse."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, Model, Output, Seed, SidePaths, names
from plait.cli.screen import Screen
from plait.cli.tables import long_tables

__all__ = ["stress"]


def stress(
    model: Model,
    data: Data,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="S,...", help="Some of sources, numbers, typing, places, pictures, sounds, adversarial."),
    ] = None,
    rows: Annotated[int, typer.Option(help="At most so many rows, drawn at random.", min=30)] = 300,
    output: Output = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Make rows worse step by step, and judge the model each time.

    Sources hidden, noise on numbers, typing errors, places taken out of cells, pictures and sounds made worse, and the
    tokens of networks pushed where it hurts most.
    """
    from plait.cli.rows import rows_of, target_of
    from plait.estimators import load_one
    from plait.judgement.robustness import robustness
    from plait.media.decode import running

    screen = Screen(as_json)
    estimator = load_one(model)
    schema = estimator.schema_
    frame = rows_of(data, data_folder, encoding, mask_personal)
    with screen.progress() as report, running(report):
        found = robustness(
            estimator,
            frame,
            target_of(frame, schema),
            stresses=names(only) or None,
            rows=rows,
            sides=long_tables(side).of(schema),
            seed=seed,
            progress=report,
        )
    screen.say(str(found))
    if output is not None:
        from plait.report.judged import draw_robustness

        for path in draw_robustness(found, output):
            screen.note(f"drew {path}")
    screen.result(found.to_json())
