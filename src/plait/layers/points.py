"""Points of a surface to tokens."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Form, Whole
from plait.layers.reading import Reading
from plait.layers.seeded import uniform

__all__ = ["PointNetTokens", "PointTokens"]

CHANNELS = 8  # place, normal, distance from the vertical axis, and how far the normal points away from it


class _Cloud(Reading):
    """What encoders of points share: their inputs, augmentation, and a token of numbers.

    Parameters
    ----------
    width
        ``D``.
    numbers
        ``F`` numbers of a whole row, which become a token of their own.
    tokens
        Tokens of the points.
    turn
        Rotate about the vertical axis by any angle while training.
    points
        From points ``B x P x CHANNELS`` to tokens ``B x T x D``.
    """

    jitter = 0.01  # of the longest side of the box
    dropped = 0.25  # share of the points that a row lacks while training
    stretch = 0.1  # by how much each axis is stretched or pressed while training

    def __init__(self, width: int, numbers: int, tokens: int, turn: bool, points: nn.Module) -> None:
        super().__init__()
        self.turn = turn
        self.tokens = tokens
        self.points = points
        self.whole = nn.Sequential(nn.Linear(numbers, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    @property
    def form(self) -> Form:
        return Whole(("points", "numbers"))

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        x_BPC = tensors["points"]
        if self.training:
            x_BPC = self.augmented(x_BPC)
        place, normal = x_BPC[..., :2], x_BPC[..., 3:5]
        radius = place.square().sum(dim=-1, keepdim=True).sqrt()
        outward = (place * normal).sum(dim=-1, keepdim=True) / radius.clamp(min=1e-6)
        values_BTD = self.points(torch.cat([x_BPC, radius, outward], dim=-1))
        values_BTD = torch.cat([values_BTD, self.whole(tensors["numbers"])[:, None]], dim=1)
        mask_BT = tensors["present"][:, None].expand(-1, self.tokens + 1)
        return Tokens(values_BTD, mask_BT)

    def augmented(self, x_BPC: torch.Tensor) -> torch.Tensor:
        """Fewer points, stretched and moved a little, and with `turn` rotated about the vertical axis."""
        rows, count, _ = x_BPC.shape
        kept = max(1, round(count * (1 - self.dropped)))
        chosen = uniform(x_BPC, rows, count).argsort(dim=1)[:, :kept]
        x_BPC = x_BPC.gather(1, chosen[:, :, None].expand(-1, -1, x_BPC.shape[2]))
        place, normal = x_BPC[..., :3], x_BPC[..., 3:]
        place = place + self.jitter * torch.randn_like(place)
        if self.turn:
            angle = 2 * pi * uniform(x_BPC, rows)
            cos, sin, zero = angle.cos(), angle.sin(), angle.new_zeros(rows)
            turn = torch.stack([cos, sin, zero, -sin, cos, zero, zero, zero, zero + 1], dim=1).view(rows, 3, 3)
            place, normal = place @ turn, normal @ turn
        scale = 1 + self.stretch * (uniform(x_BPC, rows, 1, 3) * 2 - 1)
        # What a surface faces changes by the inverse of what stretches it.
        place, normal = place * scale, nn.functional.normalize(normal / scale, dim=-1, eps=1e-6)
        return torch.cat([place, normal], dim=-1)


class PointTokens(_Cloud):
    """Points that attend to each other through a few induced ones, pooled by learned queries and by their maximum.

    Lee et al., "Set Transformer", 2019: ``x = ISAB_m(rFF(points))``, an induced set attention block (equations 9 and
    10). Half of the tokens are ``PMA(x)``, pooling by multihead attention (equation 11): what most points are like. The
    others are ``max_p h_t(rFF(points))`` as in `PointNetTokens`: what any point is like. Blocks are pre-normed; the
    order of points says nothing.

    Parameters
    ----------
    width, numbers, turn
        ``D``, numbers of the whole row, and whether to rotate about the vertical axis while training.
    tokens
        ``T``, at least 2.
    induced
        ``m``.
    heads
        Of attention.
    """

    def __init__(
        self, width: int, numbers: int, tokens: int = 8, turn: bool = True, induced: int = 16, heads: int = 4
    ) -> None:
        super().__init__(width, numbers, tokens, turn, _InducedSet(width, tokens, induced, heads))


class _InducedSet(nn.Module):
    def __init__(self, width: int, tokens: int, induced: int, heads: int) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(CHANNELS, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU())
        self.narrow = nn.Linear(128, width)
        self.inducing = nn.Parameter(torch.randn(induced, width) * width**-0.5)
        self.queries = nn.Parameter(torch.randn(tokens - tokens // 2, width) * width**-0.5)
        self.gather, self.spread, self.pool = (_Block(width, heads) for _ in range(3))
        self.largest = _Largest(128, width, tokens // 2)

    def forward(self, x_BPC: torch.Tensor) -> torch.Tensor:
        x_BPE = self.each(x_BPC)
        x_BPD = self.narrow(x_BPE)
        rows = x_BPD.shape[0]
        held_BMD = self.gather(self.inducing.expand(rows, -1, -1), x_BPD)
        x_BPD = self.spread(x_BPD, held_BMD)
        pooled_BTD = self.pool(self.queries.expand(rows, -1, -1), x_BPD)
        return torch.cat([pooled_BTD, self.largest(x_BPE)], dim=1)


class _Largest(nn.Module):
    """The largest answer of any point, channel by channel, in as many groups as tokens."""

    def __init__(self, inside: int, width: int, tokens: int) -> None:
        super().__init__()
        self.answer = nn.Linear(inside, tokens * width)
        self.norm = nn.LayerNorm(width)
        self.tokens, self.width = tokens, width

    def forward(self, x_BPE: torch.Tensor) -> torch.Tensor:
        largest_BF = self.answer(x_BPE).amax(dim=1)
        tokens_BTD: torch.Tensor = self.norm(largest_BF.view(largest_BF.shape[0], self.tokens, self.width))
        return tokens_BTD


class _Block(nn.Module):
    """Multihead attention: ``h = q + attention(q, x)``, then ``h + rFF(h)`` (Lee et al., 2019, equations 6 and 7)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.asked, self.held, self.told = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, q_BQD: torch.Tensor, x_BPD: torch.Tensor) -> torch.Tensor:
        x_BPD = self.held(x_BPD)
        h_BQD = q_BQD + self.attention(self.asked(q_BQD), x_BPD, x_BPD, need_weights=False)[0]
        fed: torch.Tensor = h_BQD + self.feed(self.told(h_BQD))
        return fed


class PointNetTokens(_Cloud):
    """The largest answer of any point, channel by channel (Qi et al., "PointNet", 2017, equation 1).

    Token ``t`` is ``max_p h_t(x_p)`` with a shared network ``h`` over each point alone; alignment networks are left
    out, since the vertical is known and the rest is learned from turned copies.

    Parameters
    ----------
    width, numbers, tokens, turn
        ``D``, numbers of the whole row, ``T``, and whether to rotate about the vertical axis while training.
    """

    def __init__(self, width: int, numbers: int, tokens: int = 4, turn: bool = True) -> None:
        each = nn.Sequential(nn.Linear(CHANNELS, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU())
        super().__init__(width, numbers, tokens, turn, nn.Sequential(each, _Largest(128, width, tokens)))
