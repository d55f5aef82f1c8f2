"""Write a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plait.errors import DataError

__all__ = ["check_file", "made_folder", "replacing"]


def made_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, made if it is not there.

    Raises
    ------
    DataError
        If it cannot be made: a file of that name is there, or nothing can be written.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {str(path)!r} ({error.strerror}); name another") from None
    return path


def check_file(path: str | os.PathLike[str]) -> None:
    """Before long work: can a file be written there?

    Raises
    ------
    DataError
        If it is a folder, or its own folder is not there or cannot be written to.
    """
    file = Path(path)
    if file.is_dir():
        raise DataError(f"cannot write {str(file)!r}: it is a folder; name a file")
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise DataError(f"cannot write {str(file)!r}: {str(file.parent)!r} is no folder that can be written to")


@contextmanager
def replacing(path: str | Path, *, private: bool = False) -> Iterator[Path]:
    """Give a path beside `path` to write to; it takes the place of `path` only if the block succeeds.

    Parameters
    ----------
    private
        Nobody but its owner may read it.

    Raises
    ------
    DataError
        If `path` is a folder, or its own folder does not exist or cannot be written to.
    """
    path = Path(path)
    check_file(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error.strerror}") from None
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        if not private:  # which mkstemp made it
            mask = os.umask(0)
            os.umask(mask)
            beside.chmod(0o666 & ~mask)
        beside.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
