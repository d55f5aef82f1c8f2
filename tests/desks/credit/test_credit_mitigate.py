"""The search for less discriminatory alternatives, and reject inference, with learners that take no time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from plait.data import samples
from plait.desks.credit.policy.mitigate import Sample, Way, draw_front, prices, reweighed, search, ways_of
from plait.desks.credit.policy.reject import reject_inference
from plait.errors import ConfigError, DataError


def sample(frame: pd.DataFrame) -> Sample:
    groups = {"origin": (frame["origin"] == "B").to_numpy(np.int64)}
    return Sample(frame, frame["default"].to_numpy(float), groups, np.ones(len(frame)))


def logistic(frame: pd.DataFrame, bad: np.ndarray, weight: np.ndarray, columns: Sequence[str]) -> Callable:
    """A logistic model of some columns."""

    def table(rows: pd.DataFrame) -> np.ndarray:
        made = pd.get_dummies(rows[list(columns)]).reindex(columns=names, fill_value=0).to_numpy(float)
        return (made - centre) / scale

    names = pd.get_dummies(frame[list(columns)]).columns
    values = pd.get_dummies(frame[list(columns)]).to_numpy(float)
    centre, scale = values.mean(0), values.std(0) + 1e-9
    model = LogisticRegression(max_iter=500).fit(table(frame), bad, weight)
    return lambda rows: model.predict_proba(table(rows))[:, 1]


COLUMNS = ("income", "amount", "late_payments", "district")


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = samples.biased(5_000, 1)
    return frame.iloc[:3_000], frame.iloc[3_000:]


def test_the_best_alternative_that_passes_is_chosen(rows: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    train, valid = map(sample, rows)
    found = search(
        lambda without, weight: logistic(train.frame, train.bad, weight, [c for c in COLUMNS if c not in without]),
        train,
        valid,
        ways_of(["district"], (0.5, 0.9)),
        approve=lambda _, chance: chance <= 0.35,
        resamples=50,
    )
    base, blind, half, strong = found.tried
    assert base.worst < half.worst < strong.worst
    assert base.worst < 0.6
    assert blind.worst > 0.85
    assert base.cost.value == 0
    assert half.cost.value > strong.cost.value
    sure = [each for each in found.tried if each.ratios["origin"].low >= 0.8]
    assert found.best == max(sure, key=lambda each: each.roc_auc.value)
    assert found.best.sure
    assert not half.passes
    front = found.front()
    assert front[0] == 0
    assert [found.tried[i].worst for i in front] == sorted(found.tried[i].worst for i in front)
    assert draw_front(found, tmp_path)[0].read_bytes().startswith(b"\x89PNG")
    json.dumps(found.to_json(), allow_nan=False)
    assert "* ranks best of those that surely" in str(found)


def test_a_way_by_which_nothing_can_be_learned_is_told(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, valid = map(sample, rows)

    def fit(without: Sequence[str], weight: np.ndarray) -> Callable:
        if without:
            raise DataError("no variable is left")
        return logistic(train.frame, train.bad, weight, COLUMNS)

    found = search(fit, train, valid, ways_of(["district"], ()), approve=lambda _, chance: chance <= 0.35, resamples=0)
    assert len(found.tried) == 1
    assert "without district: no variable is left" in str(found)


def test_none_passes_where_too_much_is_asked(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    train, valid = map(sample, rows)

    def fit(without: Sequence[str], weight: np.ndarray) -> Callable:
        return logistic(train.frame, train.bad, weight, COLUMNS)

    found = search(fit, train, valid, [Way()], approve=lambda _, chance: chance <= 0.35, resamples=0)
    assert found.best is None
    assert "no way reaches" in str(found)
    with pytest.raises(ConfigError, match="as it is"):
        search(fit, train, valid, ways_of([])[1:], approve=lambda _, chance: chance <= 0.35)
    with pytest.raises(ConfigError, match="at most 1"):
        search(fit, train, valid, [Way()], approve=lambda _, chance: chance <= 0.35, least=1.5)


@given(st.integers(0, 2**16), st.floats(0, 0.99))
@settings(deadline=None, max_examples=10)
def test_weights_lift_the_group_worse_off_and_keep_the_totals(seed: int, strength: float) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 3, 600)
    bad = (rng.random(600) < 0.3).astype(float)
    approved = rng.random(600) < np.array([0.9, 0.6, 0.3])[groups]
    rows = Sample(pd.DataFrame(index=range(600)), bad, {"g": groups}, np.ones(600))
    offsets = prices(rows, approved)
    assert np.abs(offsets).max() == pytest.approx(1)
    assert offsets[groups == 2].min() > 0 > offsets[groups == 0].max()
    factor = reweighed(bad, offsets, strength, rows.weight)
    assert (factor > 0).all()
    for kind in (0, 1):
        assert factor[bad == kind].sum() == pytest.approx((bad == kind).sum())


def test_strengths_that_would_turn_outcomes_are_refused() -> None:
    with pytest.raises(ConfigError, match="below 1"):
        reweighed(np.array([0.0, 1.0]), np.zeros(2), 1.0, np.ones(2))
    few = Sample(pd.DataFrame(index=range(40)), np.zeros(40), {"g": np.zeros(40, np.int64)}, np.ones(40))
    with pytest.raises(DataError, match="fewer than two groups"):
        prices(few, np.ones(40, np.bool_))


# Reject inference, where the truth is known


def lent(seed: int, hidden: float) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Applications, their outcomes, and who was accepted: by what the model sees, and by what it does not."""
    rng = np.random.default_rng(seed)
    seen, unseen = rng.normal(size=(2, 6_000))
    bad = (rng.random(6_000) < 1 / (1 + np.exp(-(seen + unseen - 1.2)))).astype(float)
    accepted = 0.7 * seen + hidden * unseen + 0.5 * rng.normal(size=6_000) < 0.2
    return pd.DataFrame({"seen": seen}), bad, accepted


