"""Numbers and categories to tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, pi

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Cells, Form
from plait.layers.reading import Reading
from plait.layers.reconstruction import CellsAgain

__all__ = ["ColumnTokens"]


class ColumnTokens(Reading):
    """The feature tokenizer of FT-Transformer with periodic embeddings of numbers.

    A category's token is ``b_j + E_j[code]`` (Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data",
    2021, section 3.3). A number's is ``b_j + W_j [x; sin(2 pi c_j x); cos(2 pi c_j x)]`` with trained frequencies
    ``c_j``, started from N(0, `sigma`) (Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep
    Learning", 2022, section 3.3, with the number itself kept beside).

    A missing cell has no token: it is masked. That it is missing may tell something all the same, so one further token,
    there in every present row, is ``a + sum of m_j over the missing columns j``.

    Above `limit` columns, neighbours share a token: column ``j`` of ``C`` goes to group ``j // ceil(C / limit)``, whose
    token is the mean over its cells that are there.

    Parameters
    ----------
    width
        ``D``.
    numbers
        Number columns, ``C1``. They are expected on a scale of about one.
    levels
        Size of each category column's code table (``C2`` of them), codes 0 (missing) and 1 (rare or unknown) included.
    """

    starts: torch.Tensor

    def __init__(
        self,
        width: int,
        numbers: int,
        levels: Sequence[int],
        *,
        frequencies: int = 8,
        sigma: float = 0.1,
        limit: int = 48,
    ) -> None:
        super().__init__()
        self.numbers, self.levels = numbers, tuple(levels)
        columns = numbers + len(levels)
        self.group = max(1, ceil(columns / limit))
        scale = width**-0.5
        self.frequency = nn.Parameter(torch.randn(numbers, frequencies) * sigma)
        self.weight = nn.Parameter(torch.empty(numbers, 1 + 2 * frequencies, width).uniform_(-scale, scale))
        self.bias = nn.Parameter(torch.randn(columns, width) * scale)
        self.level = nn.Embedding(max(1, sum(levels)), width)
        nn.init.normal_(self.level.weight, std=scale)
        self.missing = nn.Linear(columns, width)
        nn.init.normal_(self.missing.weight, std=scale)
        starts = np.cumsum([0, *levels])[:-1].astype(np.int64)
        self.register_buffer("starts", torch.from_numpy(starts), persistent=False)

    @property
    def token_columns(self) -> npt.NDArray[np.int64]:
        """The column of each token, as `plait.contracts.ByColumn` has it: -1 for the first, and for shared ones."""
        alone = np.arange(len(self.bias)) if self.group == 1 else np.full(ceil(len(self.bias) / self.group), -1)
        return np.concatenate([[-1], alone]).astype(np.int64)

    @property
    def form(self) -> Form:
        return Cells()

    def reconstruction(self) -> CellsAgain:
        return CellsAgain(self.level.embedding_dim, self.numbers, self.levels)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        there_BC, present_B = tensors["there"], tensors["present"]
        x_BC = torch.where(there_BC[:, : self.numbers], tensors["numbers"], 0.0)
        wave_BCF = 2 * pi * self.frequency * x_BC[..., None]
        basis_CBF = torch.cat([x_BC[..., None], wave_BCF.sin(), wave_BCF.cos()], dim=-1).transpose(0, 1)
        numbers_BCD = torch.bmm(basis_CBF, self.weight).transpose(0, 1)
        levels_BCD = self.level(tensors["codes"] + self.starts)
        cells_BCD = torch.cat([numbers_BCD, levels_BCD], dim=1) + self.bias
        missing_B1D = self.missing((~there_BC).to(cells_BCD.dtype))[:, None]
        if self.group > 1:
            cells_BCD, there_BC = self._grouped(cells_BCD, there_BC)
        values_BTD = torch.cat([missing_B1D, cells_BCD], dim=1)
        return Tokens(values_BTD, torch.cat([present_B[:, None], there_BC], dim=1))

    def _grouped(self, cells_BCD: torch.Tensor, there_BC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Means over groups of neighbouring columns; a group is there if one of its cells is."""
        rows, columns, width = cells_BCD.shape
        groups = ceil(columns / self.group)
        spare = groups * self.group - columns
        cells_BCD = nn.functional.pad(cells_BCD * there_BC[..., None], (0, 0, 0, spare))
        sum_BGD = cells_BCD.view(rows, groups, self.group, width).sum(dim=2)
        count_BG = nn.functional.pad(there_BC, (0, spare)).view(rows, groups, self.group).sum(dim=2)
        return sum_BGD / count_BG.clamp(min=1)[..., None], count_BG > 0
