"""Does the audit hold every decision that a service acknowledged before it was killed, and does its chain still verify?

`plait serve` scores loans for eight callers at once and is killed (SIGKILL) at a random moment, again and again, on the
same audit. Beside it: a writer that answers before the commit, killed in the same way.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.runner import Beside, Measured, Report, main
from benchmarks.servers import PostgreSQL, free_port
from plait.errors import ConfigError
from plait.serving.audit import Audit, verify

COLUMNS = ["income", "amount", "term", "purpose", "home", "letter"]
CALLERS = 8
START_S = 60.0
HASTY = """
import sys
from plait.serving.audit import Audit, Entry
audit = Audit.open(sys.argv[1])
for i in range(10**9):
    audit.append([Entry("predict", {"decision": f"{sys.argv[2]}.{i}"})])
    print(f"{sys.argv[2]}.{i}", flush=True)
"""


@dataclass
class Life:
    """What callers heard of one life of the service."""

    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0


def saved_model(path: Path, seed: int) -> list[dict[str, Any]]:
    """A small model of made loans, saved; rows to ask it about."""
    import plait

    loans = plait.samples.loans(n=300, seed=seed)
    plait.Classifier(fusion="early", random_state=seed, n_jobs=1).fit(loans[COLUMNS], loans["default"]).save(path)
    rows: list[dict[str, Any]] = json.loads(loans[COLUMNS].head(50).to_json(orient="records"))
    return rows


class Service:
    """``plait serve`` in a process of its own."""

    def __init__(self, model: Path, audit: str) -> None:
        self.port = free_port()
        told = [sys.executable, "-m", "plait", "serve", str(model), "--port", str(self.port), "--audit", audit]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._said = tempfile.TemporaryFile()  # a pipe that nobody empties would hold the service up  # noqa: SIM115
        self._process = subprocess.Popen(told, stdout=subprocess.DEVNULL, stderr=self._said, env=env)

    def wait(self) -> None:
        """Until it is ready.

        Raises
        ------
        ConfigError
            If it ends, or takes too long.
        """
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            with (
                suppress(OSError, http.client.HTTPException),
                closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as door,
            ):
                door.request("GET", "/readyz")
                if door.getresponse().status == 200:
                    return
            time.sleep(0.05)
        said = self.kill()
        raise ConfigError(f"the service did not start: {' '.join(said.split())[-500:]}")

    def kill(self) -> str:
        """At once, without a word; what it had said until then."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        with self._said as said:
            said.seek(0)
            return said.read().decode(errors="replace")

    def called(self, rows: Sequence[Mapping[str, Any]], seconds: float) -> Life:
        """Callers ask as fast as they are answered, and the service is killed after so many seconds of that."""
        life, over = Life(), threading.Event()

        def caller(first: int) -> None:
            with (
                suppress(OSError, http.client.HTTPException),
                closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as door,
            ):
                for i in range(first, 10**9):
                    if over.is_set():
                        return
                    body = json.dumps({"rows": [rows[i % len(rows)]]})
                    door.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
                    answer = door.getresponse()
                    told = json.loads(answer.read())
                    if answer.status == 200:
                        life.acknowledged.extend(each["decision"] for each in told["predictions"])
                    else:
                        life.refused += 1

        threads = [threading.Thread(target=caller, args=(7 * i,)) for i in range(CALLERS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.kill()
        over.set()
        for thread in threads:
            thread.join()
        return life


@dataclass(frozen=True)
class Kills:
    """What became of decisions over several kills."""

    kills: int
    acknowledged: int
    lost: int
    unsound: int
    refused: int


def kill_service(model: Path, rows: Sequence[Mapping[str, Any]], audit: str, kills: int, seed: int) -> Kills:
    """Start, load and kill, `kills` times; after each the audit is verified, and the decisions are looked up."""
    rng = np.random.default_rng(seed)
    acknowledged = lost = unsound = refused = 0
    for _ in range(kills):
        service = Service(model, audit)
        service.wait()
        life = service.called(rows, float(rng.uniform(0.2, 1.0)))
        unsound += not verify(audit).sound
        lost += _missing(audit, life.acknowledged)
        acknowledged += len(life.acknowledged)
        refused += life.refused
    return Kills(kills, acknowledged, lost, unsound, refused)


def kill_hasty(audit: str, kills: int, seed: int) -> Kills:
    """The same of a process that tells a decision before it is committed."""
    rng = np.random.default_rng(seed)
    acknowledged = lost = unsound = 0
    for i in range(kills):
        told = [sys.executable, "-c", HASTY, audit, f"hasty{i}"]
        with subprocess.Popen(told, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            heard: list[str] = []
            thread = threading.Thread(target=heard.extend, args=(process.stdout,))
            thread.start()
            time.sleep(float(rng.uniform(0.2, 1.0)))
            process.kill()
            thread.join()
        decisions = [line.strip() for line in (first, *heard) if line.endswith("\n")]
        unsound += not verify(audit).sound
        lost += _missing(audit, decisions)
        acknowledged += len(decisions)
    return Kills(kills, acknowledged, lost, unsound, 0)


def _missing(url: str, decisions: Iterable[str]) -> int:
    with Audit.open(url) as audit:
        there = {entry.fields.get("decision") for entry in audit.entries()}
    return len(set(decisions) - there)


def run(seed: int) -> Report:
    """20 kills on SQLite, 20 on PostgreSQL where there is a server, and 5 of the writer that does not wait."""
    figures, notes = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "loans.plait"
        rows = saved_model(model, seed)
        hasty = kill_hasty(str(folder / "hasty.db"), 5, seed)
        told = f"answered before the commit ({hasty.kills} kills)"
        found = {"SQLite": kill_service(model, rows, str(folder / "audit.db"), 20, seed)}
        try:
            with PostgreSQL() as server:
                found["PostgreSQL"] = kill_service(model, rows, server.url, 20, seed)
        except ConfigError as error:
            notes.append(f"PostgreSQL was not asked: {error}")
        for where, kills in found.items():
            what = f"{where}, {kills.kills} kills"
            lost = 100 * kills.lost / kills.acknowledged
            beside = {told: Beside(100 * hasty.lost / hasty.acknowledged)}
            figures += [
                Measured(f"{what}: decisions acknowledged", kills.acknowledged),
                Measured(f"{what}: of them not in the audit", lost, None, None, "%", beside),
                Measured(f"{what}: audits that did not verify", kills.unsound, unit=f"of {kills.kills}"),
                Measured(f"{what}: answers that were no 200", kills.refused),
            ]
    return Report(
        data="300 made loans: numbers, categories and a letter; single rows over HTTP",
        split=f"{CALLERS} callers, each waits for its answer; killed after 0.2 to 1 s of that",
        figures=tuple(figures),
        notes=(*notes, f"the writer that does not wait told {hasty.acknowledged:,} decisions and lost {hasty.lost:,}"),
    )


if __name__ == "__main__":
    sys.exit(main(run))
