"""Events in a Redis stream, read by a consumer group, and outcomes in another, each once also after a crash."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from plait.contracts import Json
from plait.errors import ConfigError, DataError, MissingExtraError
from plait.serving.stream.addresses import Address
from plait.serving.stream.parts import Outgoing, Raw, Read

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["RedisSink", "RedisSource", "connected", "reachable"]

FIELD = b"event"  # of an entry: the event as JSON
CHUNK = 500  # entries sent at once
PATIENCE = 30.0  # seconds for an answer: a server that is gone without a word is an error, too


def connected(address: Address) -> Redis:
    """A connection that was tried.

    Raises
    ------
    MissingExtraError
        If redis is not installed.
    DataError
        If nobody answers.
    """
    try:
        from redis import Redis
    except ImportError:
        raise MissingExtraError("redis:// needs redis: pip install 'plait[serve]'") from None
    server: Redis = Redis.from_url(address.server, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
    with reachable(address):
        server.ping()
    return server


@contextmanager
def reachable(address: Address) -> Iterator[None]:
    """What Redis refuses as errors of one line.

    Raises
    ------
    DataError
        If it cannot be reached, or says no.
    """
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        raise DataError(f"{address.shown}: Redis says: {' '.join(str(error).split())[:200]}") from None


class RedisSource:
    """Entries of a stream, each with the event as JSON in the field ``event``, by a consumer group.

    A worker first takes what it had read and not committed before it was killed, then, of readers of the group that
    have not answered for ``idle`` seconds, what they left behind (XAUTOCLAIM), then what is new. Entries are
    acknowledged after the commit; one that comes a second time is known by its id.
    """

    name = "redis"
    unit = "entries"

    def __init__(self, address: Address, *, follow: bool, max_bytes: int) -> None:
        self._address, self._follow, self._max_bytes = address, follow, max_bytes
        try:
            self._idle = int(1000 * float(address.options["idle"]))
        except ValueError:
            raise ConfigError(f"{address.shown}: idle={address.options['idle']} is no number of seconds") from None
        self._group = address.options["group"]
        self._server: Any = connected(address)
        self._reader = ""
        self._own: str | bytes | None = "0"  # where our own entries go on that were read before; None: no more of them
        self._claimed: bytes = b"0-0"  # up to where others' were looked at
        self._asked = -float("inf")  # when others' were asked for last
        self._read: list[bytes] = []

    def begin(self, position: Json, reader: str) -> None:
        from redis.exceptions import ResponseError

        self._reader = reader
        with reachable(self._address):
            try:
                self._server.xgroup_create(self._address.name, self._group, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def read(self, most: int, wait: float) -> Read:
        with reachable(self._address):
            found = self._left(most) or self._abandoned(most) or self._new(most, wait)
        self._read = [key for key, _ in found]
        return Read([self._raw(*each) for each in found], None, not found and not self._follow)

    def _left(self, most: int) -> list[tuple[bytes, Any]]:
        """What this reader had read and not committed."""
        if self._own is None:
            return []
        found = self._entries(self._own, most, None)
        self._own = found[-1][0] if found else None
        return found

    def _abandoned(self, most: int) -> list[tuple[bytes, Any]]:
        """What readers that are gone had read."""
        now = time.monotonic()
        if now - self._asked < self._idle / 2000:
            return []
        stream, group = self._address.name, self._group
        self._claimed, found, *gone = self._server.xautoclaim(
            stream, group, self._reader, self._idle, self._claimed, count=most
        )
        found = [*found, *((key, None) for keys in gone for key in keys)]
        if not found and self._claimed == b"0-0":  # seen to the end
            self._asked = now
        return found

    def _new(self, most: int, wait: float) -> list[tuple[bytes, Any]]:
        return self._entries(">", most, int(1000 * wait) if self._follow else None)

    def _entries(self, start: str | bytes, most: int, block: int | None) -> list[tuple[bytes, Any]]:
        streams = {self._address.name: start}
        answer = self._server.xreadgroup(self._group, self._reader, streams, count=most, block=block)
        return list(answer[0][1]) if answer else []

    def _raw(self, key: bytes, fields: Any) -> Raw:
        name = f"{self._address.name}@{key.decode()}"
        if not fields:
            return Raw(b"", name, "trimmed")
        body = fields.get(FIELD, b"")
        return Raw(body[: self._max_bytes], name, "too_large" if len(body) > self._max_bytes else "")

    def done(self) -> None:
        if self._read:
            with reachable(self._address):
                self._server.xack(self._address.name, self._group, *self._read)
            self._read = []

    def behind(self) -> int | None:
        with reachable(self._address):
            for group in self._server.xinfo_groups(self._address.name):
                if group["name"].decode() == self._group:
                    lag = group.get("lag")
                    return None if lag is None else int(lag)
        return None

    def close(self) -> None:
        self._server.close()


class RedisSink:
    """Entries of a stream, each with the outcome as JSON in the field ``event``.

    Their ids are numbered after the outcomes (``BASE + seq``-1), and Redis takes ids in rising order only: what is
    there already is not added again.
    """

    name = "redis"

    def __init__(self, address: Address) -> None:
        self._address = address
        self._server: Any = connected(address)
        self._base = 0
        self._last = 0

    def begin(self, mark: Json) -> Json:
        with reachable(self._address):
            there = self._server.exists(self._address.name)
            last = self._server.xinfo_stream(self._address.name)["last-generated-id"] if there else b"0-0"
        self._last = int(last.partition(b"-")[0])  # also of a stream that was read and emptied
        self._base = self._last if mark is None else mark["base"]
        return {"base": self._base}

    def write(self, lines: Sequence[Outgoing]) -> Json:
        from redis.exceptions import RedisError

        new = [each for each in lines if self._base + each.seq > self._last]
        with reachable(self._address):
            if len(new) < len(lines):
                self._only_ours(lines)
            for start in range(0, len(new), CHUNK):
                pipe = self._server.pipeline(transaction=True)
                for each in new[start : start + CHUNK]:
                    pipe.xadd(self._address.name, {FIELD: each.line}, id=f"{self._base + each.seq}-1")
                for answer in pipe.execute(raise_on_error=False):  # what is raised on error shows the outcome
                    if isinstance(answer, RedisError):
                        raise answer
        if new:
            self._last = self._base + new[-1].seq
        return {"base": self._base}

    def _only_ours(self, lines: Sequence[Outgoing]) -> None:
        """Refuse a stream in which entries of others stand where these lines should; some may be read and gone."""
        ours = {f"{self._base + each.seq}-1".encode(): each.line.encode() for each in lines}
        first, last = self._base + lines[0].seq, self._base + lines[-1].seq
        found = self._server.xrange(self._address.name, min=f"{first}-0", count=len(lines) + 1)
        if self._last > last or any(ours.get(key) != fields.get(FIELD) for key, fields in found):
            raise DataError(
                f"{self._address.shown}: entries of others stand among the outcomes, which hides some; give a stream "
                "that nobody else writes to (what is not delivered is kept)"
            )

    def close(self) -> None:
        self._server.close()
