"""Work on a Ray cluster comes to what work here comes to. One local cluster of two workers; Ray warns of itself, so it
runs in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from plait.cluster import session
from plait.data.read import read
from plait.errors import ConfigError, MissingExtraError

LIMIT = 400  # seconds after which a command is ended

WORK = """
import sys
from pathlib import Path
import plait
from plait import cluster
from plait.data.read import read
from plait.errors import PlaitError
from plait.tuning import tune

rows = read("rows.parquet")
X, y = rows.drop(columns="default"), rows["default"]
told = {"width": 8, "heads": 2, "epochs": 2, "dropout": 0.0}
network = plait.Classifier(fusion="attention", time="issued_at", options={"attention": told}, n_jobs=1)
trees = plait.Classifier(fusion="early", learner="linear", time="issued_at", n_jobs=1)
with cluster.session(2):
    cluster.fit(network, X, y, workers=2).save("network.plait")
    try:
        cluster.fit(network, X, y * 0, workers=2)
    except PlaitError as error:
        Path("error.txt").write_text(f"{type(error).__name__}: {error}")
    trees.fit(X, y).save("trees.plait")
    cluster.predict("trees.plait", "many", "predicted", workers=2)
    tune(trees, X, y, trials=4, folder=".", spread=cluster.Tasks(2)).estimator.save("tuned.plait")
"""


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows, and what a cluster made of them."""
    place = tmp_path_factory.mktemp("cluster")
    rows = plait.samples.loans(n=200, seed=0).drop(columns="letter")
    rows.to_parquet(place / "rows.parquet")
    (place / "many").mkdir()
    rows[:120].to_parquet(place / "many" / "0.parquet", row_group_size=16)
    rows[120:].to_parquet(place / "many" / "1.parquet", row_group_size=7)
    told = {**os.environ, "OMP_NUM_THREADS": "1"}
    told.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-c", WORK]
    said = subprocess.run(command, cwd=place, env=told, capture_output=True, text=True, timeout=LIMIT)
    assert said.returncode == 0, said.stderr
    return place


@pytest.mark.slow
def test_two_ray_workers_come_to_what_one_process_comes_to(worked: Path) -> None:
    rows = read(worked / "rows.parquet")
    told = {"width": 8, "heads": 2, "epochs": 2, "dropout": 0.0}
    alone = plait.Classifier(fusion="attention", time="issued_at", options={"attention": told}, n_jobs=1)
    alone.fit(rows.drop(columns="default"), rows["default"])
    other = plait.load(worked / "network.plait")
    ours, theirs = (each.model_.fitted.history for each in (alone, other))  # type: ignore[attr-defined]
    np.testing.assert_allclose(theirs["losses"], ours["losses"], atol=1e-4)
    np.testing.assert_allclose(other.predict_proba(rows), alone.predict_proba(rows), atol=1e-4)
    assert set(other.model_.references) == {"linear", "lightgbm"}  # they were fitted where the rows were
    assert (worked / "error.txt").read_text().startswith("DataError: ")


@pytest.mark.slow
def test_predictions_of_a_cluster_are_those_made_here_in_order(worked: Path) -> None:
    rows = read(worked / "rows.parquet")
    predicted = read(worked / "predicted")
    probability = predicted[[name for name in predicted.columns if name.startswith("probability_")]]
    expected = plait.load(worked / "trees.plait").predict_proba(rows)
    np.testing.assert_allclose(probability.to_numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_trials_of_a_cluster_are_kept(worked: Path) -> None:
    assert (worked / "trials.jsonl").stat().st_size
    plait.load(worked / "tuned.plait").predict(read(worked / "rows.parquet"))


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'plait\[scale\]'"), session(2):
        pass
    with pytest.raises(ConfigError, match="workers=0"), session(0):
        pass


def test_what_cannot_be_done_on_a_cluster_is_said_before_one_starts(run: Callable[..., Any], tmp_path: Path) -> None:
    plait.samples.loans(n=60, seed=0)[["income", "default"]].to_csv(tmp_path / "rows.csv", index=False)
    fit = ("fit", tmp_path / "rows.csv", "--target", "default", "-o", tmp_path / "out")
    refused = run(*fit, "--on", "rye")
    assert refused.code == 2
    assert "did you mean 'ray'" in refused.err
    assert "--on ray" in run(*fit, "--workers", 2).err
    assert run(*fit, "--fusion", "early", "--learner", "linear", "--jobs", 1, "--json").code == 0
    predict = run(
        "predict", tmp_path / "out" / "model.plait", tmp_path / "rows.csv", "-o", tmp_path / "p", "--on", "ray"
    )
    assert predict.code == 2
    assert "read Parquet" in predict.err
    json.loads((tmp_path / "out" / "run.json").read_text())
