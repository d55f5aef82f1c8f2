"""Drawings of grades: rates beside probabilities, how rows spread, how grades move, and the state of the economy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.contracts import Array
from plait.metrics.classification import Z95
from plait.report.canvas import BLUE, GREY, SERIES, Canvas, axes_of, canvas, finish, readable, save

if TYPE_CHECKING:
    from pandas import DataFrame

    from plait.desks.credit.cycle import Cycle
    from plait.desks.credit.grade_tests import GradeReport
    from plait.desks.credit.grades import MasterScale
    from plait.desks.credit.migration import Migration

__all__ = ["grade_pictures", "heat", "history", "migration_pictures", "rates", "spread", "terms"]

COLOURS = (BLUE, *SERIES)
PERIODS = 9  # that are named
LIGHTS = {"green": "#009E73", "yellow": "#E69F00", "red": "#C1272D"}


def heat(names: tuple[str, ...], matrix: Array, title: str) -> Canvas:
    """A transition matrix as a map: rows from, columns to; colours by the logarithm, as moves are rare."""
    size = 1.6 + 0.52 * len(names)
    figure, axes = axes_of(size + 0.6, size)
    shade = np.log10(np.maximum(matrix, 1e-4))
    axes.imshow(shade, cmap="Blues", vmin=-4, vmax=0.3)
    for i, j in np.ndindex(matrix.shape):
        if matrix[i, j] >= 0.00005:
            told = f"{100 * matrix[i, j]:.1f}" if matrix[i, j] >= 0.001 else f"{100 * matrix[i, j]:.2f}"
            axes.text(
                j, i, told, ha="center", va="center", fontsize=7, color="white" if shade[i, j] > -0.9 else "#222222"
            )
    shown = [readable(name) for name in names]
    axes.set_xticks(range(len(names)), shown)
    axes.set_yticks(range(len(names)), shown)
    finish(axes, title, "to", "from")
    axes.grid(visible=False)
    return figure


def terms(migration: Migration) -> Canvas:
    """Probability of having defaulted by year and grade: by duration as lines, as seen in cohorts as dots."""
    assert migration.terms is not None
    figure, axes = axes_of(6.4, 4.2)
    years = np.arange(1, len(migration.terms.duration) + 1)
    step = max(1, -(-len(migration.grades) // len(COLOURS)))
    for colour, g in zip(COLOURS, range(0, len(migration.grades), step), strict=False):
        grown, seen = 100 * migration.terms.duration[:, g], 100 * migration.terms.seen[:, g]
        axes.plot(years, np.where(grown > 0, grown, np.nan), color=colour, label=readable(migration.grades[g]))
        axes.plot(years, np.where(seen > 0, seen, np.nan), "o", color=colour, markersize=4)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xticks(years)
    finish(axes, "Defaulted by then", "years (lines: by duration, dots: seen in cohorts)", "% of the grade")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9, frameon=False)
    return figure


def migration_pictures(migration: Migration, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of a migration into a folder."""
    made = [
        save(heat(migration.names, migration.cohort, "A year later, by cohort (%)"), folder / "cohort.png"),
        save(heat(migration.names, migration.duration, "A year later, by duration (%)"), folder / "duration.png"),
    ]
    if migration.terms is not None:
        made.append(save(terms(migration), folder / "terms.png"))
    return tuple(made)


def rates(scale: MasterScale, report: GradeReport) -> Canvas:
    """Observed default rate of each grade with its interval, beside what stands for the grade."""
    figure, axes = axes_of(6.4, 4.0)
    places = np.arange(len(scale))
    observed = np.array([line.rate for line in report.lines]) * 100
    held = ~np.isnan(observed[:, 0])
    axes.bar(places[held], observed[held, 0], width=0.62, color=BLUE, alpha=0.75, label="observed")
    spread = np.maximum(0, [observed[held, 0] - observed[held, 1], observed[held, 2] - observed[held, 0]])
    axes.errorbar(places[held], observed[held, 0], spread, fmt="none", ecolor="#222222", elinewidth=1.1, capsize=2.5)
    axes.plot(places, 100 * np.array(scale.pds), "D", color=SERIES[0], markersize=5, label="PD of the grade")
    for place, line in zip(places, report.lines, strict=True):
        if line.light in LIGHTS:
            axes.plot(
                place,
                -0.035,
                "o",
                color=LIGHTS[line.light],
                markersize=6,
                clip_on=False,
                transform=axes.get_xaxis_transform(),
            )
    axes.set_xticks(places, [readable(name) for name in scale.names])
    axes.tick_params(axis="x", pad=16, length=0)
    finish(axes, "Default rates by grade", "grade, best first (dots: traffic lights)", "%", "upper left")
    return figure


def spread(scale: MasterScale, shares: Array) -> Canvas:
    """Share of the rows in each grade."""
    figure, axes = axes_of(6.4, 2.8)
    places = np.arange(len(scale))
    axes.bar(places, 100 * shares, width=0.72, color=BLUE)
    axes.set_xticks(places, [readable(name) for name in scale.names])
    finish(axes, "How rows spread over grades", "grade, best first", "% of rows")
    return figure


def history(cycle: Cycle) -> Canvas:
    """Default rates of periods, and below them the state of the economy that they tell of, with its 95% interval."""
    figure = canvas(6.4, 4.6)
    above, below = figure.subplots(2, 1, sharex=True)
    places = np.arange(len(cycle.periods))
    rate = np.divide(cycle.defaults, cycle.rows, out=np.full(len(places), np.nan), where=cycle.rows > 0)
    above.bar(places, 100 * rate, width=0.72, color=BLUE)
    above.axhline(100 * cycle.pd, color="#222222", linewidth=1, linestyle="--", label="through the cycle")
    finish(above, "Default rates and the state behind them", "", "% of rows", "best")
    below.axhline(0, color=GREY, linewidth=0.8)
    error = Z95 * cycle.errors
    below.fill_between(places, cycle.states - error, cycle.states + error, color=BLUE, alpha=0.13, linewidth=0)
    below.plot(places, cycle.states, color=BLUE, marker="o", markersize=3.5)
    finish(below, "", "", "state (above 0: better)")
    step = -(-len(places) // PERIODS)
    below.set_xticks(places[::step], [readable(cycle.periods[i]) for i in places[::step]])
    return figure


def grade_pictures(
    scale: MasterScale, table: DataFrame, report: GradeReport | None, cycle: Cycle | None, folder: Path
) -> tuple[Path, ...]:
    """Write the pictures of graded rows into a folder."""
    shares = table["grade"].value_counts(normalize=True).reindex(list(scale.names), fill_value=0.0).to_numpy(np.float64)
    made = [save(spread(scale, shares), folder / "spread.png")]
    if report is not None:
        made.append(save(rates(scale, report), folder / "rates.png"))
    if cycle is not None:
        made.append(save(history(cycle), folder / "cycle.png"))
    return tuple(made)
