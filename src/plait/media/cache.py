"""What was decoded, kept on disk by content: memory-mapped, bounded, safe for any number of processes, without locks.

A *shelf* is a folder of results that were made alike: it is named by the digest of the settings, of the code that
reads, and of the decoders' versions. Every process appends to a segment of its own there, ``<uuid>.seg`` (arrays, end
to end), and to the segment's index ``<uuid>.idx`` (a line a result: key, checksum of the line, what and where). A line
is written after its arrays and counts only with its end, so a reader never sees half of anything; whatever does not fit
its checksum is no result. Segments that nobody read for longest are deleted first; a reader keeps what it has mapped.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import stat
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from hashlib import blake2b
from importlib import metadata
from math import prod
from pathlib import Path
from sys import modules
from typing import Any, TypeAlias
from uuid import uuid4
from zlib import crc32

import numpy as np

from plait.contracts import Array, Json
from plait.errors import ConfigError

__all__ = ["Arrays", "Shelf", "shelf"]

Arrays: TypeAlias = Mapping[str, Array]

BYTES = 4 << 30  # kept in all, unless PLAIT_CACHE_BYTES says otherwise
SEGMENT = 64 << 20  # bytes from which a segment is left and another begun
SEGMENTS = 4096  # kept in all
ALIGNED = 64  # arrays begin at multiples of this
DECODERS = ("numpy", "pillow", "av", "trimesh")


def shelf(read: Callable[..., object], settings: Json) -> Shelf | None:
    """Where results of `read` with these settings are kept, up to date with what other processes wrote; None: nowhere.

    The folder is named by the environment: ``PLAIT_CACHE`` (``off``: nowhere), else ``plait`` in the user's cache
    folder (``XDG_CACHE_HOME``, else ``~/.cache``). Nobody but the user can read it: it holds what was decoded of
    evidence. ``PLAIT_CACHE_BYTES`` bounds it.

    Raises
    ------
    ConfigError
        If ``PLAIT_CACHE_BYTES`` is no whole number.
    """
    place = os.environ.get("PLAIT_CACHE", "")
    if place.lower() == "off":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    bound = os.environ.get("PLAIT_CACHE_BYTES", "") or str(BYTES)
    if not bound.isdecimal():
        raise ConfigError(f"PLAIT_CACHE_BYTES={bound!r} is no number of bytes; write {BYTES}, say")
    made = json.dumps([settings, _decoders(), _code(read), _folder_digest(__file__)], sort_keys=True)
    name = blake2b(made.encode(), digest_size=16).hexdigest()
    root = os.path.expanduser(place) if place else os.path.join(home, "plait")
    found = _opened(os.path.join(root, "decoded"), name, int(bound))
    found.refresh()
    return found


@cache
def _opened(root: str, name: str, bound: int) -> Shelf:
    return Shelf(Path(root), name, bound)


@cache
def _decoders() -> dict[str, str]:
    found = {}
    for name in DECODERS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _code(read: Callable[..., object]) -> str:
    """A digest of the Python files beside the one that `read` stands in: other code may read otherwise."""
    while isinstance(read, partial):
        read = read.func
    name = getattr(read, "__module__", None) or type(read).__module__
    return _folder_digest(getattr(modules.get(name), "__file__", None) or "")


@cache
def _folder_digest(file: str) -> str:
    digest = blake2b(digest_size=16)
    for path in sorted(Path(file).parent.glob("*.py")) if file else ():
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Shelf:
    """Results made alike, by the content that they were made of. Threads may share one."""

    def __init__(self, root: Path, name: str, bound: int) -> None:
        self.folder = root / name
        self._root, self._bound = root, bound
        self._rotate = min(SEGMENT, max(bound // 16, 1))
        self._entries: dict[bytes, tuple[tuple[str, bytes], ...]] = {}  # several where processes met, or after damage
        self._read: dict[str, int] = {}  # bytes of each index that were read
        self._maps: dict[str, mmap.mmap] = {}
        self._used: set[str] = set()
        self._segment, self._process = "", 0
        self._closed = False
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read what indices have gained since the last time, and forget segments that are gone."""
        with self._lock:
            try:
                indices = {path.stem: path for path in self.folder.glob("*.idx")}
            except OSError:
                indices = {}
            self._used.clear()
            if gone := self._read.keys() - indices.keys():
                for key, entries in list(self._entries.items()):
                    self._entries[key] = tuple(entry for entry in entries if entry[0] not in gone)
                for segment in gone:
                    del self._read[segment]
                    self._maps.pop(segment, None)
            for segment, path in indices.items():
                with contextlib.suppress(OSError):
                    self._scan(segment, path)

    def _scan(self, segment: str, path: Path) -> None:
        begun = self._read.get(segment, 0)
        if path.stat().st_size <= begun:
            return
        with path.open("rb") as file:
            file.seek(begun)
            whole, _, _ = file.read().rpartition(b"\n")  # the last line may still be on its way
        self._read[segment] = begun + len(whole) + (1 if whole else 0)
        for line in whole.split(b"\n"):
            key, _, rest = line.partition(b" ")
            checksum, _, about = rest.partition(b" ")
            if checksum == _line_checksum(key, about):
                self._add(key, segment, about)

    def _add(self, key: bytes, segment: str, about: bytes) -> None:
        entry = (segment, about)
        known = self._entries.get(key, ())
        if entry not in known:
            self._entries[key] = (*known, entry)

    def get(self, key: str) -> Arrays | str | None:
        """What is kept under a key: arrays (read-only, mapped), the reason of a fault, or None for nothing."""
        for segment, line in self._entries.get(key.encode(), ()):
            about = json.loads(line)
            if "fault" in about:
                return str(about["fault"])
            try:
                data = self._mapped(segment, about["at"], about["size"])
            except (OSError, ValueError):
                continue
            if crc32(data) == about["crc"]:
                return {name: _view(data, at, dtype, shape) for name, at, dtype, shape in about["arrays"]}
        return None

    def _mapped(self, segment: str, at: int, size: int) -> memoryview:
        if not size:
            return memoryview(b"")
        with self._lock:
            found = self._maps.get(segment)
            if found is None or len(found) < at + size:
                with (self.folder / f"{segment}.seg").open("rb") as file:
                    found = self._maps[segment] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if segment not in self._used:
                self._used.add(segment)
                with contextlib.suppress(OSError):
                    os.utime(self.folder / f"{segment}.idx")
        return memoryview(found)[at : at + size]

    def put(self, key: str, value: Arrays | str) -> None:
        """Keep arrays, or the reason why there are none; what cannot be written is said once and left out.

        Raises
        ------
        TypeError
            If an array is not of numbers.
        """
        if self._closed:
            return
        if isinstance(value, str):
            self._append(key, [], {"fault": value})
            return
        chunks: list[bytes] = []
        arrays, at = [], 0
        for name, array in value.items():
            plain = np.asarray(array, order="C")
            if plain.dtype.kind not in "biufc":
                raise TypeError(f"array {name!r} is of {plain.dtype}, not of numbers; only numbers can be kept")
            arrays.append((name, at, plain.dtype.str, plain.shape))
            held = plain.tobytes()
            chunks += [held, bytes(-len(held) % ALIGNED)]
            at += len(held) + -len(held) % ALIGNED
        if at <= self._bound // 4:
            self._append(key, chunks, {"arrays": arrays, "size": at})

    def _append(self, key: str, chunks: list[bytes], about: dict[str, Any]) -> None:
        data = b"".join(chunks)
        with self._lock:
            try:
                self._begin()
                at = 0
                if data:
                    with (self.folder / f"{self._segment}.seg").open("ab") as file:
                        at = file.tell()
                        file.write(data)
                text = json.dumps({**about, "at": at, "crc": crc32(data)}).encode()
                with (self.folder / f"{self._segment}.idx").open("ab") as file:
                    file.write(b"%b %b %b\n" % (key.encode(), _line_checksum(key.encode(), text), text))
            except OSError as error:
                self._closed = True
                _say(f"what is decoded cannot be kept in {self._root}: {error.strerror or error}; decoding goes on")
                return
            self._add(key.encode(), self._segment, text)
            if at + len(data) >= self._rotate:
                self._segment = ""

    def _begin(self) -> None:
        """Make sure of a segment that this process alone appends to."""
        mine = self._segment and self._process == os.getpid()
        if mine and (self.folder / f"{self._segment}.idx").exists():
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = self._root.stat()
        if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
            raise PermissionError(1, "the folder belongs to someone else")
        if stat.S_IMODE(about.st_mode) & 0o077:
            self._root.chmod(0o700)
        self._segment, self._process = uuid4().hex, os.getpid()
        _trim(self._root, self._bound)


def _trim(root: Path, bound: int) -> None:
    """Delete the least recently used segments until a tenth of the bound is free."""
    found = []
    for index in root.glob("*/*.idx"):
        with contextlib.suppress(OSError):
            about = index.stat()
            segment = index.with_suffix(".seg")
            size = segment.stat().st_size if segment.exists() else 0
            found.append((about.st_mtime_ns, index, segment, about.st_size + size))
    total, count = sum(size for *_, size in found), len(found)
    if total <= bound and count < SEGMENTS:
        return
    for _, index, segment, size in sorted(found):
        if total <= 0.9 * bound and count < 0.9 * SEGMENTS:
            break
        with contextlib.suppress(OSError):
            index.unlink(missing_ok=True)
            segment.unlink(missing_ok=True)
        total, count = total - size, count - 1


def _line_checksum(key: bytes, text: bytes) -> bytes:
    return b"%08x" % crc32(text, crc32(key))


def _view(data: memoryview, at: int, dtype: str, shape: list[int]) -> Array:
    kind, count = np.dtype(dtype), prod(shape)
    if kind.kind not in "biufc" or not count:
        return np.empty(shape, kind)
    return np.frombuffer(data, kind, count, at).reshape(shape)


@cache
def _say(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)
