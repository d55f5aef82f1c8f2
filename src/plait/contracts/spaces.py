"""Where to look for options of a part: what it declares itself as ``space: ClassVar[Space]``, by option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from plait.contracts.crossing import Json

__all__ = ["Between", "OneOf", "Space"]


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included; a whole one if both are. With `log`, factors count evenly."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: Json) -> bool:
        number = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[Json, ...]

    def __contains__(self, value: Json) -> bool:
        return value in self.values


Space: TypeAlias = Mapping[str, Between | OneOf]
