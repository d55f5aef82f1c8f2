"""``plait tune`` of several targets: one search, each target judged beside the model that was not tuned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plait
from plait import samples


@pytest.mark.slow
def test_several_targets_are_tuned_together(run: Callable[..., Any], folder: Path) -> None:
    rows = samples.risks(n=200, seed=0)[["income", "amount", "issued_at", "default", "loss", "grade"]]
    rows.to_parquet(folder / "risks.parquet")
    told = ("tune", "risks.parquet", "--target", "default", "--target", "grade", "--task", "grade=ordinal")
    told = (*told, "--time", "issued_at", "--ignore", "loss", "--learner", "linear", "--jobs", 1, "--json")
    said = run(*told, "--trials", 2, "-o", "tuned")
    assert said.code == 0, said.err
    tuning = said.json["tuning"]
    assert set(tuning["held_out"]) == {"default", "grade"}
    assert len(tuning["trials"]) == 2
    assert (folder / "tuned" / "trials.png").is_file()
    assert set(plait.load(folder / "tuned" / "model.plait").targets_) == {"default", "grade"}
    refused = run(*told, "--weights", "equal", "--trials", 1, "-o", "other")
    assert refused.code == 2
    assert "learns each target alone" in refused.err
