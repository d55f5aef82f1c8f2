"""``--on ray``: the same command, by processes of a cluster; its leader's words and exit code come back."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeAlias

import typer

from plait.errors import ConfigError, unknown

__all__ = ["On", "Workers", "check_on", "spread"]

PLACES = ("ray",)
USUAL = 2  # workers where none are asked for

On: TypeAlias = Annotated[
    str | None,
    typer.Option("--on", metavar="ray", help="Work on a Ray cluster: that of RAY_ADDRESS, or one of this machine."),
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Processes that share the work; needs --on.")
]


class _Said(NamedTuple):
    code: int
    out: str
    error: str


def check_on(on: str | None, workers: int | None) -> int:
    """The number of workers; 0: the work is done here.

    Raises
    ------
    ConfigError
        If there is no such place, or workers without one.
    """
    if on is None:
        if workers is not None:
            raise ConfigError("--workers is for a cluster; name it (--on ray), or start processes by torchrun")
        return 0
    if on not in PLACES:
        raise unknown("place to work on", on, PLACES)
    return USUAL if workers is None else workers


def spread(verb: Callable[..., None], given: Mapping[str, Any], workers: int) -> None:
    """Call a verb in as many processes of a cluster, which are one team (`plait.training.team`); say what it says.

    Raises
    ------
    PlaitError
        What the verb raises, or where a worker is lost.
    """
    from plait.cluster import together

    here = {name: value for name, value in given.items() if name not in ("on", "workers")}
    said = together(partial(_heard, verb, here), workers)
    sys.stderr.write(said.error)
    sys.stdout.write(said.out)
    if said.code:
        raise typer.Exit(said.code)


def _heard(verb: Callable[..., None], given: Mapping[str, Any]) -> _Said:
    code = 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as error:
        try:
            verb(**given)
        except typer.Exit as left:
            code = left.exit_code
    return _Said(code, out.getvalue(), error.getvalue())
