"""Monitoring: quiet where nothing changed, lit where something did, and honest about what it cannot tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.model import CreditModel, load
from plait.desks.credit.monitoring.drift import Cusum, calibration_drift, cusum, poisson_binomial_p
from plait.desks.credit.monitoring.populations import kept, population
from plait.desks.credit.monitoring.report import monitor
from plait.desks.credit.monitoring.stability import Binned, Population, Reference, corrected, moved, stability
from plait.errors import ConfigError, DataError

GRADES = ("A", "B", "C", "D")


def made(n: int, seed: int, worse: float = 0.0, odds: float = 1.0, months: int = 6) -> Population:
    """Applicants in order of time, `worse` standard deviations riskier, who default `odds` times as often as said."""
    rng = np.random.default_rng(seed)
    income = rng.normal(-worse, 1, n)
    other = rng.normal(size=n)
    log_odds = -2 - 0.8 * income - 0.5 * other
    pd_ = 1 / (1 + np.exp(-log_odds))
    code = np.searchsorted([-0.7, 0.0, 0.7], income)
    variables = (
        Binned("income", ("low", "some", "more", "high"), np.array([40.0, 70.0, 90.0, 120.0]), code),
        Binned("other", ("under", "over"), np.array([90.0, 110.0]), (other > 0).astype(np.int64)),
    )
    bad = (rng.random(n) < odds * pd_ / (1 - pd_ + odds * pd_)).astype(float)
    month = np.datetime64("2024-01", "M") + np.arange(n) * months // n
    grade = np.searchsorted([0.05, 0.1, 0.2], pd_)
    return Population(500 - 28.85 * log_odds, pd_, grade, GRADES, variables, bad, month.astype("datetime64[D]"))


@pytest.fixture(scope="module")
def reference() -> Population:
    return made(6000, 100)


def test_nothing_changed_is_green(reference: Population) -> None:
    found = monitor(reference, made(3000, 0), require="green")
    assert found.colour == "green"
    assert not found.refusal
    assert {light.colour for light in found.lights} == {"green"}
    assert list(found.stability) == ["all", *(f"2024-0{i}" for i in range(1, 7))]
    json.dumps(found.to_json(), allow_nan=False)


def test_few_rows_raise_no_alarm_by_chance(reference: Population) -> None:
    lit, customary = 0, 0
    known = Reference.of_rows(reference)
    for seed in range(60):
        (score, *_), *_ = corrected({"all": stability(known, made(80, seed))}, ("all",)).values()
        lit += score.size != "small"
        customary += score.psi >= 0.1
    assert lit <= 6
    assert customary >= 20  # what the limit alone would have said


def test_a_moved_population_is_found_where_it_moved(reference: Population) -> None:
    found = monitor(reference, made(3000, 1, worse=0.8), require="amber")
    assert found["income"].size == "large"
    assert found["other"].size == "small"
    assert found["score"].size != "small"
    assert found["income"].points < -10
    assert abs(found["other"].points) < 2
    assert found.lights[0].colour == "red"
    assert "income" in found.lights[0].why
    assert "amber was required" in found.refusal


def test_points_moved_are_those_of_the_mean_score() -> None:
    found = moved("x", ("a", "b"), np.array([80.0, 20.0]), np.array([50.0, 50.0]), np.array([10.0, 30.0]))
    assert found.points == pytest.approx(0.3 * (30 - 10))
    assert found.psi > 0.25
    assert found.bins[1] == ("b", 0.2, 0.5, 30.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12))
def test_a_psi_is_never_negative_and_its_p_a_chance(counts: list[tuple[int, int]]) -> None:
    old, new = np.array(counts, float).T
    found = moved("x", [str(i) for i in range(len(old))], old + 1, new + 1)
    assert found.psi >= 0
    assert 0 <= found.p <= 1
    same = moved("x", [str(i) for i in range(len(old))], old + 1, old + 1)
    assert same.psi == pytest.approx(0)
    assert same.p == pytest.approx(1)


def test_more_defaults_than_expected_are_found(reference: Population) -> None:
    found = monitor(reference, made(6000, 2, odds=1.6))
    assert found.lights[2].colour == "red"
    assert found.calibration is not None
    assert found.calibration.alarm in ("2024-01", "2024-02")
    assert found.calibration.overall.ratio.low > 1.2
    assert "CUSUM" in str(found)
    small = monitor(reference, made(6000, 2, odds=1.25))
    assert small.lights[2].colour == "amber"


def test_a_score_that_ranks_no_more_is_found(reference: Population) -> None:
    new = made(3000, 3)
    rng = np.random.default_rng(0)
    found = monitor(reference, replace(new, bad=rng.permutation(new.bad)))
    assert found.lights[1].colour == "red"


def test_young_periods_are_said_and_not_judged(reference: Population) -> None:
    new = made(3000, 4)
    assert new.bad is not None
    last = new.day == np.datetime64("2024-06-01")
    bad = np.where(last & (new.bad == 0), np.nan, new.bad)  # only the early defaults are known
    found = monitor(reference, replace(new, bad=bad))
    assert "2024-06" in found.notes[0]
    judged = {each.period: each for each in found.performance}
    assert judged["2024-06"].young
    assert np.isnan(judged["2024-06"].auc.value)
    assert found.calibration is not None
    assert "2024-06" not in {each.period for each in found.calibration.periods}
    assert found.lights[2].colour == "green"


def test_without_outcomes_and_times_the_population_is_all(reference: Population) -> None:
    found = monitor(reference, replace(made(500, 5), bad=None, day=None))
    assert list(found.stability) == ["all"]
    assert found.calibration is None
    assert [light.colour for light in found.lights[1:]] == ["grey", "grey"]


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_the_chance_of_defaults_is_that_of_the_binomial(rate: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    n = 400
    for count in range(0, int(2.5 * rate * n), 7):
        exact = min(1.0, 2 * min(stats.binom.cdf(count, n, rate), stats.binom.sf(count - 1, n, rate)))
        assert poisson_binomial_p(np.full(n, rate), count) == pytest.approx(exact, abs=0.02)


def test_the_run_length_of_the_charts_is_the_one_that_is_said() -> None:
    rng = np.random.default_rng(0)
    pds = rng.beta(2, 10, 500)
    made = cusum(pds, np.zeros(500), false_alarm=0.4)
    later = np.tile(pds, 8)
    runs = []
    for _ in range(150):
        bad = rng.random(len(later)) < later
        chart = sums(later, bad, made)
        hit = (chart[0] > made.limit[0]) | (chart[1] > made.limit[1])
        runs.append(int(np.argmax(hit)) + 1 if hit.any() else len(later))
    assert np.mean(runs) == pytest.approx(made.run_length, rel=0.3)


def sums(pds: np.ndarray[Any, Any], bad: np.ndarray[Any, Any], found: Cusum) -> np.ndarray[Any, Any]:
    """The charts as Steiner et al. (2000) write them, a loan at a time."""
    made = np.zeros((2, len(pds)))
    for k, odds in enumerate((found.odds, 1 / found.odds)):
        level = 0.0
        for t, (p, y) in enumerate(zip(pds, bad, strict=True)):
            level = max(0.0, level + (np.log(odds) if y else 0.0) - np.log(1 - p + odds * p))
            made[k, t] = level
    return made


def test_charts_are_those_of_the_paper_and_alarm_where_odds_rise() -> None:
    rng = np.random.default_rng(1)
    pds = rng.beta(2, 10, 3000)
    odds = np.where(np.arange(3000) >= 1000, 1.8, 1.0)
    bad = rng.random(3000) < odds * pds / (1 - pds + odds * pds)
    found = cusum(pds, bad)
    np.testing.assert_allclose(np.stack([found.high, found.low]), sums(pds, bad, found), atol=1e-9)
    assert found.alarm_high is not None
    assert 1000 < found.alarm_high < 2000
    assert found.alarm == found.alarm_high
    safe = rng.random(3000) < pds / 1.8
    assert cusum(pds, safe).alarm_low is not None


def test_drift_by_grade_is_told_where_it_is() -> None:
    rng = np.random.default_rng(3)
    pds = np.repeat([0.03, 0.3], 1500)
    grade = np.repeat([0, 1], 1500)
    order = rng.permutation(3000)
    rate = np.where(grade == 0, 2.5 * pds, pds)
    bad = (rng.random(3000) < rate).astype(float)
    found = calibration_drift(pds, bad, np.full(3000, "2024"), grade, ("A", "B"), order)
    assert [(each.grade, each.verdict) for each in found.grades] == [("A", "too many"), ("B", "")]
    assert found.lines["2024"].slope.high < 1


@pytest.mark.parametrize("change", [{"odds": 1.0}, {"false_alarm": 0.0}, {"by": "week"}, {"require": "blue"}])
def test_what_is_out_of_range_is_refused(reference: Population, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        monitor(reference, made(300, 6), **change)


def test_no_rows_are_refused(reference: Population) -> None:
    with pytest.raises(DataError, match="no new rows"):
        monitor(reference, reference.take(np.arange(0)))


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    return plait.samples.loans(n=1200, seed=5).drop(columns=["letter", "balance"])


@pytest.fixture(scope="module")
def model(loans: pd.DataFrame) -> CreditModel:
    config = Config.of({"evidence": {"fusion": "early", "learner": "linear"}})
    past = loans.iloc[:600]
    return fit_credit(past.drop(columns="default"), past["default"], time="issued_at", config=config, n_jobs=1)


def test_a_model_says_of_rows_what_monitoring_asks(model: CreditModel, loans: pd.DataFrame) -> None:
    new = loans.iloc[600:].copy()
    new["default"] = new["default"].astype(float)
    new.loc[new.index[-50:], "default"] = np.nan
    found = population(model, new, target="default", time="issued_at")
    assert found.bad is not None
    assert np.isnan(found.bad).sum() == 50
    card = sum(each.points[each.code] for each in found.variables)
    np.testing.assert_allclose(card, model.scorecard.score(new))
    with pytest.raises(ConfigError, match="income"):
        population(model, new, target="incme")
    new["default"] = 7
    with pytest.raises(ConfigError, match="outcome"):
        population(model, new, target="default")


def test_a_model_remembers_its_population(model: CreditModel, loans: pd.DataFrame, tmp_path: Path) -> None:
    known = kept(model)
    assert known.rows == model.record["blend_rows"]
    assert known.score.sum() == known.grade.sum() == known.rows
    assert {name: counts.sum() for name, counts in known.variables.items()} == {
        each.name: 600 for each in model.scorecard.variables
    }
    model.save(tmp_path)
    again = kept(load(tmp_path))
    np.testing.assert_array_equal(again.edges, known.edges)
    with pytest.raises(ConfigError, match="reference"):
        kept(replace(model, record={}))
    found = monitor(known, population(model, loans.iloc[600:]))
    assert found["score"].size == "small"


def test_the_verb(model: CreditModel, loans: pd.DataFrame, run: Callable[..., Any], folder: Path) -> None:
    model.save(folder / "model")
    loans.iloc[600:900].to_parquet(folder / "old.parquet")
    new = loans.iloc[900:].assign(income=lambda rows: 0.5 * rows["income"])
    new.to_parquet(folder / "new.parquet")
    ask = ["credit", "monitor", "model", "new.parquet", "--time", "issued_at", "--by", "quarter", "--target", "default"]
    said = run(*ask, "--reference", "old.parquet", "--require", "green", "-o", "out", "--json")
    assert said.code == 3
    assert said.json["colour"] in ("amber", "red")
    assert (folder / "out" / "stability.png").exists()
    assert (folder / "out" / "cusum.png").exists()
    plain = run("credit", "monitor", "model", "new.parquet")
    assert plain.code == 0
    assert "income *" in plain.out
    assert run("credit", "monitor", "model", "new.parquet", "--target", "defualt").code == 2
