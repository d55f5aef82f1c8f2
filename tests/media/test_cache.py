"""The cache of what was decoded: found by content and settings alone; damaged, full or forbidden, it only costs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from plait.contracts import Column, Progress
from plait.errors import ConfigError
from plait.media import cache, decode
from plait.media.content import UnreadableError
from plait.media.decode import counts, decoded, running

KINDS = st.one_of(
    arrays_of.boolean_dtypes(),
    arrays_of.integer_dtypes(),
    arrays_of.unsigned_integer_dtypes(),
    arrays_of.floating_dtypes(),
    arrays_of.complex_number_dtypes(),
)
NUMBERS = arrays_of.arrays(KINDS, arrays_of.array_shapes(min_dims=0, min_side=0))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def column(cells, folder=None):
    values = np.empty(len(cells), object)
    values[:] = cells
    return Column("scan", values, np.array([cell is not None for cell in cells], bool), folder=folder)


def double(data: bytes) -> dict[str, np.ndarray]:
    if data.startswith(b"bad"):
        raise UnreadableError("no number in it")
    return {"twice": np.frombuffer(data, np.uint8).astype(np.int64) * 2, "size": np.array(len(data))}


def contents(n: int) -> list[bytes]:
    return [i.to_bytes(2, "big") * (i % 5 + 1) for i in range(1, n + 1)]


def work(cells, read=double, **about) -> tuple[list, int, int]:
    """Results, and how many contents were decoded and found."""
    before = counts()
    results = list(decoded(column(cells), read, about or {"room": "scan"}))
    after = counts()
    return results, after.decoded - before.decoded, after.found - before.found


def same(some, others) -> None:
    assert len(some) == len(others)
    for (i, x), (j, y) in zip(some, others, strict=True):
        assert i == j
        if isinstance(x, str):
            assert x == y
            continue
        assert x.keys() == y.keys()
        for name in x:
            np.testing.assert_array_equal(x[name], y[name])
            assert (x[name].dtype, x[name].shape) == (y[name].dtype, y[name].shape)
            assert not x[name].flags.writeable
            assert not y[name].flags.writeable


@pytest.fixture
def other_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As another process would find the cache: nothing of it in memory."""
    cache._opened.cache_clear()
    yield
    cache._opened.cache_clear()


# found again


@pytest.mark.parametrize("n", [1, 40])
def test_a_content_is_decoded_once(folder, n):
    cells = contents(n)
    first, made, found = work(cells)
    assert (made, found) == (n, 0)
    second, made, found = work(cells[::-1])
    assert (made, found) == (0, n)
    same(first, [(i, r) for i, (_, r) in enumerate(second[::-1])])


def test_the_next_process_finds_it(folder):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_cache as t;"
        "print(*t.work(t.contents(30), read=t.double)[1:])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert runs == [["30", "0"], ["0", "30"]]


def test_settings_and_content_are_the_key(folder):
    assert work([b"1"], room="scan", size=1)[1] == 1
    assert work([b"1"], room="scan", size=2)[1] == 1
    assert work([b"2"], room="scan", size=2)[1] == 1
    assert work([b"1", b"2"], size=2, room="scan")[1] == 0


def test_faults_are_kept_by_their_reason(folder):
    first = work([b"bad", b"good"])
    assert first[0][0] == (0, "no number in it")
    second = work([b"bad", b"good"])
    assert second[1] == 0
    same(first[0], second[0])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3), st.binary(min_size=1, max_size=9))
def test_arrays_come_back_as_they_were(folder, made, data):
    about = {"room": "any", "try": counts().decoded}
    first, _, _ = work([data], lambda _: made, **about)
    second, again, _ = work([data], lambda _: made, **about)
    assert again == 0
    same(first, second)


def test_only_numbers_are_kept(folder):
    with pytest.raises(TypeError, match="not of numbers"):
        work([b"1"], lambda _: {"cells": np.array([None])})


# damaged, full, forbidden


def damage(folder: Path, suffix: str, how) -> None:
    for path in folder.rglob(f"*{suffix}"):
        path.write_bytes(how(path.read_bytes()))


@pytest.mark.usefixtures("other_process")
@pytest.mark.parametrize("suffix", [".seg", ".idx"])
@pytest.mark.parametrize(
    "how",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:-3],
        lambda data: bytes(b ^ 1 if i % 50 == 7 else b for i, b in enumerate(data)),
        lambda data: data[::-1],
        lambda data: b"\x00" * len(data),
        lambda data: b"junk\n" + data + b"{",
    ],
)
def test_what_is_damaged_is_decoded_anew(folder, suffix, how):
    cells = [*contents(20), b"bad"]
    first, made, _ = work(cells)
    assert made == 21
    damage(folder, suffix, how)
    cache._opened.cache_clear()
    same(first, work(cells)[0])
    cache._opened.cache_clear()
    assert work(cells)[1] == 0


@pytest.mark.usefixtures("other_process")
def test_a_line_without_its_end_does_not_count(folder):
    work(contents(9))
    damage(folder, ".idx", lambda data: data[:-1])
    cache._opened.cache_clear()
    assert work(contents(9))[1] == 1


def test_lost_segments_are_decoded_anew(folder):
    first, _, _ = work(contents(10))
    for path in folder.rglob("*.*"):
        path.unlink()
    same(first, work(contents(10))[0])
    assert work(contents(10))[1] == 0


