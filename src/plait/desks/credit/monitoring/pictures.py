"""Drawings of monitoring: stability, performance and calibration in time, vintages."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.data.files import made_folder
from plait.report.canvas import BLUE, GREY, SERIES, Axes, Canvas, axes_of, canvas, finish, readable, save

if TYPE_CHECKING:
    from plait.desks.credit.monitoring.drift import CalibrationDrift
    from plait.desks.credit.monitoring.report import MonitoringReport
    from plait.desks.credit.monitoring.vintages import Cohort, VintageReport
    from plait.desks.credit.monitoring.watch import WatchReport

__all__ = ["draw_monitoring", "draw_vintages", "draw_watch"]

MANY = 6  # curves that can still be told apart


def draw_monitoring(found: MonitoringReport, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Draw what there is to see; the files written are returned."""
    into = made_folder(folder)
    made = [save(characteristics(found), into / "characteristics.png")]
    if len(found.stability) > 2:
        made.append(save(in_time(found), into / "stability.png"))
    if sum(not np.isnan(each.auc.value) for each in found.performance) > 1:
        made.append(save(discrimination(found), into / "performance.png"))
    if found.calibration is not None:
        made.append(save(calibration(found.calibration), into / "calibration.png"))
        made.append(save(charts(found.calibration), into / "cusum.png"))
    return tuple(made)


