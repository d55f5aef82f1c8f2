from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.sketch import Sketch


def sketched(values: np.ndarray, cuts: list[int], capacity: int) -> Sketch:
    sketch = Sketch(capacity)
    for first, last in zip([0, *cuts], [*cuts, len(values)], strict=True):
        sketch.add(values[first:last], first)
    return sketch


def test_exact_up_to_capacity() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    levels = [0, 0.1, 0.5, 0.99, 1]
    np.testing.assert_array_equal(sketched(values, [], 1_000).quantiles(levels), np.quantile(values, levels))


def test_close_beyond_capacity() -> None:
    values = np.random.default_rng(1).random(100_000)
    sketch = sketched(values, [], 4_096)
    levels = np.array([0.05, 0.5, 0.95])
    assert np.abs(sketch.quantiles(levels) - levels).max() < 4 * 0.5 / np.sqrt(4_096)
    assert (sketch.count, sketch.minimum, sketch.maximum) == (100_000, values.min(), values.max())
    assert len(sketch.sample()) == 4_096


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 500), max_size=6).map(sorted), st.integers(1, 600))
def test_cuts_make_no_difference(cuts: list[int], capacity: int) -> None:
    values = np.random.default_rng(2).normal(size=500)
    values[::7] = np.nan
    whole, cut = sketched(values, [], capacity), sketched(values, cuts, capacity)
    np.testing.assert_array_equal(whole.sample(), cut.sample())
    assert (whole.count, whole.minimum, whole.maximum) == (cut.count, cut.minimum, cut.maximum)


def test_merging_is_adding() -> None:
    values = np.random.default_rng(3).normal(size=900)
    first, second = Sketch(100), Sketch(100)
    second.add(values[400:], 400)
    first.add(values[:400], 0)
    second.merge(first)
    np.testing.assert_array_equal(second.sample(), sketched(values, [], 100).sample())
    assert second.count == 900
    assert second.maximum == values.max()


def test_skips_what_is_not_finite() -> None:
    sketch = Sketch()
    sketch.add(np.array([np.nan, 1.0, np.inf, 3.0, -np.inf]), 0)
    assert (sketch.count, sketch.minimum, sketch.maximum) == (2, 1.0, 3.0)
    assert sketch.quantiles(0.5) == pytest.approx(2.0)


def test_nothing_added() -> None:
    sketch = Sketch()
    sketch.merge(Sketch())
    np.testing.assert_array_equal(sketch.quantiles([0.1, 0.9]), [0.0, 0.0])
    assert np.isnan(sketch.minimum)
