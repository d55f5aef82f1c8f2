"""Hostile callers: is everything that they send refused in words, and does memory stay flat?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastapi
import httpx
import numpy as np
import pandas as pd
from fastapi.testclient import TestClient

import plait
from benchmarks.runner import Beside, Measured, Report, main
from benchmarks.serving.attacks.payloads import Attack, Good, attacks, wrong
from benchmarks.serving.attacks.service import MB, Service, serving
from benchmarks.serving.attacks.sockets import Answered, chunked, dripping, oversized
from plait.errors import PlaitError
from plait.metrics.classification import wilson
from plait.serving.keys import Keys

ROWS = 160  # that the served model is fitted on
PAYLOADS, EARLY = 1_000, 200  # malformed requests, and after how many memory is looked at first
EXAMPLES = 60  # of schemathesis, an operation
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
BODY_S = 2  # in which a body must have come
SIZE = 2 * MB  # of a body at most
SLOW = 20  # slow bodies at once
RATE = 1e5  # requests a second of a key: limits of rate are not what is looked at


@dataclass
class Tally:
    """Answers to hostile requests: how many came, with which status, and what was wrong with any."""

    asked: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, status: int, fault: str) -> None:
        self.asked += 1
        self.statuses[status] += 1
        if fault:
            self.wrong[f"{what}: {fault}"] += 1

    def figure(self, what: str, beside: Mapping[str, Tally] | None = None) -> Measured:
        """The share that is answered as it must be, and its interval."""
        low, high = (float(bound) for bound in wilson(np.array(self.share), np.array(self.asked)))
        others = {name: Beside(other.share) for name, other in (beside or {}).items()}
        return Measured(f"{what} ({self.asked:,}), answered as they must be", self.share, low, high, "share", others)

    @property
    def share(self) -> float:
        return 1 - self.wrong.total() / max(1, self.asked)

    def __str__(self) -> str:
        told = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        faults = "; ".join(f"{what} ({count})" for what, count in self.wrong.most_common(8))
        return f"statuses {told}" + (f"; wrong: {faults}" if faults else "")


def run(seed: int) -> Report:
    """One served model of five kinds of evidence; keys, bodies, malformed requests and schemathesis in turn."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = fitted(seed)
        model.save(folder / "dossiers.plait")
        tokens = keys(folder / "keys.db")
        options = ["--keys", str(folder / "keys.db"), "--audit", str(folder / "audit.db")]
        options += ["--body-timeout", str(BODY_S), "--max-bytes", str(SIZE)]
        with serving(folder / "dossiers.plait", folder, *options) as service:
            token = tokens["good"]
            good = told_by(service, token)
            doors, bodies = ask_by_keys(service, tokens, good), ask_by_sockets(service, token)
            malformed, early, late = ask_malformed(service, token, good, seed)
            bare = ask_bare(model, good, seed)
            usual = ask_well(service, token, good)
            examples, failures = schemathesis(service, token, folder, seed)
            after = ask_well(service, token, good, 1)
    return Report(
        data="made dossiers: a table, a letter, a series, a scan, a call; requests made from the service's own example",
        split="none: nothing is judged but the service",
        figures=(
            doors.figure("wrong, revoked, expired, replaced and out-of-scope keys"),
            bodies.figure("bodies too large, endless and slow"),
            malformed.figure("malformed requests", {"a bare FastAPI handler": bare}),
            Measured(
                f"memory after {PAYLOADS:,} of them", late, unit="MB", baselines={f"after {EARLY}": beside(late, early)}
            ),
            Measured(
                f"memory after {PAYLOADS:,} good requests more",
                usual,
                unit="MB",
                baselines={"before": beside(usual, late)},
            ),
            Measured(f"schemathesis: failures of its {len(CHECKS)} checks", failures, unit=f"of {examples:,} requests"),
        ),
        notes=(
            f"keys: {doors}",
            f"bodies: {bodies}",
            f"malformed: {malformed}",
            f"a bare FastAPI handler (json to a frame to predict): {bare}",
            f"after all of it the service answered a good request, and held {after:.0f} MB",
        ),
    )


def beside(ours: float, other: float) -> Beside:
    return Beside(other, difference=ours - other)


def fitted(seed: int) -> Any:
    """A small model of five kinds of evidence."""
    rows = plait.samples.dossiers(n=ROWS, seed=seed)
    model = plait.Classifier(fusion="early", learner="linear", time="issued_at", n_jobs=1, random_state=seed)
    return model.fit(rows.drop(columns="default"), rows["default"])


def keys(store: Path) -> dict[str, str]:
    """Tokens: a good one, and others that must not open any door."""
    opened = Keys.open(store)
    past = datetime.now(UTC) - timedelta(seconds=1)
    made = {
        "good": opened.create("good", ["*"], rate=RATE),
        "revoked": opened.create("revoked", ["*"], rate=RATE),
        "expired": opened.create("expired", ["*"], rate=RATE, expires=past),
        "replaced": opened.create("replaced", ["*"], rate=RATE),
        "without scope": opened.create("without scope", ["desk:credit.decide"], rate=RATE),
    }
    opened.revoke(made["revoked"][0].id)
    opened.rotate(made["replaced"][0].id)
    opened.close()
    tokens = {name: token for name, (_, token) in made.items()}
    secret = tokens["good"].rpartition("_")[2]
    return tokens | {
        "of another secret": tokens["good"].removesuffix(secret) + secret[::-1],
        "of nobody": "plait_000000000000_" + secret,
        "of no form": "hello",
        "cut short": tokens["good"][:-1],
    }


