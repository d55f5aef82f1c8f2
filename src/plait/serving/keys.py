"""API keys: who may ask for what, how much of it, and until when.

A token is ``plait_<id>_<secret>`` with 32 random bytes in hexadecimal as its secret. The store keeps the SHA-256 of a
secret alone: one that nobody can guess needs no slow hash, which is for passwords.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, or_, select, update

from plait import registry
from plait.contracts import Desk
from plait.errors import ConfigError, unknown
from plait.serving.audit.chain import append, moment
from plait.serving.audit.entry import Entry, seal
from plait.serving.store import KEYS, SECRETS, open_store, reading, said, writing

__all__ = ["SCOPES", "Key", "Keys", "check_scopes"]

SCOPES: Final = ("*", "explain", "feedback", "metrics", "models", "predict")
"""What a key may be for, beside ``desk:<desk>`` and ``desk:<desk>.<operation>``; ``*`` is all of it."""

FRESH_S: Final = 1.0  # how long an answer of the store is believed: a revoked key works no longer than that
REMEMBERED: Final = 4_096  # tokens
ID: Final = re.compile(r"[0-9a-f]{12}")
TOKEN: Final = re.compile(r"plait_([0-9a-f]{12})_([0-9a-f]{64})")
LONGEST: Final = 200  # characters of a name


@dataclass(frozen=True)
class Key:
    """A key without its secret.

    Parameters
    ----------
    id
        12 hexadecimal digits: what logs and the audit call it.
    name
        Whose it is, or what for.
    scopes
        What it may be used for.
    rate, burst
        Requests a second, and how many at once.
    max_bytes, max_rows
        The largest request in bytes and rows; None: what the service allows.
    expires
        When it ends, UTC; None: never.
    revoked
        Whether it was ended before.
    created
        When it was made, UTC.
    used
        The day of its last use, ``2026-01-31``; None: never used.
    """

    id: str
    name: str
    scopes: frozenset[str]
    rate: float
    burst: int
    max_bytes: int | None
    max_rows: int | None
    expires: datetime | None
    revoked: bool
    created: datetime
    used: str | None

    def may(self, scope: str) -> bool:
        """Whether its scopes hold `scope`: itself, ``*``, or for ``desk:credit.decide`` the whole desk's."""
        return not self.scopes.isdisjoint(("*", scope, scope.partition(".")[0]))

    @property
    def expired(self) -> bool:
        """Whether it has ended by itself."""
        return self.expires is not None and self.expires <= datetime.now(UTC)

    def to_json(self) -> dict[str, Any]:
        """The same for `json.dumps`."""
        times = {"created": moment(self.created), "expires": self.expires and moment(self.expires)}
        return {**self.__dict__, "scopes": sorted(self.scopes), **times}


