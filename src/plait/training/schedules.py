"""How the learning rate moves over a training, by name."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Protocol

__all__ = ["Cosine", "Schedule"]


class Schedule(Protocol):
    """Multiples of the peak learning rate."""

    def at(self, step: int, steps: int) -> float:
        """The multiple at a step (0 is the first) of so many."""

    def heard(self, loss: float) -> None:
        """The loss at the end of an epoch."""

    def state(self) -> dict[str, float]: ...

    def restore(self, state: dict[str, float]) -> None: ...


@dataclass(kw_only=True)
class Cosine:
    """Up to the peak over `warmup` (a share of all steps), then down to zero along a half cosine.

    Loshchilov and Hutter, "SGDR", 2017, equation 5.
    """

    warmup: float = 0.1

    def at(self, step: int, steps: int) -> float:
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + cos(pi * (step - warm) / max(1, steps - warm)))

    def heard(self, loss: float) -> None:
        """It goes by steps alone."""

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: dict[str, float]) -> None:
        """There is nothing to know."""
