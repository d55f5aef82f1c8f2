"""Drawings of what a model rests on over all rows: importance, dependence, interactions, a readable tree."""

from __future__ import annotations

from typing import Any

import numpy as np

from plait.explain.dependence import Dependence, Interactions
from plait.explain.importance import Importance, Worth
from plait.explain.surrogate import Leaf, Split, Surrogate
from plait.report.canvas import BLUE, GREY, Axes, Canvas, axes_of, canvas, finish, readable

__all__ = ["dependence_figure", "importance_figure", "interactions_figure", "surrogate_figure"]

MOST = 12  # bars of a kind
CUT = 34  # characters of a name


def importance_figure(found: Importance) -> Canvas:
    """A panel for sources and one for columns: the rise in loss without each, with its interval."""
    kinds = [(kind, [w for w in found.worths if w.kind == kind][:MOST]) for kind in ("source", "column")]
    shown = [(kind, worths) for kind, worths in kinds if worths]
    figure = canvas(7.6, 1.0 + sum(0.55 + 0.3 * len(worths) for _, worths in shown))
    panels = figure.subplots(len(shown), 1, height_ratios=[1 + len(worths) for _, worths in shown], squeeze=False)
    titles = {"source": "Loss without each source", "column": "Loss with each column shuffled"}
    for axes, (kind, worths) in zip(panels[:, 0], shown, strict=True):
        _bars(axes, worths)
        finish(axes, titles[kind], "rise in loss" if kind == shown[-1][0] else "", "")
        axes.grid(axis="y", visible=False)
    return figure


def _bars(axes: Axes, worths: list[Worth]) -> None:
    places = np.arange(len(worths))[::-1]
    values = np.array([w.value for w in worths])
    spread = np.maximum(0, [values - [w.low for w in worths], [w.high for w in worths] - values])
    axes.barh(places, values, color=[BLUE if w.low > 0 else "#B8CBDD" for w in worths], height=0.7)
    axes.errorbar(values, places, xerr=np.nan_to_num(spread), fmt="none", ecolor="#444444", elinewidth=1)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(places, [_cut(w.name) for w in worths])


def dependence_figure(found: Dependence, *, output: str = "mean prediction") -> Canvas:
    """The mean prediction along a column over curves of single rows, or a bar a category."""
    figure, axes = axes_of(6.0, 3.9)
    if not found.numeric:
        places = np.arange(len(found.points))[::-1]
        axes.barh(places, found.mean, xerr=2 * found.error, color=BLUE, ecolor="#444444", height=0.7)
        axes.axvline(found.missing, color=GREY, linestyle="--", linewidth=1, label="missing")
        axes.set_yticks(places, [_cut(str(point)) for point in found.points])
        finish(axes, _cut(found.column), output, "")
        axes.legend(fontsize=8, frameon=False)
        axes.grid(axis="y", visible=False)
        return figure
    points = np.asarray(found.points, np.float64)
    line = points.astype("datetime64[s]") if found.dates else points
    rug = found.rug.astype("datetime64[s]") if found.dates else found.rug
    for curve in found.curves:
        axes.plot(line, curve, color="#C9D3DC", linewidth=0.6)
    axes.fill_between(line, found.mean - 2 * found.error, found.mean + 2 * found.error, color=BLUE, alpha=0.18)
    axes.plot(line, found.mean, color=BLUE, linewidth=2)
    axes.axhline(found.missing, color=GREY, linestyle="--", linewidth=1, label="missing")
    axes.plot(rug, np.full(len(rug), axes.get_ylim()[0]), marker="|", linestyle="", color="#444444", label="deciles")
    finish(axes, _cut(found.column), "", output)
    axes.legend(fontsize=8, frameon=False)
    return figure


def interactions_figure(found: Interactions) -> Canvas:
    """Triangles of strengths, 0 (effects add up) to 1: sources, then columns."""
    kinds = [(kind, [p for p in found.pairs if p.kind == kind]) for kind in ("source", "column")]
    shown = [(kind, pairs) for kind, pairs in kinds if pairs]
    figure = canvas(4.6 * max(len(shown), 1), 4.2)
    if not shown:
        axes = figure.subplots()
        axes.text(0.5, 0.5, "one source of one column: nothing can work together", ha="center")
        axes.set_axis_off()
        return figure
    for axes, (kind, pairs) in zip(np.ravel(figure.subplots(1, len(shown), squeeze=False)), shown, strict=True):
        names = list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
        grid = np.full((len(names), len(names)), np.nan)
        for pair in pairs:
            i, j = sorted((names.index(pair.first), names.index(pair.second)))
            grid[j, i] = pair.strength
        axes.imshow(grid, cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(grid):
            if not np.isnan(value):
                colour = "white" if value > 0.55 else "#222222"
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
        ticks, told = range(len(names)), [_cut(name, 18) for name in names]
        axes.set_xticks(ticks, told, rotation=40, ha="right")
        axes.set_yticks(ticks, told)
        finish(axes, f"{kind.capitalize()}s that work together", "", "")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    return figure


def surrogate_figure(found: Surrogate) -> Canvas:
    """The tree from left to right; leaves are shaded by their prediction, lines as wide as their share of rows."""
    leaves = _leaves(found.tree)
    depth = _depth(found.tree)
    low = min(leaf.prediction for leaf in leaves)
    span = max(leaf.prediction for leaf in leaves) - low or 1.0
    figure, axes = axes_of(2.7 * (depth + 1), 0.9 + 0.55 * len(leaves))

    def place(node: Split | Leaf, x: float, top: int) -> tuple[float, int]:
        """Draw a node whose first leaf is number `top`; where its middle is, and the number after its last leaf."""
        if isinstance(node, Leaf):
            shade = 0.12 + 0.7 * (node.prediction - low) / span
            box: dict[str, Any] = {"boxstyle": "round,pad=0.35", "facecolor": (*_rgb(BLUE), shade), "edgecolor": "none"}
            colour = "white" if shade > 0.55 else "#222222"
            said = f"{node.prediction:.3g}   ({node.share:.0%})"
            axes.text(x, -top, said, bbox=box, va="center", fontsize=8.5, color=colour)
            return -top, top + 1
        upper, after = place(node.yes, x + 1, top)
        lower, after = place(node.no, x + 1, after)
        middle = (upper + lower) / 2
        for y, child, said in ((upper, node.yes, "yes"), (lower, node.no, "no")):
            axes.plot(
                [x + 0.02, x + 0.97], [middle, y], color=GREY, linewidth=0.6 + 5 * child.share, zorder=0, alpha=0.6
            )
            axes.text(x + 0.75, middle + 0.78 * (y - middle), said, fontsize=7, color="#555555", ha="center")
        question = _cut(node.said, 36) + (" or missing" if node.missing else "")
        box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": GREY, "linewidth": 0.8}
        axes.text(x, middle, readable(question), bbox=box, va="center", fontsize=8.5)
        return middle, after

    place(found.tree, 0.0, 0)
    axes.set(xlim=(-0.05, depth + 0.75), ylim=(-len(leaves) + 0.4, 0.6))
    title = f"A tree that tells {found.fidelity:.0%} of what moves the model"
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_axis_off()
    return figure


def _leaves(node: Split | Leaf) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [*_leaves(node.yes), *_leaves(node.no)]


def _depth(node: Split | Leaf) -> int:
    return 0 if isinstance(node, Leaf) else 1 + max(_depth(node.yes), _depth(node.no))


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _cut(text: str, most: int = CUT) -> str:
    text = readable(" ".join(text.split()))
    return text if len(text) <= most else text[: most - 1] + "…"
