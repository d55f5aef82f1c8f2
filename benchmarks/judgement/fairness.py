"""Is a planted bias refused, its fair counterpart let pass, and the column that carries the bias found?"""

from __future__ import annotations

import sys

from benchmarks.runner import Beside, Measured, Report, main
from plait.data import samples
from plait.data.schema import Schema
from plait.judgement.fairness import FairnessReport, fairness
from plait.metrics.shown import Span

ROWS = 3_000  # to fit, and as many to judge
SEEDS = 20
LEAST = 0.8


def report(seed: int, *, fair: bool) -> FairnessReport:
    """A model that never sees the origin or the age, judged by both."""
    import plait

    frame = samples.biased(2 * ROWS, seed, fair=fair)
    train, test = frame.iloc[:ROWS], frame.iloc[ROWS:]
    schema = Schema.infer(train, target="default", sensitive=["origin", "age"])
    model = plait.Classifier(schema=schema, fusion="early", learner="linear", n_jobs=1, random_state=seed)
    model.fit(train.drop(columns="default"), train["default"])
    return fairness(model, test, test["default"])


def figure(what: str, unit: str, biased: Span, fair: Span) -> Measured:
    return Measured(what, *biased, unit, {"fair counterpart": Beside(*fair)})


def run(seed: int) -> Report:
    """Twenty pairs of sets, of different seeds; the first in detail."""
    pairs = [(report(seed + i, fair=False), report(seed + i, fair=True)) for i in range(SEEDS)]
    first, counter = pairs[0]
    refused = [sum(bool(each.refusal(LEAST)) for each in side) for side in zip(*pairs, strict=True)]
    blamed = sum({each.name for each in biased.unfair(LEAST)} == {"origin"} for biased, _ in pairs)
    named = [
        [[p.column for p in each["origin"].proxies if p.told] for each in side] for side in zip(*pairs, strict=True)
    ]
    found = [sum("district" in columns for columns in side) for side in named]
    others = [sum(len(set(columns) - {"district", "all together"}) for columns in side) for side in named]
    origin, even = first["origin"], counter["origin"]
    told = [{proxy.column: proxy.auc for proxy in each.proxies} for each in (origin, even)]
    return Report(
        data=f"plait.samples.biased: made, {ROWS:,} rows to fit and as many to judge, {SEEDS} seeds",
        split="the second half of each set; decisions at a probability of default of .5",
        figures=(
            Measured(
                f"refused at {LEAST:g}, of {SEEDS}",
                refused[0],
                unit="runs",
                baselines={"fair counterpart": Beside(refused[1])},
            ),
            Measured("of these for the origin alone", blamed, unit="runs"),
            Measured(
                "district called a proxy", found[0], unit="runs", baselines={"fair counterpart": Beside(found[1])}
            ),
            Measured(
                "other columns called one", others[0], unit="columns", baselines={"fair counterpart": Beside(others[1])}
            ),
            figure("first seed: four-fifths ratio by origin", "ratio", origin.ratio, even.ratio),
            figure("first seed: by age", "ratio", first["age"].ratio, counter["age"].ratio),
            *(
                figure(f"first seed: {name.replace('_', ' ')}", "share", origin.figures[name], even.figures[name])
                for name in ("parity_gap", "opportunity_gap", "odds_gap")
            ),
            *(
                figure(f"first seed: origin told by {name}", "ROC AUC", told[0][name], told[1][name])
                for name in ("all together", "district", "letter")
            ),
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
