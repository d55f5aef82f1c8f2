"""Does drift keep quiet where nothing changed, and speak where something did?"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.data import samples
from plait.data.schema import Schema
from plait.judgement.drift import DriftReport, drift

ROWS = 1_000  # of each of the two frames
SAME = 200
PLANTED = 50
LEVEL = 0.05
Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def frames(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two samples of one population: made loans, in no order of time."""
    frame = samples.loans(2 * ROWS, seed).drop(columns=["default", "issued_at"])
    order = np.random.default_rng([seed, 1]).permutation(len(frame))
    return frame.iloc[order[:ROWS]], frame.iloc[order[ROWS:]].reset_index(drop=True)


def chosen(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> np.ndarray:
    return rng.random(len(frame)) < share


CHANGES: dict[str, tuple[str, Change]] = {
    "incomes 12% higher (a quarter of their spread)": (
        "income",
        lambda new, rng: new.assign(income=new["income"] * 1.12),
    ),
    "a new purpose in 4% of rows": (
        "purpose",
        lambda new, rng: new.assign(purpose=new["purpose"].where(~chosen(new, 0.04, rng), "crypto")),
    ),
    "5% more years of employment missing": (
        "employment_years",
        lambda new, rng: new.assign(employment_years=new["employment_years"].where(~chosen(new, 0.05, rng))),
    ),
    "one letter in ten says another thing": (
        "letter",
        lambda new, rng: new.assign(
            letter=[
                f"{text} Please answer by return of post." if text and own else text
                for text, own in zip(new["letter"], chosen(new, 0.1, rng), strict=True)
            ]
        ),
    ),
    "balances 40% higher": (
        "balance",
        lambda new, rng: new.assign(balance=[cell and [1.4 * value for value in cell] for cell in new["balance"]]),
    ),
}


def share(found: int, of: int) -> tuple[float, float, float]:
    """A share with its 95% interval (Wilson)."""
    p, z = found / of, 1.959964
    centre, half = p + z**2 / (2 * of), z * np.sqrt(p * (1 - p) / of + z**2 / (4 * of**2))
    return p, float((centre - half) / (1 + z**2 / of)), float((centre + half) / (1 + z**2 / of))


def customary(report: DriftReport, above: float) -> bool:
    """The usual rule: any column whose PSI lies above a limit. It sees columns of a table only."""
    return any(shift.psi > above for shift in report.shifts)


def run(seed: int) -> Report:
    """200 pairs of samples of one population, and 50 pairs for each of five changes."""
    schema = Schema.infer(frames(seed)[0])
    quiet = [drift(*frames(1_000 * seed + i), schema=schema, seed=i, level=LEVEL) for i in range(SAME)]
    figures = [
        Measured(
            f"false alarms of {SAME}, whole report at {LEVEL:g}",
            *share(sum(bool(report.drifted) for report in quiet), SAME),
            "share",
            {f"any PSI above {at:g}": Beside(*share(sum(customary(r, at) for r in quiet), SAME)) for at in (0.1, 0.25)},
        )
    ]
    for what, (column, change) in CHANGES.items():
        found, usual = 0, {0.1: 0, 0.25: 0}
        for i in range(PLANTED):
            old, new = frames(1_000 * seed + 500 + i)
            report = drift(old, change(new, np.random.default_rng([seed, i])), schema=schema, seed=i, level=LEVEL)
            found += column in {shift.name for shift in report.drifted}
            for at in usual:
                usual[at] += customary(report, at)
        beside = {f"any PSI above {at:g}": Beside(*share(count, PLANTED)) for at, count in usual.items()}
        figures.append(
            Measured(f"found in the right place of {PLANTED}: {what}", *share(found, PLANTED), "share", beside)
        )
    return Report(
        data=f"plait.samples.loans: made; {ROWS:,} old and {ROWS:,} new rows each time, 9 columns, letter and balances",
        split=f"{SAME} pairs without change, {PLANTED} pairs with each change, all of different seeds",
        figures=tuple(figures),
        notes=("intervals are Wilson's, of the share of pairs",),
    )


if __name__ == "__main__":
    sys.exit(main(run))
