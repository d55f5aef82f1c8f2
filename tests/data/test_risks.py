"""Made applications with five outcomes: what is known of them, and what they hang on."""

from __future__ import annotations

import numpy as np
import pandas as pd

import plait
from plait.data.samples.risks import KNOWN, OUTCOMES


def test_four_outcomes_hang_on_one_risk_and_one_does_not():
    frame, truth = plait.samples.risks(3000, seed=1, known=1.0), plait.samples.risks_oracle(3000, seed=1)
    told = {name: frame[name].corr(truth["r"]) for name in OUTCOMES}
    assert min(told[name] for name in ("default", "days_late", "loss", "grade")) > 0.5
    assert abs(told["renewed"]) < 0.06
    assert abs(truth["renewed"].corr(truth["r"])) < 0.06
    rates = frame.groupby(pd.qcut(truth["renewed"], 4, labels=False), observed=True)["renewed"].mean()
    assert rates.is_monotonic_increasing


def test_labels_are_missing_at_the_shares_that_are_said():
    frame = plait.samples.risks(4000, seed=2)
    shares = frame[list(OUTCOMES)].notna().mean()
    np.testing.assert_allclose(shares, [KNOWN[name] for name in OUTCOMES], atol=0.03)
    pd.testing.assert_frame_equal(frame, plait.samples.risks(4000, seed=2))
    evidence = plait.samples.loans(4000, seed=2).drop(columns="default")
    pd.testing.assert_frame_equal(frame.drop(columns=list(OUTCOMES)), evidence)
    more = plait.samples.risks(4000, seed=2, known=1.0)
    assert more["loss"].notna().all()
    same = frame["loss"].notna()
    assert (more["loss"][same] == frame["loss"][same]).all()
