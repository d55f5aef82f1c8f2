"""What a model rests on over all rows, on data whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from plait import Classifier, Regressor
from plait.errors import ConfigError, DataError

ROWS = 600
SMALL = {"lightgbm": {"trees": 120, "leaves": 8, "members": 1, "learning_rate": 0.1}}


def made(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """The value is ``3 strong + weak + 2 (first * second) + home``; `noise` and the letter say nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 5)), columns=["strong", "weak", "first", "second", "noise"])
    frame["home"] = rng.choice(["own", "rent"], rows)
    words = np.array(["please", "consider", "my", "request", "kindly", "and", "soon", "thank", "you", "today"])
    frame["letter"] = [" ".join(rng.choice(words, 14)) + "." for _ in range(rows)]
    frame.loc[rng.random(rows) < 0.1, "weak"] = np.nan
    told = 3 * frame["strong"] + frame["weak"].fillna(0) + 2 * frame["first"] * frame["second"]
    frame["value"] = told + (frame["home"] == "rent") + 0.1 * rng.normal(size=rows)
    return frame


@pytest.fixture(scope="module")
def regressor() -> Regressor:
    frame = made()
    model = Regressor(fusion="early", options=SMALL, n_jobs=1)
    return model.fit(frame.drop(columns="value"), frame["value"])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    frame = made()
    model = Classifier(fusion="early", options=SMALL, n_jobs=1)
    return model.fit(frame.drop(columns="value"), np.where(frame["value"] > 0, "bad", "good"))


def test_what_counts_is_worth_something_and_noise_is_not(regressor: Regressor) -> None:
    new = made(1)
    found = regressor.importance(new, new["value"])
    worth = {each.name: each for each in found.worths if each.kind == "column"}
    order = sorted(worth, key=lambda name: -worth[name].value)
    assert order[0] == "strong"
    assert set(order[1:3]) == {"first", "second"}
    assert worth["strong"].low > 0
    assert abs(worth["noise"].value) < 0.02 * worth["strong"].value
    sources = {each.name: each for each in found.worths if each.kind == "source"}
    assert sources["letter"].low <= 0.01
    assert sources["table"].low > 0.3
    assert all(each.low <= each.value <= each.high for each in found.worths)
    json.dumps(found.to_json(), allow_nan=False)
    assert "strong" in str(found)


def test_a_model_of_shuffled_targets_rests_on_nothing() -> None:
    frame = made()
    shuffled = np.random.default_rng(0).permutation(frame["value"])
    model = Regressor(fusion="early", learner="linear", n_jobs=1).fit(frame.drop(columns="value"), shuffled)
    new = made(1)
    found = model.importance(new, np.random.default_rng(1).permutation(new["value"]))
    assert max(each.value for each in found.worths) < 0.05


def test_dependence_follows_the_truth(regressor: Regressor) -> None:
    new = made(1)
    found = regressor.partial_dependence(new, "strong", points=9)
    slope = np.polyfit(found.points[2:-2], found.mean[2:-2], 1)[0]  # trees are flat beyond the ends
    assert 2.3 < slope < 3.5
    assert found.curves.shape == (40, len(found.points))
    home = regressor.partial_dependence(new, "home")
    effect = dict(zip(home.points, home.mean, strict=True))
    assert 0.5 < effect["rent"] - effect["own"] < 1.5
    assert not home.numeric
    json.dumps(home.to_json(), allow_nan=False)


def test_dependence_equals_the_mean_of_predictions(regressor: Regressor) -> None:
    new = made(2, rows=50)
    found = regressor.partial_dependence(new, "first", points=3)
    for point, mean in zip(found.points, found.mean, strict=True):
        assert regressor.predict(new.assign(first=point)).mean() == pytest.approx(mean)
    assert regressor.predict(new.assign(first=np.nan)).mean() == pytest.approx(found.missing)


def test_products_interact_and_sums_do_not(regressor: Regressor) -> None:
    pairs = {frozenset((p.first, p.second)): p.strength for p in regressor.interactions(made(1)).pairs}
    product = pairs[frozenset(("first", "second"))]
    assert product > 0.4
    assert all(strength < product for pair, strength in pairs.items() if "strong" in pair and "table" not in pair)


def test_additive_sources_do_not_interact() -> None:
    frame = made()
    model = Regressor(fusion="late", learner="linear", n_jobs=1).fit(frame.drop(columns="value"), frame["value"])
    pairs = [pair for pair in model.interactions(made(1)).pairs if pair.kind == "source"]
    assert 0 <= pairs[0].strength < 0.05  # all that is left is the bias that no source brings


