"""Hostile callers: whatever they send is refused in words, nothing is told that must not be, and others are served."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from live import running

import plait
from benchmarks.serving.attacks import sockets
from benchmarks.serving.attacks.payloads import KINDS, Attack, Good, attacks, wrong
from benchmarks.serving.hostile import CHECKS
from plait import Client
from plait.serving.keys import Keys
from plait.serving.settings import Settings

EACH = 3  # attacks of a kind
SIZE = 1 << 18  # bytes of a body at most
BODY_S = 0.5  # seconds in which a body must have come


class Held(NamedTuple):
    """A service, and a key to all of it."""

    url: str
    token: str
    folder: Path
    good: Good


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """A model with pictures behind keys and an audit."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = plait.samples.dossiers(n=40, seed=0)[
        ["issued_at", "income", "term", "home", "letter", "statement", "default"]
    ]
    model = plait.Classifier(fusion="early", learner="linear", time="issued_at", n_jobs=1)
    model.fit(rows.drop(columns="default"), rows["default"]).save(folder / "dossiers.plait")
    keys = Keys.open(folder / "keys.db")
    token = keys.create("good", ["*"], rate=1e5)[1]
    keys.close()
    settings = Settings(
        folder / "dossiers.plait",
        keys=str(folder / "keys.db"),
        audit=str(folder / "audit.db"),
        max_bytes=SIZE,
        body_s=BODY_S,
    )
    with running(settings) as url:
        with Client(url, token) as client:
            shape = client.schema()
        yield Held(url, token, folder, Good.of(shape.row, shape.example))


def still_serves(held: Held) -> bool:
    with Client(held.url, held.token, retries=0) as client:
        return len(client.predict(held.good.body["rows"])) == 1


def test_what_is_sent_is_made_from_a_good_request(held: Held) -> None:
    assert {"income", "term"} <= set(held.good.numbers)
    assert held.good.signals == ("statement",)
    assert still_serves(held)


def test_malformed_requests_are_refused_in_words(held: Held) -> None:
    faults = []
    with httpx.Client(base_url=held.url, timeout=30) as client:
        for attack in attacks(held.good, EACH * len(KINDS), 1, {"Authorization": f"Bearer {held.token}"}):
            answer = client.post(attack.path, content=attack.content, headers=attack.headers)
            if fault := wrong(attack, answer.status_code, answer.headers, answer.content):
                faults.append(f"{attack.kind}: {fault}: {attack.content[:120]!r} -> {answer.text[:160]}")
    assert not faults
    assert still_serves(held)


def test_what_is_refused_is_documented(held: Held) -> None:
    """Every status that attacks are answered with stands in the OpenAPI document of its door."""
    with httpx.Client(base_url=held.url, timeout=30) as client:
        doors = client.get("/openapi.json").json()["paths"]
        for attack in attacks(held.good, len(KINDS), 2, {"Authorization": f"Bearer {held.token}"}):
            answer = client.post(attack.path, content=attack.content, headers=attack.headers)
            if attack.path in doors:
                assert str(answer.status_code) in doors[attack.path]["post"]["responses"], attack.kind


def test_a_file_of_the_machine_is_not_read(held: Held) -> None:
    """A real picture, named by its path in every way that a request has: none is opened."""
    picture = held.folder / "scan.png"
    content = plait.samples.dossiers(n=1, seed=3)["statement"][0]
    picture.write_bytes(content)
    with httpx.Client(base_url=held.url, timeout=30, headers={"Authorization": f"Bearer {held.token}"}) as client:
        for path in (str(picture), picture.name, picture.as_uri(), f"../{held.folder.name}/{picture.name}"):
            for cell in (path, {"file": path}, {"path": path}, [path], {"base64": path}):
                body = {**held.good.body, "rows": [{**held.good.body["rows"][0], "statement": cell}]}
                answer = client.post("/v1/predict", json=body)
                assert answer.status_code == 422, cell
                assert answer.json()["error"]["where"][0]["column"] == "statement"
    with Client(held.url, held.token) as client:
        assert not client.predict([{**held.good.body["rows"][0], "statement": content}]).faults


