"""How a scorecard is made: the `scorecard:` section of a credit.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from plait.contracts import Json
from plait.desks.credit.scorecard.binned import TRENDS, Trend
from plait.desks.credit.scorecard.edits import Edit, as_special, edits_of, read_edits
from plait.desks.credit.scorecard.points import Points
from plait.errors import ConfigError, unknown

__all__ = ["ScorecardSettings"]

# lowest and highest value, and whether the lowest itself is allowed
RANGES = {
    "min_iv": (0.0, 10.0),
    "suspicious_iv": (0.0, 10.0),
    "max_correlation": (0.0, 1.0),
    "max_p_value": (0.0, 1.0),
    "max_bins": (2, 100),
    "min_bin": (0.0005, 0.5),
    "rare": (0.0, 0.5),
    "penalty": (0.0, 1e9),
}


@dataclass(frozen=True)
class ScorecardSettings:
    """How variables are binned, chosen and weighed.

    Parameters
    ----------
    min_iv
        A variable with a smaller information value is left out.
    suspicious_iv
        One with a larger value is kept and noted: it may know the outcome.
    max_correlation
        Of two variables whose weights of evidence correlate more (in absolute value), the one with less information
        value is left out; 1: none is.
    max_p_value
        Variables with a larger crossed p-value (see `plait.desks.credit.scorecard.Variable`) are left out, the largest
        first; 1: none is.
    max_bins
        Ranges or groups of a variable, special codes and missing aside.
    min_bin
        Share of the rows that a range or group has at least.
    rare
        Share of the rows below which a level, a special code or missing is rare. Rare levels are taken as one, together
        with every level that training rows do not have; where even that one is smaller than `min_bin`, it joins the
        group that is nearest to the mean bad rate. Rare special codes and missing say nothing.
    penalty
        Ridge on the coefficients, added to the Fisher information's diagonal. The default keeps separable rows finite
        and moves no digit that is shown; a large one shrinks, and then p-values are of shrunken coefficients.
    trends
        Variable to trend of its bad rate over ranges: ``"monotone"`` (the default: rising or falling, whichever says
        more), ``"rising"``, ``"falling"``, ``"peak"``, ``"valley"``, ``"any"``.
    special_codes
        Variable to codes that are no values of it, each a bin of its own; or name of a bin to its codes.
    points
        The scale.
    bins
        What a person said of variables (see `plait.desks.credit.scorecard.edits`), or the path of a bins.yaml.

    Raises
    ------
    ConfigError
        If a value is out of its range or a trend is unknown.
    """

    min_iv: float = 0.02
    suspicious_iv: float = 0.5
    max_correlation: float = 0.8
    max_p_value: float = 0.1
    max_bins: int = 8
    min_bin: float = 0.05
    rare: float = 0.01
    penalty: float = 1e-3
    trends: Mapping[str, Trend] = field(default_factory=dict)
    special_codes: Mapping[str, Mapping[str, tuple[float | str, ...]]] = field(default_factory=dict)
    points: Points = field(default_factory=Points)
    bins: Mapping[str, Edit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int if isinstance(low, int) else int | float) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                raise ConfigError(f"scorecard: {name} must be a number from {low:g} to {high:g}, not {value!r}")
        for name, trend in self.trends.items():
            if trend not in TRENDS:
                raise ConfigError(f"scorecard: trends: {name}: {unknown('trend', trend, TRENDS)}")

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """Settings as a file says them.

        Raises
        ------
        ConfigError
            If a key is unknown or a value is not allowed.
        """
        names = [each.name for each in fields(cls)]
        given: dict[str, Any] = dict(_mapping("scorecard", said))
        for name in given:
            if name not in names:
                raise unknown("key of scorecard", name, names)
        if "points" in given:
            given["points"] = Points.from_json(_mapping("points", given["points"]))
        if "special_codes" in given:
            codes = _mapping("special_codes", given["special_codes"])
            given["special_codes"] = {str(name): as_special(name, each) for name, each in codes.items()}
        if "trends" in given:
            given["trends"] = dict(_mapping("trends", given["trends"]))
        if "bins" in given:
            bins = given["bins"]
            given["bins"] = read_edits(bins) if isinstance(bins, str | Path) else edits_of(_mapping("bins", bins))
        return cls(**given)

    def to_json(self) -> dict[str, Json]:
        """What `of` reads."""
        plain: dict[str, Json] = {name: getattr(self, name) for name in RANGES}
        return plain | {
            "trends": dict(self.trends),
            "special_codes": {
                name: {label: list(codes) for label, codes in each.items()} for name, each in self.special_codes.items()
            },
            "points": self.points.to_json(),
            "bins": {name: edit.to_json() for name, edit in self.bins.items()},
        }


def _mapping(where: str, said: Any) -> Mapping[str, Any]:
    if not isinstance(said, Mapping):
        raise ConfigError(f"{where}: expected names with values below it, not {said!r}")
    return said
