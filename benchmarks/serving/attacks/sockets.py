"""Callers who do not keep to the rules of a connection: bodies too large, too slow, or never ending."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Answered", "chunked", "dripping", "exchange", "head", "oversized", "unfinished"]


@dataclass(frozen=True)
class Answered:
    """What a socket answered, and after how many seconds and bytes of a body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    seconds: float = 0.0
    sent: int = 0

    @property
    def code(self) -> str:
        """The code of the error that is answered."""
        return str(json.loads(self.content)["error"]["code"])


def head(url: str, key: str | None, *lines: str, path: str = "/v1/predict") -> bytes:
    """The head of a request with a JSON body."""
    where = urlsplit(url)
    told = [f"POST {path} HTTP/1.1", f"Host: {where.netloc}", "Content-Type: application/json", *lines]
    told += [f"Authorization: Bearer {key}"] if key else []
    return ("\r\n".join(told) + "\r\n\r\n").encode("latin-1")


def exchange(url: str, first: bytes, rest: Iterator[bytes], *, pause_s: float = 0.0, limit_s: float = 60.0) -> Answered:
    """Send the first bytes, then the rest piece by piece until there is an answer; status 0: there was none."""
    where = urlsplit(url)
    begin, sent, answer = time.perf_counter(), 0, b""
    with socket.create_connection((where.hostname or "", where.port or 80), timeout=limit_s) as line:
        line.sendall(first)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in rest:
                line.sendall(piece)
                sent += len(piece)
                line.settimeout(max(pause_s, 0.001))
                with contextlib.suppress(TimeoutError):
                    answer += line.recv(65_536)
                line.settimeout(limit_s)
                if answer or time.perf_counter() - begin > limit_s:
                    break
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while not _whole(answer) and (more := line.recv(65_536)):
                answer += more
    return _parsed(answer, time.perf_counter() - begin, sent)


def _whole(answer: bytes) -> bool:
    told, mark, content = answer.partition(b"\r\n\r\n")
    length = [line for line in told.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(mark and length) and len(content) >= int(length[0].split(b":")[1])


def _parsed(answer: bytes, seconds: float, sent: int) -> Answered:
    told, _, content = answer.partition(b"\r\n\r\n")
    first, *lines = told.decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1.1 "):
        return Answered(0, {}, answer, seconds, sent)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answered(int(first.split()[1]), headers, content, seconds, sent)


def oversized(url: str, key: str | None, length: int) -> Answered:
    """A body that is said to be large, and of which nothing comes."""
    return exchange(url, head(url, key, f"Content-Length: {length}"), iter(()))


def chunked(url: str, key: str | None, length: int, piece: int = 1 << 16) -> Answered:
    """A body that does not say how large it is, and is; it stops where it is answered."""
    made = b"%x\r\n" % piece + b" " * piece + b"\r\n"
    return exchange(url, head(url, key, "Transfer-Encoding: chunked"), (made for _ in range(length // piece)))


def dripping(url: str, key: str | None, pause_s: float, limit_s: float = 60.0) -> Answered:
    """A body that comes letter by letter."""
    first = head(url, key, "Content-Length: 1000")
    return exchange(url, first, (b" " for _ in range(1000)), pause_s=pause_s, limit_s=limit_s)


def unfinished(url: str, limit_s: float) -> Answered:
    """A request whose head never ends."""
    return exchange(url, b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nX-A: ", iter(()), limit_s=limit_s)
