"""A body that reads the tokens of all sources one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from plait.layers.pooling import AttentionPooling
from plait.layers.recurrent import Cell, Recurrence
from plait.layers.transformer import line_dropout

__all__ = ["RecurrentBody"]


class RecurrentBody(nn.Module):
    """Tokens in the order of the sources through recurrent layers, whose states are pooled by softmax attention.

    Tokens that are not there are left out, not read as zeros: the state passes from the last token that is there to the
    next (`plait.layers.recurrent.Recurrence`). A token of the body's own comes first, so that a row without any other
    has an answer.

    Parameters
    ----------
    width, layers
        ``D``, and recurrent layers above each other.
    cell
        ``"lstm"``, ``"gru"`` or ``"rnn"``.
    dropout
        Of whole features before each layer and after the last; see `plait.layers.transformer.line_dropout`.
    """

    def __init__(self, width: int, layers: int, cell: Cell, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)
        self.norm_tokens = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Recurrence(width, width, cell) for _ in range(layers))
        self.pool = AttentionPooling(width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From ``B x T_s x D`` and bool ``B x T_s`` of each source to the states of the own token and all others, their
        mask, and the pooled vector (``B x D``)."""
        x_BTD, mask_BT = self._states(values, masks)
        return x_BTD, mask_BT, self.norm(self.pool(x_BTD, mask_BT))

    def _states(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows, _, width = values[0].shape
        mask_BT = torch.cat([masks[0].new_ones(rows, 1), *masks], dim=1)
        x_BTD = self.norm_tokens(torch.cat([self.start.expand(rows, 1, width), *values], dim=1))
        for layer in self.layers:
            x_BTD = layer(line_dropout(x_BTD, self.dropout, self.training), mask_BT)
        return line_dropout(x_BTD, self.dropout, self.training), mask_BT

    def attention(self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]) -> torch.Tensor:
        """Weights of the states at the tokens in the pooled vector, ``B x T``; the rest up to 1 is the own token's."""
        return self.pool.attention(*self._states(values, masks))[:, 1:]
