"""Convolutions along masked steps, and number sequences to tokens by them."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import torch
from torch import nn
from torch.nn import functional as F

from plait.contracts import Tokens
from plait.layers.forms import Form, Steps
from plait.layers.reading import Reading

__all__ = ["ConvTokens", "Convolution", "pool_steps"]


class Convolution(nn.Module):
    """``y_t = ReLU(b + sum_k W_k x_(t+k))``, ``k = -(K-1)/2 .. (K-1)/2``; steps that are not there count as zero.

    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998, on a line; Kim, "Convolutional Neural
    Networks for Sentence Classification", 2014, equation 2.

    Parameters
    ----------
    inputs, width
        Of a step before and after.
    kernel
        ``K``, odd.
    """

    def __init__(self, inputs: int, width: int, kernel: int = 5) -> None:
        super().__init__()
        self.filter = nn.Conv1d(inputs, width, kernel, padding=kernel // 2)

    def forward(self, x_BTC: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        """Steps ``B x T x width`` of steps ``B x T x inputs``; zero where `mask_BT` is false."""
        seen_BCT = (x_BTC * mask_BT[..., None]).transpose(1, 2)
        filtered_BDT = F.relu(self.filter(seen_BCT)) * mask_BT[:, None]
        return filtered_BDT.transpose(1, 2)


def pool_steps(x_BTD: torch.Tensor, mask_BT: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest of every `size` neighbouring steps, which are zero where masked and nowhere below: max pooling.

    Returns ``B x T / size x D`` and which of these have a step that is there; ``T`` is a multiple of `size`.
    """
    if size == 1:
        return x_BTD, mask_BT
    rows, steps, width = x_BTD.shape
    pooled_BPD = x_BTD.reshape(rows, steps // size, size, width).amax(dim=2)
    return pooled_BPD, mask_BT.view(rows, steps // size, size).any(dim=2)


class ConvTokens(Reading):
    """Two convolutions, each with max pooling, from steps to tokens (`Convolution`).

    The first layer sees every step; its output is pooled over ``s = ceil(patch / 4)`` steps, the second layer's over
    the rest of a patch. A token thus says what occurred in its patch, not where in it. Patches are counted back from
    the most recent step; a learned vector of the place is added.

    Parameters
    ----------
    width
        ``D``.
    channels
        ``C``.
    patch
        Steps a token, rounded up to a multiple of ``s``.
    max_patches
        The most recent ``patch * max_patches`` steps are read.
    kernel
        Steps that each convolution sees, odd.
    """

    def __init__(self, width: int, channels: int, patch: int, max_patches: int, *, kernel: int = 5) -> None:
        super().__init__()
        self.channels = channels
        self.limit = patch * max_patches
        self.span = ceil(patch / 4)
        self.rest = ceil(patch / self.span)
        self.first = Convolution(channels, width // 2, kernel)
        self.second = Convolution(width // 2, width, kernel)
        self.position = nn.Parameter(torch.randn(max_patches, width) * width**-0.5)

    @property
    def form(self) -> Form:
        return Steps(self.limit, self.span * self.rest, self.channels)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        x_BTC, mask_BT = tensors["values"], tensors["there"]
        fine_BFH, mask_BF = pool_steps(self.first(x_BTC, mask_BT), mask_BT, self.span)
        coarse_BPD, mask_BP = pool_steps(self.second(fine_BFH, mask_BF), mask_BF, self.rest)
        return Tokens(coarse_BPD + self.position[: coarse_BPD.shape[1]].flip(0), mask_BP)
