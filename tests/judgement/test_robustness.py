"""Robustness: what is done to rows is what is said, and quality falls where evidence goes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import plait
from plait.errors import ConfigError, DataError
from plait.judgement import stress
from plait.judgement.robustness import RobustnessReport, robustness


def fitted(fusion: str, learner: str | None = None, **options: object) -> tuple[plait.Classifier, pd.DataFrame]:
    frame = plait.samples.loans(420, 0)
    model = plait.Classifier(fusion=fusion, learner=learner, options=options, time="issued_at", n_jobs=1)
    train = frame.iloc[:300]
    return model.fit(train.drop(columns="default"), train["default"]), frame.iloc[300:]


@pytest.fixture(scope="module")
def loans() -> tuple[plait.Classifier, pd.DataFrame]:
    return fitted("early", "linear")


@pytest.fixture(scope="module")
def report(loans: tuple[plait.Classifier, pd.DataFrame]) -> RobustnessReport:
    model, frame = loans
    return robustness(model, frame, frame["default"], rows=100)


def test_every_kind_of_harm_has_a_curve(report: RobustnessReport) -> None:
    names = {curve.name for curve in report.curves}
    assert {"sources hidden", "letter: hidden", "table: noise on numbers", "letter: typing errors"} <= names
    assert {"letter: words left out", "letter: passages cut out", "balance: steps taken out"} <= names
    assert report.metric == "roc_auc"
    for curve in report.curves:
        assert curve.levels[0] == 0
        assert curve.values[0].value == pytest.approx(report.clean.value)
        assert curve.moved[0] == 0
        assert curve.losses[-1].value == pytest.approx(curve.values[0].value - curve.values[-1].value)
    moved = report["table: noise on numbers"].moved
    assert list(moved) == sorted(moved)
    assert report.notes == (
        "no part is a network: nothing has a gradient to attack along",
        "100 of 120 rows, drawn at random",
    )


def test_with_every_source_hidden_nothing_is_told_apart(report: RobustnessReport) -> None:
    assert report["sources hidden"].values[-1].value == 0.5


def test_hiding_a_source_is_the_model_without_it(
    loans: tuple[plait.Classifier, pd.DataFrame], report: RobustnessReport
) -> None:
    from plait.metrics.classification import roc_auc

    model, frame = loans
    drawn = np.sort(np.random.default_rng([0, 0x0B57]).permutation(len(frame))[:100])
    rows = frame.iloc[drawn].assign(letter=None)
    expected = roc_auc(rows["default"].to_numpy(), model.predict_proba(rows)[:, 1])
    assert report["letter: hidden"].values[1].value == pytest.approx(float(expected))


def test_it_is_read_by_people_and_programs(report: RobustnessReport) -> None:
    json.dumps(report.to_json(), allow_nan=False)
    assert "letter: typing errors" in str(report)


def test_networks_are_attacked_and_pushed_at_random() -> None:
    model, frame = fitted("parallel", parallel={"epochs": 3, "width": 8})
    found = robustness(model, frame, frame["default"], stresses=["adversarial"])
    attack, chance = found["tokens pushed by gradient sign"], found["tokens pushed at random"]
    assert attack.values[-1].value < chance.values[-1].value
    assert attack.losses[-1].low > 0


@pytest.mark.parametrize(
    "text", ["I could repay early from my yearly bonus.", "我在市政府单位工作了十二年，的确很稳定。"]
)
def test_slips_of_the_hand_change_about_as_many_characters(text: str) -> None:
    rng = np.random.default_rng(0)
    assert stress._mistyped(text, 0.0, rng) == text
    changed = stress._mistyped(text * 20, 0.2, rng)
    assert changed != text * 20
    assert 0.85 < len(changed) / len(text * 20) < 1.15
    assert stress._shortened(text, 0.0, rng) == text
    assert stress._shortened(text, 1.0, rng) == ""


def test_pictures_and_sounds_are_made_worse() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "picture": [stress._png(rng.integers(0, 256, (24, 30, 3)).astype(np.uint8)) for _ in range(40)],
            "sound": [stress._wav(stress.Exhibit("waves", rng.normal(0, 0.1, 4000), 8000)) for _ in range(40)],
            "y": np.arange(40) % 2,
        }
    )
    model = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(frame[["picture", "sound"]], frame["y"])
    found = robustness(model, frame, frame["y"], stresses=["pictures", "sounds"])
    assert [curve.name for curve in found.curves] == [
        "picture: cropped",
        "picture: blurred",
        "picture: noise on pixels",
        "sound: coarser samples",
        "sound: noise",
    ]
    assert all(curve.moved[-1] > 0 for curve in found.curves)


def test_values_are_judged_by_what_is_explained() -> None:
    frame = plait.samples.mixed(200).drop(columns="note")
    target = frame["number0"] * 2.0 + frame["number1"]
    model = plait.Regressor(fusion="early", learner="linear", n_jobs=1).fit(frame.iloc[:100], target.iloc[:100])
    found = robustness(model, frame.iloc[100:], target.iloc[100:], stresses=["numbers"])
    assert found.metric == "r2"
    (curve,) = found.curves
    assert curve.losses[-1].low > 0.1


def test_mistakes_are_told_in_one_line(loans: tuple[plait.Classifier, pd.DataFrame]) -> None:
    model, frame = loans
    with pytest.raises(ConfigError, match="unknown stress 'noise'"):
        robustness(model, frame, frame["default"], stresses=["noise"])
    with pytest.raises(DataError, match="X has 120 rows but y has 3"):
        robustness(model, frame, [0, 1, 0])
