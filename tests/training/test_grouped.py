"""Mini-batches in which the rows of a group stand together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Batch, FitContext
from plait.training.feed import Held, grouped_batches
from plait.training.masking import Masking


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 50), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_every_row_once_and_few_groups_cut(rows: int, groups: int, batch: int, seed: int) -> None:
    group = np.unique(np.random.default_rng(seed).integers(0, groups, rows), return_inverse=True)[1]
    batches = grouped_batches(group, batch, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches)) == list(range(rows))
    assert len(batches) == -(-rows // batch)
    assert all(len(part) == batch for part in batches[:-1])
    # Between two mini-batches at most one group is cut.
    assert sum(len(np.unique(group[part])) for part in batches) <= len(np.unique(group)) + len(batches) - 1


def test_a_feed_keeps_groups_together_in_every_epoch() -> None:
    group = np.repeat(np.arange(40), 5)
    inputs = {"x": Batch({"values": np.zeros((200, 1), np.float32)}, np.ones(200, bool))}
    context = FitContext(np.stack([np.arange(200.0), group], axis=1), "regression", 1, np.ones(200))

    def cut(feed: Held, epoch: int) -> int:
        return sum(len(np.unique(mini.targets[:, 1])) for mini in feed.epoch(epoch, 3)) - 40

    grouped = Held(inputs, context, 20, Masking(0.0), None, group)
    assert cut(grouped, 1) == cut(grouped, 2) == 0
    first, second = ([mini.rows.tolist() for mini in grouped.epoch(number, 3)] for number in (1, 2))
    assert first != second
    assert [mini.rows.tolist() for mini in grouped.epoch(1, 3, skip=4)] == first[4:]
    assert cut(Held(inputs, context, 20, Masking(0.0)), 1) > 100
