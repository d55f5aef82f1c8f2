"""Which learning rate to take: what the loss does while the rate rises from far too small to far too large."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path

import torch

from plait.contracts import Json, Progress, unheard
from plait.errors import PlaitError
from plait.layers.seeded import reproducible
from plait.network import Network, applied
from plait.training.feed import Feed, Mini
from plait.training.loop import Training
from plait.training.objective import Objective, mean_loss
from plait.training.schedule import Named, TrainConfig

__all__ = ["Sweep", "find"]

LOW, HIGH = 1e-5, 10.0  # rates at the first and the last step
STEPS = 120
SMOOTH = 0.9  # decay of the running mean of losses
BELOW = 10.0  # the suggestion is the best rate over this


@dataclass(frozen=True)
class Sweep:
    """What the loss did.

    Parameters
    ----------
    rates
        By step, ever larger.
    changes
        Running mean (unbiased) of the loss before each step less that of the untrained network on the same rows, both
        without dropout: what mini-batches and draws differ in is gone, which else hides what the rate does.
    """

    rates: tuple[float, ...]
    changes: tuple[float, ...]

    @property
    def best(self) -> float:
        """The rate at which the loss had fallen most; what is larger undoes what was learned."""
        return self.rates[min(range(len(self.changes)), key=self.changes.__getitem__)]

    @property
    def suggested(self) -> float:
        """A tenth of the best rate."""
        return self.best / BELOW

    def __str__(self) -> str:
        return (
            f"learning rate {self.suggested:.2g}: a tenth of {self.best:.2g}, at which the loss had fallen most "
            f"(by {-min(self.changes):.4f}) of {len(self.rates)} rates up to {self.rates[-1]:.2g}"
        )

    def told(self) -> dict[str, Json]:
        """All of it as JSON."""
        return {"suggested": self.suggested, "best": self.best, **asdict(self)}

    def to_json(self) -> str:
        return json.dumps(self.told())

    def picture(self, path: str | Path) -> None:
        """Draw what the loss did over the rates, with both rates marked, as PNG."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.semilogx(self.rates, self.changes, color="#1f5fa8")
        for rate, told, style in ((self.suggested, "suggested", "-"), (self.best, "fallen most", ":")):
            axes.axvline(rate, color="#b3401f", linestyle=style, label=f"{told}: {rate:.2g}")
        fall = -min(self.changes)
        axes.set_ylim(-1.2 * fall, 1.5 * fall)
        axes.set(xlabel="learning rate", ylabel="change of the loss")
        axes.legend(frameon=False)
        figure.savefig(path, dpi=120)


class _Rising:
    """From `LOW` to `HIGH`, by the same factor at every step."""

    def at(self, step: int, steps: int) -> float:
        return float(LOW * (HIGH / LOW) ** (step / (STEPS - 1)))


def find(
    network: Network,
    feed: Feed,
    objective: Objective,
    config: TrainConfig,
    *,
    report: Callable[[Progress], None] = unheard,
    seed: int = 0,
    threads: int = 1,
) -> Sweep:
    """Train copies of network and objective for 120 steps at rising rates; all that is given stays as it was.

    Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3. It ends early where the loss rises
    to twice what it was, or stops being finite.

    Raises
    ------
    PlaitError
        If the loss is not finite before any step.
    """
    network, objective = deepcopy((network, objective))
    config = replace(config, learning_rate=1.0, schedule=Named("constant"), ema=0.0)
    rates: list[float] = []
    changes: list[float] = []
    mean = 0.0
    with reproducible(seed, threads):
        training = Training(network, feed, objective, config)
        training.rate = _Rising()
        untrained = deepcopy(training.network)
        for mini in _endless(feed, training.epochs):
            before, now = (_loss(training, each, mini) for each in (untrained, training.network))
            mean = SMOOTH * mean + (1 - SMOOTH) * (now - before)
            if not isfinite(mean) and changes:
                break
            rate = training.rate.at(training.done, STEPS)
            try:
                training.step(mini)
            except PlaitError:  # its loss is not finite
                if not changes:
                    raise
                break
            rates.append(rate)
            changes.append(mean / (1 - SMOOTH**training.done))
            report(Progress("learning rate", training.done, STEPS, changes[-1]))
            if changes[-1] > abs(before) or training.done == STEPS:
                break
    return Sweep(tuple(rates), tuple(changes))


def _loss(training: Training, network: Network, mini: Mini) -> float:
    """The mean loss of a mini-batch by a network as it is applied, without dropout."""
    with torch.no_grad(), applied(network, len(mini)):
        return training.team.agreed(mean_loss(network, training.module.objective, mini).item())


def _endless(feed: Feed, epochs: int) -> Iterator[Mini]:
    """Mini-batches of one epoch after the other."""
    return itertools.chain.from_iterable(feed.epoch(number, epochs) for number in itertools.count(1))
