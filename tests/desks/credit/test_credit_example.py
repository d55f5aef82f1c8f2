"""The desk's example runs by itself and tells what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "credit.py"


@pytest.mark.slow
def test_the_example_tells_its_story(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert re.findall(r"^== (\w+)", said, re.MULTILINE) == ["1", "What", "How", "Grades", "Why", "Decisions", "The"]
    areas = {name: float(area) for name, area in re.findall(r"^(scorecard|blend) +(0\.\d+)", said, re.MULTILINE)}
    assert areas["blend"] > areas["scorecard"] + 0.05
    reasons = re.search(r"== Why .*?\n(.*?)\n== ", said, re.DOTALL)
    assert reasons is not None
    assert "对申请不利" in reasons[1]
    ratio = re.search(r"^origin: (0\.\d+)", said, re.MULTILINE)
    assert ratio is not None
    assert float(ratio[1]) < 0.8
    assert re.search(r"^gate: unfair below 0.8: .*origin", said, re.MULTILINE)
