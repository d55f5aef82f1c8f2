"""Made payment histories: what does their order tell beyond what counts, sums and recency do?"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pandas as pd

import plait
from benchmarks import baselines
from benchmarks.runner import Report, areas, main
from plait.data import samples
from plait.metrics.classification import roc_auc

Scores = npt.NDArray[np.float64]
ROWS, TEST = 3_000, 2_000
THREADS = 1
FUSIONS = ("early", "attention")
COMMON = ("salary", "rent", "returned", "gambling", "cash", "topup", "shop")


def summaries(frame: pd.DataFrame) -> pd.DataFrame:
    """What an analyst writes first: of all records and of each kind their number, sum, mean and largest amount, in the
    last 30 days too, and the days since the last one; and the number of merchants."""
    rows = []
    for moment, cell in zip(frame["reviewed_at"], frame["payments"], strict=True):
        told: dict[str, float] = {}
        records = cell or []
        age = np.array([(moment - record["time"]).total_seconds() / 86_400 for record in records])
        amount = np.array([record["amount"] for record in records])
        kind = np.array([record["kind"] for record in records], object)
        for name in ("", *COMMON):
            of = kind == name if name else np.ones(len(records), bool)
            for label, chosen in (("", of), ("_30d", of & (age <= 30) if len(records) else of)):
                own = amount[chosen]
                told[f"{name}_count{label}"] = len(own)
                told[f"{name}_sum{label}"] = own.sum()
                told[f"{name}_mean{label}"] = own.mean() if len(own) else np.nan
                told[f"{name}_max{label}"] = own.max() if len(own) else np.nan
            told[f"{name}_recency"] = age[of].min() if of.any() else np.nan
        told["merchants"] = len({record["merchant"] for record in records})
        rows.append(told if records else dict.fromkeys(told, np.nan))
    return pd.DataFrame(rows)


def ours(train: pd.DataFrame, test: pd.DataFrame, fusion: str, seed: int) -> Scores:
    """Probabilities of the room through one fusion."""
    model = plait.Classifier(fusion=fusion, time="reviewed_at", n_jobs=THREADS, random_state=seed)
    model.fit(train.drop(columns="default"), train["default"])
    return np.asarray(model.predict_proba(test)[:, 1])


def run(seed: int) -> Report:
    """Past to future: the last rows are judged; the fusion is chosen on the last fifth of the training rows."""
    frame = samples.payments(ROWS + TEST, seed)
    train, test = frame.iloc[:ROWS], frame.iloc[ROWS:]
    y, truth = train["default"].to_numpy(), test["default"].to_numpy()
    inner = ROWS * 4 // 5
    found = {
        fusion: float(roc_auc(y[inner:], ours(train.iloc[:inner], train.iloc[inner:], fusion, seed)))
        for fusion in FUSIONS
    }
    chosen = max(found, key=lambda fusion: found[fusion])
    known, asked = summaries(train), summaries(test)
    scores = {
        f"events room, {chosen} fusion": ours(train, test, chosen, seed),
        "LightGBM on summaries": baselines.boosted(known, y, asked, seed=seed, n_jobs=THREADS),
        "logistic on summaries": baselines.logistic(known, y, asked),
        "the truth": samples.payments_oracle(ROWS + TEST, seed)["probability"].to_numpy()[ROWS:],
    }
    figures = areas(truth, scores, ["LightGBM on summaries", "logistic on summaries"], seed=seed)
    told = ", ".join(f"{fusion} {area:.4f}" for fusion, area in found.items())
    return Report(
        data=f"plait.samples.payments: made, {ROWS:,} rows to fit, {TEST:,} to judge; 5% of the histories missing",
        split="past to future",
        figures=tuple(figures.values()),
        notes=(f"the fusion was chosen by its ROC AUC on the last fifth of the training rows: {told}",),
    )


if __name__ == "__main__":
    sys.exit(main(run))
