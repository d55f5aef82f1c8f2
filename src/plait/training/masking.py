"""Which sources a network does without while it learns, so that any of them may be absent later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.classical.options import check, number, share
from plait.contracts import Array, Json
from plait.errors import unknown
from plait.training.schedule import Named

__all__ = ["USUAL", "Adaptive", "ByEpoch", "Masking", "Masks", "Ramp", "hide", "leads", "masking_of"]

ByEpoch: TypeAlias = Mapping[str, Sequence[float]]  # of each source the loss by it alone: the prior's, then by epoch

USUAL = 0.15


class Masks(Protocol):
    """How often sources are hidden."""

    @property
    def name(self) -> str:
        """As it is registered."""

    def shares(self, epoch: int, epochs: int, sources: Sequence[str], alone: ByEpoch) -> npt.NDArray[np.float64]:
        """The chance of each present source of a row to be hidden in an epoch (1 is the first): float64 ``S``.

        Parameters
        ----------
        alone
            How far each source alone got in the epochs before (`plait.training.alone`); empty where nobody looks.

        Raises
        ------
        ConfigError
            If it asks for a source that is not there.
        """


@dataclass(frozen=True)
class Masking:
    """As often in every epoch.

    Parameters
    ----------
    share
        Chance that a present source of a row is hidden in an epoch, 0 to below 1: of all sources, or by source (0.15
        for those that are not named).

    Raises
    ------
    ConfigError
        If a share is out of range.
    """

    name: ClassVar[str] = "constant"

    share: float | Mapping[str, float] = USUAL

    def __post_init__(self) -> None:
        shares = self.share.values() if isinstance(self.share, Mapping) else [self.share]
        check(self, {"share": (all(number(each) and each < 1 for each in shares), "0 to below 1")})

    def shares(self, epoch: int, epochs: int, sources: Sequence[str], alone: ByEpoch) -> npt.NDArray[np.float64]:
        if not isinstance(self.share, Mapping):
            return np.full(len(sources), float(self.share))
        for name in self.share:
            if name not in sources:
                raise unknown("source", name, sources)
        return np.array([self.share.get(source, USUAL) for source in sources], np.float64)


@dataclass(frozen=True)
class Ramp:
    """The strongest source more at first, levelling off.

    Every source is hidden as often as `most` until it is known which one leads, that is in the first epoch; then only
    the leading one, ever less, until all are hidden alike.

    Parameters
    ----------
    share, most
        Chances to be hidden in the end and at the start.
    until
        Share of all epochs after which all are hidden alike.

    Raises
    ------
    ConfigError
        If an option is out of range.
    """

    name: ClassVar[str] = "ramp"

    share: float = USUAL
    most: float = 0.6
    until: float = 0.75

    def __post_init__(self) -> None:
        check(self, {**_between(self.share, self.most), "until": (share(self.until), "above 0, at most 1")})

    def shares(self, epoch: int, epochs: int, sources: Sequence[str], alone: ByEpoch) -> npt.NDArray[np.float64]:
        left = max(0.0, 1 - (epoch - 1) / (self.until * epochs))
        ahead = leads(sources, alone)
        chosen = np.arange(len(sources)) == ahead.argmax() if ahead.any() else np.full(len(sources), epoch == 1)
        return self.share + (self.most - self.share) * left * chosen


@dataclass(frozen=True)
class Adaptive:
    """By how far a source leads: as often as `most` where the others alone tell nothing, as `share` where it is behind.

    Nothing is known in the first epoch, in which every source is hidden as often as the mean of both.

    Parameters
    ----------
    share, most
        Chances to be hidden, the least and the greatest.

    Raises
    ------
    ConfigError
        If an option is out of range.
    """

    name: ClassVar[str] = "adaptive"

    share: float = USUAL
    most: float = 0.6

    def __post_init__(self) -> None:
        check(self, _between(self.share, self.most))

    def shares(self, epoch: int, epochs: int, sources: Sequence[str], alone: ByEpoch) -> npt.NDArray[np.float64]:
        lead = leads(sources, alone) if epoch > 1 else np.full(len(sources), 0.5)
        return self.share + (self.most - self.share) * lead


def masking_of(told: float | str | Mapping[str, Json]) -> Masks:
    """From a share, shares by source, the name of a registered way or ``{"name": ..., option: value}``.

    Raises
    ------
    ConfigError
        If a share is out of range, there is no such way, or it has no such option.
    """
    if isinstance(told, Mapping) and all(isinstance(share, int | float) for share in told.values()):
        return Masking(dict(told))
    if isinstance(told, str | Mapping):
        named = Named.of("maskings", told)
        made: Masks = registry.make("maskings", named.name, named.options)
        return made
    return Masking(told)


def leads(sources: Sequence[str], alone: ByEpoch) -> npt.NDArray[np.float64]:
    """How far each source is ahead of the mean of the others, 0..1 of what the best of them gained: float64 ``S``.

    A source has gained what its loss alone is now below the prior's. All is 0 where nobody looks or none gained.
    """
    gained = np.array([max(0.0, alone[s][0] - alone[s][-1]) if s in alone else 0.0 for s in sources])
    if len(sources) < 2 or not gained.any():
        return np.zeros(len(sources))
    others = (gained.sum() - gained) / (len(sources) - 1)
    ahead: npt.NDArray[np.float64] = np.clip((gained - others) / gained.max(), 0.0, 1.0)
    return ahead


def hide(present: Array, share: float | Array, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """`present` (bool ``N x S``) with each source hidden with chance `share`; one of those present always stays."""
    draw = np.where(present, rng.random(present.shape), -1.0)
    stays = np.arange(present.shape[1]) == draw.argmax(axis=1)[:, None]
    hidden: npt.NDArray[np.bool_] = present & ((draw >= share) | stays)
    return hidden


def _between(least: float, most: float) -> dict[str, tuple[bool, str]]:
    return {
        "share": (number(least) and least < 1, "0 to below 1"),
        "most": (number(most) and least <= most < 1, f"share={least} to below 1"),
    }
