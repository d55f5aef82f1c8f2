"""Gates: conditions that a run must meet, and how it ends where it does not."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from plait.cli.screen import Screen
from plait.errors import ConfigError

__all__ = ["REFUSED", "Favourable", "RequireFair", "check_least", "refuse"]

REFUSED = 3  # exit code: all went well, but a gate that was asked for says no

RequireFair: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="0.8", help="Refuse a model whose four-fifths ratio is below this for a sensitive column."),
]
Favourable: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CLASS", help="The class that is good for a person; by default the first of two.")
]


def check_least(least: float | None) -> None:
    """Before any work: can the gate be met at all?

    Raises
    ------
    ConfigError
        If it is no ratio.
    """
    if least is not None and not 0 < least <= 1:
        raise ConfigError(f"--require-fair {least:g} is out of range; a ratio is above 0 and at most 1, as in 0.8")


def refuse(screen: Screen, why: str) -> None:
    """End with `REFUSED` and one line, if there is a reason to."""
    if why:
        screen.note(f"refused: {why}")
        raise typer.Exit(REFUSED)
