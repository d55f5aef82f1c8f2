"""The section ``loss:`` of a ``credit.yaml``: what a lender has decided about losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, get_args

from plait.calc.vasicek import Exposure
from plait.contracts import Json
from plait.desks.credit.losses.lgd import Downturn
from plait.desks.credit.losses.stages import StageRules
from plait.errors import ConfigError, unknown

__all__ = ["LossSettings"]


@dataclass(frozen=True)
class LossSettings:
    """What holds where a portfolio does not say otherwise.

    Parameters
    ----------
    lgd
        Share of the exposure lost in a default.
    exposure
        Which formula of Basel gives correlation and capital.
    downturn
        What is added to LGDs for a bad time.
    stages
        The rules of IFRS 9.

    Raises
    ------
    ConfigError
        If a share is out of range, or the kind of exposure unknown.
    """

    lgd: float = 0.45
    exposure: Exposure = "retail"
    downturn: Downturn = field(default_factory=Downturn)
    stages: StageRules = field(default_factory=StageRules)

    def __post_init__(self) -> None:
        if isinstance(self.lgd, bool) or not isinstance(self.lgd, int | float) or not 0 <= self.lgd <= 1:
            raise ConfigError(f"loss: lgd is {self.lgd!r}; give a share between 0 and 1")
        if self.exposure not in get_args(Exposure):
            raise unknown("exposure", self.exposure, get_args(Exposure))

    @classmethod
    def read(cls, path: str | Path | None) -> Self:
        """From the section of a ``credit.yaml``; without a file, the defaults.

        Raises
        ------
        ConfigError
            If the file cannot be read or understood.
        """
        if path is None:
            return cls()
        from plait.desks.credit.config import Config

        return cls.of(Config.read(path).section("loss"))

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """The section ``loss:``.

        Raises
        ------
        ConfigError
            If something in it is unknown or out of range.
        """
        made: dict[str, Any] = dict(said)
        allowed = [each.name for each in fields(cls)]
        for name in made:
            if name not in allowed:
                raise unknown("setting in loss", name, allowed)
        for name, kind in (("downturn", Downturn), ("stages", StageRules)):
            if name in made:
                if not isinstance(made[name], Mapping):
                    raise ConfigError(f"loss: {name} is {made[name]!r}; give its settings by name")
                made[name] = kind.of(made[name])
        return cls(**made)
