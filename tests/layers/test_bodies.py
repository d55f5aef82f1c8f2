"""Bodies against plain numpy, one row at a time, over the tokens that are there only."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.layers.bottleneck import BottleneckTransformer
from plait.layers.gated import GatedSources
from plait.layers.pooling import AttentionPooling
from plait.layers.recurrence import RecurrentBody
from plait.layers.transformer import Transformer

WIDTH = 8
BODIES = {
    "attention": lambda: Transformer(WIDTH, 2, 2, 0.0),
    "bottleneck": lambda: BottleneckTransformer(3, WIDTH, 2, 2, 2, 0.0),
    "parallel": lambda: GatedSources(3, WIDTH, 0.0),
    "lstm": lambda: RecurrentBody(WIDTH, 1, "lstm", 0.0),
    "gru": lambda: RecurrentBody(WIDTH, 2, "gru", 0.0),
}


def made(rows=5):
    """Tokens of three sources; the last row has none, the one before only the second source."""
    torch.manual_seed(0)
    values = [torch.randn(rows, tokens, WIDTH) for tokens in (4, 1, 6)]
    masks = [torch.rand(rows, value.shape[1]) > 0.3 for value in values]
    for i, mask in enumerate(masks):
        mask[-1] = False
        mask[-2] = i == 1
    return values, masks


@pytest.fixture(params=BODIES)
def body(request):
    torch.manual_seed(1)
    return BODIES[request.param]().eval()


def weights(module):
    return {name: value.numpy().astype(np.float64) for name, value in module.state_dict().items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def norm(x, w, name):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def linear(x, w, name):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def pooled(tokens, w, name):
    """Attention pooling of ``T x D`` tokens."""
    scores = np.tanh(linear(tokens, w, f"{name}hidden")) @ w[f"{name}query"]
    shares = np.exp(scores) / np.exp(scores).sum()
    return shares @ tokens


def test_shapes_and_masks(body):
    values, masks = made()
    tokens, mask, pooled = body(values, masks)
    assert tokens.shape == (*mask.shape, WIDTH)
    assert mask.sum() == sum(m.sum() for m in masks) + (len(mask) if isinstance(body, RecurrentBody) else 0)
    assert pooled.shape == (5, WIDTH)


def test_hidden_tokens_change_nothing(body):
    values, masks = made()
    *_, said = body(values, masks)
    *_, other = body([torch.where(m[..., None], v, 1e3) for v, m in zip(values, masks, strict=True)], masks)
    torch.testing.assert_close(other, said, atol=1e-5, rtol=0)


def test_a_row_has_the_same_answer_in_any_company(body):
    values, masks = made()
    *_, said = body(values, masks)
    for i in range(5):
        *_, alone = body([v[[i]] for v in values], [m[[i]] for m in masks])
        torch.testing.assert_close(alone, said[[i]], atol=1e-5, rtol=0)


def test_rows_of_nothing_have_finite_answers_and_gradients(body):
    values, masks = made()
    *_, said = body(values, [torch.zeros_like(mask) for mask in masks])
    assert torch.isfinite(said).all()
    torch.testing.assert_close(said[0], said[1])
    said.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in body.parameters() if p.grad is not None)


def test_attention_pooling_is_its_equations():
    pool, (values, masks) = AttentionPooling(WIDTH), made()
    said, w = pool(values[0], masks[0]).detach().numpy(), weights(pool)
    for i in range(3):
        np.testing.assert_allclose(said[i], pooled(values[0][i][masks[0][i]].numpy(), w, ""), atol=1e-6)
    assert (said[3:] == 0).all()


def test_gates_are_their_equations():
    torch.manual_seed(1)
    body, (values, masks) = GatedSources(3, WIDTH, 0.0).eval(), made()
    *_, said = body(values, masks)
    w = weights(body)
    for i in range(4):
        there = [s for s in range(3) if masks[s][i].any()]
        x = np.zeros((3, WIDTH))
        for s in there:
            x[s] = norm(pooled(values[s][i][masks[s][i]].numpy(), w, f"pools.{s}."), w, f"norms.{s}")
        z = sigmoid(linear(x.ravel(), w, "gates")).reshape(3, WIDTH)
        h = sum(z[s] * np.tanh(linear(x[s], w, f"values.{s}")) for s in there)
        mixed = linear(np.maximum(linear(norm(h, w, "mix.0"), w, "mix.1"), 0), w, "mix.4")
        np.testing.assert_allclose(said[i].detach(), norm(h + mixed, w, "norm"), atol=1e-5)


def test_recurrence_is_its_equations_over_the_tokens_that_are_there():
    torch.manual_seed(1)
    body, (values, masks) = RecurrentBody(WIDTH, 1, "lstm", 0.0).eval(), made()
    *_, said = body(values, masks)
    w = weights(body)
    for i in range(5):
        there = [v[i][m[i]].numpy() for v, m in zip(values, masks, strict=True)]
        tokens = norm(np.concatenate([w["start"][None], *there]).astype(np.float64), w, "norm_tokens")
        h, c, states = np.zeros(WIDTH), np.zeros(WIDTH), []
        for x in tokens:
            bias = w["layers.0.forth.bias_ih_l0"] + w["layers.0.forth.bias_hh_l0"]
            gates = w["layers.0.forth.weight_ih_l0"] @ x + w["layers.0.forth.weight_hh_l0"] @ h + bias
            enter, forget, new, leave = np.split(gates, 4)
            c = sigmoid(forget) * c + sigmoid(enter) * np.tanh(new)
            h = sigmoid(leave) * np.tanh(c)
            states.append(h)
        np.testing.assert_allclose(said[i].detach(), norm(pooled(np.array(states), w, "pool."), w, "norm"), atol=1e-5)


def test_sources_meet_in_the_bottleneck_alone():
    """Without the shared tokens' layer, nothing of one source reaches another's tokens; with it, something does."""
    torch.manual_seed(1)
    values, masks = made()
    masks = [torch.ones_like(mask) for mask in masks]
    other = [values[0] + 1.0, *values[1:]]
    for layers, reach in ((2, False), (3, True)):
        body = BottleneckTransformer(3, WIDTH, layers, 2, 2, 0.0).eval()
        tokens, said = body(values, masks)[::2]
        moved, differs = body(other, masks)[::2]
        assert bool((tokens[:, 4:] != moved[:, 4:]).any()) is reach
        assert (said != differs).any(dim=1).all()


def test_an_absent_source_has_no_say_in_the_bottleneck():
    torch.manual_seed(1)
    body, (values, masks) = BottleneckTransformer(3, WIDTH, 2, 2, 2, 0.0).eval(), made()
    alone = BottleneckTransformer(1, WIDTH, 2, 2, 2, 0.0).eval()
    own = {name: value for name, value in body.state_dict().items() if not name.startswith("blocks")}
    mine = {f"blocks.{layer}.": f"blocks.{3 * layer + 1}." for layer in range(2)}
    for to, source in mine.items():
        own |= {k.replace(source, to): v for k, v in body.state_dict().items() if k.startswith(source)}
    alone.load_state_dict(own)
    *_, said = body(values, masks)
    *_, expected = alone(values[1:2], masks[1:2])
    torch.testing.assert_close(said[3], expected[3], atol=1e-6, rtol=0)


def test_attention_is_shared_out_over_tokens_that_are_there(body):
    if isinstance(body, GatedSources):
        pytest.skip("gates weigh the sources, and no attention goes over all of them")
    values, masks = made()
    with torch.no_grad():
        weights = body.attention(values, masks)
    there = torch.cat(masks, dim=1)
    assert weights.shape == there.shape
    assert (weights[~there] == 0).all()
    assert (weights[there] > 0).all()
    assert (weights.sum(dim=1) <= 1 + 1e-6).all()


def test_attention_follows_the_tokens(body):
    if isinstance(body, GatedSources | RecurrentBody):
        pytest.skip("no attention over all tokens, or their order counts")
    values, masks = made()
    turned = torch.arange(5, -1, -1)
    with torch.no_grad():
        weights = body.attention(values, masks)
        others = body.attention([*values[:2], values[2][:, turned]], [*masks[:2], masks[2][:, turned]])
    np.testing.assert_allclose(others[:, 5:], weights[:, 5:][:, turned], atol=1e-6)
    np.testing.assert_allclose(others[:, :5], weights[:, :5], atol=1e-6)
