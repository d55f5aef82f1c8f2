"""The baselines of the benchmarks: plain, and no straw men."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import baselines
from plait.data import samples


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = samples.mixed(3_000, seed=1)
    frame.loc[::10, "number1"] = np.nan
    frame.loc[::7, "category1"] = None
    return frame.iloc[:2_000], frame.iloc[2_000:].replace({"category0": {"level0": "never seen"}})


def test_each_beats_chance_by_far_with_missing_and_unseen_cells(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, test = rows
    y, truth = train["outcome"].to_numpy(float), test["outcome"].to_numpy()
    tables = [frame.drop(columns=["outcome", "note"]) for frame in rows]
    told = [baselines.joined(frame, ["note"]) for frame in rows]
    members = {
        "LightGBM": baselines.boosted(tables[0], y, tables[1], seed=0, n_jobs=1),
        "logistic": baselines.logistic(tables[0], y, tables[1]),
        "text": baselines.linear_text(told[0], y, told[1]),
    }
    for name, probabilities in members.items():
        assert ((probabilities > 0) & (probabilities < 1)).all(), name
        assert roc_auc_score(truth, probabilities) > 0.58, name
    blended = roc_auc_score(truth, baselines.blend(members))
    assert blended > max(roc_auc_score(truth, each) for each in members.values())


def test_texts_of_a_row_are_one_text() -> None:
    frame = pd.DataFrame({"a": ["one", None], "b": ["two", "three"]})
    assert baselines.joined(frame, ["a", "b"]) == ["one | two", " | three"]


def test_column_kinds_keep_the_order() -> None:
    frame = pd.DataFrame({"a": [1], "b": ["x"], "c": [0.5]})
    assert baselines.column_kinds(frame) == (["a", "c"], ["b"])
