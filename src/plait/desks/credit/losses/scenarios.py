"""States of the economy with weights: what each does to defaults and losses, year by year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from plait.calc.expected_loss import intensity
from plait.calc.vasicek import conditional_pd
from plait.contracts import Array
from plait.errors import ConfigError, unknown

__all__ = ["Scenario", "Scenarios"]

Floats = npt.NDArray[np.float64]

OWN = ("weight", "factor", "lgd")  # settings of a scenario; all others are paths of the macro variables
SETTINGS = ("correlation", "normal", "scenarios", "sensitivity")


@dataclass(frozen=True)
class Scenario:
    """One course of the economy; behind the last year of a path all is as on average.

    Parameters
    ----------
    weight
        How likely it is.
    factor
        Vasicek's factor in each year: standard normal, negative in bad years.
    macro
        Paths of macro variables by name, a value a year.
    lgd
        What is added to the LGD in each year.
    """

    name: str
    weight: float
    factor: tuple[float, ...] = ()
    macro: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    lgd: tuple[float, ...] = ()


@dataclass(frozen=True)
class Scenarios:
    """Scenarios, and how defaults hang on them.

    Parameters
    ----------
    correlation
        Of Vasicek's factor: what a scenario's `factor` does to the PD of a year.
    sensitivity
        Macro variable to what one unit of it above normal adds to the logarithm of the hazard.
    normal
        Macro variable to the value at which the PDs hold as they are.

    Raises
    ------
    ConfigError
        If weights are negative or do not sum to 1, or a path has nothing to work through.
    """

    scenarios: tuple[Scenario, ...] = (Scenario("base", 1.0),)
    correlation: float = 0.0
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    normal: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weights = [scenario.weight for scenario in self.scenarios]
        if not weights or min(weights) < 0 or abs(sum(weights) - 1) > 1e-9:
            raise ConfigError(f"weights of scenarios sum to {sum(weights):g}; they are 0 or more and sum to 1")
        if not 0 <= self.correlation < 1:
            raise ConfigError(f"correlation {self.correlation:g} is out of range (0 to below 1)")
        if lost := sorted(set(self.sensitivity) - set(self.normal)):
            raise ConfigError(f"normal: says nothing of {lost[0]!r}, which has a sensitivity; give its usual value")
        for scenario in self.scenarios:
            if any(scenario.factor) and not self.correlation:
                raise ConfigError(f"scenario {scenario.name!r} has a factor, but no correlation is given; give one")
            for name in scenario.macro:
                if name not in self.sensitivity:
                    raise unknown(f"path in scenario {scenario.name!r}", name, (*OWN, *self.sensitivity))

    def __iter__(self) -> Any:
        return iter(self.scenarios)

    def __len__(self) -> int:
        return len(self.scenarios)

    @classmethod
    def of(cls, said: object) -> Self:
        """From the content of a ``scenarios.yaml``.

        Raises
        ------
        ConfigError
            If something in it is unknown, missing or no number.
        """
        if not isinstance(said, Mapping) or not isinstance(said.get("scenarios"), Mapping):
            raise ConfigError(
                "scenarios: a mapping of names to weights and paths is missing; see docs/desks/credit/losses.md"
            )
        for name in said:
            if name not in SETTINGS:
                raise unknown("setting of scenarios", name, SETTINGS)
        made = []
        for name, each in said["scenarios"].items():
            if not isinstance(each, Mapping) or "weight" not in each:
                raise ConfigError(f"scenario {name!r} has no weight")
            macro = {str(key): _path(name, key, path) for key, path in each.items() if key not in OWN}
            factor, lgd = (_path(name, key, each.get(key, ())) for key in ("factor", "lgd"))
            made.append(Scenario(str(name), _number(name, "weight", each["weight"]), factor, macro, lgd))
        by_name = [
            {str(key): _number(part, key, value) for key, value in (said.get(part) or {}).items()}
            for part in ("sensitivity", "normal")
        ]
        return cls(tuple(made), _number("scenarios", "correlation", said.get("correlation", 0.0)), *by_name)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a ``scenarios.yaml``.

        Raises
        ------
        ConfigError
            If it cannot be read or understood; the file is named.
        """
        from plait.desks.credit.written import understood

        return understood(path, cls.of)

    @property
    def average(self) -> Scenarios:
        """One scenario, the mean of all paths: what must not stand for them, since losses are not linear in it."""
        years = max((len(p) for s in self for p in (s.factor, s.lgd, *s.macro.values())), default=0)

        def mean(paths: Mapping[str, tuple[float, ...]], usual: float = 0.0) -> tuple[float, ...]:
            filled = [(*paths.get(s.name, ()), *[usual] * years)[:years] for s in self]
            return tuple(np.average(filled, axis=0, weights=[s.weight for s in self]).tolist()) if years else ()

        macro = {
            name: mean({s.name: s.macro[name] for s in self if name in s.macro}, self.normal[name])
            for name in self.sensitivity
        }
        factor, lgd = mean({s.name: s.factor for s in self}), mean({s.name: s.lgd for s in self})
        return Scenarios(
            (Scenario("average", 1.0, factor, macro, lgd),), self.correlation, self.sensitivity, self.normal
        )

    def intensities(self, scenario: Scenario, usual: Array) -> Floats:
        """Monthly intensities ``N x T`` as they are in a scenario."""
        months = usual.shape[1]
        push = np.zeros(months)
        for name, path in scenario.macro.items():
            push += self.sensitivity[name] * (_monthly(path, months, self.normal[name]) - self.normal[name])
        moved = usual * np.exp(push)
        if scenario.factor:
            factor = _monthly(scenario.factor, months, 0.0)
            touched = np.arange(months) < 12 * len(scenario.factor)  # behind the path the factor is unknown, not 0
            year = -np.expm1(-12 * moved[:, touched])
            given = np.minimum(conditional_pd(year, factor[touched], self.correlation), 1 - 1e-12)
            moved[:, touched] = intensity(given, 12)
        return moved

    @staticmethod
    def lgd(scenario: Scenario, usual: Array, months: int) -> Floats:
        """LGD ``N x T`` of defaults in each month, held in [0, 1]."""
        return np.clip(np.asarray(usual)[:, None] + _monthly(scenario.lgd, months, 0.0), 0.0, 1.0)


def _monthly(path: tuple[float, ...], months: int, usual: float) -> Floats:
    """A value a year as a value a month, the usual one behind its end."""
    held = np.repeat(np.asarray(path, np.float64), 12)[:months]
    return np.concatenate([held, np.full(months - len(held), usual)])


def _number(where: object, what: object, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigError(f"{where}: {what} is {value!r}; give a number")
    return float(value)


def _path(where: object, what: object, values: object) -> tuple[float, ...]:
    if isinstance(values, int | float):
        values = [values]
    if not isinstance(values, list | tuple):
        raise ConfigError(f"{where}: {what} is {values!r}; give a list, a value a year")
    return tuple(_number(where, what, value) for value in values)
