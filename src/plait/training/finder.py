"""Which learning rate to take: what the loss does while the rate rises from far too small to far too large."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from plait.contracts import Json, Progress, unheard
from plait.errors import PlaitError
from plait.layers.seeded import reproducible
from plait.network import Network
from plait.training.feed import Feed
from plait.training.loop import Training
from plait.training.objective import Objective
from plait.training.schedule import Named, TrainConfig

__all__ = ["Sweep", "find"]

LOW, HIGH = 1e-6, 10.0  # rates at the first and the last step
STEPS = 100
SMOOTH = 0.9  # decay of the running mean of losses
BELOW = 10.0  # the suggestion is the best rate over this


@dataclass(frozen=True)
class Sweep:
    """What the loss did.

    Parameters
    ----------
    rates
        By step, ever larger.
    losses
        Running mean of the mini-batches' losses before each step, unbiased.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def best(self) -> float:
        """The rate at which the loss was lowest; what is larger undoes what was learned."""
        return self.rates[min(range(len(self.losses)), key=self.losses.__getitem__)]

    @property
    def suggested(self) -> float:
        """A tenth of the best rate."""
        return self.best / BELOW

    def __str__(self) -> str:
        return (
            f"learning rate {self.suggested:.2g}: a tenth of {self.best:.2g}, at which the loss was lowest "
            f"({min(self.losses):.4f} from {self.losses[0]:.4f}) of {len(self.rates)} rates up to {self.rates[-1]:.2g}"
        )

    def told(self) -> dict[str, Json]:
        """All of it as JSON."""
        return {"suggested": self.suggested, "best": self.best, **asdict(self)}

    def to_json(self) -> str:
        return json.dumps(self.told())

    def picture(self, path: str | Path) -> None:
        """Draw the losses over the rates, with both rates marked, as PNG."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.semilogx(self.rates, self.losses, color="#1f5fa8")
        for rate, told, style in ((self.suggested, "suggested", "-"), (self.best, "lowest loss", ":")):
            axes.axvline(rate, color="#b3401f", linestyle=style, label=f"{told}: {rate:.2g}")
        low, first = min(self.losses), self.losses[0]
        axes.set_ylim(low - 0.1 * abs(first - low), first + 1.5 * abs(first - low))
        axes.set(xlabel="learning rate", ylabel="loss")
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
    """Train copies of network and objective for 100 steps at rising rates; all that is given stays as it was.

    Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3. It ends early where the loss rises
    to twice the first, or stops being finite.

    Raises
    ------
    PlaitError
        If the loss is not finite before any step.
    """
    network, objective = deepcopy((network, objective))
    config = replace(config, learning_rate=1.0, schedule=Named("constant"), ema=0.0)
    rates: list[float] = []
    losses: list[float] = []
    mean, epoch = 0.0, 0
    with reproducible(seed, threads):
        training = Training(network, feed, objective, config)
        training.rate = _Rising()
        while training.done < STEPS:
            epoch += 1
            for mini in feed.epoch(epoch, training.epochs):
                rate = training.rate.at(training.done, STEPS)
                try:
                    mean = SMOOTH * mean + (1 - SMOOTH) * training.step(mini)
                except PlaitError:
                    if not losses:
                        raise
                    return Sweep(tuple(rates), tuple(losses))
                rates.append(rate)
                losses.append(mean / (1 - SMOOTH**training.done))
                report(Progress("learning rate", training.done, STEPS, losses[-1]))
                if losses[-1] > losses[0] + abs(losses[0]) or training.done == STEPS:
                    return Sweep(tuple(rates), tuple(losses))
    return Sweep(tuple(rates), tuple(losses))
