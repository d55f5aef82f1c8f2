"""A body whose sources keep to themselves but for a few tokens that they share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from plait.layers.transformer import Block

__all__ = ["BottleneckTransformer"]


class BottleneckTransformer(nn.Module):
    """Each source attends to itself and to the bottleneck's tokens; these pass on what the sources put into them.

    In layer ``l`` source ``i`` computes ``[z_i, f_i] = Block_i([z_i, f])`` with weights of its own, and ``f`` becomes
    the mean of the ``f_i`` (Nagrani et al., "Attention Bottlenecks for Multimodal Fusion", 2021, equations 8 and 9),
    taken over the sources that are there. The cost grows with ``sum_i T_i^2``, not with the square of the sum. The
    pooled vector is the mean of the last bottleneck tokens, for which alone the last layer computes.

    Parameters
    ----------
    sources, width, layers, heads
        ``S``, ``D`` (a multiple of `heads`), number of layers (at least one), attention heads.
    bottlenecks
        Number of shared tokens ``N``.
    dropout
        See `plait.layers.transformer.Block`.
    """

    def __init__(self, sources: int, width: int, layers: int, heads: int, bottlenecks: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(bottlenecks, width) * width**-0.5)
        self.sources = sources
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers * sources))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From ``B x T_s x D`` and bool ``B x T_s`` of each source to all tokens, their mask, and the pooled vector."""
        own, shared = list(values), len(self.start)
        f_BND = self.start.expand(len(own[0]), *self.start.shape)
        visible = [F.pad(mask_BT, (shared, 0), value=True)[:, None, None] for mask_BT in masks]
        there_BS = torch.stack([mask_BT.any(dim=1) for mask_BT in masks], dim=1)
        share_BS = there_BS / there_BS.sum(dim=1, keepdim=True).clamp(min=1)
        none_B11 = ~there_BS.any(dim=1)[:, None, None]
        for first in range(0, len(self.blocks), self.sources):
            last = first + self.sources == len(self.blocks)
            told = []
            for i, block in enumerate(self.blocks[first : first + self.sources]):
                x_BTD = block(torch.cat([f_BND, own[i]], dim=1), visible[i], first=shared if last else None)
                told.append(x_BTD[:, :shared])
                own[i] = own[i] if last else x_BTD[:, shared:]
            mean_BND = torch.einsum("bs,sbnd->bnd", share_BS, torch.stack(told))
            f_BND = torch.where(none_B11, f_BND, mean_BND)
        return torch.cat(own, dim=1), torch.cat(list(masks), dim=1), self.norm(f_BND.mean(dim=1))
