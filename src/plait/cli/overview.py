"""``plait overview``: what a saved model rests on over many rows, as tables and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Data, DataFolder, Model, SidePaths
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import DataError

if TYPE_CHECKING:
    from plait.contracts import Json
    from plait.report.canvas import Canvas

__all__ = ["overview"]

FEWEST = 40  # rows from which a tree can be grown and judged


def overview(
    model: Model,
    data: Data,
    column: Annotated[list[str] | None, typer.Option(help="How predictions follow this column; repeatable.")] = None,
    output_class: Annotated[
        str | None, typer.Option("--output", metavar="LABEL", help="The class asked about, of more than two.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Most rows looked at, drawn at random.")] = 2000,
    pictures: Annotated[
        Path | None, typer.Option("-o", "--pictures", metavar="DIR", help="Draw all of it into this folder.")
    ] = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model rests on.

    What each source and column is worth on these rows, which work together, a readable tree that says almost the same,
    and how predictions follow the columns that count most.
    """
    from plait.cli.rows import label_of, rows_of, say_ignored, target_of
    from plait.data.frame import column as cells
    from plait.estimators import Classifier, load

    screen = Screen(as_json)
    estimator = load(model)
    frame = rows_of(data, data_folder)
    target = target_of(frame, estimator.schema_)
    sides = long_tables(side).of(estimator.schema_)
    say_ignored(screen, estimator.ignored_columns(frame))
    if not len(frame):
        raise DataError(f"{data} has no rows; give some to look at")
    drawn = frame.sample(n=min(rows, len(frame)), random_state=0).sort_index()
    known = drawn[cells(target.loc[drawn.index]).present]
    wanted = None
    if isinstance(estimator, Classifier):
        wanted = None if output_class is None else label_of(output_class, estimator.classes_)
        if output_class is None and len(estimator.classes_) > 2:
            wanted = estimator.classes_[-1]
            screen.note(f"predictions are those of {wanted!r}; name another class with --output")
    figures: dict[str, Canvas] = {}
    shown: dict[str, Json] = {}
    with screen.progress() as progress:
        worth = estimator.importance(known, known[target.name], sides=sides, progress=progress)
        together = estimator.interactions(drawn, sides=sides, outputs=wanted)
        moving = [each.name for each in worth.worths if each.kind == "column"][:4] if column is None else column
        follows = [estimator.partial_dependence(drawn, name, sides=sides, outputs=wanted) for name in moving]
        tree = estimator.surrogate(drawn, sides=sides, outputs=wanted) if len(drawn) >= FEWEST else None
    screen.heading("what the model rests on")
    screen.say(str(worth))
    screen.heading("what works together")
    screen.say(str(together))
    for each in follows:
        screen.heading(f"how predictions follow {each.column}")
        screen.say(str(each))
    if tree is None:
        screen.note(f"{len(drawn)} rows are too few to grow a readable tree")
    else:
        screen.heading("in few words")
        screen.say(str(tree))
    if pictures is not None:
        from plait.report.network import network_figure
        from plait.report.overall import (
            dependence_figure,
            importance_figure,
            interactions_figure,
            surrogate_figure,
        )

        figures = {"network": network_figure(estimator.model_), "importance": importance_figure(worth)}
        figures["interactions"] = interactions_figure(together)
        figures |= {f"follows-{i}": dependence_figure(each) for i, each in enumerate(follows)}
        if tree is not None:
            figures["tree"] = surrogate_figure(tree)
        _draw(screen, figures, pictures)
    shown = {
        "importance": worth.to_json(),
        "interactions": together.to_json(),
        "dependence": [each.to_json() for each in follows],
        "surrogate": None if tree is None else tree.to_json(),
    }
    screen.result(shown)


def _draw(screen: Screen, figures: dict[str, Canvas], folder: Path) -> None:
    from plait.report.canvas import save

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made ({error.strerror}); name another folder") from None
    for name, figure in figures.items():
        screen.note(f"drew {save(figure, folder / f'{name}.png')}")
