"""Cells to arrays: each content is decoded once, in parallel, with bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from plait.contracts import Column, Json, Progress
from plait.contracts.crossing import unheard
from plait.media.cache import Arrays, Shelf, shelf
from plait.media.content import MAX_BYTES, UnreadableError, content
from plait.threads import cores

__all__ = ["Arrays", "Counts", "counts", "decoded", "keeping_nothing", "running"]

FEW = 8  # cells below which threads cost more than they give
AHEAD = 2  # cells a worker that are decoded before they are asked for
REPORTS = 100  # times that a long column says how far it is


class Counts(NamedTuple):
    """What this process has done with contents so far: decoded them, or found what was decoded before."""

    decoded: int
    found: int


class _Run(NamedTuple):
    report: Callable[[Progress], None]
    threads: int | None


_done = {"decoded": 0, "found": 0}
_counting = threading.Lock()
_run: ContextVar[_Run | None] = ContextVar("run", default=None)
_keeping: ContextVar[bool] = ContextVar("keeping", default=True)


def counts() -> Counts:
    """Contents decoded, and contents found in the cache, by this process so far (`given` cells are neither)."""
    with _counting:
        return Counts(**_done)


@contextmanager
def running(report: Callable[[Progress], None], threads: int | None = None) -> Iterator[None]:
    """Have what is decoded within the block say how far it is, in as many threads (None: as many as there may be)."""
    before = _run.set(_Run(report, threads))
    try:
        yield
    finally:
        _run.reset(before)


@contextmanager
def keeping_nothing() -> Iterator[None]:
    """Have nothing that is decoded within the block kept on disk: it is somebody's, and only passes through."""
    before = _keeping.set(False)
    try:
        yield
    finally:
        _keeping.reset(before)


def decoded(
    column: Column,
    read: Callable[[bytes], Arrays],
    settings: Json,
    *,
    given: Callable[[object], Arrays | None] | None = None,
    max_bytes: int = MAX_BYTES,
    outside: bool = False,
) -> Iterator[tuple[int, Arrays | str]]:
    """Decode the cells of a column that are there.

    Cells are decoded in as many threads as the process may use, a few ahead of the one asked for. What was decoded is
    kept on disk (`plait.media.cache`): the same content with the same settings is not decoded again.

    Parameters
    ----------
    read
        From the bytes of a file to named numeric arrays. It is a function of the bytes and `settings` alone, runs in
        threads, and raises `UnreadableError` for every file that it cannot read, nothing else.
    settings
        What `read` depends on beside the bytes (JSON), with the room's name and version: results are kept by it.
    given
        Takes cells that are arrays or decoded objects already, in the calling thread; None says that the cell is none
        of these.
    max_bytes, outside
        See `plait.media.content.content`.

    Yields
    ------
    row, arrays
        In the order of rows; the reason instead of the arrays where a cell cannot be read. Arrays are read-only.
    """
    rows = np.flatnonzero(column.present).tolist()
    kept = shelf(read, settings) if rows and _keeping.get() else None

    def one(cell: object) -> Arrays | str:
        try:
            data = content(cell, column.folder, max_bytes=max_bytes, outside=outside)
        except UnreadableError as error:
            return str(error)
        return _once(data, read, kept)

    def held(row: int) -> Arrays | str | None:
        try:
            arrays = None if given is None else given(column.values[row])
        except UnreadableError as error:
            return str(error)
        return None if arrays is None else _frozen(arrays)

    run = _run.get() or _Run(unheard, None)
    workers = 1 if len(rows) < FEW else run.threads or cores()
    every = len(rows) if len(rows) < FEW else -(-len(rows) // REPORTS)
    for done, (row, result) in enumerate(_in_order(rows, column, held, one, workers), 1):
        if done % every == 0 or done == len(rows):
            run.report(Progress(f"reading {column.name}", done, len(rows)))
        yield row, result


def _in_order(
    rows: list[int],
    column: Column,
    held: Callable[[int], Arrays | str | None],
    one: Callable[[object], Arrays | str],
    workers: int,
) -> Iterator[tuple[int, Arrays | str]]:
    """Results in the order of rows, never more than a few of them in memory."""
    if workers == 1:
        for row in rows:
            result = held(row)
            yield row, one(column.values[row]) if result is None else result
        return
    pool = ThreadPoolExecutor(workers, "plait-decode")
    waiting: deque[tuple[int, Arrays | str | Future[Arrays | str]]] = deque()

    def first() -> tuple[int, Arrays | str]:
        row, result = waiting.popleft()
        return row, result.result() if isinstance(result, Future) else result

    try:
        for row in rows:
            result = held(row)
            waiting.append((row, pool.submit(one, column.values[row]) if result is None else result))
            if len(waiting) >= AHEAD * workers:
                yield first()
        while waiting:
            yield first()
    finally:
        pool.shutdown(cancel_futures=True)


def _once(data: bytes, read: Callable[[bytes], Arrays], kept: Shelf | None) -> Arrays | str:
    """What `read` makes of the data, or made of it before."""
    key = "" if kept is None else blake2b(data, digest_size=20).hexdigest()
    result = None if kept is None else kept.get(key)
    with _counting:
        _done["decoded" if result is None else "found"] += 1
    if result is None:
        try:
            result = read(data)
        except UnreadableError as error:
            result = str(error)
        if kept is not None:
            kept.put(key, result)
    return result if isinstance(result, str) else _frozen(result)


def _frozen(arrays: Arrays) -> Arrays:
    """The same arrays, read-only."""
    views = {name: np.asarray(array).view() for name, array in arrays.items()}
    for view in views.values():
        view.flags.writeable = False
    return views
