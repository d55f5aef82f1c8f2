"""A fit of the desk takes what an earlier run of it had done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import plait
from plait.checkpoints import Checkpoints
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit

EARLY = Config.of({"evidence": {"fusion": "early", "learner": "linear"}})


@pytest.mark.slow
def test_both_fits_of_the_evidence_are_taken_from_where_they_were_kept(tmp_path: Path) -> None:
    loans = plait.samples.loans(n=700, seed=3).drop(columns=["letter", "balance"])
    first, again = Checkpoints(tmp_path), Checkpoints(tmp_path)
    told = [
        fit_credit(loans, loans["default"], time="issued_at", config=EARLY, n_jobs=1, keep=keep).score(loans).points
        for keep in (first, again)
    ]
    np.testing.assert_array_equal(*told)
    done = ("rooms / table", "early")
    assert again.used == [f"{rows} / {place}" for rows in ("earlier rows", "all rows") for place in done]
