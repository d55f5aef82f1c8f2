"""How fast a key may ask: a token bucket each (Turner, New directions in communications, 1986), in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from plait.serving.keys import Key

__all__ = ["Limiter"]

KEPT: Final = 10_000  # buckets; beyond it those that are full again are forgotten


class Limiter:
    """Buckets of `Key.burst` tokens that fill by `Key.rate` a second.

    Parameters
    ----------
    clock
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float, float]] = {}  # tokens, when, when full again
        self._lock = Lock()

    def take(self, key: Key, cost: float = 1) -> float:
        """Take tokens if they are there.

        Parameters
        ----------
        cost
            Tokens; more than the bucket holds are lent by a full one, and the next taker waits the longer.

        Returns
        -------
        float
            0: taken, go on. Otherwise nothing was taken, and after so many seconds there may be enough.
        """
        with self._lock:
            now = self._clock()
            tokens, then, _ = self._buckets.get(key.id, (float(key.burst), now, now))
            tokens = min(float(key.burst), tokens + (now - then) * key.rate)
            wait = max(0.0, (min(cost, key.burst) - tokens) / key.rate)
            if wait < 1e-9:  # what rounding leaves is no reason to wait
                tokens, wait = tokens - cost, 0.0
            if len(self._buckets) >= KEPT and key.id not in self._buckets:
                self._buckets = {name: kept for name, kept in self._buckets.items() if kept[2] > now}
            self._buckets[key.id] = (tokens, now, now + (key.burst - tokens) / key.rate)
            return wait
