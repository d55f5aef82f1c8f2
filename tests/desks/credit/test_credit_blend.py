"""The blend: how far the evidence moves the scorecard, and never further than the cap."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.desks.credit.blend import Blend, BlendSettings, Line, fit_blend
from plait.desks.credit.scorecard.points import Points
from plait.errors import ConfigError, DataError, InputError
from plait.metrics.classification import log_loss, roc_auc

POINTS = Points(at=600, odds=50, pdo=20)
BLEND = Blend(gamma=0.6, card=Line(0.9, 0.1), evidence=Line(1.2, -0.2), cap=40.0, factor=POINTS.factor)
LOG_ODDS = st.floats(-8, 8)


def rows(n=6000, seed=0, told=0.9):
    """Log-odds by a scorecard and by evidence that knows more, each on a scale of its own, and outcomes."""
    rng = np.random.default_rng(seed)
    seen, hidden = rng.normal(size=(2, n))
    truth = -1.5 + 0.8 * seen + told * hidden
    bad = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(int)
    return -1.0 + 0.5 * seen, -0.4 + 1.4 * (0.8 * seen + told * hidden), bad


def share(log_odds):
    return 1 / (1 + np.exp(-log_odds))


@given(LOG_ODDS, LOG_ODDS, st.floats(0, 100), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_evidence_never_moves_a_score_by_more_than_the_cap(s, m, cap, gamma):
    blend = Blend(gamma, BLEND.card, BLEND.evidence, cap, POINTS.factor)
    score, adjustment, capped = blend.log_odds(np.array([s]), np.array([m]))
    moved = POINTS.factor * (score - BLEND.card(np.array([s])))
    assert abs(moved[0]) <= cap + 1e-9
    assert score[0] == pytest.approx(s + adjustment[0])
    assert capped[0] == (abs(POINTS.factor * blend.movement(np.array([s]), np.array([m]))[0]) > cap)


@given(LOG_ODDS, LOG_ODDS, st.floats(0, 4))
@settings(deadline=None, max_examples=60)
def test_the_score_rises_with_either_side(s, m, more):
    here, card, evidence = BLEND.log_odds(np.array([s, s + more, s]), np.array([m, m, m + more])).log_odds
    assert card >= here - 1e-12
    assert evidence >= here - 1e-12


def test_a_fitted_blend_goes_to_the_side_that_knows_more():
    s, m, bad = rows()
    blend = fit_blend(s, m, bad, points=POINTS, cap=400)
    assert blend.gamma > 0.9
    later = rows(seed=1)
    found = blend.log_odds(*later[:2]).log_odds
    assert roc_auc(later[2], found) > roc_auc(later[2], later[0]) + 0.05
    assert share(found).mean() == pytest.approx(later[2].mean(), abs=0.015)
    assert (
        log_loss(later[2], share(found)) < log_loss(later[2], share(later[1])) - 0.05
    )  # the evidence was overconfident


def test_evidence_that_knows_nothing_does_not_move_anybody():
    s, _, bad = rows()
    noise = np.random.default_rng(5).normal(size=len(s))
    blend = fit_blend(s, noise, bad, points=POINTS)
    assert blend.gamma <= 0.05


def test_rows_that_weigh_nothing_do_not_count():
    s, m, bad = rows(2000)
    kept = np.arange(2000) < 1200
    wrong = np.where(kept, bad, 1 - bad)
    weighed = fit_blend(s, m, wrong, points=POINTS, weight=kept * 1.0)
    chosen = fit_blend(s[kept], m[kept], bad[kept], points=POINTS)
    assert weighed.log_odds(s, m).log_odds == pytest.approx(chosen.log_odds(s, m).log_odds, abs=1e-4)


def test_a_cap_of_nothing_leaves_the_calibrated_scorecard():
    s, m, bad = rows()
    blend = fit_blend(s, m, bad, points=POINTS, cap=0)
    assert blend.gamma == 0
    assert blend.log_odds(s, m).adjustment == pytest.approx(blend.calibration(s))


def test_a_blend_comes_back_from_json():
    s, m, bad = rows(500)
    blend = fit_blend(s, m, bad, points=POINTS)
    again = Blend.from_json(json.loads(json.dumps(blend.to_json())))
    assert again == blend
    assert again.log_odds(s, m).log_odds.tolist() == blend.log_odds(s, m).log_odds.tolist()
    assert f"{blend.gamma:.0%} of the way" in str(blend)


def test_no_rows_are_scored_as_no_rows():
    assert all(len(part) == 0 for part in BLEND.log_odds(np.zeros(0), np.zeros(0)))


def test_settings_say_what_is_wrong():
    assert BlendSettings.of({"cap": 25}) == BlendSettings(cap=25)
    with pytest.raises(ConfigError, match=r"setting of blend 'caps'; did you mean 'cap'"):
        BlendSettings.of({"caps": 3})
    for wrong in ({"cap": -1}, {"cap": "much"}, {"holdout": 0}, {"holdout": 0.7}, {"cap": float("nan")}):
        with pytest.raises(ConfigError, match="out of range"):
            BlendSettings.of(wrong)


def test_rows_that_cannot_be_blended_are_refused():
    s, m, bad = rows(50)
    with pytest.raises(DataError, match="all 50 rows for the blend are good; it needs both"):
        fit_blend(s, m, 0 * bad, points=POINTS)
    with pytest.raises(DataError, match="the outcome is 2 in a row"):
        fit_blend(s, m, 2 * bad, points=POINTS)
    with pytest.raises(InputError, match="log-odds of the evidence"):
        BLEND.log_odds(s, m[:-1])
    with pytest.raises(InputError, match="log-odds of the scorecard are NaN"):
        BLEND.log_odds(np.where(np.arange(50) == 3, np.nan, s), m)


def test_an_anchored_blend_has_the_level_of_its_rows_and_nothing_else_new() -> None:
    rng = np.random.default_rng(4)
    risk = rng.normal(-1.5, 1.0, 4000)
    bad = (rng.random(4000) < 1 / (1 + np.exp(-risk))).astype(float)
    card, told = risk + rng.normal(0, 1, 4000), risk + rng.normal(0, 0.5, 4000)
    blend = fit_blend(card, told, bad, points=Points())
    moved = blend.anchored(card + 0.7, told - 0.4, bad)  # sides fitted again, at other levels
    assert (moved.gamma, moved.cap, moved.card.slope, moved.evidence.slope) == (
        blend.gamma,
        blend.cap,
        blend.card.slope,
        blend.evidence.slope,
    )
    again = moved.log_odds(card + 0.7, told - 0.4).log_odds
    np.testing.assert_allclose(again, blend.log_odds(card, told).log_odds, atol=0.03)
    assert (1 / (1 + np.exp(-again))).mean() == pytest.approx(bad.mean(), abs=0.01)
