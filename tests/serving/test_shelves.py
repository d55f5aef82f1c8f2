"""Shelves: who answers, who only listens, and how another champion takes over."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from plait.errors import ArtifactError, ConfigError
from plait.serving.app import create_app
from plait.serving.audit import Audit
from plait.serving.keys import Keys
from plait.serving.settings import Settings
from plait.serving.shelf import Shelf, written
from plait.serving.swapping import swapped

PAGE = Path(__file__).parents[2] / "docs" / "serving" / "http.md"
BODY = {"rows": [{"income": 5000.0, "letter": "for a car"}]}


@pytest.fixture
def shelf(loans_model: Path, tmp_path: Path) -> Path:
    """A shelf file with a champion, a challenger for half the requests, and a shadow."""
    path = tmp_path / "shelf.yaml"
    versions = {
        "champion": {"path": str(loans_model), "version": "3"},
        "challengers": [{"path": str(loans_model), "version": "4", "share": 0.5}],
        "shadows": [{"path": str(loans_model), "version": 5}],
    }
    path.write_text(json.dumps({"models": {"loans": versions}}))
    return path


def wait(until: Callable[[], bool]) -> None:
    for _ in range(200):
        if until():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_challengers_answer_their_share_and_shadows_only_listen(shelf: Path, tmp_path: Path) -> None:
    audit = str(tmp_path / "audit.db")
    with TestClient(create_app(Settings(shelf, audit=audit))) as client:
        said = [client.post("/v1/predict", json=BODY, headers={"X-Request-Id": f"r{i}"}).json() for i in range(60)]
        again = [client.post("/v1/predict", json=BODY, headers={"X-Request-Id": f"r{i}"}).json() for i in range(5)]
        assert client.post("/v1/predict", json={**BODY, "version": "4"}).json()["version"] == "4"
        assert client.post("/v1/predict", json={**BODY, "version": "5"}).status_code == 404
        roles = {each["version"]: each["role"] for each in client.get("/v1/models").json()["models"][0]["versions"]}
    counts = Counter(each["version"] for each in said)
    assert 15 <= counts["4"] <= 45
    assert counts["3"] + counts["4"] == 60
    assert [each["version"] for each in again] == [each["version"] for each in said[:5]]
    assert roles == {"3": "champion", "4": "challenger", "5": "shadow"}
    with Audit.open(audit) as opened:
        kept = list(opened.entries())
    shadows = [each for each in kept if each.kind == "shadow"]
    answered = {each.fields["decision"]: each.fields["input"] for each in kept if each.kind == "predict"}
    assert len(answered) == len(kept) - len(shadows)
    assert len(shadows) == sum(each.fields.get("version") == "3" for each in kept if each.kind == "predict")
    assert {each.fields["role"] for each in shadows} == {"shadow"}
    assert all(answered[each.fields["decision"]] == each.fields["input"] for each in shadows)


def test_a_changed_shelf_is_taken_over_and_a_broken_one_refused(
    shelf: Path, loans_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.write_text(json.dumps({"models": {"loans": {"champion": {"path": str(loans_model), "version": "1"}}}}))
    (tmp_path / "broken.plait").mkdir()
    shutil.copytree(loans_model, tmp_path / "other.plait")
    with TestClient(create_app(Settings(shelf))) as client:

        def answers() -> str:
            return str(client.post("/v1/predict", json=BODY).json()["version"])

        house = client.app.state.house  # type: ignore[attr-defined]

        def figure(outcome: str) -> float:
            return float(house.telemetry.swaps.labels(outcome)._value.get())

        assert answers() == "1"
        assert swapped(shelf, "loans", tmp_path / "other.plait", "2")["before"] == "1"
        wait(lambda: answers() == "2")
        swapped(shelf, "loans", tmp_path / "broken.plait", "3")
        wait(lambda: figure("refused") == 1)
        assert answers() == "2"
        swapped(shelf, "loans", loans_model, "4")
        wait(lambda: answers() == "4")
        assert figure("taken") == 2
        served = re.findall(r'plait_model_served\{.*version="(\d)"} (\S+)', client.get("/metrics").text)
        assert sorted(served) == [("1", "0.0"), ("2", "0.0"), ("4", "1.0")]
    assert '"shelf refused"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("models: [", "no YAML"),
        ("models: {}", "names no model"),
        ("models: {loans: {}}", "no champion"),
        ("models: {loans: {champion: {}}}", "no path"),
        ("models: {loans: {champoin: {path: a}}}", "did you mean 'champion'"),
        ("models: {loans: {champion: {path: a}, shadows: [{path: b}]}}", "version of its own"),
        ("models: {loans: {champion: {path: a, version: 1}, challengers: [{path: b, version: 2, share: 2}]}}", "share"),
        ("models: {loans: {champion: {path: a, version: 1}, challengers: {path: b}}}", "expected a list"),
        ("desks: {credits: {}}", "did you mean 'credit'"),
        ("- 1", "pairs"),
    ],
)
def test_what_a_shelf_file_may_not_say(tmp_path: Path, said: str, why: str) -> None:
    path = tmp_path / "shelf.yaml"
    path.write_text(said)
    with pytest.raises(ConfigError, match=why):
        written(path)


def test_what_is_no_model_is_not_served(tmp_path: Path, shelf: Path) -> None:
    with pytest.raises(ConfigError, match="no model can be read"):
        Shelf.open(tmp_path / "nothing.plait")
    (tmp_path / "empty.plait").mkdir()
    with pytest.raises(ArtifactError):
        Shelf.open(tmp_path / "empty.plait")
    with pytest.raises(ConfigError, match="did you mean 'loans'"):
        swapped(shelf, "loan", tmp_path / "empty.plait")


def test_check_shows_what_would_be_served(shelf: Path, run: Any) -> None:
    told = run("serve", shelf, "--check", "--json")
    assert told.code == 0
    assert [each["role"] for each in told.json["models"][0]["versions"]] == ["champion", "challenger", "shadow"]
    refused = run("serve", shelf, "--host", "0.0.0.0")
    assert refused.code == 2
    assert "plait keys create" in refused.err


@contextmanager
def served(shelf: Path, log: Path, *options: str, verify: ssl.SSLContext | bool = True) -> Iterator[Any]:
    """A service in a process of its own, and a client of it."""
    command = [sys.executable, "-m", "plait", "serve", str(shelf), "--port", "0", *options]
    with log.open("wb") as said:
        process = subprocess.Popen(command, stderr=said, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        wait(lambda: '"url"' in log.read_text() or process.poll() is not None)
        url = json.loads(next(line for line in log.read_text().splitlines() if '"url"' in line))["url"]
        with httpx.Client(base_url=url, verify=verify, timeout=20) as client:

            def ready() -> bool:
                try:
                    return client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False

            for _ in range(6):
                try:
                    wait(ready)
                    break
                except AssertionError:
                    continue
            yield client, process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


@pytest.mark.slow
def test_a_service_told_to_end_says_so_finishes_and_closes(shelf: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.db"
    with served(shelf, tmp_path / "log", "--audit", str(audit), "--drain", "1") as (client, process):
        assert client.post("/v1/predict", json=BODY).status_code == 200
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert client.get("/readyz").status_code == 503
        assert client.post("/v1/predict", json=BODY, headers={"X-Request-Id": "last"}).status_code == 200
        assert process.wait(30) in (0, -signal.SIGTERM)
    with Audit.open(audit) as opened:
        assert next(opened.entries(request="last"), None) is not None


@pytest.mark.slow
def test_workers_share_a_port_and_their_figures(shelf: Path, tmp_path: Path) -> None:
    with served(shelf, tmp_path / "log", "--workers", "2") as (client, process):
        url = client.base_url
        for _ in range(20):
            assert httpx.post(f"{url}/v1/predict", json=BODY, timeout=20).status_code == 200
        figures = client.get("/metrics").text
        counted = [line for line in figures.splitlines() if line.startswith('plait_requests_total{route="/v1/predict"')]
        assert sum(float(line.rpartition(" ")[2]) for line in counted) == 20
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers = [each for each in children if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]
        os.kill(int(workers[0]), signal.SIGKILL)

        def served_by() -> list[str]:
            told = httpx.get(f"{url}/metrics", timeout=20).text  # the client may hold a connection to who is gone
            return re.findall(r'plait_model_served\{.*role="champion".*} (\S+)', told)

        wait(lambda: served_by() == ["1.0"])
        for _ in range(6):
            try:
                wait(lambda: served_by() == ["2.0"])
                break
            except AssertionError:
                continue
        assert served_by() == ["2.0"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.slow
def test_the_lines_of_the_page_are_true(loans_model: Path, tmp_path: Path) -> None:
    """Every curl line of docs/serving/http.md, in order, against a service with a key and an audit."""
    lines = [line[2:] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("$ curl")]
    assert len(lines) > 5
    store = str(tmp_path / "keys.db")
    token = Keys.open(store).create("page", ["predict", "explain", "feedback", "models", "metrics"])[1]
    options = ("--keys", store, "--audit", str(tmp_path / "audit.db"))
    with served(loans_model, tmp_path / "log", *options) as (client, _):
        known = {"KEY": token}
        for line in lines:
            asked = line.replace("http://127.0.0.1:8000", str(client.base_url).rstrip("/")) + " --fail-with-body"
            said = subprocess.run(["bash", "-c", asked], env={**os.environ, **known}, capture_output=True, check=False)
            assert said.returncode == 0, (line, said.stdout)
            if "/v1/predict" in line:
                known["DECISION"] = json.loads(said.stdout)["predictions"][0]["decision"]


@pytest.mark.slow
def test_a_service_speaks_tls_by_files(shelf: Path, tmp_path: Path) -> None:
    certificate, key = certified(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    options = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with served(shelf, tmp_path / "log", *options, verify=trusting) as (client, _):
        assert str(client.base_url).startswith("https")
        assert client.post("/v1/predict", json=BODY).status_code == 200


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine, signed by itself."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret
