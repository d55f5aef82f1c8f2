"""What a network learns of rows without labels: their hidden cells, and which of their sources belong together."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from plait.contracts import Batch, Reconstruction, Reconstructs
from plait.layers.reconstruction import TokensAgain, asked_of, runs
from plait.layers.seeded import reproducible, uniform
from plait.network import Network, applied, batched
from plait.pretraining.settings import Pretraining
from plait.pretraining.views import Views, seen
from plait.training.objective import Objective, Tensors

__all__ = ["Asked", "Pretext"]


class Pretext(Objective):
    """Hidden cells told again from the vector of their row, and sources of one row told from those of others.

    `told` has the loss of each source by its name, and the share of rows whose source was told right among those of the
    mini-batch.

    Parameters
    ----------
    network
        With `Views` for a head.
    """

    def __init__(self, network: Network, settings: Pretraining) -> None:
        super().__init__()
        self.settings = settings
        self.sources = tuple(network.places)
        self.again = nn.ModuleList(_reconstruction(network, source) for source in self.sources)

    def forward(self, network: Network, tensors: Tensors, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        given, asked = self._hide(tensors)
        values, masks = network.tokens(given)
        for i, again in enumerate(self.again):
            if isinstance(again, TokensAgain):
                hidden_BT = runs(masks[i], self.settings.hidden)
                asked[self.sources[i]] = asked_of(masks[i], hidden_BT, self.settings.shown)
                masks[i] = masks[i] & ~hidden_BT
        pooled_BD = network.body(values, self._absent(masks))[2]
        loss: torch.Tensor = pooled_BD.new_zeros(())
        for source, again in zip(self.sources, self.again, strict=True):
            own = (again(pooled_BD, tensors[source], asked[source]) * weight).mean()
            told_B = (asked[source] > 0).any(dim=1)
            self.told[f"told {source}"] = own.item() / max(told_B.float().mean().item(), 1e-9)
            loss = loss + own
        if self.settings.contrast and len(self.sources) > 1:
            loss = loss + self.settings.contrast * self._contrast(network, values, masks, weight)
        return loss

    def _hide(self, tensors: Tensors) -> tuple[dict[str, Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]:
        given: dict[str, Mapping[str, torch.Tensor]] = dict(tensors)
        asked: dict[str, torch.Tensor] = {}
        how = self.settings.hidden, self.settings.shown
        for source, again in zip(self.sources, self.again, strict=True):
            if not isinstance(again, TokensAgain):
                given[source], asked[source] = cast("Reconstruction", again).hide(tensors[source], *how)
        return given, asked

    def _absent(self, masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The masks with some sources of each row hidden whole; one of those that are there stays."""
        there_BS = torch.stack([mask_BT.any(dim=1) for mask_BT in masks], dim=1)
        draw_BS = torch.where(there_BS, uniform(there_BS, *there_BS.shape), -1.0)
        best_B1 = draw_BS.max(dim=1, keepdim=True).values
        stays_BS = (draw_BS >= self.settings.absent) | (draw_BS == best_B1)
        return [mask_BT & stays_BS[:, i, None] for i, mask_BT in enumerate(masks)]

    def _contrast(
        self, network: Network, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor], weight: torch.Tensor
    ) -> torch.Tensor:
        """InfoNCE of every pair of sources, both ways, over the rows that have both; the mean of the pairs.

        ``- log softmax_j(s <z_i, z'_j>)_i`` with the trained ``s`` of `Views` (van den Oord, Li and Vinyals,
        "Representation Learning with Contrastive Predictive Coding", 2018, equation 4; Radford et al., 2021).
        """
        views = network.head
        assert isinstance(views, Views)
        told = [views.of(i, seen(network, values[i], masks[i], i)) for i in range(len(values))]
        there = [mask_BT.any(dim=1) for mask_BT in masks]
        losses, right, rows = [], 0.0, 0
        for i, j in combinations(range(len(told)), 2):
            both = (there[i] & there[j]).nonzero()[:, 0]
            logits = views.scale.exp().clamp(max=100.0) * told[i][both] @ told[j][both].T
            own = torch.arange(len(both), device=logits.device)
            each = F.cross_entropy(logits, own, reduction="none") + F.cross_entropy(logits.T, own, reduction="none")
            losses.append((0.5 * each * weight[both]).sum() / len(weight))
            if len(both):
                right += float((logits.argmax(dim=1) == own).sum())
                rows += len(both)
        self.told["paired right"] = right / max(rows, 1)
        return torch.stack(losses).mean()


class Asked:
    """Rows that are kept from pretraining and tell when it is over: the loss of the same hidden places each time."""

    def __init__(self, objective: Pretext, inputs: Mapping[str, Batch], seed: int, threads: int) -> None:
        self.objective, self.inputs, self.seed, self.threads = objective, inputs, seed, threads

    def __call__(self, network: Network) -> float:
        rows = len(next(iter(self.inputs.values())))
        self.objective.eval()
        total = 0.0
        with torch.no_grad(), applied(network, rows), reproducible(self.seed, self.threads):
            for places, part in batched(self.inputs, 256):
                weight = torch.ones(len(places), device=network.source.device)
                total += self.objective(network, network.collate(part), weight, weight).item() * len(places)
        self.objective.train()
        return total / rows


def _reconstruction(network: Network, source: str) -> nn.Module:
    encoder = network.encoder(source)
    if isinstance(encoder, Reconstructs):
        return cast("nn.Module", encoder.reconstruction())
    return TokensAgain(network.source.shape[1], copy.deepcopy(cast("nn.Module", encoder)))
