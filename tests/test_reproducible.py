"""The same seed and plan in two processes give the same bytes, and so does a model saved and loaded in another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plait
from plait import registry
from plait.training.neural import NeuralFusion

FIT = """
import json, sys, numpy as np, plait
folder, rows, how = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
train, test = plait.split(plait.samples.loans(rows, seed=6), time="issued_at")
model = plait.Classifier(time="issued_at", random_state=3, n_jobs=1, **how)
model.fit(train.drop(columns="default"), train["default"])
np.save(folder + "/values.npy", model.predict_proba(test))
json.dump(dict(model.plan_), open(folder + "/plan.json", "w"))
model.save(folder + "/model.plait")
"""

LOAD = """
import sys, numpy as np, plait
rows = int(sys.argv[2])
_, test = plait.split(plait.samples.loans(rows, seed=6), time="issued_at")
model = plait.load(sys.argv[1] + "/model.plait")
np.save(sys.argv[1] + "/again.npy", model.predict_proba(test))
"""

TREES = {"lightgbm": {"trees": 30, "leaves": 6, "members": 2}}
NETWORK = {"width": 16, "epochs": 2, "batch_size": 64}
NEURAL = [name for name in registry.names("fusions") if issubclass(registry.get("fusions", name), NeuralFusion)]
KINDS: dict[str, dict[str, Any]] = {
    "early": {"fusion": "early", "options": TREES},
    "late": {"fusion": "late", "options": TREES},
    "average": {"fusion": "average", "options": TREES},
    "hybrid": {"fusion": "hybrid", "options": TREES},
    "auto": {"fusion": "auto", "options": TREES},
    **{name: {"fusion": name, "options": {name: NETWORK}} for name in NEURAL},
}


def run(code: str, folder: Path, rows: int, *more: str) -> None:
    folder.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(folder), str(rows), *more], check=True)


def check(tmp_path: Path, how: dict[str, Any], rows: int) -> None:
    """Fit, fit again by the plan that was recorded, and load what was saved: each in a process of its own."""
    first, second = tmp_path / "first", tmp_path / "second"
    run(FIT, first, rows, json.dumps(how))
    run(FIT, second, rows, json.dumps({"plan": json.loads((first / "plan.json").read_text())}))
    run(LOAD, first, rows)
    values = np.load(first / "values.npy")
    assert values.std() > 0
    assert values.tobytes() == np.load(second / "values.npy").tobytes() == np.load(first / "again.npy").tobytes()


@pytest.mark.slow
def test_a_process_more_changes_nothing(tmp_path: Path) -> None:
    check(tmp_path, KINDS["auto"], 400)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_more_changes_nothing_whatever_the_fusion(tmp_path: Path, kind: str) -> None:
    check(tmp_path, {"fusion": kind, "options": KINDS[kind]["options"] if kind in NEURAL else {}}, 1_500)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["plait", "zip"])
def test_a_model_saved_and_loaded_predicts_the_same_bytes(tmp_path: Path, kind: str, suffix: str) -> None:
    rows = plait.samples.loans(300, seed=6)
    X, y = rows.drop(columns="default"), rows["default"]
    model = plait.Classifier(time="issued_at", n_jobs=1, **KINDS[kind]).fit(X, y)
    model.save(tmp_path / f"model.{suffix}")
    again = plait.load(tmp_path / f"model.{suffix}")
    assert model.predict_proba(X).tobytes() == again.predict_proba(X).tobytes()
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert (again.classes_.tolist(), again.n_features_in_) == (model.classes_.tolist(), model.n_features_in_)
    assert again.schema_ == model.schema_
    assert again.plan_ == model.plan_
    seen = np.array([False, True, False])
    batches, restored = model.model_.batches(X), again.model_.batches(X)
    one, other = model.model_.fitted.predict(batches, seen), again.model_.fitted.predict(restored, seen)
    assert one.values.tobytes() == other.values.tobytes()
