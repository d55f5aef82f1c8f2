"""Events in a file of JSON lines, and outcomes in another, which holds each once also after a crash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Sequence
from typing import IO

from plait.contracts import Json
from plait.data.files import check_file
from plait.errors import DataError
from plait.serving.stream.addresses import Address
from plait.serving.stream.parts import Outgoing, Raw, Read

__all__ = ["FileSink", "FileSource"]

HEAD = 4096  # bytes at the beginning by which a file is known again
POLL = 0.05  # seconds between two looks at a file that grows


class FileSource:
    """Lines of a file, to its end, or on and on as it grows.

    The position is the offset of the next line, with a digest of the file's first bytes: another file under the same
    name is refused.
    """

    name = "file"
    unit = "bytes"

    def __init__(self, address: Address, *, follow: bool, max_bytes: int) -> None:
        self._path = address.path
        self._follow = follow
        self._max_bytes = max_bytes
        try:
            self._file: IO[bytes] = open(self._path, "rb", buffering=1 << 20)  # noqa: SIM115
        except OSError as error:
            raise DataError(f"events {str(self._path)!r} cannot be read: {error.strerror}") from None
        self._end = None if follow else os.fstat(self._file.fileno()).st_size

    def begin(self, position: Json, reader: str) -> None:
        if position is None:
            return
        offset, size = position["offset"], os.fstat(self._file.fileno()).st_size
        if size < offset or self._digest(offset) != position["head"]:
            raise self._another(offset)
        self._file.seek(offset)

    def read(self, most: int, wait: float) -> Read:
        until = time.monotonic() + wait
        while True:
            events, offset = self._lines(most)
            ended = self._end is not None and offset >= self._end
            if not events and not ended:
                self._same(offset)
            if events or ended or (left := until - time.monotonic()) <= 0:
                return Read(events, {"offset": offset, "head": self._digest(offset)}, ended)
            time.sleep(min(POLL, left))

    def _same(self, offset: int) -> None:
        """Refuse to wait for more of a file that was cut, moved or replaced meanwhile."""
        mine = os.fstat(self._file.fileno())
        try:
            same = os.path.samestat(mine, os.stat(self._path))
        except FileNotFoundError:
            same = False
        if not same or mine.st_size < offset:
            raise self._another(offset)

    def _another(self, offset: int) -> DataError:
        return DataError(
            f"events {str(self._path)!r} is another file than the one that was read up to byte {offset:,}, or was cut; "
            "give that one, or the new one under another name"
        )

    def _lines(self, most: int) -> tuple[list[Raw], int]:
        """Whole lines, and the offset behind them."""
        events: list[Raw] = []
        offset, size = self._file.tell(), self._max_bytes + 1
        while len(events) < most and (self._end is None or offset < self._end):
            line = self._file.readline(size)
            if not line.endswith(b"\n") and len(line) == size:
                skipped = self._skipped()
                if skipped is None:
                    self._file.seek(offset)
                    break
                offset += len(line) + skipped
                events.append(Raw(line[:-1], fault="too_large"))
                continue
            if not line.endswith(b"\n") and (self._follow or not line):
                self._file.seek(offset)  # its writer is not done with it
                break
            offset += len(line)
            if line.strip():
                events.append(Raw(line.rstrip(b"\r\n")))
        return events, offset

    def _skipped(self) -> int | None:
        """Bytes of the rest of a line that is too large; None while it has no end."""
        skipped = 0
        while part := self._file.readline(1 << 16):
            skipped += len(part)
            if part.endswith(b"\n"):
                return skipped
        return None if self._follow else skipped

    def _digest(self, offset: int) -> str:
        return hashlib.sha256(os.pread(self._file.fileno(), min(offset, HEAD), 0)).hexdigest()

    def done(self) -> None:
        """Nothing: the position is in the state."""

    def behind(self) -> int | None:
        return max(0, os.fstat(self._file.fileno()).st_size - self._file.tell())

    def close(self) -> None:
        self._file.close()


class FileSink:
    """Lines at the end of a file.

    The mark is the length of the file. What stands behind it was written by a worker that could not say so any more:
    it is cut off and written again, byte for byte, from what the state keeps.
    """

    name = "file"

    def __init__(self, address: Address) -> None:
        self._path = address.path
        check_file(self._path)
        self._file: IO[bytes] = open(self._path, "ab", buffering=0)  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise DataError(f"{str(self._path)!r} is written by another worker; give each its own file") from None

    def begin(self, mark: Json) -> Json:
        length = os.fstat(self._file.fileno()).st_size
        if mark is None:
            if length and self._last() != b"\n":
                raise DataError(f"{str(self._path)!r} ends in the middle of a line; mend it, or give another file")
            return {"length": length}
        if length < mark["length"]:
            raise DataError(
                f"{str(self._path)!r} has {length:,} bytes, and {mark['length']:,} were written; "
                "put it back, or give another file"
            )
        self._file.truncate(mark["length"])
        return mark

    def _last(self) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read()

    def write(self, lines: Sequence[Outgoing]) -> Json:
        if lines:
            data = memoryview("".join(f"{each.line}\n" for each in lines).encode())
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        return {"length": os.fstat(self._file.fileno()).st_size}

    def close(self) -> None:
        self._file.close()
