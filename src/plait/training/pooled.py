"""Mini-batches of more rows than memory holds: pool after pool, each held in memory while it is learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from plait.contracts import FitContext
from plait.evidence import Pools
from plait.training.feed import Held, Mini
from plait.training.masking import ByEpoch, Masks

__all__ = ["Pooled"]


class Pooled:
    """All rows once an epoch, a pool at a time.

    A pool holds a multiple of the mini-batch, whatever is left over goes into the next one; so the steps of an epoch
    are those of rows in memory. What is skipped is read, but not learned from.

    Parameters
    ----------
    pools
        From a random generator and the rows of a mini-batch to an epoch.
    context, batch_size, masking
        As of `plait.training.feed.Held`.
    """

    def __init__(self, pools: Pools, context: FitContext, batch_size: int, masking: Masks) -> None:
        self.pools, self.context, self.masking = pools, context, masking
        self.rows, self.batch_size = len(context), min(batch_size, len(context))
        self.alone: ByEpoch = {}

    @property
    def steps(self) -> int:
        return -(-self.rows // self.batch_size)

    def epoch(self, number: int, epochs: int, skip: int = 0) -> Iterator[Mini]:
        return islice(self._minis(number, epochs), skip, None)

    def _minis(self, number: int, epochs: int) -> Iterator[Mini]:
        rng = self.context.rng(f"epoch {number}")
        for pool in self.pools(rng, self.batch_size):
            held = Held(pool.inputs, self.context.take(pool.rows), self.batch_size, self.masking)
            held.alone = self.alone
            for mini in held.drawn(number, epochs, rng):
                yield replace(mini, rows=pool.rows[mini.rows])
