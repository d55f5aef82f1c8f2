"""Subwords to tokens."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np
import torch
from torch import nn

from plait.contracts import Batch, Tokens
from plait.layers.padding import pad, ragged

__all__ = ["SubwordTokens"]


class SubwordTokens(nn.Module):
    """Subword embeddings, merged by a strided convolution so that the body reads at most `tokens` of them.

    With ``e_t`` the embedding of subword ``t`` (zero where there is none) and ``s`` the stride, token ``u`` is

        ``p_u + mean_k e_(us+k) + sum_k W_k e_(us+k)``,   ``k = 0 .. s - 1``,

    the mean taken over the subwords that are there: patch merging (Liu et al., "Swin Transformer", 2021, section 3.1)
    on a line instead of a plane, with a residual average. In training whole subwords are dropped (Iyyer et al.,
    "Deep Unordered Composition Rivals Syntactic Methods", 2015, section 3.1).

    Parameters
    ----------
    width
        ``D``.
    vocabulary
        Number of subwords; id 0 is padding.
    max_tokens
        Subwords read of a cell: its first ones.
    tokens
        The most tokens given to the body; the stride is ``ceil(max_tokens / tokens)``.
    """

    def __init__(
        self, width: int, vocabulary: int, max_tokens: int, *, tokens: int = 24, dropout: float = 0.15
    ) -> None:
        super().__init__()
        self.max_tokens = max_tokens
        self.stride = ceil(max_tokens / tokens)
        self.dropout = dropout
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.merge = nn.Linear(self.stride * width, width, bias=False)
        self.position = nn.Parameter(torch.randn(ceil(max_tokens / self.stride), width) * width**-0.5)
        with torch.no_grad():
            self.embedding.weight[0] = 0.0

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Read ``ids``, a `Ragged` of int32."""
        ids_BT, _ = pad(ragged(inputs, "ids"), inputs.present, self.max_tokens, self.stride)
        return {
            "ids": torch.from_numpy(ids_BT.astype(np.int64)),
            "present": torch.from_numpy(np.asarray(inputs.present, bool)),
        }

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        ids_BT = tensors["ids"]
        if self.training and self.dropout:
            ids_BT = ids_BT * (torch.rand(ids_BT.shape) >= self.dropout)
        rows, merged = len(ids_BT), ids_BT.shape[1] // self.stride
        there_BUS = (ids_BT > 0).view(rows, merged, self.stride)
        e_BUSD = self.embedding(ids_BT.view(rows, merged, self.stride))
        count_BU = there_BUS.sum(dim=2)
        mean_BUD = e_BUSD.sum(dim=2) / count_BU.clamp(min=1)[..., None]
        values_BUD = mean_BUD + self.merge(e_BUSD.flatten(2)) + self.position[:merged]
        return Tokens(values_BUD, (count_BU > 0) & tensors["present"][:, None])
