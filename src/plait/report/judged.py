"""Drawings of what fairness, drift, robustness and membership found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.data.files import made_folder
from plait.report.canvas import BLUE, DASHES, GREY, SERIES, Canvas, axes_of, canvas, finish, readable, save

if TYPE_CHECKING:
    from plait.judgement.drift import DriftReport
    from plait.judgement.fairness import Attribute, FairnessReport
    from plait.judgement.robustness import RobustnessReport, StressCurve
    from plait.judgement.shifts import Shift
    from plait.metrics.shown import Span

__all__ = [
    "draw_drift",
    "draw_fairness",
    "draw_robustness",
    "drift_bars",
    "fairness_bars",
    "fairness_curve",
    "hidden_bars",
    "shift_bars",
    "stress_curves",
]

RATES = {"favoured": "favoured", "tpr": "favoured among the deserving", "fpr": "favoured among the others"}
FOUR_FIFTHS = 0.8


def draw_fairness(found: FairnessReport, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Bars of the rates by group, and the four-fifths ratio along the favoured share, of every sensitive column.

    Returns
    -------
    tuple of Path
        The files written: ``fairness_1.png``, ``fairness_curve_1.png``, ...
    """
    into = made_folder(folder)
    made = []
    for i, each in enumerate(found.attributes, 1):
        made.append(save(fairness_bars(each), into / f"fairness_{i}.png"))
        if len(each.compared) > 1:
            made.append(save(fairness_curve(each), into / f"fairness_curve_{i}.png"))
    return tuple(made)


def fairness_bars(attribute: Attribute) -> Canvas:
    """Rates of every group with their intervals."""
    names = [f"{group.name} ({group.rows:,}{', few' if group.few else ''})" for group in attribute.groups]
    figure, axes = axes_of(7.2, 1.6 + 0.62 * len(names))
    place = np.arange(len(names))
    for i, (key, label) in enumerate(RATES.items()):
        spans = [group.figures[key] for group in attribute.groups]
        colour = (BLUE, *SERIES)[i]
        at = place + (i - 1) * 0.27
        axes.barh(at, [_known(span.value) for span in spans], 0.25, color=colour, alpha=0.85, label=label)
        axes.errorbar(
            [_known(span.value) for span in spans], at, xerr=_spread(spans), fmt="none", ecolor="#333333", elinewidth=1
        )
    axes.set_yticks(place, [readable(name) for name in names])
    axes.invert_yaxis()
    title = f"{readable(attribute.name)}: four-fifths ratio {attribute.ratio}"
    finish(axes, title, "Share", "")
    axes.set_xlim(0, 1)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.45 / len(names)), ncols=3, fontsize=8, frameon=False)
    return figure


def fairness_curve(attribute: Attribute) -> Canvas:
    """The four-fifths ratio, if more or fewer rows got the favourable decision."""
    figure, axes = axes_of(5.8, 4.0)
    axes.axhline(FOUR_FIFTHS, color=GREY, linewidth=0.8)
    axes.annotate("four fifths", (0.01, FOUR_FIFTHS), (0, 3), textcoords="offset points", color=GREY, fontsize=8)
    curve = attribute.curve
    axes.plot(curve.shares, curve.ratio, color=BLUE, linewidth=2, label="lowest share over highest")
    for i, group in enumerate(attribute.compared[:6]):
        axes.plot(
            curve.shares,
            curve.groups[:, i],
            color=SERIES[i % len(SERIES)],
            linestyle=DASHES[i % len(DASHES)],
            linewidth=1.2,
            label=f"favoured of {readable(group.name)}",
        )
    finish(axes, readable(attribute.name), "Share of all rows favoured", "", legend="best")
    axes.set(xlim=(0, 1), ylim=(0, 1.03))
    return figure


