"""Which of several targets helps which, seen while a network learns them: what a step for one does to the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from plait.classical.options import above_zero, check, count
from plait.contracts import Composite
from plait.errors import ConfigError
from plait.layers.seeded import reproducible
from plait.network import Network
from plait.training.feed import Mini
from plait.training.objective import Objective

__all__ = ["Lookahead"]


@dataclass(kw_only=True)
class Lookahead:
    """Inter-task affinity of Fifty et al., "Efficiently identifying task groupings for multi-task learning", 2021.

    Every so many steps, and for each target ``j``, what targets share moves a step against the gradient of ``L_j``
    alone, the losses of the mini-batch are looked at, and it moves back:

        ``Z_ji = 1 - L_i(after a step for j) / L_i(before)``

    (equation 1). Here the step is taken by one half of the rows and the losses are those of the other half, so that
    what merely fits the noise of rows does not count; and both losses are means over the training, since a mini-batch
    may have few labels of ``i``. It is told as ``affinity.j.i``: above 0, learning ``j`` helps ``i``. All steps are of
    one length, so that a target with large gradients does not look more helpful for that. The training itself is left
    as it is, bit by bit.

    Parameters
    ----------
    every
        Steps between two looks, each of which costs as many steps as there are targets, about.
    length
        Of the step, as a share of the norm of the weights that move.
    """

    name: ClassVar[str] = "lookahead"

    every: int = 10
    length: float = 0.0005
    _gains: dict[str, float] = field(default_factory=dict, init=False)
    _losses: dict[str, float] = field(default_factory=dict, init=False)
    _steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        rules = {"every": (count(self.every), "1, 2, ..."), "length": (above_zero(self.length), "above 0")}
        check(self, rules)

    def gradients(self, network: Network, objective: Objective, mini: Mini) -> dict[str, float]:
        """Look, every so many steps; gradients stay as they are."""
        head = getattr(objective, "head", None)
        if not isinstance(head, Composite):
            raise ConfigError("balance 'lookahead' asks which of several targets helps which, and there is one target")
        if self._steps % self.every == 0 and len(mini) > 1:
            self._look(network, head, mini)
        self._steps += 1
        return {f"affinity.{pair}": gain / self._losses[pair] for pair, gain in self._gains.items()}

    def state(self) -> dict[str, float]:
        gains = {f"gain {pair}": gain for pair, gain in self._gains.items()}
        return {"steps": self._steps, **gains, **{f"loss {pair}": loss for pair, loss in self._losses.items()}}

    def restore(self, state: dict[str, float]) -> None:
        self._steps = int(state["steps"])
        for held, kind in ((self._gains, "gain "), (self._losses, "loss ")):
            held.clear()
            held.update({name.removeprefix(kind): v for name, v in state.items() if name.startswith(kind)})

    def _look(self, network: Network, head: Composite, mini: Mini) -> None:
        readouts = {id(parameter) for parameter in network.head.parameters()}
        shared = [p for p in network.parameters() if p.requires_grad and id(p) not in readouts]
        before = [p.detach().clone() for p in shared]
        size = float(torch.stack([p.norm() for p in before]).norm())
        half = np.arange(len(mini)) % 2 == 0
        own, others = mini.take(np.flatnonzero(half)), mini.take(np.flatnonzero(~half))
        losses_T = self._lost(network, head, own)
        gradients = [torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True) for loss in losses_T]
        first = self._lost(network, head, others).tolist()
        for target, pulls in zip(head.members, gradients, strict=True):
            norm = float(torch.stack([g.norm() for g in pulls if g is not None]).norm())
            if norm == 0:  # no row of the mini-batch has a label
                continue
            with torch.no_grad():
                for parameter, pull in zip(shared, pulls, strict=True):
                    if pull is not None:
                        parameter.sub_(pull, alpha=self.length * size / norm)
                after = self._lost(network, head, others).tolist()
                for parameter, stood in zip(shared, before, strict=True):
                    parameter.copy_(stood)
            self._add(target, dict(zip(head.members, zip(first, after, strict=True), strict=True)))

    def _lost(self, network: Network, head: Composite, mini: Mini) -> torch.Tensor:
        """``L_t`` of the mini-batch, with the same dropout each time."""
        device = network.source.device
        targets, weight = (torch.from_numpy(each).float().to(device) for each in (mini.targets, mini.weight))
        with reproducible(self._steps, torch.get_num_threads()):
            return head.losses(network(network.collate(mini.inputs)), targets, weight)

    def _add(self, target: str, losses: Mapping[str, tuple[float, float]]) -> None:
        for other, (first, after) in losses.items():
            if first > 0:
                pair = f"{target}.{other}"
                self._gains[pair] = self._gains.get(pair, 0.0) + first - after
                self._losses[pair] = self._losses.get(pair, 0.0) + first
