"""Examples run as they are, without a warning, and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
LIMIT = 240  # seconds; on a machine of its own each takes less than half of it


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    told = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "error", str(example)]
    said = subprocess.run(command, cwd=tmp_path, env=told, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    assert said.stdout.startswith("\n== ")
    assert not list(tmp_path.iterdir())
