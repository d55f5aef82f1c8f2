"""How fast a key may ask: a token bucket each (Turner, New directions in communications, 1986), in each process."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from plait.serving.keys import Key

__all__ = ["Limiter"]

KEPT: Final = 10_000  # buckets; beyond it those that are full again are forgotten


class Limiter:
    """Buckets of `Key.burst` tokens that fill by `Key.rate` a second, divided by the processes of a service.

    Processes tell each other nothing, so each takes its share: together they never pass more than the key may, and less
    where requests do not reach them evenly. A bucket holds one token at least.

    Parameters
    ----------
    processes
        How many there are.
    clock
        Seconds that never go back.
    """

    def __init__(self, processes: int = 1, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._processes, self._clock = processes, clock
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
        rate, burst = key.rate / self._processes, max(1.0, key.burst / self._processes)
        with self._lock:
            now = self._clock()
            tokens, then, _ = self._buckets.get(key.id, (burst, now, now))
            tokens = min(burst, tokens + (now - then) * rate)
            wait = max(0.0, (min(cost, burst) - tokens) / rate)
            if wait < 1e-9:  # what rounding leaves is no reason to wait
                tokens, wait = tokens - cost, 0.0
            if len(self._buckets) >= KEPT and key.id not in self._buckets:
                self._buckets = {name: kept for name, kept in self._buckets.items() if kept[2] > now}
            self._buckets[key.id] = (tokens, now, now + (burst - tokens) / rate)
            return wait
