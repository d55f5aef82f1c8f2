"""What is served beside plain classifiers: promises, several targets, long tables, desks with a fitted model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

import plait
from plait import samples
from plait.data.asof import side
from plait.data.schema import Schema
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.errors import ConfigError
from plait.serving.app import create_app
from plait.serving.audit import Audit
from plait.serving.settings import Settings
from plait.serving.shelf import Shelf


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return list(json.loads(frame.to_json(orient="records", date_format="iso")))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    frame = samples.biased(500, 3)
    return frame.assign(applicant=[f"A{i}" for i in range(len(frame))])


@pytest.fixture(scope="module")
def shelf(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with sets, a regressor with intervals, and a model of two targets."""
    place = tmp_path_factory.mktemp("shelf")
    numbers = rows.select_dtypes("number").drop(columns="default")
    named = [name for name in numbers.columns if name != "age"]
    plain: dict[str, Any] = {"fusion": "early", "learner": "linear", "random_state": 0, "n_jobs": 1}
    fit, held = slice(0, 300), slice(300, None)
    sets = plait.Classifier(**plain).fit(numbers[fit], rows["default"][fit])
    sets.conformalize(numbers[held], rows["default"][held], coverage=0.9).save(place / "sets")
    value = numbers[named[0]]
    ends = plait.Regressor(**plain).fit(numbers[named[1:]][fit], value[fit])
    ends.conformalize(numbers[named[1:]][held], value[held], coverage=0.9).save(place / "ends")
    both = rows[["default"]].assign(worth=value)
    plait.MultiTask(["default", "worth"], **plain).fit(numbers[named[1:]].join(both)).save(place / "both")
    models = {name: {"champion": {"path": name, "version": "1"}} for name in ("sets", "ends", "both")}
    path = place / "shelf.yaml"
    path.write_text(json.dumps({"models": models}))
    return path


def test_promises_and_several_targets_over_http_are_those_of_the_models(shelf: Path, rows: pd.DataFrame) -> None:
    frame = rows.select_dtypes("number").drop(columns="default").tail(5)
    asked = {"rows": records(frame)}
    with TestClient(create_app(Settings(shelf))) as client:
        told = {
            name: client.post("/v1/predict", json={**asked, "model": name}).json()["predictions"]
            for name in ("sets", "ends", "both")
        }
        refused = client.post("/v1/explain", json={**asked, "model": "both"})
        unnamed = client.post("/v1/predict", json=asked)
        document = client.get("/openapi.json").json()
    sets, ends, both = (plait.load(shelf.parent / name) for name in ("sets", "ends", "both"))
    inside = np.asarray(sets.predict_set(frame))
    assert [[c in each["set"] for c in sets.classes_.tolist()] for each in told["sets"]] == inside.tolist()
    assert np.allclose([[each["low"], each["high"]] for each in told["ends"]], ends.predict_interval(frame))
    assert set(told["both"][0]["targets"]) == {"default", "worth"}
    values = both.predict(frame)
    assert np.allclose([each["targets"]["worth"]["value"] for each in told["both"]], values["worth"])
    assert refused.status_code == 422
    assert "several targets" in refused.json()["error"]["message"]
    assert unnamed.status_code == 422
    assert "both, ends, sets" in unnamed.json()["error"]["message"]
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert [each["properties"]["model"]["const"] for each in body["oneOf"]] == ["sets", "ends", "both"]
    assert all("model" in each["required"] for each in body["oneOf"])
    assert {"Row.sets", "Row.ends", "Row.both"} <= set(document["components"]["schemas"])


@pytest.mark.slow
def test_a_desk_decides_by_the_name_of_its_model_and_is_audited_with_reasons_and_policies(
    rows: pd.DataFrame, tmp_path: Path
) -> None:
    schema = Schema.infer(rows, target="default", sensitive=["origin", "age"], id="applicant")
    settings = {"evidence": {"fusion": "early", "learner": "linear"}, "policy": {"approve_below": 0.3}}
    fit_credit(rows, rows["default"], schema=schema, config=Config.of(settings), n_jobs=1).save(tmp_path / "desk")
    shelf = tmp_path / "shelf.yaml"
    shelf.write_text(json.dumps({"desks": {"credit": {"main": {"path": "desk"}}}}))
    asked = {"model": "main", "rows": {"rows": records(rows.drop(columns="default").tail(4))}}
    with TestClient(create_app(Settings(shelf, audit=str(tmp_path / "audit.db")))) as client:
        decided = client.post("/v1/desks/credit/decide", json=asked, headers={"X-Request-Id": "decided"})
        scored = client.post("/v1/desks/credit/score", json=asked)
        other = client.post("/v1/desks/credit/decide", json={**asked, "model": "mian"})
        path = client.post("/v1/desks/credit/decide", json={**asked, "output": "/tmp/out.csv"})
    assert decided.status_code == scored.status_code == 200, (decided.text, scored.text)
    said = decided.json()["result"]["decisions"]
    with Audit.open(tmp_path / "audit.db") as opened:
        kept = list(opened.entries(request="decided"))
    assert [each.fields["decision"] for each in kept] == [each["decision"] for each in said]
    assert {each.kind for each in kept} == {"credit.decide"}
    assert [each.fields["subject"] for each in kept] == rows["applicant"].tail(4).tolist()
    assert all(isinstance(each.fields["policies"], list) for each in kept)
    output = kept[0].fields["output"]
    assert output["reasons"] == said[0]["reasons"]
    assert other.status_code == 404
    assert "did you mean 'main'" in other.json()["error"]["message"]
    assert path.status_code == 422


def test_long_tables_come_with_the_request(tmp_path: Path) -> None:
    frame, table = samples.payments_side(120, seed=0)
    sides = {"payments": side("payments", table, "customer", "time")}
    schema = Schema.infer(frame, target="default", time="reviewed_at", sides=sides)
    model = plait.Classifier(schema=schema, fusion="early", learner="linear", random_state=0, n_jobs=1)
    model.fit(frame.drop(columns="default"), frame["default"], sides=sides).save(tmp_path / "paid.plait")
    some = frame.drop(columns="default").head(3)
    theirs = table[table["customer"].isin(some["customer"])]
    want = model.predict_proba(some, sides={"payments": side("payments", theirs, "customer", "time")})
    with TestClient(create_app(Settings(tmp_path / "paid.plait"))) as client:
        asked = {"rows": records(some), "sides": {"payments": records(theirs)}}
        told = client.post("/v1/predict", json=asked).json()["predictions"]
        without = client.post("/v1/predict", json={"rows": records(some)})
        broken = client.post("/v1/predict", json={**asked, "sides": {"payments": [{"customer": ["C1"]}]}})
    assert np.allclose([list(each["probabilities"].values()) for each in told], want)
    assert without.status_code == broken.status_code == 422
    assert "long table 'payments'" in without.json()["error"]["message"]


def test_models_of_odd_rows_are_refused_by_name(rows: pd.DataFrame, tmp_path: Path) -> None:
    numbers = rows.select_dtypes("number").drop(columns="default")
    plait.Detector(random_state=0).fit(numbers).save(tmp_path / "odd.plait")
    with pytest.raises(ConfigError, match="predicts no target"):
        Shelf.open(tmp_path / "odd.plait")
