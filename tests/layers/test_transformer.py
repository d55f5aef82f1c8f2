"""The body against plain numpy, one row at a time, over the visible tokens only."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.layers.transformer import Transformer, line_dropout


def norm(x, weight, bias):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + bias


def layer(x, w, prefix, heads):
    def linear(name, z):
        return z @ w[f"{prefix}.{name}.weight"].T + w[f"{prefix}.{name}.bias"]

    z = norm(x, w[f"{prefix}.norm_attention.weight"], w[f"{prefix}.norm_attention.bias"])
    queries, (keys, values) = linear("query", z), np.split(linear("key_value", z), 2, axis=1)
    size, seen = x.shape[1] // heads, []
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        logits = queries[:, part] @ keys[:, part].T / np.sqrt(size)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        seen.append(shares @ values[:, part])
    x = x + linear("mix", np.concatenate(seen, axis=1))
    gate, up = np.split(linear("gate_up", norm(x, *(w[f"{prefix}.norm_feed.{k}"] for k in ("weight", "bias")))), 2, 1)
    return x + linear("down", np.maximum(gate, 0) * up)


@pytest.fixture
def body():
    torch.manual_seed(0)
    return Transformer(12, 2, 3, 0.0).eval()


def test_the_body_equals_its_equations_over_visible_tokens(body):
    x, mask = torch.randn(4, 6, 12), torch.rand(4, 6) > 0.4
    mask[3] = False
    tokens, seen, pooled = (part.detach().numpy() for part in body([x[:, :2], x[:, 2:]], [mask[:, :2], mask[:, 2:]]))
    np.testing.assert_array_equal(seen, mask)
    w = {name: value.numpy().astype(np.float64) for name, value in body.state_dict().items()}
    for i in range(4):
        visible = np.concatenate([w["start"][None], x[i][mask[i]].numpy().astype(np.float64)])
        first = layer(visible, w, "blocks.0", 3)
        second = layer(first, w, "blocks.1", 3)
        np.testing.assert_allclose(tokens[i][mask[i].numpy()], first[1:], atol=2e-6)
        np.testing.assert_allclose(pooled[i], norm(second[0], w["norm.weight"], w["norm.bias"]), atol=5e-6)


def test_hidden_tokens_change_nothing(body):
    x, mask = torch.randn(4, 6, 12), torch.rand(4, 6) > 0.4
    *_, pooled = body([x], [mask])
    *_, other = body([torch.where(mask[..., None], x, 1e3)], [mask])
    torch.testing.assert_close(other, pooled, atol=1e-6, rtol=0)


def test_a_row_of_nothing_has_a_finite_answer_and_gradient(body):
    *_, pooled = body([torch.randn(2, 5, 12)], [torch.zeros(2, 5, dtype=torch.bool)])
    assert torch.isfinite(pooled).all()
    torch.testing.assert_close(pooled[0], pooled[1])
    pooled.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in body.parameters() if p.grad is not None)


def test_dropout_hides_whole_features_and_keeps_the_mean():
    torch.manual_seed(0)
    x = torch.ones(400, 5, 16)
    y = line_dropout(x, 0.25, True)
    assert (y == y[:, :1]).all()
    assert float(y.mean()) == pytest.approx(1, abs=0.05)
    assert line_dropout(x, 0.25, False) is x
