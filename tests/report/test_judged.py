"""Drawings of fairness, drift and robustness: one file each, also of what is undefined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import plait
from plait.judgement.drift import drift
from plait.judgement.fairness import fairness
from plait.judgement.robustness import robustness
from plait.report.judged import draw_drift, draw_fairness, draw_robustness


@pytest.fixture(scope="module")
def fitted() -> tuple[plait.Classifier, pd.DataFrame]:
    frame = plait.samples.biased(400, 0).drop(columns="letter")
    schema = plait.Schema.infer(frame, target="default", sensitive=["origin", "age"])
    model = plait.Classifier(schema=schema, fusion="early", learner="linear", n_jobs=1, random_state=0)
    return model.fit(frame.drop(columns="default"), frame["default"]), frame


def names(paths: tuple[Path, ...]) -> list[str]:
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    return [path.name for path in paths]


def test_fairness_is_drawn_also_of_one_group(fitted: tuple[plait.Classifier, pd.DataFrame], tmp_path: Path) -> None:
    model, frame = fitted
    report = fairness(model, frame.assign(age=30.0), frame["default"], proxies=False)
    assert names(draw_fairness(report, tmp_path)) == ["fairness_1.png", "fairness_curve_1.png", "fairness_2.png"]


def test_drift_is_drawn_with_what_drifted(fitted: tuple[plait.Classifier, pd.DataFrame], tmp_path: Path) -> None:
    model, frame = fitted
    report = drift(frame.head(200), frame.tail(200).assign(income=1e5, district="$new 区"), model=model)
    assert names(draw_drift(report, tmp_path)) == ["drift.png", "drift_1.png", "drift_2.png"]
    same = drift(frame, frame.sample(frac=1, random_state=0), schema=model.schema_)
    assert names(draw_drift(same, tmp_path)) == ["drift.png"]


def test_robustness_is_drawn_by_stress(fitted: tuple[plait.Classifier, pd.DataFrame], tmp_path: Path) -> None:
    model, frame = fitted
    found = robustness(model, frame, frame["default"], stresses=["sources", "numbers"])
    assert names(draw_robustness(found, tmp_path)) == ["hidden.png", "stress_numbers.png"]
    assert np.isfinite(found.clean.value)
