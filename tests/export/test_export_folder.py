"""Exported models: written only if they say the same, read by a package without the libraries of learning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import plait
from plait.artifact import read, write
from plait.cli import app
from plait.edge import load
from plait.edge.graphs import Runner, Trees
from plait.errors import ArtifactError, ConfigError
from plait.export import build, export, plan
from plait.export.runtime import files

COLUMNS = ["issued_at", "income", "amount", "purpose", "letter"]
OPTIONS = {"lightgbm": {"trees": 6, "leaves": 4, "members": 2}}
BLOCKED = ("torch", "sklearn", "scipy", "pandas", "pyarrow", "lightgbm", "yaml", "onnx", "plait", "sentencepiece")
ASK = f"""
import sys, json
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Blocked())
import plait_edge
model = plait_edge.load(sys.argv[1])
print(json.dumps(model.predict(json.loads(sys.argv[2]))))
"""


@pytest.fixture(scope="module")
def loans() -> pd.DataFrame:
    made: pd.DataFrame = plait.samples.loans(n=200, seed=0)
    return made


@pytest.fixture(scope="module")
def model(loans: pd.DataFrame) -> plait.Classifier:
    made = plait.Classifier(fusion="early", time="issued_at", options=OPTIONS, random_state=0, n_jobs=1)
    return made.fit(loans[COLUMNS], loans["default"])


@pytest.fixture(scope="module")
def exported(model: plait.Classifier, loans: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edge") / "loans.edge"
    made = export(model, path, rows=loans[COLUMNS].head(60))
    assert made.parity.most < 1e-6
    assert made.parity.count == 60
    assert made.size == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return list(json.loads(frame[COLUMNS].to_json(orient="records", date_format="iso")))


def test_it_says_what_the_model_says(exported: Path, model: plait.Classifier, loans: pd.DataFrame) -> None:
    rows = records(loans.head(30))
    answers = load(exported).predict(rows)
    theirs = model.predict_proba(loans.head(30))
    assert np.allclose([list(answer["probabilities"].values()) for answer in answers], theirs, atol=1e-6)
    assert [answer["label"] for answer in answers] == model.predict(loans.head(30)).tolist()


def test_missing_sources_faults_and_nothing_at_all(
    exported: Path, model: plait.Classifier, loans: pd.DataFrame
) -> None:
    rows = records(loans.head(4))
    rows[0]["letter"] = None
    rows[1] |= {"letter": ["no", "text"], "income": "n/a"}
    rows[2] |= dict.fromkeys(COLUMNS[1:])
    answers = load(exported).predict(rows)
    theirs = model.prediction(pd.DataFrame(rows))
    assert np.allclose([list(answer["probabilities"].values()) for answer in answers], theirs.values, atol=1e-6)
    told = [(row, f["column"], f["reason"]) for row, a in enumerate(answers) for f in a.get("faults", ())]
    assert sorted(told) == sorted((fault.row, fault.column, fault.reason) for fault in theirs.faults)
    assert {column for row, column, _ in told if row == 1} == {"income", "letter"}
    assert load(exported).predict([]) == []


def test_sets_and_intervals_go_along(loans: pd.DataFrame, tmp_path: Path) -> None:
    columns = ["income", "purpose"]
    fit, rest = loans.iloc[:120], loans.iloc[120:]
    classes = plait.Classifier(fusion="early", options=OPTIONS, random_state=0, n_jobs=1)
    classes.fit(fit[columns], fit["default"]).conformalize(rest[columns], rest["default"])
    export(classes, tmp_path / "classes", rows=rest[columns])
    rows = json.loads(rest[columns].to_json(orient="records"))
    inside = [[c in answer["set"] for c in (0, 1)] for answer in load(tmp_path / "classes").predict(rows)]
    assert np.array_equal(inside, classes.predict_set(rest[columns]))
    values = plait.Regressor(fusion="early", learner="linear", random_state=0, n_jobs=1)
    values.fit(fit[columns], fit["amount"]).conformalize(rest[columns], rest["amount"], method="scaled")
    export(values, tmp_path / "values.zip", rows=rest[columns])
    answers = load(tmp_path / "values.zip").predict(rows)
    ends = [[answer["low"], answer["high"]] for answer in answers]
    assert np.allclose(ends, values.predict_interval(rest[columns]), rtol=1e-5)


def test_the_package_runs_without_the_libraries_of_learning(
    exported: Path, model: plait.Classifier, loans: pd.DataFrame, tmp_path: Path
) -> None:
    wheel = build(tmp_path)
    assert wheel.read_bytes() == build(tmp_path / "again").read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "target")
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert 'Requires-Dist: pillow>=10; extra == "image"' in metadata
    assert 'Requires-Dist: av>=12; extra == "audio"' in metadata
    assert 'extra == "table"' not in metadata
    assert "plait_edge/__init__.py" in names
    assert not [name for name in names if name.startswith(("plait/", "plait_edge/training", "plait_edge/cli"))]
    rows = records(loans.head(3))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "target")}
    command = [sys.executable, "-c", ASK, str(exported), json.dumps(rows)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    shares = [list(answer["probabilities"].values()) for answer in json.loads(done.stdout)]
    assert np.allclose(shares, model.predict_proba(loans.head(3)), atol=1e-6)


def test_the_package_is_made_of_the_files_themselves() -> None:
    packed = files()
    assert "from plait_edge.contracts import" in packed["edge/model.py"]
    assert '"plait_edge.modalities.' in packed["registry.py"]
    assert packed["contracts/arrays.py"] == (Path(plait.__file__).parent / "contracts/arrays.py").read_text().replace(
        "from plait", "from plait_edge"
    )
    assert len(packed["__init__.py"]) < 1_000


def test_a_model_that_would_say_something_else_is_not_written(
    model: plait.Classifier, loans: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Trees.predict
    monkeypatch.setattr(Trees, "predict", lambda self, values, **how: right(self, values, **how) + 0.01)
    with pytest.raises(ConfigError, match="says something else"):
        export(model, tmp_path / "wrong", rows=loans[COLUMNS].head(20))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read(exported: Path, model: plait.Classifier, tmp_path: Path) -> None:
    model.save(tmp_path / "whole")
    with pytest.raises(ArtifactError, match="not an exported one"):
        load(tmp_path / "whole")
    manifest, state = read(exported)
    more = {**manifest["edge"], "format": 99}
    write(tmp_path / "newer", state, {"schema": manifest["schema"], "edge": more})
    with pytest.raises(ArtifactError, match="format 99"):
        load(tmp_path / "newer")
    with pytest.raises(ArtifactError, match="not a complete plait model"):
        plait.load(exported)


@pytest.mark.parametrize("array", [np.zeros(0), np.ones((3, 3))])
def test_arrays_that_do_not_belong_together(exported: Path, tmp_path: Path, array: Any) -> None:
    manifest, state = read(exported)
    rooms = state.parts["rooms"]
    table = replace(rooms.parts["table"], arrays={**rooms.parts["table"].arrays, "counts.0": array})
    forged = replace(state, parts={**state.parts, "rooms": replace(rooms, parts={**rooms.parts, "table": table})})
    write(tmp_path / "forged", forged, {name: manifest[name] for name in ("schema", "edge")})
    with pytest.raises(ArtifactError, match="not a complete exported model"):
        load(tmp_path / "forged")


def test_a_graph_that_is_none_is_refused_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArtifactError, match="cannot read the graph"):
        Runner().session(np.zeros(64, np.uint8))
    assert capfd.readouterr().err == ""


def test_made_rows_serve_where_there_are_no_real_ones(model: plait.Classifier, tmp_path: Path) -> None:
    made = export(model, tmp_path / "made")
    assert made.parity.count == 200
    assert made.parity.most < 1e-6
    assert plan(model, int8=True).left_out[-1].startswith("int8:")


def test_the_command(model: plait.Classifier, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    out = tmp_path / "loans.edge"

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app(), ["export", *arguments, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    planned = run(str(tmp_path / "model"), "-o", str(out), "--dry-run")
    assert planned["refused"] == []
    assert not out.exists()
    written = run(str(tmp_path / "model"), "--to", "onnx", "-o", str(out), "--runtime")
    assert written["parity"]["all"] < 1e-6
    assert load(out).about["fusion"] == "early"
    assert Path(written["wheel"]).parent == tmp_path
    assert run("--runtime", "-o", str(tmp_path / "dist"))["wheel"].endswith(".whl")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["-o", "x"], "name the MODEL"), (["m", "--to", "tflite", "-o", "x"], "format to export to")],
)
def test_what_the_command_refuses(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app(), ["export", *arguments])
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)


@pytest.mark.slow
def test_weights_of_networks_in_eight_bits(
    loans: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    columns = ["income", "amount", "letter"]
    options = {"attention": {"epochs": 1, "width": 32, "holdout": 0.0}}
    network = plait.Classifier(fusion="attention", options=options, random_state=0, n_jobs=1)
    network.fit(loans[columns], loans["default"])
    whole = export(network, tmp_path / "whole", rows=loans[columns].head(40))
    small = export(network, tmp_path / "small", rows=loans[columns].head(40), int8=True)
    assert small.parity.most < 1e-5
    assert small.rounded is not None
    assert 0 < small.rounded < 0.1
    assert small.size < whole.size
    assert not caplog.records
    rows = records(loans.head(5).assign(issued_at=None))
    answers = [list(answer["probabilities"].values()) for answer in load(tmp_path / "small").predict(rows)]
    assert np.allclose(answers, network.predict_proba(loans.head(5)), atol=0.1)
