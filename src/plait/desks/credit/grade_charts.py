"""Drawings of grades: rates beside probabilities, how rows spread, how grades move, and the state of the economy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.contracts import Array
from plait.report.canvas import BLUE, SERIES, Canvas, axes_of, finish, readable, save

if TYPE_CHECKING:
    from plait.desks.credit.migration import Migration

__all__ = ["heat", "migration_pictures", "terms"]

COLOURS = (BLUE, *SERIES)


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
