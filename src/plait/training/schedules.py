"""How the learning rate moves over a training, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, inf, pi
from typing import ClassVar, Protocol

from plait.classical.options import above_zero, check, count, number, share

__all__ = ["Constant", "Cosine", "Linear", "OneCycle", "Plateau", "Schedule", "Steps"]


class Schedule(Protocol):
    """Multiples of the peak learning rate."""

    def at(self, step: int, steps: int) -> float:
        """The multiple at a step (0 is the first) of so many."""

    def heard(self, loss: float) -> None:
        """The loss at the end of an epoch: the judge's, or the training's where there is no judge."""

    def state(self) -> dict[str, float]: ...

    def restore(self, state: dict[str, float]) -> None: ...


class _Forgetful:
    """It goes by steps alone."""

    def heard(self, loss: float) -> None:
        pass

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: dict[str, float]) -> None:
        pass


@dataclass(kw_only=True)
class Constant(_Forgetful):
    """The same rate throughout."""

    name: ClassVar[str] = "constant"

    def at(self, step: int, steps: int) -> float:
        return 1.0


@dataclass(kw_only=True)
class Cosine(_Forgetful):
    """Up to the peak over `warmup` (a share of all steps), then down to zero along a half cosine.

    Loshchilov and Hutter, "SGDR", 2017, equation 5.
    """

    name: ClassVar[str] = "cosine"

    warmup: float = 0.1

    def __post_init__(self) -> None:
        check(self, {"warmup": (_part(self.warmup), "0 to below 1")})

    def at(self, step: int, steps: int) -> float:
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + cos(pi * (step - warm) / max(1, steps - warm)))


@dataclass(kw_only=True)
class Linear(_Forgetful):
    """Up to the peak over `warmup` (a share of all steps), then down to zero along a line.

    Devlin et al., "BERT", 2019, appendix A.2.
    """

    name: ClassVar[str] = "linear"

    warmup: float = 0.1

    def __post_init__(self) -> None:
        check(self, {"warmup": (_part(self.warmup), "0 to below 1")})

    def at(self, step: int, steps: int) -> float:
        warm = max(1, round(self.warmup * steps))
        return (step + 1) / warm if step < warm else (steps - step) / max(1, steps - warm)


@dataclass(kw_only=True)
class OneCycle(_Forgetful):
    """Once up and once down along half cosines, from the peak over `start` and to that over `end`.

    Smith, "A disciplined approach to neural network hyper-parameters", 2018, section 4.3; the momentum stays as it is.

    Parameters
    ----------
    rise
        Share of all steps until the peak.
    start, end
        The peak over the rate of the first step; the rate of the first step over that of the last.
    """

    name: ClassVar[str] = "one_cycle"

    rise: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        check(
            self,
            {
                "rise": (above_zero(self.rise) and self.rise < 1, "above 0, below 1"),
                "start": (number(self.start) and self.start >= 1, "1 or above"),
                "end": (number(self.end) and self.end >= 1, "1 or above"),
            },
        )

    def at(self, step: int, steps: int) -> float:
        first, last = 1 / self.start, 1 / (self.start * self.end)
        top = max(1.0, self.rise * steps) - 1
        if step <= top:
            return _between(first, 1.0, step / top if top else 1.0)
        return _between(1.0, last, (step - top) / max(1.0, steps - 1 - top))


@dataclass(kw_only=True)
class Steps(_Forgetful):
    """The peak, times `factor` after every equal part of the training.

    He et al., "Deep residual learning", 2016, section 3.4.

    Parameters
    ----------
    parts
        Into which the training is cut.
    """

    name: ClassVar[str] = "steps"

    parts: int = 3
    factor: float = 0.1

    def __post_init__(self) -> None:
        check(self, {"parts": (count(self.parts), "1, 2, ..."), "factor": (share(self.factor), "above 0, at most 1")})

    def at(self, step: int, steps: int) -> float:
        return self.factor ** (step * self.parts // max(1, steps))


@dataclass(kw_only=True)
class Plateau:
    """The peak, times `factor` whenever the loss of an epoch stops falling.

    That is, when `patience` epochs went by without one better than the best by a share `threshold` of it.
    Bengio, "Practical recommendations for gradient-based training of deep architectures", 2012, section 3.1.1.
    """

    name: ClassVar[str] = "plateau"

    factor: float = 0.5
    patience: int = 1
    threshold: float = 1e-3
    _best: float = field(default=inf, init=False)
    _waited: int = field(default=0, init=False)
    _multiple: float = field(default=1.0, init=False)

    def __post_init__(self) -> None:
        check(
            self,
            {
                "factor": (share(self.factor) and self.factor < 1, "above 0, below 1"),
                "patience": (count(self.patience), "1, 2, ..."),
                "threshold": (_part(self.threshold), "0 to below 1"),
            },
        )

    def at(self, step: int, steps: int) -> float:
        return self._multiple

    def heard(self, loss: float) -> None:
        if self._best == inf or loss < self._best - self.threshold * abs(self._best):
            self._best, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self._multiple, self._waited = self._multiple * self.factor, 0

    def state(self) -> dict[str, float]:
        known = {} if self._best == inf else {"best": self._best}
        return {**known, "waited": self._waited, "multiple": self._multiple}

    def restore(self, state: dict[str, float]) -> None:
        self._best, self._waited = state.get("best", inf), int(state["waited"])
        self._multiple = state["multiple"]


def _between(first: float, last: float, part: float) -> float:
    """Along a half cosine."""
    return last + 0.5 * (first - last) * (1 + cos(pi * part))


def _part(value: float) -> bool:
    return number(value) and value < 1
