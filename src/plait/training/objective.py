"""What a step makes smaller."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from plait.contracts import Head
from plait.network import Network
from plait.training.feed import Mini

__all__ = ["HeadLoss", "Objective", "Tensors", "mean_loss"]

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


def mean_loss(network: Network, objective: Objective, mini: Mini) -> torch.Tensor:
    """The mean loss of a mini-batch, a scalar."""
    device = network.source.device
    targets, weight = (torch.from_numpy(each.astype(np.float32)).to(device) for each in (mini.targets, mini.weight))
    found: torch.Tensor = objective(network, network.collate(mini.inputs), targets, weight)
    return found
