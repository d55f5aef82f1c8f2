"""Loans of LendingClub by what decisions cost: does a threshold implied by costs, or chosen before, pay later?"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array
from plait.data.public import lendingclub
from plait.metrics.intervals import bootstrap
from plait.metrics.value import Costs

TEXTS = ["desc", "title", "emp_title"]
COSTS = Costs(false_positive=0.10, false_negative=0.60)  # of each unit lent: interest forgone, and lost in a default
AMOUNT = "loan_amnt"
BY = ("issue_d", "purpose", "home_ownership", "addr_state", "term", "annual_inc")


def run(seed: int) -> Report:
    """One model, fitted on the earlier four fifths of the training vintages; the last fifth chooses the threshold."""
    import plait

    data = lendingclub()
    train, test = (part.drop(columns=[*TEXTS, "outcome_known"]) for part in (data.train, data.test))
    cut = int(0.8 * len(train))
    fitting, choosing = train.iloc[:cut], train.iloc[cut:]
    model = plait.Classifier(fusion="early", learner="lightgbm", time=data.time, n_jobs=1, random_state=seed)
    model.fit(fitting.drop(columns=data.target), fitting[data.target])
    earlier, later = (model.judge(rows, rows[data.target]) for rows in (choosing, test))
    chosen = earlier.thresholds(COSTS, choosing[AMOUNT].to_numpy(float)).best.threshold
    amounts = test[AMOUNT].to_numpy(float)
    found = later.thresholds(COSTS, amounts)
    thresholds = {
        f"implied by the costs ({found.implied.threshold:.4f})": found.implied.threshold,
        f"chosen on the fifth before ({chosen:.4f})": chosen,
        f"chosen on the test rows themselves ({found.best.threshold:.4f})": found.best.threshold,
        "one half": 0.5,
    }
    p, hit = later.prediction.values[:, 1], test[data.target].to_numpy() == 1
    left, step = COSTS.of(hit)
    choices = {name: p > threshold for name, threshold in thresholds.items()} | {"every loan made": p > 1}
    sliced = later.slices(BY)
    return Report(
        data="LendingClub 2007-2011: applications without texts, grade and rate; declining a good loan costs 10% of "
        "its amount, making a bad one 60% (assumed)",
        split=f"{len(fitting):,} loans to fit, {len(choosing):,} after them to choose on, {len(test):,} later to judge",
        figures=figures(choices, left * amounts, step * amounts, amounts, seed),
        notes=(
            f"selected, and so declined, at the implied threshold: {found.implied.selected:.1%} of the loans",
            f"slices worse than the rest by ROC AUC beyond chance, of {len(sliced.slices)} by {', '.join(BY)}: "
            + (", ".join(f"{each.column} = {each.value} ({each.figure.value:.3f})" for each in sliced.worse) or "none"),
        ),
    )


def figures(choices: dict[str, Array], left: Array, step: Array, amounts: Array, seed: int) -> tuple[Measured, ...]:
    """Cost of each choice of loans in per cent of the amounts, beside making every loan, on the same resamples."""

    def cost(amounts: Array, chosen: Array, weight: Array) -> Array:
        return np.asarray(100 * (weight @ (left + step * chosen)) / (weight @ amounts))

    found = bootstrap(cost, amounts, choices, seed=seed)
    *named, every = choices
    made = []
    for name in named:
        value, low, high = map(float, found.interval(name))
        beside = Beside(*map(float, (*found.interval(every), *found.difference(name, every))))
        made.append(Measured(name, value, low, high, "% of the amounts", {every: beside}))
    return tuple(made)


if __name__ == "__main__":
    sys.exit(main(run))