def tokens(store: Path, good: str) -> Mapping[str, tuple[str, int]]:
    """Tokens that open no door, and what they are answered with."""
    keys = Keys.open(store)
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = keys.create("expired", ["*"], expires=past)[1]
    narrow = keys.create("narrow", ["desk:credit.decide"])[1]
    revoked, replaced = keys.create("revoked", ["*"]), keys.create("replaced", ["*"])
    keys.revoke(revoked[0].id)
    keys.rotate(replaced[0].id)
    keys.close()
    secret = good.rpartition("_")[2]
    no = {"no": "", "no form": "hello", "cut": good[:-1], "other": good.removesuffix(secret) + secret[::-1]}
    no |= {"expired": expired, "revoked": revoked[1], "replaced": replaced[1], "nobody": f"plait_000000000000_{secret}"}
    return {name: (token, 401) for name, token in no.items()} | {"narrow": (narrow, 403)}


def test_no_door_opens_to_a_key_that_is_none(held: Held) -> None:
    doors = [("GET", "/v1/models"), ("GET", "/v1/schema"), ("GET", "/metrics"), ("POST", "/v1/feedback")]
    doors += [("POST", "/v1/predict"), ("POST", "/v1/explain")]
    with httpx.Client(base_url=held.url, timeout=30) as client:
        for name, (token, wanted) in tokens(held.folder / "keys.db", held.token).items():
            for method, path in doors:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                answer = client.request(
                    method, path, json=held.good.body if method == "POST" else None, headers=headers
                )
                assert answer.status_code == wanted, (name, path)
                assert not wrong(Attack(name, b""), wanted, answer.headers, answer.content)
                assert token[-20:] not in answer.text or not token
        for scheme in ("Basic", "bearer plait", "Bearer", "Bearer " + "x" * 5_000, "Bearer \xff"):
            answer = client.get("/v1/models", headers={"Authorization": scheme.encode("latin-1")})  # type: ignore[dict-item]
            assert answer.status_code in (400, 401), scheme[:20]


def test_large_bodies_are_refused_while_they_come(held: Held) -> None:
    for length in (SIZE + 1, 1 << 31, 1 << 62):
        found = sockets.oversized(held.url, held.token, length)
        assert (found.status, found.code) == (413, "too_large")
    found = sockets.chunked(held.url, held.token, 64 << 20, piece=1 << 14)
    assert (found.status, found.code) == (413, "too_large")
    assert found.sent < 32 * SIZE


def test_who_sends_too_much_is_told_so_and_not_cut_off(held: Held) -> None:
    """A connection that is closed with bytes of the body unread loses the answer on its way."""
    with httpx.Client(base_url=held.url, timeout=30) as client:
        for _ in range(20):
            answer = client.post(
                "/v1/predict",
                content=b" " * (32 * SIZE),
                headers={"Authorization": f"Bearer {held.token}", "Content-Type": "application/json"},
            )
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_slow_bodies_are_given_up_and_others_are_served(held: Held) -> None:
    with ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(sockets.dripping, held.url, held.token, 0.1) for _ in range(8)]
        assert still_serves(held)
        assert {each.result().status for each in slow} == {408}


def test_nothing_hostile_is_in_the_audit(held: Held) -> None:
    """What was refused is no decision: every entry of a decision has an answer."""
    from plait.serving.audit import Audit

    with Audit.open(str(held.folder / "audit.db")) as audit:
        assert all(each.fields.get("output") for each in audit.entries() if each.kind == "predict")


@pytest.mark.slow
def test_schemathesis_finds_nothing(held: Held, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{held.url}/openapi.json", "--no-color"]
    command += ["--checks", ",".join(CHECKS), "--header", f"Authorization: Bearer {held.token}", "--seed", "1"]
    command += ["--max-examples", "10", "--continue-on-failure", "--report-json-path", str(tmp_path / "report.json")]
    command += ["--generation-database", "none"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    told: dict[str, Any] = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert told["failures"] == [], said.stdout[-6000:]
    assert told["complete"]
    assert not told["errors"]
    assert told["operations"]["tested"] == told["operations"]["total"] > 5
