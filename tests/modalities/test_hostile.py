"""Hostile cells: every room that reads files makes a fault of each, fetches nothing, and keeps its memory.

The suite walks the registry. A room is attacked in a process of its own, whose address space is limited and which dies
when it takes too long; a listener of the test's waits for anyone who would fetch what a cell names.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import resource
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plait import registry
from plait.contracts import Column, FitContext, Modality, Source

ROOM = 1 << 30  # bytes of address space that the attacked room may take beside what it had
SECONDS = 60
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with pipes in folders")


def column(cells: list[Any], folder: str | None) -> Column:
    values = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        values[i] = cell
    return Column("cell", values, np.ones(len(cells), bool), folder=folder)


def fitted(name: str) -> Modality:
    room_class = registry.get("modalities", name)
    (example,) = room_class.example(np.random.default_rng(3), 30)
    context = FitContext(np.zeros(30), "binary", 1, np.ones(30))
    return room_class(Source(example.name, name, (example.name,))).fit([(example,)], context)


def reads_files(name: str) -> bool:
    """Whether a room opens what a cell names: it then says that there is no such file."""
    room_class = registry.get("modalities", name)
    if room_class.joint or room_class.example(np.random.default_rng(3), 30)[0].side is not None:
        return False
    room = fitted(name)
    (fault, *_) = room.transform((column(["nowhere.dat"], os.getcwd()),)).faults or (None,)
    return fault is not None and "cannot be opened" in fault.reason


def good_file(name: str) -> bytes:
    """The bytes of a cell that the room reads, if its example has one."""
    room_class = registry.get("modalities", name)
    (example,) = room_class.example(np.random.default_rng(3), 30)
    room = fitted(name)
    present = room.transform((example,)).present & [isinstance(cell, bytes) for cell in example.values]
    return bytes(example.values[present.argmax()]) if present.any() else b"no file of the kind is at hand"


def bomb() -> bytes:
    """An archive of an archive of 64 MB of nothing."""
    data = bytes(1 << 26)
    for name in ("inner.zip", "outer.zip"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        data = file.getvalue()
    return data


def lay(folder: Path, good: bytes, port: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hostile files in a folder, and cells: those that must be faults, and those that may be read."""
    outside, inside = folder / "outside", folder / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.dat").write_bytes(good)
    (inside / "link.dat").symlink_to(outside / "secret.dat")
    (inside / "linked").symlink_to(outside)
    (inside / "loop.dat").symlink_to(inside / "loop.dat")
    (inside / "zero.dat").symlink_to("/dev/zero")
    (inside / "folder.dat").mkdir()
    os.mkfifo(inside / "pipe.dat")
    with (inside / "huge.dat").open("wb") as file:
        file.truncate(1 << 36)
    rng = np.random.default_rng(0)
    site = f"http://127.0.0.1:{port}/x"
    contents = {
        "empty": b"",
        "random": rng.bytes(5000),
        "text": b"only words stand here\n" * 20,
        "start": good[:12],
        "noise after a good start": good[:16] + rng.bytes(3000),
        "archive": bomb(),
        "gzip": gzip.compress(bytes(1 << 26)),
        "playlist": f"#EXTM3U\n#EXTINF:1,\n{site}\n#EXTINF:1,\n{outside / 'secret.dat'}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile '{outside / 'secret.dat'}'\nfile '{site}'\n".encode(),
        "session": f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n".encode(),
        "markup": f'<!DOCTYPE s [<!ENTITY e SYSTEM "{site}">]><svg><image href="{site}"/>&e;</svg>'.encode(),
    }
    for name, data in contents.items():
        (inside / f"{name}.dat").write_bytes(data)
    faults: dict[str, Any] = {
        **{f"a file: {name}": f"{name}.dat" for name in contents},
        **{f"bytes: {name}": data for name, data in contents.items()},
        **{f"base64: {name}": base64.b64encode(data).decode() for name, data in contents.items() if len(data) > 40},
        "a URL": site,
        "a URL with a suffix": f"{site}.dat",
        "a file URL": f"file://{outside}/secret.dat",
        "a network share": f"//127.0.0.1:{port}/x.dat",
        "up": "../outside/secret.dat",
        "down and up": "folder.dat/../../outside/secret.dat",
        "absolute": str(outside / "secret.dat"),
        "a home": "~/secret.dat",
        "a link": "link.dat",
        "a linked folder": "linked/secret.dat",
        "a link to itself": "loop.dat",
        "a folder": "folder.dat",
        "a pipe": "pipe.dat",
        "zeros": "/dev/zero",
        "a link to zeros": "zero.dat",
        "memory": "/proc/self/mem",
        "a file beyond memory": "huge.dat",
        "nothing there": "nowhere.dat",
        "a NUL": "a\0b.dat",
        "a surrogate": "\ud800.dat",
        "a long name": "a" * 5000 + ".dat",
        "a long path": "a/" * 100_000 + "b.dat",
        "many spaces": "A" * 50 + " " * 200_000 + "!",
        "a mapping that leaves": {"path": "../outside/secret.dat"},
        "a mapping of a URL": {"path": site, "bytes": None},
        "a mapping of nothing": {"bytes": b""},
        "a foreign mapping": {"url": site},
    }
    lenient = {
        "half": good[: len(good) // 2],
        "all but the end": good[:-7],
        "twice": good + good,
        "damaged": bytes(b ^ 255 if i % 97 == 50 else b for i, b in enumerate(good)),
        "long base64": "QUJD" * 500_000,
    }
    return faults, lenient


def attack(name: str, folder: str, port: int) -> None:
    """Runs in a process of its own: transform hostile cells, and print which became a fault and which were read."""
    room, good = fitted(name), good_file(name)
    faults, lenient = lay(Path(folder), good, port)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    inside = str(Path(folder) / "inside")
    told: dict[str, Any] = {}
    for kind, cells in (("faults", faults), ("lenient", lenient)):
        batch = room.transform((column(list(cells.values()), inside),))
        room.features(batch)
        reasons: dict[int, list[str]] = {}
        for fault in batch.faults:
            reasons.setdefault(fault.row, []).append(fault.reason)
        told[kind] = {cell: [bool(batch.present[row]), reasons.get(row, [])] for row, cell in enumerate(cells)}
    print(json.dumps(told))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as waiting:
        waiting.bind(("127.0.0.1", 0))
        waiting.listen()
        waiting.settimeout(0.0)
        yield waiting


def test_some_rooms_read_files() -> None:
    assert any(reads_files(name) for name in registry.names("modalities"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory in use cannot be told here")
@pytest.mark.parametrize("name", registry.names("modalities"))
def test_hostile_cells_are_faults(name: str, tmp_path: Path, listener: socket.socket) -> None:
    if not reads_files(name):
        pytest.skip("reads no files")
    code = f"import test_hostile as t; t.attack({name!r}, {str(tmp_path)!r}, {listener.getsockname()[1]})"
    # One thread an array library, since every stack and arena counts as address space.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1", "PLAIT_CACHE": "off"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with pytest.raises(BlockingIOError):
        listener.accept()
    told = json.loads(done.stdout)
    for cell, (present, reasons) in told["faults"].items():
        assert not present, cell
        assert len(reasons) == 1, (cell, reasons)
        assert reasons[0], cell
        assert "\n" not in reasons[0], cell
        assert len(reasons[0]) < 300, cell
        assert str(tmp_path) not in reasons[0], (cell, reasons)
    for cell in ("up", "down and up", "absolute", "a link", "a linked folder", "a mapping that leaves"):
        assert "leaves the data folder" in told["faults"][cell][1][0]
    for cell in ("a URL", "a URL with a suffix", "a file URL", "a mapping of a URL"):
        assert "nothing is fetched" in told["faults"][cell][1][0]
    for cell, (present, reasons) in told["lenient"].items():
        assert present == (not reasons), cell