def draw_drift(found: DriftReport, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The stability index of every column, and the shares of up to six columns that drifted.

    Returns
    -------
    tuple of Path
        The files written: ``drift.png``, ``drift_1.png``, ...
    """
    into = made_folder(folder)
    binned = [shift for shift in found.drifted if shift.bins][:6]
    made = [save(drift_bars(found), into / "drift.png")]
    return (*made, *(save(shift_bars(shift), into / f"drift_{i}.png") for i, shift in enumerate(binned, 1)))


def drift_bars(found: DriftReport) -> Canvas:
    """Population stability index of every column beside what chance gives, those that drifted in another colour."""
    shown = [shift for shift in (*found.shifts, *([found.score] if found.score else [])) if not np.isnan(shift.psi)][
        :40
    ]
    figure, axes = axes_of(7.2, 1.4 + 0.3 * max(len(shown), 1))
    place = np.arange(len(shown))
    for colour, label, drifted in ((SERIES[0], "drifted", True), (BLUE, "no sure change", False)):
        own = [i for i, shift in enumerate(shown) if (shift in found.drifted) is drifted]
        axes.barh(place[own], [shown[i].psi for i in own], 0.6, color=colour, alpha=0.85, label=label)
    axes.scatter([shift.floor for shift in shown], place, marker="|", s=80, color="#333333", label="by chance up to")
    for limit, said in ((0.1, "moderate"), (0.25, "large")):
        axes.axvline(limit, color=GREY, linewidth=0.8)
        axes.annotate(said, (limit, -0.7), (2, 0), textcoords="offset points", color=GREY, fontsize=8)
    axes.set_yticks(place, [readable(shift.name) for shift in shown])
    axes.set_ylim(len(shown) - 0.4, -1.0)
    finish(axes, "Population stability index", "PSI", "", legend="lower right")
    return figure


def shift_bars(shift: Shift) -> Canvas:
    """Old and new shares of the bins of one column, at most thirty."""
    bins = shift.bins[:30]
    figure, axes = axes_of(7.2, 1.4 + 0.4 * len(bins))
    place = np.arange(len(bins))
    axes.barh(place - 0.19, [old for _, old, _ in bins], 0.36, color=GREY, label="old")
    axes.barh(place + 0.19, [new for _, _, new in bins], 0.36, color=BLUE, label="new")
    axes.set_yticks(place, [readable(label if len(label) <= 40 else label[:39] + "…") for label, _, _ in bins])
    axes.invert_yaxis()
    told = f"most in {shift.by}" if np.isnan(shift.psi) else f"PSI {shift.psi:.3f}"
    finish(axes, readable(f"{shift.name}: {told}"), "Share of rows", "", legend="best")
    return figure


def draw_robustness(found: RobustnessReport, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """What each source's absence costs, and a curve of every other way to make rows worse, by stress.

    Returns
    -------
    tuple of Path
        The files written: ``hidden.png``, ``stress_sources.png``, ``stress_numbers.png``, ...
    """
    into = made_folder(folder)
    made = [save(hidden_bars(found), into / "hidden.png")] if _single(found) else []
    for stress in dict.fromkeys(curve.stress for curve in found.curves):
        curves = [curve for curve in found.curves if curve.stress == stress and len(curve.levels) > 2]
        if curves:
            made.append(save(stress_curves(found, curves), into / f"stress_{stress}.png"))
    return tuple(made)


def _single(found: RobustnessReport) -> list[StressCurve]:
    return [curve for curve in found.curves if curve.stress == "sources" and len(curve.levels) == 2]


def hidden_bars(found: RobustnessReport) -> Canvas:
    """What the metric loses without each source."""
    curves = sorted(_single(found), key=lambda curve: curve.losses[1].value)
    figure, axes = axes_of(6.4, 1.4 + 0.36 * len(curves))
    place = np.arange(len(curves))
    losses = [curve.losses[1] for curve in curves]
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.barh(place, [_known(loss.value) for loss in losses], 0.6, color=BLUE, alpha=0.85)
    values = [_known(loss.value) for loss in losses]
    axes.errorbar(values, place, xerr=_spread(losses), fmt="none", ecolor="#333333", elinewidth=1)
    axes.set_yticks(place, [readable(curve.name.removesuffix(": hidden")) for curve in curves])
    finish(axes, "Lost without a source", found.metric, "")
    return figure


def stress_curves(found: RobustnessReport, curves: Sequence[StressCurve]) -> Canvas:
    """The metric along the levels of each way, a panel each."""
    figure = canvas(4.4 * len(curves), 3.6)
    panels = np.atleast_1d(figure.subplots(1, len(curves), sharey=True))
    for axes, curve in zip(panels, curves, strict=True):
        axes.axhline(found.clean.value, color=GREY, linewidth=0.8)
        low, high = ([getattr(value, end) for value in curve.values] for end in ("low", "high"))
        axes.fill_between(curve.levels, low, high, color=BLUE, alpha=0.15, linewidth=0)
        values = [value.value for value in curve.values]
        axes.plot(curve.levels, values, color=BLUE, linewidth=2, marker="o", markersize=4)
        finish(axes, readable(curve.name), curve.unit, found.metric if axes is panels[0] else "")
    return figure


def _known(value: float) -> float:
    return 0.0 if np.isnan(value) else value


def _spread(spans: Sequence[Span]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Below and above each value: float64 ``2 x n``."""
    return np.array(
        [
            [max(0.0, _known(span.value - span.low)) for span in spans],
            [max(0.0, _known(span.high - span.value)) for span in spans],
        ]
    )