def told_by(service: Service, token: str) -> Good:
    """What a good request is, by what the service says of it."""
    with plait.Client(service.url, token) as client:
        shape = client.schema()
        assert client.predict(shape.example["rows"]).answers
    return Good.of(shape.row, shape.example)


def ask_by_keys(service: Service, tokens: Mapping[str, str], good: Good) -> Tally:
    """Every door by every key that must not open it: 401, or 403 where the key is one, but not for this door."""
    tally = Tally()
    doors: list[tuple[str, str, Any]] = [("GET", path, None) for path in ("/v1/models", "/v1/schema", "/metrics")]
    doors += [("POST", path, good.body) for path in ("/v1/predict", "/v1/explain")]
    doors += [("POST", "/v1/feedback", {"labels": [{"decision": "a.0", "label": 1}]})]
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for name, token in {**tokens, "none": ""}.items():
            for method, path, body in doors if name != "good" else ():
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                answer = client.request(method, path, json=body, headers=headers)
                wanted = 403 if name == "without scope" else 401
                fault = "" if answer.status_code == wanted else f"{path} answers {answer.status_code}"
                attack = Attack(name, b"")
                tally.add(f"key {name}", answer.status_code, fault or said_wrong(attack, answer))
    return tally


def said_wrong(attack: Attack, answer: httpx.Response) -> str:
    return wrong(attack, answer.status_code, answer.headers, answer.content)


def ask_by_sockets(service: Service, token: str) -> Tally:
    """Bodies that are too large, by what they say or by what comes, and bodies that come too slowly."""
    tally = Tally()

    def take(name: str, wanted: int, answered: Answered) -> None:
        fault = "" if answered.status == wanted else f"status {answered.status} after {answered.seconds:.1f} s"
        if not fault and answered.sent > 4 * SIZE:
            fault = f"{answered.sent} bytes were taken"
        tally.add(name, answered.status, fault)

    for _ in range(5):
        for length in (SIZE + 1, 1 << 31, 1 << 62):
            take(f"{length:,} bytes announced", 413, oversized(service.url, token, length))
        take("endless chunks", 413, chunked(service.url, token, 64 * MB))
    with ThreadPoolExecutor(SLOW) as pool:
        slow = [pool.submit(dripping, service.url, token, 0.2) for _ in range(SLOW)]
        with plait.Client(service.url, token, retries=0) as client:
            assert client.models()  # others are answered meanwhile
        for each in slow:
            take("letter by letter", 408, each.result())
    return tally


def ask_malformed(service: Service, token: str, good: Good, seed: int) -> tuple[Tally, float, float]:
    """All malformed requests; resident MB after the first ones, and after all."""
    tally, early = Tally(), 0.0
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for i, attack in enumerate(attacks(good, PAYLOADS, seed, {"Authorization": f"Bearer {token}"})):
            if i == EARLY:
                early = service.memory
            answer = client.post(attack.path, content=attack.content, headers=attack.headers)
            tally.add(attack.kind, answer.status_code, said_wrong(attack, answer))
    return tally, early, service.memory


def ask_bare(model: Any, good: Good, seed: int) -> Tally:
    """The same requests to a handler as one writes it first: JSON to a frame to the model."""
    app, tally = fastapi.FastAPI(), Tally()

    @app.post("/v1/predict")
    def predict(body: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": model.predict_proba(pd.DataFrame(body["rows"])).tolist()}

    transport = TestClient(app, raise_server_exceptions=False)
    for attack in attacks(good, PAYLOADS, seed):
        if attack.path == "/v1/predict" and "Content-Encoding" not in attack.headers:
            answer = transport.post(attack.path, content=attack.content, headers=attack.headers)
            bad = answer.status_code >= 500 or (answer.status_code < 400 and attack.wanted == "refused")
            tally.add(attack.kind, answer.status_code, f"status {answer.status_code}" if bad else "")
    return tally


def ask_well(service: Service, token: str, good: Good, number: int = PAYLOADS) -> float:
    """Good requests; resident MB after them."""
    with plait.Client(service.url, token, retries=0, timeout_s=30) as client:
        for _ in range(number):
            client.predict(good.body["rows"])
    return service.memory


def schemathesis(service: Service, token: str, folder: Path, seed: int) -> tuple[int, int]:
    """Requests made from the OpenAPI document, and failures of the checks."""
    report = folder / "schemathesis.json"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{service.url}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--header", f"Authorization: Bearer {token}", "--seed", str(seed)]
    command += ["--max-examples", str(EXAMPLES), "--continue-on-failure", "--report-json-path", str(report)]
    command += ["--generation-database", "none", "--no-color"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    print(done.stdout[-6_000:], done.stderr[-2_000:])
    told = json.loads(report.read_text("utf-8"))
    if not told["complete"] or told["errors"]:
        raise PlaitError(f"schemathesis did not finish: {told['stop_reason']}, {str(told['errors'])[:300]}")
    return told["test_cases"]["generated"], sum(each["count"] for each in told["failures"])


if __name__ == "__main__":
    sys.exit(main(run))
