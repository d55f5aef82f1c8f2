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

JUDGE, SEEDS = 2000, 5
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
SIZES = {
    1500: (*WAYS, HIDDEN_ALONE),
    3000: ("plain", "masking, as usual (0.15)", "alternation alone", "masking by lead"),
}
BASELINES = ("plain", "masking, as usual (0.15)", "modulation alone")
WHERE = ("both sources", "strong source absent", "strong source at random")


def run(seed: int) -> Report:
    """Every way on five seeds of data and training, judged with both sources and without the strong one's word."""
    found: dict[tuple[int, str], list[list[float]]] = {(n, name): [] for n, names in SIZES.items() for name in names}
    for (rows, name), values in found.items():
        for each in range(seed, seed + SEEDS):
            columns = ["balance"] if name == HIDDEN_ALONE else ["score", "other", "balance"]
            values.append(judged(made(rows + JUDGE, each), columns, WAYS.get(name, {}), each))
        print(f"{rows} rows, {name}: {np.round(values, 3).tolist()}")
    return Report(
        data="made rows: a number that tells the label (AUC about .92), and a series of 16 steps with a wave, up or "
        f"down, somewhere in noise, that tells it in 95% of the rows; seeds {seed} to {seed + SEEDS - 1}",
        split=f"{' and '.join(f'{rows:,}' for rows in SIZES)} rows to fit, {JUDGE:,} to judge, each seed's own",
        figures=tuple(
            figure(
                f"{rows:,} rows, {where}: {name}",
                [v[i] for v in values],
                {b: [v[i] for v in found[rows, b]] for b in BASELINES if b != name and (rows, b) in found},
            )
            for i, where in enumerate(WHERE)
            for (rows, name), values in found.items()
            if not (name == HIDDEN_ALONE and i != 1)
        ),
        notes=(
            "intervals: Student's t over the seeds, of the values and of the paired differences",
            "rows and options were chosen on seeds 100 to 105",
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

    fit, rest = frame[:-JUDGE], frame[-JUDGE:]
    model = plait.Classifier(
        fusion="attention", n_jobs=1, random_state=seed, options={"attention": {**SMALL, **options}}
    ).fit(fit[columns], fit["label"])
    absent = rest.assign(score=np.nan, other=np.nan)
    random = rest.assign(score=np.random.default_rng(seed).permutation(rest["score"]))
    labels: Array = rest["label"].to_numpy()
    return [float(roc_auc(labels, model.predict_proba(rows[columns])[:, 1])) for rows in (rest, absent, random)]


def figure(what: str, values: Sequence[float], baselines: Mapping[str, Sequence[float]]) -> Measured:
    """The mean over seeds, beside baselines on the same ones."""
    beside = {
        name: Beside(*around(np.asarray(other)), *around(np.asarray(values) - np.asarray(other)))
        for name, other in baselines.items()
    }
    return Measured(what, *around(np.asarray(values)), "ROC AUC", beside)


def around(values: Array) -> tuple[float, float, float]:
    """Mean, and its 95% interval by Student's t."""
    mean = float(values.mean())
    wide = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)
    return mean, mean - wide, mean + wide


if __name__ == "__main__":
    sys.exit(main(run))
