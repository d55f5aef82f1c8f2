"""A body that reads sources side by side: each pooled on its own, joined by gates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from plait.layers.pooling import AttentionPooling

__all__ = ["GatedSources"]


class GatedSources(nn.Module):
    """One vector a source, summed through gates that see all of them, and a multi-layer perceptron.

    With ``x_i`` the pooled tokens of source ``i`` (zero where it is absent),

        ``h_i = tanh(W_i x_i + b_i)``, ``z_i = sigmoid(G_i [x_1, ..., x_S] + c_i)``, ``h = sum_i z_i * h_i``

    (the gated multimodal unit of Arevalo et al., "Gated Multimodal Units for Information Fusion", 2017, section 3.1),
    the sum taken over the sources that are there; then ``LN(h + V relu(U LN(h)))``.

    Parameters
    ----------
    sources, width
        ``S`` and ``D``.
    dropout
        Of the perceptron's hidden layer.
    """

    def __init__(self, sources: int, width: int, dropout: float) -> None:
        super().__init__()
        self.pools = nn.ModuleList(AttentionPooling(width) for _ in range(sources))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(sources))
        self.values = nn.ModuleList(nn.Linear(width, width) for _ in range(sources))
        self.gates = nn.Linear(sources * width, sources * width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From ``B x T_s x D`` and bool ``B x T_s`` of each source to all tokens, their mask, and the pooled vector."""
        there_BS1 = torch.stack([mask_BT.any(dim=1) for mask_BT in masks], dim=1)[..., None]
        pooled = [norm(pool(v, m)) for norm, pool, v, m in zip(self.norms, self.pools, values, masks, strict=True)]
        x_BSD = torch.stack(pooled, dim=1) * there_BS1
        h_BSD = torch.stack([value(x_BSD[:, i]) for i, value in enumerate(self.values)], dim=1).tanh()
        z_BSD = self.gates(x_BSD.flatten(1)).sigmoid().view(h_BSD.shape)
        h_BD = (z_BSD * h_BSD * there_BS1).sum(dim=1)
        return torch.cat(list(values), dim=1), torch.cat(list(masks), dim=1), self.norm(h_BD + self.mix(h_BD))
