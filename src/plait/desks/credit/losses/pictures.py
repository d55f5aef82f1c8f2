"""Drawings of losses: how PDs grow over time in each scenario, and what each stage sets aside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.calc.expected_loss import cumulative
from plait.data.files import made_folder
from plait.report.canvas import BLUE, DASHES, GREY, SERIES, Canvas, axes_of, finish, readable, save

if TYPE_CHECKING:
    from plait.contracts import Array
    from plait.desks.credit.losses.allowance import Allowance
    from plait.desks.credit.losses.book import Book
    from plait.desks.credit.losses.scenarios import Scenarios
    from plait.desks.credit.losses.term import TermStructure

__all__ = ["draw_allowance", "stage_bars", "term_curves"]


def draw_allowance(
    found: Allowance, book: Book, term: TermStructure, scenarios: Scenarios, folder: str | os.PathLike[str]
) -> tuple[Path, ...]:
    """Draw ``term_structure.png``, of the rows that are not in default, and ``stages.png``."""
    into = made_folder(folder)
    return (
        save(
            term_curves(book.at(np.flatnonzero(found.staged.stage < 2)), term, scenarios), into / "term_structure.png"
        ),
        save(stage_bars(found), into / "stages.png"),
    )


def term_curves(book: Book, term: TermStructure, scenarios: Scenarios, months: int = 60) -> Canvas:
    """Share of loans that default by the end of each month, in each scenario; grey: without any.

    The loans of a curve are drawn as so many of their mean PD, and as if none were repaid.
    """
    figure, axes = axes_of(6.4, 4.0)
    along = np.arange(months + 1)
    curve = np.zeros(len(book), np.int64) if book.curve is None else book.curve
    rows = np.bincount(curve, minlength=len(term.names))
    mean = np.bincount(curve, book.pd, len(term.names)) / np.maximum(rows, 1)
    usual = term.rows(mean, months, np.arange(len(rows)))

    def grown(intensities: Array) -> Array:
        return 100 * np.concatenate([[0.0], rows @ cumulative(intensities) / max(len(book), 1)])

    axes.plot(along, grown(usual), color=GREY, linewidth=2.4, label="without scenarios")
    for i, scenario in enumerate(scenarios):
        colour = (BLUE, *SERIES)[i % 7]
        drawn = grown(scenarios.intensities(scenario, usual))
        label = readable(f"{scenario.name} ({scenario.weight:.0%})")
        axes.plot(along, drawn, color=colour, linestyle=DASHES[i % 6], linewidth=1.6, label=label)
    finish(
        axes,
        f"Defaults over time: {len(book):,} loans in stages 1 and 2",
        "Months",
        "Defaulted by then (%)",
        "upper left",
    )
    axes.set(xlim=(0, months), ylim=(0, None))
    return figure


def stage_bars(found: Allowance) -> Canvas:
    """Share of the exposure and of the allowance in each stage."""
    sums = found.stages
    figure, axes = axes_of(6.4, 1.3 + 0.6 * len(sums))
    place = np.arange(len(sums))
    owed, ecl = (float(sum(getattr(each, name) for each in sums)) or 1.0 for name in ("ead", "ecl"))
    axes.barh(place - 0.2, [100 * float(each.ead) / owed for each in sums], 0.36, color=GREY, label="exposure")
    axes.barh(place + 0.2, [100 * float(each.ecl) / ecl for each in sums], 0.36, color=BLUE, label="allowance")
    axes.set_yticks(place, [f"stage {s.stage} ({s.coverage:.1%} covered)" for s in sums])
    axes.invert_yaxis()
    finish(axes, "Where the exposure is, and where the allowance", "Share (%)", "")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.55 / len(sums)), ncols=2, fontsize=9, frameon=False)
    axes.grid(axis="y", visible=False)
    return figure
