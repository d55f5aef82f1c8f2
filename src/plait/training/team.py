"""Processes that train one network together: each reads its share of every mini-batch, and gradients are averaged.

Under `torchrun`, or wherever a process group stands already, the processes are a team; else one works alone. All run
the same program on the same rows: rooms and classical parts are fitted by each, networks by all together. What decides
how it goes on (a judge's loss, a deadline, a checkpoint that is due) is the leader's word.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from datetime import timedelta
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import distributed, nn

from plait.contracts import Keep, State
from plait.errors import ConfigError, PlaitError
from plait.threads import together
from plait.training.feed import Mini
from plait.training.private import Noise
from plait.training.sharding import shard

__all__ = ["PATIENCE", "Team"]

PATIENCE = "PLAIT_TEAM_TIMEOUT"  # seconds to wait for the others, by environment
Step = TypeVar("Step", bound=nn.Module)

LARGE = 100_000_000  # parameters from which a network is divided among the team unless said otherwise
LOST = ("gloo", "nccl", "connection", "timed out", "peer")  # what is said where a process is gone


class Team:
    """A process and those it trains with. Alone, everything here is the identity.

    `seed` is what random numbers of the training come from: each process draws of its own, known from seed and step, so
    that a training can go on from what the leader kept.
    """

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None, seed: int = 0) -> None:
        self.rank, self.size, self.seed = rank, size, seed
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.sharded = False

    @classmethod
    def current(cls, seed: int = 0) -> Team:
        """The team of this process: gloo on processors, nccl on GPUs.

        Raises
        ------
        ConfigError
            If the environment's timeout is no number of seconds.
        PlaitError
            If the others cannot be met.
        """
        if not distributed.is_available() or not (together() or distributed.is_initialized()):
            return cls(seed=seed)
        device = None
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        if not distributed.is_initialized():
            backend = "nccl" if device else "gloo"
            try:
                distributed.init_process_group(backend, timeout=_patience())
            except (distributed.DistError, ValueError) as error:
                raise PlaitError(f"the processes of this training cannot meet: {_line(error)}") from None
            atexit.register(_disband)
        return cls(distributed.get_rank(), distributed.get_world_size(), device, seed)

    @property
    def leads(self) -> bool:
        """Whether this process writes what is written."""
        return self.rank == 0

    def own(self, step: Step, divide: bool | Literal["auto"], noise: Noise | None) -> Step:
        """The module that this process trains: `step` itself where it computes, or a copy divided among the team
        (`plait.training.sharding`), as `divide` says; ``"auto"``: from `LARGE` parameters.

        Raises
        ------
        ConfigError
            If noise is to keep a promise of privacy: it is that of one process.
        """
        if self.size == 1:
            return step.to(self.device)
        if noise is not None:
            raise ConfigError("private training runs in one process; start it without torchrun or --workers")
        large = sum(parameter.numel() for parameter in step.parameters()) >= LARGE
        self.sharded = large if divide == "auto" else divide
        if self.sharded:
            return shard(deepcopy(step), self.device)
        return step.to(self.device)

    def shared(self, step: nn.Module) -> nn.Module:
        """The module whose forward gives the loss, with gradients averaged over the team on the way back.

        Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020.
        """
        if self.size == 1 or self.sharded:
            return step
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(step, find_unused_parameters=True)

    @contextmanager
    def unshared(self, step: nn.Module) -> Iterator[None]:
        """Gradients are gathered here and not averaged yet."""
        if not self.sharded:
            with step.no_sync() if hasattr(step, "no_sync") else nullcontext():  # type: ignore[operator]
                yield
            return
        step.set_requires_gradient_sync(False)  # type: ignore[operator]
        yield
        step.set_requires_gradient_sync(True)  # type: ignore[operator]

    @contextmanager
    def opened(self, step: nn.Module) -> Iterator[None]:
        """What of a divided module lies in none of its layers is whole here, so that its parts can be applied."""
        if not self.sharded:
            yield
            return
        step.unshard()  # type: ignore[operator]
        yield
        step.reshard()  # type: ignore[operator]

    def share(self, mini: Mini) -> tuple[Mini, float]:
        """This process's rows of a mini-batch, and what its mean loss counts so that the team's mean is that of all."""
        if self.size == 1:
            return mini, 1.0
        own = np.arange(self.rank, len(mini), self.size)
        if not len(own):  # it takes part in the averaging all the same
            return mini.take(np.zeros(1, np.int64)).without_weight(), 0.0
        return mini.take(own), len(own) * self.size / len(mini)

    def draws(self, step: int) -> None:
        """Random numbers of a step; alone, they simply go on."""
        if self.size > 1:
            made = np.random.SeedSequence([self.seed, step, self.rank]).generate_state(1, np.uint64)
            torch.manual_seed(int(made[0] >> np.uint64(1)))

    def written(self, state: State, keep: Keep) -> None:
        """The leader keeps a state, which all have put together."""
        if self.leads:
            keep.write(state)

    def mean(self, value: float) -> float:
        """The mean of a number over the team; not finite where it is not on one."""
        if self.size == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return float(tensor.item()) / self.size

    def agreed(self, value: float) -> float:
        """What the leader says."""
        if self.size == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(tensor, 0)
        return float(tensor.item())

    def gathered(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Rows that each process names, all together."""
        if self.size == 1:
            return rows
        counts = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.size)]
        distributed.all_gather(counts, torch.tensor([len(rows)], device=self.device))
        most = max(int(count.item()) for count in counts)
        padded = torch.from_numpy(np.pad(rows, (0, most - len(rows)))).to(self.device)
        found = [torch.zeros_like(padded) for _ in range(self.size)]
        distributed.all_gather(found, padded)
        told = [part[: int(count.item())].cpu().numpy() for part, count in zip(found, counts, strict=True)]
        return np.concatenate(told)

    def same(self, what: str, values: Sequence[float]) -> None:
        """Check that all processes know the same.

        Raises
        ------
        PlaitError
            If one differs from the leader; all raise.
        """
        differs = float(any(self.agreed(value) != value for value in [*map(float, values)]))
        if self.mean(differs):
            raise PlaitError(
                f"the processes of this training differ in {what}; give all the same data and the same folders"
            )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A lost process is an error of one line here, after `PATIENCE` seconds at most.

        Raises
        ------
        PlaitError
            If another process of the team is gone or hangs.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not (isinstance(error, distributed.DistError) or _lost(error)):
                raise
            raise PlaitError(
                f"process {self.rank} of {self.size} lost the others of its training ({_line(error)}); see what they "
                "said, and start all of them again"
            ) from None


def _disband() -> None:
    """Leave the process group, if there is one."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _patience() -> timedelta:
    said = os.environ.get(PATIENCE, "600")
    if not said.isdigit() or not int(said):
        raise ConfigError(f"{PATIENCE}={said!r} is no number of seconds (allowed: 1, 2, ...)")
    return timedelta(seconds=int(said))


def _lost(error: Any) -> bool:
    said = str(error).lower()
    return any(word in said for word in LOST)


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:160]
