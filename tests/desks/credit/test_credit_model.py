"""The desk's model: fitted on the past, kept as JSON and arrays, and true to its parts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import plait
from plait.desks.credit.config import SECTIONS, Config
from plait.desks.credit.fitting import fit_credit, meaning_default
from plait.desks.credit.judged import judge
from plait.desks.credit.model import CreditModel, load
from plait.errors import ArtifactError, ConfigError, DataError

QUICK = {"evidence": {"fusion": "early", "learner": "linear"}}
FIT = "credit fit loans.parquet --target default --time issued_at --config credit.yaml --jobs 1 --json"


def edit(run: Path, change: Callable[[Any], object]) -> None:
    told = json.loads((run / "credit.json").read_text())
    change(told)
    (run / "credit.json").write_text(json.dumps(told))


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    return plait.samples.loans(n=900, seed=3)


@pytest.fixture(scope="module")
def parts(loans: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return plait.split(loans, time="issued_at")


@pytest.fixture(scope="module")
def model(parts: tuple[pd.DataFrame, pd.DataFrame]) -> CreditModel:
    train, _ = parts
    return fit_credit(train, train["default"], time="issued_at", config=Config.of(QUICK), n_jobs=1)


def test_points_are_the_scorecard_and_what_evidence_adds(model: CreditModel, parts: Any) -> None:
    scores = model.score(parts[1])
    np.testing.assert_allclose(scores.points, scores.scorecard + scores.adjustment)
    np.testing.assert_allclose(scores.pd, expit(scores.log_odds))
    np.testing.assert_allclose(scores.points, model.points.of(scores.log_odds))
    assert (np.diff(scores.grade[np.argsort(scores.pd)]) >= 0).all()
    assert scores.present.shape == (len(parts[1]), len(model.schema.sources))


def test_evidence_moves_no_row_beyond_the_cap(parts: Any) -> None:
    train, test = parts
    settings = {**QUICK, "blend": {"cap": 3}}
    model = fit_credit(train, train["default"], time="issued_at", config=Config.of(settings), n_jobs=1)
    scores = model.score(test)
    calibrated = model.points.of(
        model.scorecard.log_odds(test) + model.blend.calibration(model.scorecard.log_odds(test))
    )
    assert np.abs(scores.points - calibrated).max() <= 3 + 1e-9
    assert 0 < scores.capped.mean() <= 1


def test_the_blend_is_fitted_on_later_rows_and_says_so(model: CreditModel, parts: Any) -> None:
    record = model.record
    assert record["rows"] == len(parts[0])
    assert record["blend_rows"] == pytest.approx(0.2 * len(parts[0]), abs=5)
    assert set(record["blend_figures"]) == {"scorecard", "evidence", "blend"}


def test_the_scorecard_reads_numbers_and_categories_only(model: CreditModel) -> None:
    assert set(model.scorecard.columns) <= {*model.tabular, "issued_at"}
    assert "letter" in model.used
    assert "letter" not in model.scorecard.columns


def test_a_saved_model_says_the_same(model: CreditModel, parts: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    again = load(tmp_path / "run")
    for name in ("pd", "points", "scorecard", "evidence", "adjustment", "grade"):
        np.testing.assert_array_equal(getattr(again.score(parts[1]), name), getattr(model.score(parts[1]), name))
    assert again.record == json.loads(json.dumps(model.record))
    assert again.config.said == model.config.said


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda run: (run / "credit.json").unlink(), "holds no credit.json"),
        (lambda run: (run / "credit.json").write_text("{"), "is no JSON"),
        (lambda run: (run / "credit.json").write_text("[]"), "is no credit desk's model"),
        (lambda run: edit(run, lambda told: told.update(version=99)), "version 99"),
        (lambda run: edit(run, lambda told: told["content"].update(bad=0)), "not what was written"),
        (lambda run: edit(run, lambda told: told.update(sha256="0")), "not what was written"),
    ],
)
def test_a_damaged_model_is_refused(
    model: CreditModel, tmp_path: Path, harm: Callable[[Path], object], told: str
) -> None:
    model.save(tmp_path / "run")
    harm(tmp_path / "run")
    with pytest.raises(ArtifactError, match=told):
        load(tmp_path / "run")


@pytest.mark.slow
def test_files_of_two_runs_do_not_go_together(model: CreditModel, parts: Any, tmp_path: Path) -> None:
    train = parts[0].head(500)
    other = fit_credit(train, train["default"], time="issued_at", config=Config.of(QUICK), seed=5, n_jobs=1)
    model.save(tmp_path / "run")
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "run" / "credit.json", tmp_path / "other" / "credit.json")
    with pytest.raises(ArtifactError, match="not the one"):
        load(tmp_path / "other")


def test_labels_may_be_words(parts: Any, model: CreditModel) -> None:
    train, test = parts
    words = train["default"].map({0: "repaid", 1: "charged off"})
    told = fit_credit(
        train.drop(columns="default"), words, time="issued_at", bad="charged off", config=Config.of(QUICK), n_jobs=1
    )
    np.testing.assert_allclose(told.score(test).pd, model.score(test).pd, atol=1e-6)
    judged = judge(told, test, test["default"].map({0: "repaid", 1: "charged off"}))
    assert judged.standings["blend"].roc_auc.value == pytest.approx(
        judge(model, test, test["default"]).standings["blend"].roc_auc.value, abs=1e-6
    )


def test_a_row_without_any_evidence_is_scored(model: CreditModel, parts: Any) -> None:
    bare = parts[1].head(2).copy()
    for name in model.used:
        bare[name] = None
    scores = model.score(bare)
    assert np.isfinite(scores.points).all()
    assert not scores.present.any()


@pytest.mark.parametrize(
    ("outcomes", "bad", "error", "told"),
    [
        ([0, 1, 2], None, DataError, "has 3 values"),
        (["good", "bad"], None, ConfigError, "which outcome is bad"),
        (["good", "bad"], "worse", ConfigError, "unknown outcome 'worse'"),
        ([0.0, 1.0, None], None, DataError, "missing in 1 of 3"),
    ],
)
def test_an_outcome_that_says_nothing_is_refused(outcomes: Any, bad: Any, error: Any, told: str) -> None:
    with pytest.raises(error, match=told):
        meaning_default(pd.Series(outcomes), bad)


def test_the_bad_outcome_is_known_or_named() -> None:
    assert meaning_default(pd.Series([1, 0, 1])) == 1
    assert meaning_default(pd.Series([True, False])) is True
    assert meaning_default(pd.Series([0, 1]), "0") == 0
    assert meaning_default(pd.Series(["good", "bad"]), "bad") == "bad"


def test_a_prohibited_column_is_refused_before_any_work(parts: Any) -> None:
    train = parts[0].assign(gender=np.where(np.arange(len(parts[0])) % 2, "male", "female"))
    with pytest.raises(ConfigError, match="'gender'"):
        fit_credit(train, train["default"], time="issued_at", config=Config.of(QUICK))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"blnd": {}}, "did you mean 'blend'"),
        ({"blend": {"cap": -1}}, "cap"),
        ({"blend": {"holdout": 1.5}}, "holdout"),
        ({"blend": 3}, "no mapping"),
        ({"evidence": {"fuson": "late"}}, "did you mean 'fusion'"),
        ({"scorecard": {"points": {"pdo": 0}}}, "pdo"),
    ],
)
def test_a_mistake_in_the_settings_is_named(said: Any, told: str, tmp_path: Path) -> None:
    (tmp_path / "credit.yaml").write_text(json.dumps(said))
    with pytest.raises(ConfigError, match=told) as caught:
        Config.read(tmp_path / "credit.yaml")
    assert "credit.yaml" in str(caught.value)


def test_the_example_has_every_section_and_is_understood() -> None:
    said = Config.read(Path(__file__).parents[3] / "examples" / "credit.yaml")
    assert tuple(sorted(said.said)) == SECTIONS
    for section in SECTIONS:
        assert getattr(said, section)


def test_settings_that_are_no_yaml_are_named(tmp_path: Path) -> None:
    (tmp_path / "credit.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        Config.read(tmp_path / "credit.yaml")
    with pytest.raises(ConfigError, match="No such file"):
        Config.read(tmp_path / "none.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, loans: pd.DataFrame) -> Path:
    place: Path = tmp_path_factory.mktemp("credit")
    loans.to_parquet(place / "loans.parquet")
    (place / "credit.yaml").write_text(json.dumps(QUICK))
    return place


@pytest.mark.slow
def test_fit_and_score_on_the_command_line(run: Callable[..., Any], folder: Path, loans: pd.DataFrame) -> None:
    said = run(*FIT.split(), "-o", "run")
    assert said.code == 0, said.err
    assert said.json["judged"]["standings"]["blend"]["roc_auc"]["value"] > 0.6
    assert {"model.plait", "credit.json", "run.json", "schema.yaml"} <= {
        path.name for path in (folder / "run").iterdir()
    }
    said = run("credit", "score", "run", "loans.parquet", "-o", "scores.csv", "--json")
    assert said.json["rows"] == len(loans)
    scores = pd.read_csv(folder / "scores.csv")
    assert list(scores.columns) == ["pd", "points", "scorecard", "adjustment", "capped", "grade"]
    np.testing.assert_allclose(scores["pd"], load(folder / "run").score(loans).pd)
    assert run("credit", "score", "run", "loans.parquet").code == 0


def test_what_is_missing_is_said_before_any_work(run: Callable[..., Any]) -> None:
    assert "--target" in run("credit", "fit", "loans.parquet", "-o", "none").err
    assert "unknown column 'defalt'" in run("credit", "fit", "loans.parquet", "--target", "defalt", "-o", "none").err
    assert "holds no credit.json" in run("credit", "score", ".", "loans.parquet").err
