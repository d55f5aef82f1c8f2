"""A look at a score in use: population, discrimination and calibration by period, and a light for each by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from plait.contracts import Json
from plait.desks.credit.monitoring.drift import ALL, CalibrationDrift, calibration_drift
from plait.desks.credit.monitoring.stability import (
    LARGE,
    MODERATE,
    Performance,
    Population,
    Reference,
    Stability,
    corrected,
    performance,
    stability,
)
from plait.desks.credit.monitoring.vintages import PERIODS, Period, period_names
from plait.errors import DataError, unknown
from plait.metrics.shown import aligned, between, chance, number, plain

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["COLOURS", "Colour", "Light", "MonitoringReport", "monitor"]

Colour: TypeAlias = Literal["green", "amber", "red", "grey"]
COLOURS: tuple[Colour, ...] = ("green", "amber", "red")
FAR = 0.25  # share by which defaults may miss what was expected before it is red
FEW = "too few outcomes are known: 95% of a period's are needed, and ten of either kind to judge ranking"
STEEP = 0.05  # ROC AUC that may be lost before it is red


@dataclass(frozen=True)
class Light:
    """A rule, its light, and why: grey where the rows cannot tell."""

    rule: str
    colour: Colour
    why: str


@dataclass(frozen=True)
class MonitoringReport:
    """New rows beside those that the score was made for.

    Parameters
    ----------
    rows_old, rows_new
        How many.
    by
        What a period is.
    stability
        Of all new rows (``"all"``) and of each period.
    performance
        By period, of all new rows first; of the reference rows (``"reference"``) where their outcomes are given.
    calibration
        Where outcomes are known; else None.
    lights
        By rule.
    refusal
        Why a gate that was asked for says no; empty: it does not.
    """

    rows_old: int
    rows_new: int
    by: Period
    stability: Mapping[str, tuple[Stability, ...]]
    performance: tuple[Performance, ...]
    calibration: CalibrationDrift | None
    lights: tuple[Light, ...]
    refusal: str = ""
    notes: tuple[str, ...] = ()

    @property
    def colour(self) -> Colour:
        """The worst of all lights."""
        return max((light.colour for light in self.lights if light.colour != "grey"), key=COLOURS.index)

    def __getitem__(self, name: str) -> Stability:
        """Of all new rows."""
        return next(each for each in self.stability[ALL] if each.name == name)

    def stability_rows(self) -> tuple[tuple[str, ...], ...]:
        """All new rows, the header first; ``*`` beyond chance."""
        header = ("", "PSI", "by chance to", "p (Holm)", "", "points moved")
        body = []
        for each in self.stability[ALL]:
            points = "" if np.isnan(each.points) else f"{each.points:+.1f}"
            mark = each.name + (" *" if each.sure else "")
            body.append((mark, number(each.psi), number(each.floor), chance(each.adjusted), each.size, points))
        return (header, *body)

    def period_rows(self) -> tuple[tuple[str, ...], ...]:
        """Stability and ranking by period, the header first."""
        header = ("period", "rows", "PSI score", "PSI grade", "AUC", "95% interval", "Gini", "KS", "")
        judged = {each.period: each for each in self.performance}
        body = []
        for name, found in self.stability.items():
            own = judged[name]
            moved = [f"{each.psi:.3f}" for each in found[:2]]
            auc, gini, ks = (number(each.value) for each in (own.auc, own.gini, own.ks))
            young = f"{own.known:,} of {own.rows:,} known" if own.young and own.known else ""
            body.append((name, f"{own.rows:,}", *moved, auc, between(own.auc.low, own.auc.high), gini, ks, young))
        return (header, *body)

    def calibration_rows(self) -> tuple[tuple[str, ...], ...]:
        """Defaults beside what was expected, by period, the header first; empty where no outcomes are known."""
        if self.calibration is None:
            return ()
        header = ("period", "bad", "expected", "ratio", "95% interval", "in the large", "slope", "p (Holm)", "")
        body = []
        for each in (self.calibration.overall, *self.calibration.periods):
            line = self.calibration.lines[each.period]
            seen = f"{each.observed:,.0f}", f"{each.expected:,.1f}", number(each.ratio.value)
            ends = between(each.ratio.low, each.ratio.high)
            body.append(
                (each.period, *seen, ends, str(line.constant), str(line.slope), chance(each.adjusted), each.verdict)
            )
        return (header, *body)

    def frame(self) -> pd.DataFrame:
        """A row a period and score, grade or variable: how far its shares moved."""
        import pandas as pd

        names = ("name", "psi", "floor", "p", "adjusted", "size", "points")
        return pd.DataFrame(
            [
                {"period": period, **{name: getattr(each, name) for name in names}}
                for period, found in self.stability.items()
                for each in found
            ]
        )

    def to_json(self) -> Json:
        told = plain({name: getattr(self, name) for name in self.__dataclass_fields__ if name != "calibration"})
        drifted = None
        if self.calibration is not None:
            kept = ("overall", "periods", "grades", "lines", "alarm")
            drifted = {name: plain(getattr(self.calibration, name)) for name in kept}
            chart = self.calibration.cusum
            names = ("odds", "limit", "false_alarm", "run_length", "alarm_high", "alarm_low")
            drifted["cusum"] = {name: plain(getattr(chart, name)) for name in names}
        return {**told, "calibration": drifted, "colour": self.colour}

    def draw(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Pictures, those for which there is something to see: ``stability.png``, ``characteristics.png``,
        ``performance.png``, ``calibration.png``, ``cusum.png``."""
        from plait.desks.credit.monitoring.pictures import draw_monitoring

        return draw_monitoring(self, folder)

    def __str__(self) -> str:
        lines = [f"{self.rows_new:,} new rows beside {self.rows_old:,}: {self.colour}", ""]
        lines += [f"{light.rule:<14}  {light.colour:<5}  {light.why}" for light in self.lights]
        lines += ["", *aligned(self.stability_rows()), "", *aligned(self.period_rows())]
        if self.calibration is not None:
            chart = self.calibration.cusum
            lines += [
                "",
                *aligned(self.calibration_rows()),
                "",
                f"CUSUM for odds {chart.odds:g} times as high, or as low: "
                + (f"alarm in {self.calibration.alarm}" if self.calibration.alarm else "no alarm")
                + f" (by chance in {chart.false_alarm:.1%} of such runs"
                + ("" if np.isnan(chart.run_length) else f", once in {chart.run_length:,.0f} loans")
                + ")",
            ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def monitor(
    reference: Reference | Population,
    new: Population,
    *,
    by: Period = "month",
    odds: float = 1.25,
    false_alarm: float = 0.05,
    require: str | None = None,
    seed: int = 0,
) -> MonitoringReport:
    """Hold new rows against those that a score was made for.

    Parameters
    ----------
    reference
        Rows that the model was not fitted on, best with their outcomes; or the counts that are left of them.
    new
        Where rows have a day, everything is told by period, too; where outcomes are known, performance and calibration.
    by
        What a period is.
    odds, false_alarm
        What the CUSUM is tuned to (`plait.desks.credit.monitoring.drift.cusum`).
    require
        ``"green"`` or ``"amber"``: refuse what is worse.

    Raises
    ------
    ConfigError
        If a name is unknown or a number out of range.
    DataError
        If there are no rows.
    """
    if by not in PERIODS:
        raise unknown("period", by, PERIODS)
    if require is not None and require not in COLOURS[:2]:
        raise unknown("light to require", require, COLOURS[:2])
    if not len(new):
        raise DataError("there are no new rows to monitor")
    known = Reference.of_rows(reference) if isinstance(reference, Population) else reference
    names = np.full(len(new), ALL) if new.day is None else period_names(new.day, by)
    periods = (
        {} if new.day is None else {str(name): new.take(np.flatnonzero(names == name)) for name in np.unique(names)}
    )
    moves = {ALL: stability(known, new)} | {name: stability(known, part) for name, part in periods.items()}
    found = corrected(moves, (ALL, *list(moves)[-1:]))
    judged = [performance(name, part, seed) for name, part in ({ALL: new} | periods).items()]
    before: Performance | None = None
    if isinstance(reference, Population) and reference.bad is not None:
        before = performance("reference", reference, seed)
    drifted = _calibration(new, names, odds, false_alarm, seed, {each.period for each in judged if not each.young})
    some = any(each.known for each in judged)
    lights = (_population(found), _discrimination(before, judged, some), _calibrated(drifted, some))
    worst = max((light.colour for light in lights if light.colour != "grey"), key=COLOURS.index)
    refusal = ""
    if require is not None and COLOURS.index(worst) > COLOURS.index(require):
        why = "; ".join(f"{light.rule}: {light.why}" for light in lights if light.colour == worst)
        refusal = f"the light is {worst}, {require} was required ({why})"
    young = [each.period for each in judged[1:] if each.young and each.known]
    notes = (f"too young to judge, under 95% of the outcomes known: {', '.join(young)}",) if young else ()
    performances = (*([before] if before else []), *judged)
    return MonitoringReport(known.rows, len(new), by, found, performances, drifted, lights, refusal, notes)


def _calibration(
    new: Population,
    names: np.ndarray[tuple[int], np.dtype[np.str_]],
    odds: float,
    false_alarm: float,
    seed: int,
    judged: set[str],
) -> CalibrationDrift | None:
    """Of rows in periods that are not too young."""
    if new.bad is None:
        return None
    rows = np.flatnonzero(~np.isnan(new.bad) & np.isin(names, sorted(judged)))
    if not len(rows):
        return None
    order = np.arange(len(rows)) if new.day is None else np.argsort(new.day[rows], kind="stable")
    own = new.take(rows)
    assert own.bad is not None
    return calibration_drift(
        own.pd, own.bad, names[rows], own.grade, new.grades, order, odds=odds, false_alarm=false_alarm, seed=seed
    )


def _population(found: Mapping[str, tuple[Stability, ...]]) -> Light:
    """All new rows and the latest period count."""
    rule = "population"
    latest = [ALL, *list(found)[-1:]] if len(found) > 1 else [ALL]
    moved = [(name, each) for name in latest for each in found[name] if each.size != "small"]
    told = ", ".join(f"{each.name} {each.psi:.2f}" + (f" in {name}" if name != ALL else "") for name, each in moved[:5])
    whole = {each.size for _, each in moved if each.name in ("score", "grade")}
    single = {each.size for _, each in moved} - whole
    if "large" in whole:
        return Light(rule, "red", f"the score's or grade's PSI is {LARGE:g} or more, beyond chance: {told}")
    if whole or "large" in single:
        why = f"PSI of the score or grade is {MODERATE:g} or more, or of a variable {LARGE:g}, beyond chance: {told}"
        return Light(rule, "amber", why)
    note = f" (moderate: {told})" if moved else ""
    return Light(
        rule, "green", f"PSI of score and grade under {MODERATE:g} or within chance, of variables under {LARGE:g}{note}"
    )


def _discrimination(before: Performance | None, judged: list[Performance], some: bool) -> Light:
    rule = "discrimination"
    now = judged[0] if not np.isnan(judged[0].auc.value) else None
    if now is None:
        now = next((each for each in reversed(judged) if not np.isnan(each.auc.value)), None)
    if now is None:
        return Light(rule, "grey", FEW if some else "no outcomes are known")
    if before is None or np.isnan(before.auc.value):
        return Light(rule, "grey", f"ROC AUC {now.auc}; give the outcomes of the reference rows to judge it by")
    lost = before.auc.value - now.auc.value
    error = [(span.high - span.low) / 3.92 for span in (before.auc, now.auc)]
    least = lost - 1.96 * float(np.hypot(error[0], error[1]))
    told = f"ROC AUC {now.auc.value:.3f}, was {before.auc.value:.3f}"
    if least > 0:
        return Light(rule, "red" if lost > STEEP else "amber", f"{told}: lost beyond chance")
    return Light(rule, "green", f"{told}: no loss beyond chance")


def _calibrated(drifted: CalibrationDrift | None, some: bool) -> Light:
    rule = "calibration"
    if drifted is None:
        return Light(rule, "grey", FEW if some else "no outcomes are known")
    ratio = drifted.overall.ratio
    told = f"{ratio.value:.2f} times as many defaults as expected ({between(ratio.low, ratio.high)})"
    if drifted.overall.p <= 0.05 and abs(ratio.value - 1) > FAR:
        return Light(rule, "red", told)
    if drifted.alarm or drifted.drifted:
        odd = ", ".join(f"grade {e.grade} in {e.period}" if e.grade else e.period for e in drifted.drifted[:5])
        said = [f"CUSUM alarm in {drifted.alarm}"] if drifted.alarm else []
        return Light(rule, "amber", "; ".join([told, *said, *([f"off in {odd}"] if odd else [])]))
    return Light(rule, "green", told)
