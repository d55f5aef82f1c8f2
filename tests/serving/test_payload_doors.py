"""Files in requests: bytes come in, paths and URLs never do."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.testclient import TestClient

import plait
from plait import registry
from plait.contracts import FitContext, Sendable, Source
from plait.data.schema import ColumnSpec, Schema
from plait.serving.app import create_app
from plait.serving.cells import UnfitError, check_of, is_signal
from plait.serving.rows import Rows
from plait.serving.settings import Settings
from plait.serving.stream.scoring import Scored, Scorer


def png(value: int) -> bytes:
    held = io.BytesIO()
    Image.new("L", (16, 16), value).save(held, "png")
    return held.getvalue()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of a number, a picture, and a list of pictures."""
    bright = np.arange(40) * 6
    cells = [png(int(each)) for each in bright]
    frame = pd.DataFrame({"amount": bright * 1.0, "scan": cells, "pages": [[a, a] for a in cells]})
    kinds = {"amount": 1.0, "scan": cells[0]}
    rooms = {name: _surest(name, value) for name, value in kinds.items()}
    lists = next(n for n in registry.names("modalities") if getattr(registry.get("modalities", n), "nests", False))
    pages = ColumnSpec("pages", "source", lists, {"of": rooms["scan"]})
    columns = (*(ColumnSpec(name, "source", room) for name, room in rooms.items()), pages)
    model = plait.Classifier(schema=Schema(columns), fusion="early", learner="linear", random_state=0, n_jobs=1)
    path = tmp_path_factory.mktemp("pictures") / "scans.plait"
    model.fit(frame, (bright > 120).astype(int)).save(path)
    return path


def _surest(name: str, value: Any) -> str:
    cells = pd.Series([value] * 8, name=name)
    return str(Schema.infer(cells.to_frame().assign(**{f"{name}2": range(8)})).columns[0].modality or "") or max(
        registry.names("modalities"), key=lambda room: registry.get("modalities", room).accepts(_column(cells))
    )


def _column(cells: Any) -> Any:
    from plait.data.frame import column

    return column(cells)


@pytest.fixture(scope="module")
def client(pictures: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(pictures))) as made:
        yield made


def test_base64_and_parts_of_a_form_say_the_same(client: TestClient) -> None:
    data = png(200)
    told = {"base64": base64.b64encode(data).decode()}
    by_text = client.post("/v1/predict", json={"rows": [{"scan": told, "pages": [told, None, told]}]}).json()
    request = {"rows": [{"scan": {"file": "one"}, "pages": [{"file": "one"}, {"file": "two"}]}]}
    form = {"request": (None, json.dumps(request)), "one": ("C:\\one.png", data), "two": ("two.png", data)}
    by_form = client.post("/v1/predict", files=form).json()
    assert by_text["faults"] == by_form["faults"] == []
    assert by_text["predictions"][0]["probabilities"] == by_form["predictions"][0]["probabilities"]


@pytest.mark.parametrize(
    "cell",
    [
        "planted.png",
        "file:///etc/hostname",
        "https://example.org/planted.png",
        {"path": "planted.png"},
        {"bytes": None, "path": "planted.png"},
        {"base64": "planted.png"},
        {"base64": 5},
        {"file": "planted.png"},
        {"file": ["one"]},
        {"base64": ""},
        [{"base64": "AA=="}],
        7,
    ],
)
def test_a_path_or_url_is_never_opened(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: Any
) -> None:
    (tmp_path / "planted.png").write_bytes(png(200))
    monkeypatch.chdir(tmp_path)
    for row in ({"amount": 1.0, "scan": cell}, {"pages": [cell]}, {"pages": [{"time": "2026-01-31", "page": cell}]}):
        response = client.post("/v1/predict", json={"rows": [row]})
        assert response.status_code == 422, (row, response.text)
        assert "planted" not in response.text


def test_behind_the_checks_models_open_no_path_either(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.png").write_bytes(png(200))
    monkeypatch.chdir(tmp_path)
    model = plait.load(pictures)
    cells = {"amount": np.array([1.0]), "scan": np.array(["planted.png"], object)}
    lists = np.empty(1, object)
    lists[0] = ["planted.png"]
    faults = model.prediction(Rows({**cells, "pages": lists}, 1).frame()).faults
    assert [fault.column for fault in faults] == ["scan", "pages"]
    assert all("no path is opened" in fault.reason for fault in faults)
    assert not model.prediction(pd.DataFrame({**cells, "pages": lists})).faults


def test_nothing_decoded_is_kept_on_disk(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    row = {"scan": {"base64": base64.b64encode(png(77)).decode()}}
    assert client.post("/v1/predict", json={"rows": [row], "explain": "sources"}).status_code == 200
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_nothing_decoded_of_events_is_kept_on_disk_either(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    (said,) = Scorer(plait.load(pictures)).score([{"scan": {"base64": base64.b64encode(png(78)).decode()}}])
    assert isinstance(said, Scored)
    assert "faults" not in said.told
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\nno name\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{}\r\n--x--\r\n', "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="request"\r\n\r\n{}', "multipart/form-data; boundary=x"),
        (
            2 * b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{}\r\n' + b"--x--",
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_broken_forms_are_refused(client: TestClient, body: bytes, kind: str) -> None:
    response = client.post("/v1/predict", content=body, headers={"content-type": kind})
    assert response.status_code == 400, response.text


@pytest.mark.parametrize("name", registry.names("modalities"))
def test_what_rooms_read_of_plain_cells_fits_what_they_say(name: str) -> None:
    """Of every room that says what may be sent: cells of its own example that it reads pass the check."""
    room_class = registry.get("modalities", name)
    columns = room_class.example(np.random.default_rng(0), 60)
    room = room_class(Source(name, name, tuple(column.name for column in columns)))
    if not isinstance(room, Sendable):
        pytest.skip(f"{name} leaves open what may be sent")
    room.fit((columns,), FitContext.unlabelled(60))
    batch = room.transform(columns)
    broken = {(fault.row, fault.column) for fault in batch.faults}
    seen = 0
    for column in columns:
        schema = room.cells()[column.name]
        check = check_of(schema)
        for row in range(60):
            cell = _sent(column.values[row], is_signal(schema))
            if not column.present[row] or (row, column.name) in broken or cell is None:
                continue
            try:
                check(cell, {})
                said = ""
            except UnfitError as unfit:  # numbers and truth values that files hold as text are sent as what they are
                written = isinstance(cell, str) and ("number" in str(unfit) or "boolean" in str(unfit))
                said = "" if written else str(unfit)
            assert not said, (name, column.name, cell)
            seen += 1
    assert seen or any(map(is_signal, room.cells().values()))


def _sent(cell: Any, signal: bool) -> Any:
    """A cell as a request would hold it; None for those that only Python can hold."""
    if signal:
        return {"base64": base64.b64encode(cell).decode()} if isinstance(cell, bytes) and cell else None
    if isinstance(cell, np.datetime64):
        return None if np.isnat(cell) else str(cell.astype("datetime64[s]"))
    if isinstance(cell, np.timedelta64):
        return float(cell / np.timedelta64(1, "D"))
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    try:
        return json.loads(json.dumps(cell))
    except (TypeError, ValueError):
        return None
