"""Grades: do default rates rise with them out of time, do their PDs hold, and is what moves them told back?

Three parts: the desk's master scale on LendingClub's later loans, beside ten equally large grades; the state of the
economy from default rates, on those loans and on made histories with a known state; yearly matrices from made panels
with a known generator, withdrawals and holes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.runner import Beside, Measured, Report, main
from plait.calc.transitions import cohort_counts, matrix_of
from plait.calc.vasicek import conditional_pd, factor_of, fit_factor
from plait.contracts import Array
from plait.data.public import lendingclub
from plait.data.samples import ratings, ratings_oracle
from plait.desks.credit.config import Config
from plait.desks.credit.cycle import Cycle, periods_of
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.grade_tests import GradeReport, grade_report
from plait.desks.credit.grades import MasterScale
from plait.desks.credit.migration import migrate
from plait.desks.credit.panel import panel_of

if TYPE_CHECKING:
    from pandas import DataFrame

TEXTS = ["desc", "title", "emp_title"]
SETTINGS = {"evidence": {"fusion": "early", "learner": "lightgbm"}}
FIRMS, PANELS, HISTORIES = (200, 600, 1800), 24, 60  # firms of a made panel; how many samples of each kind


def run(seed: int) -> Report:
    """The scale is fitted within the training rows, on predictions of the last fifth by models of the rest."""
    data = lendingclub()
    train, test = (part.drop(columns=[*TEXTS, "outcome_known"]) for part in (data.train, data.test))
    model = fit_credit(train, train[data.target], time=data.time, config=Config.of(SETTINGS), seed=seed, n_jobs=1)
    chance, bad = model.score(test).pd, test[data.target].to_numpy(np.float64)
    report = grade_report(model.scale, chance, bad, seed=seed)
    edges = np.unique(np.quantile(chance, np.linspace(0.1, 0.9, 9)))  # of the very rows: no baseline could be more even
    tens = grade_report(MasterScale.of({"edges": edges.tolist()}), chance, bad, seed=seed)
    months = periods_of(test[data.time].to_numpy("datetime64[s]").astype(np.float64), "month")
    quarters = periods_of(train[data.time].to_numpy("datetime64[s]").astype(np.float64), "quarter")
    history = counted(quarters, train[data.target].to_numpy(np.float64))
    return Report(
        data="LendingClub 2007-2011 without texts, grade and rate; made panels of grades and histories of defaults",
        split=f"{len(train):,} loans to fit, {len(test):,} later to judge; made data: {PANELS} panels of each size, "
        f"{HISTORIES} histories",
        figures=(*graded(report, tens), *states(seed), *vintages(history, months, chance, bad, seed), *moved(seed)),
        notes=notes(report, tens, Cycle.fit(*history)),
    )


def graded(report: GradeReport, tens: GradeReport) -> tuple[Measured, ...]:
    """Rates by grade beside the PDs that stand for them; what grading loses beside ten grades; exceptions."""
    made = [
        Measured(
            f"default rate of grade {line.name} ({line.share:.1%} of the loans)",
            *line.rate,
            "share",
            {"its PD": Beside(line.pd)},
        )
        for line in report.lines
    ]
    assert report.gini is not None
    assert tens.gini is not None
    other = "ten equally large grades"
    lost = Beside(tens.gini.lost.value, tens.gini.lost.low, tens.gini.lost.high)
    made.append(
        Measured(
            "Gini by grade",
            *report.gini.grade,
            "Gini",
            {"by PD": Beside(*report.gini.pd), other: Beside(*tens.gini.grade)},
        )
    )
    made.append(Measured("Gini lost by grading", *report.gini.lost, "Gini", {other: lost}))
    made.append(
        Measured(
            "grades that defaulted less often than a better one",
            len(report.inversions),
            unit="grades",
            baselines={other: Beside(len(tens.inversions))},
        )
    )
    red, amber = (sum(line.light == light for line in report.lines) for light in ("red", "yellow"))
    made.append(Measured("grades with a red light", red, unit=f"of {len(report.lines)}"))
    made.append(Measured("grades with a yellow light", amber, unit=f"of {len(report.lines)}"))
    return tuple(made)


def states(seed: int) -> tuple[Measured, ...]:
    """Error of told states over made histories of 20 years with 200 or 20,000 rows each, PD 2%, correlation .1."""
    rng = np.random.default_rng([seed, 1])
    made = []
    for rows in (200, 20_000):
        errors, naive, inside = [], [], []
        for _ in range(HISTORIES):
            true = rng.normal(size=20)
            defaults = rng.binomial(rows, conditional_pd(np.full(20, 0.02), true, 0.1))
            found = fit_factor(defaults, np.full(20, rows))
            rate = np.clip(defaults / rows, 0.5 / rows, 1)
            guessed = factor_of(rate, defaults.sum() / rows / 20, 0.1)  # as if known: correlation, and rates exact
            errors.append(np.sqrt(np.mean((found.states - true) ** 2)))
            naive.append(np.sqrt(np.mean((guessed - true) ** 2)))
            inside.append(np.mean(np.abs(found.states - true) < 1.96 * found.errors))
        what = f"states of 20 years with {rows:,} rows each"
        made.append(paired(f"{what}: RMSE", errors, {"rates inverted, correlation known": naive}, "state"))
        made.append(Measured(f"{what}: true one within the 95% interval", float(np.mean(inside)), unit="share"))
    return tuple(made)


def vintages(
    history: tuple[list[str], Array, Array], months: Array, chance: Array, bad: Array, seed: int
) -> tuple[Measured, ...]:
    """Gap of mean PD and default rate by month on half of the later loans, the states told by the other half."""
    half = np.random.default_rng([seed, 2]).random(len(bad)) < 0.5
    names, rows, defaults = counted(months[half], bad[half])
    cycle = Cycle.fit([*history[0], *names], np.append(history[1], rows), np.append(history[2], defaults))
    now = history[0][-1]

    def gap(pd_of: Callable[[Array, str], Array]) -> float:
        told = [(months == month) & ~half for month in names]
        gaps = [abs(pd_of(chance[at], month).mean() - bad[at].mean()) for at, month in zip(told, names, strict=True)]
        return float(np.average(gaps, weights=[at.sum() for at in told]))

    beside = {
        "PDs as the model says": Beside(gap(lambda pd, _: pd)),
        "through the cycle": Beside(gap(lambda pd, _: cycle.through(pd, now))),
    }
    what = "LendingClub by month: mean gap of PDs in the state of the month"
    return (Measured(what, gap(lambda pd, month: cycle.point(pd, now, month)), unit="PD", baselines=beside),)


def moved(seed: int) -> tuple[Measured, ...]:
    """Error of yearly matrices, and of PDs of a year, from made panels: rows in disorder, with holes."""
    (_, true), made = ratings_oracle(), []
    for firms in FIRMS:
        whole: dict[str, list[float]] = {"duration": [], "cohort": [], "naive": []}
        default: dict[str, list[float]] = {name: [] for name in whole}
        for each in range(PANELS):
            frame = ratings(firms, seed=1000 * seed + each)
            found = migrate(frame, "firm", "month", "grade", resamples=0, years=1)
            for name, matrix in (("duration", found.duration), ("cohort", found.cohort), ("naive", stayed(frame))):
                whole[name].append(float(np.abs(matrix - true)[:-1].sum() / len(true[:-1])))
                default[name].append(float(np.sqrt(np.mean((matrix - true)[:-1, -1] ** 2))))
        for what, of in (("matrix, absolute error a row", whole), ("PDs of a year, RMSE", default)):
            others = {"by cohort": of["cohort"], "by cohort, withdrawn taken for unchanged": of["naive"]}
            made.append(
                paired(f"{firms:,} firms over 8 years by duration: {what}", of["duration"], others, "probability")
            )
    return tuple(made)


def stayed(frame: DataFrame) -> Array:
    """The naive matrix: by cohort, who is gone a year later counts as unchanged."""
    found = panel_of(frame, "firm", "month", "grade")
    begins = np.arange(found.first, found.last - 11, 12, dtype=np.float64)
    counts = cohort_counts(found.spells, begins, len(found.names), 12).sum(0)
    return matrix_of(counts[:, :-1] + np.diag(counts[:, -1]))


def counted(period: Array, bad: Array) -> tuple[list[str], Array, Array]:
    """Periods in order, their rows and their defaults."""
    names, code = np.unique(period, return_inverse=True)
    return names.tolist(), np.bincount(code).astype(np.float64), np.bincount(code, bad)


def paired(what: str, ours: list[float], others: dict[str, list[float]], unit: str) -> Measured:
    """Means over made samples with normal intervals, differences paired."""

    def spread(values: Array) -> tuple[float, float, float]:
        mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
        return mean, mean - 1.96 * error, mean + 1.96 * error

    mine = np.array(ours)
    beside = {name: Beside(*spread(np.array(of)), *spread(mine - np.array(of))) for name, of in others.items()}
    return Measured(what, *spread(mine), unit, beside)


def notes(report: GradeReport, tens: GradeReport, cycle: Cycle) -> tuple[str, ...]:
    """What a reader of the figures should know."""
    test, z = report.hosmer_lemeshow, report.spiegelhalter
    shared = sum(line.binomial < 0.05 for line in report.lines)
    return (
        "default rates rise from grade to grade"
        if report.monotone
        else "exceptions: " + "; ".join(report.exceptions()),
        "ten equally large grades: " + ("rates rise" if tens.monotone else "; ".join(tens.exceptions())),
        f"all grades: {report.rate:.2%} defaulted, {report.mean_pd:.2%} expected; Hosmer-Lemeshow "
        f"{test.statistic:.1f} with {test.freedom} df, p {test.p:.2g}; Spiegelhalter z {z.z:.2f}, p {z.p:.2g}; "
        f"{shared} of {len(report.lines)} PDs too low by the binomial test at .05 before correction",
        f"Herfindahl {report.concentration.herfindahl:.3f} over {len(report.lines)} grades",
        f"quarters of the training loans: {cycle.pd:.2%} through the cycle, asset correlation {cycle.correlation:.4f}",
    )


if __name__ == "__main__":
    sys.exit(main(run))
