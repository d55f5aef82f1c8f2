"""The training loop: mini-batches in, the best weights out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import cos, isfinite, pi
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from plait.contracts import Array, Batch, FitContext, Head, Progress
from plait.errors import PlaitError
from plait.layers.seeded import reproducible
from plait.network import Network, lengths, predict
from plait.training.private import Noise, Spent, draws, noisy_gradients
from plait.training.schedule import TrainConfig

__all__ = ["History", "Judge", "matrices", "train"]


class Judge(NamedTuple):
    """Rows kept from training that tell when to stop."""

    inputs: Mapping[str, Batch]
    targets: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """What happened: mean losses by epoch, the epoch whose weights were kept (1 is the first), and why it ended.

    `stopped` is ``"finished"``, ``"early"`` (the judge's loss no longer fell) or ``"deadline"``; `privacy` what a
    private training spent.
    """

    losses: tuple[float, ...]
    judged: tuple[float, ...]
    best_epoch: int
    stopped: str
    privacy: Spent | None = None


def train(
    network: Network,
    inputs: Mapping[str, Batch],
    head: Head,
    context: FitContext,
    judge: Judge | None = None,
    config: TrainConfig | None = None,
) -> History:
    """Train `network` in place on `context.targets`, weighted by `context.weight`.

    With a `judge`, its loss is measured after each epoch and the best epoch's weights are kept. The same seed, rows and
    thread count give the same weights.

    Parameters
    ----------
    inputs
        Source to its encoder's inputs, ``N`` rows each.
    context
        `seed`, `threads` and `report` are used beside targets and weight.

    Raises
    ------
    PlaitError
        If the loss is not finite; rows are named.
    """
    config = config or TrainConfig()
    rows = len(context)
    epochs, batch_size = config.sized(rows)
    patience = config.patience or max(3, epochs // 3)
    began = time.monotonic()
    stepper = _Stepper(network, head, context, config, epochs, min(batch_size, rows))
    best, kept, losses, judged, stopped = float("inf"), _copy(network), [], [], "finished"
    best_epoch = epochs
    size, present = lengths(inputs), np.stack([batch.present for batch in inputs.values()], axis=1)
    with reproducible(context.seed, context.threads):
        for epoch in range(1, epochs + 1):
            rng = context.rng(f"epoch {epoch}")
            seen = dict(zip(inputs, hide(present, config.masking, rng).T, strict=True))
            masked = {source: batch.mask(seen[source]) for source, batch in inputs.items()}
            batches = stepper.batches(size, rng)
            losses.append(sum(stepper.step(masked, chosen) * len(chosen) for chosen in batches) / rows)
            if judge is not None:
                scores = predict(network, judge.inputs)
                judged.append(float(head.error(scores, judge.targets, judge.weight).mean()))
                if judged[-1] < best:
                    best, best_epoch, kept = judged[-1], epoch, _copy(network)
            context.report(Progress("train", epoch, epochs, (judged or losses)[-1]))
            if judge is not None and epoch - best_epoch >= patience:
                stopped = "early"
                break
            if config.deadline is not None and time.monotonic() - began > config.deadline and epoch < epochs:
                stopped = "deadline"
                break
    if judge is not None and best < float("inf"):
        network.load_state_dict(kept)
    else:
        best_epoch = len(losses)
    network.eval()
    spent = None if stepper.noise is None else stepper.noise.spent(stepper.done)
    return History(tuple(losses), tuple(judged), best_epoch, stopped, spent)


def hide(present: Array, share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """`present` (bool ``N x S``) with each source hidden with chance `share`; one of those present always stays."""
    draw = np.where(present, rng.random(present.shape), -1.0)
    stays = np.arange(present.shape[1]) == draw.argmax(axis=1)[:, None]
    hidden: npt.NDArray[np.bool_] = present & ((draw >= share) | stays)
    return hidden


def mini_batches(size: Array, batch_size: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """A random permutation of the rows in mini-batches, rows of like `size` together.

    Only rows that fell into the same 16 mini-batches are sorted by size, and the mini-batches are then shuffled, so
    that the order stays random enough to learn from.
    """
    order = rng.permutation(len(size))
    pool = 16 * batch_size
    parts = []
    for start in range(0, len(order), pool):
        near = order[start : start + pool]
        near = near[np.argsort(size[near], kind="stable")]
        parts += [near[i : i + batch_size] for i in range(0, len(near), batch_size)]
    return [parts[i] for i in rng.permutation(len(parts))]


def matrices(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    """What maps vectors to vectors: weights of two and more dimensions of linear, convolutional and recurrent layers.

    Tables of vectors are none: neither embeddings nor the marks, positions and queries that modules hold as they are,
    under names of their own.
    """
    found = {
        id(parameter): parameter
        for module in network.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if "weight" in name and parameter.ndim > 1 and not isinstance(module, torch.nn.Embedding)
    }
    return list(found.values())


class _Stepper:
    """One optimiser step a mini-batch."""

    def __init__(
        self, network: Network, head: Head, context: FitContext, config: TrainConfig, epochs: int, batch_size: int
    ) -> None:
        self.network, self.head, self.config, self.batch_size = network, head, config, batch_size
        self.targets = torch.from_numpy(context.targets.astype(np.float32))
        self.weight = torch.from_numpy(context.weight.astype(np.float32))
        self.optimiser = torch.optim.AdamW(_groups(network, config), lr=config.learning_rate, fused=True)
        self.done = 0
        rows = len(context)
        self.noise = None
        self.steps = epochs * -(-rows // batch_size)
        if config.privacy is not None:
            rate = batch_size / rows
            self.steps = epochs * max(1, round(1 / rate))
            self.noise = Noise.for_steps(config.privacy, rows, rate, self.steps)

    def batches(self, size: Array, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
        """The mini-batches of an epoch; see `mini_batches`, and `draws` of a private training."""
        if self.noise is None:
            return mini_batches(size, self.batch_size, rng)
        return list(draws(len(size), self.noise.rate, rng))

    def step(self, inputs: Mapping[str, Batch], rows: npt.NDArray[np.int64]) -> float:
        """The mean loss of the rows before the step."""
        warm = max(1, round(self.config.warmup * self.steps))
        share = (self.done - warm) / max(1, self.steps - warm)
        scale = (self.done + 1) / warm if self.done < warm else 0.5 * (1 + cos(pi * share))
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * scale * group["share"]
        self.network.train()
        if self.noise is None:
            loss = self._loss(inputs, rows)
            value = loss.item()
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        else:
            loss_of = partial(self._loss, inputs)
            value = noisy_gradients(self.network, loss_of, rows, self.noise, self.batch_size)
        self.optimiser.step()
        self.done += 1
        return value

    def _loss(self, inputs: Mapping[str, Batch], rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """The mean loss of the rows; an error where it is not finite."""
        scores = self.network(self.network.collate({source: batch.take(rows) for source, batch in inputs.items()}))
        loss = self.head.loss(scores, self.targets[rows], self.weight[rows])
        if not isfinite(loss.item()):
            raise _not_finite(scores, rows)
        return loss


def _groups(network: torch.nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Parameters by weight decay and by learning rate: those below a module that has a `learning_share` move at it."""
    shares: dict[int, float] = {}
    for module in network.modules():
        if hasattr(module, "learning_share"):
            shares |= {id(parameter): float(module.learning_share) for parameter in module.parameters()}  # type: ignore[arg-type]
    decayed = set(map(id, matrices(network)))
    groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            groups.setdefault((shares.get(id(parameter), 1.0), id(parameter) in decayed), []).append(parameter)
    return [
        {"params": own, "weight_decay": config.weight_decay * decays, "share": share}
        for (share, decays), own in groups.items()
    ]


def _not_finite(scores: torch.Tensor, rows: npt.NDArray[np.int64]) -> PlaitError:
    broken = rows[~torch.isfinite(scores).all(dim=1).numpy()]
    chosen = np.sort(broken if len(broken) else rows)
    named = ", ".join(map(str, chosen[:8])) + (", ..." if len(chosen) > 8 else "")
    return PlaitError(
        f"the training loss is not finite in training rows {named}; look there for extreme inputs, targets or weights, "
        "or lower the learning rate"
    )


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
