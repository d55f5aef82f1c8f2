"""From the pooled vector of a row to its scores."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from plait.contracts import Array

__all__ = ["PooledLinear", "SideBySide"]


class PooledLinear(nn.Module):
    """Scores as a linear map of the pooled vector: ``s_BK = pooled_BD W_DK + b_K``.

    The bias starts at the prior, so that an untrained network answers the prior, give or take (the last-bias
    initialisation of Karpathy, "A Recipe for Training Neural Networks", 2019), and the weights at a standard deviation
    of ``D ** -0.5``: from zero, nothing below them learns at first, and of ten kinds of charts half as many were told
    after eight epochs.

    Parameters
    ----------
    width
        ``D``.
    prior
        Scores (``K``) of a row of which nothing is known.
    alike
        All scores start as one direction. Of steps up a ladder of grades this beat directions of their own and a single
        one that all share, on 400 and on 2,000 made rows.
    """

    def __init__(self, width: int, prior: Array, *, alike: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(width, len(prior))
        nn.init.normal_(self.linear.weight, std=width**-0.5)
        with torch.no_grad():
            if alike:
                self.linear.weight.copy_(self.linear.weight[:1].clone().expand_as(self.linear.weight))
            self.linear.bias.copy_(torch.as_tensor(prior, dtype=torch.float32))

    def forward(self, tokens_BTD: torch.Tensor, mask_BT: torch.Tensor, pooled_BD: torch.Tensor) -> torch.Tensor:
        scores_BK: torch.Tensor = self.linear(pooled_BD)
        return scores_BK


class SideBySide(nn.Module):
    """Scores of several readouts of the same row, one after the other: ``B x (K_1 + ... + K_T)``."""

    def __init__(self, readouts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.readouts = nn.ModuleList(readouts)

    def forward(self, tokens_BTD: torch.Tensor, mask_BT: torch.Tensor, pooled_BD: torch.Tensor) -> torch.Tensor:
        return torch.cat([readout(tokens_BTD, mask_BT, pooled_BD) for readout in self.readouts], dim=1)
