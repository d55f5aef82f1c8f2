"""What ``plait evaluate`` shows beside the figures where asked: slices, what decisions cost, lift, permutations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from plait.cli.options import keyed, names
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from plait.cli.screen import Screen
    from plait.data.stream import Stream
    from plait.estimators.judged import Judged
    from plait.metrics.value import Costs

__all__ = ["Amount", "Asked", "Cost", "Decided", "Lift", "Permutations", "SliceBy", "check_two"]

OUTCOMES = {"FP": "false_positive", "FN": "false_negative", "TP": "true_positive", "TN": "true_negative"}

SliceBy: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--slice", metavar="C,...", help="Columns whose parts are judged, each against the rest."),
]
Cost: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FP=..,FN=..",
        help="What outcomes cost, as numbers or columns (TP, TN too; a gain is negative): the threshold table.",
    ),
]
Amount: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="With --cost: costs are those of one unit of this column.")
]
Lift: TypeAlias = Annotated[bool, typer.Option("--lift", help="Rate, lift, gain and KS by tenths of the rows.")]
Permutations: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Test the first figure against chance and each baseline by N permutations."),
]
Decided: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0,
        max=1,
        help="Two classes: the second is decided where it is more probable; by default 0.5.",
    ),
]


def check_two(classes: Sequence[Any] | npt.NDArray[Any] | None, **options: bool) -> None:
    """Before any work: are options about two classes given where there are two?

    Raises
    ------
    ConfigError
        If one is given where values (None) or more classes are predicted.
    """
    for name, given in options.items():
        if given and (classes is None or len(classes) != 2):
            found = "values" if classes is None else f"{len(classes)} classes"
            raise ConfigError(f"--{name} is about two classes, but this model predicts {found}; leave it out")


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line, checked before anything is computed."""

    by: tuple[str, ...]
    costs: Costs | None
    amounts: npt.NDArray[np.float64] | None
    lift: bool
    permutations: int | None

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame | Stream,
        by: Sequence[str] | None,
        cost: Sequence[str] | None,
        amount: str | None,
        lift: bool,
        permutations: int | None = None,
    ) -> Asked:
        """Understand the options, and take the columns that they name.

        Raises
        ------
        ConfigError
            If an outcome or a column is unknown, or an amount comes without costs.
        DataError
            If a cost or amount is not a finite number in every row.
        """
        columns = names(by)
        for name in columns:
            _known(frame, name)
        if amount is not None and not cost:
            raise ConfigError("--amount says what costs are multiplied by; name them with --cost FP=..,FN=..")
        amounts = None if amount is None else _numbers(frame, amount)
        return cls(columns, _costs(frame, cost) if cost else None, amounts, lift, permutations)

    def show(self, judged: Judged, screen: Screen, pictures: Path | None) -> dict[str, Any]:
        """Judge, tell a person, draw into the folder `pictures`, and return what a program gets."""
        found: dict[str, Any] = {}
        if self.by:
            found["slices"] = judged.slices(self.by)
        if self.lift:
            found["lift"] = judged.lift()
        if self.costs is not None:
            found["thresholds"] = judged.thresholds(self.costs, self.amounts)
            found["profit"] = judged.profit(self.costs, self.amounts)
        if self.permutations is not None:
            found["permutations"] = judged.permutations(self.permutations)
        for name, result in found.items():
            screen.heading(name)
            screen.say(str(result))
        if pictures is not None and found:
            from plait.report.value_curves import draw_value

            for path in draw_value(pictures, lift=found.get("lift"), profit=found.get("profit")):
                screen.note(f"drew {path}")
        return {name: result.to_json() for name, result in found.items()}


def _costs(frame: pd.DataFrame | Stream, given: Sequence[str]) -> Costs:
    from plait.metrics.value import Costs

    said = keyed("cost", [entry.strip() for each in given for entry in each.split(",") if entry.strip()])
    for name in said:
        if name.upper() not in OUTCOMES:
            raise unknown("outcome in --cost", name, OUTCOMES)
    costs = {name.upper(): _number(text, frame) for name, text in said.items()}
    if missing := [name for name in ("FP", "FN") if name not in costs]:
        raise ConfigError(f"--cost lacks {missing[0]}; write --cost FP=1,FN=5, what a false alarm and a miss cost")
    return Costs(**{OUTCOMES[name]: cost for name, cost in costs.items()})


def _number(text: str, frame: pd.DataFrame | Stream) -> float | npt.NDArray[np.float64]:
    try:
        return float(text)
    except ValueError:
        return _numbers(frame, text)


def _numbers(frame: pd.DataFrame | Stream, name: str) -> npt.NDArray[np.float64]:
    import numpy as np
    import pandas as pd

    _known(frame, name)
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    if wrong := int((~np.isfinite(values)).sum()):
        raise DataError(f"column {name!r} is no finite number in {wrong} row(s); mend them to count money by it")
    return values


def _known(frame: pd.DataFrame | Stream, name: str) -> None:
    if name not in frame.columns:
        raise unknown("column", name, frame.columns)
