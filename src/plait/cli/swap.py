"""``plait swap``: another champion for a model of a shelf, which running services take over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import AsJson
from plait.cli.screen import Screen
from plait.cli.stores import installed

__all__ = ["swap"]


def swap(
    shelf: Annotated[Path, typer.Argument(metavar="SHELF.yaml", help="What `plait serve` serves.")],
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name on the shelf.")],
    champion: Annotated[Path, typer.Option(metavar="PATH", help="The saved model that answers from now on.")],
    version: Annotated[
        str | None, typer.Option(metavar="V", help="What requests call it; by default the digest of its files.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write another champion into a shelf file, in one step.

    Services that serve the shelf load it within about a second and take over without losing a request; what cannot be
    loaded they refuse, and the old champion goes on.
    """
    with installed():
        from plait.serving.swapping import swapped
    screen = Screen(as_json)
    told = swapped(shelf, model, champion, version)
    screen.say(f"{model}: version {told['version']} ({champion}) instead of {told['before']}, in {shelf}")
    screen.result(told)
