"""``plait drift``: a verdict, an exit code for those who ask, and drawings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import plait
from plait.cli import main


def test_drift_is_told_drawn_and_may_fail(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = plait.samples.loans(900, 0).drop(columns=["letter", "balance"])
    frame.head(600).to_parquet("old.parquet")
    frame.tail(300).assign(income=frame["income"] * 2).to_parquet("new.parquet")

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        return int(left.value.code or 0), *capsys.readouterr()

    code, out, err = run("drift", "old.parquet", "new.parquet", "--time", "issued_at", "--target", "default", "--json")
    assert code == 0, err
    assert json.loads(out)["drifted"] == ["income", "table"]
    code, out, err = run("drift", "old.parquet", "new.parquet", "--ignore", "issued_at", "--fail-on-drift", "-o", "at")
    assert code == 3
    assert "note: refused: drift in income" in err
    assert "income *" in out
    assert sorted(path.name for path in (tmp_path / "at").iterdir()) == ["drift.png", "drift_1.png"]
    fast = ("--fusion", "early", "--learner", "linear", "--jobs", "1", "--test", "0.3", "-o", "run")
    assert run("fit", "old.parquet", "--target", "default", "--time", "issued_at", *fast)[0] == 0
    code, out, err = run("drift", "old.parquet", "new.parquet", "--model", "run/model.plait")
    assert code == 0, err
    assert "new rows, expected" in out