def test_the_cache_is_bounded_and_forgets_what_was_used_least(folder, monkeypatch):
    bound = 200_000
    monkeypatch.setenv("PLAIT_CACHE_BYTES", str(bound))

    def large(data: bytes) -> dict[str, np.ndarray]:
        return {"x": np.full(1000, data[0], np.int64)}

    loved = [b"\x01"]
    for i in range(2, 102):
        work([bytes([i])], large)
        assert work(loved, large)[1] == (i == 2)
        index = max(folder.rglob("*.idx"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(index)
    held = sum(path.stat().st_size for path in folder.rglob("*.*"))
    assert 0.5 * bound < held < 1.2 * bound
    assert work([bytes([101])], large)[1] == 0
    assert work([bytes([3])], large)[1] == 1


def test_what_is_too_large_for_the_cache_is_not_kept(folder, monkeypatch):
    monkeypatch.setenv("PLAIT_CACHE_BYTES", "1000")
    for _ in range(2):
        assert work([b"1"], lambda _: {"x": np.zeros(1000)})[1] == 1


def test_a_bound_that_is_no_number_is_refused(folder, monkeypatch):
    monkeypatch.setenv("PLAIT_CACHE_BYTES", "much")
    with pytest.raises(ConfigError, match="PLAIT_CACHE_BYTES='much'"):
        work([b"1"])


def test_the_cache_can_be_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAIT_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert work(contents(10))[1] == work(contents(10))[1] == 10
    assert not list(tmp_path.iterdir())


def test_the_cache_lies_where_caches_lie(tmp_path, monkeypatch):
    monkeypatch.delenv("PLAIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    work(contents(3))
    assert list((tmp_path / "plait" / "decoded").rglob("*.seg"))


def test_nobody_else_can_read_it(folder):
    (folder / "decoded").mkdir(mode=0o755, parents=True)
    work(contents(3))
    assert (folder / "decoded").stat().st_mode & 0o077 == 0


def test_without_a_place_to_write_decoding_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="cannot be kept") as said:
        results, made, _ = work(contents(40))
    assert made == len(results) == 40
    assert len(said) == 1
    assert work(contents(40), room="another")[1] == 40  # said once


@pytest.mark.slow
def test_processes_at_once(folder):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_cache as t;"
        "cells = t.contents(400); results, made, found = t.work(cells);"
        "assert all((r['twice'] == t.double(c)['twice']).all() for (_, r), c in zip(results, cells))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    started = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    assert work(contents(400))[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_writes_a_segment_of_its_own(folder):
    work([b"1"])
    child = os.fork()
    if not child:
        work([b"2"])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    work([b"3"])
    assert len(list(folder.rglob("*.seg"))) == 2
    assert work([b"1", b"2", b"3"])[1] == 0


# in parallel


def test_files_are_read_once_and_in_order(folder, tmp_path, monkeypatch):
    for i, data in enumerate(contents(50)):
        (tmp_path / f"{i}.scan").write_bytes(data)
    reads: list[str] = []
    plain = decode.content

    def watched(cell, *args, **named):
        reads.append(cell)
        return plain(cell, *args, **named)

    monkeypatch.setattr(decode, "content", watched)
    cells = [f"{i}.scan" for i in range(50)]
    results = list(decoded(column(cells, str(tmp_path)), double, {}))
    assert [row for row, _ in results] == list(range(50))
    assert sorted(reads) == sorted(cells)
    for (_, result), data in zip(results, contents(50), strict=True):
        np.testing.assert_array_equal(result["size"], len(data))


def test_cells_given_as_arrays_and_missing_ones(folder):
    cells: list[object] = [b"1", None, np.ones(3), "nowhere.scan", b"bad"] * 4
    results = list(
        decoded(column(cells), double, {}, given=lambda cell: {"x": cell} if isinstance(cell, np.ndarray) else None)
    )
    assert [row for row, _ in results] == [row for row in range(20) if row % 5 != 1]
    assert results[1][1].keys() == {"x"}
    assert results[2][1] == "a path, where no path is opened"
    assert results[3][1] == "no number in it"


def test_few_are_in_flight(folder, monkeypatch):
    monkeypatch.setattr(decode, "cores", lambda: 3)
    begun: list[bytes] = []

    def read(data: bytes) -> dict[str, np.ndarray]:
        begun.append(data)
        return double(data)

    cells = contents(60)
    for taken, _ in enumerate(decoded(column(cells), read, {"room": "flight"})):
        assert len(begun) <= taken + 3 * decode.AHEAD + 1
    assert len(begun) == 60


def test_an_error_of_the_reader_comes_through(folder):
    def read(data: bytes) -> dict[str, np.ndarray]:
        if data == contents(30)[17]:
            raise ZeroDivisionError("a defect")
        return double(data)

    results = []
    with pytest.raises(ZeroDivisionError, match="a defect"):
        results.extend(decoded(column(contents(30)), read, {"room": "defect"}))


@pytest.mark.parametrize("n", [5, 30])
def test_an_interrupt_stops_it(folder, monkeypatch, n):
    monkeypatch.setattr(decode, "cores", lambda: 2)
    begun = []

    def read(data: bytes) -> dict[str, np.ndarray]:
        begun.append(data)
        return double(data)

    results = decoded(column(contents(n)), read, {"room": "interrupt", "n": n})
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert len(begun) <= 2 * decode.AHEAD + 1


def test_threads_are_as_many_as_the_run_may_use(folder, monkeypatch):
    monkeypatch.setattr(decode, "ThreadPoolExecutor", None)  # nothing may ask for it
    with running(lambda progress: None, threads=1):
        assert work(contents(30))[1] == 30


def test_it_says_how_far_it_is(folder):
    said: list[Progress] = []
    with running(said.append):
        work(contents(20))
        list(decoded(column([]), double, {}))
    assert {progress.stage for progress in said} == {"reading scan"}
    assert [progress.done for progress in said] == list(range(1, 21))
    assert {progress.total for progress in said} == {20}
    work(contents(20))
    assert len(said) == 20
