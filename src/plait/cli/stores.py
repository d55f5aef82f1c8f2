"""Stores of keys and audits on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import typer

from plait.errors import ConfigError, MissingExtraError

__all__ = ["Store", "installed", "moment_of"]

Store: TypeAlias = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="PLAIT_STORE",
        help="A file, sqlite:///FILE, or postgresql://...; best in PLAIT_STORE, where it has a password.",
    ),
]


@contextmanager
def installed() -> Iterator[None]:
    """Around imports of the rooms of serving.

    Raises
    ------
    MissingExtraError
        If a library of the extra ``serve`` is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{error.name} is not installed; pip install 'plait[serve]'") from None


def moment_of(option: str, told: str) -> datetime:
    """A date or a time, UTC where no zone is given.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        raise ConfigError(f"--{option} {told!r} is no date; write it as in 2026-01-31 or 2026-01-31T09:30") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