def fit(frame: pd.DataFrame, bad: np.ndarray, weight: np.ndarray) -> Callable:
    return logistic(frame, bad, weight, ["seen"])


@pytest.mark.parametrize("hidden", [0.0, 0.7])
def test_which_assumption_fits_hangs_on_how_people_were_declined(hidden: float) -> None:
    frame, bad, accepted = lent(0, hidden)
    found = reject_inference(fit, frame[accepted], bad[accepted], frame[~accepted], factors=(1, 3))
    truth = bad[~accepted].mean()
    error = {each.name: each.declined - truth for each in found.assumed}
    if hidden:  # what the model does not see made the declined worse than they look
        assert error["accepted only"] < -0.05
        assert abs(error["fuzzy x3"]) < abs(error["accepted only"])
    else:
        assert abs(error["accepted only"]) < 0.04
        assert abs(error["reweighting"]) < 0.04
        assert error["fuzzy x3"] > 0.04
    assert found.bounds[0] <= bad.mean() <= found.bounds[1]


def test_the_report_says_what_moves() -> None:
    frame, bad, accepted = lent(1, 0.0)
    found = reject_inference(fit, frame[accepted], bad[accepted], frame[~accepted], factors=(1, 2, 4))
    fuzzy = [each for each in found.assumed if each.name.startswith("fuzzy")]
    assert fuzzy[0].declined < fuzzy[1].declined < fuzzy[2].declined
    assert fuzzy[0].cut_off < fuzzy[2].cut_off
    assert "2 times" in fuzzy[1].states
    for each in found.assumed:
        swapped = each.swapped * (~accepted).sum()
        assert 0 <= swapped <= (~accepted).sum()
    assert "without any assumption" in str(found)
    json.dumps(found.to_json(), allow_nan=False)
    again = reject_inference(fit, frame[accepted], bad[accepted], frame[~accepted], factors=(1, 2, 4))
    assert again == found


def test_a_hard_cut_off_leaves_the_declined_without_a_counterpart() -> None:
    frame, bad, _ = lent(2, 0.0)
    accepted = frame["seen"].to_numpy() < 0
    found = reject_inference(fit, frame[accepted], bad[accepted], frame[~accepted], factors=(1,))
    assert found.outside > 0.8


def test_mistakes_are_told() -> None:
    frame, bad, accepted = lent(0, 0.0)
    with pytest.raises(DataError, match="no declined"):
        reject_inference(fit, frame, bad, frame.head(0))
    with pytest.raises(ConfigError, match="above 0"):
        reject_inference(fit, frame[accepted], bad[accepted], frame[~accepted], factors=(0,))
