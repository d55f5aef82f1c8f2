"""Encoders, body and head as one module; no modality is known by name here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from plait.contracts import Array, Batch, Encoder, Modality, Nested, Ragged

__all__ = ["Body", "Network", "Readout", "TokenLists", "applied", "batched", "build", "lengths", "predict"]

FEW = 64  # rows up to which one thread predicts


class Body(Protocol):
    """An ``nn.Module`` in which the sources' tokens meet. Every row has a finite answer, also one without tokens."""

    def __call__(
        self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From each source's tokens (``B x T_s x D``) and mask (bool ``B x T_s``, true = there), sources in order, to
        tokens (``B x T x D``), their mask (``B x T``) and one pooled vector a row (``B x D``)."""


TokenLists: TypeAlias = tuple[list[torch.Tensor], list[torch.Tensor]]


class Network(nn.Module):
    """Tokens of all sources, each marked with its source's embedding, in one body, pooled for the head.

    Parameters
    ----------
    encoders
        Source name to encoder. One module under several names is one encoder with shared weights.
    body
        See `Body`.
    head
        From (tokens ``B x T x D``, mask ``B x T``, pooled ``B x D``) to scores ``B x K``.
    width
        ``D``.
    """

    def __init__(self, encoders: Mapping[str, nn.Module], body: nn.Module, head: nn.Module, width: int) -> None:
        super().__init__()
        unique = list(dict.fromkeys(encoders.values()))
        self.places = {source: unique.index(encoder) for source, encoder in encoders.items()}
        # By number, because a source may have a name that no module attribute can have.
        self.encoders = nn.ModuleList(unique)
        self.source = nn.Parameter(torch.randn(len(encoders), width) * width**-0.5)
        self.body = body
        self.head = head

    def encoder(self, source: str) -> Encoder:
        return cast("Encoder", self.encoders[self.places[source]])

    def collate(self, inputs: Mapping[str, Batch]) -> dict[str, dict[str, torch.Tensor]]:
        """One mini-batch of every source as tensors, where the network is."""
        made = {source: self.encoder(source).collate(inputs[source]) for source in self.places}
        device = self.source.device
        if device.type == "cpu":
            return made
        return {
            source: {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
            for source, tensors in made.items()
        }

    def tokens(self, tensors: Mapping[str, Mapping[str, torch.Tensor]]) -> TokenLists:
        """What the body reads: values ``B x T_s x D`` and mask (bool ``B x T_s``) of each source, in order."""
        values, masks = [], []
        for i, source in enumerate(self.places):
            tokens = self.encoder(source)(tensors[source])
            values.append(tokens.values_BTD + self.source[i])
            masks.append(tokens.mask_BT)
        return values, masks

    def read(self, values: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]) -> torch.Tensor:
        """Scores ``B x K`` of tokens."""
        tokens_BTD, mask_BT, pooled_BD = self.body(values, masks)
        scores_BK: torch.Tensor = self.head(tokens_BTD, mask_BT, pooled_BD)
        return scores_BK

    def forward(self, tensors: Mapping[str, Mapping[str, torch.Tensor]]) -> torch.Tensor:
        """Scores ``B x K``."""
        return self.read(*self.tokens(tensors))


class Readout(Protocol):
    """What makes the module that reads the pooled vector; a `Head` does."""

    def module(self, width: int) -> nn.Module: ...


def build(rooms: Mapping[str, Modality], head: Readout, body: Callable[[int], nn.Module], width: int) -> Network:
    """The untrained network of fitted rooms; `body` makes one for so many sources.

    Sources with the same `share` have one encoder, the first's.
    """
    encoders: dict[str, nn.Module] = {}
    shared: dict[str, nn.Module] = {}
    for name, room in rooms.items():
        share = room.source.share
        if share is None or share not in shared:
            encoders[name] = cast("nn.Module", room.encoder(width))
            if share is not None:
                shared[share] = encoders[name]
        else:
            encoders[name] = shared[share]
    return Network(encoders, body(len(rooms)), head.module(width), width)


def lengths(inputs: Mapping[str, Batch]) -> npt.NDArray[np.int64]:
    """How long each row is, all present ragged inputs together: int64 ``N``. Rows of like length pad little."""
    rows = len(next(iter(inputs.values())))
    return sum((np.where(batch.present, _length(batch), 0) for batch in inputs.values()), np.zeros(rows, np.int64))


def _length(batch: Batch) -> npt.NDArray[np.int64]:
    total = np.zeros(len(batch), np.int64)
    for array in batch.arrays.values():
        if isinstance(array, Ragged):
            total += array.lengths
        elif isinstance(array, Nested):
            before = np.concatenate([np.zeros(1, np.int64), np.cumsum(1 + _length(array.items))])
            total += before[array.offsets[1:]] - before[array.offsets[:-1]]
    return total


@contextmanager
def _threads_for(rows: int) -> Iterator[None]:
    """One thread for a few rows: waiting for others costs more than they do, on a busy machine 30 times as much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if rows <= FEW else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def applied(network: Network, rows: int) -> Iterator[None]:
    """The network as it is applied to so many rows, not as it learns."""
    was_training = network.training
    network.eval()
    try:
        with _threads_for(rows):
            yield
    finally:
        network.train(was_training)


def batched(inputs: Mapping[str, Batch], size: int) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, Batch]]]:
    """Mini-batches of rows of like length, and which rows these are; one empty mini-batch where there are no rows."""
    order = np.argsort(lengths(inputs), kind="stable")
    for start in range(0, max(1, len(order)), size):
        rows = order[start : start + size]
        yield rows, {source: batch.take(rows) for source, batch in inputs.items()}


def predict(network: Network, inputs: Mapping[str, Batch], batch_size: int = 512) -> npt.NDArray[np.float64]:
    """Scores of all rows, float64 ``N x K``, in mini-batches of rows of like length."""
    found: list[tuple[Array, Array]] = []
    total = len(next(iter(inputs.values())))
    with torch.inference_mode(), applied(network, total):
        for rows, part in batched(inputs, batch_size):
            found.append((rows, network(network.collate(part)).float().cpu().numpy()))
    out = np.empty((total, found[0][1].shape[1]), np.float64)
    for rows, scores in found:
        out[rows] = scores
    return out