def draw_vintages(found: VintageReport, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Draw cohorts as curves and as a triangle, and the seasoning of all loans together."""
    into = made_folder(folder)
    return (
        save(curves(found), into / "vintages.png"),
        save(triangle(found), into / "triangle.png"),
        save(seasoning(found), into / "seasoning.png"),
    )


def draw_watch(found: WatchReport, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Draw the alerts of the ledger by day and cause, beside how many borrowers are watched."""
    return (save(alerts_in_time(found), made_folder(folder) / "watch.png"),)


def characteristics(found: MonitoringReport) -> Canvas:
    """PSI of score, grade and every variable beside chance, and the points that each moved."""
    shown = found.stability[next(iter(found.stability))][:32]
    figure = canvas(9.2, 1.6 + 0.3 * len(shown))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    place = np.arange(len(shown))
    colours = {"small": BLUE, "moderate": SERIES[3], "large": SERIES[0]}
    left.barh(place, [each.psi for each in shown], 0.6, color=[colours[each.size] for each in shown])
    left.scatter([each.floor for each in shown], place, marker="|", s=80, color="#333333", label="by chance up to")
    _limits(left)
    left.set_yticks(place, [readable(each.name) for each in shown])
    left.invert_yaxis()
    finish(left, "Population stability index", "PSI", "", legend="lower right")
    right.barh(place, np.nan_to_num([each.points for each in shown]), 0.6, color=GREY)
    right.axvline(0, color="#333333", linewidth=0.8)
    finish(right, "Mean score moved by", "points", "")
    return figure


def in_time(found: MonitoringReport) -> Canvas:
    """PSI of score and grade by period, beside what chance alone gives."""
    figure, axes = axes_of(7.6, 3.6)
    periods = list(found.stability)[1:]
    place = np.arange(len(periods))
    for i, name in enumerate(("score", "grade")):
        own = [next(each for each in found.stability[period] if each.name == name) for period in periods]
        axes.plot(place, [each.psi for each in own], color=(BLUE, SERIES[0])[i], marker="o", markersize=4, label=name)
        if not i:
            axes.fill_between(
                place, 0, [each.floor for each in own], color=GREY, alpha=0.25, linewidth=0, label="chance"
            )
    _limits(axes, across=True)
    _periods(axes, periods)
    finish(axes, "Population stability by period", "", "PSI", legend="best")
    axes.set_ylim(bottom=0)
    return figure


def discrimination(found: MonitoringReport) -> Canvas:
    """ROC AUC by period with intervals, beside the reference rows'."""
    figure, axes = axes_of(7.6, 3.6)
    judged = [each for each in found.performance if each.period not in ("reference", "all")]
    judged = judged or [each for each in found.performance if each.period == "all"]
    place = np.arange(len(judged))
    values = np.array([each.auc for each in judged], np.float64)
    seen = ~np.isnan(values[:, 0])
    spread = np.abs(values[seen, 1:] - values[seen, :1]).T
    axes.errorbar(place[seen], values[seen, 0], spread, fmt="o", color=BLUE, elinewidth=1.2, label="ROC AUC, 95%")
    for each in found.performance:
        if each.period == "reference":
            axes.axhline(each.auc.value, color=GREY, linewidth=1)
            axes.axhspan(each.auc.low, each.auc.high, color=GREY, alpha=0.18, linewidth=0, label="reference rows")
    _periods(axes, [each.period for each in judged])
    finish(axes, "Ranking by period", "", "ROC AUC", legend="best")
    return figure


def calibration(found: CalibrationDrift) -> Canvas:
    """Defaults over expected defaults by period, with intervals; what is beyond chance in another colour."""
    figure, axes = axes_of(7.6, 3.6)
    axes.axhline(1, color=GREY, linewidth=1)
    for verdict, colour, label in ((False, BLUE, "within chance"), (True, SERIES[0], "beyond chance")):
        own = [i for i, each in enumerate(found.periods) if bool(each.verdict) is verdict]
        values = np.array([found.periods[i].ratio for i in own], np.float64).reshape(-1, 3)
        if own:
            spread = np.abs(values[:, 1:] - values[:, :1]).T
            axes.errorbar(own, values[:, 0], spread, fmt="o", color=colour, elinewidth=1.2, label=label)
    _periods(axes, [each.period for each in found.periods])
    finish(axes, "Defaults over expected defaults", "", "ratio", legend="best")
    axes.set_ylim(bottom=0)
    return figure


def charts(found: CalibrationDrift) -> Canvas:
    """Both CUSUM charts with their limits; the lower one is drawn downwards."""
    figure, axes = axes_of(7.6, 3.6)
    chart = found.cusum
    steps = np.unique(np.linspace(0, len(chart.high) - 1, 2_000).astype(np.int64))
    for sign, line, limit, colour, label in (
        (1, chart.high, chart.limit[0], SERIES[0], "too many defaults"),
        (-1, chart.low, chart.limit[1], BLUE, "too few defaults"),
    ):
        axes.plot(steps + 1, sign * line[steps], color=colour, linewidth=1.4, label=label)
        axes.axhline(sign * limit, color=colour, linewidth=0.9, linestyle="--")
    if chart.alarm is not None:
        axes.axvline(chart.alarm + 1, color="#333333", linewidth=0.9)
        axes.annotate(f"alarm in {found.alarm}", (chart.alarm + 1, 0), (4, 4), textcoords="offset points", fontsize=8)
    finish(axes, f"CUSUM, tuned to odds {chart.odds:g} times as high or low", "loans", "evidence", legend="best")
    return figure


def curves(found: VintageReport) -> Canvas:
    """Cumulative default curves of cohorts; dashed where not all loans have reached the age."""
    figure, axes = axes_of(7.6, 4.2)
    shown = _spread_over(found)
    for i, cohort in enumerate(shown):
        ages = np.arange(len(cohort.curve) + 1)
        share = 100 * np.concatenate([[0.0], cohort.curve.incidence])
        colour = (BLUE, *SERIES)[i % 7]
        whole = ages <= cohort.complete
        axes.plot(ages[whole], share[whole], color=colour, linewidth=1.8, label=f"{cohort.name} ({cohort.loans:,})")
        axes.plot(
            ages[ages >= cohort.complete], share[ages >= cohort.complete], color=colour, linewidth=1, linestyle=":"
        )
    axes.axvline(found.age, color=GREY, linewidth=0.8)
    axes.annotate("compared", (found.age, 0), (3, 3), textcoords="offset points", color=GREY, fontsize=8)
    finish(axes, "Cumulative default rate by months on book", "months on book (dotted: incomplete)", "%", "upper left")
    axes.set(xlim=(0, None), ylim=(0, None))
    return figure


def triangle(found: VintageReport) -> Canvas:
    """Cohorts by age, darker the more have defaulted; incomplete cells are hatched out in lighter letters."""
    top = len(found.seasoning)
    step = max(1, int(np.ceil(top / 12)))
    ages = list(range(step, top + 1, step))
    cells = np.full((len(found.cohorts), len(ages)), np.nan)
    for i, cohort in enumerate(found.cohorts):
        for j, age in enumerate(ages):
            if age <= len(cohort.curve):
                cells[i, j] = 100 * cohort.curve.incidence[age - 1]
    figure, axes = axes_of(1.8 + 0.62 * len(ages), 1.3 + 0.27 * len(found.cohorts))
    axes.imshow(np.ma.masked_invalid(cells), cmap="Blues", aspect="auto", vmin=0)
    dark = 0.6 * float(np.nanmax(cells)) if np.isfinite(cells).any() else 0.0
    for i, j in zip(*np.nonzero(np.isfinite(cells)), strict=True):
        whole = ages[j] <= found.cohorts[i].complete
        colour = "white" if cells[i, j] > dark else "#222222"
        text = f"{cells[i, j]:.1f}" + ("" if whole else "*")
        axes.text(
            j, i, text, ha="center", va="center", fontsize=7.5, color=colour, style="normal" if whole else "italic"
        )
    axes.set_xticks(range(len(ages)), [str(age) for age in ages])
    axes.set_yticks(range(len(found.cohorts)), [cohort.name for cohort in found.cohorts])
    finish(axes, "% defaulted (*: cohort incomplete)", "months on book", "")
    axes.grid(visible=False)
    return figure


def seasoning(found: VintageReport) -> Canvas:
    """Monthly hazard of default by age, all loans together."""
    figure, axes = axes_of(7.6, 3.2)
    own = found.seasoning
    ages = np.arange(1, len(own) + 1)
    enough = own.at_risk >= 0.02 * own.at_risk[0]
    axes.bar(ages[enough], 100 * own.hazard[enough], 0.85, color=BLUE, alpha=0.85)
    finish(axes, "Seasoning: loans on the book that default in the month", "months on book", "%")
    return figure


def alerts_in_time(found: WatchReport) -> Canvas:
    """Alerts by day, stacked by their gravest cause."""
    figure, axes = axes_of(7.6, 3.6)
    kept = [alert for alert in found.ledger.alerts if alert.state == "alert"]
    days = sorted({alert.day for alert in kept})
    below = np.zeros(len(days))
    for i, (cause, _) in enumerate(Counter(alert.cause for alert in kept).most_common(7)):
        counts = Counter(alert.day for alert in kept if alert.cause == cause)
        heights = np.array([counts[day] for day in days], np.float64)
        axes.bar(np.arange(len(days)), heights, 0.8, bottom=below, color=(BLUE, *SERIES)[i], label=cause)
        below += heights
    _periods(axes, days)
    finish(axes, "Alerts by gravest cause", "", "borrowers")
    axes.set_ylim(0, 1.3 * max([1.0, *below.tolist()]))
    if kept:
        axes.legend(loc="upper left", ncols=4, fontsize=8, frameon=False)
    return figure


def _spread_over(found: VintageReport) -> list[Cohort]:
    """At most six cohorts in order of time: those that differ from the others, and some from oldest to youngest."""
    odd = [i for i, cohort in enumerate(found.cohorts) if cohort.verdict][:MANY]
    even = np.unique(np.linspace(0, len(found.cohorts) - 1, min(MANY, len(found.cohorts))).astype(int)).tolist()
    return [found.cohorts[i] for i in sorted(dict.fromkeys([*odd, *even][:MANY]))]


def _limits(axes: Axes, *, across: bool = False) -> None:
    for limit in (0.1, 0.25):
        (axes.axhline if across else axes.axvline)(limit, color=GREY, linewidth=0.8, linestyle="--")


def _periods(axes: Axes, names: Sequence[str]) -> None:
    step = max(1, int(np.ceil(len(names) / 12)))
    axes.set_xticks(range(0, len(names), step), [readable(name) for name in names[::step]], rotation=30, ha="right")
