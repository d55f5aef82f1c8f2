"""Fairness: figures by group against fairlearn's and by hand, and the gate on a planted bias."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import plait
from plait.errors import ConfigError, DataError
from plait.judgement.fairness import BETWEEN, WITHIN, FairnessReport, fairness
from plait.metrics.fairness import gap, group_rates, odds_gap, selection_ratio

ROWS = 800


def fitted(frame: pd.DataFrame, **roles: object) -> plait.Classifier:
    schema = plait.Schema.infer(frame, target="default", sensitive=["origin", "age"], **roles)
    model = plait.Classifier(schema=schema, fusion="early", learner="linear", n_jobs=1, random_state=0)
    return model.fit(frame.drop(columns="default"), frame["default"])


@pytest.fixture(scope="module")
def made() -> dict[bool, tuple[plait.Classifier, pd.DataFrame]]:
    frames = {fair: plait.samples.biased(2 * ROWS, 1, fair=fair).drop(columns="letter") for fair in (False, True)}
    return {fair: (fitted(frame.iloc[:ROWS]), frame.iloc[ROWS:]) for fair, frame in frames.items()}


@pytest.fixture(scope="module")
def biased(made: dict[bool, tuple[plait.Classifier, pd.DataFrame]]) -> FairnessReport:
    model, frame = made[False]
    return fairness(model, frame, frame["default"], crossed=True)


# Pure figures


@settings(deadline=None, max_examples=25)
@given(arrays.arrays(np.int64, st.tuples(st.integers(6, 60), st.just(3)), elements=st.integers(0, 1)), st.data())
def test_rates_are_fairlearns(cells: np.ndarray, data: st.DataObject) -> None:
    from fairlearn import metrics as theirs
    from sklearn.metrics import precision_score, recall_score

    favoured, deserving, group = (column.astype(bool) for column in cells.T)
    weight = data.draw(arrays.arrays(np.float64, len(cells), elements=st.sampled_from([0.5, 1.0, 3.0])))
    found = group_rates(favoured, deserving, group.astype(np.int64), 2, weight)
    frame = theirs.MetricFrame(
        metrics={
            "selection": theirs.selection_rate,
            "tpr": lambda y, p, sample_weight: recall_score(y, p, sample_weight=sample_weight, zero_division=np.nan),
            "ppv": lambda y, p, sample_weight: precision_score(y, p, sample_weight=sample_weight, zero_division=np.nan),
        },
        y_true=deserving,
        y_pred=favoured,
        sensitive_features=group,
        sample_params={name: {"sample_weight": weight} for name in ("selection", "tpr", "ppv")},
    ).by_group.reindex([False, True])
    for name in ("selection", "tpr", "ppv"):
        np.testing.assert_allclose(getattr(found, name), frame[name].to_numpy(float))
    if len(set(group)) == 2 and favoured.any():
        pairs = {"y_true": deserving, "y_pred": favoured, "sensitive_features": group, "sample_weight": weight}
        assert selection_ratio(found.selection) == pytest.approx(theirs.demographic_parity_ratio(**pairs))
        assert gap(found.selection) == pytest.approx(theirs.demographic_parity_difference(**pairs))


def test_gaps_by_hand_and_without_groups() -> None:
    rates = np.array([[0.5, 0.8, np.nan], [0.2, np.nan, np.nan]])
    np.testing.assert_allclose(gap(rates), [0.3, np.nan])
    np.testing.assert_allclose(selection_ratio(rates), [0.625, np.nan])
    assert np.isnan(selection_ratio(np.zeros(2)))
    assert odds_gap(np.array([0.5, 0.6]), np.array([0.1, 0.4])) == pytest.approx(0.3)


# The report


def test_planted_bias_is_refused_and_its_proxy_found(biased: FairnessReport) -> None:
    assert {each.name for each in biased.unfair(0.8)} == {"origin", "origin x age"}
    origin = biased["origin"]
    assert origin.ratio.low < origin.ratio.value < origin.ratio.high < 0.8
    assert [group.name for group in origin.compared] == ["B", "A"]
    assert origin.proxies[0].column == "all together"
    assert origin.proxies[1].column == "district"
    assert [proxy.column for proxy in origin.proxies if proxy.told] == ["all together", "district"]
    assert not any(proxy.told for proxy in biased["age"].proxies)
    assert "origin: four-fifths ratio 0." in biased.refusal(0.8)
    assert "\n" not in biased.refusal(0.8)


def test_the_fair_counterpart_passes(made: dict[bool, tuple[plait.Classifier, pd.DataFrame]]) -> None:
    model, frame = made[True]
    report = fairness(model, frame, frame["default"])
    assert report.refusal(0.8) == ""
    assert not any(proxy.told for proxy in report["origin"].proxies)


def test_figures_agree_with_the_rows(
    made: dict[bool, tuple[plait.Classifier, pd.DataFrame]], biased: FairnessReport
) -> None:
    model, frame = made[False]
    good = model.predict_proba(frame)[:, 1] <= 0.5
    for group in biased["origin"].groups:
        mine = (frame["origin"] == group.name).to_numpy()
        assert group.rows == mine.sum()
        assert group.figures["favoured"].value == pytest.approx(good[mine].mean())
        repaid = (frame["default"] == 0).to_numpy() & mine
        assert group.figures["tpr"].value == pytest.approx(good[repaid].mean())
        told = model.predict_proba(frame)[mine, 0].mean() - (frame["default"] == 0)[mine].mean()
        assert group.figures["in_the_large"].value == pytest.approx(told)
        assert set(group.figures) == set(WITHIN)
        assert all(f.low <= f.value <= f.high for f in group.figures.values())
    assert set(biased["origin"].figures) == set(BETWEEN)


def test_it_is_read_by_people_and_programs(biased: FairnessReport) -> None:
    text = str(biased)
    assert "favourable: 0, where the probability of 1 is at most 0.5" in text
    assert "district" in text
    told = json.loads(json.dumps(biased.to_json(), allow_nan=False))
    assert told["attributes"][0]["name"] == "origin"
    assert len(told["attributes"][0]["curve"]["shares"]) == 19


def test_the_other_class_may_be_favourable(made: dict[bool, tuple[plait.Classifier, pd.DataFrame]]) -> None:
    model, frame = made[False]
    report = fairness(model, frame, frame["default"], favourable=1, threshold=0.3, proxies=False)
    risky = model.predict_proba(frame)[:, 1] > 0.3
    chosen = {group.name: group.figures["favoured"].value for group in report["origin"].groups}
    assert chosen["B"] == pytest.approx(risky[(frame["origin"] == "B").to_numpy()].mean())
    assert report.favourable == 1


def test_small_groups_and_missing_cells_are_shown_not_compared(
    made: dict[bool, tuple[plait.Classifier, pd.DataFrame]],
) -> None:
    model, frame = made[True]
    origin = frame["origin"].to_numpy(object, copy=True)
    origin[:7], origin[7:50] = "C", None
    report = fairness(model, frame.assign(origin=origin), frame["default"], sensitive="origin", proxies=False)
    assert [group.name for group in report["origin"].groups if group.few] == ["C", "(missing)"]
    assert report.notes == ("origin: C, (missing) not compared (under 30 rows, or no value)",)
    alone = fairness(model, frame.assign(origin="A"), frame["default"], sensitive="origin")
    assert np.isnan(alone["origin"].ratio.value)
    assert "no ratio" in alone.refusal(0.8)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sensitive": "sex"}, "unknown column 'sex'"),
        ({"favourable": "maybe"}, "unknown favourable class 'maybe'"),
        ({"threshold": 2}, "threshold=2 is out of range"),
        ({"bins": {"origin": [1]}}, "holds no numbers"),
    ],
)
def test_mistakes_are_told_in_one_line(
    made: dict[bool, tuple[plait.Classifier, pd.DataFrame]], wrong: dict[str, object], said: str
) -> None:
    model, frame = made[True]
    with pytest.raises((ConfigError, DataError), match=said):
        fairness(model, frame, frame["default"], **wrong)


def test_ages_may_be_cut_where_the_law_cuts_them(made: dict[bool, tuple[plait.Classifier, pd.DataFrame]]) -> None:
    model, frame = made[True]
    report = fairness(model, frame, frame["default"], sensitive="age", bins={"age": [40, 62]}, proxies=False)
    assert {group.name for group in report["age"].groups} == {"below 40", "40 to below 62", "62 or more"}
    assert sum(group.rows for group in report["age"].groups if group.name == "below 40") == (frame["age"] < 40).sum()


def test_many_groups_are_the_frequent_ones_and_the_others(
    made: dict[bool, tuple[plait.Classifier, pd.DataFrame]],
) -> None:
    model, frame = made[True]
    street = np.array([f"street {i % 40 if i % 2 else 0}" for i in range(len(frame))], object)
    report = fairness(model, frame.assign(street=street), frame["default"], sensitive="street", proxies=False)
    rows = {group.name: group.rows for group in report["street"].groups}
    assert len(rows) == 20
    assert rows["street 0"] == len(frame) / 2
    assert rows["(others)"] == 40


def test_values_have_no_favourable_decision() -> None:
    frame = plait.samples.mixed(60).drop(columns="note")
    model = plait.Regressor(fusion="early", learner="linear", n_jobs=1).fit(
        frame.drop(columns="outcome"), frame["outcome"].astype(float)
    )
    with pytest.raises(ConfigError, match="this model predicts values"):
        fairness(model, frame, frame["outcome"], sensitive="category0")
