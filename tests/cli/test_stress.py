"""``plait stress``: curves as a table, as JSON and as drawings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import plait
from plait.cli import main


def test_stress_is_told_and_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    plait.samples.loans(300, 0).drop(columns="balance").to_parquet("loans.parquet")

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        return int(left.value.code or 0), *capsys.readouterr()

    fast = ("--fusion", "early", "--learner", "linear", "--jobs", "1", "-o", "run")
    assert run("fit", "loans.parquet", "--target", "default", "--time", "issued_at", *fast)[0] == 0
    model = ("stress", "run/model.plait", "loans.parquet")
    code, out, err = run(*model, "--rows", "80", "--only", "sources,numbers", "-o", "drawn", "--json")
    assert code == 0, err
    assert json.loads(out)["metric"] == "roc_auc"
    assert "table: noise on numbers" in err
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["hidden.png", "stress_numbers.png", "stress_sources.png"]
    code, out, err = run(*model, "--only", "sourses")
    assert code == 2
    assert "did you mean 'sources'?" in err
