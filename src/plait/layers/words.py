"""Bags of words to tokens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from plait.contracts import Tokens
from plait.layers.forms import Bags, Form
from plait.layers.reading import Reading
from plait.layers.seeded import uniform

__all__ = ["WordTokens"]


class WordTokens(Reading):
    """The weighted sum of the embeddings of all words, cut into a few tokens.

    With ``e_i`` (of ``K D`` numbers) the embedding of word ``i`` of a text and ``w_i`` its weight,

        ``[t_1; ...; t_K] = sum_i w_i e_i / sqrt(sum_i w_i^2)``, token ``k`` being ``t_k + p_k``:

    the averaged embeddings of Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017, section 2.1, but
    for the scale, which here does not shrink with the length of the text. In training words are left out at random
    (Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods", 2015, section 3.1).

    Parameters
    ----------
    width
        ``D``.
    vocabulary
        Number of words.
    tokens
        ``K``.
    dropout
        Share of a text's words left out in training.
    """

    def __init__(self, width: int, vocabulary: int, *, tokens: int = 2, dropout: float = 0.15) -> None:
        super().__init__()
        self.tokens = tokens
        self.dropout = dropout
        self.embedding = nn.Embedding(vocabulary, tokens * width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.position = nn.Parameter(torch.randn(tokens, width) * width**-0.5)

    @property
    def form(self) -> Form:
        return Bags()

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        ids, weights, starts_B, present_B = (tensors[name] for name in ("ids", "weights", "starts", "present"))
        if self.training and self.dropout:
            weights = weights * (uniform(weights, *weights.shape) >= self.dropout)
        sum_BX = F.embedding_bag(ids, self.embedding.weight, starts_B, mode="sum", per_sample_weights=weights)
        squares = torch.cat([weights.new_zeros(1), weights.square().cumsum(0, dtype=torch.float64)])
        ends_B = torch.cat([starts_B[1:], starts_B.new_full((1,), ids.shape[0])])[: starts_B.shape[0]]
        norm_B1 = (squares[ends_B] - squares[starts_B]).clamp(min=1e-12).sqrt().to(sum_BX.dtype)[:, None]
        values_BTD = (sum_BX / norm_B1).view(present_B.shape[0], *self.position.shape) + self.position
        return Tokens(values_BTD, present_B[:, None].expand(-1, self.tokens))
