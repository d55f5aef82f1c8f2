"""Do probabilities of default come true as often as they say, in time and in later vintages?"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pandas as pd

import plait
from benchmarks import baselines
from benchmarks.lendingclub import TEXTS
from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Batches
from plait.data.public import lendingclub
from plait.metrics.calibration import ece_floor
from plait.metrics.classification import ece, log_loss, roc_auc
from plait.metrics.intervals import Bootstrap, bootstrap

Scores = npt.NDArray[np.float64]
HELD, GIVEN = 8_000, 4_000  # rows to judge in time, and rows to calibrate on
TARGET = "charged_off"
METHODS = ("temperature", "platt", "beta", "isotonic")
BALANCED = ", balanced classes"
RESAMPLES = 300


def divided(seed: int) -> dict[str, pd.DataFrame]:
    """Rows of the training vintages at random: to fit, to calibrate on, to judge in time; and the later vintages."""
    data = lendingclub()
    frame = data.frame.drop(columns=["issue_d", "outcome_known"])
    own = frame[~np.asarray(data.split)]
    order = np.random.default_rng(seed).permutation(len(own))
    ends = HELD, HELD + GIVEN
    return {
        "held": own.iloc[order[: ends[0]]],
        "given": own.iloc[order[ends[0] : ends[1]]],
        "fit": own.iloc[order[ends[1] :]],
        "later": frame[np.asarray(data.split)],
    }


def ours(rows: dict[str, pd.DataFrame], seed: int) -> tuple[dict[str, dict[str, Scores]], list[str]]:
    """Probabilities on the rows held out and on later vintages, by way of calibration; and what auto chose."""
    found: dict[str, dict[str, Scores]] = {}
    notes = []
    given = rows["given"], rows["given"][TARGET]
    for told, weight in (("", None), (BALANCED, "balanced")):
        model = plait.Classifier(fusion="early", class_weight=weight, n_jobs=1, random_state=seed)
        model.fit(rows["fit"].drop(columns=TARGET), rows["fit"][TARGET])
        batches = {name: model.model_.batches(rows[name]) for name in ("held", "later")}
        found[f"uncalibrated{told}"] = _said(model, batches)
        if weight is None:
            model.calibrate()
            found["auto, on inner rows"] = _said(model, batches)
            notes.append(f"auto on inner rows chose {model.record_['calibration']['method']}")
        for method in ("auto", *METHODS):
            model.calibrate(*given, method=method)
            found[f"{method}{told}"] = _said(model, batches)
            if method == "auto":
                notes.append(f"auto{told} chose {model.record_['calibration']['method']}")
    return found, notes


def _said(model: plait.Classifier, batches: dict[str, Batches]) -> dict[str, Scores]:
    return {name: model.model_.fitted.predict(each).values[:, 1] for name, each in batches.items()}


def theirs(rows: dict[str, pd.DataFrame], seed: int) -> dict[str, dict[str, Scores]]:
    """LightGBM with balanced classes on the table alone, calibrated by scikit-learn on the same rows."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    table = rows["fit"].drop(columns=[TARGET, "earliest_cr_line", *TEXTS])
    numbers, others = baselines.column_kinds(table)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer(("passthrough", numbers), (codes, others)).set_output(transform="pandas")
    booster = baselines.boosted_model(seed, 1).set_params(class_weight="balanced")
    bare = make_pipeline(columns, booster).fit(rows["fit"], rows["fit"][TARGET])
    found = {f"LightGBM{BALANCED}": bare}
    for method in ("sigmoid", "isotonic"):
        wrapped = CalibratedClassifierCV(FrozenEstimator(bare), method=method)
        found[f"scikit-learn {method}{BALANCED}"] = wrapped.fit(rows["given"], rows["given"][TARGET])
    return {n: {k: m.predict_proba(rows[k])[:, 1] for k in ("held", "later")} for n, m in found.items()}


def _figures(found: Bootstrap, unit: str, against: dict[str, str], where: str) -> list[Measured]:
    made = []
    for name, other in against.items():
        value, low, high = map(float, found.interval(name))
        beside = {other: Beside(*map(float, (*found.interval(other), *found.difference(name, other))))}
        made.append(Measured(f"{name}, {where}", value, low, high, unit, beside if other != name else {}))
    return made


def run(seed: int) -> Report:
    """One division of the rows; every way of calibrating on the same fitted model."""
    rows = divided(seed)
    said, notes = ours(rows, seed)
    said |= theirs(rows, seed)
    figures = []
    against = {name: f"scikit-learn isotonic{BALANCED}" if name.endswith(BALANCED) else "uncalibrated" for name in said}
    for where, told in (("held", "in time"), ("later", "later vintages")):
        y = rows[where][TARGET].to_numpy(np.int64)
        scores = {name: each[where] for name, each in said.items()}
        floor = ece_floor(scores["uncalibrated"], seed=seed)
        figures.append(Measured(f"floor: mean ECE of a perfect model, {told}", floor.mean, unit="ECE"))
        figures.append(Measured(f"floor: its 95% quantile, {told}", floor.high, unit="ECE"))
        found = bootstrap(ece, y, scores, seed=seed, resamples=RESAMPLES, centred=True)
        figures += _figures(found, "ECE", against, told)
        losses = bootstrap(log_loss, y, scores, seed=seed, resamples=RESAMPLES)
        figures += _figures(losses, "log loss", {n: against[n] for n in ("auto", f"auto{BALANCED}")}, told)
        figures.append(Measured(f"uncalibrated, {told}", float(roc_auc(y, scores["uncalibrated"])), unit="ROC AUC"))
        figures.append(Measured(f"share charged off, {told}", float(y.mean()), unit="share"))
    return Report(
        data=f"lendingclub/loans.parquet, {sum(map(len, rows.values())):,} loans without grade, rate and date",
        split=(
            f"vintages to 2011-06 at random: {len(rows['fit']):,} to fit, {GIVEN:,} to calibrate on, {HELD:,} held out "
            f"in time; {len(rows['later']):,} of later vintages"
        ),
        figures=tuple(figures),
        notes=(
            *notes,
            "early fusion with LightGBM over table and texts; balanced classes make a model that needs calibration",
            "ECE of 10 equal-mass bins; intervals by bootstrap, shifted by the mean error of the draws",
            "the floor is the ECE of outcomes drawn from the uncalibrated model's own probabilities",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
