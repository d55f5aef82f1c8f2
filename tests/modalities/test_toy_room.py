"""A room of another package: an entry point makes it one of plait's, and no file of plait knows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import plait

TESTS = Path(__file__).parent.parent
PACKAGE = TESTS / "toy_room"

USE = """
import numpy as np, pandas as pd, plait
from plait import registry
flags = registry.get("modalities", "toy").example(np.random.default_rng(0), 120)[0]
redness = [int(cell[1:3], 16) if isinstance(cell, str) and len(cell) > 6 else 0 for cell in flags.values]
frame = pd.DataFrame({"x": np.arange(120.0) % 7, "flag": flags.values})
target = (np.array(redness) > 100).astype(int)
model = plait.Classifier(fusion="early", learner="linear", n_jobs=1).fit(frame, target)
assert {source.modality for source in model.schema_.sources} == {"table", "toy"}, model.schema_
model.save("flags.plait")
again = plait.load("flags.plait")
np.testing.assert_array_equal(model.predict_proba(frame), again.predict_proba(frame))
assert {fault["reason"] for fault in model.faults_} >= {"no flag"}
"""


def installed(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as if the package were installed: it and its dist-info stand in one folder of the path."""
    path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *command], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


def test_it_passes_the_conformance_suite(tmp_path: Path) -> None:
    suite = str(TESTS / "modalities" / "test_conformance.py")
    done = installed("-m", "pytest", "-q", "-p", "no:cacheprovider", suite, "-k", "toy", folder=TESTS.parent)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_it_is_fitted_saved_and_loaded_like_any_other(tmp_path: Path) -> None:
    done = installed("-W", "error", "-c", USE, folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_it_is_listed(tmp_path: Path) -> None:
    told = installed("-c", "from plait.cli import main; main(['list', 'modalities'])", folder=tmp_path)
    assert "toy" in told.stdout.split()


def test_no_file_of_plait_knows_it() -> None:
    for path in Path(plait.__file__).parent.rglob("*.py"):
        assert "toy_room" not in path.read_text("utf-8"), path
