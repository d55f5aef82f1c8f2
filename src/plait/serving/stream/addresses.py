"""Where events come from and go to, as it is written: a path, - for a pipe, or redis://host/db/stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from plait.errors import ConfigError, unknown

__all__ = ["Address"]

SCHEMES = {"redis": "redis", "rediss": "redis", "file": "file"}  # rediss: over TLS


@dataclass(frozen=True)
class Address:
    """One address, taken apart.

    Parameters
    ----------
    kind
        Name of the part in the registry: file, pipe or redis.
    shown
        What may be shown and kept: without a password.
    path
        Of a file.
    server
        Of Redis: the URL of the server and database, with what is needed to log in.
    name
        Of Redis: the stream, or the name of the state.
    options
        What stands behind the question mark.
    """

    kind: str
    shown: str
    path: Path = Path()
    server: str = field(default="", repr=False)
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, said: str, allowed: Mapping[str, str] | None = None) -> Self:
        """Take an address apart.

        Parameters
        ----------
        allowed
            Options that may stand behind the question mark, and what they are if they do not.

        Raises
        ------
        ConfigError
            If the scheme or an option is unknown, or a Redis address names no stream.
        """
        if said == "-":
            return cls("pipe", "-")
        scheme = said.partition("://")[0] if "://" in said else "file"
        if scheme not in SCHEMES:
            raise unknown("kind of address", f"{scheme}://", [f"{name}://" for name in SCHEMES] + ["-", "PATH"])
        if SCHEMES[scheme] == "file":
            path = Path(unquote(urlsplit(said).path) if "://" in said else said)
            return cls("file", str(path.absolute()), path)
        parts = urlsplit(said)
        place = [unquote(part) for part in parts.path.split("/") if part]
        base = place.pop(0) if place and place[0].isdigit() else "0"
        if not place or not parts.hostname:
            raise ConfigError(f"{scheme}://{parts.hostname or ''}...: write {scheme}://HOST:PORT/DB/NAME")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        for option in given:
            if option not in (allowed or {}):
                raise unknown("option of the address", option, allowed or {})
        name, host = "/".join(place), f"{parts.hostname}:{parts.port or 6379}"
        server = f"{scheme}://{parts.netloc}/{base}"
        return cls("redis", f"{scheme}://{host}/{base}/{name}", Path(), server, name, {**(allowed or {}), **given})

    @property
    def dead(self) -> Address:
        """Where dead letters go if nobody says where.

        Raises
        ------
        ConfigError
            For a pipe.
        """
        if self.kind == "pipe":
            raise ConfigError("a pipe has no place for dead letters; name one by --dead PATH")
        path, name = Path(f"{self.path}.dead"), f"{self.name}.dead"
        return Address(self.kind, f"{self.shown}.dead", path, self.server, name, self.options)