class Keys:
    """The keys of a store. Made by `open`; every change is an ``event`` in the audit of the same store.

    Parameters
    ----------
    engine
        As `open_store` gives it.
    fresh_s
        How long an answer of the store is believed, in seconds.
    """

    def __init__(self, engine: Engine, fresh_s: float = FRESH_S) -> None:
        self._engine, self._fresh_s = engine, fresh_s
        self._known: dict[bytes, tuple[Key | None, float]] = {}
        self._lock = Lock()

    @classmethod
    def open(cls, url: str | os.PathLike[str], *, make: bool = True) -> Keys:
        """Open the keys of a store, and make its tables on first use.

        Parameters
        ----------
        url, make
            As `open_store` takes them.

        Raises
        ------
        ConfigError, MissingExtraError, UnavailableError
            As `open_store` does.
        """
        return cls(open_store(url, make=make))

    def close(self) -> None:
        """Close the connections to the store."""
        self._engine.dispose()

    def check(self, token: str) -> Key | None:
        """The key of a token that holds: neither wrong, nor revoked, nor expired.

        How long it takes does not tell how much of a secret is right. Asks the store at most once a second a token.

        Raises
        ------
        UnavailableError
            If the store cannot be asked.
        """
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        now = time.monotonic()
        with self._lock:
            key, until = self._known.get(digest, (None, -math.inf))
        if now >= until:
            key = self._ask(token)
            with self._lock:
                if len(self._known) >= REMEMBERED:
                    self._known.pop(next(iter(self._known)))
                self._known.pop(digest, None)  # the newest stands last
                self._known[digest] = key, now + self._fresh_s
        return None if key is not None and key.expired else key

    def _ask(self, token: str) -> Key | None:
        parts = TOKEN.fullmatch(token)
        if parts is None:
            return None
        now = datetime.now(UTC)
        given = _digest(parts[2])
        valid = or_(SECRETS.c.until.is_(None), SECRETS.c.until > moment(now))
        with said(self._engine), reading(self._engine) as connection:
            row = connection.execute(select(KEYS).where(KEYS.c.id == parts[1], KEYS.c.revoked.is_(None))).first()
            held = connection.execute(select(SECRETS.c.digest).where(SECRETS.c.key == parts[1], valid)).scalars().all()
        right = [compare_digest(given, each) for each in held]
        if row is None or not any(right):
            return None
        today = now.date().isoformat()
        if row.used != today:
            with said(self._engine), writing(self._engine) as connection:
                connection.execute(update(KEYS).where(KEYS.c.id == row.id).values(used=today))
        return _key(row)

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        rate: float = 50,
        burst: int | None = None,
        max_bytes: int | None = None,
        max_rows: int | None = None,
        expires: datetime | None = None,
    ) -> tuple[Key, str]:
        """Make a key: the key, and its token, which is never shown again.

        Parameters
        ----------
        burst
            None: what comes in a second at `rate`, at least 1.
        name, scopes, rate, max_bytes, max_rows, expires
            As in `Key`; a time without a zone is UTC.

        Raises
        ------
        ConfigError
            If a scope is unknown or a limit out of range.
        UnavailableError
            If the store cannot be written to.
        """
        chosen = check_scopes(scopes)
        burst = max(1, math.ceil(rate)) if burst is None and math.isfinite(rate) else burst or 0
        if not (0 < len(name) <= LONGEST and name.isprintable()):
            raise ConfigError(f"a key's name has 1 to {LONGEST} printable characters; say whose it is or what for")
        if not (math.isfinite(rate) and rate > 0 and burst >= 1):
            raise ConfigError(f"rate {rate:g} and burst {burst} are requests a second and at once; give more than 0")
        for told, most in (("max_bytes", max_bytes), ("max_rows", max_rows)):
            if most is not None and most < 1:
                raise ConfigError(f"{told} {most} would refuse every request; give 1 or more")
        now = datetime.now(UTC)
        identity = secrets.token_hex(6)
        row = {
            "name": name,
            "scopes": " ".join(chosen),
            "rate": rate,
            "burst": burst,
            "max_bytes": max_bytes,
            "max_rows": max_rows,
            "created": moment(now),
            "expires": None if expires is None else moment(expires),
        }
        with said(self._engine), writing(self._engine) as connection:
            connection.execute(insert(KEYS).values(id=identity, **row))
            secret = _secret(connection, identity)
            _record(connection, "key created", identity, row)
        return self[identity], f"plait_{identity}_{secret}"

    def rotate(self, id: str, overlap_s: float = 0.0) -> str:
        """Give a key another secret: the new token, which is never shown again.

        Parameters
        ----------
        overlap_s
            How long the old token goes on working, in seconds.

        Raises
        ------
        ConfigError
            If there is no such key, it has ended, or the overlap is negative.
        """
        if not (math.isfinite(overlap_s) and overlap_s >= 0):
            raise ConfigError(f"overlap {overlap_s:g} s is out of range; give 0 or more seconds")
        key = self[id]
        if key.revoked or key.expired:
            ended = "is revoked" if key.revoked else "has expired"
            raise ConfigError(f"key {id} {ended} and cannot be rotated; create another")
        now = datetime.now(UTC)
        until = moment(now + timedelta(seconds=overlap_s))
        with said(self._engine), writing(self._engine) as connection:
            connection.execute(delete(SECRETS).where(SECRETS.c.key == id, SECRETS.c.until <= moment(now)))
            unending = or_(SECRETS.c.until.is_(None), SECRETS.c.until > until)
            connection.execute(update(SECRETS).where(SECRETS.c.key == id, unending).values(until=until))
            secret = _secret(connection, id)
            _record(connection, "key rotated", id, {"old_until": until})
        return f"plait_{id}_{secret}"

    def revoke(self, id: str) -> Key:
        """End a key, for all processes within a second: the key as it is now.

        Raises
        ------
        ConfigError
            If there is no such key.
        """
        if not self[id].revoked:
            with said(self._engine), writing(self._engine) as connection:
                connection.execute(update(KEYS).where(KEYS.c.id == id).values(revoked=moment(datetime.now(UTC))))
                connection.execute(delete(SECRETS).where(SECRETS.c.key == id))
                _record(connection, "key revoked", id, {})
        with self._lock:
            self._known.clear()
        return self[id]

    def list(self) -> tuple[Key, ...]:
        """All keys, the oldest first, those that ended among them."""
        with said(self._engine), reading(self._engine) as connection:
            return tuple(map(_key, connection.execute(select(KEYS).order_by(KEYS.c.created, KEYS.c.id)).all()))

    def __getitem__(self, id: str) -> Key:
        """The key of an id.

        Raises
        ------
        ConfigError
            If there is none.
        """
        row = None
        if ID.fullmatch(id):
            with said(self._engine), reading(self._engine) as connection:
                row = connection.execute(select(KEYS).where(KEYS.c.id == id)).first()
        if row is None:
            raise ConfigError("no key has this id; plait keys list shows them")
        return _key(row)


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes in order, once each.

    Raises
    ------
    ConfigError
        If there are none, or one is unknown.
    """
    chosen = tuple(sorted(set(scopes)))
    if not chosen:
        raise ConfigError(f"a key without a scope opens nothing; give some of {', '.join(SCOPES)}, desk:<desk>")
    allowed = [*SCOPES, *(f"desk:{name}" for name in registry.names("desks"))]
    for scope in chosen:
        door, dot, operation = scope.partition(".")
        if door not in allowed or (dot and door in SCOPES):
            raise unknown("scope", scope, allowed)
        if dot:
            desk: Desk = registry.get("desks", door.partition(":")[2])
            desk[operation]
    return chosen


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _secret(connection: Connection, id: str) -> str:
    """A new secret of a key; the store has its digest alone."""
    secret = secrets.token_hex(32)
    connection.execute(insert(SECRETS).values(digest=_digest(secret), key=id))
    return secret


def _record(connection: Connection, event: str, id: str, told: Mapping[str, Any]) -> None:
    append(connection, [seal(Entry("event", {**told, "event": event, "key": id}))])


def _key(row: Any) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        scopes=frozenset(row.scopes.split()),
        rate=row.rate,
        burst=row.burst,
        max_bytes=row.max_bytes,
        max_rows=row.max_rows,
        expires=None if row.expires is None else datetime.fromisoformat(row.expires),
        revoked=row.revoked is not None,
        created=datetime.fromisoformat(row.created),
        used=row.used,
    )
