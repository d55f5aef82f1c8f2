"""What rooms check alike: the options of their one column, and the version of their saved state."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from plait.contracts import Json, Source, State
from plait.errors import ArtifactError, unknown

__all__ = ["column_options", "refuse_newer"]


def column_options(source: Source, allowed: Collection[str]) -> Mapping[str, Json]:
    """The options of a source's only column.

    Raises
    ------
    ConfigError
        If one of them is not among `allowed`.
    """
    (column,) = source.columns
    options = source.options.get(column, {})
    for key in options:
        if key not in allowed:
            raise unknown(f"option of column {column!r}", key, allowed)
    return options


def refuse_newer(source: Source, state: State, known: int) -> None:
    """Refuse a state that a later version of its room wrote.

    Raises
    ------
    ArtifactError
        If its version is above `known`.
    """
    if state.version > known:
        told = f"version {state.version}, known: {known}"
        raise ArtifactError(f"source {source.name!r} was saved by a newer plait ({told}); update plait")
