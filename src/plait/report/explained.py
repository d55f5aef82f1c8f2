"""Drawings of why a model says what it says of a row: its sources, its columns, and the places inside its cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.files import made_folder
from plait.errors import DataError, unknown
from plait.explain.explanation import CellShares, Explanation
from plait.report.canvas import GREY, Axes, Canvas, axes_of, canvas, finish, readable, save
from plait.report.places import DOWN, UP, paint

__all__ = ["attention_figure", "cell_figure", "column_figure", "draw", "source_figure"]

MOST = 12  # bars
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "sources": "What each source adds",
        "columns": "What each column adds to the score",
        "places": "What counts in {}",
        "base": "nothing known",
        "prediction": "prediction",
        "rest": "{} others",
        "unexplained": "unexplained",
        "score": "score",
        "output": "prediction",
        "attention": "Where the network looked (attention weights, not what made it decide)",
        "weight": "share of attention",
    },
    "zh": {
        "sources": "各来源的贡献",
        "columns": "各列对分数的贡献",
        "places": "{}中起作用的部分",
        "base": "一无所知时",
        "prediction": "预测",
        "rest": "其余 {} 项",
        "unexplained": "未解释部分",
        "score": "分数",
        "output": "预测",
        "attention": "网络看了哪里（注意力权重，并非决策原因）",
        "weight": "注意力份额",
    },
}


def draw(explanation: Explanation, folder: str | PathLike[str], *, language: str = "en") -> tuple[Path, ...]:
    """Draw all rows of an explanation.

    Parameters
    ----------
    explanation
        For each row ``row-0-sources.png`` and ``row-0-columns.png`` where it holds these depths,
        ``row-0-attention.png`` where a part attends, and a file a cell (``row-0-letter.png``), rows counted within
        the explanation.
    folder
        Where the files go; made if it is not there. Each file appears whole or not at all.
    language
        ``"en"`` or ``"zh"``.

    Returns
    -------
    The files, in the order of the rows.

    Raises
    ------
    DataError
        If the folder cannot be made.
    """
    folder = made_folder(folder)
    drawn = []
    for row in range(len(explanation)):
        if explanation.sources is not None:
            figure = source_figure(explanation, row, language=language)
            drawn.append(save(figure, folder / f"row-{row}-sources.png"))
        if explanation.columns is not None:
            figure = column_figure(explanation, row, language=language)
            drawn.append(save(figure, folder / f"row-{row}-columns.png"))
        cells = [cell for cell in explanation.cells if cell.row == row]
        for cell, name in zip(cells, _file_names([cell.source for cell in cells]), strict=True):
            drawn.append(save(cell_figure(cell, language=language), folder / f"row-{row}-{name}.png"))
    return tuple(drawn)


def source_figure(explanation: Explanation, row: int, *, language: str = "en") -> Canvas:
    """From what is predicted with nothing known to the prediction, a step a source."""
    found, words = explanation.sources, _words(language)
    if found is None:
        raise DataError("the explanation holds no sources; ask for the depth 'sources'")
    order = np.argsort(-np.abs(found.values[row]), kind="stable")
    steps = [(found.sources[i], float(found.values[row, i]), float(found.error[row, i])) for i in order]
    ends = words["base"], float(found.base[row]), words["prediction"], float(explanation.prediction[row])
    return _waterfall(steps, ends, words["sources"], words[explanation.scale])


def column_figure(explanation: Explanation, row: int, *, language: str = "en", most: int = MOST) -> Canvas:
    """The columns that add most to the score, the others together, and what stays unexplained."""
    found, words = explanation.columns, _words(language)
    if found is None:
        raise DataError("the explanation holds no columns; ask for the depth 'columns'")
    values = found.values[row]
    order = np.argsort(-np.abs(values), kind="stable")
    steps = [(found.columns[i], float(values[i]), 0.0) for i in order[:most]]
    if len(order) > most:
        steps.append((words["rest"].format(len(order) - most), float(values[order[most:]].sum()), 0.0))
    if abs(found.residual[row]) > 1e-6 * max(1.0, abs(found.score[row])):
        steps.append((words["unexplained"], float(found.residual[row]), 0.0))
    ends = words["base"], float(found.base[row]), words["score"], float(found.score[row])
    return _waterfall(steps, ends, words["columns"], words["score"])


def attention_figure(explanation: Explanation, row: int, *, language: str = "en") -> Canvas:
    """How a network's attention is shared among the sources: where it looked, which is not what made it decide."""
    found, words = explanation.columns, _words(language)
    if found is None or not found.attention:
        raise DataError("no part of the explained model attends; there are no attention weights to draw")
    weights = {name: float(weight[row]) for name, weight in found.attention.items()}
    figure, axes = axes_of(7.6, 1.2 + 0.34 * len(weights))
    places = np.arange(len(weights))[::-1]
    axes.barh(places, list(weights.values()), color=GREY, height=0.66)  # grey: neither for nor against
    axes.set_yticks(places, [_short(readable(name)) for name in weights])
    finish(axes, words["attention"], words["weight"], "")
    axes.grid(axis="y", visible=False)
    return figure


