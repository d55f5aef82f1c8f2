"""Timed records with mixed columns to tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.conv1d import Convolution
from plait.layers.forms import Form, Records
from plait.layers.pooling import AttentionPooling
from plait.layers.reading import Reading
from plait.layers.recurrent import Recurrence
from plait.layers.seeded import uniform
from plait.layers.transformer import Block

__all__ = ["RecordStates", "RecordTokens", "Time2Vec"]


class Time2Vec(nn.Module):
    """``t2v(x)_0 = w_0 x + p_0``, ``t2v(x)_i = sin(w_i x + p_i)`` (Kazemi et al., "Time2Vec", 2019, equation 1).

    Frequencies start between 1/4 and 16, for times on a logarithmic scale of a few units.

    Parameters
    ----------
    size
        Values, the linear one included.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(2.0 ** torch.linspace(-2, 4, size))
        self.phase = nn.Parameter(torch.rand(size) * 2 * torch.pi)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One more dimension, of `size`."""
        wave = x[..., None] * self.frequency + self.phase
        return torch.cat([wave[..., :1], wave[..., 1:].sin()], dim=-1)


class _Records(Reading):
    """What both encoders share: the most recent records, each as the sum of its columns' embeddings and of its times.

    ``e_t = W v_t + sum_j E_j[c_tj] + V [t2v(age_t); t2v'(gap_t)]``; then a residual convolution over neighbours.
    """

    starts: torch.Tensor

    def __init__(
        self, width: int, numbers: int, levels: Sequence[int], max_records: int, frequencies: int, dropout: float
    ) -> None:
        super().__init__()
        self.max_records = max_records
        self.dropout = dropout
        self.number = nn.Linear(max(1, numbers), width)
        self.level = nn.Embedding(max(1, sum(levels)), width)
        nn.init.normal_(self.level.weight, std=width**-0.5)
        self.register_buffer(
            "starts", torch.from_numpy(np.cumsum([0, *levels])[:-1].astype(np.int64)), persistent=False
        )
        self.age, self.gap = Time2Vec(frequencies), Time2Vec(frequencies)
        self.clock = nn.Linear(2 * frequencies, width, bias=False)
        self.neighbours = Convolution(width, width, 3)
        self.norm = nn.LayerNorm(width)

    @property
    def form(self) -> Form:
        return Records(self.max_records)

    def embed(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Embedded records ``B x T x D`` and their mask; in training some are left out."""
        values_BTF, clocks_BT2, mask_BT = tensors["values"], tensors["clocks"], tensors["there"]
        if self.training and self.dropout:
            mask_BT = mask_BT & (uniform(mask_BT, *mask_BT.shape) >= self.dropout)
        if not values_BTF.shape[2]:
            values_BTF = values_BTF.new_zeros(*values_BTF.shape[:2], 1)
        levels_BTD = self.level(tensors["codes"] + self.starts).sum(dim=2)
        times = torch.cat([self.age(clocks_BT2[..., 0]), self.gap(clocks_BT2[..., 1])], dim=-1)
        x_BTD = self.number(values_BTF) + levels_BTD + self.clock(times)
        x_BTD = x_BTD + self.neighbours(x_BTD, mask_BT)
        return self.norm(x_BTD), mask_BT


class RecordTokens(_Records):
    """Records attend to each other and to a few learned tokens, which take what they need and go on to the body.

    Records are embedded by column and by time (see `Time2Vec`: how long before the row's moment, and how long after the
    record before), mixed with their neighbours by a convolution, and read by pre-norm attention layers, of which the
    last computes the learned tokens alone: pooling by attention with seed vectors (Lee et al., "Set Transformer", 2019,
    section 3.2; Jaegle et al., "Perceiver", 2021).

    Parameters
    ----------
    width
        ``D``, a multiple of `heads`.
    numbers
        Values of a record.
    levels
        Codes of each category, 0 (missing) included.
    max_records
        The most recent records read.
    tokens
        Learned tokens, all there in every present row.
    layers, heads
        Of attention.
    dropout
        Of whole records in training, and in the attention layers.
    """

    def __init__(
        self,
        width: int,
        numbers: int,
        levels: Sequence[int],
        max_records: int,
        *,
        tokens: int = 8,
        layers: int = 2,
        heads: int = 4,
        frequencies: int = 16,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(width, numbers, levels, max_records, frequencies, dropout)
        self.seeds = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        records_BTD, mask_BT = self.embed(tensors)
        rows, seeds = records_BTD.shape[0], len(self.seeds)
        x_BTD = torch.cat([self.seeds.expand(rows, -1, -1), records_BTD], dim=1)
        visible_B11T = nn.functional.pad(mask_BT, (seeds, 0), value=True)[:, None, None]
        *before, last = self.blocks
        for block in before:
            x_BTD = block(x_BTD, visible_B11T)
        return Tokens(last(x_BTD, visible_B11T, first=seeds), tensors["present"][:, None].expand(rows, seeds))


class RecordStates(_Records):
    """Records in order of time through gated recurrent units; the newest states, and attention over all of them.

    Parameters
    ----------
    width, numbers, levels, max_records, dropout
        As in `RecordTokens`.
    tokens
        The attention token (`AttentionPooling`) and the states of the most recent records.
    """

    def __init__(
        self,
        width: int,
        numbers: int,
        levels: Sequence[int],
        max_records: int,
        *,
        tokens: int = 8,
        frequencies: int = 16,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(width, numbers, levels, max_records, frequencies, dropout)
        self.tokens = tokens
        self.recurrence = Recurrence(width, width, "gru")
        self.pool = AttentionPooling(width)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        records_BTD, mask_BT = self.embed(tensors)
        states_BTD = self.recurrence(records_BTD, mask_BT)
        pooled_BD = self.pool(states_BTD, mask_BT)
        recent = slice(max(0, states_BTD.shape[1] - self.tokens + 1), None)
        mask = torch.cat([tensors["present"][:, None], mask_BT[:, recent]], dim=1)
        return Tokens(torch.cat([pooled_BD[:, None], states_BTD[:, recent]], dim=1), mask)
