"""Loans of LendingClub, judged on later vintages: what does fusing table and words give beyond the usual models?"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import baselines
from benchmarks.runner import Measured, Report, alone, areas, main
from plait.data.public import Dataset, lendingclub

Scores = npt.NDArray[np.float64]
TEXTS = ("desc", "title", "emp_title")
FUSIONS = {"early/linear": ("early", "linear"), "early/lightgbm": ("early", "lightgbm")}
FUSIONS |= {name: (name, None) for name in ("late", "attention", "auto")}
THREADS = 2
PLAIN = ("LightGBM", "logistic", "TF-IDF logistic", "their blend")


@dataclass(frozen=True)
class Fit:
    """What a fit in a process of its own says of the test rows: scores of the whole and of each part, and seconds."""

    scores: Scores
    parts: dict[str, Scores]
    seconds: float


def fit(name: str, seed: int, columns: str = "all", known: bool = False) -> Fit:
    """Fit one fusion on the training rows and score the test rows.

    Parameters
    ----------
    columns
        ``"all"``, ``"table"`` (without the texts) or ``"text"``.
    known
        Only rows whose outcome was known when the first test loan was issued, and `label_time` respected within.
    """
    import plait
    from plait.evidence import View

    data = lendingclub()
    frame = data.frame.drop(columns=_left_out(data.frame, columns))
    train, test = divided(replace(data, frame=frame), known)
    fusion, learner = FUSIONS[name]
    model = plait.Classifier(
        fusion=fusion,
        learner=learner,
        time=data.time,
        label_time=data.label_time if known else None,
        n_jobs=THREADS,
        random_state=seed,
    )
    late = [] if known else ["outcome_known"]
    start = perf_counter()
    model.fit(train.drop(columns=[data.target, *late]), train[data.target])
    seconds = perf_counter() - start
    fitted = model.model_.fitted
    view = View(model.model_.batches(test), model.model_.rooms)
    parts = {part.name: part.score(member, view)[:, 0] for part, member in getattr(fitted, "parts", ())}
    return Fit(fitted.score(view)[:, 0], parts, seconds)


def _left_out(frame: pd.DataFrame, columns: str) -> list[str]:
    roles = {"issue_d", "outcome_known", "charged_off"}
    left = {"all": set(), "table": set(TEXTS), "text": set(frame.columns) - roles - set(TEXTS)}
    return sorted(left[columns])


def divided(data: Dataset, known: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test rows; with `known`, only training rows whose outcome was known at the cut."""
    train, test = data.train, data.test
    return (train[train["outcome_known"] < test["issue_d"].min()] if known else train), test


def tabular(frame: pd.DataFrame) -> pd.DataFrame:
    """What the plain baselines read of the table: all but texts and roles, the first credit line as an age in years."""
    age = (frame["issue_d"] - frame["earliest_cr_line"]).dt.days / 365.25
    dropped = ["issue_d", "outcome_known", "earliest_cr_line", "charged_off", *TEXTS]
    return frame.drop(columns=dropped).assign(credit_age=age)


def plain(known: bool, seed: int) -> dict[str, Scores]:
    """Log-odds of the plain baselines on the test rows."""
    train, test = divided(lendingclub(), known)
    y = train["charged_off"].to_numpy(np.float64)
    tables = [tabular(frame) for frame in (train, test)]
    told = [baselines.joined(frame, TEXTS) for frame in (train, test)]
    members = {
        "LightGBM": baselines.boosted(tables[0], y, tables[1], seed=seed, n_jobs=THREADS),
        "logistic": baselines.logistic(tables[0], y, tables[1]),
        "TF-IDF logistic": baselines.linear_text(told[0], y, told[1]),
    }
    return {name: baselines.logits(each) for name, each in members.items()} | {"their blend": baselines.blend(members)}


def judged(fits: dict[str, Fit], known: bool, seed: int) -> list[Measured]:
    """AUC of each fit beside the plain baselines, and of auto beside its own best part."""
    _, test = divided(lendingclub(), known)
    y = test["charged_off"].to_numpy()
    scores = {**{name: each.scores for name, each in fits.items()}, **plain(known, seed)}
    found = areas(y, scores, PLAIN, seed=seed)
    return [found[name] for name in fits]


def own_parts(auto: Fit, seed: int) -> Measured:
    """AUC of auto beside each of its parts, the best of them as the test rows tell."""
    y = lendingclub().test["charged_off"].to_numpy()
    found = areas(y, {"auto": auto.scores, **auto.parts}, list(auto.parts), seed=seed)
    best = max(auto.parts, key=lambda name: found[name].value or 0)
    return replace(
        found["auto"],
        what=f"auto beside its own best part ({best})",
        baselines={"best part": found["auto"].baselines[best]},
    )


def run(seed: int) -> Report:
    """Fit every fusion in a process of its own, and the baselines here."""
    peaks: dict[str, int] = {}
    fits: dict[str, Fit] = {}
    for name in FUSIONS:
        fits[name], peaks[name] = alone(fit, name, seed)
    fits["auto, table alone"], _ = alone(fit, "auto", seed, "table")
    fits["auto, text alone"], _ = alone(fit, "auto", seed, "text")
    known, _ = alone(fit, "auto", seed, known=True)
    data = lendingclub()
    rows = len(divided(data, True)[0])
    figures = judged(fits, False, seed)
    figures += judged({"auto, outcomes known at the cut": known}, True, seed)
    figures.append(own_parts(fits["auto"], seed))
    figures += [
        Measured(f"seconds of the whole fit, {name}", round(fits[name].seconds, 1), unit="s") for name in FUSIONS
    ]
    figures += [Measured(f"peak memory, {name}", peaks[name], unit="MB") for name in FUSIONS]
    return Report(
        data=f"lendingclub/loans.parquet, {len(data.frame):,} loans without grade and rate",
        split=f"issued to 2011-06 to fit ({len(data.train):,}), later to judge ({len(data.test):,})",
        figures=tuple(figures),
        notes=(
            data.notes,
            "the baselines are plain scikit-learn and LightGBM (benchmarks/baselines.py); the blend is the mean of the "
            "log-odds of the other three",
            "the best part is chosen by the test rows, in its favour",
            f"outcomes known at the cut: {rows:,} training loans, for the baselines too",
            f"{THREADS} threads; seconds and memory of a process of its own, which also reads the file",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
