"""What the verbs say of the data: findings, leaks in the run record, masks and encodings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import plait
from plait.cli import app


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """Loans whose file knows the outcome, the client's phone, and is written in GB 18030."""
    loans = plait.samples.loans(300, seed=4)[["issued_at", "income", "amount", "term", "default"]]
    loans["closed_as"] = np.where(loans["default"] == 1, "坏账", "结清")
    loans["contact"] = [f"电话 1390000{k:04d}" for k in range(300)]
    loans.to_csv(tmp_path / "loans.csv", index=False, encoding="gb18030")
    return tmp_path


def ran(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app(), [*arguments])
    return result.exit_code, result.stdout, result.stderr


def test_inspect_reads_the_encoding_and_tells_findings_but_no_numbers(spoiled: Path) -> None:
    roles = ("--target", "default", "--time", "issued_at", "--encoding", "gb18030", "--json")
    code, out, err = ran("inspect", str(spoiled / "loans.csv"), *roles)
    assert code == 0, err
    found = {(f["kind"], f["columns"][0]) for f in json.loads(out)["findings"]}
    assert {("target_copy", "closed_as"), ("personal", "contact")} <= found
    assert "1390000" not in out + err
    code, out, _ = ran("inspect", str(spoiled / "loans.csv"), *roles, "--mask-personal")
    assert code == 0
    assert "personal" not in {f["kind"] for f in json.loads(out)["findings"]}


def test_fit_warns_of_leaks_and_keeps_them(spoiled: Path) -> None:
    run = spoiled / "run"
    roles = (
        "--target",
        "default",
        "--time",
        "issued_at",
        "--encoding",
        "gb18030",
        "--ignore",
        "contact",
        "--jobs",
        "1",
    )
    code, _, err = ran(
        "fit", str(spoiled / "loans.csv"), *roles, "--fusion", "early", "--learner", "linear", "-o", str(run)
    )
    assert code == 0, err
    assert "closed_as: likely leak" in err
    leaks = json.loads((run / "run.json").read_text("utf-8"))["leaks"]
    assert [(leak["kind"], leak["columns"]) for leak in leaks] == [("target_copy", ["closed_as"])]
