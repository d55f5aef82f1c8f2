"""Stripes of a flag to tokens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from plait.contracts import Batch, Tokens
from plait.layers.padding import pad, ragged

__all__ = ["StripeTokens"]


class StripeTokens(nn.Module):
    """A token a stripe: its colour, and its place from the top.

    Parameters
    ----------
    width
        ``D``.
    most
        Stripes of a flag.
    """

    def __init__(self, width: int, most: int) -> None:
        super().__init__()
        self.most = most
        self.colour = nn.Linear(3, width)
        self.place = nn.Parameter(torch.randn(most, width) * width**-0.5)

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Read ``stripes``, a `Ragged` of float32 ``T x 3``."""
        stripes, mask = pad(ragged(inputs, "stripes"), inputs.present, self.most)
        present = torch.from_numpy(np.asarray(inputs.present, bool))
        return {"stripes": torch.from_numpy(stripes), "mask": torch.from_numpy(mask), "present": present}

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        values_BTD = self.colour(tensors["stripes"]) + self.place[: tensors["stripes"].shape[1]]
        return Tokens(values_BTD, tensors["mask"])
