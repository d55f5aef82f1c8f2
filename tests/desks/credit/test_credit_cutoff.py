"""Cut-offs by cost and capacity, the trade-off between approval and bad rate, and swap sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from plait.desks.credit.policy.cutoff import APPROVE, DECLINE, REFER, Money, choose, compare, settle
from plait.desks.credit.policy.settings import HandoverSettings, PolicySettings
from plait.desks.credit.policy.swaps import CELLS, matched_cut, swap_sets
from plait.desks.credit.policy.tradeoff import draw_trade_off, trade_off
from plait.desks.credit.scorecard.points import Points
from plait.errors import ConfigError, DataError, InputError

POINTS = Points()
MONEY = Money(0.1, 0.5)
risks = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(np.array)


def calibrated(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities that come true, outcomes, and worse probabilities of the same rows."""
    rng = np.random.default_rng(seed)
    seen, hidden = rng.normal(size=(2, n))
    chance = expit(1.2 * seen + hidden - 2)
    return chance, (rng.random(n) < chance).astype(float), expit(1.2 * seen - 1.8)


@given(risks, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 40), st.randoms())
@settings(deadline=None, max_examples=60)
def test_settling_keeps_to_capacity(risk, one, other, capacity, reviews, random) -> None:
    low, high = sorted((one, other))
    cut = (low + high) / 2
    forced = np.array([random.random() < 0.2 for _ in risk])
    seen = settle(risk, cut, (low, high), mandated=forced, capacity=capacity, reviews=reviews + 1.5)
    approved, referred = seen.action == APPROVE, seen.action == REFER
    assert approved.sum() <= capacity * len(risk) + 1e-9
    assert referred[forced].all()
    assert referred.sum() <= max(forced.sum(), reviews + 1)
    assert (risk[referred & ~forced] > low).all()
    assert (risk[referred & ~forced] <= high).all()
    assert not (seen.crowded & (seen.action != DECLINE)).any()
    waiting = seen.crowded & ~forced
    assert not waiting.any() or not approved.any() or risk[approved].max() <= risk[waiting].min()


def test_without_limits_the_cut_off_decides() -> None:
    risk = np.array([0.1, 0.2, 0.3, 0.4])
    assert settle(risk, 0.2).action.tolist() == [APPROVE, APPROVE, DECLINE, DECLINE]
    assert settle(risk, 0.25, (0.15, 0.35)).action.tolist() == [APPROVE, REFER, REFER, DECLINE]
    assert settle(risk, 0.22, (0.15, 0.35), reviews=1.5).action.tolist() == [APPROVE, REFER, DECLINE, DECLINE]
    assert settle(risk, 1.0, capacity=0.5).crowded.tolist() == [False, False, True, True]
    assert settle(risk, 1.0, capacity=3).action.tolist() == [APPROVE] * 3 + [DECLINE]


def test_what_rules_earn_agrees_with_the_rows() -> None:
    chance, bad = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0, 1.0])
    money = Money(0.1, 0.5, 1.0, 0.5, np.array([100.0, 100, 200, 200]))
    actions = {"all": settle(chance, 1.0).action, "zone": settle(chance, 0.25, (0.15, 0.35)).action}
    found = compare(actions, chance, bad, money=money, resamples=0)
    every, zone = found.outcomes["all"], found.outcomes["zone"]
    assert every.profit.value == pytest.approx((10 - 50 + 20 - 100) / 4)
    assert zone.profit.value == pytest.approx((10 + (-25 - 1) + (20 - 1)) / 4)
    assert (zone.approved.value, zone.referred, zone.bad_rate.value) == (0.25, 0.5, 0.0)
    assert "finds 50% of the bad ones" in str(found)
    json.dumps(found.to_json(), allow_nan=False)


def test_a_chosen_cut_off_is_near_the_implied_one_where_probabilities_come_true() -> None:
    chance, bad, _ = calibrated(20_000)
    found = choose(chance, bad, MONEY, resamples=100)
    assert found.implied == pytest.approx(0.1 / 0.6)
    assert found.between[0] <= found.implied <= found.between[1]
    later, came, _ = calibrated(20_000, seed=1)
    cuts = {"everyone": 1.0, "half": 0.5, "implied": found.implied}
    told = compare({name: settle(later, cut).action for name, cut in cuts.items()}, later, came, money=MONEY)
    assert told.outcomes["implied"].beyond.low > 0
    assert told.outcomes["implied"].profit.value > told.outcomes["half"].profit.value


@pytest.mark.parametrize("end", [0, 1])
def test_a_review_pays_between_its_break_even_points(end: int) -> None:
    policy = PolicySettings.of({"margin": 0.1, "lgd": 0.5, "cost_of_review": 2, "review_finds": 0.6})
    chance = float(expit(policy.zone(POINTS, np.array([100.0]))[end][0]))
    approve = (1 - chance) * 10 - chance * 50
    review = (1 - chance) * 10 - chance * 0.4 * 50 - 2
    assert review == pytest.approx((approve, 0.0)[end], abs=1e-9)
    small = policy.zone(POINTS, np.array([1.0]))  # a review costs more than the loan can earn
    assert small[0] == small[1] == policy.cut_off(POINTS)
    assert (policy.zone(POINTS, np.zeros(1))[end] == policy.cut_off(POINTS)).all()


