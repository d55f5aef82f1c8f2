"""Loans of LendingClub on later vintages: what does evidence beyond the table add to a scorecard, in rank and in money?

The desk is fitted as `plait credit fit` fits it, three times: on all evidence, on the table alone, and with the
lender's own rate among the columns.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from time import perf_counter, process_time

import numpy as np
import numpy.typing as npt

from benchmarks import baselines
from benchmarks.lendingclub import TEXTS, tabular
from benchmarks.runner import Beside, Measured, Report, alone, areas, main
from plait.contracts import Array
from plait.data.public import Dataset, lendingclub
from plait.desks.credit.lift import Terms, money_by_approval
from plait.metrics.classification import ks, roc_auc

Scores = npt.NDArray[np.float64]
THREADS = 1
SPLIT = 2_000  # later loans whose points are split by source
APPROVED = (0.7, 0.8, 0.9)
AMOUNT = "loan_amnt"


@dataclass(frozen=True)
class Desk:
    """What a desk, fitted in a process of its own, says of the later loans.

    Parameters
    ----------
    scores
        ``scorecard``, ``multimodal`` and ``blend`` to their order of risk, the highest the riskiest.
    points
        Line of the adjustment to its mean size in points.
    capped
        Share of the loans at which the cap held.
    about
        The blend in words.
    seconds, busy
        Of the whole fit: of the clock, and of all threads together at work.
    """

    scores: dict[str, Scores]
    points: dict[str, float]
    capped: float
    about: str
    seconds: float
    busy: float


def desk(seed: int, texts: bool = True, rate: bool = False) -> Desk:
    """Fit on the training rows, score the test rows."""
    from plait.desks.credit.fitting import fit_credit
    from plait.desks.credit.lift import split_points

    data = lendingclub(with_rate=rate)
    left = ["outcome_known", *(() if texts else TEXTS)]
    train, test = (part.drop(columns=left) for part in (data.train, data.test))
    start, before = perf_counter(), process_time()
    model = fit_credit(train, train[data.target], time=data.time, seed=seed, n_jobs=THREADS)
    seconds, busy = perf_counter() - start, process_time() - before
    said = model.score(test)
    scores = {"scorecard": -said.scorecard, "multimodal": -said.evidence, "blend": said.log_odds}
    shares = split_points(model, test.sample(SPLIT, random_state=seed), seed=seed)
    sizes = dict(zip(shares.lines, np.abs(shares.values).mean(axis=0).tolist(), strict=True))
    return Desk(scores, sizes, float(said.capped.mean()), str(model.blend), seconds, busy)


def boosted(data: Dataset, seed: int) -> Scores:
    """Log-odds of plain LightGBM on the table."""
    train, test = data.train, data.test
    y = train[data.target].to_numpy(np.float64)
    told = baselines.boosted(tabular(train), y, tabular(test), seed=seed, n_jobs=THREADS)
    return baselines.logits(told)


def ranked(y: Array, seen: Desk, bare: Desk, rated: Desk, seed: int) -> list[Measured]:
    """AUC, Gini and KS of each score beside LightGBM, and of the blend beside its parts and the blend without texts."""
    boost = {"LightGBM": boosted(lendingclub(), seed)}
    scores = {**boost, **seen.scores, "blend without texts": bare.scores["blend"]}
    priced = {"LightGBM": boosted(lendingclub(with_rate=True), seed), **rated.scores}
    made = []
    for metric, unit in ((roc_auc, "ROC AUC"), (gini, "Gini"), (ks, "KS")):
        found = areas(y, scores, [name for name in scores if name != "blend"], metric=metric, unit=unit, seed=seed)
        others = [_beside(found[name], {"LightGBM"}) for name in scores if name != "blend"]
        made += [*others, found["blend"]]
    found = areas(y, priced, ["LightGBM", "scorecard", "multimodal"], seed=seed)
    return made + [
        replace(each, what=f"{name}, the lender's rate among the columns")
        for name, each in found.items()
        if name != "LightGBM"
    ]


def _beside(figure: Measured, names: Collection[str]) -> Measured:
    """The figure beside some of its baselines only."""
    return replace(figure, baselines={name: each for name, each in figure.baselines.items() if name in names})


def gini(targets: Array, scores: Array, weight: Array | None = None) -> Array:
    return np.asarray(2 * roc_auc(targets, scores, weight) - 1)


def earned(y: Array, seen: Desk, bare: Desk, amounts: Array, seed: int) -> list[Measured]:
    """Profit by the blend at equal approval, beside the scorecard and the blend without texts, paired."""
    made = []
    pairs = {"scorecard": seen.scores["scorecard"], "blend without texts": bare.scores["blend"]}
    found = {
        name: money_by_approval({name: other, "blend": seen.scores["blend"]}, y, amounts, approved=APPROVED, seed=seed)
        for name, other in pairs.items()
    }
    for i, share in enumerate(APPROVED):
        beside = {name: Beside(*map(float, (*each.profit[name][i], *each.gained[i]))) for name, each in found.items()}
        value, low, high = map(float, found["scorecard"].profit["blend"][i])
        made.append(
            Measured(f"profit, safest {share:.0%} approved by the blend", value, low, high, "% of the amounts", beside)
        )
    return made


def run(seed: int) -> Report:
    """Three desks, each in a process of its own, and the baselines here."""
    seen, peak = alone(desk, seed)
    bare, _ = alone(desk, seed, texts=False)
    rated, _ = alone(desk, seed, rate=True)
    data, terms = lendingclub(), Terms()
    y, amounts = data.test[data.target].to_numpy(), data.test[AMOUNT].to_numpy(np.float64)
    figures = ranked(y, seen, bare, rated, seed) + earned(y, seen, bare, amounts, seed)
    figures += [Measured(f"mean |points|: {line}", size, unit="points") for line, size in seen.points.items()]
    figures += [
        Measured("loans at which the cap held", seen.capped, unit="share"),
        Measured("seconds of the fit (scorecard, evidence, blend, grades)", round(seen.seconds, 1), unit="s"),
        Measured("seconds of work in it, all threads together", round(seen.busy, 1), unit="s"),
        Measured("peak memory of the fit", peak, unit="MB"),
    ]
    return Report(
        data=f"lendingclub/loans.parquet, {len(data.frame):,} loans without grade and rate",
        split=f"issued to 2011-06 to fit ({len(data.train):,}; the blend on the last fifth of them), later to judge "
        f"({len(data.test):,})",
        figures=tuple(figures),
        notes=(
            f"the blend goes {seen.about}",
            f"with the lender's rate it goes {rated.about}",
            "LightGBM is benchmarks/baselines.py on the table; with the rate, on the table and the rate",
            f"money: {terms.margin:.0%} of the amount earned where repaid, {terms.loss_given_default:.0%} lost in a "
            f"default, the same for every loan (assumed); {amounts.sum():,.0f} dollars applied for in all",
            f"points by source: Shapley values of the evidence model's sources, {SPLIT:,} later loans drawn at random",
            f"{THREADS} thread, each desk in a process of its own, on a machine that others may be using",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
