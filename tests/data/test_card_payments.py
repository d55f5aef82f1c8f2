"""Made card payments: the promises of their docstring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plait.data import samples
from plait.data.windows import Windows


def test_payments_are_as_documented() -> None:
    made = samples.card_payments(5_000, seed=3)
    pd.testing.assert_frame_equal(made, samples.card_payments(5_000, seed=3))
    assert not made.equals(samples.card_payments(5_000, seed=4))
    assert made["id"].is_unique
    assert made["time"].is_monotonic_increasing
    assert made["time"].dtype == "datetime64[ms]"
    assert made["fraud"].mean() == pytest.approx(0.02, abs=0.008)
    assert set(made.loc[made["fraud"] == 1, "channel"]) == {"online"}
    assert list(samples.card_payments(0)) == list(made)


def test_windows_see_what_a_single_payment_hides() -> None:
    made = samples.card_payments(5_000, seed=0, cards=200)
    seen = Windows.of(samples.card_payments_windows()).columns(made, "time")
    quick = seen["card_count_1h"].to_numpy()
    fraud = made["fraud"].to_numpy() == 1
    assert np.median(quick[fraud]) >= 2
    assert np.median(quick[~fraud]) <= 1
