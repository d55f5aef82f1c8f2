"""The body: a small pre-norm Transformer over the tokens of all sources, pooled by a token of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Block", "Transformer", "line_dropout"]


def line_dropout(x_BTD: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
    """Dropout of whole features, the same in all tokens of a row: ``x * z / (1 - rate)``, ``z_B1D`` Bernoulli.

    Gal & Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016, section 4;
    here also because drawing a number for every element costs more than a matrix product on a CPU.
    """
    if not training or rate == 0:
        return x_BTD
    rows, _, width = x_BTD.shape
    return x_BTD * ((torch.rand(rows, 1, width, device=x_BTD.device) >= rate).to(x_BTD.dtype) / (1 - rate))


class Block(nn.Module):
    """One layer: ``x += A(LN(x)); x += V(ReLU(G LN(x)) * U LN(x))``.

    ``A`` is multi-head attention, ``softmax(Q K^T / sqrt(d)) V`` (Vaswani et al., "Attention Is All You Need", 2017,
    equation 1). The norms stand before (Xiong et al., "On Layer Normalization in the Transformer Architecture", 2020).
    The feed-forward part is ReGLU (Shazeer, "GLU Variants Improve Transformer", 2020, equation 6), 4/3 as wide.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.mix = nn.Linear(width, width)
        self.norm_feed = nn.LayerNorm(width)
        hidden = 4 * width // 3
        self.gate_up = nn.Linear(width, 2 * hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x_BTD: torch.Tensor, mask_B11T: torch.Tensor | None, first: int | None = None) -> torch.Tensor:
        """New values of the tokens, or of the `first` ones only (all are attended to).

        `mask_B11T` (bool, true = visible) hides keys; None hides nothing. Every row needs one visible token.
        """
        x_BQD = x_BTD[:, :first]
        q_BHQd, k_BHTd, v_BHTd = self._projected(x_BTD, first)
        seen_BHQd = F.scaled_dot_product_attention(q_BHQd, k_BHTd, v_BHTd, attn_mask=mask_B11T)
        attended_BQD = self.mix(seen_BHQd.transpose(1, 2).reshape(x_BQD.shape))
        x_BQD = x_BQD + line_dropout(attended_BQD, self.dropout, self.training)
        gate_BQF, up_BQF = self.gate_up(self.norm_feed(x_BQD)).chunk(2, dim=-1)
        return x_BQD + line_dropout(self.down(F.relu(gate_BQF) * up_BQF), self.dropout, self.training)

    def _projected(self, x_BTD: torch.Tensor, first: int | None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries of the `first` tokens, keys and values of all."""
        rows, tokens, width = x_BTD.shape
        normed_BTD, size = self.norm_attention(x_BTD), width // self.heads
        query_BQD = self.query(normed_BTD[:, :first])
        key_value = self.key_value(normed_BTD).view(rows, tokens, 2, self.heads, size)
        k_BHTd, v_BHTd = key_value.permute(2, 0, 3, 1, 4)
        return query_BQD.view(rows, query_BQD.shape[1], self.heads, size).transpose(1, 2), k_BHTd, v_BHTd

    def attention(self, x_BTD: torch.Tensor, mask_B11T: torch.Tensor | None, first: int) -> torch.Tensor:
        """Attention of the `first` tokens to all, the mean of the heads: ``B x first x T``."""
        q_BHQd, k_BHTd, _ = self._projected(x_BTD, first)
        logits_BHQT = q_BHQd @ k_BHTd.transpose(2, 3) * q_BHQd.shape[3] ** -0.5
        if mask_B11T is not None:
            logits_BHQT = logits_BHQT.masked_fill(~mask_B11T, float("-inf"))
        weights_BQT: torch.Tensor = logits_BHQT.softmax(dim=3).mean(dim=1)
        return weights_BQT


class Transformer(nn.Module):
    """Layers over the tokens and one of the body's own, whose last value is the pooled vector.

    The own token is a learned query that pools by attention (the class token of Devlin et al., "BERT", 2019). The last
    layer computes nothing but it, which changes no result and halves the cost of two layers (Gorishniy et al., 2021,
    do the same in FT-Transformer). It is always visible, so a row without any other token has a finite answer.

    Parameters
    ----------
    width, layers, heads
        ``D`` (a multiple of `heads`), number of layers (at least one), attention heads.
    dropout
        After attention and after the feed-forward part; see `line_dropout`.
    """

    def __init__(self, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From ``B x T_s x D`` and bool ``B x T_s`` of each source to all tokens as the last layer attended to them,
        their mask, and the pooled vector (``B x D``)."""
        x_BTD, mask_B11T = self._before(values, masks)
        pooled_B1D = self.blocks[-1](x_BTD, mask_B11T, first=1)
        return x_BTD[:, 1:], torch.cat(list(masks), dim=1), self.norm(pooled_B1D[:, 0])

    def _before(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """All tokens as the last layer reads them, the own one first, and which it sees."""
        rows, _, width = values[0].shape
        x_BTD = torch.cat([self.start.expand(rows, 1, width), *values], dim=1)
        visible_BT = F.pad(torch.cat(list(masks), dim=1), (1, 0), value=True)
        mask_B11T = None if bool(visible_BT.all()) else visible_BT[:, None, None]
        for block in list(self.blocks)[:-1]:
            x_BTD = block(x_BTD, mask_B11T)
        return x_BTD, mask_B11T

    def attention(self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the own token attends to in the last layer, ``B x T``; the rest up to 1 is itself."""
        last = cast("Block", self.blocks[-1])
        return last.attention(*self._before(values, masks), first=1)[:, 0, 1:]
