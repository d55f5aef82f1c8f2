"""The state of a stream in Redis: a script changes all of it at once, and refuses a worker that was replaced."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from plait.errors import DataError
from plait.serving.stream.addresses import Address
from plait.serving.stream.parts import Outgoing, Saved, Step
from plait.serving.stream.redis_streams import connected, reachable

__all__ = ["RedisState"]

PAGE = 256  # segments read at once
KEYS: Final = ("owner", "saved", "segments", "seen", "dead", "outgoing")
COMMIT: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('REPLACED') end
if tonumber(ARGV[3]) > 0 then redis.call('LTRIM', KEYS[3], ARGV[3], -1) end
if ARGV[4] ~= '' then redis.call('RPUSH', KEYS[3], ARGV[4]) end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', '(' .. ARGV[5])) do redis.call('SREM', KEYS[5], id) end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', ARGV[6])
local at, seen = 8, tonumber(ARGV[7])
for _ = 1, seen do
  redis.call('ZADD', KEYS[4], ARGV[at + 1], ARGV[at])
  if ARGV[at + 2] == '1' then redis.call('SADD', KEYS[5], ARGV[at]) else redis.call('SREM', KEYS[5], ARGV[at]) end
  at = at + 3
end
while at <= #ARGV do
  redis.call('ZADD', KEYS[6], ARGV[at], ARGV[at + 1])
  at = at + 2
end
redis.call('SET', KEYS[2], ARGV[2])
return 'OK'
"""


class RedisState:
    """State under keys ``plait:{NAME}:...``; the worker that opened it last owns it.

    What Redis has acknowledged survives the worker. To survive Redis itself, it must append to its file at every write
    (``appendonly yes``, ``appendfsync always``); with ``everysec`` up to a second of work is done again.
    """

    name = "redis"

    def __init__(self, address: Address) -> None:
        self._address = address
        self._server: Any = connected(address)
        self._keys = [f"plait:{{{address.name}}}:{key}" for key in KEYS]
        self._at = dict(zip(KEYS, self._keys, strict=True))
        self._owner = uuid.uuid4().hex
        self._commit = self._server.register_script(COMMIT)

    def own(self) -> None:
        with reachable(self._address):
            self._server.set(self._at["owner"], self._owner)

    @property
    def saved(self) -> Saved | None:
        with reachable(self._address):
            told = self._server.get(self._at["saved"])
        return None if told is None else Saved(**json.loads(told))

    def segments(self) -> Iterator[bytes]:
        start = 0
        while True:
            with reachable(self._address):
                page = self._server.lrange(self._at["segments"], start, start + PAGE - 1)
            yield from page
            start += len(page)
            if len(page) < PAGE:
                return

    def outgoing(self) -> list[Outgoing]:
        with reachable(self._address):
            kept = self._server.zrange(self._at["outgoing"], 0, -1, withscores=True)
        return [Outgoing(int(seq), line[:1] == b"d", line[1:].decode()) for line, seq in kept]

    def known(self, ids: Sequence[str]) -> dict[str, bool]:
        if not ids:
            return {}
        with reachable(self._address):
            there = self._server.zmscore(self._at["seen"], ids)
            dead = self._server.smismember(self._at["dead"], ids)
        return {id: bool(d) for id, score, d in zip(ids, there, dead, strict=True) if score is not None}

    def commit(self, step: Step) -> None:
        told = json.dumps(asdict(step.saved))
        arguments: list[Any] = [self._owner, told, step.drop, step.segment or b"", repr(step.forget), step.delivered]
        arguments.append(len(step.seen))
        for each in step.seen:
            arguments += (each.id, repr(each.time), int(each.dead))
        for line in step.outgoing:
            arguments += (line.seq, ("d" if line.dead else "o") + line.line)
        from redis.exceptions import ResponseError

        with reachable(self._address):
            try:
                self._commit(self._keys, arguments)
            except ResponseError as error:
                if "REPLACED" not in str(error):
                    raise
                raise DataError(f"{self._address.shown}: another worker took over this state") from None

    def size(self) -> int:
        with reachable(self._address):
            return sum(self._server.memory_usage(key, samples=0) or 0 for key in self._keys)

    def close(self) -> None:
        self._server.close()
