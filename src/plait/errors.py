"""Every error that Plait raises on purpose.

::

    PlaitError
    ├── InputError (also ValueError)     the user's input: exit code 2
    │   ├── RowError                     one of the rows that cannot be used
    │   ├── DataError                    a file or frame that cannot be used
    │   ├── SchemaError                  roles, modalities or options that do not fit the data
    │   ├── ConfigError                  an unknown name or an option out of range
    │   └── ArtifactError                a saved model that is damaged, hostile, or too new
    ├── ServiceError                     a service that was asked refuses, or cannot be reached: exit code 2
    └── MissingExtraError (also ImportError)   an optional library is not installed: exit code 2

A message is one line: what was wrong, where, what is allowed, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "InputError",
    "MissingExtraError",
    "PlaitError",
    "RowError",
    "SchemaError",
    "ServiceError",
    "unknown",
]


class PlaitError(Exception):
    """Root of the tree: catch this to catch everything Plait raises on purpose."""


class InputError(PlaitError, ValueError):
    """What the user gave cannot be used."""


class RowError(InputError):
    """A row cannot be used: the message is `before`, the place of the `row`, `after`."""

    def __init__(self, before: str, row: int, after: str) -> None:
        super().__init__(f"{before}{row}{after}")
        self.before, self.row, self.after = before, row, after

    def among(self, rows: Sequence[int], told: str) -> RowError:
        """The same, introduced by more words, where what was given are these of more rows."""
        return RowError(told + self.before, rows[self.row], self.after)


class DataError(InputError):
    """A file or frame cannot be read, or holds what no model can be fitted on."""


class SchemaError(InputError):
    """The schema and the data do not fit together."""


class ConfigError(InputError):
    """A name is unknown or an option is outside its range."""


class ArtifactError(InputError):
    """A saved model is damaged, hostile, or was written by a newer version."""


class ServiceError(PlaitError):
    """A service refuses what it was asked, or cannot be reached.

    Parameters
    ----------
    message
        One line.
    status
        Its HTTP status; None where there was no answer.
    code
        The stable name of the error (``"too_many_requests"``).
    request
        The id under which the service's log knows the request.
    where
        Places in the request that are wrong: ``row``, ``column`` and ``message``, as far as each is known.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None,
        code: str,
        request: str,
        where: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.request, self.where = status, code, request, tuple(where)


class MissingExtraError(PlaitError, ImportError):
    """An optional library is missing; the message names the extra to install."""


def unknown(what: str, name: object, choices: Iterable[str]) -> ConfigError:
    """Make the error for a name that is not one of `choices`, with the nearest one suggested.

    Parameters
    ----------
    what
        What kind of thing was named, for the message (``"fusion"``, ``"column"``).
    name
        What the user wrote.
    choices
        What would have been allowed; at most 12 are listed.
    """
    known = sorted(choices)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return ConfigError(f"unknown {what} {str(name)!r}{hint} (allowed: {listed or 'none'})")
