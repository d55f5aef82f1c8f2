"""Scorecards: every cell in one bin, evidence as it is defined, points that add up, and a choice that says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from plait.data.frame import seconds
from plait.desks.credit.scorecard import Bins, Points, Scorecard, ScorecardSettings, fit_scorecard
from plait.desks.credit.scorecard.bins import find_bins
from plait.desks.credit.scorecard.cells import kind_of, levels, read
from plait.errors import ConfigError, DataError
from plait.metrics.classification import roc_auc

QUICK = settings(max_examples=15, deadline=None)


def alone(values: Any, bad: Any, weight: Any = None, **said: Any) -> Bins:
    """The bins of one variable, whatever it says."""
    series = pd.Series(values, name="x")
    kind = kind_of(series)
    assert kind is not None
    cells = read(series.to_frame(), "x", kind, None)
    return find_bins(
        "x", kind, cells, bad, np.ones(len(bad)) if weight is None else weight, ScorecardSettings.of(said)
    )[0]


def variable(card: Scorecard, name: str) -> Any:
    return next(each for each in card.variables if each.name == name)


@given(at=st.floats(-1e3, 1e3), odds=st.floats(0.01, 1e4), pdo=st.floats(0.1, 1e3), x=st.floats(-20, 20))
@QUICK
def test_points_double_the_odds(at: float, odds: float, pdo: float, x: float) -> None:
    scale = Points(at, odds, pdo)
    assert scale.of(-np.log(odds)) == pytest.approx(at, abs=1e-6)
    assert scale.of(x - np.log(2)) - scale.of(x) == pytest.approx(pdo)
    assert scale.log_odds(scale.of(x)) == pytest.approx(x, abs=1e-6)
    assert Points.from_json(scale.to_json()) == scale


@pytest.mark.parametrize("said", [{"pdo": 0}, {"odds": -1}, {"at": float("nan")}, {"pdo": True}, {"scale": 3}])
def test_points_refuse_what_is_no_scale(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Points.from_json(said)


columns = st.integers(0, 10_000).flatmap(
    lambda seed: st.tuples(st.just(seed), st.sampled_from(["normal", "whole", "steps", "levels"]), st.booleans())
)


@given(columns)
@QUICK
def test_bins_cover_every_cell_once_and_are_monotone(drawn: tuple[int, str, bool]) -> None:
    seed, kind, weighed = drawn
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 400))
    made: dict[str, Any] = {
        "normal": rng.normal(size=n) * 10.0 ** rng.integers(-6, 9),
        "whole": rng.integers(-5, 40, n).astype(float),
        "steps": np.round(rng.exponential(size=n), 1),
        "levels": rng.choice(list("abcdefgh"), n).astype(object),
    }
    x = made[kind]
    bad = (rng.random(n) < expit(np.where(x == x[0], 1, -0.5))).astype(float)
    bad[:2] = 0, 1
    x[rng.random(n) < 0.1] = None if kind == "levels" else np.nan
    x[2] = "a" if kind == "levels" else 1.0
    weight = rng.uniform(0.1, 3, n) if weighed else np.ones(n)
    bins = alone(x, bad, weight)
    assert bins.monotone
    assert bins.why_not_monotone == ""
    np.testing.assert_allclose(bins.count.sum(), weight.sum())
    np.testing.assert_allclose(sum(bins.bad), weight @ bad)
    if bins.kind == "numbers":
        inside = [
            np.isnan(x) if label == "missing" else (low <= x) & (x < high)
            for label, low, high in zip(
                [*bins.labels[: bins.regular], "missing"],
                [-np.inf, *bins.edges, np.nan],
                [*bins.edges, np.inf, np.nan],
                strict=True,
            )
        ]
        assert (np.sum(inside, axis=0) == 1).all()
        np.testing.assert_array_equal(np.argmax(inside, axis=0), bins.find(x))
        np.testing.assert_allclose(bins.count, np.asarray(inside) @ weight)


def test_weight_of_evidence_is_what_it_is_defined_to_be(scorecard: Scorecard, applicants: Any) -> None:
    frame, bad = applicants
    bins = variable(scorecard, "debts").bins
    first = (frame["debts"] < bins.edges[0]).to_numpy()
    good = 1 - bad
    expected = np.log((good[first].sum() / good.sum()) / (bad[first].sum() / bad.sum()))
    assert bins.woe[0] == pytest.approx(expected)
    share = good[first].sum() / good.sum() - bad[first].sum() / bad.sum()
    assert bins.information[0] == pytest.approx(share * expected)
    assert bins.iv == pytest.approx(bins.information.sum())


def test_special_codes_and_missing_have_bins_of_their_own(scorecard: Scorecard, applicants: Any) -> None:
    bins = variable(scorecard, "months").bins
    assert bins.labels[-2:] == ("special: never", "missing")
    never = (applicants.frame["months"] == -1).to_numpy()
    assert bins.count[-2] == never.sum()
    assert bins.bad_rate[-2] == pytest.approx(applicants.bad[never].mean())
    np.testing.assert_array_equal(
        bins.find(np.array([-1.0, -1.0000001, -0.9999999, np.nan])), [len(bins) - 2, 0, 0, len(bins) - 1]
    )
    assert variable(scorecard, "income").bins.count[-1] == applicants.frame["income"].isna().sum()
    assert bins.woe[-1] == 0  # no training row was missing


def test_rare_levels_go_with_all_others(scorecard: Scorecard) -> None:
    card = variable(scorecard, "job")
    frame = pd.DataFrame({"job": ["monk", "astronaut", "clerk", None]})
    monk, astronaut, clerk, missing = card.bins.find(levels(frame["job"]))
    assert monk == astronaut != clerk
    assert missing == len(card.bins) - 1
    assert "all other levels" in card.bins.labels[monk]


def test_without_rare_levels_unseen_ones_count_as_missing() -> None:
    rng = np.random.default_rng(0)
    x = rng.choice(["a", "b"], 500).astype(object)
    bad = (rng.random(500) < np.where(x == "a", 0.1, 0.4)).astype(float)
    card = fit_scorecard(pd.DataFrame({"x": x}), bad)
    seen = card.score(pd.DataFrame({"x": ["c", None, "a", "b"]}))
    assert seen[0] == seen[1]
    assert seen[2] > seen[0] > seen[3]


def test_shares_add_up_from_the_mean_applicant(scorecard: Scorecard, applicants: Any, strangers: pd.DataFrame) -> None:
    shares = scorecard.shares(strangers)
    assert shares.shape == (len(strangers), len(scorecard.variables))
    np.testing.assert_allclose(scorecard.base + shares.sum(1), scorecard.log_odds(strangers))
    np.testing.assert_allclose(scorecard.shares(applicants.frame).mean(0), 0, atol=1e-12)
    points = sum(
        scorecard.bin_points(each)[each.bins.find(_cells(scorecard, each, strangers))] for each in scorecard.variables
    )
    np.testing.assert_allclose(points, scorecard.score(strangers))


def _cells(card: Scorecard, each: Any, frame: pd.DataFrame) -> Any:
    return read(frame, each.name, each.bins.kind, None if card.time is None else seconds(frame[card.time]))


def test_one_row_scores_as_a_frame_does(scorecard: Scorecard, strangers: pd.DataFrame) -> None:
    alone = [scorecard.score_row(row) for row in strangers.to_dict("records")]
    np.testing.assert_allclose(alone, scorecard.score(strangers), rtol=0, atol=1e-9)
    words = strangers.assign(
        applied=strangers["applied"].astype(str), opened=strangers["opened"].astype(str).replace("NaT", None)
    )
    alone = [scorecard.score_row(row) for row in words.head(40).to_dict("records")]
    np.testing.assert_allclose(alone, scorecard.score(strangers.head(40)), rtol=0, atol=1e-9)


def test_categories_and_whole_numbers_score_as_their_cells(scorecard: Scorecard, strangers: pd.DataFrame) -> None:
    other = strangers.iloc[25:].astype({"job": "category", "debts": "Int64"})
    np.testing.assert_array_equal(scorecard.score(other), scorecard.score(strangers.iloc[25:]))


def test_risk_is_ranked_and_said_as_it_is(scorecard: Scorecard, applicants: Any) -> None:
    risk = scorecard.log_odds(applicants.frame)
    assert roc_auc(applicants.bad, risk) > 0.72
    assert expit(risk).mean() == pytest.approx(applicants.bad.mean(), abs=1e-6)
    assert scorecard.variables[0].name == max(scorecard.variables, key=lambda each: each.bins.iv).name
    assert all(each.coefficient < 0 and each.p_value <= each.crossed_p_value <= 0.1 for each in scorecard.variables)


def test_standard_errors_are_those_of_the_fisher_information(applicants: Any) -> None:
    card = fit_scorecard(applicants.frame[["debts", "job"]], applicants.bad, settings=ScorecardSettings(penalty=0.0))
    woe = [each.bins.woe[each.bins.find(_cells(card, each, applicants.frame))] for each in card.variables]
    columns = np.column_stack([np.ones(len(applicants.bad)), *woe])
    p = expit(card.log_odds(applicants.frame))
    errors = np.sqrt(np.diag(np.linalg.inv(columns.T @ (columns * (p * (1 - p))[:, None]))))
    np.testing.assert_allclose([each.standard_error for each in card.variables], errors[1:], rtol=1e-6)
    np.testing.assert_allclose(columns.T @ (applicants.bad - p), 0, atol=1e-6)


def test_whole_weights_are_rows_repeated(applicants: Any) -> None:
    frame, bad = applicants.frame[["income", "debts", "job"]], applicants.bad
    times = np.random.default_rng(0).integers(0, 3, len(bad))
    edges = {
        "bins": {"income": {"edges": [15000, 25000]}, "debts": {"edges": [1, 3]}, "job": {"levels": [["clerk"], ["*"]]}}
    }
    chosen = ScorecardSettings.of({**edges, "penalty": 0})
    weighed = fit_scorecard(frame, bad, weight=times, settings=chosen)
    repeated = fit_scorecard(frame.loc[np.repeat(frame.index, times)], np.repeat(bad, times), settings=chosen)
    assert [each.bins.good for each in weighed.variables] == [each.bins.good for each in repeated.variables]
    np.testing.assert_allclose(weighed.log_odds(frame), repeated.log_odds(frame), atol=1e-9)


def test_what_is_left_out_says_why(applicants: Any) -> None:
    frame = applicants.frame.assign(
        twice=applicants.frame["income"] * 1.01 + np.random.default_rng(0).normal(size=len(applicants.bad)) * 1000,
        empty=np.nan,
        lists=[[1]] * len(applicants.bad),
        told=applicants.bad + np.random.default_rng(1).normal(size=len(applicants.bad)) * 0.3,
    )
    card = fit_scorecard(frame, applicants.bad, settings=ScorecardSettings(max_correlation=0.7))
    why = {each.name: each.why for each in card.left_out}
    assert "p-value" in why["noise"]
    assert "correlation" in why["twice"] or "correlation" in why["income"]
    assert why["empty"] == "no value in any row"
    assert "neither numbers" in why["lists"]
    assert "no time" in why["opened"]
    assert any(note.startswith("told: information value") for note in card.notes)
    assert set(why) | {each.name for each in card.variables} == set(frame.columns)


def test_a_coefficient_against_its_bins_is_dropped() -> None:
    rng = np.random.default_rng(2)
    n = 4000
    first = rng.normal(size=n)
    second = first + 0.5 * rng.normal(size=n)  # safe beside the first, risky alone
    bad = (rng.random(n) < expit(3 * first - 1.5 * second - 1)).astype(float)
    frame = pd.DataFrame({"first": first, "second": second})
    card = fit_scorecard(frame, bad, settings=ScorecardSettings(max_correlation=1.0))
    assert [each.name for each in card.variables] == ["first"]
    assert "wrong sign" in card.left_out[0].why


def test_noise_does_not_enter_though_its_bins_are_the_best_of_many() -> None:
    rng = np.random.default_rng(0)
    n = 800
    frame = pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(12)})
    bad = (rng.random(n) < expit(frame["x0"] - 1)).astype(float)
    card = fit_scorecard(frame, bad.to_numpy())
    assert card.variables[0].name == "x0"
    assert len(card.variables) <= 3
    tempting = [each for each in card.left_out if each.bins is not None and each.bins.iv > 0.02]
    assert len(tempting) >= 5  # information value on the rows that the bins were chosen on


def test_whatever_is_let_in_has_a_figure_for_everything() -> None:
    rng = np.random.default_rng(3)
    n = 120
    frame = pd.DataFrame({f"x{i}": rng.integers(0, 2 + i, n).astype(float) for i in range(6)})
    bad = (rng.random(n) < expit(frame["x5"] / 2 - 2)).astype(float).to_numpy()
    for penalty in (0.0, 30.0):
        said = {"min_iv": 0, "max_p_value": 1, "max_correlation": 1, "penalty": penalty}
        card = fit_scorecard(frame, bad, settings=ScorecardSettings.of(said))
        figures = [
            (each.coefficient, each.standard_error, each.p_value, each.crossed_p_value) for each in card.variables
        ]
        assert np.isfinite(figures).all()


def test_special_codes_of_levels_are_named_as_their_cells() -> None:
    codes = pd.Series([1, 2, -1, 1, 2] * 40, name="x")
    edit = {"bins": {"x": {"levels": [["1"], ["2"]], "special": {"none": [-1.0]}}}}
    rng = np.random.default_rng(0)
    bad = (rng.random(200) < np.where(codes == 1, 0.1, 0.5)).astype(float)
    card = fit_scorecard(codes.to_frame(), bad, settings=ScorecardSettings.of(edit))
    assert card.variables[0].bins.labels == ("1", "2", "special: none", "missing")
    assert card.variables[0].bins.count[2] == 40


def test_trends_are_those_that_were_asked_for() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 4000)
    bad = (rng.random(4000) < np.where(np.abs(x) > 0.5, 0.4, 0.1)).astype(float)
    valley = alone(x, bad, trends={"x": "valley"})
    assert not valley.monotone
    assert "valley" in valley.why_not_monotone
    assert alone(x, bad).monotone
    rates = alone(x + 0.3, bad, trends={"x": "rising"}).bad_rate[:-1]
    assert (np.diff(rates) >= 0).all()


def test_an_edge_is_the_shortest_number_that_parts_the_rows() -> None:
    x = np.repeat([1.0, 2.0, 17.3, 20.6], 100)
    bad = np.tile([0.0] * 4 + [1.0], 80)
    bad[200:] = np.tile([0.0, 1.0], 100)
    assert alone(x, bad).edges == (10.0,)


def test_the_same_rows_give_the_same_scorecard(scorecard: Scorecard, applicants: Any) -> None:
    settings = ScorecardSettings.of({"special_codes": {"months": {"never": -1}}})
    assert fit_scorecard(applicants.frame, applicants.bad, time="applied", settings=settings) == scorecard


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bad": np.full(3000, 2.0)}, "1 = default"),
        ({"bad": np.zeros(3000)}, "all outcomes are alike"),
        ({"time": "when"}, "unknown column 'when'"),
        ({"settings": ScorecardSettings(min_iv=9.0)}, "no variable is left"),
        ({"settings": ScorecardSettings.of({"trends": {"agee": "peak"}})}, "unknown variable of trends 'agee'"),
        ({"settings": ScorecardSettings.of({"special_codes": {"debts": ["x"]}})}, "'x' is text"),
    ],
)
def test_mistakes_are_told(applicants: Any, change: dict[str, Any], said: str) -> None:
    given = {"frame": applicants.frame, "bad": applicants.bad, **change}
    with pytest.raises((DataError, ConfigError), match=said):
        fit_scorecard(given.pop("frame"), given.pop("bad"), **given)


def test_rows_that_do_not_fit_are_told(scorecard: Scorecard, strangers: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"lacks column.*'debts'"):
        scorecard.score(strangers.drop(columns="debts"))
    with pytest.raises(DataError, match="'debts' holds 'many'"):
        scorecard.score(strangers.assign(debts="many"))
    row = strangers.to_dict("records")[30]
    with pytest.raises(DataError, match="'debts' holds 'many'"):
        scorecard.score_row({**row, "debts": "many"})
    del row["debts"]
    with pytest.raises(DataError, match="lacks the column 'debts'"):
        scorecard.score_row(row)


def test_the_table_shows_every_bin(scorecard: Scorecard) -> None:
    table = scorecard.table()
    assert len(table) == sum(len(each.bins) for each in scorecard.variables)
    shown = str(scorecard)
    assert "special: never" in shown
    assert "left out" in shown
    assert all(each.name in shown for each in (*scorecard.variables, *scorecard.left_out))
