"""Are planted leaks found, by what they are, and is nothing said of clean data?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.data import samples
from plait.data.findings import Finding
from plait.data.quality import inspect, leaking
from plait.data.splits import split

SEEDS = 20
CLEAN = 60
ROWS = 1200
LEAKS = ("leak", "warning")

Rng = np.random.Generator


class Planted(NamedTuple):
    """A frame with a leak in it, and the column (or none) and kinds that a finding must name."""

    frame: pd.DataFrame
    column: str | None
    kinds: tuple[str, ...]


def loans(rng: Rng) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    frame = samples.loans(ROWS, int(rng.integers(2**31)))
    return frame, frame["default"].to_numpy()


def copy(rng: Rng) -> Planted:
    """The target under another name and code."""
    frame, bad = loans(rng)
    code = np.array(["closed", "written off"], object)[bad]
    return Planted(frame.assign(final_state=code), "final_state", ("target_copy",))


def near_copy(rng: Rng) -> Planted:
    """A score made after the outcome, with noise."""
    frame, bad = loans(rng)
    return Planted(frame.assign(rating=np.exp(bad + rng.normal(0, 0.2, ROWS))), "rating", ("target_copy",))


def near_copy_as_text(rng: Rng) -> Planted:
    """The loss as text: a number is the target, with 1% noise, and a currency."""
    frame, _ = loans(rng)
    loss = frame["amount"] * rng.uniform(0.2, 1.0, ROWS)
    written = [f"EUR {value:,.2f}" for value in loss * rng.normal(1.0, 0.01, ROWS)]
    return Planted(frame.drop(columns="default").assign(default=loss, booked=written), "booked", ("target_copy",))


def missing(rng: Rng) -> Planted:
    """A date of recovery, there for the defaulted alone, and for half of them."""
    frame, bad = loans(rng)
    there = (bad == 1) & (rng.random(ROWS) < 0.5)
    fee = pd.Series(rng.gamma(2.0, 50.0, ROWS)).where(there)
    return Planted(frame.assign(collection_fee=fee), "collection_fee", ("target_missing",))


def later(rng: Rng) -> Planted:
    """The date of the last payment, after the loan was issued; it tells little by itself."""
    frame, _ = loans(rng)
    paid = frame["issued_at"] + rng.integers(-40, 600, ROWS).astype("timedelta64[D]")
    return Planted(frame.assign(last_payment=paid), "last_payment", ("future",))


def later_inside(rng: Rng) -> Planted:
    """Payments of an account, some of them after the loan was issued."""
    frame, _ = loans(rng)
    issued = frame["issued_at"].to_numpy()
    cells = []
    for moment in issued:
        days = np.sort(rng.integers(-300, 30, 8))
        dates = (moment + days.astype("timedelta64[D]")).astype("datetime64[s]").astype(str)
        cells.append([{"time": day, "amount": float(pay)} for day, pay in zip(dates, rng.gamma(2, 50, 8), strict=True)])
    return Planted(frame.assign(payments=pd.Series(cells, dtype=object)), "payments", ("future",))


def mean_of_group(rng: Rng) -> Planted:
    """Mean default of a branch, computed on all rows; the branch itself is gone."""
    frame, bad = loans(rng)
    branch = rng.integers(0, ROWS // 15, ROWS)
    rate = pd.Series(bad).groupby(branch).transform("mean").round(4)
    return Planted(frame.assign(branch_rate=rate), "branch_rate", ("target_mean",))


def smoothed_mean(rng: Rng) -> Planted:
    """The same, smoothed towards the base rate, beside the branch."""
    frame, bad = loans(rng)
    branch = rng.integers(0, ROWS // 15, ROWS)
    by = pd.Series(bad).groupby(branch)
    rate = (by.transform("sum") + 10 * bad.mean()) / (by.transform("count") + 10)
    return Planted(
        frame.assign(branch=[f"b{code}" for code in branch], branch_rate=rate), "branch_rate", ("target_mean",)
    )


def mean_of_others(rng: Rng) -> Planted:
    """The mean over the other rows of the branch: the row's own label is what it lacks."""
    frame, bad = loans(rng)
    branch = rng.integers(0, ROWS // 15, ROWS)
    by = pd.Series(bad).groupby(branch)
    rate = (by.transform("sum") - bad) / (by.transform("count") - 1).clip(lower=1)
    return Planted(
        frame.assign(branch=[f"b{code}" for code in branch], branch_rate=rate), "branch_rate", ("target_mean",)
    )


def repeated(rng: Rng) -> Planted:
    """One row in twenty stands twice, under another identifier."""
    frame, _ = loans(rng)
    frame = frame.drop(columns="issued_at")
    again = frame.iloc[rng.choice(ROWS, ROWS // 20, replace=False)]
    both = pd.concat([frame, again], ignore_index=True)
    both["loan_id"] = rng.permutation(len(both)) + 10_000
    return Planted(both, None, ("repeated_rows",))


def nearly_repeated(rng: Rng) -> Planted:
    """The same, with another date and another amount."""
    frame, _ = loans(rng)
    again = frame.iloc[rng.choice(ROWS, ROWS // 20, replace=False)]
    again = again.assign(
        amount=again["amount"] + 100, issued_at=again["issued_at"] + np.timedelta64(int(rng.integers(1, 400)), "D")
    )
    both = pd.concat([frame, again], ignore_index=True)
    return Planted(both, None, ("repeated_rows",))


def sorted_rows(rng: Rng) -> Planted:
    """The file is sorted by the target."""
    frame, bad = loans(rng)
    order = np.argsort(bad, kind="stable")
    return Planted(frame.drop(columns="issued_at").iloc[order].reset_index(drop=True), None, ("target_order",))


def identifiers_by_class(rng: Rng) -> Planted:
    """Numbers of loans were given out by outcome; the rows are shuffled."""
    frame, bad = loans(rng)
    place = np.argsort(np.argsort(bad + rng.uniform(0, 0.5, ROWS)))
    return Planted(frame.assign(loan_id=[f"L{70_000 + k}" for k in place]), "loan_id", ("target_order", "target_copy"))


def shared_group(rng: Rng) -> Planted:
    """Customers with several loans each, divided at random."""
    frame, _ = loans(rng)
    customer = rng.integers(0, ROWS // 4, ROWS)
    return Planted(frame.drop(columns="issued_at").assign(customer=customer), "customer", ("shared_group",))


def words(rng: Rng) -> Planted:
    """Letters of the defaulted were annotated later."""
    frame, bad = loans(rng)
    told = (bad == 1) & (rng.random(ROWS) < 0.6)
    letter = frame["letter"].fillna("no letter")
    written = [f"{text} Referred to collections." if yes else text for text, yes in zip(letter, told, strict=True)]
    return Planted(frame.assign(letter=written), "letter", ("target_words",))


PLANTS: Mapping[str, Callable[[Rng], Planted]] = {
    "1 copy, recoded": copy,
    "2 near-copy, monotone with noise": near_copy,
    "2 near-copy, written as text": near_copy_as_text,
    "3 missing cells": missing,
    "4 dates after the row's time": later,
    "4 nested items after the row's time": later_inside,
    "5 group mean with own label": mean_of_group,
    "5 the same, smoothed": smoothed_mean,
    "5 mean of the group's others": mean_of_others,
    "6 repeated rows, new identifier": repeated,
    "6 the same but date and amount": nearly_repeated,
    "7 rows sorted by target": sorted_rows,
    "7 identifiers by class": identifiers_by_class,
    "8 customer on both sides": shared_group,
    "and: words that state the outcome": words,
}


def findings(frame: pd.DataFrame, target: str, seed: int) -> tuple[Finding, ...]:
    """What inspection and a fit say: the rows are divided as `plait fit` would."""
    time = "issued_at" if "issued_at" in frame.columns else None
    seen = inspect(frame, target=target, time=time, read_rows=0)
    train, test = split(frame, time=time, stratify=None if time or frame[target].nunique() > 10 else target, seed=seed)
    return (*seen.findings, *leaking(train, test, seen.schema))


def named(planted: Planted, seed: int) -> bool:
    """Whether a finding names the plant: its kind, and its column first."""
    return any(
        finding.kind in planted.kinds
        and finding.severity in LEAKS
        and (planted.column is None or finding.columns[:1] == (planted.column,))
        for finding in findings(planted.frame, "default", seed)
    )


def copies_alone(planted: Planted) -> bool:
    """The simple check: a number that correlates with the target at .95, or a category that is one to one with it."""
    target = pd.Series(pd.factorize(planted.frame["default"])[0], index=planted.frame.index)
    if planted.frame["default"].nunique() > 10:
        target = planted.frame["default"]
    for name in planted.frame.columns.drop("default"):
        cells = planted.frame[name]
        if cells.dtype.kind in "if":
            with np.errstate(invalid="ignore", divide="ignore"):  # a column that is there in one class alone
                alike = abs(cells.corr(target)) >= 0.95
            if alike:
                return name == planted.column
        texts = cells.dtype == object and all(isinstance(cell, str) for cell in cells)
        if texts and cells.nunique() == target.nunique() and pd.crosstab(cells, target).gt(0).sum().max() == 1:
            return name == planted.column
    return False


def run(seed: int) -> Report:
    """Every plant in `SEEDS` made frames, and `CLEAN` clean frames of each kind."""
    figures = []
    for what, plant in PLANTS.items():
        made = [plant(np.random.default_rng([seed, each])) for each in range(SEEDS)]
        ours = np.array([named(one, each) for each, one in enumerate(made)])
        simple = np.array([copies_alone(one) for one in made])
        beside = {"correlation or one-to-one": Beside(float(simple.mean()), *wilson(int(simple.sum()), SEEDS))}
        figures.append(Measured(what, float(ours.mean()), *wilson(int(ours.sum()), SEEDS), "share found", beside))
    for name, make, target in (("loans", samples.loans, "default"), ("mixed", samples.mixed, "outcome")):
        alarms = sum(
            any(finding.severity in LEAKS for finding in findings(make(ROWS, 1000 * seed + each), target, each))
            for each in range(CLEAN)
        )
        share = alarms / CLEAN
        figures.append(Measured(f"clean {name}: frames with any alarm", share, *wilson(alarms, CLEAN), "share"))
    return Report(
        data=f"made loans, {ROWS:,} rows, a leak planted in each of {SEEDS} frames; {CLEAN} clean frames of two kinds",
        split="as plait fit divides: by time where rows have one, else at random, a quarter to judge",
        figures=tuple(figures),
        notes=(
            "found: inspect or fit names the planted column (or the rows) and what kind of leak it is",
            "intervals of Wilson (1927)",
        ),
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95% interval of a share (Wilson, 1927)."""
    z = 1.959964
    middle = (hits + z**2 / 2) / (of + z**2)
    half = z / (of + z**2) * np.sqrt(hits * (of - hits) / of + z**2 / 4)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))


if __name__ == "__main__":
    sys.exit(main(run))
