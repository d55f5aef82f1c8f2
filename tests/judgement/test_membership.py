"""Membership inference: a model that learned rows by heart is found out, one that learned little is not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import plait
from plait.errors import DataError
from plait.judgement.membership import MembershipReport, membership

ROWS = 400


def rows(seed: int) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(2 * ROWS, 8)), columns=list("abcdefgh"))
    return frame, pd.Series(frame["a"] + rng.normal(0, 2, 2 * ROWS) > 0, name="y").astype(int)


def attacked(learner: str, **options: object) -> MembershipReport:
    frame, y = rows(0)
    model = plait.Classifier(fusion="early", learner=learner, options={learner: options}, n_jobs=1, random_state=0)
    model.fit(frame.iloc[:ROWS], y.iloc[:ROWS])
    return membership(model, (frame.iloc[:ROWS], y.iloc[:ROWS]), (frame.iloc[ROWS:], y.iloc[ROWS:]))


def test_rows_learned_by_heart_are_found() -> None:
    found = attacked("lightgbm", trees=600, leaves=60, learning_rate=0.2, members=1, l2=0.0)
    assert found.leaks
    assert found.attacks["loss"]["auc"].low > 0.9
    assert found.attacks["loss"]["advantage"].value > 0.6
    assert found.attacks["calibrated loss"]["auc"].low > 0.7
    assert "gives members away" in str(found)


def test_a_model_of_few_numbers_tells_nothing() -> None:
    found = attacked("linear", strength=0.001)
    assert not found.leaks
    for attack in found.attacks.values():
        assert attack["auc"].low < 0.5 < attack["auc"].high
    assert "no attack surely tells members" in str(found)
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["leaks"] is False
    assert told["members"] == ROWS


def test_values_are_attacked_by_squared_error() -> None:
    frame, y = rows(1)
    target = (y + frame["b"]).rename("value")
    model = plait.Regressor(fusion="early", learner="linear", n_jobs=1).fit(frame.iloc[:ROWS], target.iloc[:ROWS])
    found = membership(model, (frame.iloc[:ROWS], target.iloc[:ROWS]), (frame.iloc[ROWS:], target.iloc[ROWS:]))
    assert found.attacks["loss"]["auc"].value == pytest.approx(0.5, abs=0.08)


def test_too_few_rows_are_refused() -> None:
    frame, y = rows(2)
    model = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(frame, y)
    with pytest.raises(DataError, match="there are 20 outsiders; a rate of 1% needs at least 100 rows"):
        membership(model, (frame, y), (frame.head(20), y.head(20)))
    with pytest.raises(DataError, match="there are 800 members but 20 targets"):
        membership(model, (frame, y.head(20)), (frame, y))
