"""Subwords to tokens."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import ClassVar

import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Form, Ids
from plait.layers.pooling import AttentionPooling
from plait.layers.reading import Reading
from plait.layers.reconstruction import SubwordsAgain
from plait.layers.recurrent import Cell, Recurrence
from plait.layers.seeded import uniform

__all__ = ["SubwordGRU", "SubwordLSTM", "SubwordTokens"]


class SubwordTokens(Reading):
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

    @property
    def form(self) -> Form:
        return Ids(self.max_tokens, self.stride)

    def reconstruction(self) -> SubwordsAgain:
        vocabulary, width = self.embedding.weight.shape
        return SubwordsAgain(width, vocabulary)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        ids_BT = tensors["ids"]
        if self.training and self.dropout:
            ids_BT = ids_BT * (uniform(ids_BT, *ids_BT.shape) >= self.dropout)
        rows, merged = ids_BT.shape[0], ids_BT.shape[1] // self.stride
        there_BUS = (ids_BT > 0).view(rows, merged, self.stride)
        e_BUSD = self.embedding(ids_BT.view(rows, merged, self.stride))
        count_BU = there_BUS.sum(dim=2)
        mean_BUD = e_BUSD.sum(dim=2) / count_BU.clamp(min=1)[..., None]
        values_BUD = mean_BUD + self.merge(e_BUSD.flatten(2)) + self.position[:merged]
        return Tokens(values_BUD, (count_BU > 0) & tensors["present"][:, None])


class SubwordGRU(Reading):
    """Gated recurrent units over subword embeddings, both ways, as two tokens.

    The first is softmax attention over the states of all subwords (the word level of hierarchical attention networks:
    Yang et al., 2016, section 2.2), the second what either direction ends with. In training whole subwords are dropped,
    as in `SubwordTokens`.

    Parameters
    ----------
    width
        ``D``, even.
    vocabulary
        Number of subwords; id 0 is padding.
    max_tokens
        Subwords read of a cell: its first ones.
    dropout
        Share of them dropped in training.
    """

    cell: ClassVar[Cell] = "gru"

    def __init__(self, width: int, vocabulary: int, max_tokens: int, *, dropout: float = 0.15) -> None:
        super().__init__()
        self.max_tokens = max_tokens
        self.dropout = dropout
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.recurrence = Recurrence(width, width, self.cell, both_ways=True)
        self.pool = AttentionPooling(width)

    @property
    def form(self) -> Form:
        return Ids(self.max_tokens, 1)

    def reconstruction(self) -> SubwordsAgain:
        vocabulary, width = self.embedding.weight.shape
        return SubwordsAgain(width, vocabulary)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        ids_BT = tensors["ids"]
        if self.training and self.dropout:
            ids_BT = ids_BT * (uniform(ids_BT, *ids_BT.shape) >= self.dropout)
        mask_BT = ids_BT > 0
        states_BTD = self.recurrence(self.embedding(ids_BT), mask_BT)
        place_T = torch.arange(1, ids_BT.shape[1] + 1, device=ids_BT.device)
        last_B = (mask_BT * place_T).argmax(dim=1)
        first_B = (mask_BT * place_T.flip(0)).argmax(dim=1)
        row_B, half = torch.arange(ids_BT.shape[0], device=ids_BT.device), states_BTD.shape[2] // 2
        ends_BD = torch.cat([states_BTD[row_B, last_B, :half], states_BTD[row_B, first_B, half:]], dim=1)
        there_B1 = mask_BT.any(dim=1, keepdim=True) & tensors["present"][:, None]
        values_BTD = torch.stack([self.pool(states_BTD, mask_BT), ends_BD], dim=1)
        return Tokens(values_BTD, there_B1.expand(-1, 2))


class SubwordLSTM(SubwordGRU):
    """The same with long short-term memory (`plait.layers.recurrent.Recurrence`)."""

    cell: ClassVar[Cell] = "lstm"
