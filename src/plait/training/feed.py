"""Mini-batches for the loop: the same for the same seed and epoch, wherever an epoch is entered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, FitContext
from plait.network import lengths
from plait.training.masking import ByEpoch, Masks, hide
from plait.training.private import Noise, draws

__all__ = ["Feed", "Held", "Mini", "grouped_batches", "mini_batches"]


@dataclass(frozen=True)
class Mini:
    """One mini-batch of ``n`` rows.

    Parameters
    ----------
    inputs
        Source to its encoder's inputs, some of them hidden.
    targets
        float64 ``n`` or ``n x T``, as the head encodes them.
    weight
        float64 ``n``.
    rows
        int64 ``n``: places of the rows among those of the feed.
    """

    inputs: Mapping[str, Batch]
    targets: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Array) -> Mini:
        """Some of the rows by place (int)."""
        inputs = {source: batch.take(places) for source, batch in self.inputs.items()}
        return Mini(inputs, self.targets[places], self.weight[places], self.rows[places])

    def without_weight(self) -> Mini:
        """The same rows, of which nothing is learned."""
        return replace(self, weight=np.zeros(len(self)))


class Feed(Protocol):
    """What an epoch reads."""

    context: FitContext
    rows: int
    batch_size: int
    alone: ByEpoch
    """What the loop knows of each source alone, for the masking."""

    @property
    def steps(self) -> int:
        """Mini-batches of an epoch."""

    def epoch(self, number: int, epochs: int, skip: int = 0) -> Iterator[Mini]:
        """Mini-batches of epoch `number` (1 is the first) of `epochs`, without the first `skip`.

        What comes after those is the same as without skipping.
        """


class Held:
    """All rows in memory.

    Parameters
    ----------
    inputs
        Source to its encoder's inputs, ``N`` rows each.
    context
        Targets, weight and seed.
    batch_size
        Rows of a mini-batch.
    masking
        How sources are hidden.
    noise
        Of a private training: rows are then drawn, each mini-batch on its own.
    together
        int64 ``N`` or None: rows of one group go into mini-batches together.
    """

    def __init__(
        self,
        inputs: Mapping[str, Batch],
        context: FitContext,
        batch_size: int,
        masking: Masks,
        noise: Noise | None = None,
        together: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.inputs, self.context, self.masking, self.noise = inputs, context, masking, noise
        self.together = together
        self.alone: ByEpoch = {}
        self.rows, self.batch_size = len(context), min(batch_size, len(context))
        self.size = lengths(inputs)
        self.present = np.stack([batch.present for batch in inputs.values()], axis=1)

    @property
    def steps(self) -> int:
        return -(-self.rows // self.batch_size) if self.noise is None else max(1, round(1 / self.noise.rate))

    def epoch(self, number: int, epochs: int, skip: int = 0) -> Iterator[Mini]:
        return self.drawn(number, epochs, self.context.rng(f"epoch {number}"), skip)

    def drawn(self, number: int, epochs: int, rng: np.random.Generator, skip: int = 0) -> Iterator[Mini]:
        """The mini-batches of an epoch as `rng` draws them."""
        shares = self.masking.shares(number, epochs, tuple(self.inputs), self.alone)
        seen = dict(zip(self.inputs, hide(self.present, shares, rng).T, strict=True))
        masked = {source: batch.mask(seen[source]) for source, batch in self.inputs.items()}
        if self.noise is not None:
            batches = list(draws(self.rows, self.noise.rate, rng))
        elif self.together is not None:
            batches = grouped_batches(self.together, self.batch_size, rng)
        else:
            batches = mini_batches(self.size, self.batch_size, rng)
        for rows in batches[skip:]:
            inputs = {source: batch.take(rows) for source, batch in masked.items()}
            yield Mini(inputs, self.context.targets[rows], self.context.weight[rows], rows)


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


def grouped_batches(
    groups: npt.NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """The rows in mini-batches, group by group in random order; a group is cut only where a mini-batch is full."""
    order = np.lexsort((rng.random(len(groups)), rng.permutation(groups.max() + 1)[groups]))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
