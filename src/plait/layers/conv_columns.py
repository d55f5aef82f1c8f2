"""Columns in their order to tokens, by convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.conv1d import Convolution, pool_steps
from plait.layers.forms import Cells, Form
from plait.layers.reading import Reading

__all__ = ["ConvColumns"]


class ConvColumns(Reading):
    """Two convolutions with max pooling along the columns of a table (`plait.layers.conv1d.Convolution`).

    Worth trying where neighbouring columns are of a kind: months, maturities, bands of a spectrum. Step ``j`` is
    ``[x_j; m_j]``: the standardised number, or a trained number a level of a category, zero where the cell is missing;
    and whether it is there. Numbers come first, then categories, each in the order of the schema.

    Parameters
    ----------
    width
        ``D``.
    numbers
        Number columns, ``C1``.
    levels
        Size of each category column's code table (``C2`` of them).
    tokens
        The most tokens a row.
    kernel
        Columns that each convolution sees, odd.
    """

    starts: torch.Tensor

    def __init__(self, width: int, numbers: int, levels: Sequence[int], *, tokens: int = 8, kernel: int = 3) -> None:
        super().__init__()
        columns = numbers + len(levels)
        self.numbers = numbers
        self.rest = max(1, ceil(ceil(columns / 2) / tokens))  # steps behind the first pooling that share a token
        self.steps = 2 * self.rest * max(1, ceil(columns / (2 * self.rest)))
        self.level = nn.Embedding(max(1, sum(levels)), 1)
        self.first = Convolution(2, width // 2, kernel)
        self.second = Convolution(width // 2, width, kernel)
        self.position = nn.Parameter(torch.randn(self.steps // (2 * self.rest), width) * width**-0.5)
        self.register_buffer(
            "starts", torch.from_numpy(np.cumsum([0, *levels])[:-1].astype(np.int64)), persistent=False
        )

    @property
    def form(self) -> Form:
        return Cells()

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        there_BC, present_B = tensors["there"], tensors["present"]
        levels_BC = self.level(tensors["codes"] + self.starts)[..., 0]
        cells_BC = torch.where(there_BC, torch.cat([tensors["numbers"], levels_BC], dim=1), 0.0)
        x_BC2 = torch.stack([cells_BC, there_BC.to(cells_BC.dtype)], dim=2)
        x_BT2 = nn.functional.pad(x_BC2, (0, 0, 0, self.steps - x_BC2.shape[1]))
        mask_BT = present_B[:, None].expand(-1, self.steps)
        x_BFH, mask_BF = pool_steps(self.first(x_BT2, mask_BT), mask_BT, 2)
        values_BPD, mask_BP = pool_steps(self.second(x_BFH, mask_BF), mask_BF, self.rest)
        return Tokens(values_BPD + self.position, mask_BP)
