"""The training loop, the only one: mini-batches in, the best weights out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from math import isfinite

import numpy as np
import torch
from torch import nn

from plait import registry
from plait.contracts import FORGETFUL, Keep, Progress, unheard
from plait.errors import PlaitError
from plait.layers.seeded import reproducible
from plait.network import Network
from plait.training.alone import Alone
from plait.training.averaging import averaged, blend, copied
from plait.training.balance import Balance
from plait.training.checkpoint import restored, saved
from plait.training.feed import Feed, Mini
from plait.training.groups import groups
from plait.training.history import History
from plait.training.objective import Objective, mean_loss
from plait.training.private import Noise, noisy_gradients
from plait.training.schedule import TrainConfig
from plait.training.sharding import whole
from plait.training.team import Team

__all__ = ["Training", "train"]


def train(
    network: Network,
    feed: Feed,
    objective: Objective,
    config: TrainConfig,
    *,
    judge: Callable[[Network], float] | None = None,
    alone: Alone | None = None,
    balance: Balance | None = None,
    noise: Noise | None = None,
    keep: Keep = FORGETFUL,
    report: Callable[[Progress], None] = unheard,
    seed: int = 0,
    threads: int = 1,
) -> History:
    """Train `network` in place; the same seed, rows and thread count give the same weights.

    Parameters
    ----------
    judge
        From the network to a loss on rows that it does not learn from, asked after each epoch: the weights of the best
        epoch are kept, and training ends when `config.patience` epochs were no better.
    alone
        Looks after each epoch at how far each source alone gets, for those who watch and for the feed.
    balance
        Changes gradients after each backward pass, so that no source starves the others.
    noise
        Of a private training.
    keep
        Where the training keeps where it stands. What is found there is gone on from, as if it had never stopped.

    Raises
    ------
    PlaitError
        If the loss is not finite; rows are named.
    """
    with reproducible(seed, threads):
        training = Training(network, feed, objective, config, alone=alone, balance=balance, noise=noise)
        with training.team.watched():
            stopped = training.run(judge, keep, report)
            if keep is not FORGETFUL and training.done > training.before:
                training.team.written(saved(training), keep)
            return training.finished(stopped)


class _Step(nn.Module):
    """Network and objective as one module whose output is the loss: what a team shares."""

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, mini: Mini) -> torch.Tensor:
        return mean_loss(self.network, self.objective, mini)


class Training:
    """A training between two steps: all that must be known to go on."""

    def __init__(
        self,
        network: Network,
        feed: Feed,
        objective: Objective,
        config: TrainConfig,
        *,
        alone: Alone | None = None,
        balance: Balance | None = None,
        noise: Noise | None = None,
    ) -> None:
        self.feed, self.config, self.balance, self.noise = feed, config, balance, noise
        self.team = Team.current(torch.initial_seed())
        self.given = _Step(network, objective)
        self.module = self.team.own(self.given, config.shard, noise)
        self.network, self.shared = self.module.network, self.team.shared(self.module)
        self.epochs, _ = config.sized(feed.rows)
        make = registry.make("optimisers", config.optimiser.name, config.optimiser.options)
        self.optimiser: torch.optim.Optimizer = make(groups(self.module), config.learning_rate)
        self.rate = registry.make("schedules", config.schedule.name, config.schedule.options)
        self.done, self.epoch, self.place, self.total = 0, 0, 0, 0.0
        self.before = 0  # steps of an earlier run
        self.losses: list[float] = []
        self.judged: list[float] = []
        self.looks, self.alone = alone, {} if alone is None else {s: [loss] for s, loss in alone.prior().items()}
        feed.alone = self.alone
        self.best, self.best_epoch = float("inf"), 0
        self.kept: dict[str, torch.Tensor] = {}
        self.mean = copied(self.network) if config.ema else {}
        self.told: dict[str, float] = {}

    def run(self, judge: Callable[[Network], float] | None, keep: Keep, report: Callable[[Progress], None]) -> str:
        """Train until it is over; why it is."""
        began, patience = time.monotonic(), self.config.patience or max(3, self.epochs // 3)
        if (found := keep.read()) is not None:
            restored(self, found)
        self.before = self.done
        self.team.same("where the training stands", [self.done, self.feed.rows])
        while self.epoch < self.epochs:
            if judge is not None and self.epoch - self.best_epoch >= patience:
                return "early"
            late = self.config.deadline is not None and time.monotonic() - began > self.config.deadline
            if self.epoch and self.team.agreed(late):
                return "deadline"
            for mini in self.feed.epoch(self.epoch + 1, self.epochs, self.place):
                self.total += self.step(mini) * len(mini)
                self.place += 1
                report(self._progress())
                if self.team.agreed(keep.due):
                    self.team.written(saved(self), keep)
            self._judged(judge)
            report(self._progress())
        return "finished"

    def step(self, mini: Mini) -> float:
        """One optimiser step; the mean loss of the rows before it."""
        self.network.train()
        self.team.draws(self.done)
        scale = self.rate.at(self.done, self.epochs * self.feed.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * scale * group["share"]
        self.optimiser.zero_grad()
        if self.noise is None:
            value = self._gradients(mini)
            told = {} if self.balance is None else self.balance.gradients(self.network, self.module.objective, mini)
            norm = torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip)
            told["gradient_norm"] = whole(norm).item()
        else:
            loss_of = lambda row: self._loss(mini.take(row))[0]  # noqa: E731
            value, told = noisy_gradients(self.network, loss_of, len(mini), self.noise, self.feed.batch_size), {}
        self.optimiser.step()
        if self.config.ema:
            blend(self.mean, self.network, self.config.ema)
        self.done += 1
        self.told = {"loss": value, "learning_rate": self.config.learning_rate * scale, **told}
        self.told |= self.module.objective.told
        return value

    def finished(self, stopped: str) -> History:
        """Leave the network with the weights that count, ready to be applied on a processor."""
        if self.kept:
            self.network.load_state_dict(self.kept)
        elif self.mean:
            self.network.load_state_dict(self.mean)
        if self.team.sharded:
            self.given.load_state_dict({name: whole(value).cpu() for name, value in self.module.state_dict().items()})
        self.given.network.to("cpu").eval()
        spent = None if self.noise is None else self.noise.spent(self.done)
        best = self.best_epoch if self.kept else len(self.losses)
        return History(tuple(self.losses), tuple(self.judged), best, stopped, spent, self.told, self.alone)

    def _gradients(self, mini: Mini) -> float:
        """Gradients of the mean loss of all rows of the team, gathered over the parts of the mini-batch."""
        total = 0.0
        parts = np.array_split(np.arange(len(mini)), self.config.parts(len(mini)))
        for i, places in enumerate(parts):
            part, share = self.team.share(mini if len(parts) == 1 else mini.take(places))
            last = i + 1 == len(parts)
            with nullcontext() if last else self.team.unshared(self.shared):
                loss, told = self._loss(part, share * len(places) / len(mini))
                loss.backward()  # type: ignore[no-untyped-call]
            total += told
        return total

    def _loss(self, mini: Mini, share: float = 1.0) -> tuple[torch.Tensor, float]:
        """A share of the mean loss of the rows, and the team's mean of it; an error where that is not finite."""
        kind = self.team.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self.config.half(kind)):
            loss: torch.Tensor = self.shared(mini) * share
        told = self.team.mean(loss.item())
        if not isfinite(told):
            raise self._not_finite(mini, loss)
        return loss, told

    def _judged(self, judge: Callable[[Network], float] | None) -> None:
        """The end of an epoch."""
        self.epoch += 1
        self.losses.append(self.total / self.feed.rows)
        self.place, self.total = 0, 0.0
        with averaged(self.network, self.mean):
            with self.team.opened(self.shared):
                if self.looks is not None:
                    self.told |= self.looks.further(self.network, self.alone, self.team.agreed)
                if judge is not None:
                    self.judged.append(self.team.agreed(judge(self.network)))
                    self.told["judged_loss"] = self.judged[-1]
            if judge is not None and self.judged[-1] < self.best:
                self.best, self.best_epoch, self.kept = self.judged[-1], self.epoch, copied(self.network)
        self.rate.heard((self.judged or self.losses)[-1])

    def _progress(self) -> Progress:
        known = next(reversed(self.judged or self.losses), None)
        metrics = {**self.told, "epoch": self.epoch, "rows": self.done * self.feed.batch_size}
        return Progress("train", self.done, self.epochs * self.feed.steps, known, metrics)

    def _not_finite(self, mini: Mini, loss: torch.Tensor) -> PlaitError:
        """The rows of a loss that is not finite, looked for by the processes whose own it is."""
        alone = np.full(len(mini), isfinite(loss.item()))
        if not alone.any() and not self.team.sharded:
            with torch.no_grad():
                alone[:] = [isfinite(self.module(mini.take(np.array([place]))).item()) for place in range(len(mini))]
            alone &= not alone.all()
        chosen = np.unique(self.team.gathered(mini.rows[~alone]))
        named = ", ".join(self.feed.context.named(chosen[:8])) + (", ..." if len(chosen) > 8 else "")
        return PlaitError(
            f"the training loss is not finite in training rows {named}; look there for extreme inputs, targets or "
            "weights, or lower the learning rate"
        )
