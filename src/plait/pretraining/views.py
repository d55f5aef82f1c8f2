"""What a base says of rows: their pooled vectors, and where their sources meet."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from plait.network import Network, applied, batched

if TYPE_CHECKING:
    from plait.contracts import Batch

__all__ = ["Views", "alone", "seen"]


class Views(nn.Module):
    """The head of a base: the pooled vector as it is, and a projection of it for each source by itself.

    Projections are where sources meet: vectors of one row lie close together (Radford et al., "CLIP", 2021, section
    2.3). `scale` is the logarithm of what cosines are multiplied by.
    """

    def __init__(self, sources: int, width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(width, width) for _ in range(sources))
        self.scale = nn.Parameter(torch.tensor(log(10.0)))

    def forward(self, tokens_BTD: torch.Tensor, mask_BT: torch.Tensor, pooled_BD: torch.Tensor) -> torch.Tensor:
        return pooled_BD

    def module(self, width: int) -> Views:
        """Itself: it was made for this width."""
        return self

    def of(self, source: int, pooled_BD: torch.Tensor) -> torch.Tensor:
        """Unit vectors of one source, from what the body pooled of it alone."""
        return F.normalize(self.project[source](pooled_BD), dim=1)


def seen(network: Network, values_BTD: torch.Tensor, mask_BT: torch.Tensor, source: int) -> torch.Tensor:
    """What the body pools of one source's tokens; of the others it is given none, which costs nothing."""
    own = [i == source for i in range(len(network.places))]
    values = [values_BTD if here else values_BTD[:, :0] for here in own]
    pooled_BD: torch.Tensor = network.body(values, [mask_BT if here else mask_BT[:, :0] for here in own])[2]
    return pooled_BD


def alone(network: Network, inputs: Batch, source: str, batch_size: int = 512) -> npt.NDArray[np.float32]:
    """Unit vectors of one source of ``N`` rows: float32 ``N x D``, NaN where it is absent."""
    place, views = list(network.places).index(source), network.head
    assert isinstance(views, Views)
    encoder = network.encoder(source)
    out = np.full((len(inputs), network.source.shape[1]), np.nan, np.float32)
    with torch.inference_mode(), applied(network, len(inputs)):
        for rows, part in batched({source: inputs}, batch_size):
            tokens = encoder(encoder.collate(part[source]))
            pooled_BD = seen(network, tokens.values_BTD + network.source[place], tokens.mask_BT, place)
            there_B = tokens.mask_BT.any(dim=1).numpy()
            out[rows[there_B]] = views.of(place, pooled_BD).numpy()[there_B]
    return out
