"""An entity and its links to tokens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Form, Links
from plait.layers.reading import Reading

__all__ = ["NeighbourTokens"]


class NeighbourTokens(Reading):
    """One token of the entity, and `tokens` more in which it asks about its links.

    Learned questions attend to the links (Lee et al., "Set Transformer", 2019, section 3.2: pooling by multi-head
    attention), so that a hub costs the body no more than a newcomer. The entity itself is among what is attended to: a
    row without links has an answer, too. Links are embedded by a layer of two steps with their kind's embedding added,
    as messages are (Gilmer et al., "Neural Message Passing", 2017, equation 1).

    Parameters
    ----------
    width
        ``D``.
    own, features
        Numbers of an entity and of a link; 0 allowed.
    kinds
        Codes of a link's kind.
    tokens
        Questions.
    limit
        Links of a row that are read: the last ones.
    """

    def __init__(self, width: int, own: int, features: int, kinds: int, tokens: int = 8, limit: int = 24) -> None:
        super().__init__()
        self.limit = limit
        self.heads = next(heads for heads in (4, 2, 1) if width % heads == 0)
        self.entity = nn.Sequential(nn.Linear(own + 1, width), nn.GELU(), nn.Linear(width, width))
        self.link = nn.Linear(features + 1, width)
        self.kind = nn.Embedding(kinds, width)
        self.message = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)
        self.question = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.ask = nn.Linear(width, width)
        self.answer = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    @property
    def form(self) -> Form:
        return Links(self.limit)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        own_BF, links_BTE, there_BT = tensors["own"], tensors["links"], tensors["there"]
        rows = own_BF.shape[0]
        one_B1 = own_BF.new_ones(rows, 1)
        entity_B1D = self.entity(torch.cat([own_BF, one_B1], dim=1))[:, None]
        flags_BT1 = there_BT[..., None].to(links_BTE.dtype)
        links_BTD = self.message(self.link(torch.cat([links_BTE, flags_BT1], dim=-1)) + self.kind(tensors["kinds"]))
        known_BSD = self.norm(torch.cat([entity_B1D, links_BTD], dim=1))
        seen_BS = torch.cat([one_B1.bool(), there_BT], dim=1)
        query_BQD = self.ask(self.question + entity_B1D)
        key_BSD, value_BSD = self.answer(known_BSD).chunk(2, dim=-1)
        query, key, value = self._split(query_BQD), self._split(key_BSD), self._split(value_BSD)
        pooled_BHQd = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen_BS[:, None, None])
        pooled_BQD = self.question + self.out(pooled_BHQd.transpose(1, 2).flatten(2))
        tokens_BTD = torch.cat([entity_B1D, pooled_BQD], dim=1)
        return Tokens(tokens_BTD, tensors["present"][:, None].expand(-1, tokens_BTD.shape[1]))

    def _split(self, x_BSD: torch.Tensor) -> torch.Tensor:
        rows, count, width = x_BSD.shape
        return x_BSD.reshape(rows, count, self.heads, width // self.heads).transpose(1, 2)
