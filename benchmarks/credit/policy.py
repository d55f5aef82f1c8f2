"""Does a cut-off by cost earn more later, what does the evidence swap in, and which reject inference comes true?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array
from plait.data import samples
from plait.data.public import lendingclub
from plait.data.schema import Schema
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.policy.cutoff import CutOffReport, Money, choose, compare, settle
from plait.desks.credit.policy.reject import RejectReport, reject_inference
from plait.desks.credit.policy.swaps import SwapReport, swap_sets
from plait.metrics.shown import Span

MARGIN, LGD = 0.10, 0.60  # of the amount: earned on a good loan, lost on a bad one (assumed)
AMOUNT = "loan_amnt"
ROWS, SEEDS = 8_000, 5  # of the made test of reject inference
COLUMNS = ["income", "amount", "term", "purpose", "employment_years", "region"]


def lending(seed: int) -> tuple[CutOffReport, SwapReport, str, str]:
    """One desk, fitted on four fifths of the training vintages; the last fifth chooses the cut-off, the test judges."""
    data = lendingclub()
    train, test = (part.drop(columns="outcome_known") for part in (data.train, data.test))
    cut = int(0.8 * len(train))
    fitting, choosing = train.iloc[:cut], train.iloc[cut:]
    config = Config.of({"evidence": {"fusion": "late"}})
    model = fit_credit(fitting, fitting[data.target], time=data.time, config=config, seed=seed, n_jobs=1)
    scores = [model.score(rows) for rows in (choosing, test)]
    bad = [rows[data.target].to_numpy(np.float64) for rows in (choosing, test)]
    money = [Money(MARGIN, LGD, amounts=rows[AMOUNT].to_numpy(np.float64)) for rows in (choosing, test)]
    chosen = choose(scores[0].pd, bad[0], money[0], seed=seed)
    chance = scores[1].pd
    cuts = {
        "every loan made": 1.0,
        "one half": 0.5,
        f"implied by the costs ({chosen.implied:.4f})": chosen.implied,
        f"chosen on the fifth before ({chosen.chosen:.4f})": chosen.chosen,
    }
    done = {name: settle(chance, at).action for name, at in cuts.items()}
    done["implied, capacity for half"] = settle(chance, chosen.implied, capacity=0.5).action
    rules = compare(done, chance, bad[1], money=money[1], seed=seed)
    card = model.points.log_odds(scores[1].scorecard)
    swaps = swap_sets(
        card,
        scores[1].log_odds,
        bad[1],
        old_cut=float(np.quantile(card, 0.7)),
        money=money[1],
        names=("scorecard", "blend"),
        seed=seed,
    )
    split = f"{len(fitting):,} loans to fit, {len(choosing):,} after them to choose on, {len(test):,} later to judge"
    return rules, swaps, split, f"{100 * rules.bad_rate:.1f}% of these were charged off"


def declined(seed: int, reads: Sequence[str]) -> tuple[RejectReport, float]:
    """Applications of which an old model that read some columns declined 40%, and how many of these were bad in truth.

    The old model was fitted on other applications; people overruled one decision in ten.
    """
    frame = samples.loans(2 * ROWS, seed)
    rng = np.random.default_rng([seed, 0xDEC1])
    past, now = frame.iloc[:ROWS], frame.iloc[ROWS:].reset_index(drop=True)
    bad = [part["default"].to_numpy(np.float64) for part in (past, now)]
    risk = fitted(past, bad[0], np.ones(ROWS), reads)(now)
    accepted = (risk <= np.quantile(risk, 0.6)) ^ (rng.random(ROWS) < 0.1)
    found = reject_inference(
        lambda rows, outcome, weight: fitted(rows, outcome, weight, COLUMNS),
        now[accepted],
        bad[1][accepted],
        now[~accepted],
        factors=(1.0, 1.5, 2.0),
        seed=seed,
    )
    return found, float(bad[1][~accepted].mean())


def fitted(frame: pd.DataFrame, bad: Array, weight: Array, columns: Sequence[str]) -> Callable[[pd.DataFrame], Array]:
    """A linear model of some columns."""
    import plait

    schema = Schema.infer(frame[list(columns)])
    model = plait.Classifier(schema=schema, fusion="early", learner="linear", n_jobs=1, random_state=0)
    model.fit(frame[list(columns)], bad, weight)
    return lambda rows: np.asarray(model.predict_proba(rows[list(columns)])[:, 1])


def run(seed: int) -> Report:
    """LendingClub by cost and swap sets, then made applications whose declined are known."""
    rules, swaps, split, about = lending(seed)
    figures = [_rule(name, rules) for name in list(rules.outcomes)[1:]]
    figures += [_cell(name, swaps) for name in swaps.cells]
    figures += [
        Measured("blend instead of scorecard: bad rate of the approved", *_hundred(swaps.bad_rate), "points of a %"),
        Measured("blend instead of scorecard: profit of an application", *swaps.profit, "USD"),
    ]
    mechanisms = {"what the model reads": COLUMNS, "the letter and the account, too": [*COLUMNS, "letter", "balance"]}
    told = {name: [declined(seed + i, reads) for i in range(SEEDS)] for name, reads in mechanisms.items()}
    for at, assumed in enumerate(next(iter(told.values()))[0][0].assumed):
        errors = [[100 * (r.assumed[at].declined - truth) for r, truth in each] for each in told.values()]
        beside = {"declined by the letter and the account, too": Beside(float(np.mean(errors[1])))}
        figures.append(
            Measured(
                f"PD of the declined minus their bad rate, {assumed.name}",
                float(np.mean(errors[0])),
                min(errors[0]),
                max(errors[0]),
                "points of a %",
                beside,
            )
        )
    truths = [np.mean([truth for _, truth in each]) for each in told.values()]
    return Report(
        data="LendingClub 2007-2011 with texts, without grade and rate; plait.samples.loans: made",
        split=split,
        figures=tuple(figures),
        notes=(
            about,
            f"a good loan earns {MARGIN:.0%} of its amount and a bad one loses {LGD:.0%} (assumed); profit is that of "
            "an application, in USD, 0 where it is declined",
            "swap sets: the scorecard approves 70%, the blend as many",
            f"reject inference: {ROWS:,} applications a seed, {SEEDS} seeds (lowest to highest), 40% declined by a "
            "model fitted on others, one decision in ten overruled; the model in question reads the table alone. First "
            "figure: the old model read the same columns; beside it: it read letter and account, too. Bad rate of the "
            f"declined: {truths[0]:.1%} and {truths[1]:.1%}",
        ),
    )


def _rule(name: str, rules: CutOffReport) -> Measured:
    base, *_ = rules.outcomes
    own, first = rules.outcomes[name], rules.outcomes[base]
    assert own.profit is not None
    assert own.beyond is not None
    assert first.profit is not None
    what = f"{name}: profit of an application, {own.approved.value:.1%} approved, {own.bad_rate.value:.1%} of them bad"
    return Measured(what, *own.profit, "USD", {base: Beside(*first.profit, *own.beyond)})


def _cell(name: str, swaps: SwapReport) -> Measured:
    cell = swaps.cells[name]
    return Measured(f"{name} ({cell.rows:,} loans): charged off", *_hundred(cell.bad_rate), "%")


def _hundred(span: Span) -> tuple[float, float, float]:
    return 100 * span.value, 100 * span.low, 100 * span.high


if __name__ == "__main__":
    sys.exit(main(run))
