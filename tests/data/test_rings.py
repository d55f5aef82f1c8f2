"""Made transfers: the promises of their docstring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plait.data import samples
from plait.errors import ConfigError


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return *samples.transfers(2000, seed=3), samples.transfers_rings(2000, seed=3)


def test_same_seed_same_transfers(made):
    accounts, links = samples.transfers(2000, seed=3)
    pd.testing.assert_frame_equal(accounts, made[0])
    pd.testing.assert_frame_equal(links, made[1])
    assert not samples.transfers(2000, seed=4)[1].equals(made[1])


def test_accounts_and_transfers_are_as_documented(made):
    accounts, links, _ = made
    assert len(accounts) == 2000
    assert accounts["account"].is_unique
    assert 0.05 < accounts["ring"].mean() <= 0.07
    assert accounts["reviewed_at"].is_monotonic_increasing
    weeks = (accounts["outcome_known"] - accounts["reviewed_at"]) / pd.Timedelta("7D")
    assert weeks.between(1, 6).all()
    assert links["time"].is_monotonic_increasing
    assert (links["amount"] > 0).all()
    assert (links["account"] != links["payee"]).all()
    assert set(links["account"]) | set(links["payee"]) <= set(accounts["account"])
    assert set(links["kind"]) == {"salary", "card", "rent", "transfer"}


def test_rings_are_over_when_their_accounts_are_reviewed(made):
    accounts, links, rings = made
    assert sorted(rings["account"]) == sorted(accounts.loc[accounts["ring"] == 1, "account"])
    assert rings["account"].is_unique
    assert set(rings["pattern"]) == {"fan_in", "fan_out", "cycle", "gather_scatter", "stack"}
    assert rings.groupby("ring").size().between(4, 12).all()
    reviewed = accounts.set_index("account")["reviewed_at"]
    transfers = links[links["kind"] == "transfer"]
    for _, ring in rings.groupby("ring"):
        inside = transfers[transfers["account"].isin(ring["account"]) & transfers["payee"].isin(ring["account"])]
        first = inside[inside["time"] <= reviewed[ring["account"]].min()]
        assert len(first) >= len(ring) - 1  # every member is linked within the ring, in time


def test_what_a_pattern_is(made):
    _, links, rings = made
    transfers = links[(links["kind"] == "transfer") & (links["amount"] > 50)]
    for number, ring in rings[rings["pattern"].isin(["fan_in", "cycle"])].groupby("ring"):
        inside = transfers[transfers["account"].isin(ring["account"]) & transfers["payee"].isin(ring["account"])]
        payers = inside.groupby("payee")["account"].nunique()
        if ring["pattern"].iloc[0] == "fan_in":
            assert payers.max() >= len(ring) - 2, number
        else:
            assert len(payers) >= len(ring) - 1, number


def test_the_moment_of_review_tells_little(made):
    accounts, _, _ = made
    moment = accounts["reviewed_at"].to_numpy().astype(np.int64)
    ring = accounts["ring"].to_numpy() == 1
    assert 0.35 < (moment[ring][:, None] > moment[~ring]).mean() < 0.65


def test_a_few_accounts_hide_no_ring():
    with pytest.raises(ConfigError, match="100 or more"):
        samples.transfers(99)
    assert samples.transfers(100)[0]["ring"].sum() >= 4
