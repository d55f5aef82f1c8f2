"""``plait overview``: what a saved model rests on over many rows, as tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, Model, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import ConfigError

if TYPE_CHECKING:
    from plait.estimators import Classifier, Regressor
    from plait.explain.dependence import Dependence, Interactions
    from plait.explain.importance import Importance
    from plait.explain.surrogate import Surrogate

__all__ = ["overview"]

FEWEST = 40  # rows from which a tree can be grown and judged


def overview(
    model: Model,
    data: Data,
    column: Annotated[list[str] | None, typer.Option(help="How predictions follow this column; repeatable.")] = None,
    output_class: Annotated[
        str | None, typer.Option("--output", metavar="LABEL", help="The class asked about, of more than two.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Most rows looked at, drawn at random.", min=1)] = 2000,
    pictures: Annotated[
        Path | None, typer.Option("-o", "--pictures", metavar="DIR", help="Draw all of it into this folder.")
    ] = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    as_json: AsJson = False,
) -> None:
    """Show what a model rests on.

    What each source and column is worth on these rows, which work together, a readable tree that says almost the same,
    and how predictions follow the columns that count most.
    """
    from plait.cli.rows import rows_of, say_ignored, target_of
    from plait.data.frame import column as cells
    from plait.estimators import load_one
    from plait.metrics.shown import plain

    screen = Screen(as_json)
    estimator = load_one(model)
    frame = rows_of(data, data_folder, encoding, mask_personal)
    target = target_of(frame, estimator.schema_)
    sides = long_tables(side).of(estimator.schema_)
    say_ignored(screen, estimator.ignored_columns(frame))
    drawn = frame.sample(n=min(rows, len(frame)), random_state=0).sort_index()
    known = drawn[cells(target.loc[drawn.index]).present]
    wanted = _wanted(screen, estimator, output_class)
    with screen.progress() as progress:
        worth = estimator.importance(known, known[target.name], sides=sides, progress=progress)
        together = estimator.interactions(drawn, sides=sides, outputs=wanted)
        told = [each.name for each in worth.worths if each.kind == "column" and cells(drawn[each.name]).present.any()]
        moving = told[:4] if column is None else column
        follows = [estimator.partial_dependence(drawn, name, sides=sides, outputs=wanted) for name in moving]
        tree = estimator.surrogate(drawn, sides=sides, outputs=wanted) if len(drawn) >= FEWEST else None
    found = _Found(worth, together, tuple(follows), tree)
    _say(screen, found, len(drawn))
    if pictures is not None:
        _draw(screen, estimator, found, pictures)
    screen.result(plain(found))


@dataclass(frozen=True)
class _Found:
    importance: Importance
    interactions: Interactions
    dependence: tuple[Dependence, ...]
    surrogate: Surrogate | None


def _wanted(screen: Screen, estimator: Classifier | Regressor, said: str | None) -> object:
    """The class asked about; of more than two, one has to be."""
    from plait.cli.rows import label_of

    classes = getattr(estimator, "classes_", None)
    if classes is None:
        if said is not None:
            raise ConfigError(f"--output {said} names a class, but this model predicts values; leave it out")
        return None
    if said is not None:
        return label_of(said, classes)
    if len(classes) == 2:
        return None
    screen.note(f"predictions are those of {classes[-1]!r}; name another class with --output")
    return classes[-1]


def _say(screen: Screen, found: _Found, rows: int) -> None:
    screen.heading("what the model rests on")
    screen.say(str(found.importance))
    screen.heading("what works together")
    screen.say(str(found.interactions))
    for each in found.dependence:
        screen.heading(f"how predictions follow {each.column}")
        screen.say(str(each))
    if found.surrogate is None:
        screen.note(f"{rows} rows are too few to grow a readable tree")
        return
    screen.heading("in few words")
    screen.say(str(found.surrogate))


def _draw(screen: Screen, estimator: Classifier | Regressor, found: _Found, folder: Path) -> None:
    from plait.data.files import made_folder
    from plait.report.canvas import save
    from plait.report.network import network_figure
    from plait.report.overall import dependence_figure, importance_figure, interactions_figure, surrogate_figure

    figures = {
        "network": network_figure(estimator.model_),
        "importance": importance_figure(found.importance),
        "interactions": interactions_figure(found.interactions),
    }
    figures |= {f"follows-{i}": dependence_figure(each) for i, each in enumerate(found.dependence)}
    if found.surrogate is not None:
        figures["tree"] = surrogate_figure(found.surrogate)
    into = made_folder(folder)
    for name, figure in figures.items():
        screen.note(f"drew {save(figure, into / f'{name}.png')}")
