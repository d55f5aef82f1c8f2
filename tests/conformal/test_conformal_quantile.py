"""The conformal quantile and its groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.conformal.quantile import Groups, conformal_quantile
from plait.errors import DataError


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_it_is_the_kth_least_or_infinite(scores, coverage):
    k = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    found = conformal_quantile(np.array(scores), coverage)
    assert found == (np.inf if k > len(scores) else sorted(scores)[k - 1])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 3)), min_size=1, max_size=30))
def test_no_weight_is_a_row_that_is_not_there(pairs):
    scores, weight = np.array(pairs).T
    there = weight > 0
    if not there.any():
        assert conformal_quantile(scores, 0.8, weight) == np.inf
        return
    same = conformal_quantile(scores[there], 0.8, weight[there])
    assert conformal_quantile(scores, 0.8, weight) == same
    assert conformal_quantile(scores, 0.8, 7 * weight) == same


def test_ten_rows_at_nine_tenths_are_exactly_enough():
    assert conformal_quantile(np.arange(9.0), 0.9) == 8
    assert conformal_quantile(np.arange(8.0), 0.9) == np.inf
    assert conformal_quantile(np.arange(99.0), 0.9) == 89


def test_groups_number_strangers_after_the_last():
    groups = Groups.learn("home", ["own", "rent", "own"])
    assert groups.codes(["rent", "boat", "own"], 3).tolist() == [1, 2, 0]
    assert Groups.from_json(groups.to_json()) == groups
    with pytest.raises(DataError, match="at most 100"):
        Groups.learn("id", [str(i) for i in range(101)])
