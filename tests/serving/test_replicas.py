"""Replicas on a Ray cluster: one is killed under load, and neither a request nor a decision is lost. Ray warns of
itself, so it runs in processes of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from plait import Client
from plait.errors import ConfigError
from plait.serving.settings import Listening, Settings

LIMIT = 240  # seconds after which it is ended

WORK = """
import json, os, signal, socket, sys, threading, time
from pathlib import Path
import plait
from plait.serving.replicas import replicas
from plait.serving.settings import Listening, Settings

def parents(pid):
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        yield pid

def ours():
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if "ServeReplica" in (place / "cmdline").read_text() and os.getpid() in parents(int(place.name)):
                found.add(int(place.name))
        except OSError:
            pass
    return found

def load(url, rows, acknowledged, failed):
    with plait.Client(url, retries=8) as client:
        for i in range(EACH):
            try:
                told = client.predict(rows[i % 10:][:2])
                acknowledged.extend(answer.decision for answer in told)
            except plait.PlaitError as error:
                failed.append(str(error))

EACH, CALLERS = 60, 4
rows = json.loads(Path("rows.json").read_text())
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
where = Listening(port=port, workers=2)
settings = Settings("loans.plait", audit=str(Path("audit.db").resolve()), listening=where)
acknowledged, failed = [], []
with replicas(settings) as url:
    before = ours()
    callers = [threading.Thread(target=load, args=(url, rows, acknowledged, failed)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    while len(acknowledged) < 40:
        time.sleep(0.01)
    os.kill(min(before), signal.SIGKILL)
    for caller in callers:
        caller.join()
    begin = time.monotonic()
    while len(ours() - {min(before)}) < 2 and time.monotonic() - begin < 60:
        time.sleep(0.2)
    after = ours()
told = {"asked": EACH * CALLERS, "acknowledged": acknowledged, "failed": failed, "url": url}
Path("told.json").write_text(json.dumps({**told, "before": len(before), "after": len(after), "left": len(ours())}))
"""


@pytest.fixture(scope="module")
def told(
    loans_model: Path, loans_rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What callers of two replicas met, of which one was killed; and where the audit is."""
    place = tmp_path_factory.mktemp("replicas")
    (place / "loans.plait").symlink_to(loans_model)
    (place / "rows.json").write_text(json.dumps(loans_rows))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-c", WORK]
    said = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=LIMIT)
    assert said.returncode == 0, said.stderr[-4000:]
    return {**json.loads((place / "told.json").read_text()), "audit": place / "audit.db"}


@pytest.mark.slow
def test_no_request_fails_when_a_replica_is_killed(told: dict[str, Any]) -> None:
    assert told["failed"] == []
    assert len(told["acknowledged"]) == 2 * told["asked"]
    assert told["before"] == told["after"] == 2  # another one took its place
    assert told["left"] == 0


@pytest.mark.slow
def test_every_acknowledged_decision_of_both_is_in_one_audit(told: dict[str, Any]) -> None:
    from plait.serving.audit import Audit
    from plait.serving.audit.verify import verify

    assert verify(told["audit"]).sound
    with Audit.open(told["audit"]) as audit:
        kept = {entry.fields["decision"] for entry in audit.entries() if entry.kind == "predict"}
    assert set(told["acknowledged"]) <= kept


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_end(
    loans_model: Path, loans_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "plait", "serve", str(loans_model), "--on", "ray", "--port", str(port)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=said, stderr=said)
    try:
        begin = time.monotonic()
        with Client(f"http://127.0.0.1:{port}", retries=0) as client:
            while not client.ready():
                assert process.poll() is None, (tmp_path / "said").read_text()
                assert time.monotonic() - begin < LIMIT, (tmp_path / "said").read_text()
                time.sleep(0.2)
            assert len(client.predict(loans_rows[:2])) == 2
        while '"event": "serving"' not in (tmp_path / "said").read_text():
            time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert f'"url": "http://127.0.0.1:{port}"' in (tmp_path / "said").read_text()


def test_replicas_need_a_port_that_is_known(loans_model: Path) -> None:
    from plait.serving.replicas import replicas

    with pytest.raises(ConfigError, match="port"), replicas(Settings(loans_model, listening=Listening(port=0))):
        pass
