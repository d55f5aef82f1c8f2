"""Number sequences to tokens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Form, Steps
from plait.layers.reading import Reading
from plait.layers.reconstruction import StepsAgain

__all__ = ["PatchTokens"]


class PatchTokens(Reading):
    """Patches of neighbouring steps as tokens (Nie et al., "A Time Series is Worth 64 Words", 2023, section 3.1).

    Token ``p``, counted back from the most recent patch, is ``W [x_p; m_p] + b + e_p``: ``x_p`` holds the patch's steps
    of all channels (PatchTST keeps channels apart; here they share a token, so that several cost no more than one),
    ``m_p`` says which steps are there, since the oldest patch may be filled in part. Scaling is the room's business.

    Parameters
    ----------
    width
        ``D``.
    channels
        ``C``.
    patch
        Steps a patch.
    max_patches
        The most recent patches kept.
    """

    def __init__(self, width: int, channels: int, patch: int, max_patches: int) -> None:
        super().__init__()
        self.channels = channels
        self.patch = patch
        self.max_patches = max_patches
        self.project = nn.Linear(patch * (channels + 1), width)
        self.position = nn.Parameter(torch.randn(max_patches, width) * width**-0.5)

    @property
    def form(self) -> Form:
        return Steps(self.patch * self.max_patches, self.patch, self.channels)

    def reconstruction(self) -> StepsAgain:
        return StepsAgain(self.position.shape[1], self.channels, self.patch, self.max_patches)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        x_BTC, there_BT = tensors["values"], tensors["there"]
        rows = x_BTC.shape[0]
        patches = x_BTC.shape[1] // self.patch
        x_BPF = x_BTC.reshape(rows, patches, self.patch * self.channels)
        there_BPS = there_BT.view(rows, patches, self.patch)
        values_BPD = self.project(torch.cat([x_BPF, there_BPS.to(x_BPF.dtype)], dim=-1))
        values_BPD = values_BPD + self.position[:patches].flip(0)
        return Tokens(values_BPD, there_BPS.any(dim=2))
