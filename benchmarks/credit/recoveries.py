"""LendingClub's losses: do LGD models and term structures hold on later loans, and better than a mean would?"""

from __future__ import annotations

import os
import sys

import numpy as np
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.calc.discounting import balances
from plait.contracts import Array
from plait.data.read import read
from plait.desks.credit.losses.lgd import fit_evidence_lgd, fit_segments, fit_two_stage
from plait.desks.credit.losses.survival import fit_hazards, kaplan_meier
from plait.errors import DataError
from plait.metrics.intervals import bootstrap

COLUMNS = (
    *("loan_amnt", "term", "emp_length", "home_ownership", "annual_inc", "verification_status", "purpose", "dti"),
    *("inq_last_6mths", "open_acc", "revol_util", "total_acc", "grade", "int_rate"),
)
CUT = np.datetime64("2011-07-01")
HORIZON, AT = 60, (12, 24, 36)


def run(seed: int) -> Report:
    """Fit on vintages to 2011-06, judge on those after; grade and rate are inputs: they are the lender's now."""
    loans = _loans()
    early = (loans["issue_d"] < CUT).to_numpy()
    lost = loans["bad"].to_numpy()
    return Report(
        data="LendingClub 2007-2011. Default month: instalments paid before charge-off, plus one. EAD: what the "
        "annuity leaves then. LGD: 1 - recoveries / EAD, not discounted: the file does not date recoveries",
        split=f"{int(early.sum()):,} loans to fit ({int((early & lost).sum()):,} defaults), {int((~early).sum()):,} "
        f"later to judge ({int((~early & lost).sum()):,} defaults)",
        figures=(*_severity(loans, early & lost, ~early & lost, seed), *_timing(loans, early, seed)),
        notes=(
            f"mean LGD of the later defaults: {loans['lgd'][~early & lost].mean():.4f}; without any recovery: "
            f"{(loans['lgd'][~early & lost] > 0.999).mean():.1%}",
            "a loan that did not default counts as alive for its whole term: prepayments are not dated, so hazards are "
            "those of defaults among loans issued, not among loans still owed",
        ),
    )


def _loans() -> pd.DataFrame:
    """The loans with what became of them, which `plait.data.public.lendingclub` leaves out."""
    folder = os.environ.get("PLAIT_DATA")
    if folder is None:
        raise DataError("name the folder of the data sets in PLAIT_DATA")
    loans = read(os.path.join(folder, "lendingclub", "loans.parquet"))
    loans = loans[loans["loan_status"].isin(["Fully Paid", "Charged Off"])].reset_index(drop=True)
    loans["term"] = loans["term"].astype(np.int64)
    loans["bad"] = loans["loan_status"] == "Charged Off"
    paid = np.floor((loans["total_pymnt"] - loans["recoveries"]).clip(lower=0) / loans["installment"]).to_numpy()
    term = loans["term"].to_numpy()
    paid = np.minimum(paid, term - 1).astype(np.int64)
    loans["months"] = np.where(loans["bad"], paid + 1, term)
    effective = (1 + loans["int_rate"].to_numpy() / 12) ** 12 - 1
    left = np.concatenate(
        [
            balances(amount, rate, months)[0, [k]]
            for amount, rate, months, k in zip(loans["funded_amnt"], effective, term, paid, strict=True)
        ]
    )
    loans["lgd"] = np.where(loans["bad"], np.clip(1 - loans["recoveries"] / left, 0, 1), np.nan)
    return loans


def _severity(loans: pd.DataFrame, fit: Array, judge: Array, seed: int) -> tuple[Measured, ...]:
    """Squared error of LGDs on later defaults, beside the mean of the earlier ones."""
    columns = list(COLUMNS)
    past, now = loans[fit], loans[judge]
    lgd, truth = past["lgd"].to_numpy(), now["lgd"].to_numpy()
    learned = fit_evidence_lgd(past[columns], lgd, fusion="early", learner="lightgbm", n_jobs=1, random_state=seed)
    found = {
        "mean": np.full(len(now), lgd.mean()),
        "means by grade": fit_segments(past, lgd, "grade").predict(now),
        "two stages": fit_two_stage(past, lgd, columns=columns).predict(now),
        "plait.Regressor, LightGBM": learned.predict(now[columns]),
    }

    def error(truth: Array, lgd: Array, weight: Array) -> Array:
        return np.asarray(weight @ (truth - lgd) ** 2 / weight.sum(-1))

    drawn = bootstrap(error, truth, found, seed=seed)
    made = []
    for name in list(found)[1:]:
        value, low, high = map(float, drawn.interval(name))
        beside = Beside(*map(float, (*drawn.interval("mean"), *drawn.difference(name, "mean"))))
        made.append(Measured(f"LGD, {name}", value, low, high, "mean squared error", {"mean": beside}))
    return tuple(made)


def _timing(loans: pd.DataFrame, early: Array, seed: int) -> tuple[Measured, ...]:
    """Share of later loans of 36 months that defaulted by a month, beside what earlier ones and a flat hazard say."""
    short = (loans["term"] == 36).to_numpy()
    past, now = loans[early & short], loans[~early & short]
    columns = [name for name in COLUMNS if name != "term"]
    model = fit_hazards(past, past["months"], past["bad"], columns=columns, method="discrete", horizon=HORIZON)
    curves = model.pd(now, HORIZON).mean(0)
    observed = kaplan_meier(past["months"], past["bad"], horizon=HORIZON)
    year = float(curves[11])
    made = []
    for month in AT:
        came = (now["bad"] & (now["months"] <= month)).to_numpy(float)
        drawn = bootstrap(lambda y, s, w: np.asarray(w @ y / w.sum(-1)), came, {"came": came}, seed=seed)
        value, low, high = map(float, drawn.interval("came"))
        beside = {
            "hazards by columns": Beside(float(curves[month - 1])),
            "Kaplan-Meier": Beside(float(observed.pd[0, month - 1])),
            "flat hazard from month 12": Beside(1 - (1 - year) ** (month / 12)),
        }
        made.append(
            Measured(f"defaulted by month {month}, later loans of 36 months", value, low, high, "share", beside)
        )
    return tuple(made)


if __name__ == "__main__":
    sys.exit(main(run))
