"""Processes that train one network together: each reads its share of every mini-batch, and gradients are averaged.

Under `torchrun`, or wherever a process group stands already, the processes are a team; else one works alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import nn

from plait.training.feed import Mini

__all__ = ["Team"]


class Team:
    """A process and those it trains with. Alone, everything here is the identity."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank, self.size = rank, size
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @classmethod
    def current(cls) -> Team:
        """The team of this process."""
        from torch import distributed

        if not distributed.is_available():
            return cls()
        if not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if not distributed.is_initialized():
            return cls()
        device = None
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        return cls(distributed.get_rank(), distributed.get_world_size(), device)

    @property
    def leads(self) -> bool:
        """Whether this process writes what is written."""
        return self.rank == 0

    def shared(self, step: nn.Module) -> nn.Module:
        """The module whose forward gives the loss, with gradients averaged over the team on the way back."""
        if self.size == 1:
            return step
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(step, find_unused_parameters=True)

    @contextmanager
    def unshared(self, step: nn.Module) -> Iterator[None]:
        """Gradients are gathered here and not averaged yet."""
        with step.no_sync() if hasattr(step, "no_sync") else nullcontext():  # type: ignore[operator]
            yield

    def share(self, mini: Mini) -> tuple[Mini, float]:
        """This process's rows of a mini-batch, and what its mean loss counts so that the team's mean is that of all."""
        if self.size == 1:
            return mini, 1.0
        own = np.arange(self.rank, len(mini), self.size)
        if not len(own):  # it takes part in the averaging all the same
            return mini.take(np.zeros(1, np.int64)).without_weight(), 0.0
        return mini.take(own), len(own) * self.size / len(mini)

    def mean(self, value: float) -> float:
        """The mean of a number over the team."""
        if self.size == 1:
            return value
        from torch import distributed

        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return float(tensor.item()) / self.size
