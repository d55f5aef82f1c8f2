"""Two models on the same rows: verdicts, cross-checks (DeLong, McNemar), and permutation tests under a true null."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from plait.contracts import Prediction
from plait.errors import ConfigError, InputError
from plait.metrics.classification import roc_auc
from plait.metrics.compare import compare, mcnemar
from plait.metrics.permutation import against_all, against_chance, against_other

LABELS = np.array(["paid", "default"])


def two(p: np.ndarray) -> Prediction:
    return Prediction("class", np.stack([1 - p, p], axis=1), LABELS)


def made(seed: int, n: int = 600, noise: float = 0.6) -> tuple[Prediction, Prediction, np.ndarray]:
    """A model, the same with noise, and labels that the first one knows the odds of."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    y = LABELS[(rng.random(n) < 1 / (1 + np.exp(-2 * z))).astype(int)]
    logits = (2 * z, 2 * z + noise * 2 * rng.normal(size=n))
    return (*(two(1 / (1 + np.exp(-each))) for each in logits), y)


def delong(hit: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Difference of two correlated areas and its standard error (DeLong, DeLong and Clarke-Pearson 1988)."""

    def parts(p):
        psi = (p[hit][:, None] > p[~hit]) + 0.5 * (p[hit][:, None] == p[~hit])
        return psi.mean(1), psi.mean(0)

    ten, zero = (np.array([a, b]) for a, b in zip(parts(one), parts(other), strict=True))
    s = np.cov(ten) / hit.sum() + np.cov(zero) / (~hit).sum()
    return float(np.diff(ten.mean(1))[0] * -1), float(np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1]))


def test_the_interval_of_an_area_is_that_of_delong() -> None:
    one, other, y = made(0)
    found = compare({"a": one, "b": other}, y, resamples=2000)
    difference, error = delong(y == "default", one.values[:, 1], other.values[:, 1])
    pair = found["roc_auc"]
    assert pair.difference.value == pytest.approx(difference)
    assert (pair.difference.high - pair.difference.low) / 2 == pytest.approx(1.96 * error, rel=0.12)
    assert found.verdict == "better"
    p = 2 * norm.sf(abs(difference / error))
    assert max(found.p, 1e-3) == pytest.approx(max(p, 1e-3), abs=5e-3)


def test_each_way_round() -> None:
    one, other, y = made(1)
    ours, theirs = compare({"a": one, "b": other}, y, resamples=300), compare({"b": other, "a": one}, y, resamples=300)
    turned = {"better": "worse", "worse": "better", "cannot tell": "cannot tell"}
    for pair, other_way in zip(ours.pairs, theirs.pairs, strict=True):
        assert pair.difference.value == pytest.approx(-other_way.difference.value, nan_ok=True)
        assert pair.verdict == turned[other_way.verdict]
    assert ours["log_loss"].verdict == "better"  # lower is better
    assert ours.p == theirs.p
    assert (ours.mcnemar.only_first, ours.mcnemar.only_second) == (
        theirs.mcnemar.only_second,
        theirs.mcnemar.only_first,
    )


def test_equal_models_cannot_be_told_apart() -> None:
    one, _, y = made(2)
    found = compare({"a": one, "b": one}, y, resamples=100)
    assert {pair.verdict for pair in found.pairs} == {"cannot tell"}
    assert (found.p, found.mcnemar.p) == (1, 1)
    assert "cannot tell a from b" in str(found)


def test_mcnemar_is_a_binomial_test_of_the_rows_in_dispute() -> None:
    right, wrong = (
        np.repeat([True, True, False, False], [40, 15, 4, 9]),
        np.repeat([True, False, True, False], [40, 15, 4, 9]),
    )
    found = mcnemar(right, wrong)
    assert (found.only_first, found.only_second) == (15, 4)
    assert found.p == pytest.approx(binomtest(15, 19).pvalue)


def test_values_and_words_in_both_directions() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=300)
    near, far = (Prediction("value", y + spread * rng.normal(size=300)) for spread in (0.3, 1))
    found = compare({"near": near, "far": far}, y, resamples=200)
    assert (found.verdict, found.mcnemar) == ("better", None)
    assert str(found).startswith("300 rows: by rmse, near is better than far (p .00")
    assert found.rows()[0][-1] == "near is"
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (told["verdict"], told["pairs"][0]["metric"]) == ("better", "rmse")


def test_groups_count_as_one() -> None:
    one, other, y = made(4, 80)
    group = np.repeat(np.arange(80), 8)
    several = [two(np.repeat(each.values[:, 1], 8)) for each in (one, other)]
    many = dict(zip("ab", several, strict=True))
    blind = compare(many, np.repeat(y, 8), resamples=300)
    whole = compare(many, np.repeat(y, 8), resamples=300, groups=group)
    few = compare({"a": one, "b": other}, y, resamples=300)
    assert blind.p < whole.p
    assert whole.p == pytest.approx(few.p, abs=0.05)
    span = [each["roc_auc"].difference.high - each["roc_auc"].difference.low for each in (blind, whole)]
    assert span[1] > 2 * span[0]


def test_what_cannot_be_judged_is_told() -> None:
    p = np.linspace(0.1, 0.4, 50)
    found = compare({"a": two(p), "b": two(p[::-1])}, np.full(50, "paid"), resamples=50)
    assert found.notes[0].startswith("roc_auc, pr_auc, ks undefined")
    assert (found.verdict, np.isnan(found.p)) == ("cannot tell", True)
    json.dumps(found.to_json(), allow_nan=False)
    one = compare({"a": two(p[:1]), "b": two(p[1:2])}, np.array(["paid"]))
    assert "there is one row, or one group: no interval can be told" in one.notes
    flat = compare({"a": two(np.full(50, 0.3)), "b": two(p)}, np.tile(LABELS, 25), resamples=50)
    assert np.isfinite(flat["roc_auc"].first)
    with pytest.raises(KeyError, match="there are roc_auc"):
        found["gini"]


def test_what_is_refused() -> None:
    one, other, y = made(5, 40)
    with pytest.raises(ConfigError, match="3 predictions were given"):
        compare({"a": one, "b": other, "c": one}, y)
    with pytest.raises(InputError, match="'b' predicts another kind"):
        compare({"a": one, "b": Prediction("value", np.zeros(40))}, y)
    with pytest.raises(InputError, match="predictions of 'b' are NaN or infinite in 40 rows"):
        compare({"a": one, "b": two(np.full(40, np.nan))}, y)
    with pytest.raises(ConfigError, match="threshold"):
        compare({"a": one, "b": other}, y, threshold=2)


# Permutations


def test_a_model_is_beyond_chance_and_noise_is_not() -> None:
    one, _, y = made(6, 200)
    found = against_chance(one, y, permutations=200)
    assert found.value == pytest.approx(roc_auc((y == "default").astype(int), one.values[:, 1]))
    assert found.p == pytest.approx(1 / 201)
    assert found.low < 0.5 < found.high < found.value
    noise = against_chance(two(np.random.default_rng(0).random(200)), y, permutations=200)
    assert noise.p > 0.01
    losses = against_chance(one, y, metric="log_loss", permutations=200)  # lower is better
    assert losses.p == pytest.approx(1 / 201)


def test_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(7)
    chance, other = [], []
    for _ in range(70):
        y, one, two_ = LABELS[rng.integers(0, 2, 40)], rng.random(40), rng.random(40)
        chance.append(against_chance(two(one), y, permutations=40).p)
        other.append(against_other(two(one), two(two_), y, permutations=40).p)
    for p in (np.array(chance), np.array(other)):
        assert 0.4 < p.mean() < 0.6
        assert (p < 0.1).mean() < 0.2


def test_all_tests_at_once_are_each_alone() -> None:
    one, other, y = made(11, 100)
    found = against_all(one, {"other": other, "itself": one}, y, permutations=30, seed=2)
    assert found.chance == against_chance(one, y, permutations=30, seed=2)
    assert found.others["other"] == against_other(one, other, y, permutations=30, seed=2)
    assert found.others["itself"].p == 1
    assert [row[0] for row in found.rows()] == ["against", "chance", "other", "itself"]
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["others"]["itself"]["value"] == 0
    assert "30 permutations" in str(found)


def test_ranks_are_swapped_so_that_scales_compare() -> None:
    one, _, y = made(8, 200)
    shrunk = two(one.values[:, 1] ** 4 / 10)  # the same order
    found = against_other(one, shrunk, y, permutations=100)
    assert (found.value, found.p) == (0, 1)


def test_weights_of_nothing_are_rows_that_are_not_there() -> None:
    one, other, y = made(9, 100)
    weight = np.repeat([1.0, 0.0], 50)
    half = roc_auc((y[:50] == "default").astype(int), one.values[:50, 1])
    assert against_chance(one, y, weight=weight, permutations=5).value == pytest.approx(half)
    assert np.isfinite(against_other(one, other, y, weight=weight, permutations=5).p)


def test_permutations_say_what_is_undefined_or_wrong() -> None:
    one, other, y = made(10, 30)
    found = against_chance(one, np.full(30, "paid"), permutations=5)
    assert np.isnan(found.p)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["p"] is None
    assert "5 permutations: - (p -)" in str(found)
    assert len(found.rows()[0]) == len(found.rows()[1])
    with pytest.raises(ConfigError, match="permutations=0"):
        against_chance(one, y, permutations=0)
    with pytest.raises(ConfigError, match="unknown metric"):
        against_other(one, other, y, metric="gini")
    with pytest.raises(InputError, match="3 groups for 30 rows"):
        against_other(one, other, y, groups=np.zeros(3))
