"""A body whose sources keep to themselves but for a few tokens that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

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
        own, f_BND, visible, share_BS = self._before(values, masks)
        f_BND = self._mixed(f_BND, [x[:, : len(self.start)] for x in self._layer(-1, f_BND, own, visible)], share_BS)
        return torch.cat(own, dim=1), torch.cat(list(masks), dim=1), self.norm(f_BND.mean(dim=1))

    def attention(self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the bottleneck tokens attend to in the last layer, over sources that are there, ``B x T``."""
        own, f_BND, visible, share_BS = self._before(values, masks)
        shared, told = len(self.start), []
        for i, block in enumerate(self._blocks(-1)):
            weights_BNT = block.attention(torch.cat([f_BND, own[i]], dim=1), visible[i], first=shared)
            told.append(weights_BNT[:, :, shared:].mean(dim=1) * share_BS[:, i, None])
        return torch.cat(told, dim=1)

    def _before(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[list[torch.Tensor], torch.Tensor, list[torch.Tensor], torch.Tensor]:
        """Own tokens and bottleneck as the last layer reads them, what each source sees, and each source's share."""
        own, shared = list(values), len(self.start)
        f_BND = self.start.expand(own[0].shape[0], *self.start.shape)
        visible = [F.pad(mask_BT, (shared, 0), value=True)[:, None, None] for mask_BT in masks]
        there_BS = torch.stack([mask_BT.any(dim=1) for mask_BT in masks], dim=1)
        share_BS = there_BS / there_BS.sum(dim=1, keepdim=True).clamp(min=1)
        for layer in range(len(self.blocks) // self.sources - 1):
            told = self._layer(layer, f_BND, own, visible)
            own = [x_BTD[:, shared:] for x_BTD in told]
            f_BND = self._mixed(f_BND, [x_BTD[:, :shared] for x_BTD in told], share_BS)
        return own, f_BND, visible, share_BS

    def _blocks(self, layer: int) -> list[Block]:
        first = layer % (len(self.blocks) // self.sources) * self.sources
        return cast("list[Block]", list(self.blocks)[first : first + self.sources])

    def _layer(
        self, layer: int, f_BND: torch.Tensor, own: Sequence[torch.Tensor], visible: Sequence[torch.Tensor]
    ) -> list[torch.Tensor]:
        """What each source's block makes of the bottleneck and its own tokens; the last layer, of the former alone."""
        first = len(self.start) if layer == -1 else None
        told = zip(self._blocks(layer), own, visible, strict=True)
        return [block(torch.cat([f_BND, x_BTD], dim=1), seen, first=first) for block, x_BTD, seen in told]

    def _mixed(self, f_BND: torch.Tensor, told: Sequence[torch.Tensor], share_BS: torch.Tensor) -> torch.Tensor:
        """The mean of the bottlenecks over the sources that are there; as it was where none is."""
        mean_BND = torch.einsum("bs,sbnd->bnd", share_BS, torch.stack(list(told)))
        return torch.where((share_BS.sum(dim=1) == 0)[:, None, None], f_BND, mean_BND)
