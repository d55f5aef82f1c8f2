"""``plait explain``: why a saved model says what it says of some rows, in words, tables and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Data, DataFolder, Encoding, MaskPersonal, Model, Seed, SidePaths, names
from plait.cli.screen import Screen
from plait.cli.tables import long_tables
from plait.errors import ConfigError, DataError

if TYPE_CHECKING:
    from plait.explain.explanation import Explanation

__all__ = ["explain"]


def explain(
    model: Model,
    data: Data,
    rows: Annotated[
        list[str] | None, typer.Option(metavar="N,...", help="Rows by their place in the data, counted from 0.")
    ] = None,
    first: Annotated[int, typer.Option(min=1, help="The first so many rows, where --rows names none.")] = 5,
    depth: Annotated[
        list[str] | None, typer.Option(metavar="D,...", help="Of sources, columns and cells; by default all three.")
    ] = None,
    output_class: Annotated[
        str | None, typer.Option("--output", metavar="LABEL", help="The class explained; by default the likeliest.")
    ] = None,
    scale: Annotated[str, typer.Option(help="output (probability or value) or score (log-odds, logit).")] = "output",
    language: Annotated[str, typer.Option(help="Of the words: en or zh.")] = "en",
    folder: Annotated[
        Path | None, typer.Option("-o", "--folder", metavar="DIR", help="Write explanation.json and pictures here.")
    ] = None,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Explain predictions, row by row.

    What each source adds to a prediction (Shapley values, which sum to it), what each column adds to its score, and
    which words, areas, seconds or steps inside the cells count.
    """
    from plait.cli.rows import label_of, rows_of, say_faults, say_ignored
    from plait.data.faults import counted
    from plait.estimators import Classifier, load_one
    from plait.estimators.explained import DEPTHS
    from plait.explain.words import check_language

    screen = Screen(as_json)
    check_language(language)
    estimator = load_one(model)
    frame = rows_of(data, data_folder, encoding, mask_personal)
    say_ignored(screen, estimator.ignored_columns(frame))
    chosen = frame.iloc[_places(rows, first, len(frame))]
    wanted = None
    if output_class is not None:
        if not isinstance(estimator, Classifier):
            raise ConfigError(f"--output {output_class} names a class, but this model predicts values; leave it out")
        wanted = label_of(output_class, estimator.classes_)
    with screen.progress() as report:
        found = estimator.explain(
            chosen,
            sides=long_tables(side).of(estimator.schema_),
            depths=names(depth) or DEPTHS,
            outputs=wanted,
            scale=scale,  # type: ignore[arg-type]  # checked there
            seed=seed,
            progress=report,
        )
    say_faults(screen, counted(found.faults))
    _show(screen, found, language)
    if folder is not None:
        _write(screen, found, language, folder)
    screen.result(found.to_json(language))


def _show(screen: Screen, found: Explanation, language: str) -> None:
    """The words of every row, then a table of each depth that was asked for."""
    for label, text in zip(found.index, found.to_text(language), strict=True):
        screen.say(f"row {label}: {text}")
    for title, table in found.tables().items():
        screen.heading(title)
        screen.table(table)


def _write(screen: Screen, found: Explanation, language: str, folder: Path) -> None:
    from plait.data.files import replacing
    from plait.report.explained import draw

    drawn = draw(found, folder, language=language)
    with replacing(folder / "explanation.json") as path:
        path.write_text(json.dumps(found.to_json(language), ensure_ascii=False, allow_nan=False), "utf-8")
    screen.note(f"wrote {folder / 'explanation.json'} and {len(drawn)} picture(s)")


def _places(given: list[str] | None, first: int, total: int) -> list[int]:
    """Rows by place.

    Raises
    ------
    ConfigError
        If an entry is no row of the data.
    DataError
        If there are no rows at all.
    """
    if not total:
        raise DataError("the data has no rows; give some to explain")
    places = []
    for entry in names(given):
        if not entry.isdecimal() or int(entry) >= total:
            raise ConfigError(f"--rows {entry} is no row of the data (allowed: 0 to {total - 1})")
        places.append(int(entry))
    return places or list(range(min(first, total)))