def test_cut_offs_in_points_and_probabilities_agree() -> None:
    by_points = PolicySettings.of({"approve_from": 600, "refer": [580, 620]})
    low, high = by_points.zone(POINTS)
    assert by_points.cut_off(POINTS) == pytest.approx(-np.log(50))
    assert low < by_points.cut_off(POINTS) < high
    chance = PolicySettings.of({"approve_below": 1 / 51})
    assert chance.cut_off(POINTS) == pytest.approx(by_points.cut_off(POINTS))
    assert PolicySettings.of(by_points.to_json()) == by_points


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"approve_bellow": 0.1}, "did you mean 'approve_below'"),
        ({"approve_below": 0.1, "approve_from": 600}, "keep one"),
        ({"approve_below": 12}, "of 0 to 1"),
        ({"approve_below": True}, "is a number"),
        ({"margin": 0.1}, "go together"),
        ({"cost_of_review": 5}, "go together"),
        ({"cost_of_review": 5, "review_finds": 0.5}, "give these, too"),
        ({"approve_below": 0.1, "refer": [0.3, 0.2]}, "lower end first"),
        ({"approve_below": 0.1, "refer": [0.2, 0.3]}, "outside the grey zone"),
        ({"approve_below": 0.1, "refer": 0.2}, "two numbers"),
        ({"margin": 0.1, "lgd": 0.5, "refer": [500, 600]}, "no probabilities"),
        ({"handover": {"cap": True}}, "did you mean 'capped'"),
        ({"handover": {"capped": "often"}}, "yes or no"),
        ({"handover": {"missing": 3}}, "takes columns"),
    ],
)
def test_mistakes_in_a_policy_are_told(said: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        PolicySettings.of(said)


def test_a_policy_without_a_cut_off_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match="where is the cut-off"):
        PolicySettings.of({"handover": {"faults": False}}).cut_off(POINTS)
    assert PolicySettings.of({"handover": {"missing": "letter"}}).handover == HandoverSettings(missing=("letter",))


def test_the_trade_off_rises_to_the_rate_of_all(tmp_path: Path) -> None:
    chance, bad, worse = calibrated(4_000)
    found = trade_off({"new": chance, "old": worse}, bad, money=MONEY, resamples=100)
    new, _ = found.curves
    assert new.approved == pytest.approx(np.arange(1, 21) / 20, abs=1e-3)
    assert new.bad_rate[-1] == pytest.approx(bad.mean())
    assert new.bad_rate[1] < new.bad_rate[9] < new.bad_rate[-1]
    assert found.saved["old"][9].low > 0  # at the same approval the old one is worse
    cut, span = new.at(0.5)
    assert span.value == pytest.approx(bad[chance <= cut].mean())
    (path,) = draw_trade_off(found, tmp_path, 0.2)
    assert path.read_bytes().startswith(b"\x89PNG")
    json.dumps(found.to_json(), allow_nan=False)
    with pytest.raises(InputError, match="no scores"):
        trade_off({}, bad)


def test_rows_without_weight_change_no_trade_off() -> None:
    rng = np.random.default_rng(4)
    risk = rng.normal(size=300)
    bad = (rng.random(300) < 0.3).astype(float)
    kept = risk < np.quantile(risk, 0.9)
    found = trade_off({"new": risk}, bad, weight=kept.astype(float), resamples=0).curves[0]
    alone = trade_off({"new": risk[kept]}, bad[kept], resamples=0).curves[0]
    np.testing.assert_allclose(found.bad_rate, alone.bad_rate)
    np.testing.assert_allclose(found.approved, alone.approved)


def test_swap_sets_divide_all_rows() -> None:
    new, bad, old = calibrated(4_000)
    amounts = np.linspace(1, 3, len(bad))
    found = swap_sets(old, new, bad, old_cut=0.15, money=Money(0.1, 0.5, amounts=amounts), resamples=100)
    assert list(found.cells) == list(CELLS)
    assert sum(cell.rows for cell in found.cells.values()) == len(bad)
    assert sum(cell.amount for cell in found.cells.values()) == pytest.approx(amounts.sum())
    assert found.approved[0] == pytest.approx(found.approved[1], abs=1e-3)
    assert found.cells["swapped in"].bad_rate.value < found.cells["swapped out"].bad_rate.value
    assert found.bad_rate.high < 0 < found.profit.low
    inside = (old > 0.15) & (new <= found.cut_offs[1])
    assert found.cells["swapped in"].bad_rate.value == pytest.approx(bad[inside].mean())
    json.dumps(found.to_json(), allow_nan=False)


def test_unknown_outcomes_are_left_out_and_said() -> None:
    new, bad, old = calibrated(2_000)
    unseen = np.where(old > 0.15, np.nan, bad)  # what the old model declined was never lent
    found = swap_sets(old, new, unseen, old_cut=0.15, resamples=20)
    assert found.cells["swapped in"].known == 0
    assert np.isnan(found.cells["swapped in"].bad_rate.value)
    assert "are not known" in str(found)
    with pytest.raises(DataError, match="no outcome is known"):
        swap_sets(old, new, np.full(2_000, np.nan), old_cut=0.15)
    with pytest.raises(InputError, match=r"1 \(bad\), 0 \(good\) or missing"):
        swap_sets(old, new, bad + 1, old_cut=0.15)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50).map(np.array), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_a_matched_cut_off_approves_as_many_as_ties_allow(risk: np.ndarray, share: float) -> None:
    cut = matched_cut(risk, share)
    below, upto = (risk < cut).mean(), (risk <= cut).mean()
    assert below - 0.5 / len(risk) - 1e-9 <= share <= upto + 0.5 / len(risk) + 1e-9
