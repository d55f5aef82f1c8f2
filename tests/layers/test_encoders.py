"""Token encoders against plain numpy, one row at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Batch, Ragged
from plait.errors import PlaitError
from plait.layers.columns import ColumnTokens
from plait.layers.conv_columns import ConvColumns
from plait.layers.padding import pad
from plait.layers.patches import PatchTokens
from plait.layers.subwords import SubwordGRU, SubwordLSTM, SubwordTokens
from plait.layers.words import WordTokens

RNG = np.random.default_rng(0)
PRESENT = np.array([True, True, False, True])
ROWS = len(PRESENT)
LENGTHS = np.array([7, 0, 4, 11])
OFFSETS = np.concatenate([[0], np.cumsum(LENGTHS)])


def columns_batch(numbers: int, levels: tuple[int, ...], rows: int = ROWS) -> Batch:
    arrays = {
        "numbers": RNG.normal(size=(rows, numbers)).astype(np.float32),
        "numbers_present": RNG.random((rows, numbers)) > 0.3,
        "codes": np.stack([RNG.integers(0, size, rows) for size in levels], axis=1)
        if levels
        else np.zeros((rows, 0), np.int64),
    }
    return Batch(arrays, PRESENT[:rows])


def subwords_batch() -> Batch:
    return Batch({"ids": Ragged(RNG.integers(1, 30, OFFSETS[-1]).astype(np.int32), OFFSETS)}, PRESENT)


def words_batch() -> Batch:
    ids = Ragged(RNG.integers(0, 30, OFFSETS[-1]).astype(np.int32), OFFSETS)
    return Batch({"ids": ids, "weights": Ragged(RNG.random(OFFSETS[-1]).astype(np.float32) + 0.1, OFFSETS)}, PRESENT)


def patches_batch(channels: int = 2) -> Batch:
    return Batch({"values": Ragged(RNG.normal(size=(OFFSETS[-1], channels)).astype(np.float32), OFFSETS)}, PRESENT)


def run(encoder, batch):
    torch.manual_seed(0)
    encoder.eval()
    with torch.no_grad():
        tokens = encoder(encoder.collate(batch))
    return tokens.values_BTD.numpy(), tokens.mask_BT.numpy()


def weights(encoder) -> dict[str, np.ndarray]:
    return {name: value.numpy().astype(np.float64) for name, value in encoder.state_dict().items()}


CASES = {
    "columns": (ColumnTokens(8, 3, (4, 6)), lambda: columns_batch(3, (4, 6))),
    "numbers only": (ColumnTokens(8, 3, ()), lambda: columns_batch(3, ())),
    "categories only": (ColumnTokens(8, 0, (5,)), lambda: columns_batch(0, (5,))),
    "grouped columns": (ColumnTokens(8, 9, (4, 6), limit=4), lambda: columns_batch(9, (4, 6))),
    "convolved columns": (ConvColumns(8, 9, (4, 6), tokens=2), lambda: columns_batch(9, (4, 6))),
    "one convolved category": (ConvColumns(8, 0, (5,)), lambda: columns_batch(0, (5,))),
    "subwords": (SubwordTokens(8, 30, 9, tokens=4), subwords_batch),
    "subword_gru": (SubwordGRU(8, 30, 9), subwords_batch),
    "subword_lstm": (SubwordLSTM(8, 30, 20), subwords_batch),
    "word_mean": (WordTokens(8, 30, tokens=3), words_batch),
    "word_mean of subwords": (WordTokens(8, 30), subwords_batch),
    "patches": (PatchTokens(8, 2, 3, 3), patches_batch),
}


def test_columns_equal_their_equation():
    encoder, batch = ColumnTokens(8, 2, (4, 6)), columns_batch(2, (4, 6))
    values, mask = run(encoder, batch)
    w, a = weights(encoder), {k: np.asarray(v) for k, v in batch.arrays.items()}
    for i in np.flatnonzero(PRESENT):
        there = np.concatenate([a["numbers_present"][i], a["codes"][i] > 0])
        np.testing.assert_array_equal(mask[i], [True, *there])
        lost = w["missing.bias"] + w["missing.weight"] @ ~there
        np.testing.assert_allclose(values[i, 0], lost, atol=1e-6)
        for j in np.flatnonzero(there):
            if j < 2:
                x = float(a["numbers"][i, j])
                wave = 2 * np.pi * w["frequency"][j] * x
                token = np.concatenate([[x], np.sin(wave), np.cos(wave)]) @ w["weight"][j]
            else:
                token = w["level.weight"][(0, 4)[j - 2] + a["codes"][i, j - 2]]
            np.testing.assert_allclose(values[i, 1 + j], token + w["bias"][j], atol=1e-6)


def test_groups_of_columns_are_means_of_what_is_there():
    wide, batch = ColumnTokens(8, 9, (4, 6), limit=4), columns_batch(9, (4, 6))
    narrow = ColumnTokens(8, 9, (4, 6))
    narrow.load_state_dict(wide.state_dict())
    single, there = run(narrow, batch)
    grouped, mask = run(wide, batch)
    assert grouped.shape[1] == 5
    for i in np.flatnonzero(PRESENT):
        for g in range(4):
            members = [1 + j for j in range(3 * g, min(3 * g + 3, 11)) if there[i, 1 + j]]
            assert mask[i, 1 + g] == bool(members)
            if members:
                np.testing.assert_allclose(grouped[i, 1 + g], single[i, members].mean(axis=0), atol=1e-6)


def test_subwords_equal_their_equation():
    encoder, batch = SubwordTokens(8, 30, 9, tokens=4), subwords_batch()
    values, mask = run(encoder, batch)
    w, stride = weights(encoder), 3
    for i in np.flatnonzero(PRESENT):
        ids = batch.arrays["ids"].row(i)[:9]
        assert mask[i].sum() == -(-len(ids) // stride)
        for u in range(mask[i].sum()):
            e = w["embedding.weight"][ids[u * stride : (u + 1) * stride]]
            filled = np.concatenate([e, np.zeros((stride - len(e), 8))])
            expected = e.mean(axis=0) + w["merge.weight"] @ filled.ravel() + w["position"][u]
            np.testing.assert_allclose(values[i, u], expected, atol=1e-6)


def test_patches_equal_their_equation_and_keep_the_most_recent():
    encoder, batch = PatchTokens(8, 2, 3, 3), patches_batch()
    values, mask = run(encoder, batch)
    w = weights(encoder)
    for i in np.flatnonzero(PRESENT):
        steps = batch.arrays["values"].row(i)[-9:].astype(np.float64)
        assert mask[i].sum() == -(-len(steps) // 3)
        for back in range(mask[i].sum()):
            piece = steps[max(0, len(steps) - 3 * (back + 1)) : len(steps) - 3 * back]
            x, m = np.zeros((3, 2)), np.zeros(3)
            x[3 - len(piece) :], m[3 - len(piece) :] = piece, 1
            expected = w["project.weight"] @ np.concatenate([x.ravel(), m]) + w["project.bias"] + w["position"][back]
            np.testing.assert_allclose(values[i, -1 - back], expected, atol=1e-6)


def test_words_are_summed_by_weight():
    encoder, batch = WordTokens(8, 30, tokens=3), words_batch()
    values, mask = run(encoder, batch)
    w = weights(encoder)
    for i in np.flatnonzero(PRESENT):
        ids, weight = batch.arrays["ids"].row(i), batch.arrays["weights"].row(i).astype(np.float64)
        summed = weight @ w["embedding.weight"][ids] / np.sqrt(max((weight**2).sum(), 1e-12))
        np.testing.assert_allclose(values[i], summed.reshape(3, 8) + w["position"], atol=1e-6)
    assert mask.tolist() == [[there] * 3 for there in PRESENT]


@pytest.mark.parametrize("kind", [SubwordGRU, SubwordLSTM])
def test_the_second_token_of_a_recurrent_layer_is_its_two_ends(kind):
    encoder, batch = kind(8, 30, 9), subwords_batch()
    values, _ = run(encoder, batch)
    with torch.no_grad():
        for i in (0, 3):
            ids = torch.from_numpy(batch.arrays["ids"].row(i)[:9].astype(np.int64))
            forth = encoder.recurrence.forth(encoder.embedding(ids)[None])[0][0, -1]
            back = encoder.recurrence.back(encoder.embedding(ids.flip(0))[None])[0][0, -1]
            np.testing.assert_allclose(values[i, 1], torch.cat([forth, back]).numpy(), atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_absent_rows_are_masked_and_tokens_finite(case):
    encoder, make = CASES[case]
    values, mask = run(encoder, make())
    assert values.shape == (*mask.shape, 8)
    assert np.isfinite(values).all()
    assert not mask[~PRESENT].any()
    nothing = make().mask(np.zeros(ROWS, bool))
    values, mask = run(encoder, nothing)
    assert np.isfinite(values).all()
    assert not mask.any()


@pytest.mark.parametrize("case", CASES)
def test_no_rows_make_no_tokens(case):
    encoder, make = CASES[case]
    values, mask = run(encoder, make().take(np.zeros(0, np.int64)))
    assert len(values) == len(mask) == 0


@pytest.mark.parametrize("case", CASES)
def test_a_row_has_the_same_tokens_in_any_company(case):
    encoder, make = CASES[case]
    batch = make()
    values, mask = run(encoder, batch)
    for i in range(ROWS):
        own, own_mask = run(encoder, batch.take(np.array([i])))
        np.testing.assert_allclose(own[0][own_mask[0]], values[i][mask[i]], atol=1e-6)


@pytest.mark.parametrize("case", ["columns", "numbers only", "grouped columns", "convolved columns"])
def test_what_stands_in_missing_cells_is_never_read(case):
    encoder, make = CASES[case]
    batch = make()
    values, mask = run(encoder, batch)
    broken = np.where(batch.arrays["numbers_present"], batch.arrays["numbers"], np.float32(np.nan))
    again, _ = run(encoder, Batch({**batch.arrays, "numbers": broken}, batch.present))
    np.testing.assert_array_equal(again[mask], values[mask])
    assert np.isfinite(again).all()


def test_subwords_are_dropped_in_training_only():
    encoder = SubwordTokens(8, 30, 9, dropout=0.5)
    batch = subwords_batch()
    tensors = encoder.collate(batch)
    torch.manual_seed(0)
    assert encoder.train()(tensors).mask_BT.sum() < encoder.eval()(tensors).mask_BT.sum()


def test_a_room_with_the_wrong_inputs_is_told():
    with pytest.raises(PlaitError, match="must have rows of unequal length"):
        SubwordTokens(8, 30, 9).collate(Batch({"ids": np.ones((2, 3), np.int32)}, np.ones(2, bool)))
    with pytest.raises(PlaitError, match="must be an array"):
        ColumnTokens(8, 0, (3,)).collate(Batch({"codes": Ragged(np.ones(2), np.array([0, 2]))}, np.ones(1, bool)))


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(0, 9), max_size=6),
    limit=st.integers(1, 8),
    multiple=st.integers(1, 4),
    recent=st.booleans(),
    data=st.data(),
)
def test_padding_keeps_the_chosen_end(lengths, limit, multiple, recent, data):
    rows = [np.arange(n) + 1 + 10 * i for i, n in enumerate(lengths)]
    present = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), bool)
    values, mask = pad(Ragged.from_rows(rows, np.zeros(0, np.int64)), present, limit, multiple, recent=recent)
    assert values.shape == mask.shape
    assert values.shape[1] % multiple == 0
    assert values.shape[1] >= 1
    for i, row in enumerate(rows):
        kept = (row[-limit:] if recent else row[:limit]) if present[i] else row[:0]
        np.testing.assert_array_equal(values[i][mask[i]], kept)
        edge = mask[i][::-1] if recent else mask[i]
        assert edge[: len(kept)].all()
    assert not values[~mask].any()
