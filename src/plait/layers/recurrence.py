"""A body that reads the tokens of all sources one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from plait.layers.pooling import AttentionPooling
from plait.layers.transformer import line_dropout

__all__ = ["CELLS", "RecurrentBody"]

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentBody(nn.Module):
    """Tokens in the order of the sources through a recurrent layer, whose states are pooled by softmax attention.

    Tokens that are not there are left out, not read as zeros: the state passes from the last token that is there to the
    next. A token of the body's own comes first, so that a row without any other has an answer. Cells are those of
    Hochreiter & Schmidhuber ("Long Short-Term Memory", 1997, with forget gates) and Cho et al. ("Learning Phrase
    Representations using RNN Encoder-Decoder", 2014, section 2.3).

    Parameters
    ----------
    width, layers
        ``D``, and recurrent layers above each other.
    cell
        One of `CELLS`.
    dropout
        Of whole features of the tokens before, and of the states after; see `plait.layers.transformer.line_dropout`.
    """

    def __init__(self, width: int, layers: int, cell: str, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)
        self.norm_tokens = nn.LayerNorm(width)
        self.cells = CELLS[cell](width, width, layers, batch_first=True)
        self.pool = AttentionPooling(width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From ``B x T_s x D`` and bool ``B x T_s`` of each source to the states of the tokens that are there, moved up
        to the left, their mask, and the pooled vector."""
        rows, _, width = values[0].shape
        mask_BT = torch.cat([masks[0].new_ones(rows, 1), *masks], dim=1)
        x_BTD = torch.cat([self.start.expand(rows, 1, width), *values], dim=1)
        most = max(mask_BT.sum(dim=1).tolist(), default=1)
        order_BT = (~mask_BT).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
        x_BTD = x_BTD.gather(1, order_BT[..., None].expand(-1, -1, width))
        mask_BT = mask_BT.gather(1, order_BT)
        states_BTD, _ = self.cells(line_dropout(self.norm_tokens(x_BTD), self.dropout, self.training))
        states_BTD = line_dropout(states_BTD, self.dropout, self.training)
        return states_BTD, mask_BT, self.norm(self.pool(states_BTD, mask_BT))
