"""Sizing: how many requests does a process answer, and what do models and decisions take of memory and disk?"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml

import plait
from benchmarks.runner import Beside, Measured, Report, alone, main
from benchmarks.serving.attacks.service import serving
from plait.serving.keys import Keys

ROWS = 2_000  # that models are fitted on
SECONDS, CALLERS = 8.0, 4  # of load, and who ask at once, each again as soon as it is answered
BATCH = 200  # rows of a large request
MODELS = 5  # on the larger shelf
DECISIONS = 20_000  # after which the audit is weighed
EXPLAINED = 1_000  # and of those with explanations
GB = 1e9
OPEN = "without keys and audit"


def run(seed: int) -> Report:
    """A model of a table and a letter, served with keys and an audit, and without either."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = saved(folder, seed)
        keys = Keys.open(folder / "keys.db")
        token = keys.create("sizing", ["*"], rate=1e5)[1]
        keys.close()
        locked = ["--keys", str(folder / "keys.db"), "--audit", str(folder / "audit.db")]
        with serving(folder / "0.plait", folder, *locked) as service:
            idle = service.memory
            (single, batch), _ = alone(loaded, service.url, token, rows)
        with serving(folder / "0.plait", folder) as service:
            (bare, bare_batch), _ = alone(loaded, service.url, None, rows)
        with serving(shelf(folder), folder) as service:
            larger = service.memory
        plain, explained = (weighed(folder, rows, explain) for explain in ("none", "sources"))
        written = sum(path.stat().st_size for path in (folder / "0.plait").rglob("*") if path.is_file())
    return Report(
        data=f"made loans: a table and a letter; early fusion with LightGBM, fitted on {ROWS:,} rows",
        split=f"none; one process serves, {CALLERS} callers of another process ask, both on the same cores",
        figures=(
            beside("requests of one row", single, "requests/s", OPEN, bare),
            beside(f"rows, {BATCH} a request", batch, "rows/s", OPEN, bare_batch),
            Measured("memory of a process with one model", idle, unit="MB"),
            beside("memory of each model more", (larger - idle) / (MODELS - 1), "MB", "its files", written / 1e6),
            Measured("audit of a million decisions", plain * 1e6 / GB, unit="GB"),
            Measured("audit of a million decisions, explained by source", explained * 1e6 / GB, unit="GB"),
        ),
        notes=(
            f"{SECONDS:g} s of load each; every request has a decision on disk before it is answered",
            f"the audit is SQLite, weighed after {DECISIONS:,} decisions ({EXPLAINED:,} of those explained)",
        ),
    )


def beside(what: str, ours: float, unit: str, name: str, other: float) -> Measured:
    return Measured(what, ours, unit=unit, baselines={name: Beside(other, difference=ours - other)})


def saved(folder: Path, seed: int) -> list[dict[str, Any]]:
    """The same model under several names; rows to ask about, as records."""
    loans = plait.samples.loans(n=ROWS, seed=seed).drop(columns="balance")
    model = plait.Classifier(fusion="early", time="issued_at", n_jobs=1, random_state=seed)
    model.fit(loans.drop(columns="default"), loans["default"])
    for i in range(MODELS):
        model.save(folder / f"{i}.plait")
    return list(loans.drop(columns="default").head(BATCH).to_dict("records"))


def shelf(folder: Path) -> Path:
    """A shelf file of all models."""
    models = {f"loans-{i}": {"champion": {"path": f"{i}.plait", "version": "1"}} for i in range(MODELS)}
    (folder / "shelf.yaml").write_text(yaml.safe_dump({"models": models}))
    return folder / "shelf.yaml"


def loaded(url: str, token: str | None, rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Requests a second of one row, and rows a second of large requests."""
    return rate(url, token, rows[:1]), rate(url, token, rows) * len(rows)


def rate(url: str, token: str | None, rows: list[dict[str, Any]]) -> float:
    """Requests a second by callers who each ask again as soon as they are answered."""
    counts, begin = [0] * CALLERS, time.perf_counter()

    def ask(place: int) -> None:
        with plait.Client(url, token, timeout_s=60) as client:
            while time.perf_counter() - begin < SECONDS:
                client.predict(rows)
                counts[place] += 1

    callers = [threading.Thread(target=ask, args=(place,)) for place in range(CALLERS)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    return sum(counts) / (time.perf_counter() - begin)


def weighed(folder: Path, rows: list[dict[str, Any]], explain: Any) -> float:
    """Bytes of the audit a decision, after the service has ended."""
    store, number = folder / f"audit-{explain}.db", DECISIONS if explain == "none" else EXPLAINED
    size = BATCH if explain == "none" else 50
    with (
        serving(folder / "0.plait", folder, "--audit", str(store)) as service,
        plait.Client(service.url, timeout_s=60) as client,
    ):
        for _ in range(number // size):
            client.predict(rows[:size], explain=explain)
    return sum(path.stat().st_size for path in folder.glob(f"{store.name}*")) / number


if __name__ == "__main__":
    sys.exit(main(run))
