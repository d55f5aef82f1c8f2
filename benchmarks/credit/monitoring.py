"""Does monitoring keep quiet where nothing changed, speak where something did, and warn early enough to act?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array
from plait.data import samples
from plait.data.public import lendingclub
from plait.desks.credit.monitoring.alerts import AlertPolicy
from plait.desks.credit.monitoring.book import loans
from plait.desks.credit.monitoring.drift import CalibrationDrift, calibration_drift
from plait.desks.credit.monitoring.report import monitor
from plait.desks.credit.monitoring.stability import Binned, Population
from plait.desks.credit.monitoring.vintages import vintages
from plait.desks.credit.monitoring.watch import watch
from plait.desks.credit.scorecard import Scorecard, fit_scorecard
from plait.desks.credit.scorecard.cells import read
from plait.metrics.calibration import cox
from plait.metrics.classification import wilson

TEXTS = ["desc", "title", "emp_title", "outcome_known"]
TRIES = 20
OLD, NEW = 10_000, 500
GRADES = tuple("ABCDEFGHIJ")
EDGES = np.array([0.04, 0.06, 0.08, 0.10, 0.12, 0.15, 0.18, 0.22, 0.28])
HARM, FROM = 1.25, 3  # planted: times the odds of default, and how many months before
AGE = 24  # months on book
MONTHS, AHEAD = 36, 8  # of made borrowers; months in which a warning counts (the longest planted lead)
Change = Callable[[pd.DataFrame, Array, np.random.Generator], pd.DataFrame]

QUIET = {f"false alarms: {rows} unchanged loans beside {OLD:,}": rows for rows in (NEW, 100)}
CHANGES: dict[str, Change] = {
    "found: incomes a quarter lower": lambda pool, _, rng: pool.head(NEW).assign(
        annual_inc=0.75 * pool["annual_inc"].head(NEW)
    ),
    "found: twice as many loans over 60 months": lambda pool, _, rng: pool.sample(
        NEW, weights=np.where(pool["term"] == 60, 2.7, 1.0), random_state=int(rng.integers(2**31))
    ),
    "found: credit utilisation missing in one row of five": lambda pool, _, rng: pool.head(NEW).assign(
        revol_util=pool["revol_util"].head(NEW).where(rng.random(NEW) > 0.2)
    ),
    "found: half of the better half of scores gone": lambda pool, points, rng: pool[
        (points < np.median(points)) | (rng.random(len(pool)) < 0.5)
    ].head(NEW),
}


class Early(NamedTuple):
    """Alerts of one way to choose them: borrower, month (0, 1, ...)."""

    who: Array
    month: Array


def population(card: Scorecard, frame: pd.DataFrame, bad: Array | None = None, day: Array | None = None) -> Population:
    """What a scorecard alone says of rows."""
    odds = card.log_odds(frame)
    moments = None if card.time is None else frame[card.time].astype("int64").to_numpy() / 1e9
    parts = tuple(
        Binned(v.name, v.bins.labels, card.bin_points(v), v.bins.find(read(frame, v.name, v.bins.kind, moments)))
        for v in card.variables
    )
    pd_ = 1 / (1 + np.exp(-odds))
    return Population(card.points.of(odds), pd_, np.searchsorted(EDGES, pd_), GRADES, parts, bad, day)


def shares(hits: int, of: int) -> tuple[float, float, float]:
    low, high = wilson(np.asarray(hits / of), np.asarray(of))
    return hits / of, float(low), float(high)


def counted(what: str, ours: int, others: Mapping[str, int], of: int = TRIES) -> Measured:
    return Measured(what, *shares(ours, of), f"share of {of}", {k: Beside(*shares(v, of)) for k, v in others.items()})


def stable(card: Scorecard, frame: pd.DataFrame, seed: int) -> list[Measured]:
    """Unchanged samples of 500 and of 100 rows, and changed ones of 500, beside 10,000 of the same vintages."""
    found = {name: np.zeros(3, int) for name in (*QUIET, *CHANGES)}
    for i in range(TRIES):
        rng = np.random.default_rng([seed, i])
        order = rng.permutation(len(frame))
        old = population(card, frame.iloc[order[:OLD]])
        pool = frame.iloc[order[OLD:]]
        for name, rows in QUIET.items():
            found[name] += verdict(old, population(card, pool.head(rows)))
        for name, change in CHANGES.items():
            found[name] += verdict(old, population(card, change(pool, card.score(pool), rng)))
    others = ("any PSI of .10 or more", "both")
    return [counted(name, hits[0], dict(zip(others, hits[1:].tolist(), strict=True))) for name, hits in found.items()]


def verdict(old: Population, new: Population) -> list[bool]:
    """Whether anything moved: beyond chance, by the customary limit, and by both as the light asks."""
    found = monitor(old, new).stability["all"]
    rules = (lambda each: each.sure, lambda each: each.psi >= 0.1, lambda each: each.size != "small")
    return [any(map(rule, found)) for rule in rules]


def calibrated(card: Scorecard, rows: pd.DataFrame, bad: Array, time: str, seed: int) -> tuple[list[Measured], str]:
    """The loans of 2011 by month; and halves of them with PDs set right on the other half, in an order of chance."""
    months = rows[time].to_numpy().astype("datetime64[M]").astype(str)
    names = np.unique(months).tolist()
    seen = population(card, rows, bad)
    found = looked(seen.pd, bad, months, seen.grade, seed)
    quiet = {"CUSUM": 0, "monthly test, Holm": 0, "monthly test at 5%": 0}
    waits: dict[str, list[int]] = {"CUSUM": [], "monthly test, Holm": []}
    odds = np.log(seen.pd / (1 - seen.pd))
    for i in range(TRIES):
        rng = np.random.default_rng([seed, 9, i])
        half, other = np.array_split(rng.permutation(len(rows)), 2)
        line = cox(bad[half] > 0, seen.pd[half])
        right = 1 / (1 + np.exp(-(line.intercept.value + line.slope.value * odds[other])))
        month = np.arange(len(other)) * len(names) // len(other)
        shuffled = np.array(names)[month]
        again = looked(right, bad[other], shuffled, seen.grade[other], seed + i)
        quiet["CUSUM"] += bool(again.alarm)
        quiet["monthly test, Holm"] += any(each.verdict for each in again.periods)
        quiet["monthly test at 5%"] += any(each.p <= 0.05 for each in again.periods)
        more = HARM * right / (1 - right + HARM * right)
        turned = (month >= FROM) & (rng.random(len(other)) < (more - right) / (1 - right))
        harmed = looked(right, np.where(turned, 1.0, bad[other]), shuffled, seen.grade[other], seed + i)
        for name, first in alarms(harmed, names).items():
            waits[name].append(first - FROM)
    first = alarms(found, names)
    late = {name: sum(0 < wait <= len(names) - FROM for wait in each) for name, each in waits.items()}
    ours, *rest = quiet
    ratio = found.overall.ratio
    told = (
        f"LendingClub 2011: {ratio.value:.3f} times as many defaults as the scorecard of 2007 to 2010 expects "
        f"({ratio.low:.3f} to {ratio.high:.3f}); by month "
        + ", ".join(f"{each.period[5:]} {each.ratio.value:.2f}" for each in found.periods)
    )
    figures = [
        Measured(
            "months of 2011 until the alarm (13: none)",
            float(first["CUSUM"]),
            unit="months",
            baselines={"monthly test, Holm": Beside(float(first["monthly test, Holm"]))},
        ),
        counted("false alarms in a shuffled year", quiet[ours], {name: quiet[name] for name in rest}),
        counted(
            f"found: odds of default {HARM:g} times as high from the {FROM + 1}th month on",
            late["CUSUM"],
            {"monthly test, Holm": late["monthly test, Holm"]},
        ),
        Measured(
            "the same: months until the alarm, median",
            float(np.median(waits["CUSUM"])),
            unit="months",
            baselines={"monthly test, Holm": Beside(float(np.median(waits["monthly test, Holm"])))},
        ),
    ]
    return figures, told


def looked(pds: Array, bad: Array, month: Array, grade: Array, seed: int) -> CalibrationDrift:
    return calibration_drift(pds, bad, month, grade, GRADES, np.arange(len(pds)), seed=seed)


def alarms(found: CalibrationDrift, names: list[str]) -> dict[str, int]:
    """The month, from 1 on, of the first alarm of either kind; one more than there are: none."""
    tested = [each.period for each in found.periods if each.verdict]
    firsts = {"CUSUM": found.alarm, "monthly test, Holm": tested[0] if tested else ""}
    return {name: 1 + names.index(at) if at else len(names) + 1 for name, at in firsts.items()}


def warned(seed: int, n: int = 3_000) -> list[Measured]:
    """Made borrowers over three years: ten alerts a month for a thousand borrowers."""
    frame = samples.borrowers(n, MONTHS, seed)
    truth = samples.borrowers_oracle(n, MONTHS, seed)
    start = frame["month"].min().to_period("M").ordinal
    end = (
        truth["default_month"].dt.to_period("M").map(lambda p: p.ordinal - start if p == p else 10 * MONTHS).to_numpy()
    )
    number = {name: i for i, name in enumerate(truth["borrower"])}
    budget = n // 100
    shown = frame.drop(columns="default_month")
    policy = AlertPolicy(most=budget, again=120)
    ways = {
        "": watch(shown, id="borrower", date="month", policy=policy),
        "no budget": watch(shown, id="borrower", date="month", policy=AlertPolicy(most=n, again=120)),
        "arrears only": watch(
            shown[["borrower", "month", "days_past_due"]],
            id="borrower",
            date="month",
            policy=AlertPolicy(budget, 1, 120),
        ),
    }
    early = {}
    for name, found in ways.items():
        kept = [alert for alert in found.alerts if alert.state == "alert"]
        months = np.array([np.datetime64(alert.day, "M").astype(int) - start for alert in kept])
        early[name] = Early(np.array([number[alert.borrower] for alert in kept]), months)
    rng = np.random.default_rng([seed, 5])
    month = np.repeat(np.arange(MONTHS), np.bincount(early[""].month, minlength=MONTHS))
    alive = [np.flatnonzero(end > m) for m in range(MONTHS)]
    early["random"] = Early(np.array([rng.choice(alive[m]) for m in month]), month)
    return judged(early, end, truth["lead"].to_numpy(float), n, seed)


def judged(early: Mapping[str, Early], end: Array, lead: Array, n: int, seed: int) -> list[Measured]:
    """Precision, recall and lead time, resampled by borrower."""
    last = MONTHS - AHEAD
    lost = np.flatnonzero((end >= 8) & (end < MONTHS))

    def figures(way: Early, weight: Array) -> Array:
        judgeable = way.month < last
        ahead = end[way.who] - way.month
        hit = (ahead > 0) & (ahead <= AHEAD)
        w = weight[way.who]
        precision = (w * hit * judgeable).sum() / max((w * judgeable).sum(), 1)
        first = np.zeros(n)
        np.maximum.at(first, way.who[hit], ahead[hit])
        caught = lost[first[lost] > 0]
        recall = weight[caught].sum() / weight[lost].sum()
        leads = np.repeat(first[caught], weight[caught].astype(int))
        soon = weight[lost[first[lost] >= 3]].sum() / weight[lost].sum()
        return np.array([precision, recall, soon, np.median(leads) if len(leads) else np.nan])

    one = np.ones(n)
    values = {name: figures(way, one) for name, way in early.items()}
    draws: dict[str, list[Array]] = {name: [] for name in early}
    rng = np.random.default_rng([seed, 6])
    for _ in range(300):
        weight = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
        for name, way in early.items():
            draws[name].append(figures(way, weight))
    spread = {name: np.nanquantile(np.array(drawn), (0.025, 0.975), axis=0) for name, drawn in draws.items()}
    oracle = float(np.median(lead[lost]))
    units = ("share", "share", "share", "months")
    says = (
        "alerts followed by a default within 8 months",
        "defaults that an alert came before",
        "defaults that an alert came before by 3 months or more",
    )
    made = []
    for i, what in enumerate((*says, f"median lead of these alerts (the signs themselves: {oracle:g})")):
        beside = {
            name: Beside(float(values[name][i]), float(spread[name][0][i]), float(spread[name][1][i]))
            for name in list(early)[1:]
        }
        ends = float(spread[""][0][i]), float(spread[""][1][i])
        made.append(Measured(what, float(values[""][i]), *ends, units[i], beside))
    alerts = {name: float((way.month < last).sum()) for name, way in early.items()}
    others = {name: Beside(alerts[name]) for name in list(early)[1:]}
    return [Measured("alerts judged", alerts[""], unit="alerts", baselines=others), *made]


def aged(seed: int, tries: int = 100) -> list[Measured]:
    """Made books of 5,000 loans with known hazards, opened over three years, the youngest half a year old."""
    truth = samples.loan_book_oracle()
    true, net = float(truth["incidence"][AGE - 1]), float(truth["had_none_closed"][AGE - 1])
    errors: dict[str, list[float]] = {"incidence": [], "naive": [], "kaplan_meier": []}
    covered, odd, worse = 0, 0, 0
    for i in range(tries):
        columns = ("opened", "defaulted_at", "closed_at", "2022-06-30")
        alike = vintages(loans(samples.loan_book(seed=1_000 * seed + i, alike=True), *columns))
        found = alike.seasoning
        for name, said in (("incidence", true), ("naive", true), ("kaplan_meier", net)):
            errors[name].append(100 * (float(getattr(found, name)[AGE - 1]) - said))
        covered += bool(found.low[AGE - 1] <= true <= found.high[AGE - 1])
        odd += any(each.verdict for each in alike.cohorts)
        planted = vintages(loans(samples.loan_book(seed=1_000 * seed + i), *columns))
        worse += planted["2020 Q3"].verdict == "worse"
    off = {name: (np.mean(e), 1.96 * np.std(e) / tries**0.5) for name, e in errors.items()}
    spans = {name: (float(mean), float(mean - reach), float(mean + reach)) for name, (mean, reach) in off.items()}
    naive = {"naive ratio": Beside(*spans["naive"])}
    unit = "points of %"
    return [
        Measured(f"defaulted by {AGE} months, truly {true:.1%}: error in the mean", *spans["incidence"], unit, naive),
        Measured(f"had none closed, truly {net:.1%}: error in the mean", *spans["kaplan_meier"], unit),
        counted("95% intervals that hold the true rate", covered, {}, tries),
        counted("books of like cohorts in which one is said to differ", odd, {}, tries),
        counted("books in which the cohort with 1.8 times the hazard is said to be worse", worse, {}, tries),
    ]


def run(seed: int) -> Report:
    """A scorecard of the vintages up to 2010 and its later rows; made borrowers; made loans."""
    data = lendingclub()
    frame = data.frame.drop(columns=[name for name in TEXTS if name in data.frame])
    bad = frame.pop(data.target).to_numpy(float)
    year = frame[data.time].dt.year.to_numpy()
    card = fit_scorecard(frame[year < 2011], bad[year < 2011], time=data.time)
    card_frame = frame[year < 2011]
    later = np.flatnonzero(year == 2011)
    drifted, told = calibrated(card, frame.iloc[later], bad[later], data.time, seed)
    return Report(
        data="LendingClub 2007-2011 without texts, grade and rate (a scorecard of the vintages up to 2010); made "
        f"borrowers over {MONTHS} months (plait.samples.borrowers, 3,000); made loans with known hazards",
        split=f"{int((year < 2011).sum()):,} loans to fit, {len(later):,} of 2011 in order of time; "
        f"{TRIES} random samples of the former for stability",
        figures=(*stable(card, card_frame, seed), *drifted, *warned(seed), *aged(seed)),
        notes=(told, "intervals: Wilson's for shares of tries, bootstrap over borrowers for warnings"),
    )


if __name__ == "__main__":
    sys.exit(main(run))
