"""Where a long fit keeps what it has done, so that it can go on after a crash as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from plait.contracts.crossing import Json, State

__all__ = ["FORGETFUL", "Keep"]


class Keep(Protocol):
    """A named place for the state of one part of a fit; parts within parts have places within places."""

    @property
    def due(self) -> bool:
        """Whether it is time to write again. It goes by the clock, so nothing but writing may depend on it."""

    def claim(self, asked: Mapping[str, Json]) -> None:
        """Say what decides the result of the fit, by name, before anything is read or written.

        Raises
        ------
        ConfigError
            If what is here is of a fit that was asked something else.
        """

    def within(self, name: str) -> Keep:
        """The place of a part; names are unique within a place and the same in every run of the same fit."""

    def read(self) -> State | None:
        """What was written here last; None where nothing was, or nothing that is whole."""

    def write(self, state: State) -> None:
        """Keep a state, whole or not at all, instead of what was here."""


class _Forgetful:
    """Keeps nothing."""

    due = False

    def claim(self, asked: Mapping[str, Json]) -> None:
        pass

    def within(self, name: str) -> Self:
        return self

    def read(self) -> None:
        return None

    def write(self, state: State) -> None:
        pass


FORGETFUL: Keep = _Forgetful()
