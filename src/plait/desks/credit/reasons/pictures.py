"""Drawings of reasons: from one application's points to the cut-off, and which reasons many are declined for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from plait.desks.credit.reasons.settings import ReasonSettings
from plait.report.canvas import BLUE, GREY, SERIES, Canvas, axes_of, finish, readable

if TYPE_CHECKING:
    from plait.contracts import Reason
    from plait.desks.credit.reasons.find import Told

__all__ = ["counted", "ladder"]

SHOWN = 15  # reasons
ORANGE = SERIES[0]


def ladder(told: Told, settings: ReasonSettings) -> Canvas:
    """One application: its points, what each named reason takes from them, and the cut-off."""
    names = ["as it is", *(_name(reason, settings) for reason in told.reasons)]
    figure, axes = axes_of(7.0, 1.2 + 0.5 * len(names))
    axes.plot(told.points, 0, "o", color=ORANGE, markersize=8)
    at = told.points
    for i, reason in enumerate(told.reasons, 1):
        axes.barh(i, reason.share, left=at, color=BLUE, height=0.55)
        axes.text(at + reason.share, i, f" +{reason.share:.0f}", va="center", fontsize=9)
        at += reason.share
    axes.axvline(told.cut_off, color=GREY, linestyle="--")
    axes.text(told.cut_off, len(names) - 0.45, " cut-off", color=GREY, fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.3, -0.6)
    low, high = min(told.points, told.cut_off), max(at, told.cut_off)
    axes.set_xlim(low - 0.08 * (high - low), high + 0.15 * (high - low))
    finish(axes, "what holds the application down", "points, if it were as approved applicants typically have it", "")
    return figure


def counted(told: Sequence[Told], settings: ReasonSettings) -> Canvas:
    """How often each reason is named, and the points that it takes where it is."""
    points: dict[str, list[float]] = defaultdict(list)
    for each in told:
        for reason in each.reasons:
            points[_name(reason, settings)].append(reason.share)
    names = sorted(points, key=lambda name: -len(points[name]))[:SHOWN]
    figure, axes = axes_of(7.0, 1.4 + 0.33 * max(1, len(names)))
    shares = [100 * len(points[name]) / max(1, len(told)) for name in names]
    axes.barh(range(len(names)), shares, color=BLUE, height=0.6)
    for i, name in enumerate(names):
        axes.text(shares[i], i, f" {np.mean(points[name]):.0f} points", va="center", fontsize=8, color="#444444")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(1, len(names)) - 0.4, -0.6)
    axes.margins(x=0.15)
    finish(axes, f"reasons of {len(told):,} declined applications", "% of them; mean points where named", "")
    return figure


def _name(reason: Reason, settings: ReasonSettings) -> str:
    """The first column's name; of evidence that was not given, with that."""
    return readable(settings.name(reason.columns[0], "en") + (" (none)" if reason.code.endswith(":absent") else ""))
