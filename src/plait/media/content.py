"""What a cell that is a file holds: bytes, from a path inside the data folder, base64 or memory; never from a URL."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

__all__ = ["UnreadableError", "content", "is_path", "looks_like_file"]

MAX_BYTES = 256 << 20  # of one cell

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DATA = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]{40,}+(?:=\s*){0,2}+")  # possessive: no text makes it try again


class UnreadableError(ValueError):
    """A cell cannot be read; the message is the reason of its `Fault`."""


def content(cell: object, folder: str | None, *, max_bytes: int = MAX_BYTES, outside: bool = False) -> bytes:
    """The bytes of one cell.

    Parameters
    ----------
    cell
        Bytes, a path (str or PathLike), base64 text or a data URI, or a mapping with ``"bytes"`` or ``"path"`` (as
        Hugging Face data sets have it in Parquet).
    folder
        Where relative paths start, and what no path may leave, also not through a symbolic link; None: no path is
        opened.
    max_bytes
        What a cell may hold.
    outside
        Allow paths that leave the folder.

    Raises
    ------
    UnreadableError
        With the reason, if the cell is none of these, is empty, too large, no regular file, or not where it may be.
    """
    if isinstance(cell, Mapping):
        held = cell.get("bytes")
        cell = cell.get("path") if held is None else held
    if isinstance(cell, bytes | bytearray | memoryview):
        return _bounded(bytes(cell), max_bytes)
    if isinstance(cell, str):
        if _DATA.match(cell):
            return _bounded(_decoded(cell[cell.index(",") + 1 :], max_bytes), max_bytes)
        if not is_path(cell):
            return _bounded(_decoded(cell, max_bytes), max_bytes)
    if not isinstance(cell, str | os.PathLike):
        raise UnreadableError(f"a {type(cell).__name__} is no file")
    return _read(os.fspath(cell), folder, max_bytes, outside)


def is_path(text: str) -> bool:
    """Whether text would be read as a path rather than as base64."""
    return _SUFFIX.search(text[-8:]) is not None or _BASE64.fullmatch(text) is None


def looks_like_file(cell: object, suffixes: frozenset[str], magic: tuple[bytes, ...]) -> bool:
    """Whether a cell seems to hold a file of a kind, without opening anything.

    Parameters
    ----------
    suffixes
        In lower case, with the dot: what paths of the kind end in.
    magic
        What the bytes of the kind begin with, 16 at most; ``?`` stands for any byte.
    """
    if isinstance(cell, Mapping):
        held = cell.get("bytes")
        cell = cell.get("path") if held is None else held
    if isinstance(cell, bytes | bytearray | memoryview):
        return _begins(bytes(cell[:16]), magic)
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if not isinstance(cell, str):
        return False
    data = _DATA.match(cell)
    if data or not is_path(cell):
        start = data.end() if data else 0
        try:
            return _begins(_decoded(cell[start : start + 24], 64), magic)
        except UnreadableError:
            return False
    return len(cell) < 4096 and "\n" not in cell and Path(cell).suffix.lower() in suffixes


def _begins(head: bytes, magic: tuple[bytes, ...]) -> bool:
    return any(
        len(head) >= len(known) and all(k in (byte, ord("?")) for k, byte in zip(known, head, strict=False))
        for known in magic
    )


def _bounded(data: bytes, max_bytes: int) -> bytes:
    if not data:
        raise UnreadableError("0 bytes")
    if len(data) > max_bytes:
        raise UnreadableError(f"{len(data):,} bytes (allowed: {max_bytes:,})")
    return data


def _decoded(text: str, max_bytes: int) -> bytes:
    if len(text) > max_bytes * 3 // 2 + 64:
        raise UnreadableError(f"base64 text of {len(text):,} characters (allowed: {max_bytes:,} bytes)")
    plain = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("text that is neither a path nor base64") from None


def _read(path: str | bytes, folder: str | None, max_bytes: int, outside: bool) -> bytes:
    name = os.fsdecode(path)
    if _URL.match(name):
        raise UnreadableError("a URL; nothing is fetched")
    if folder is None:
        raise UnreadableError("a path, where no path is opened")
    try:
        root = Path(folder).resolve()
        found = (root / name).resolve()
        if not (outside or found.is_relative_to(root)):
            raise UnreadableError("a path that leaves the data folder")
        # Without waiting, since a pipe would never answer; what was resolved is no link, so one put there now is not.
        flags = [getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY")]
        handle = os.open(found, os.O_RDONLY | sum(flags))
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, UnreadableError):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise UnreadableError(f"cannot be opened: {reason}") from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableError("no regular file")
        if about.st_size > max_bytes:
            raise UnreadableError(f"{about.st_size:,} bytes (allowed: {max_bytes:,})")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return _bounded(file.read(about.st_size + 1), max_bytes)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(handle)
