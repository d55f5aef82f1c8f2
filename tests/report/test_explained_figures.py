"""Drawings of explanations: every form of cell, every depth, in both languages."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from plait.contracts import Exhibit, Form, Place
from plait.errors import ConfigError, DataError
from plait.explain.explanation import CellShares, ColumnShares, Explanation, SourceShares
from plait.report.canvas import picture
from plait.report.explained import attention_figure, cell_figure, column_figure, draw, source_figure

RNG = np.random.default_rng(0)
TEXT = "I lost my job, $5 to $10 are left. 我失去了工作。 " * 30
CELLS: dict[Form, tuple[Exhibit, list[Place]]] = {
    "words": (Exhibit("words", TEXT), [Place("span", (i, i + 7), TEXT[i : i + 7]) for i in range(0, len(TEXT), 7)]),
    "pixels": (
        Exhibit("pixels", np.zeros((40, 60, 3), np.uint8)),
        [Place("box", (i / 2, 0.0, i / 2 + 0.5, 1.0), f"half {i}") for i in range(2)],
    ),
    "waves": (
        Exhibit("waves", np.zeros(8000, np.float32), 8000),
        [Place("seconds", (i / 4, i / 4 + 0.25), f"{i / 4} s") for i in range(4)],
    ),
    "steps": (
        Exhibit("steps", np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan]]), names=("in", "out")),
        [Place("steps", (i, i + 1), f"step {i}") for i in range(3)],
    ),
    "records": (
        Exhibit("records", ({"amount": 5.0, "kind": "card"}, {"amount": 7.0, "kind": "cash"})),
        [Place("records", (i, i + 1), f"record {i}") for i in range(2)],
    ),
    "links": (
        Exhibit("links", ({"neighbour": "a", "amount": 5.0}, {"neighbour": "b", "amount": 7.0})),
        [Place("link", (i,), name) for i, name in enumerate("ab")],
    ),
    "items": (
        Exhibit("items", (Exhibit("words", "good"), Exhibit("pixels", np.zeros((4, 4, 3), np.uint8)))),
        [Place("items", (i, i + 1), f"item {i}") for i in range(2)],
    ),
    "frames": (
        Exhibit("frames", np.zeros((3, 20, 30, 3), np.uint8), 2.0),
        [Place("frames", (i / 2, i / 2 + 0.5), f"{i / 2} s") for i in range(3)],
    ),
    "points": (
        Exhibit("points", RNG.normal(size=(50, 3)).astype(np.float32)),
        [Place("points", (float(i), 0.0, 0.0, 1.0), f"part {i}") for i in range(3)],
    ),
}


def shares(form: Form, values: list[float] | None = None, row: int = 0) -> CellShares:
    exhibit, places = CELLS[form]
    found = RNG.normal(size=len(places)) if values is None else np.array(values)
    return CellShares(row, "some source", exhibit, tuple(places), found, np.abs(found) / 10)


def explanation(cells: tuple[CellShares, ...] = ()) -> Explanation:
    names = tuple(f"column {i}" for i in range(20))
    values = RNG.normal(size=(2, 20))
    sources = SourceShares(("a", "b"), ("x", "y"), np.full(2, 0.2), np.array([[0.3, -0.1]] * 2), np.full((2, 2), 0.01))
    base, residual = np.full(2, -1.0), np.full(2, 0.05)
    columns = ColumnShares(
        names, ("a",) * 20, base, base + values.sum(axis=1) + residual, values, residual, {"part": "method"}
    )
    return Explanation((0, 1), np.array([1, 1]), "output", np.full(2, 0.4), sources, columns, cells)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int64)


def test_every_form_is_here() -> None:
    assert set(CELLS) == set(get_args(Form))


@pytest.mark.parametrize("form", get_args(Form))
def test_places_of_every_form_are_coloured(form: Form) -> None:
    few = [0.0] * len(CELLS[form][1])
    few[0] = 1.0
    plain = pixels(picture(cell_figure(shares(form, [0.0] * len(few)))))
    marked = pixels(picture(cell_figure(shares(form, few))))
    orange = (marked[..., 0] - marked[..., 2] > 60).sum()
    assert orange > (plain[..., 0] - plain[..., 2] > 60).sum() + 50 if plain.shape == marked.shape else orange > 50


def test_a_cell_without_places_is_drawn_all_the_same() -> None:
    for form in get_args(Form):
        cell = CellShares(0, "s", CELLS[form][0], (), np.empty(0), np.empty(0))
        assert pixels(picture(cell_figure(cell))).min() < 255


@pytest.mark.parametrize("language", ["en", pytest.param("zh", marks=pytest.mark.slow)])
def test_sources_and_columns(language: str) -> None:
    shown = explanation()
    for figure in (source_figure(shown, 0, language=language), column_figure(shown, 1, language=language)):
        assert len({*map(tuple, pixels(picture(figure)).reshape(-1, 3).tolist())}) > 20


def test_bars_show_their_numbers() -> None:
    from matplotlib.text import Text

    said = {text.get_text() for text in source_figure(explanation(), 0).findobj(Text) if isinstance(text, Text)}
    assert {"0.200", "+0.300", "-0.100", "0.400"} <= said


def test_all_is_drawn_into_a_folder(tmp_path: Path) -> None:
    made = draw(explanation((shares("words"), shares("steps", row=1))), tmp_path / "new")
    names = [path.name for path in made]
    assert names == [
        "row-0-sources.png",
        "row-0-columns.png",
        "row-0-some_source.png",
        "row-1-sources.png",
        "row-1-columns.png",
        "row-1-some_source.png",
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)


def test_attention_is_drawn_as_what_it_is() -> None:
    from matplotlib.text import Text

    with pytest.raises(DataError, match="no part of the explained model attends"):
        attention_figure(explanation(), 0)
    shown = explanation()
    assert shown.columns is not None
    looked = replace(shown.columns, attention={"letter": np.array([0.7, 0.2]), "table": np.array([0.3, 0.8])})
    figure = attention_figure(replace(shown, columns=looked), 0)
    said = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    assert "letter" in said
    assert any("not what made it decide" in text for text in said)
    assert any("attention weights" in title for title in replace(shown, columns=looked).tables())


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    empty = Explanation((0,), None, "output", np.zeros(1))
    with pytest.raises(DataError, match="depth 'sources'"):
        source_figure(empty, 0)
    with pytest.raises(DataError, match="depth 'columns'"):
        column_figure(empty, 0)
    with pytest.raises(ConfigError, match="language 'fr'"):
        source_figure(explanation(), 0, language="fr")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="name another"):
        draw(explanation(), tmp_path / "file" / "below")
