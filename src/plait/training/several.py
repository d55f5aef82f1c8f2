"""How much the loss of each of several targets counts while a network learns them all."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from plait.contracts import Array, Composite, Head
from plait.network import Network
from plait.training.objective import HeadLoss, Objective, Tensors

__all__ = ["GradientWeights", "Joint", "LearnedWeights", "objective_of", "unlabelled"]


def objective_of(head: Head) -> Objective:
    """What a network with this head makes smaller: the head's own loss, or the losses of its targets as it says."""
    if not isinstance(head, Composite):
        return HeadLoss(head)
    rules = {"uncertainty": LearnedWeights, "gradient": GradientWeights}
    return rules.get(str(head.weights), Joint)(head)


def unlabelled(head: Head, targets: Array) -> tuple[str, ...]:
    """Targets of which these rows, encoded, have no label; a head of one target has labels everywhere."""
    return head.unlabelled(targets) if isinstance(head, Composite) else ()


class Joint(Objective):
    """``L = sum_t w_t L_t``, the weights fixed. `told` has each ``L_t`` and ``w_t``."""

    def __init__(self, head: Composite) -> None:
        super().__init__()
        self.head = head

    def forward(self, network: Network, tensors: Tensors, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        tokens_BTD, mask_BT, pooled_BD = network.body(*network.tokens(tensors))
        scores_BK = network.head(tokens_BTD, mask_BT, pooled_BD)
        losses_T = self.head.losses(scores_BK, targets, weight)
        loss, weights_T = self.weighted(losses_T, pooled_BD)
        for target, lost, counts in zip(self.head.members, losses_T.tolist(), weights_T.tolist(), strict=True):
            self.told |= {f"loss of {target}": lost, f"weight of {target}": counts}
        return loss

    def weighted(self, losses_T: torch.Tensor, pooled_BD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of all targets, a scalar, and the weights ``T`` that were used."""
        weights_T = losses_T.new_tensor(self.head.fixed)
        return losses_T @ weights_T, weights_T


class LearnedWeights(Joint):
    """``L = sum_t exp(-s_t) L_t + s_t``, the log-variances ``s_t`` learned with the network, from 0.

    Twice equation 10 of Kendall, Gal and Cipolla, "Multi-task learning using uncertainty to weigh losses for scene
    geometry and semantics", 2018: at its best each weight is one over the target's own loss, so that what is hard to
    tell counts less.
    """

    def __init__(self, head: Composite) -> None:
        super().__init__(head)
        self.variances = _LogVariances(len(head.members))

    def weighted(self, losses_T: torch.Tensor, pooled_BD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        s_T = self.variances.log
        return ((-s_T).exp() * losses_T + s_T).sum(), (-s_T).exp().detach()


class _LogVariances(nn.Module):
    """They move faster than the network: some hundreds of its steps are too few for numbers that go by whole units."""

    learning_share: ClassVar[float] = 10.0

    def __init__(self, targets: int) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.zeros(targets))


class GradientWeights(Joint):
    """Weights under which every target pulls equally at what they share: ``w_t`` one over ``||dL_t / dz||``.

    ``z`` is the pooled vector, as in MGDA-UB (Sener and Koltun, "Multi-task learning as multi-objective optimization",
    2018, section 3.3), where the gradients of all targets cost no more than their readouts; equal norms are what
    GradNorm (Chen et al., 2018) moves weights towards where its alpha is 0, here solved. Norms are running means of the
    mini-batches before, and the weights sum to the number of targets. Of processes that train together, the leader's
    norms count for all.
    """

    DECAY: ClassVar[float] = 0.9
    norms_T: torch.Tensor
    seen_T: torch.Tensor

    def __init__(self, head: Composite) -> None:
        super().__init__(head)
        self.register_buffer("norms_T", torch.zeros(len(head.members)))
        self.register_buffer("seen_T", torch.zeros(len(head.members)))  # what the running means add up to

    def weighted(self, losses_T: torch.Tensor, pooled_BD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights_T = self._weights()
        if torch.is_grad_enabled():
            self._look(losses_T, pooled_BD)
        return losses_T @ weights_T, weights_T

    def _weights(self) -> torch.Tensor:
        """From the mini-batches before; 1 until every target has been seen."""
        norms_T = self.norms_T / self.seen_T.clamp(min=1e-12)
        if not bool((norms_T > 0).all()):
            return torch.ones_like(norms_T)
        shares_T = 1 / norms_T
        return len(shares_T) * shares_T / shares_T.sum()

    def _look(self, losses_T: torch.Tensor, pooled_BD: torch.Tensor) -> None:
        for t in range(len(losses_T)):
            (pull_BD,) = torch.autograd.grad(losses_T[t], pooled_BD, retain_graph=True)
            norm = pull_BD.detach().float().norm()
            if bool(norm > 0):  # 0 where no row of the mini-batch has a label
                self.norms_T[t] = self.DECAY * self.norms_T[t] + (1 - self.DECAY) * norm
                self.seen_T[t] = self.DECAY * self.seen_T[t] + (1 - self.DECAY)
