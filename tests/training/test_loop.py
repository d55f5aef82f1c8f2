"""What the loop draws: hidden sources and mini-batches; how much it trains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from plait.layers.columns import ColumnTokens
from plait.layers.transformer import Transformer
from plait.training.feed import mini_batches
from plait.training.groups import matrices
from plait.training.masking import hide
from plait.training.schedule import TrainConfig


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(0, 40), sources=st.integers(1, 4), share=st.floats(0, 1), seed=st.integers(0, 9))
def test_hiding_never_takes_the_last_source_nor_adds_one(rows, sources, share, seed):
    rng = np.random.default_rng(seed)
    present = rng.random((rows, sources)) < 0.5
    seen = hide(present, share, rng)
    assert not (seen & ~present).any()
    np.testing.assert_array_equal(seen.any(axis=1), present.any(axis=1))
    if share == 0:
        np.testing.assert_array_equal(seen, present)


def test_the_share_of_hidden_sources_is_the_one_asked_for():
    seen = hide(np.ones((20_000, 4), bool), 0.2, np.random.default_rng(0))
    assert (~seen).mean() == pytest.approx(0.2, abs=0.01)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(0, 300), batch=st.integers(1, 40), seed=st.integers(0, 9))
def test_every_row_is_in_one_mini_batch(rows, batch, seed):
    size = np.random.default_rng(seed).integers(0, 50, rows)
    batches = mini_batches(size, batch, np.random.default_rng(seed))
    assert sorted(np.concatenate([np.zeros(0, int), *batches])) == list(range(rows))
    assert max((len(part) for part in batches), default=0) <= batch


def test_rows_of_like_size_stand_together():
    size = np.random.default_rng(0).integers(0, 100, 4096)
    spread = [np.ptp(size[part]) for part in mini_batches(size, 256, np.random.default_rng(1))]
    assert max(spread) < 15


@pytest.mark.parametrize(("rows", "epochs", "batch"), [(0, 40, 32), (200, 40, 32), (5_000, 8, 256), (27_000, 4, 256)])
def test_few_rows_are_read_more_often(rows, epochs, batch):
    assert TrainConfig().sized(rows) == (epochs, batch)
    assert TrainConfig(epochs=3, batch_size=7).sized(rows) == (3, 7)


def test_weights_decay_whatever_the_layer_but_no_table_of_vectors_does():
    layers = nn.ModuleDict(
        {
            "linear": nn.Linear(3, 4),
            "conv": nn.Conv2d(1, 2, 3),
            "recurrent": nn.LSTM(3, 4),
            "embedding": nn.Embedding(5, 3),
            "norm": nn.BatchNorm1d(3),
            "body": Transformer(8, 1, 2, 0.0),
            "columns": ColumnTokens(8, 2, (4,)),
        }
    )
    layers["tied"] = layers["linear"]
    chosen = {id(parameter) for parameter in matrices(layers)}
    assert len(chosen) == len(matrices(layers))
    names = {name for name, parameter in layers.named_parameters() if id(parameter) in chosen}
    assert {"linear.weight", "conv.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0"} <= names
    assert {"body.blocks.0.query.weight", "columns.weight"} <= names
    assert not {name for name in names if "bias" in name or name.startswith(("embedding", "norm"))}
    assert not {"body.start", "columns.level.weight", "body.norm.weight"} & names
