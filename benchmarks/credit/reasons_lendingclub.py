"""Reasons for declines of LendingClub's applications: do the cells that they name account for the decline?"""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.credit.reasons import gaps
from benchmarks.runner import Report, main
from plait.data.public import lendingclub
from plait.data.schema import Schema
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.reasons.decided import Decided
from plait.desks.credit.reasons.find import barred, reasons_of
from plait.desks.credit.reasons.search import candidates

FITTED, JUDGED, EXPLAINED = 8_000, 4_000, 500
APPROVED = 0.6
LEFT_OUT = ["outcome_known", "emp_title", "zip_code"]
CONFIG = {"evidence": {"fusion": "early", "learner": "lightgbm"}}


def run(seed: int) -> Report:
    """A desk fitted on the last training vintages; of the first test loans the safest 60% are approved."""
    data = lendingclub()
    train, test = (part.drop(columns=LEFT_OUT, errors="ignore") for part in (data.train, data.test))
    past, later = train.tail(FITTED).reset_index(drop=True), test.head(JUDGED).reset_index(drop=True)
    schema = Schema.infer(past, target=data.target, time=data.time)
    model = fit_credit(past, past[data.target], schema=schema, config=Config.of(CONFIG), seed=seed, n_jobs=1)
    everyone = Decided.of(model, later)
    goal = float(np.quantile(everyone.prediction, APPROVED))
    declined = np.flatnonzero(everyone.prediction > goal)
    chosen = np.random.default_rng([seed, 4]).choice(declined, min(EXPLAINED, len(declined)), replace=False)
    some = everyone.take(np.sort(chosen))
    start = time.perf_counter()
    told = reasons_of(some, cut_off=goal, places=())
    seconds = time.perf_counter() - start
    assert model.typical is not None
    among = candidates(some, model.typical, model.config.reasons, barred(model))
    groups = [each.columns for each in among if len(each.columns) > 1]
    named = np.mean([len(each.reasons) for each in told])
    return Report(
        data=f"LendingClub 2007-2011: applications with texts ({len(schema.sources)} sources), without grade and rate",
        split=f"{FITTED:,} loans to fit; of the {JUDGED:,} that follow, the {APPROVED:.0%} safest by the model are "
        f"approved, {len(told):,} of the declined explained",
        figures=gaps(some, told, among, goal, seed),
        notes=(
            f"{len(among)} candidates, of which {len(groups)} stand for several columns that say the same "
            f"({'; '.join(', '.join(group) for group in groups) or 'none'}); {named:.2f} reasons named on average",
            f"{1000 * seconds / len(told):.0f} ms an application, without places",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
