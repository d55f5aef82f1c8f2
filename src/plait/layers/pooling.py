"""From the tokens of a row to one vector."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["AttentionPooling"]


class AttentionPooling(nn.Module):
    """The tokens' mean, weighted by softmax attention.

    ``u_t = tanh(W h_t + b)``, ``a_t = softmax_t(u_t . q)``, ``s = sum_t a_t h_t`` (Yang et al., "Hierarchical Attention
    Networks for Document Classification", 2016, equations 5 to 7), over the tokens that are there.

    Parameters
    ----------
    width
        ``D``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.query = nn.Parameter(torch.randn(width) * width**-0.5)

    def forward(self, values_BTD: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        """The pooled vector, ``B x D``; zero where no token is there."""
        return torch.einsum("bt,btd->bd", self.attention(values_BTD, mask_BT), values_BTD)

    def attention(self, values_BTD: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        """The weights ``a_t``, ``B x T``."""
        scores_BT = self.hidden(values_BTD).tanh() @ self.query
        # A large negative number instead of -inf: a row without tokens stays finite.
        scores_BT = scores_BT.masked_fill(~mask_BT, torch.finfo(scores_BT.dtype).min)
        weights_BT: torch.Tensor = scores_BT.softmax(dim=1) * mask_BT
        return weights_BT
