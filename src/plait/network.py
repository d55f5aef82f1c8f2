"""Encoders, body and head as one module; no modality is known by name here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from plait.contracts import Array, Batch, Encoder, Head, Modality, Ragged
from plait.layers.transformer import Transformer

__all__ = ["Network", "build", "lengths", "predict"]

FEW = 64  # rows up to which one thread predicts


class Network(nn.Module):
    """Tokens of all sources, each marked with its source's embedding, in one Transformer, pooled for the head.

    Parameters
    ----------
    encoders
        Source name to encoder. One module under several names is one encoder with shared weights.
    head
        From (tokens ``B x T x D``, mask ``B x T``, pooled ``B x D``) to scores ``B x K``.
    width, layers, heads, dropout
        Of the body.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], head: nn.Module, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        unique = list(dict.fromkeys(encoders.values()))
        self.places = {source: unique.index(encoder) for source, encoder in encoders.items()}
        # By number, because a source may have a name that no module attribute can have.
        self.encoders = nn.ModuleList(unique)
        self.source = nn.Parameter(torch.randn(len(encoders), width) * width**-0.5)
        self.body = Transformer(width, layers, heads, dropout)
        self.head = head

    def encoder(self, source: str) -> Encoder:
        return cast("Encoder", self.encoders[self.places[source]])

    def collate(self, inputs: Mapping[str, Batch]) -> dict[str, dict[str, torch.Tensor]]:
        """One mini-batch of every source as tensors."""
        return {source: self.encoder(source).collate(inputs[source]) for source in self.places}

    def forward(self, tensors: Mapping[str, Mapping[str, torch.Tensor]]) -> torch.Tensor:
        """Scores ``B x K``."""
        values, masks = [], []
        for i, source in enumerate(self.places):
            tokens = self.encoder(source)(tensors[source])
            values.append(tokens.values_BTD + self.source[i])
            masks.append(tokens.mask_BT)
        mask_BT = torch.cat(masks, dim=1)
        tokens_BTD, pooled_BD = self.body(torch.cat(values, dim=1), mask_BT)
        scores_BK: torch.Tensor = self.head(tokens_BTD, mask_BT, pooled_BD)
        return scores_BK


def build(rooms: Mapping[str, Modality], head: Head, *, width: int, layers: int, heads: int, dropout: float) -> Network:
    """The untrained network of fitted rooms; sources with the same `share` have one encoder, the first's."""
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
    return Network(encoders, head.module(width), width, layers, heads, dropout)


def lengths(inputs: Mapping[str, Batch]) -> npt.NDArray[np.int64]:
    """How long each row is, all present ragged inputs together: int64 ``N``. Rows of like length pad little."""
    rows = len(next(iter(inputs.values())))
    total = np.zeros(rows, np.int64)
    for batch in inputs.values():
        for array in batch.arrays.values():
            if isinstance(array, Ragged):
                total += np.where(batch.present, array.lengths, 0)
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


def predict(network: Network, inputs: Mapping[str, Batch], batch_size: int = 512) -> npt.NDArray[np.float64]:
    """Scores of all rows, float64 ``N x K``, in mini-batches of rows of like length."""
    order = np.argsort(lengths(inputs), kind="stable")
    was_training = network.training
    network.eval()
    parts: list[Array] = []
    with torch.inference_mode(), _threads_for(len(order)):
        for start in range(0, max(1, len(order)), batch_size):  # one empty mini-batch where there are no rows
            rows = order[start : start + batch_size]
            part = {source: batch.take(rows) for source, batch in inputs.items()}
            parts.append(network(network.collate(part)).numpy())
    network.train(was_training)
    scores = np.concatenate(parts)
    out = np.empty(scores.shape, np.float64)
    out[order] = scores
    return out
