"""Costs of decisions and lift: by hand, by brute force over every threshold, and where they are undefined."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Prediction
from plait.errors import ConfigError, InputError
from plait.metrics.classification import confusion_matrix, ks
from plait.metrics.evaluation import evaluate
from plait.metrics.lift import lift_table
from plait.metrics.value import Costs, cheapest, expected_cost, profit_curve, threshold_table

SEEDS = st.integers(0, 10_000)
LABELS = np.array(["paid", "default"])


def two(p: np.ndarray) -> Prediction:
    return Prediction("class", np.stack([1 - p, p], axis=1), LABELS)


def made(seed: int, n: int = 60) -> tuple[Prediction, np.ndarray, np.ndarray]:
    """A prediction on a coarse grid (ties, and zeros), labels, weights."""
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 11, n) / 10
    hit = rng.random(n) < 0.2 + 0.6 * p
    hit[:2] = [True, False]
    return two(p), LABELS[hit.astype(int)], rng.integers(1, 4, n).astype(float)


def mean_cost(costs: Costs, hit: np.ndarray, chosen: np.ndarray, weight: np.ndarray) -> float:
    row = np.where(
        hit,
        np.where(chosen, costs.true_positive, costs.false_negative),
        np.where(chosen, costs.false_positive, costs.true_negative),
    )
    return float(np.average(row, weights=weight))


@given(SEEDS, st.booleans())
@settings(deadline=None, max_examples=30)
def test_the_best_threshold_is_the_best_of_all(seed: int, by_row: bool) -> None:
    prediction, y, weight = made(seed)
    rng = np.random.default_rng(seed)
    miss = rng.integers(2, 9, 60).astype(float) if by_row else 4.0
    costs = Costs(false_positive=1.0, false_negative=miss, true_negative=-0.5)
    found = threshold_table(prediction, y, costs=costs, weight=weight, resamples=0)
    hit, p = y == "default", prediction.values[:, 1]
    every = [mean_cost(costs, hit, p >= t, weight) for t in [*np.unique(p), 2]]
    assert found.best.cost.value == pytest.approx(min(every))
    assert found.everyone == pytest.approx(every[0])
    assert found.no_one == pytest.approx(every[-1])
    for each in found.thresholds:
        chosen = p > each.threshold
        assert each.cost.value == pytest.approx(mean_cost(costs, hit, chosen, weight))
        assert each.selected == pytest.approx(np.average(chosen, weights=weight))
        assert each.recall == pytest.approx(np.average(chosen[hit], weights=weight[hit]))
        assert each.fpr == pytest.approx(np.average(chosen[~hit], weights=weight[~hit]))
    rule = p > (1.5 / (1.5 + miss))
    assert found.implied.cost.value == pytest.approx(mean_cost(costs, hit, rule, weight))
    assert found.saving.value == pytest.approx(min(every[0], every[-1]) - found.implied.cost.value)
    assert np.isnan(found.implied.threshold) == by_row


def test_a_threshold_means_what_it_means_in_an_evaluation() -> None:
    prediction, y, weight = made(1)
    best = threshold_table(prediction, y, costs=Costs(1, 3), weight=weight, resamples=0).best
    judged = evaluate(prediction, y, weight=weight, threshold=best.threshold, resamples=0)
    assert judged["precision"].value == pytest.approx(best.precision)
    assert judged["recall"].value == pytest.approx(best.recall)
    assert expected_cost(judged.confusion, np.array([[0, 1], [3, 0]])) == pytest.approx(best.cost.value)


def test_amounts_are_what_costs_are_multiplied_by() -> None:
    prediction, y, _ = made(2)
    amounts = np.random.default_rng(0).random(60) * 1000
    one = threshold_table(prediction, y, costs=Costs(0.1, 0.6), amounts=amounts, resamples=20)
    other = threshold_table(prediction, y, costs=Costs(0.1 * amounts, 0.6 * amounts), resamples=20)
    assert one.best == other.best
    assert one.implied.cost == other.implied.cost
    assert one.implied.threshold == pytest.approx(1 / 7)
    curve = profit_curve(prediction, y, costs=Costs(0.1, 0.6), amounts=amounts, resamples=20)
    assert curve.profit.max() == pytest.approx(-one.best.cost.value)


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_profit_is_cost_with_its_sign_turned(seed: int) -> None:
    prediction, y, weight = made(seed)
    costs = Costs(2, 5, true_positive=-1)
    curve = profit_curve(prediction, y, costs=costs, weight=weight, resamples=0)
    hit, p = y == "default", prediction.values[:, 1]
    assert (curve.selected[0], curve.selected[-1]) == (0, pytest.approx(1))
    assert (np.diff(curve.selected) > 0).all()
    for mark, selected, profit in zip(curve.thresholds, curve.selected, curve.profit, strict=True):
        chosen = p > mark if mark > 0 else p >= 0
        assert profit == pytest.approx(-mean_cost(costs, hit, chosen, weight))
        assert selected == pytest.approx(np.average(chosen, weights=weight))
    assert (curve.random[0], curve.random[-1]) == (pytest.approx(curve.profit[0]), pytest.approx(curve.profit[-1]))


def test_right_probabilities_make_the_implied_threshold_the_best_one() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    y = LABELS[(rng.random(20_000) < p).astype(int)]
    found = threshold_table(two(p), y, costs=Costs(1, 4), resamples=100)
    assert found.implied.threshold == pytest.approx(0.2)
    assert found.best_range[0] - 0.02 <= 0.2 <= found.best_range[1] + 0.02
    assert found.best.cost.value <= found.implied.cost.value < found.best.cost.value + 0.003
    assert found.saving.low > 0


def test_intervals_hold_the_figure_and_groups_widen_them() -> None:
    prediction, y, _ = made(3, 100)
    p = np.repeat(prediction.values[:, 1], 5)
    alone = threshold_table(two(p), np.repeat(y, 5), costs=Costs(1, 4), resamples=200)
    whole = threshold_table(two(p), np.repeat(y, 5), costs=Costs(1, 4), resamples=200, groups=np.repeat(range(100), 5))
    for each in (*alone.thresholds, alone.best, alone.implied):
        assert each.cost.low <= each.cost.value <= each.cost.high
    spans = [found.implied.cost.high - found.implied.cost.low for found in (alone, whole)]
    assert spans[1] > 1.6 * spans[0]


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_the_cheapest_class_is_the_cheapest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, costs = rng.dirichlet(np.ones(3), 20), rng.random((3, 3))
    chosen = cheapest(p, costs)
    for row, choice in zip(p, chosen, strict=True):
        assert row @ costs[:, choice] == pytest.approx(min(row @ costs))
    truth = rng.integers(0, 3, 20)
    confusion = confusion_matrix(truth, chosen, 3, np.ones((2, 20)))
    np.testing.assert_allclose(expected_cost(confusion, costs), costs[truth, chosen].mean())


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ((1, np.nan), "finite"),
        ((-1, 1), "a mistake must not pay"),
        ((0, 0), "a mistake must not pay"),
        ((np.array([1.0, -1]), 1), "a mistake must not pay"),
    ],
)
def test_costs_that_make_no_sense(costs, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Costs(*costs)


def test_what_is_refused() -> None:
    prediction, y, _ = made(0)
    three = Prediction("class", np.full((60, 3), 1 / 3), np.arange(3))
    for judge in (lambda p: threshold_table(p, y, costs=Costs(1, 2)), lambda p: lift_table(p, y)):
        with pytest.raises(InputError, match="of two classes, but the model predicts 3 classes"):
            judge(three)
        with pytest.raises(InputError, match="of two classes, but the model predicts values"):
            judge(Prediction("value", np.zeros(60)))
        with pytest.raises(InputError, match="NaN or infinite in 60 rows"):
            judge(two(np.full(60, np.nan)))
    with pytest.raises(InputError, match="costs have shape"):
        threshold_table(prediction, y, costs=Costs(1, np.ones(3)))
    with pytest.raises(InputError, match="different numbers of rows"):
        Costs(np.ones(2), np.ones(3))
    with pytest.raises(InputError, match="amounts are negative in 1 rows"):
        threshold_table(prediction, y, costs=Costs(1, 2), amounts=np.r_[-1, np.ones(59)])
    with pytest.raises(ConfigError, match="bands=1"):
        lift_table(prediction, y, bands=1)


# Lift


@given(SEEDS)
@settings(deadline=None, max_examples=30)
def test_lift_by_hand(seed: int) -> None:
    prediction, y, weight = made(seed)
    found = lift_table(prediction, y, weight=weight, resamples=0)
    hit, p = y == "default", prediction.values[:, 1]
    assert sum(band.rows for band in found.bands) == 60
    for band in found.bands:
        inside, down_to = (p >= band.lowest) & (p <= band.highest), p >= band.lowest
        assert band.rows == inside.sum()
        assert band.rate.value == pytest.approx(np.average(hit[inside], weights=weight[inside]))
        assert band.lift == pytest.approx(band.rate.value / np.average(hit, weights=weight))
        assert band.predicted == pytest.approx(np.average(p[inside], weights=weight[inside]))
        assert band.selected == pytest.approx(weight[down_to].sum() / weight.sum())
        assert band.gain.value == pytest.approx(weight[down_to & hit].sum() / weight[hit].sum())
        assert band.fpr == pytest.approx(weight[down_to & ~hit].sum() / weight[~hit].sum())
    assert found.ks <= ks(hit.astype(int), p, weight) + 1e-12


def test_with_a_band_for_every_score_ks_is_ks() -> None:
    rng = np.random.default_rng(0)
    p, hit = rng.permutation(200) / 200, rng.integers(0, 2, 200)
    assert lift_table(two(p), LABELS[hit], bands=200, resamples=0).ks == pytest.approx(ks(hit, p))


def test_tenths_of_the_rows_from_the_top() -> None:
    p = np.random.default_rng(1).random(1000)
    found = lift_table(two(p), LABELS[(p > 0.5).astype(int)], resamples=50)
    assert [band.rows for band in found.bands] == [100] * 10
    assert found.bands[0].lowest > found.bands[1].highest
    assert found.bands[0].rate.value == 1
    assert all(band.gain.low <= band.gain.value <= band.gain.high for band in found.bands)


# Where they are undefined


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_told_not_failed(label: int) -> None:
    y = np.full(40, LABELS[label])
    for p in (np.linspace(0, 1, 40), np.full(40, 0.3), np.zeros(40)):
        lift = lift_table(two(p), y, resamples=20)
        assert np.isnan(lift.ks)
        assert any(f"no target is {LABELS[1 - label]}" in note for note in lift.notes)
        table = threshold_table(two(p), y, costs=Costs(1, 5), resamples=20)
        assert any(f"no target is {LABELS[1 - label]}" in note for note in table.notes)
        assert table.best.cost.value == 0
        curve = profit_curve(two(p), y, costs=Costs(1, 5), resamples=20)
        for result in (lift, table, curve):
            json.dumps(result.to_json(), allow_nan=False)
            header, *body = result.rows()
            assert all(len(row) == len(header) for row in body)
            assert str(result)


def test_equal_predictions_are_one_band_and_two_choices() -> None:
    flat, y = two(np.full(50, 0.3)), np.tile(LABELS, 25)
    assert lift_table(flat, y, resamples=20).notes[0].startswith("1 different score(s) make 1 band(s)")
    table = threshold_table(flat, y, costs=Costs(1, 5), resamples=20)
    assert table.thresholds == ()
    assert table.best.selected == 1
    assert any("all predictions are equal" in note for note in table.notes)
    assert profit_curve(flat, y, costs=Costs(1, 5), resamples=20).selected.tolist() == [0, 1]


def test_one_row_has_no_interval() -> None:
    one = two(np.array([0.3]))
    table = threshold_table(one, LABELS[:1], costs=Costs(1, 5))
    assert np.isnan([table.best.cost.low, *table.best_range, table.saving.low]).all()
    assert np.isnan(lift_table(one, LABELS[:1]).bands[0].rate.low)
    assert np.isnan(profit_curve(one, LABELS[:1], costs=Costs(1, 5)).low).all()
