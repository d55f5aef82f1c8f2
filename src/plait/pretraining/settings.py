"""What pretraining asks of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from plait.classical.options import above_zero, check, number

__all__ = ["Pretraining"]


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """The options of pretraining itself; those of the network are its fusion's.

    Parameters
    ----------
    hidden
        Share of each source's cells, steps or subwords that is hidden, above 0 to below 1.
    shown
        What telling those that are not hidden counts beside those that are, 0 or more.
    absent
        Chance that a source of a row is not seen at all while its cells are told, 0 to below 1.
    contrast
        What telling a row's sources from those of other rows counts beside telling hidden cells; 0: nothing.
    passes
        How often as many epochs are trained as a fit of so many rows would be, where the fusion says ``"auto"``.

    Raises
    ------
    ConfigError
        If an option is out of range.
    """

    name: ClassVar[str] = "pretraining"

    hidden: float = 0.3
    shown: float = 0.5
    absent: float = 0.15
    contrast: float = 0.1
    passes: float = 6.0

    def __post_init__(self) -> None:
        rules = {
            "hidden": (above_zero(self.hidden) and self.hidden < 1, "above 0 to below 1"),
            "shown": (number(self.shown), "0 or more"),
            "absent": (number(self.absent) and self.absent < 1, "0 to below 1"),
            "contrast": (number(self.contrast), "0 or more"),
            "passes": (above_zero(self.passes), "above 0"),
        }
        check(self, rules)
