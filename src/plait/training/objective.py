"""What a step makes smaller."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import nn

from plait.contracts import Head
from plait.network import Network

__all__ = ["HeadLoss", "Objective", "Tensors"]

Tensors: TypeAlias = Mapping[str, Mapping[str, torch.Tensor]]


class Objective(nn.Module):
    """A loss of a mini-batch, with parameters of its own where it needs them.

    `told` holds figures of the last mini-batch by name, for those who watch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, float] = {}

    @abstractmethod
    def forward(self, network: Network, tensors: Tensors, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The mean loss of the rows, a scalar; rows of weight 0 add nothing to it but count in the mean."""


class HeadLoss(Objective):
    """The head's own loss of the network's scores."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, network: Network, tensors: Tensors, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return self.head.loss(network(tensors), targets, weight)
