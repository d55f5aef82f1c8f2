"""``plait demo``: made loans, what each source of evidence gives alone, and what they give together."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Jobs, Seed
from plait.cli.screen import Screen, clock

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.schema import Schema
    from plait.estimators import Classifier
    from plait.metrics.evaluation import Evaluation

__all__ = ["demo"]

TARGET, TIME = "default", "issued_at"
ORACLE = "oracle"


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for what is written.")] = Path(
        "plait-demo"
    ),
    rows: Annotated[int, typer.Option(min=400, help="Loans to make.")] = 4000,
    seed: Seed = 0,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """See what each kind of evidence gives, alone and together.

    Makes loans, fits each source alone and all of them, and draws the outcome. Needs no data; takes under a minute.
    """
    from plait.data import samples
    from plait.data.schema import Schema
    from plait.data.splits import split

    screen = Screen(as_json)
    started = perf_counter()
    loans = samples.loans(rows, seed)
    train, test = split(loans, time=TIME)
    schema = Schema.infer(train, target=TARGET, time=TIME)
    screen.say(
        f"{rows:,} made loans: who will default? {len(train):,} older ones to learn from, {len(test):,} later ones to "
        "be judged by.\nEach has evidence of several kinds:"
    )
    screen.table([("source", "columns"), *((s.name, ", ".join(s.columns)) for s in schema.sources)])
    alone = {source.name: _only(train, schema, source.name) for source in schema.sources}
    with screen.progress() as progress:
        fitted = {
            name: _classifier(each, seed, jobs).fit(train.drop(columns=TARGET), train[TARGET], progress=progress)
            for name, each in {**alone, "all": schema}.items()
        }
    evaluation = _compare(fitted, test, samples.loans_oracle(rows, seed))
    _tell(screen, evaluation, list(alone))
    fitted["all"].save(output / "loans.plait")
    pictures = _draw(evaluation, output)
    seconds = perf_counter() - started
    screen.say(f"\nmodel and pictures are in {output} ({clock(seconds)})")
    screen.say(
        f"next: plait list; plait inspect YOUR.csv; plait fit YOUR.csv --target COLUMN -o {output.parent / 'run'}"
    )
    auc = evaluation["roc_auc"]
    found = {**{name: each.value for name, each in auc.baselines.items()}, "all": auc.value}
    screen.result({"rows": rows, "seed": seed, "roc_auc": found, "files": pictures, "seconds": round(seconds, 1)})


def _only(train: pd.DataFrame, schema: Schema, name: str) -> Schema:
    """The schema with one source left."""
    from plait.data.schema import Schema

    others = [column for source in schema.sources if source.name != name for column in source.columns]
    return Schema.infer(train, target=TARGET, time=TIME, ignore=others)


def _classifier(schema: Schema, seed: int, jobs: int | None) -> Classifier:
    from plait.estimators import Classifier

    return Classifier(schema=schema, n_jobs=jobs, random_state=seed)


def _compare(fitted: dict[str, Classifier], test: pd.DataFrame, truth: pd.DataFrame) -> Evaluation:
    """All models on the same later loans, beside the probabilities that the outcomes were drawn with."""
    import numpy as np

    from plait.contracts import Prediction
    from plait.metrics.evaluation import evaluate

    classes = fitted["all"].classes_
    said = {name: Prediction("class", model.predict_proba(test), classes) for name, model in fitted.items()}
    probability = truth["probability"].to_numpy()[-len(test) :]  # loans are made in order of time
    together = said.pop("all")
    oracle = Prediction("class", np.column_stack([1 - probability, probability]), classes)
    return evaluate(together, test[TARGET].to_numpy(), baselines={**said, ORACLE: oracle})


def _tell(screen: Screen, evaluation: Evaluation, sources: list[str]) -> None:
    auc = evaluation["roc_auc"]
    screen.heading("ROC AUC on the later loans (.5 is guessing)")
    shown = [
        (
            f"{name} alone",
            f"{auc.baselines[name].value:.3f}",
            _interval(auc.baselines[name].low, auc.baselines[name].high),
        )
        for name in sources
    ]
    shown.append(("all together", f"{auc.value:.3f}", _interval(auc.low, auc.high)))
    shown.append(("oracle (the truth that drew the outcomes)", f"{auc.baselines[ORACLE].value:.3f}", ""))
    screen.table([("evidence", "AUC", "95% interval"), *shown])
    best = max(sources, key=lambda name: auc.baselines[name].value)
    gain = auc.baselines[best]
    screen.say(
        f"\nTogether they beat the best one alone ({best}) by {gain.difference:.3f} "
        f"({_interval(gain.difference_low, gain.difference_high)}, paired).\n"
        "No model can do better than the oracle but by luck."
    )
    screen.heading("every metric, beside each source alone")
    screen.say(str(evaluation))


def _interval(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"


def _draw(evaluation: Evaluation, folder: Path) -> list[str]:
    from plait.report.curves import draw

    return [str(path) for path in draw(evaluation, folder)]
