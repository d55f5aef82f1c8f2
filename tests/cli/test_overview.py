"""``plait overview`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from plait import Classifier
from plait.cli import main


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overview")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["told", "noise"])
    frame["home"] = rng.choice(["own", "rent"], 200)
    frame["kind"] = np.select([frame["told"] > 0.5, frame["told"] < -0.5], ["high", "low"], "middle")
    frame.to_csv(folder / "rows.csv", index=False)
    for name, target in (("three", frame["kind"]), ("two", (frame["told"] > 0).map({True: "yes", False: "no"}))):
        model = Classifier(fusion="early", learner="linear", n_jobs=1, schema=_schema(frame, "kind"))
        model.fit(frame.drop(columns="kind"), target.rename("kind")).save(folder / f"{name}.plait")
    frame.assign(kind=np.where(frame["told"] > 0, "yes", "no")).to_csv(folder / "two.csv", index=False)
    return folder


def _schema(frame: pd.DataFrame, target: str) -> object:
    from plait.data.schema import Schema

    return Schema.infer(frame, target=target)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def test_tables_json_and_pictures(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("overview", saved / "two.plait", saved / "two.csv", "-o", tmp_path / "pictures", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    columns = [each for each in told["importance"]["worths"] if each["kind"] == "column"]
    assert columns[0]["name"] == "told"
    assert told["dependence"][0]["column"] == "told"
    assert told["surrogate"]["fidelity"] > 0.5
    drawn = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"network.png", "importance.png", "interactions.png", "tree.png", "follows-0.png"} <= drawn
    for name in drawn:
        with Image.open(tmp_path / "pictures" / name) as picture:
            assert min(picture.size) > 100


def test_a_class_is_named(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("overview", saved / "three.plait", saved / "rows.csv", "--column", "told", "--json")
    assert run(*asked, "--output", "high") == 0
    high = json.loads(capsys.readouterr().out)["dependence"][0]["mean"]
    assert high[-1] > high[0] + 0.3
    assert run(*asked, "--output", "low") == 0
    low = json.loads(capsys.readouterr().out)["dependence"][0]["mean"]
    assert low[0] > low[-1] + 0.3
    assert run(*asked, "--output", "hihg") == 2
    assert "did you mean 'high'" in capsys.readouterr().err


def test_few_rows_and_wrong_columns(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv(saved / "two.csv").head(1).to_csv(tmp_path / "one.csv", index=False)
    assert run("overview", saved / "two.plait", tmp_path / "one.csv") == 0
    assert "too few to grow a readable tree" in capsys.readouterr().err
    assert run("overview", saved / "two.plait", saved / "two.csv", "--column", "tld") == 2
    assert "did you mean 'told'" in capsys.readouterr().err
