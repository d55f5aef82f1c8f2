"""A source that tells the label at once hides one that tells it too: what brings the hidden one back?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array
from plait.metrics.classification import roc_auc

FIT, JUDGE, SEEDS = 3000, 2000, 5
SMALL = {"width": 32, "layers": 1, "heads": 2, "batch_size": 64, "epochs": 12}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {"masking": 0.0},
    "masking, as usual (0.15)": {},
    "modulation alone": {"masking": 0.0, "balance": "modulation"},
    "alternation alone": {"masking": 0.0, "balance": "alternation"},
    "masking by a ramp": {"masking": "ramp"},
    "masking by lead": {"masking": "adaptive"},
    "masking by lead, and alternation": {"masking": "adaptive", "balance": "alternation"},
}
HIDDEN_ALONE = "series alone, as a model of its own"


def run(seed: int) -> Report:
    """Every way on five seeds of data and training, judged with both sources and without the strong one's word."""
    found: dict[str, list[list[float]]] = {name: [] for name in (*WAYS, HIDDEN_ALONE)}
    for each in range(seed, seed + SEEDS):
        frame = made(FIT + JUDGE, each)
        for name, options in WAYS.items():
            found[name].append(judged(frame, ["score", "other", "balance"], options, each))
        found[HIDDEN_ALONE].append(judged(frame, ["balance"], {}, each))
        print(f"seed {each}: " + "; ".join(f"{n} {np.round(v[-1], 3)}" for n, v in found.items()))
    return Report(
        data="made rows: a number that tells the label (AUC about .92), and a series of 16 steps with a wave, up or "
        f"down, somewhere in noise, that tells it in 95% of the rows; seeds {seed} to {seed + SEEDS - 1}",
        split=f"{FIT:,} rows to fit, {JUDGE:,} to judge, each seed's own",
        figures=tuple(
            figure(name, where, [row[i] for row in rows], [row[i] for row in found["plain"]])
            for i, where in enumerate(("both sources", "strong source absent", "strong source at random"))
            for name, rows in found.items()
            if not (name == HIDDEN_ALONE and i == 0)
        ),
        notes=(
            "intervals: Student's t over the seeds, of the values and of the paired differences",
            "options were chosen on seeds 100 and above",
        ),
    )


def made(rows: int, seed: int) -> pd.DataFrame:
    """`score` tells `label` at once, `balance` by a wave that has to be found, `other` not at all."""
    rng = np.random.default_rng([seed, 7])
    label = rng.integers(0, 2, rows)
    up = np.where(rng.random(rows) < 0.95, label, 1 - label) * 2 - 1
    steps, at = rng.normal(size=(rows, 16)), rng.integers(0, 10, rows)
    wave = 3.5 * np.array([1, 1, 1, -1, -1, -1])
    steps[np.arange(rows)[:, None], at[:, None] + np.arange(6)] += up[:, None] * wave
    score = 2 * label - 1 + 0.7 * rng.normal(size=rows) * 2**0.5
    return pd.DataFrame(
        {"score": score, "other": rng.normal(size=rows), "balance": list(steps.astype(np.float32)), "label": label}
    )


def judged(frame: pd.DataFrame, columns: list[str], options: Mapping[str, Any], seed: int) -> list[float]:
    """AUC with all there is, with the table absent, and with its number drawn at random."""
    import plait

    fit, rest = frame[:FIT], frame[FIT:]
    model = plait.Classifier(
        fusion="attention", n_jobs=1, random_state=seed, options={"attention": {**SMALL, **options}}
    ).fit(fit[columns], fit["label"])
    absent = rest.assign(score=np.nan, other=np.nan)
    random = rest.assign(score=np.random.default_rng(seed).permutation(rest["score"]))
    labels: Array = rest["label"].to_numpy()
    return [float(roc_auc(labels, model.predict_proba(rows[columns])[:, 1])) for rows in (rest, absent, random)]


def figure(name: str, where: str, values: Sequence[float], plain: Sequence[float]) -> Measured:
    """The mean over seeds, beside plain training on the same ones."""
    value, low, high = around(np.asarray(values))
    beside = {}
    if name != "plain":
        beside["plain"] = Beside(*around(np.asarray(plain)), *around(np.asarray(values) - np.asarray(plain)))
    return Measured(f"{where}: {name}", value, low, high, "ROC AUC", beside)


def around(values: Array) -> tuple[float, float, float]:
    """Mean, and its 95% interval by Student's t."""
    mean = float(values.mean())
    wide = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return mean, mean - wide, mean + wide


if __name__ == "__main__":
    sys.exit(main(run))
