"""Made panels of grades: as dirty as said, and moved by the process that the oracle names."""

from __future__ import annotations

import numpy as np
import pandas as pd

import plait
from plait.desks.credit.migration import migrate


def test_the_same_seed_gives_the_same_panel() -> None:
    made = plait.samples.ratings(n=50, months=24, seed=4)
    pd.testing.assert_frame_equal(made, plait.samples.ratings(n=50, months=24, seed=4))
    assert not made.equals(plait.samples.ratings(n=50, months=24, seed=5))
    assert list(made.columns) == ["firm", "month", "grade"]


def test_rows_are_as_life_leaves_them() -> None:
    made = plait.samples.ratings(n=300, seed=0)
    assert not made["month"].is_monotonic_increasing
    assert made.duplicated().any()
    assert set(made["grade"]) == {*plait.samples.ratings_oracle()[0], "NR"}
    ends = made[made["grade"] == "D"].groupby("firm")["month"].max()
    assert (made.groupby("firm")["month"].max().reindex(ends.index) == ends).all()


def test_the_oracle_is_what_moves_them() -> None:
    names, truth = plait.samples.ratings_oracle()
    np.testing.assert_allclose(truth.sum(1), 1)
    found = migrate(plait.samples.ratings(n=2500, months=60, seed=1), "firm", "month", "grade", resamples=0)
    assert found.names == names
    np.testing.assert_allclose(found.duration, truth, atol=0.03)
