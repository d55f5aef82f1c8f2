"""What keeps a strong source from starving the others."""

from __future__ import annotations

from typing import Protocol

from plait.network import Network
from plait.training.feed import Mini
from plait.training.objective import Objective

__all__ = ["Balance"]


class Balance(Protocol):
    """Changes gradients after a backward pass. What it remembers is JSON, so that a training can go on."""

    def gradients(self, network: Network, objective: Objective, mini: Mini) -> dict[str, float]:
        """Change the gradients of the network in place; figures by name, for those who watch."""

    def state(self) -> dict[str, float]: ...

    def restore(self, state: dict[str, float]) -> None: ...
