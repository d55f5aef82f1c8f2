"""Calculations that do not end, and models that fail by a defect: what the service says, and that it still closes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from plait.serving.app import create_app
from plait.serving.audit import Audit, Entry
from plait.serving.settings import Settings
from plait.serving.store import UnavailableError

ROW = {"rows": [{"income": 5000.0, "letter": "for a car"}]}


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opened in the end, so that no thread is left."""
    made = threading.Event()
    made.set()
    yield made
    made.set()


def until(held: Callable[[], bool]) -> None:
    for _ in range(200):
        if held():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def gated(served: Any, gate: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = served.estimator.prediction

    def prediction(*given: Any, **more: Any) -> Any:
        assert gate.wait(20)
        return whole(*given, **more)

    monkeypatch.setattr(served.estimator, "prediction", prediction)


def test_a_calculation_that_hangs_is_told_and_ends_no_other_way(
    loans_model: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(create_app(Settings(loans_model, timeout_s=0.3))) as client:
        gated(client.app.state.house.shelf.named(None).champion, gate, monkeypatch)  # type: ignore[attr-defined]
        gate.clear()
        late = client.post("/v1/predict", json=ROW)
        assert (late.status_code, late.json()["error"]["code"]) == (504, "took_too_long")
        until(lambda: client.get("/readyz").status_code == 503)
        assert "does not end" in client.get("/readyz").json()["error"]["message"]
        refused = client.post("/v1/predict", json=ROW)  # at once: nobody waits behind it
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert client.get("/healthz").status_code == 200
        gate.set()
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/predict", json=ROW).status_code == 200


def test_a_service_closes_its_audit_behind_a_calculation_that_hangs(
    loans_model: Path,
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = create_app(Settings(loans_model, audit=str(tmp_path / "audit.db"), timeout_s=0.3))
    with TestClient(app) as client:
        assert client.post("/v1/predict", json=ROW).status_code == 200
        gated(app.state.house.shelf.named(None).champion, gate, monkeypatch)
        gate.clear()
        assert client.post("/v1/predict", json=ROW).status_code == 504
    assert "did not end" in capsys.readouterr().err
    with pytest.raises(UnavailableError, match="closed"):
        app.state.house.audit.append([Entry("event")])
    with Audit.open(tmp_path / "audit.db") as opened:
        assert len(list(opened.entries(kind="predict"))) == 1


@pytest.fixture
def shadowed(loans_model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "shelf.yaml"
    said = {"champion": {"path": str(loans_model), "version": "1"}}
    path.write_text(
        json.dumps({"models": {"loans": {**said, "shadows": [{"path": str(loans_model), "version": "2"}]}}})
    )
    return path


def test_a_shadow_that_fails_or_hangs_costs_nobody_an_answer(
    shadowed: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*given: Any, **more: Any) -> Any:
        raise KeyError("Ms Somebody, 5 Some Street")

    app = create_app(Settings(shadowed, timeout_s=0.3))
    with TestClient(app) as client:
        house = app.state.house
        lost = house.telemetry.lost.labels("loans", "2")._value
        (shadow,) = house.shelf.named("loans").shadows
        with monkeypatch.context() as patched:
            patched.setattr(shadow.estimator, "prediction", broken)
            assert client.post("/v1/predict", json=ROW).status_code == 200
            until(lambda: lost.get() == 1)
        gated(shadow, gate, monkeypatch)
        gate.clear()
        assert client.post("/v1/predict", json=ROW).status_code == 200
        until(lambda: lost.get() == 2)
        assert client.post("/v1/predict", json=ROW).status_code == 200
        assert client.get("/readyz").status_code == 200
    said = capsys.readouterr().err
    assert '"event": "failed", "error": "KeyError at' in said
    assert "Some Street" not in said


def test_explanations_that_nobody_waits_for_are_not_made(loans_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(Settings(loans_model, timeout_s=0.5))
    with TestClient(app) as client:
        many = {"rows": ROW["rows"] * 18, "depth": "sources"}
        told = client.post("/v1/explain", json=many).json()["explanations"]
        assert [each["row"] for each in told] == list(range(18))
        estimator, calls = app.state.house.shelf.named(None).champion.estimator, []
        whole = estimator.explain

        def slow(*given: Any, **more: Any) -> Any:
            calls.append(given)
            time.sleep(0.2)
            return whole(*given, **more)

        monkeypatch.setattr(estimator, "explain", slow)
        assert client.post("/v1/explain", json={"rows": ROW["rows"] * 50, "depth": "cells"}).status_code == 504
        until(lambda: app.state.house.aside.held == 0)
        assert len(calls) < 6


HUNG = """
import sys, time
from plait.serving.run import serve
from plait.serving.settings import Listening, Settings
from plait.serving.shelf import Served

opened = Served.open


def hung(*given):
    served = opened(*given)
    served.estimator.prediction = lambda *_, **__: time.sleep(600)
    return served


Served.open = hung
serve(Settings(sys.argv[1], timeout_s=0.5, listening=Listening(port=0, drain_s=0)))
"""


@pytest.mark.slow
def test_a_process_ends_behind_a_calculation_that_hangs(loans_model: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen([sys.executable, "-c", HUNG, str(loans_model)], stderr=said)
    try:
        for _ in range(600):
            if '"ready"' in log.read_text() or process.poll() is not None:
                break
            time.sleep(0.1)
        url = json.loads(next(line for line in log.read_text().splitlines() if '"url"' in line))["url"]
        assert httpx.post(f"{url}/v1/predict", json=ROW, timeout=20).status_code == 504
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
