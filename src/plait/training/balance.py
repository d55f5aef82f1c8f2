"""What keeps a strong source from starving the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import exp, tanh
from typing import ClassVar, Protocol

import numpy as np
import torch

from plait.classical.options import above_zero, check, count
from plait.layers.seeded import reproducible
from plait.network import Network, applied
from plait.training.feed import Mini
from plait.training.objective import Objective, mean_loss

__all__ = ["Alternation", "Balance", "Modulation"]

SMOOTH = 0.8  # decay of the running means of losses


class Balance(Protocol):
    """Changes gradients after a backward pass. What it remembers is JSON, so that a training can go on."""

    def gradients(self, network: Network, objective: Objective, mini: Mini) -> dict[str, float]:
        """Change the gradients of the network in place; figures by name, for those who watch."""

    def state(self) -> dict[str, float]: ...

    def restore(self, state: dict[str, float]) -> None: ...


@dataclass(kw_only=True)
class _Looking(ABC):
    """Looks at the loss of each source alone every so many steps, and keeps running means of them.

    A source alone is the same network with the rows of the mini-batch that have the source, and nothing else of them.
    """

    every: int = 4
    _known: dict[str, float] = field(default_factory=dict, init=False)
    _credit: dict[str, float] = field(default_factory=dict, init=False)
    _steps: int = field(default=0, init=False)

    name: ClassVar[str]

    def __post_init__(self) -> None:
        check(self, {"every": (count(self.every), "1, 2, ..."), **self.rules()})

    @abstractmethod
    def rules(self) -> Mapping[str, tuple[bool, str]]:
        """Of each option of its own, whether its value is allowed and which are."""

    @abstractmethod
    def change(self, network: Network, objective: Objective, mini: Mini) -> dict[str, float]:
        """Change the gradients by what is known."""

    def gradients(self, network: Network, objective: Objective, mini: Mini) -> dict[str, float]:
        with _untold(objective):
            if self._steps % self.every == 0:
                self._look(network, objective, mini)
            self._steps += 1
            return self.change(network, objective, mini)

    def state(self) -> dict[str, float]:
        known = {f"known {source}": value for source, value in self._known.items()}
        return {"steps": self._steps, **known, **{f"credit {name}": value for name, value in self._credit.items()}}

    def restore(self, state: dict[str, float]) -> None:
        self._steps = int(state["steps"])
        for held, kind in ((self._known, "known "), (self._credit, "credit ")):
            held.clear()
            held.update({name.removeprefix(kind): v for name, v in state.items() if name.startswith(kind)})

    def _look(self, network: Network, objective: Objective, mini: Mini) -> None:
        with torch.no_grad(), applied(network, len(mini)):
            for source in mini.inputs:
                if (own := only(mini, source)) is not None:
                    now = mean_loss(network, objective, own).item()
                    before = self._known.get(source, now)
                    self._known[source] = SMOOTH * before + (1 - SMOOTH) * now

    def _due(self, name: str, share: float) -> bool:
        """Whether it is the turn of something that has this share of all turns, evenly spaced."""
        self._credit[name] = self._credit.get(name, 1.0 - share) + share
        if self._credit[name] < 1:
            return False
        self._credit[name] -= 1
        return True


@dataclass(kw_only=True)
class Modulation(_Looking):
    """The encoders of leading sources learn in fewer steps.

    After Peng et al., "Balanced multimodal learning via on-the-fly gradient modulation", 2022 (OGM): with ``q_s =
    exp(-L_s)`` of the loss ``L_s`` by source ``s`` alone (there: the probability of the right class by the summand of
    its modality) and ``r_s`` the ratio of ``q_s`` to the mean of the other sources' (there: the one other's), what the
    encoder learns is multiplied by

        ``k_s = 1 - tanh(strength * r_s)`` where ``r_s > 1``, else 1.

    Optimisers that divide gradients by their size undo a factor; hence an encoder sits out ``1 - k_s`` of the steps
    instead, evenly spaced. Gradients keep their size and their noise, which the Gaussian noise of OGM-GE has to restore
    there. Sources that share an encoder give it the mean of their ``k_s``.

    Parameters
    ----------
    strength
        ``alpha`` of the paper, above 0.
    every
        Steps between two looks at the sources.
    """

    name: ClassVar[str] = "modulation"

    strength: float = 0.5

    def rules(self) -> Mapping[str, tuple[bool, str]]:
        return {"strength": (above_zero(self.strength), "above 0")}

    def change(self, network: Network, objective: Objective, mini: Mini) -> dict[str, float]:
        factors = self._factors()
        for place, encoder in enumerate(network.encoders):
            own = [factors[source] for source, at in network.places.items() if at == place and source in factors]
            if own and not self._due(str(place), float(np.mean(own))):
                for parameter in encoder.parameters():
                    parameter.grad = None
        return {f"pace.{source}": factor for source, factor in factors.items()}

    def _factors(self) -> dict[str, float]:
        if len(self._known) < 2:
            return {}
        scores = {source: exp(-loss) for source, loss in self._known.items()}
        total, others = sum(scores.values()), len(scores) - 1
        ratios = {source: score * others / (total - score) for source, score in scores.items()}
        return {source: 1 - tanh(self.strength * ratio) if ratio > 1 else 1.0 for source, ratio in ratios.items()}


@dataclass(kw_only=True)
class Alternation(_Looking):
    """Every step also learns from one source alone, in turns; those that lag have more turns.

    The gradient of the loss by that source alone, times `strength`, is added. Learning alone by turns is that of Zhang
    et al., "Multimodal representation learning by alternating unimodal adaptation", 2024; losses of single sources
    beside the joint one are those of Wang et al., "What makes training multi-modal classification networks hard?",
    2020; where they weigh by labels kept aside, turns here go by ``exp(L_s)``.

    Parameters
    ----------
    strength
        Of the added gradient, above 0.
    every
        Steps between two looks at the sources.
    """

    name: ClassVar[str] = "alternation"

    strength: float = 1.0

    def rules(self) -> Mapping[str, tuple[bool, str]]:
        return {"strength": (above_zero(self.strength), "above 0")}

    def change(self, network: Network, objective: Objective, mini: Mini) -> dict[str, float]:
        total = sum(exp(loss) for loss in self._known.values())
        for source, loss in self._known.items():
            self._credit[source] = self._credit.get(source, 0.0) + exp(loss) / total
        able = {source: own for source in self._known if (own := only(mini, source)) is not None}
        if not able:
            return {}
        turn = max(able, key=lambda source: self._credit[source])
        self._credit[turn] -= 1
        with reproducible(self._steps, torch.get_num_threads()):  # the same draws in all processes of a team
            (self.strength * mean_loss(network, objective, able[turn])).backward()  # type: ignore[no-untyped-call]
        return {f"turns.{source}": float(source == turn) for source in self._known}


def only(mini: Mini, source: str) -> Mini | None:
    """The rows that have a source, without the other sources; None where no row has it."""
    rows = np.flatnonzero(mini.inputs[source].present)
    if not len(rows):
        return None
    own = mini.take(rows)
    hidden = np.zeros(len(rows), bool)
    inputs = {name: batch if name == source else batch.mask(hidden) for name, batch in own.inputs.items()}
    return Mini(inputs, own.targets, own.weight, own.rows)


@contextmanager
def _untold(objective: Objective) -> Iterator[None]:
    """What the objective tells of the mini-batch stays as it was."""
    before = dict(objective.told)
    try:
        yield
    finally:
        objective.told = before
