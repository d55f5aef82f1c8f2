"""Neighbourhood tokens: what they depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.contracts import Batch, Ragged
from plait.layers.neighbours import NeighbourTokens


def inputs(rows: int = 5, most: int = 40) -> Batch:
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, most, rows))])
    links = Ragged(rng.normal(size=(offsets[-1], 3)).astype(np.float32), offsets)
    kinds = Ragged(rng.integers(0, 4, offsets[-1]), offsets)
    own = rng.normal(size=(rows, 6)).astype(np.float32)
    return Batch({"own": own, "links": links, "kinds": kinds}, np.arange(rows) > 0)


def tokens(batch: Batch, **options):
    torch.manual_seed(0)
    encoder = NeighbourTokens(width=12, own=6, features=3, kinds=4, **options).eval()
    with torch.no_grad():
        return encoder(encoder.collate(batch))


def test_one_token_of_the_entity_and_one_a_question():
    made = tokens(inputs(), tokens=5)
    assert made.values_BTD.shape == (5, 6, 12)
    assert made.mask_BT[1:].all()
    assert not made.mask_BT[0].any()


def test_the_order_of_links_tells_nothing():
    batch = inputs(rows=3, most=20)
    links, kinds = batch.arrays["links"], batch.arrays["kinds"]
    assert isinstance(links, Ragged)
    assert isinstance(kinds, Ragged)
    turned = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(links.offsets, links.offsets[1:], strict=False)])
    arrays = {
        **batch.arrays,
        "links": Ragged(links.values[turned], links.offsets),
        "kinds": Ragged(kinds.values[turned], kinds.offsets),
    }
    torch.testing.assert_close(tokens(batch).values_BTD, tokens(Batch(arrays, batch.present)).values_BTD)


def test_only_the_latest_links_are_read():
    batch = inputs(rows=4, most=40)
    links, kinds = batch.arrays["links"], batch.arrays["kinds"]
    assert isinstance(links, Ragged)
    assert isinstance(kinds, Ragged)
    kept = np.concatenate([np.arange(a, b)[-7:] for a, b in zip(links.offsets, links.offsets[1:], strict=False)])
    offsets = np.concatenate([[0], np.cumsum(np.minimum(links.lengths, 7))])
    short = {
        **batch.arrays,
        "links": Ragged(links.values[kept], offsets),
        "kinds": Ragged(kinds.values[kept], offsets),
    }
    torch.testing.assert_close(
        tokens(batch, limit=7).values_BTD, tokens(Batch(short, batch.present), limit=7).values_BTD
    )


@pytest.mark.parametrize("width", [6, 7, 8])
def test_any_width_and_nothing_to_read(width):
    empty = Ragged(np.zeros((0, 0), np.float32), np.zeros(3, np.int64))
    arrays = {
        "own": np.zeros((2, 0), np.float32),
        "links": empty,
        "kinds": Ragged(np.zeros(0, np.int64), empty.offsets),
    }
    encoder = NeighbourTokens(width=width, own=0, features=0, kinds=1)
    made = encoder(encoder.collate(Batch(arrays, np.ones(2, bool))))
    assert torch.isfinite(made.values_BTD).all()
