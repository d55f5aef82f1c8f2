"""Events from standard input, outcomes to standard output."""

from __future__ import annotations

import os
import select
import sys
import time
from collections import deque
from collections.abc import Sequence

from plait.contracts import Json
from plait.errors import DataError
from plait.serving.stream.addresses import Address
from plait.serving.stream.parts import Outgoing, Raw, Read

__all__ = ["PipeSink", "PipeSource"]

CHUNK = 1 << 18  # bytes taken at a time; what is not taken fills the pipe, and its writer waits


class PipeSource:
    """Lines of standard input, to its end.

    A pipe has no position: events that were read and not committed when the worker was killed are gone with it. Send
    again what has no outcome; what has one is known by its id.
    """

    name = "pipe"
    unit = "lines"

    def __init__(self, address: Address, *, follow: bool, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pipe = sys.stdin.buffer.fileno()
        self._rest = b""
        self._over = False  # the line that is being read is too large, and its rest is not kept
        self._ready: deque[Raw] = deque()
        self._ended = False

    def begin(self, position: Json, reader: str) -> None:
        """Nothing: a pipe is where it is."""

    def read(self, most: int, wait: float) -> Read:
        until = time.monotonic() + wait
        while len(self._ready) < most and not self._ended:
            left = 0.0 if self._ready else max(0.0, until - time.monotonic())
            if not select.select([self._pipe], [], [], left)[0]:
                break
            self._take(os.read(self._pipe, CHUNK))
        events = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        return Read(events, None, self._ended and not self._ready)

    def _take(self, chunk: bytes) -> None:
        *lines, rest = (self._rest + chunk).split(b"\n")
        if not chunk:
            self._ended = True
            lines, rest = [rest], b""
        for line in lines:
            if self._over or len(line) > self._max_bytes:
                self._ready.append(Raw(line[: self._max_bytes], fault="too_large"))
                self._over = False
            elif line.strip():
                self._ready.append(Raw(line.rstrip(b"\r")))
        self._over = self._over or len(rest) > self._max_bytes
        self._rest = rest[: self._max_bytes]

    def done(self) -> None:
        """Nothing: a pipe does not ask."""

    def behind(self) -> int | None:
        return len(self._ready)

    def close(self) -> None:
        """Nothing: standard input is not ours."""


class PipeSink:
    """Lines on standard output.

    What was written cannot be taken back: outcomes that were under way when the worker was killed are written again,
    with the same ``seq``.
    """

    name = "pipe"

    def __init__(self, address: Address) -> None:
        self._pipe = sys.stdout

    def begin(self, mark: Json) -> Json:
        return {}

    def write(self, lines: Sequence[Outgoing]) -> Json:
        try:
            self._pipe.writelines(f"{each.line}\n" for each in lines)
            self._pipe.flush()
        except BrokenPipeError:
            raise DataError("nobody reads standard output any more; what is not delivered is kept") from None
        return {}

    def close(self) -> None:
        """Nothing: standard output is not ours."""
