"""Drawings of reports: small, one accent colour, everything else grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plait.contracts import Array
from plait.report.canvas import BLUE, DASHES, GREY, Axes, Canvas, axes_of, picture, readable
from plait.report.page import Picture

__all__ = [
    "bars",
    "cloud",
    "curve",
    "dots",
    "drawn",
    "histogram",
    "in_time",
    "lines",
    "losses",
    "reliability",
    "timeline",
]

WIDTH, HEIGHT = 3.9, 2.9  # inches; a phone shows this width as it is
GREYS = ("#5F6871", "#8A939B", "#ABB2B8", "#C4C9CE")
LABEL = 24  # characters of a label


def drawn(figure: Canvas, caption: str, alt: str = "", *, wide: bool = False) -> Picture:
    """A figure as a picture with its words; without `alt`, the caption says what there is to see."""
    return Picture(caption, alt or caption, picture(figure, "svg"), "svg", wide)


def lines(
    curves: Mapping[str, tuple[Array, Array]],
    x: str,
    y: str,
    *,
    diagonal: bool = False,
    steps: bool = False,
    top: float | None = None,
    level: float | None = None,
    mark: float | None = None,
    spread: tuple[Array, Array] | None = None,
) -> Canvas:
    """Curves by label, the first one of the model, in the accent colour and on top.

    Parameters
    ----------
    diagonal, level, mark
        A grey diagonal, horizontal or vertical line to hold curves against.
    steps
        Draw steps that lead to each point.
    top
        Where the vertical axis ends.
    spread
        Lower and upper ends of an interval around the first curve, at its points.
    """
    figure, axes = axes_of(WIDTH, HEIGHT)
    if diagonal:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    if level is not None:
        axes.axhline(level, color=GREY, linewidth=0.8)
    if mark is not None:
        axes.axvline(mark, color=GREY, linewidth=0.8)
    style = "steps-pre" if steps else "default"
    for i, (name, (across, up)) in enumerate(curves.items()):
        how: dict[str, Any] = {"color": BLUE, "linewidth": 1.9, "zorder": 3}
        if i:
            how = {"color": GREYS[(i - 1) % 4], "linewidth": 1.1, "linestyle": DASHES[(i - 1) % 6]}
        axes.plot(across, up, label=_cut(name), drawstyle=style, **how)
        if not i and spread is not None:
            axes.fill_between(across, *spread, color=BLUE, alpha=0.13, linewidth=0)
    _dress(axes, x, y)
    if top is not None:
        axes.set_ylim(0, top)
    if len(curves) > 1:
        axes.legend(fontsize=7.5, frameon=False)
    return figure


def losses(
    levels: Sequence[float],
    values: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    x: str,
    y: str,
    clean: float,
) -> Canvas:
    """A figure and its interval along levels of harm, beside the figure without any."""
    figure, axes = axes_of(WIDTH, 2.3)
    axes.axhline(clean, color=GREY, linewidth=0.8)
    axes.plot(levels, values, color=BLUE, marker="o", markersize=3.5, linewidth=1.6)
    axes.fill_between(levels, low, high, color=BLUE, alpha=0.13, linewidth=0)
    _dress(axes, readable(x), y)
    return figure


def reliability(predicted: Array, observed: Array, low: Array, high: Array, x: str, y: str) -> Canvas:
    """Observed shares by predicted probability, with intervals, beside the diagonal."""
    figure, axes = axes_of(WIDTH, HEIGHT)
    top = float(np.clip(1.08 * max(high.max(), predicted.max()), 0.05, 1))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    spread = np.maximum(0, [observed - low, high - observed])
    axes.errorbar(predicted, observed, spread, fmt="none", ecolor=BLUE, elinewidth=1, alpha=0.6)
    axes.plot(predicted, observed, color=BLUE, marker="o", markersize=3.5, linewidth=1.4)
    _dress(axes, x, y)
    axes.set(xlim=(0, top), ylim=(0, top))
    return figure


def histogram(counts: Array, x: str, y: str) -> Canvas:
    """Counts in bins of equal width over 0..1."""
    figure, axes = axes_of(WIDTH, HEIGHT)
    edges = np.linspace(0, 1, len(counts) + 1)
    axes.bar(edges[:-1], counts, np.diff(edges) * 0.92, align="edge", color=BLUE)
    _dress(axes, x, y)
    return figure


def in_time(
    moments: Array,
    predicted: Sequence[float],
    observed: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    names: tuple[str, str],
) -> Canvas:
    """What was predicted beside what came true, period by period (`moments`: datetime64)."""
    figure, axes = axes_of(WIDTH, HEIGHT)
    spread = np.maximum(0, [np.subtract(observed, low), np.subtract(high, observed)])
    axes.errorbar(moments, observed, spread, fmt="o", color=BLUE, markersize=4, elinewidth=1.2, label=names[1])
    axes.plot(moments, predicted, color=GREYS[0], linewidth=1.4, label=names[0])
    _by_date(axes, 5)
    _dress(axes, "", "")
    axes.set_ylim(0, 1.3 * max(*high, *predicted))
    axes.legend(fontsize=7.5, frameon=False, loc="upper left", ncols=2)
    return figure


def cloud(across: Array, up: Array, x: str, y: str) -> Canvas:
    """Rows as dots beside the diagonal of equal values."""
    figure, axes = axes_of(WIDTH, HEIGHT)
    ends = [min(across.min(), up.min()), max(across.max(), up.max())]
    axes.plot(ends, ends, color=GREY, linewidth=0.8)
    axes.scatter(across, up, s=9, alpha=0.5, color=BLUE, linewidths=0)
    _dress(axes, x, y)
    return figure


def dots(
    labels: Sequence[str],
    values: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    x: str,
    *,
    reference: float | None = None,
    strong: Sequence[bool] | None = None,
    ends: tuple[float, float] | None = None,
) -> Canvas:
    """A value with its interval a line, the first on top; what is not `strong` is grey. `ends` are those of the
    horizontal axis, where several drawings are to be compared."""
    figure, axes = axes_of(WIDTH, 0.75 + 0.24 * len(labels))
    places = np.arange(len(labels))[::-1]
    if reference is not None:
        axes.axvline(reference, color=GREY, linewidth=0.8)
    for i, place in enumerate(places):
        colour = BLUE if strong is None or strong[i] else GREYS[1]
        axes.plot([low[i], high[i]], [place, place], color=colour, linewidth=1.4)
        axes.plot(values[i], place, marker="o", color=colour, markersize=4.5)
    axes.set_yticks(places, [_cut(label) for label in labels])
    _dress(axes, x, "")
    axes.grid(axis="y", visible=False)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    if ends is not None:
        axes.set_xlim(*ends)
    return figure


def curve(points: Sequence[float | str], mean: Array, error: Array, x: str, y: str, *, dates: bool = False) -> Canvas:
    """A value along the points of a column with its standard error: a line over numbers, dots over categories.

    `dates` says that numbers are seconds since 1970.
    """
    figure, axes = axes_of(WIDTH, 2.5)
    if any(isinstance(point, str) for point in points):
        places = np.arange(len(points))
        axes.errorbar(places, mean, error, fmt="o", color=BLUE, markersize=4, elinewidth=1.2)
        axes.set_xticks(places, [_cut(str(point), 12) for point in points], rotation=35, ha="right")
    else:
        across = np.asarray(points, np.float64)
        if dates:
            across = (across * 1e9).astype("datetime64[ns]")
        axes.plot(across, mean, color=BLUE, linewidth=1.9)
        axes.fill_between(across, mean - error, mean + error, color=BLUE, alpha=0.13, linewidth=0)
        if dates:
            _by_date(axes, 5)
        else:
            axes.locator_params(axis="x", nbins=5)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    _dress(axes, readable(x), y)
    return figure


def bars(labels: Sequence[str], values: Sequence[float], x: str, *, reference: float | None = None) -> Canvas:
    """Horizontal bars, the first on top."""
    figure, axes = axes_of(WIDTH, 0.75 + 0.24 * len(labels))
    places = np.arange(len(labels))[::-1]
    axes.barh(places, values, height=0.62, color=BLUE)
    if reference is not None:
        axes.axvline(reference, color="#333333", linewidth=0.9)
    axes.set_yticks(places, [_cut(label) for label in labels])
    _dress(axes, x, "")
    axes.grid(axis="y", visible=False)
    return figure


def timeline(edges: Array, parts: Mapping[str, Array], y: str) -> Canvas:
    """Counts by period, stacked: the first part grey, the second in the accent colour.

    Parameters
    ----------
    edges
        datetime64 or numbers, one more than there are periods.
    parts
        Label to counts.
    """
    figure, axes = axes_of(2 * WIDTH, 2.3)
    below = np.zeros(len(edges) - 1)
    width = np.diff(edges)
    for (name, counts), colour in zip(parts.items(), ("#B4BBC2", BLUE), strict=False):
        axes.bar(edges[:-1], counts, width * 0.92, bottom=below, align="edge", color=colour, label=readable(name))
        below = below + counts
    if edges.dtype.kind == "M":
        _by_date(axes, 8)
    _dress(axes, "", y)
    axes.set_ylim(0, 1.25 * below.max())
    axes.legend(fontsize=8, frameon=False, loc="upper left", ncols=len(parts))
    return figure


def _by_date(axes: Axes, most: int) -> None:
    """Ticks of the horizontal axis as dates."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # two at least: with its own five, matplotlib finds no interval for some spans, such as three years, and warns
    locator = AutoDateLocator(minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set_fontsize(8)


def _dress(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=8.5)
    axes.set_ylabel(y, fontsize=8.5)
    axes.tick_params(labelsize=8, color=GREY, length=3)
    axes.grid(color="#ECEEF0", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)


def _cut(label: str, most: int = LABEL) -> str:
    return readable(label if len(label) <= most else label[: most - 1] + "…")
