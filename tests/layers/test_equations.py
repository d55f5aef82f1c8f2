"""Layers against their published equations, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from plait.contracts import Batch, Ragged
from plait.layers.conv1d import Convolution, ConvTokens, pool_steps
from plait.layers.pictures import PixelConv3
from plait.layers.pooling import AttentionPooling
from plait.layers.recurrent import GRUTokens, LSTMTokens, Recurrence, RNNTokens

RNG = np.random.default_rng(0)
EXACT = {"rtol": 0, "atol": 1e-6}


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.double().state_dict().items()}


def steps(rows: int = 3, length: int = 7, channels: int = 4) -> np.ndarray:
    return RNG.normal(size=(rows, length, channels))


def applied(module: nn.Module, *given: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module(*map(torch.from_numpy, given)).numpy()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# convolution and its activation


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution_and_activation(kernel):
    torch.manual_seed(0)
    layer = Convolution(4, 6, kernel)
    w, x = arrays(layer), steps()
    found = applied(layer, x, np.ones(x.shape[:2], bool))
    half = kernel // 2
    for t in range(x.shape[1]):
        y = np.tile(w["filter.bias"], (len(x), 1))
        for k in range(-half, half + 1):
            if 0 <= t + k < x.shape[1]:
                y += x[:, t + k] @ w["filter.weight"][:, :, k + half].T
        np.testing.assert_allclose(found[:, t], np.maximum(y, 0), **EXACT)


def test_masked_steps_count_as_zero_in_a_convolution():
    torch.manual_seed(0)
    layer = Convolution(4, 6)
    mask = RNG.random((3, 7)) > 0.4
    arrays(layer)
    x = steps()
    found = applied(layer, x, mask)
    np.testing.assert_allclose(
        found, applied(layer, x * mask[..., None], np.ones_like(mask)) * mask[..., None], **EXACT
    )


def test_pooling_takes_the_largest_of_the_steps_that_are_there():
    x, mask = np.abs(steps(2, 6, 3)), np.array([[0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 1, 1]], bool)
    pooled, there = pool_steps(torch.from_numpy(x * mask[..., None]), torch.from_numpy(mask), 3)
    np.testing.assert_array_equal(pooled[1].numpy(), [x[1, :3].max(axis=0), x[1, 3:].max(axis=0)])
    np.testing.assert_array_equal(pooled[0, 1].numpy(), x[0, 4:].max(axis=0))
    assert there.tolist() == [[False, True], [True, True]]


def test_convolution_over_two_dimensions_and_activation():
    torch.manual_seed(0)
    layer = PixelConv3(8, (6, 5), channels=2).stages[0]
    w, x = arrays(layer), RNG.normal(size=(3, 2, 6, 5))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    found = applied(layer, x)
    for i in range(6):
        for j in range(5):
            window = padded[:, :, i : i + 3, j : j + 3]
            y = w["0.bias"] + np.einsum("bcij,ocij->bo", window, w["0.weight"])
            np.testing.assert_allclose(found[:, :, i, j], np.maximum(y, 0), **EXACT)


# recurrences


def elman(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """``h_t = tanh(W x_t + U h_(t-1) + b)``."""
    h, states = np.zeros((len(x), len(w["forth.weight_hh_l0"]))), []
    for t in range(x.shape[1]):
        bias = w["forth.bias_ih_l0"] + w["forth.bias_hh_l0"]
        h = np.tanh(x[:, t] @ w["forth.weight_ih_l0"].T + h @ w["forth.weight_hh_l0"].T + bias)
        states.append(h)
    return np.stack(states, axis=1)


def gated(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """``r, z = sigmoid(.); n = tanh(W x + b + r (U h + c)); h = (1 - z) n + z h``."""
    h, states = np.zeros((len(x), w["forth.weight_hh_l0"].shape[1])), []
    for t in range(x.shape[1]):
        xr, xz, xn = np.split(x[:, t] @ w["forth.weight_ih_l0"].T + w["forth.bias_ih_l0"], 3, axis=1)
        hr, hz, hn = np.split(h @ w["forth.weight_hh_l0"].T + w["forth.bias_hh_l0"], 3, axis=1)
        z = sigmoid(xz + hz)
        h = (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h
        states.append(h)
    return np.stack(states, axis=1)


def long_short(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """``c = f c + i tanh(.); h = o tanh(c)``."""
    h = np.zeros((len(x), w["forth.weight_hh_l0"].shape[1]))
    c, states = np.zeros_like(h), []
    for t in range(x.shape[1]):
        bias = w["forth.bias_ih_l0"] + w["forth.bias_hh_l0"]
        i, f, g, o = np.split(x[:, t] @ w["forth.weight_ih_l0"].T + h @ w["forth.weight_hh_l0"].T + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


@pytest.mark.parametrize(("cell", "published"), [("rnn", elman), ("gru", gated), ("lstm", long_short)])
def test_recurrence(cell, published):
    torch.manual_seed(0)
    layer = Recurrence(4, 5, cell)
    w, x = arrays(layer), steps()
    np.testing.assert_allclose(applied(layer, x, np.ones(x.shape[:2], bool)), published(w, x), **EXACT)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("both_ways", [False, True])
def test_masked_steps_are_passed_over(cell, both_ways):
    torch.manual_seed(0)
    layer = Recurrence(4, 6, cell, both_ways=both_ways)
    arrays(layer)
    x, mask = steps(5), RNG.random((5, 7)) > 0.4
    mask[0] = False
    found = applied(layer, x, mask)
    assert (found[~mask] == 0).all()
    for i in range(1, 5):
        alone = applied(layer, x[i : i + 1, mask[i]], np.ones((1, mask[i].sum()), bool))
        np.testing.assert_allclose(found[i, mask[i]], alone[0], **EXACT)


def test_the_way_back_is_the_way_forth_of_the_reversed_steps():
    torch.manual_seed(0)
    layer = Recurrence(4, 6, "rnn", both_ways=True)
    w, x = arrays(layer), steps()
    backwards = {name.replace("back", "forth"): value for name, value in w.items() if name.startswith("back")}
    found = applied(layer, x, np.ones(x.shape[:2], bool))
    np.testing.assert_allclose(found[..., :3], elman(w, x), **EXACT)
    np.testing.assert_allclose(found[..., 3:], elman(backwards, x[:, ::-1])[:, ::-1], **EXACT)


# attention


def test_softmax_attention_and_its_weighted_sum():
    torch.manual_seed(0)
    layer = AttentionPooling(5)
    w, h = arrays(layer), steps(channels=5)
    mask = np.ones(h.shape[:2], bool)
    mask[1, 4:] = False
    mask[2] = False
    found = applied(layer, h, mask)
    for i in range(2):
        seen = h[i, mask[i]]
        energy = np.tanh(seen @ w["hidden.weight"].T + w["hidden.bias"]) @ w["query"]
        weight = np.exp(energy) / np.exp(energy).sum()
        assert weight.sum() == pytest.approx(1)
        np.testing.assert_allclose(found[i], (weight[:, None] * seen).sum(axis=0), **EXACT)
    assert (found[2] == 0).all()


# tokens of number sequences


def series(lengths: list[int], channels: int = 2) -> Batch:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = RNG.normal(size=(offsets[-1], channels)).astype(np.float32)
    return Batch({"values": Ragged(values, offsets)}, np.array(lengths) > 0)


@pytest.mark.parametrize("encoder", [RNNTokens, GRUTokens])
@pytest.mark.parametrize("patch", [1, 3, 10])
def test_recurrent_tokens_are_states_at_the_ends_of_patches(encoder, patch):
    torch.manual_seed(0)
    module = encoder(6, 2, patch, 4).eval()
    w, batch = arrays(module), series([40, 7, 0, 1])
    with torch.no_grad():
        tokens = module.float()(module.collate(batch))
    published = elman if encoder is RNNTokens else gated
    core = {name.removeprefix("recurrence."): value for name, value in w.items()}
    span = -(-patch // 4)
    for i, length in enumerate([40, 7, 0, 1]):
        kept = min(length, 4 * patch)
        if not kept:
            assert not tokens.mask_BT[i].any()
            continue
        frames = -(-kept // span)
        x = np.zeros((frames * span, 2))
        there = np.zeros((frames * span, 1))
        x[-kept:] = batch.arrays["values"].row(i)[-kept:]
        there[-kept:] = 1
        flat = np.concatenate([x.reshape(frames, span * 2), there.reshape(frames, span)], axis=1)
        states = published(core, flat[None])[0]
        size = -(-patch // span)
        ends = states[::-1][::size][::-1]
        expected = ends + w["position"][: len(ends)][::-1]
        np.testing.assert_allclose(tokens.values_BTD[i][tokens.mask_BT[i]].numpy(), expected, rtol=0, atol=1e-5)


def test_the_attention_token_comes_first():
    torch.manual_seed(0)
    module = LSTMTokens(6, 2, 2, 4).eval()
    with torch.no_grad():
        tokens = module(module.collate(series([5, 0, 8])))
    assert tokens.values_BTD.shape == (3, 5, 6)
    assert tokens.mask_BT.tolist() == [[True, False, True, True, True], [False] * 5, [True] * 5]


@pytest.mark.parametrize("encoder", [RNNTokens, GRUTokens, LSTMTokens, ConvTokens])
def test_sequence_tokens_stand_alone_are_few_and_learn(encoder):
    torch.manual_seed(0)
    lengths = [2000, 3, 0, 700]
    module, batch = encoder(8, 2, 125, 16).eval(), series(lengths)
    together = module(module.collate(batch))
    assert together.mask_BT.shape[1] <= 17
    assert together.mask_BT.any(dim=1).tolist() == [True, True, False, True]
    for i in range(4):
        alone = module(module.collate(batch.take(np.array([i]))))
        seen, own = together.mask_BT[i], alone.mask_BT[0]
        np.testing.assert_allclose(
            together.values_BTD[i][seen].detach().numpy(), alone.values_BTD[0][own].detach().numpy(), atol=1e-5
        )
    together.values_BTD[together.mask_BT].square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())
    nothing = module(module.collate(batch.take(np.arange(0))))
    assert len(nothing.values_BTD) == len(nothing.mask_BT) == 0
