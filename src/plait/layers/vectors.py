"""A vector a row to tokens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from plait.contracts import Batch, Tokens
from plait.layers.padding import dense

__all__ = ["VectorTokens"]


class VectorTokens(nn.Module):
    """A vector as a few tokens: ``reshape(W LayerNorm(x) + b)``, each of width ``D``.

    Parameters
    ----------
    width
        ``D``.
    size
        Of the vector.
    tokens
        Tokens a row.
    dropout
        Share of the vector's entries hidden in training.
    """

    def __init__(self, width: int, size: int, *, tokens: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.tokens = tokens
        self.norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(size, tokens * width)

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Read ``vector``, float32 ``N x size``."""
        return {
            "vector": torch.from_numpy(np.ascontiguousarray(dense(inputs, "vector"), dtype=np.float32)),
            "present": torch.from_numpy(np.asarray(inputs.present, bool)),
        }

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        x_BS, present_B = tensors["vector"], tensors["present"]
        values_BTD = self.project(self.dropout(self.norm(x_BS))).view(len(x_BS), self.tokens, -1)
        return Tokens(values_BTD, present_B[:, None].expand(-1, self.tokens))
