"""Loans of LendingClub, later vintages: is the performance that is expected without outcomes the one that is seen?"""

from __future__ import annotations

import sys

import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.data.public import lendingclub
from plait.judgement.drift import drift
from plait.metrics.shown import Span

CUT, LABELLED = "2010-07-01", "2011-01-01"  # fitted before, outcomes known before
TEXTS = ["desc", "title", "emp_title"]
FIGURES = {"roc_auc": "ROC AUC", "log_loss": "log loss", "share": "share of bad loans"}


def span(of: Span) -> Beside:
    return Beside(of.value, of.low, of.high)


def run(seed: int) -> Report:
    """One model; every later quarter without its outcomes, then with them."""
    import plait

    data = lendingclub()
    frame = data.frame.drop(columns=[*TEXTS, "outcome_known"])
    issued: pd.Series[pd.Timestamp] = pd.to_datetime(frame["issue_d"])
    train, old = frame[issued < CUT], frame[(issued >= CUT) & (issued < LABELLED)]
    model = plait.Classifier(fusion="early", learner="lightgbm", time=data.time, n_jobs=1, random_state=seed)
    model.fit(train.drop(columns=data.target), train[data.target])
    figures = []
    inside = dict.fromkeys(FIGURES, 0)
    quarters = issued[issued >= LABELLED].dt.to_period("Q")
    for quarter in sorted(quarters.unique()):
        new = frame.loc[quarters.index[quarters == quarter]]
        found = drift(old, new, model=model, target=data.target, seed=seed).performance
        assert found is not None
        for name, told in FIGURES.items():
            expected, seen = found.expected[name], found.seen[name]
            beside = {"seen": span(seen), "as on old rows": span(found.old[name])}
            figures.append(Measured(f"{quarter}: expected {told}", *expected, told, beside))
            inside[name] += expected.low <= seen.value <= expected.high
    total = len(quarters.unique())
    figures += [
        Measured(f"quarters whose {told} lies in the expected interval, of {total}", inside[name], unit="count")
        for name, told in FIGURES.items()
    ]
    return Report(
        data=f"LendingClub: {len(train):,} loans to fit, {len(old):,} with outcomes, {len(quarters):,} later ones",
        split=f"fitted before {CUT}, known from there to {LABELLED}, then by quarter of issue; table alone",
        figures=tuple(figures),
        notes=("outcomes of the old rows are taken as known, though some ripened later",),
    )


if __name__ == "__main__":
    sys.exit(main(run))
