"""Mini-batches of pools: every row once an epoch, the same for the same seed, entered anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from plait.contracts import Batch, FitContext
from plait.evidence import Pool
from plait.training.masking import Masking
from plait.training.pooled import Pooled

ROWS = 103


def pools(rng: np.random.Generator, multiple: int) -> Iterator[Pool]:
    """Three pools, the first two of whole mini-batches."""
    order = rng.permutation(ROWS)
    for rows in np.split(order, [3 * multiple, 7 * multiple]):
        batch = Batch({"numbers": rows[:, None].astype(np.float32)}, np.ones(len(rows), bool))
        yield Pool(rows, {"one": batch, "other": batch})


def feed(share: float = 0.0) -> Pooled:
    context = FitContext(
        2 * np.arange(ROWS, dtype=np.float64), "regression", 1, 3 * np.arange(ROWS, dtype=np.float64), seed=1
    )
    return Pooled(pools, context, 10, Masking(share))


def test_an_epoch_has_every_row_once_with_what_is_its_own() -> None:
    told = feed()
    minis = list(told.epoch(1, 2))
    assert len(minis) == told.steps == 11
    assert told.rows == ROWS
    assert sorted(np.concatenate([mini.rows for mini in minis])) == list(range(ROWS))
    for mini in minis:
        assert (mini.targets == mini.rows * 2.0).all()
        assert (mini.weight == mini.rows * 3.0).all()
        assert (np.asarray(mini.inputs["one"].arrays["numbers"])[:, 0] == mini.rows).all()


@pytest.mark.parametrize("skip", [0, 1, 4, 10, 11])
def test_an_epoch_can_be_entered_anywhere(skip: int) -> None:
    whole, entered = list(feed(0.4).epoch(2, 3)), list(feed(0.4).epoch(2, 3, skip))
    assert len(entered) == 11 - skip
    for one, other in zip(whole[skip:], entered, strict=True):
        assert (one.rows == other.rows).all()
        assert (one.inputs["one"].present == other.inputs["one"].present).all()


def test_epochs_differ_and_sources_are_hidden_about_as_often_as_asked() -> None:
    first, second = (list(feed(0.4).epoch(number, 2)) for number in (1, 2))
    assert not (np.concatenate([m.rows for m in first]) == np.concatenate([m.rows for m in second])).all()
    hidden = np.concatenate([~batch.present for mini in first + second for batch in mini.inputs.values()])
    assert 0.15 < hidden.mean() < 0.45
    for mini in first:
        assert (mini.inputs["one"].present | mini.inputs["other"].present).all()
