"""Fit a scorecard: bins, weights of evidence, a logistic regression, and the choice of its variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import erfc, expit

from plait.contracts import Array, Progress
from plait.contracts.crossing import unheard
from plait.data.frame import as_frame, seconds
from plait.data.splits import folds
from plait.desks.credit.scorecard.binned import Bins, Floats
from plait.desks.credit.scorecard.bins import find_bins
from plait.desks.credit.scorecard.card import LeftOut, Scorecard, Variable
from plait.desks.credit.scorecard.cells import Cells, Kind, Levels, kind_of, read
from plait.desks.credit.scorecard.edits import Edit
from plait.desks.credit.scorecard.settings import ScorecardSettings
from plait.errors import DataError, unknown
from plait.metrics.shown import chance, number
from plait.metrics.weights import as_weight

__all__ = ["fit_scorecard"]

STEPS = 100  # of Newton's method
NEAR = 1e-10  # a step no longer than this is the last
FOLDS = 5


def fit_scorecard(
    frame: pd.DataFrame,
    bad: Array,
    *,
    weight: Array | None = None,
    settings: ScorecardSettings | None = None,
    time: str | None = None,
    report: Callable[[Progress], None] = unheard,
) -> Scorecard:
    """Fit a scorecard on applications whose outcome is known.

    Each column is binned (`find_bins`) and becomes its bins' weights of evidence; those enter a logistic regression
    (maximum likelihood by Newton's method, with the ridge of the settings). Left out, in this order: columns that
    cannot be binned; too little information value; weights of evidence that say what a better variable says; signs
    against the variable's own bins, the farthest first; p-values that are too large, the largest first.

    Signs and p-values are also asked of the same regression on weights of evidence by bins that were found on four
    fifths of the rows and say something of the last one. Bins chosen on the rows that they are judged by make noise
    significant: of 1,000 rows, it takes them in often.

    Parameters
    ----------
    frame
        ``N`` rows: the candidates, and the column of the rows' time where one is named.
    bad
        ``N``: 1 = default, 0 = good.
    weight
        ``N``, 0 or more. Counts and rates are of weights; p-values take them as if their mean were 1.
    settings
        How; the defaults if None.
    time
        The column of the rows' moment: dates become days before it. Without one, dates are left out.

    Notes
    -----
    Standard errors and p-values are Wald's, from the Fisher information of the final regression, and take its bins as
    given; the crossed p-values do not, and decide.

    Raises
    ------
    DataError
        If outcomes are not 0 and 1, are all alike, or no variable is left.
    ConfigError
        If settings name a variable that is not there, or bins do not fit its cells.
    MissingExtraError
        If optbinning is not installed and bins have to be found.
    """
    settings = ScorecardSettings() if settings is None else settings
    frame = as_frame(frame)
    if time is not None and time not in frame.columns:
        raise unknown("column", time, frame.columns)
    rows = _Rows.of(frame, bad, weight, time)
    names = [str(name) for name in rows.frame.columns if name != time]
    for where, named in (
        ("bins", settings.bins),
        ("trends", settings.trends),
        ("special_codes", settings.special_codes),
    ):
        for name in named:
            if name not in names:
                raise unknown(f"variable of {where}", name, names)
    found = _binned(rows, names, settings, report)
    report(Progress("weigh", 0, 1))
    chosen, fitted, crossed = _chosen(found, rows, settings)
    report(Progress("weigh", 1, 1))
    if not chosen:
        why = "; ".join(f"{each.name}: {each.why}" for each in found.left_out[:3])
        raise DataError(f"no variable is left to make a scorecard of ({why}); see min_iv and max_p_value")
    variables = tuple(
        Variable(
            bins=found.bins[name],
            coefficient=float(fitted.coefficients[i + 1]),
            standard_error=float(fitted.errors[i + 1]),
            p_value=float(fitted.p_values[i + 1]),
            crossed_p_value=float(crossed.p_values[i + 1]),
            mean_woe=float(np.average(found.woe[name], weights=rows.weight)),
        )
        for i, name in enumerate(chosen)
    )
    return Scorecard(
        variables=variables,
        intercept=float(fitted.coefficients[0]),
        points=settings.points,
        time=time if any(each.bins.kind == "days" for each in variables) else None,
        left_out=tuple(found.left_out),
        notes=tuple(found.notes),
    )


@dataclass(frozen=True)
class _Rows:
    """Rows that count, with their outcome, weight and moment (seconds)."""

    frame: pd.DataFrame
    bad: Floats
    weight: Floats
    moments: Floats | None

    @classmethod
    def of(cls, frame: pd.DataFrame, bad: Array, weight: Array | None, time: str | None) -> _Rows:
        outcome = np.asarray(bad, np.float64)
        if outcome.shape != (len(frame),) or not np.isin(outcome, (0.0, 1.0)).all():
            raise DataError(f"outcomes must be {len(frame):,} numbers, 1 = default and 0 = good, one a row")
        weights = as_weight(weight, len(frame))
        some = weights > 0
        frame, outcome, weights = frame[some], outcome[some], weights[some]
        if len(np.unique(outcome)) < 2:
            raise DataError("all outcomes are alike; a scorecard needs good and bad rows")
        return cls(frame, outcome, weights, None if time is None else seconds(frame[time], time))


@dataclass(frozen=True)
class _Found:
    """Variables that can enter, with their cells and weights of evidence by row; and what is left out."""

    bins: dict[str, Bins]
    cells: dict[str, Cells]
    woe: dict[str, Floats]
    always: frozenset[str]
    left_out: list[LeftOut]
    notes: list[str]

    def leave(self, name: str, why: str) -> None:
        self.left_out.append(LeftOut(name, why, self.bins[name]))


def _binned(
    rows: _Rows, names: Sequence[str], settings: ScorecardSettings, report: Callable[[Progress], None]
) -> _Found:
    """Bin every candidate; those with too little to say are left out already."""
    always = frozenset(name for name, edit in settings.bins.items() if edit.use == "always")
    found = _Found({}, {}, {}, always, [], [])
    for done, name in enumerate(names):
        report(Progress("bins", done, len(names)))
        edit = settings.bins.get(name, Edit())
        kind, why = _kind(rows, name, edit)
        if kind is None:
            found.left_out.append(LeftOut(name, why))
            continue
        cells = read(rows.frame, name, kind, rows.moments)
        bins, note = find_bins(name, kind, cells, rows.bad, rows.weight, settings)
        found.bins[name] = bins
        found.notes.extend([note] if note else [])
        if not bins.woe.any():
            found.leave(name, "no bin differs from the others")
            continue
        if name not in always and bins.iv < settings.min_iv:
            found.leave(name, f"information value {number(bins.iv)} is below {settings.min_iv:g}")
            continue
        if bins.iv > settings.suspicious_iv:
            found.notes.append(
                f"{name}: information value {number(bins.iv)} is above {settings.suspicious_iv:g}; "
                "make sure that it was known when the loan was asked for"
            )
        found.cells[name], found.woe[name] = cells, bins.woe[bins.find(cells)]
    report(Progress("bins", len(names), len(names)))
    return found


def _kind(rows: _Rows, name: str, edit: Edit) -> tuple[Kind | None, str]:
    """What a candidate is; None, and why, where it is none."""
    if edit.use == "never":
        return None, "a person's file says never"
    if rows.frame[name].isna().all():
        return None, "no value in any row"
    kind = kind_of(rows.frame[name])
    if kind is None:
        return None, "its cells are neither numbers, words nor dates"
    if kind == "days" and rows.moments is None:
        return None, "a date, and rows have no time to count days to"
    return "levels" if kind == "numbers" and edit.levels is not None else kind, ""


class _Regression(NamedTuple):
    """Maximum likelihood: the intercept first, then a coefficient a column."""

    coefficients: Floats
    errors: Floats

    @property
    def p_values(self) -> Floats:
        """Of Wald's test that a coefficient is 0, two-sided; 1 for a column that is the same in every row."""
        still = np.zeros_like(self.errors)
        apart = np.divide(np.abs(self.coefficients), self.errors, out=still, where=self.errors > 0)
        return np.asarray(erfc(apart / np.sqrt(2.0)))


def _chosen(found: _Found, rows: _Rows, settings: ScorecardSettings) -> tuple[list[str], _Regression, _Regression]:
    """The variables that stay, best first; their regression; and the one on evidence that has not seen its row."""
    names = sorted(found.woe, key=lambda name: (name not in found.always, -found.bins[name].iv, name))
    names = _apart(names, found, rows.weight, settings.max_correlation)
    weight = rows.weight / rows.weight.mean()
    unseen = {name: _unseen(name, found, rows, settings) for name in names}
    while True:
        own, crossed = (
            _regress(
                np.column_stack([np.ones(len(weight)), *(woe[name] for name in names)]),
                rows.bad,
                weight,
                settings.penalty,
            )
            for woe in (found.woe, unseen)
        )
        free = np.array([name not in found.always for name in names], bool)
        # evidence of safety must lower the log-odds of default
        wrong = np.where(free, np.maximum(own.coefficients, crossed.coefficients)[1:], -np.inf)
        p_values = np.where(free, crossed.p_values[1:], -np.inf)
        if (wrong >= 0).any():
            drop = int(np.argmax(wrong))
            found.leave(names[drop], f"wrong sign beside the others (coefficient {wrong[drop]:+.3f})")
        elif (p_values > settings.max_p_value).any():
            drop = int(np.argmax(p_values))
            found.leave(names[drop], f"p-value {chance(float(p_values[drop]))} is above {settings.max_p_value:g}")
        else:
            return names, own, crossed
        del names[drop]


def _unseen(name: str, found: _Found, rows: _Rows, settings: ScorecardSettings) -> Floats:
    """Weight of evidence of each row by bins that were found on the other folds: float64 ``N``."""
    few = int(min(rows.bad.sum(), len(rows.bad) - rows.bad.sum()))
    if few < 2:
        return found.woe[name]
    fold = folds(len(rows.bad), min(FOLDS, few), targets=rows.bad)
    cells, kind = found.cells[name], found.bins[name].kind
    woe = np.empty(len(rows.bad))
    for held in range(int(fold.max()) + 1):
        rest = fold != held
        bins, _ = find_bins(name, kind, _some(cells, rest), rows.bad[rest], rows.weight[rest], settings)
        woe[~rest] = bins.woe[bins.find(_some(cells, ~rest))]
    return woe


def _some(cells: Cells, rows: npt.NDArray[np.bool_]) -> Cells:
    return Levels(cells.codes[rows], cells.names) if isinstance(cells, Levels) else cells[rows]


def _apart(names: Sequence[str], found: _Found, weight: Floats, most: float) -> list[str]:
    """Names, best first, without those whose weights of evidence correlate too much with a better one's."""
    root = np.sqrt(weight / weight.sum())
    unit: dict[str, Floats] = {}
    for name in names:
        spread = root * (found.woe[name] - np.average(found.woe[name], weights=weight))
        length = np.linalg.norm(spread)
        column = spread / length if length > 0 else spread
        near = {other: abs(float(column @ unit[other])) for other in unit}
        closest = max(near, key=lambda other: near[other], default=None)
        if closest is not None and near[closest] > most and name not in found.always:
            found.leave(name, f"correlation {near[closest]:.2f} with {closest} is above {most:g}")
        else:
            unit[name] = column
    return list(unit)


def _regress(columns: Floats, bad: Floats, weight: Floats, penalty: float) -> _Regression:
    """Logistic regression with a ridge on all but the first coefficient, by Newton's method.

    Standard errors are the square roots of the diagonal of ``H^-1 I H^-1``: I the Fisher information, H with the ridge.
    """
    ridge = np.diag([0.0, *[penalty] * (columns.shape[1] - 1)])
    at = np.zeros(columns.shape[1])
    at[0] = np.log((weight @ bad) / (weight @ (1 - bad)))

    def loss(point: Floats) -> float:
        return float(weight @ (np.logaddexp(0, columns @ point) - bad * (columns @ point)) + point @ ridge @ point / 2)

    for _ in range(STEPS):
        said = expit(columns @ at)
        information = (columns.T * (weight * said * (1 - said))) @ columns
        step = np.linalg.pinv(information + ridge) @ (columns.T @ (weight * (bad - said)) - ridge @ at)
        here = loss(at)
        while loss(at + step) > here and np.abs(step).max() > NEAR:
            step = step / 2
        at = at + step
        if np.abs(step).max() <= NEAR:
            break
    said = expit(columns @ at)
    information = (columns.T * (weight * said * (1 - said))) @ columns
    inverse = np.linalg.pinv(information + ridge)
    return _Regression(at, np.sqrt(np.maximum(np.diag(inverse @ information @ inverse), 0.0)))
