"""Drawings of an evaluation as PNG files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.files import made_folder
from plait.metrics.evaluation import MODEL, Evaluation, Figure
from plait.report.canvas import (
    BLUE,
    DASHES,
    GREY,
    SERIES,
    Canvas,
    axes_of,
    canvas,
    finish,
    readable,
    save,
    square,
)

__all__ = ["draw"]


def draw(evaluation: Evaluation, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Draw what an evaluation holds.

    Parameters
    ----------
    evaluation
        Classes: `roc.png` and `precision_recall.png` (two classes), `reliability.png` and `confusion.png`.
        Values: `residuals.png`. What is undefined is not drawn.
    folder
        Where the files go; made if it is not there. Each file appears whole or not at all.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """
    model = evaluation.curves[MODEL]
    wanted: list[tuple[str, Callable[[Evaluation], Canvas]]] = []
    if model.roc is not None:
        wanted.append(("roc.png", _roc))
    if model.pr is not None:
        wanted.append(("precision_recall.png", _precision_recall))
    if model.reliability is not None:
        wanted.append(("reliability.png", _reliability))
    if evaluation.confusion is not None:
        wanted.append(("confusion.png", _confusion))
    if model.scatter is not None:
        wanted.append(("residuals.png", _residuals))
    into = made_folder(folder)
    return tuple(save(make(evaluation), into / name) for name, make in wanted)


# The drawings


def _roc(evaluation: Evaluation) -> Canvas:
    figure, axes = axes_of(5.4, 5.4)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for i, name in _order(evaluation):
        curve = evaluation.curves[name].roc
        if curve is not None:
            axes.plot(curve.fpr, curve.tpr, label=_legend(evaluation["roc_auc"], name), **_line(i))
    finish(axes, "ROC", "False positive rate", "True positive rate", legend="lower right")
    square(axes, 1)
    return figure


def _precision_recall(evaluation: Evaluation) -> Canvas:
    figure, axes = axes_of(5.4, 5.4)
    assert evaluation.confusion is not None
    prevalence = evaluation.confusion[1].sum() / evaluation.confusion.sum()
    axes.axhline(prevalence, color=GREY, linewidth=0.8)
    share = f"share of positives {prevalence:.1%}"
    axes.annotate(share, (0.01, prevalence), (0, 3), textcoords="offset points", color=GREY, fontsize=8)
    highest = prevalence
    for i, name in _order(evaluation):
        curve = evaluation.curves[name].pr
        if curve is not None:
            label = _legend(evaluation["pr_auc"], name)
            axes.plot(curve.recall, curve.precision, label=label, drawstyle="steps-pre", **_line(i))
            highest = max(highest, curve.precision[curve.recall > 0.02].max(initial=0))
    finish(axes, "Precision and recall", "Recall", "Precision", legend="upper right")
    square(axes, 1)
    axes.set_ylim(0, min(1.02, highest * 1.35))  # the first few rows alone would set the scale
    axes.set_aspect("auto")
    return figure


def _reliability(evaluation: Evaluation) -> Canvas:
    figure = canvas(5.4, 6.4)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    shown = [(i, name, evaluation.curves[name].reliability) for i, name in _order(evaluation)]
    top = np.clip(
        1.08 * max(max(bins.high.max(), bins.predicted.max()) for _, _, bins in shown if bins is not None), 0.05, 1
    )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    for i, name, bins in shown:
        if bins is None:
            continue
        label = _legend(evaluation["ece"], name)
        axes.plot(
            bins.predicted, bins.observed, label=label, marker="o", markersize=4 if name == MODEL else 3, **_line(i)
        )
        if name == MODEL:
            spread = np.maximum(0, [bins.observed - bins.low, bins.high - bins.observed])
            axes.errorbar(bins.predicted, bins.observed, spread, fmt="none", ecolor=BLUE, elinewidth=1, capsize=2)
    two = evaluation.classes is not None and len(evaluation.classes) == 2
    finish(axes, "Reliability", "", "Observed share" if two else "Share right", legend="upper left")
    axes.set(xlim=(0, top), ylim=(0, top))
    counts = evaluation.curves[MODEL].histogram
    assert counts is not None
    edges = np.linspace(0, 1, len(counts) + 1)
    below.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, alpha=0.75, edgecolor="white")
    what = f"Probability of {_told(evaluation, 1)}" if two else "Probability of the predicted class"
    finish(below, "", what, "Rows")
    return figure


def _confusion(evaluation: Evaluation) -> Canvas:
    assert evaluation.confusion is not None
    assert evaluation.classes is not None
    counts, n = evaluation.confusion, len(evaluation.classes)
    total = counts.sum(1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    side = float(np.clip(2.4 + 0.8 * n, 4.4, 11))
    figure, axes = axes_of(side + 0.6, side)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, shrink=0.8, label="Share of the true class")
    if n <= 12:
        for (i, j), value in np.ndenumerate(share):
            colour = "white" if value > 0.55 else "#222222"
            axes.text(j, i, f"{counts[i, j]:,.0f}\n{value:.0%}", ha="center", va="center", color=colour, fontsize=9)
    ticks = range(0, n, -(-n // 40))
    names = [_told(evaluation, i) for i in ticks]
    slanted = max(map(len, names)) > 8 and n > 2
    axes.set_xticks(ticks, names, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axes.set_yticks(ticks, names)
    finish(axes, "Confusion matrix", "Predicted", "True")
    axes.grid(visible=False)
    return figure


def _residuals(evaluation: Evaluation) -> Canvas:
    scatter = evaluation.curves[MODEL].scatter
    assert scatter is not None
    figure = canvas(9.6, 4.8)
    left, right = figure.subplots(1, 2)
    dots = {"s": 12, "alpha": 0.55, "color": BLUE, "linewidths": 0}
    ends = [min(scatter.predicted.min(), scatter.actual.min()), max(scatter.predicted.max(), scatter.actual.max())]
    left.plot(ends, ends, color=GREY, linewidth=0.8)
    left.scatter(scatter.predicted, scatter.actual, **dots)
    fit = ", ".join(f"{f.metric} {f.value:.4g}" for f in evaluation.figures if f.metric in ("rmse", "r2"))
    finish(left, f"Predicted and actual ({fit})", "Predicted", "Actual")
    right.axhline(0, color=GREY, linewidth=0.8)
    right.scatter(scatter.predicted, scatter.actual - scatter.predicted, **dots)
    finish(right, "Residuals", "Predicted", "Actual minus predicted")
    return figure


# Their parts


def _order(evaluation: Evaluation) -> list[tuple[int, str]]:
    """Names with their number for colour and dash; the model (-1) last, on top of the others."""
    return [*enumerate(evaluation.baselines), (-1, MODEL)]


def _line(i: int) -> dict[str, Any]:
    if i < 0:
        return {"color": BLUE, "linewidth": 2.0, "zorder": 3}
    return {"color": SERIES[i % 6], "linestyle": DASHES[i % 6], "linewidth": 1.2}


def _legend(figure: Figure, name: str) -> str:
    if name != MODEL:
        return f"{readable(name)}  {figure.baselines[name].value:.3f}"
    interval = "" if np.isnan(figure.low) else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{name}  {figure.metric.replace('_', ' ').upper()} {figure.value:.3f}{interval}"


def _told(evaluation: Evaluation, i: int) -> str:
    """A class label, cut where it would crowd the drawing."""
    assert evaluation.classes is not None
    label = str(evaluation.classes[i])
    return readable(label if len(label) <= 24 else label[:23] + "…")
