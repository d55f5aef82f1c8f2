"""Does a service lose a request while its champion is swapped twenty times, and does it refuse one that is broken?

One record a hundredth of a second, whatever happens; a swap every second and a half; half-way a folder that is no model
is named as champion. Beside it: the same swaps by ending the service and starting it again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.load import Sent, done, quantile, resampled, sending, serving
from benchmarks.runner import Beside, Measured, Report, main
from plait.serving.swapping import swapped

COLUMNS = ["issued_at", "income", "amount", "term", "purpose", "home", "letter"]
RATE, EVERY_S = 100.0, 1.5
SWAPS = 20
RESTARTS = 3


def run(seed: int, swaps: int = SWAPS) -> Report:
    """Two models of the same loans, in turn."""
    import plait

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        loans = plait.samples.loans(n=1500, seed=seed)
        for i in (1, 2):
            model = plait.Classifier(fusion="early", time="issued_at", random_state=i, n_jobs=1)
            model.fit(loans[COLUMNS].head(700 * i), loans["default"].head(700 * i)).save(place / f"{i}.plait")
        (place / "broken.plait").mkdir()
        (place / "broken.plait" / "manifest.json").write_text("{}")
        shelf = place / "shelf.yaml"
        shelf.write_text(json.dumps({"models": {"loans": {"champion": {"path": "1.plait", "version": "0"}}}}))
        records = json.loads(loans[COLUMNS].head(200).to_json(orient="records", date_format="iso"))
        bodies = [json.dumps({"rows": [record]}).encode() for record in records]
        sent, refused = _swapped(place, shelf, bodies, swaps)
        restarted = _restarted(place, shelf, bodies)
    seen = list(dict.fromkeys(version for version in sent.versions if version is not None))
    low, high = resampled(sent.seconds, 0.99, seed)
    beside = {f"stop and start ({RESTARTS} times)": Beside(restarted.failed / RESTARTS)}
    return Report(
        data="made loans; two models of them, saved",
        split="none: what is asked is whether answers come",
        figures=(
            Measured("swaps", swaps),
            Measured("requests", len(sent.seconds)),
            Measured("requests that failed", sent.failed),
            Measured("requests that failed, a swap", sent.failed / swaps, baselines=beside),
            Measured("versions that answered", len(seen)),
            Measured("broken champions refused", refused),
            Measured("p50", quantile(sent.seconds, 0.5), unit="ms"),
            Measured("p99", quantile(sent.seconds, 0.99), low, high, "ms"),
            Measured("longest", quantile(sent.seconds, 1.0), unit="ms"),
        ),
        notes=(f"{RATE:g} requests a second, open load, a swap every {EVERY_S:g} s; an audit is on",),
    )


def _swapped(place: Path, shelf: Path, bodies: list[bytes], swaps: int) -> tuple[Sent, int]:
    """Requests while champions change, and how many champions the service refused."""
    with serving(shelf, place, "--audit", str(place / "audit.db")) as (url, _):
        load = _load(url, bodies, (swaps + 3) * EVERY_S + 1)
        for i in range(1, swaps + 1):
            time.sleep(EVERY_S)
            swapped(shelf, "loans", place / f"{1 + i % 2}.plait", str(i))
            if i == swaps // 2:
                time.sleep(EVERY_S)
                swapped(shelf, "loans", place / "broken.plait", "broken")
        sent = done(load)
        lines = (place / "serve.log").read_text().splitlines()
    return sent, sum(json.loads(line).get("event") == "shelf refused" for line in lines if line.startswith("{"))


def _restarted(place: Path, shelf: Path, bodies: list[bytes]) -> Sent:
    """Requests while the service is ended and started again on the same port."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    load: Any = None
    for i in range(RESTARTS + 1):
        with serving(shelf, place, "--port", port) as (url, _):
            load = load or _load(url, bodies, 12.0 * RESTARTS)
            time.sleep(1.0 if i < RESTARTS else 0)
            if i == RESTARTS:
                return done(load)
    raise AssertionError("unreachable")


def _load(url: str, bodies: list[bytes], seconds: float) -> Any:
    return sending(url, "/v1/predict", bodies, {"content-type": "application/json"}, rate=RATE, seconds=seconds)


if __name__ == "__main__":
    sys.exit(main(run))
