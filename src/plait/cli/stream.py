"""``--stream``: rows of Parquet files that verbs read piece by piece, because memory does not hold them all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.cli.screen import Screen
    from plait.data.stream import Stream

__all__ = ["Streaming", "in_memory", "opened", "sampled", "usual_fusion"]

SHARE = 0.5  # of the machine's memory, beyond which rows are streamed unasked

Streaming: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--stream/--no-stream",
        show_default=False,
        help="Read Parquet piece by piece. By default where all rows would fill half of the memory.",
    ),
]


def opened(
    screen: Screen, data: Path, stream: bool | None, folder: Path | None, encoding: str | None, mask: bool
) -> pd.DataFrame | Stream:
    """The rows of a file or folder: in memory, or as a stream where that is asked or they are too many.

    Raises
    ------
    ConfigError
        If a stream is asked of what can only be done in memory.
    DataError
        If the file cannot be read, or is streamed and no Parquet; if the folder is none.
    """
    from plait.cli.rows import check_folder, rows_of
    from plait.data.read import files_of
    from plait.data.stream import Stream

    if stream:
        given = [name for name, asked in (("encoding", encoding), ("mask-personal", mask)) if asked]
        if given:
            raise ConfigError(f"--{given[0]} reads all rows at once; leave it out, or --stream")
    elif stream is False or mask or files_of(data)[1] != "parquet":
        return rows_of(data, folder, encoding, mask)
    check_folder(folder)
    found = Stream.open(data)
    if stream is None and (size := found.nbytes) <= SHARE * _memory():
        return rows_of(data, folder, encoding, mask)
    if stream is None:
        screen.note(f"{data} would take about {size / 2**30:.1f} GiB in memory, so it is streamed (--no-stream: not)")
    found.attrs.update({} if folder is None else {"folder": str(folder)}, read={"encoding": None, "mask": False})
    return found


def sampled(frame: pd.DataFrame | Stream) -> pd.DataFrame:
    """A frame as it is; of a stream, as many rows as are looked at where not all can be."""
    from plait.data.stream import Stream
    from plait.estimators.streams import LOOKED_AT

    return frame.sample(LOOKED_AT) if isinstance(frame, Stream) else frame


def in_memory(frame: pd.DataFrame | Stream, what: str) -> pd.DataFrame:
    """The frame that `what` needs.

    Raises
    ------
    ConfigError
        If rows are streamed.
    """
    from plait.data.stream import Stream

    if isinstance(frame, Stream):
        raise ConfigError(f"{what} needs all rows in memory, and these are streamed; give fewer, or --no-stream")
    return frame


def usual_fusion(screen: Screen, frame: pd.DataFrame | Stream, targets: int) -> str:
    """The fusion where none is named."""
    from plait.data.stream import Stream

    if not isinstance(frame, Stream):
        return "auto" if targets < 2 else "attention"
    screen.note("rows are streamed: the fusion is early (LightGBM) unless --fusion names one that learns from streams")
    return "early"


def _memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