def cell_figure(cell: CellShares, *, language: str = "en", most: int = 6) -> Canvas:
    """The cell with its places coloured by what they add, and the places that add most as bars."""
    words = _words(language)
    figure = canvas(7.6, 5.4)
    above, below = figure.subplots(2, 1, height_ratios=(3, 1.4))
    paint(above, figure, cell)
    title = readable(words["places"].format(cell.source))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    order = np.argsort(-np.abs(cell.values), kind="stable")[:most]
    labels = [cell.places[i].label for i in order]
    bars(below, labels, cell.values[order], cell.error[order])
    return figure


def bars(axes: Axes, labels: Sequence[str], values: Any, error: Any = None) -> None:
    """Horizontal bars, the first on top, coloured by sign."""
    values = np.asarray(values, np.float64)
    places = np.arange(len(values))[::-1]
    axes.barh(places, values, color=[UP if value > 0 else DOWN for value in values], height=0.7)
    if error is not None and np.any(np.asarray(error) > 0):
        axes.errorbar(values, places, xerr=error, fmt="none", ecolor="#444444", elinewidth=1)
    axes.set_yticks(places, [_short(readable(label)) for label in labels])
    axes.axvline(0, color=GREY, linewidth=0.8)
    finish(axes, "", "", "")
    axes.grid(axis="y", visible=False)


def _waterfall(
    steps: Sequence[tuple[str, float, float]], ends: tuple[str, float, str, float], title: str, x: str
) -> Canvas:
    """Bars that begin where the one above ended; the first and the last line are the ends."""
    figure, axes = axes_of(7.6, 1.3 + 0.34 * (len(steps) + 2))
    names = [ends[0], *(name for name, _, _ in steps), ends[2]]
    at, places = ends[1], np.arange(len(names))[::-1]
    for place, (_, value, error) in zip(places[1:-1], steps, strict=True):
        axes.barh(place, value, left=at, color=UP if value > 0 else DOWN, height=0.66)
        axes.plot([at + value] * 2, [place + 0.33, place - 1.33], color=GREY, linewidth=0.7)
        if error > 0:
            axes.errorbar(at + value, place, xerr=error, fmt="none", ecolor="#444444", elinewidth=1)
        at += value
    axes.plot([ends[1]] * 2, [places[0] + 0.33, places[0] - 1.33], color=GREY, linewidth=0.7)
    axes.plot(ends[1], places[0], marker="o", color="#444444")
    axes.plot(ends[3], places[-1], marker="o", color="#444444")
    finish(axes, title, x, "")
    axes.grid(axis="y", visible=False)
    axes.use_sticky_edges = False
    axes.margins(x=0.14)
    low, high = axes.get_xlim()
    texts = [f"{ends[1]:.3f}", *(f"{value:+.3f}" for _, value, _ in steps), f"{ends[3]:.3f}"]
    running = np.cumsum([ends[1], *(value for _, value, _ in steps)])
    right = [ends[1], *(max(a, b) for a, b in pairwise(running)), ends[3]]
    for place, end, text in zip(places, right, texts, strict=True):
        axes.text(end + 0.02 * (high - low), place, text, va="center", fontsize=8.5)
    axes.set_yticks(places, [_short(readable(name)) for name in names])
    return figure


def _words(language: str) -> Mapping[str, str]:
    if language not in WORDS:
        raise unknown("language", language, WORDS)
    shown = all(readable(said) == said for said in WORDS[language].values())
    return WORDS[language if shown else "en"]  # without a font for it, English can be read at least


def _short(text: str, most: int = 42) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _file_names(names: Sequence[str]) -> list[str]:
    """File names of sources, told apart where signs that no file may have were taken out."""
    plain = [re.sub(r"[^\w.-]+", "_", name)[:60].strip(".") or "source" for name in names]
    return [name if plain.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(plain)]