def test_the_surrogate_says_how_faithful_it_is(regressor: Regressor, classifier: Classifier) -> None:
    deep, flat = (regressor.surrogate(made(1), depth=depth) for depth in (5, 1))
    assert deep.fidelity > flat.fidelity > 0.2
    assert "strong <=" in str(deep)
    assert sum(share for _, _, share in deep.rules()) == pytest.approx(1)
    top, *_, bottom = classifier.surrogate(made(1)).rules()
    assert 0 <= bottom[1] < top[1] <= 1
    json.dumps(deep.to_json(), allow_nan=False)


def test_nearest_cases_are_alike_in_what_counts(regressor: Regressor) -> None:
    cases = made()
    found = regressor.nearest(cases.iloc[:4], cases, k=3)
    assert found.cases[:, 0].tolist() == [0, 1, 2, 3]
    assert np.allclose(found.distance[:, 0], 0)
    assert (np.diff(found.distance, axis=1) >= 0).all()
    assert found.prediction[:, 0] == pytest.approx(regressor.predict(cases.iloc[:4]))
    new = made(3, rows=60)
    near = regressor.nearest(new, cases, k=1).cases[:, 0]
    rng = np.random.default_rng(0)
    apart = [np.abs(new[c].to_numpy() - cases[c].to_numpy()[near]).mean() for c in ("strong", "noise")]
    chance = np.abs(new["strong"].to_numpy() - cases["strong"].to_numpy()[rng.integers(0, ROWS, 60)]).mean()
    assert apart[0] < 0.5 * chance
    assert apart[0] < apart[1]
    far = cases.iloc[:1].assign(strong=40.0, first=-40.0, second=40.0, weak=40.0, noise=40.0)
    assert regressor.nearest(far, cases).typical[0] < 0.05


def test_counterfactuals_cross_the_goal_within_what_can_change(classifier: Classifier) -> None:
    cases, new = made(), made(1).head(20)
    told = classifier.predict_proba(new)[:, list(classifier.classes_).index("bad")]
    one_way = {"strong": "down", "first": "up"}
    found = classifier.counterfactuals(new, cases, goal=0.5, outputs="bad", fixed=["second", "home"], one_way=one_way)
    assert {each.row for each in found} >= set(np.flatnonzero((told > 0.55) & (told < 0.9)).tolist())
    for answer in found:
        row, changes = new.iloc[[answer.row]].copy(), {c.column: c for c in answer.changes}
        assert not {"second", "home"} & set(changes)
        assert "strong" not in changes or changes["strong"].after < changes["strong"].before
        assert "first" not in changes or changes["first"].after > changes["first"].before
        for change in answer.changes:
            assert row[change.column].iloc[0] == change.before
            row[change.column] = change.after
        after = classifier.predict_proba(row)[0, list(classifier.classes_).index("bad")]
        assert after == pytest.approx(answer.after)
        assert (answer.before < 0.5) == (answer.after >= 0.5)
        json.dumps(answer.to_json(), allow_nan=False)
    costs = [each.cost for each in found if each.row == found[0].row]
    assert costs == sorted(costs)


def test_mistakes_are_told(regressor: Regressor, classifier: Classifier) -> None:
    new = made(1, rows=30)
    with pytest.raises(ConfigError, match="source of its own"):
        regressor.partial_dependence(new, "letter")
    with pytest.raises(ConfigError, match="did you mean 'strong'"):
        regressor.partial_dependence(new, "strog")
    with pytest.raises(ConfigError, match="missing in all rows"):
        regressor.partial_dependence(new.assign(weak=np.nan), "weak")
    with pytest.raises(DataError, match="30 rows are too few"):
        regressor.surrogate(new)
    with pytest.raises(ConfigError, match="no order"):
        classifier.counterfactuals(new, new, goal=0.5, one_way={"home": "up"})
    with pytest.raises(ConfigError, match="column 'none'"):
        classifier.counterfactuals(new, new, goal=0.5, fixed=["none"])
    with pytest.raises(DataError, match=r"expected \(30,\)"):
        regressor.importance(new, [1.0])
    three = Classifier(fusion="early", learner="linear", n_jobs=1).fit(new[["strong"]], np.arange(30) % 3)
    with pytest.raises(ConfigError, match="name the class"):
        three.surrogate(new)
