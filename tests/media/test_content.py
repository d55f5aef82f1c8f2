"""What a cell that is a file holds: every form of it, and nothing from where it may not come."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.media.content import UnreadableError, content, is_path, looks_like_file

PNG = (b"\x89PNG\r\n\x1a\n",)
RIFF = (b"RIFF????WAVE",)
SUFFIXES = frozenset({".png"})
DATA = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "a.png").write_bytes(DATA)
    (tmp_path / "data" / "sub" / "b.png").write_bytes(DATA[:20])
    (tmp_path / "secret.png").write_bytes(b"secret")
    return tmp_path / "data"


def forms(data: bytes) -> dict[str, object]:
    text = base64.b64encode(data).decode()
    return {
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "base64": text,
        "base64 without padding": text.rstrip("="),
        "base64 in lines": "\n".join(text[i : i + 76] for i in range(0, len(text), 76)) + "\n",
        "base64 for URLs": base64.urlsafe_b64encode(data).decode(),
        "a data URI": f"data:image/png;base64,{text}",
        "a data URI in capitals": f"DATA:image/png;name=a;BASE64,{text}",
        "a mapping of bytes": {"bytes": data, "path": "elsewhere.png"},
    }


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=40, max_size=300))
def test_content_in_every_form(data):
    for form, cell in forms(data).items():
        assert content(cell, None) == data, form


@pytest.mark.parametrize("cell", ["a.png", Path("a.png"), PurePosixPath("sub/../a.png"), {"path": "a.png"}])
def test_paths_in_every_form(folder, cell):
    assert content(cell, str(folder)) == DATA
    assert content(str(folder / "a.png"), str(folder)) == DATA


def test_paths_start_in_the_folder_also_a_relative_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert content("b.png", "sub") == DATA[:20]
    with pytest.raises(UnreadableError, match="leaves the data folder"):
        content("../a.png", "sub")
    assert content("../a.png", "sub", outside=True) == DATA
    assert content("../secret.png", str(folder), outside=True) == b"secret"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("../secret.png", "leaves the data folder"),
        ("sub/../../secret.png", "leaves the data folder"),
        ("/etc/passwd", "leaves the data folder"),
        ("~/secret.png", "No such file"),
        ("http://a.example/a.png", "a URL; nothing is fetched"),
        ("S3://bucket/a.png", "a URL; nothing is fetched"),
        ("file:///etc/passwd", "a URL; nothing is fetched"),
        ("nowhere.png", "No such file"),
        ("sub", "no regular file"),
        ("", "no regular file"),
        ("a.png/b.png", "Not a directory"),
        ("a\0.png", "not a path"),
        ("\ud800.png", "not a path"),
        ("a" * 300 + ".png", "too long"),
        (b"", "0 bytes"),
        ({"bytes": None, "path": None}, "a NoneType is no file"),
        ({"bytes": {"bytes": b"1"}}, "a dict is no file"),
        ({}, "a NoneType is no file"),
        (7, "a int is no file"),
        (io.BytesIO(b"1"), "a BytesIO is no file"),
        ("data:image/png;base64,????", "neither a path nor base64"),
        ("data:image/png;base64,", "0 bytes"),
        ("A" * 41, "neither a path nor base64"),
    ],
)
def test_what_is_no_file_says_so(folder, cell, reason):
    with pytest.raises(UnreadableError, match=reason) as refused:
        content(cell, str(folder))
    assert "\n" not in str(refused.value)


def test_links_pipes_and_endless_files(folder):
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "own.png").symlink_to(folder / "a.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    assert content("own.png", str(folder)) == DATA
    for name in ("link.png", "zero.png"):
        with pytest.raises(UnreadableError, match="leaves"):
            content(name, str(folder))
    with pytest.raises(UnreadableError, match="no regular file"):
        content("zero.png", str(folder), outside=True)
    with pytest.raises(UnreadableError, match="no regular file"):
        content("pipe.png", str(folder))
    with pytest.raises(UnreadableError, match="cannot be opened"):
        content("loop.png", str(folder))


def test_without_a_folder_no_path_is_opened(folder):
    with pytest.raises(UnreadableError, match="where no path is opened"):
        content(str(folder / "a.png"), None)


def test_size_is_bounded_before_it_is_read(folder):
    with (folder / "large.png").open("wb") as file:
        file.truncate(1 << 40)
    for cell in ("large.png", "a.png", DATA, base64.b64encode(DATA).decode(), {"bytes": DATA}):
        with pytest.raises(UnreadableError, match="allowed"):
            content(cell, str(folder), max_bytes=100)
    assert content("a.png", str(folder), max_bytes=len(DATA)) == DATA


def test_no_handle_is_left_open(folder):
    opened = Path("/proc/self/fd")
    if not opened.exists():
        pytest.skip("open files cannot be told here")
    before = len(list(opened.iterdir()))
    for cell in ["a.png", "sub", "nowhere.png", "../secret.png"] * 20:
        try:
            content(cell, str(folder), max_bytes=10)
        except UnreadableError:
            continue
    assert len(list(opened.iterdir())) == before


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats()
        | st.integers()
        | st.binary()
        | st.text()
        | st.text("./a~:\\%\0", max_size=9),
        lambda some: st.dictionaries(st.sampled_from(["bytes", "path", "x"]), some) | st.lists(some),
        max_leaves=4,
    )
)
def test_any_cell_is_read_or_refused(folder, cell):
    looks_like_file(cell, SUFFIXES, PNG)
    try:
        data = content(cell, str(folder))
    except UnreadableError:
        return
    assert isinstance(data, bytes)
    assert data != b"secret"


def test_long_texts_are_looked_at_once():
    cells = ["A" * 50 + " " * 300_000 + "!", "A" * 300_000 + "=" * 1000, "=" * 300_000, ("A " * 150_000) + "!"]
    for cell in cells:  # a text that made the pattern try again would take minutes
        assert is_path(cell)


def test_paths_are_told_from_base64():
    assert is_path("scans/2024/statement-of-account-0000000000000001.png")
    assert is_path("short")
    assert not is_path(base64.b64encode(bytes(90)).decode())


@pytest.mark.parametrize("form", forms(DATA))
def test_files_of_a_kind_are_recognised_by_how_they_begin(form):
    other = forms(b"GIF89a" + bytes(range(100)))[form]
    assert looks_like_file(forms(DATA)[form], SUFFIXES, PNG)
    assert not looks_like_file(other, SUFFIXES, PNG)


def test_files_of_a_kind_are_recognised_by_name():
    for cell in ("a.png", "a/b.PNG", Path("a.png"), {"path": "a.png"}, "/nowhere/a.png"):
        assert looks_like_file(cell, SUFFIXES, PNG)
    for cell in ("a.jpg", "png", ".png", "a line\nb.png", "x" * 5000 + ".png", 7, None, [], {"path": 7}, np.ones(3)):
        assert not looks_like_file(cell, SUFFIXES, PNG)


def test_any_byte_may_stand_in_the_beginning():
    assert looks_like_file(b"RIFF\x00\x01\x02\x03WAVEfmt ", frozenset(), RIFF)
    assert not looks_like_file(b"RIFF\x00\x01\x02\x03AVI fmt ", frozenset(), RIFF)
    assert not looks_like_file(b"RIFF", frozenset(), RIFF)
