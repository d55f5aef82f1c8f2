"""``plait fair``: how a model's decisions fall on groups of people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.decisions import Decided, check_two
from plait.cli.gate import Favourable, RequireFair, check_least, refuse
from plait.cli.options import (
    AsJson,
    Data,
    DataFolder,
    Encoding,
    MaskPersonal,
    Model,
    Output,
    Sensitive,
    SidePaths,
    keyed,
    names,
)
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import ConfigError

if TYPE_CHECKING:
    from plait.judgement.fairness import FairnessReport

__all__ = ["fair", "show"]


def fair(
    model: Model,
    data: Data,
    sensitive: Sensitive = None,
    favourable: Favourable = None,
    threshold: Decided = None,
    bins: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=EDGE,...", help="Where to cut a column of numbers.")
    ] = None,
    crossed: Annotated[bool, typer.Option("--crossed", help="Judge every two sensitive columns crossed, too.")] = False,
    require_fair: RequireFair = None,
    output: Output = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    as_json: AsJson = False,
) -> None:
    """Judge a model's decisions by group, on rows that it was not fitted on.

    Selection and error rates, the four-fifths ratio, equal opportunity and odds, calibration by group, and the columns
    that tell the groups.
    """
    from plait.cli.rows import rows_of, target_of, weight_of
    from plait.estimators import load_one
    from plait.judgement.fairness import fairness
    from plait.media.decode import running

    screen = Screen(as_json)
    check_least(require_fair)
    estimator = load_one(model)
    schema = estimator.schema_
    check_two(getattr(estimator, "classes_", None), threshold=threshold is not None)
    frame = rows_of(data, data_folder, encoding, mask_personal)
    with screen.progress() as report, running(report):
        found = fairness(
            estimator,
            frame,
            target_of(frame, schema),
            sensitive=names(sensitive) or None,
            favourable=favourable,
            threshold=0.5 if threshold is None else threshold,
            bins=_edges(bins),
            crossed=crossed,
            sample_weight=weight_of(frame, schema) if schema.weight in frame.columns else None,
            sides=long_tables(side).of(schema),
            progress=report,
        )
    show(screen, found, output)
    screen.result(found.to_json())
    if require_fair is not None:
        refuse(screen, found.refusal(require_fair))


def show(screen: Screen, found: FairnessReport, output: Path | None) -> None:
    """Say what was found, and draw it into a folder."""
    screen.say(str(found))
    if output is not None:
        from plait.report.judged import draw_fairness

        for path in draw_fairness(found, output):
            screen.note(f"drew {path}")


def _edges(given: list[str] | None) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, text in keyed("bins", given).items():
        try:
            found[name] = [float(edge) for edge in text.split(",")]
        except ValueError:
            raise ConfigError(f"--bins {name}={text}: edges are numbers, as in {name}=25,40,62") from None
    return found
