"""What does HTTP cost: how long does one record take at 100 a second, and how many rows a second does a batch reach?

Keys and an audit are on, and the load comes from a process of its own on the same machine. Beside it the same model in
process, and LightGBM alone on the features that the model made.
"""

from __future__ import annotations

import base64
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import Sent, done, quantile, resampled, sending, serving
from benchmarks.runner import Beside, Measured, Report, main
from plait.evidence import View
from plait.media.decode import keeping_nothing

COLUMNS = ["issued_at", "income", "amount", "term", "purpose", "home", "letter"]
RATE, SECONDS = 100.0, 60.0
MANY = 1_000
REPEATS = 7
ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"


def run(seed: int) -> Report:
    """A table-and-text model and a five-kinds model, each behind a service of its own."""
    import plait

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        token = _token(place)
        loans = plait.samples.loans(n=3000, seed=seed)
        train, rest = loans.iloc[:2000], loans.iloc[2000:].reset_index(drop=True)
        models = {}
        for fusion in ("early", "attention"):
            models[fusion] = plait.Classifier(fusion=fusion, time="issued_at", random_state=seed, n_jobs=1)
            models[fusion].fit(train[COLUMNS], train["default"]).save(place / f"{fusion}.plait")
        figures: list[Measured] = []
        for fusion, model in models.items():
            figures += _loans(place, fusion, model, rest, token, seed, sixty=fusion == "early")
        figures += _dossiers(place, token, seed)
    return Report(
        data="made loans (3,000: columns and a letter) and made dossiers (300: with a balance series, a page, a call)",
        split="fitted on the first 2,000 loans (240 dossiers), asked about later ones",
        figures=tuple(figures),
        notes=(
            f"single records: {RATE:g} a second for {SECONDS:g} s (attention: 20 s), open load, latency from when each "
            "was due, p50, p95 and p99 with a block bootstrap; keys and a SQLite audit on; client on the same machine",
            "in process, median of 60: predict_proba of a frame of one row; LightGBM and eager torch alone: scores of "
            "features, and the network's forward of batches, both made before",
        ),
    )


def _token(place: Path) -> str:
    from plait.serving.keys import Keys

    return Keys.open(place / "keys.db").create("load", ["*"], rate=100_000, burst=100_000)[1]


def _loans(place: Path, fusion: str, model: Any, rest: Any, token: str, seed: int, *, sixty: bool) -> list[Measured]:
    """Single records and batches of the loans' model."""
    records = json.loads(rest[COLUMNS].to_json(orient="records", date_format="iso"))
    headers = {"authorization": f"Bearer {token}", "content-type": JSON}
    bodies = [json.dumps({"rows": [record]}).encode() for record in records[:200]]
    beside = _in_process(model, rest[COLUMNS])
    found = []
    options = ("--keys", str(place / "keys.db"), "--audit", str(place / f"audit-{fusion}.db"))
    with serving(place / f"{fusion}.plait", place, *options) as (url, _):
        done(sending(url, "/v1/predict", bodies, headers, rate=50, seconds=2))
        sent = done(sending(url, "/v1/predict", bodies, headers, rate=RATE, seconds=SECONDS if sixty else 20.0))
        found += _latencies(f"{fusion}: one record", sent, beside, seed)
        found += _batches(url, fusion, records[:MANY], rest[COLUMNS].head(MANY), token, model)
    return found


def _latencies(what: str, sent: Sent, beside: Mapping[str, Beside], seed: int) -> list[Measured]:
    found = [Measured(f"{what}: requests", len(sent.seconds)), Measured(f"{what}: errors", sent.failed)]
    for level in (0.50, 0.95, 0.99):
        low, high = resampled(sent.seconds, level, seed)
        value = quantile(sent.seconds, level)
        found.append(Measured(f"{what}: p{100 * level:.0f}", value, low, high, "ms", beside if level == 0.5 else {}))
    return found


def _in_process(model: Any, rows: Any) -> dict[str, Beside]:
    """The median milliseconds of one row: predict_proba, and what learns alone, on what rooms made before."""
    one = [rows.iloc[i : i + 1] for i in range(60)]
    found = {"predict_proba in process": _median([lambda r=row: model.predict_proba(r) for row in one])}
    made = model.model_
    batches = [made.batches(row) for row in one]
    if hasattr(made.fitted, "learner"):
        features = [View(batch, made.rooms).joined.features for batch in batches]
        found["LightGBM alone"] = _median([lambda f=f: made.fitted.learner.scores(f) for f in features])
    else:
        found["eager torch alone"] = _median([lambda b=b: made.fitted.predict(b) for b in batches])
    return {name: Beside(value) for name, value in found.items()}


def _median(calls: list[Callable[[], object]]) -> float:
    calls[0]()
    spent = []
    for call in calls:
        begun = time.perf_counter()
        call()
        spent.append(1000 * (time.perf_counter() - begun))
    return statistics.median(spent)


def _batches(url: str, fusion: str, records: list[Any], frame: Any, token: str, model: Any) -> list[Measured]:
    """Rows a second of a thousand rows as JSON and as Arrow."""
    import httpx
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    bodies = {"JSON": (JSON, JSON, json.dumps({"rows": records}).encode())}
    bodies["Arrow"] = (ARROW, ARROW, sink.getvalue().to_pybytes())
    inside = [_timed(lambda: model.predict_proba(frame)) for _ in range(REPEATS)]
    beside = {"predict_proba in process": Beside(len(frame) / statistics.median(inside))}
    found = []
    with httpx.Client(base_url=url, timeout=60, headers={"authorization": f"Bearer {token}"}) as client:
        for name, (sends, takes, body) in bodies.items():
            headers = {"content-type": sends, "accept": takes}

            def ask(body: bytes = body, headers: Mapping[str, str] = headers) -> None:
                client.post("/v1/predict", content=body, headers=headers).raise_for_status()

            spent = [_timed(ask) for _ in range(REPEATS + 1)][1:]
            rates = [len(frame) / each for each in spent]
            what = f"{fusion}: {len(frame):,} rows as {name}"
            found.append(Measured(what, statistics.median(rates), min(rates), max(rates), "rows/s", beside))
    return found


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _dossiers(place: Path, token: str, seed: int) -> list[Measured]:
    """One record with five kinds of evidence, its files in base64."""
    import plait

    frame = plait.samples.dossiers(n=300, seed=seed)
    train, rest = frame.iloc[:240], frame.iloc[240:]
    model = plait.Classifier(fusion="early", time="issued_at", random_state=seed, n_jobs=1)
    model.fit(train.drop(columns="default"), train["default"]).save(place / "five.plait")
    rows = rest.drop(columns="default")
    bodies = [json.dumps({"rows": [_record(row)]}).encode() for _, row in rows.iterrows()]
    headers = {"authorization": f"Bearer {token}", "content-type": JSON}
    with keeping_nothing():  # as the service decodes: anew each time
        inside = Beside(_median([lambda i=i: model.predict_proba(rows.iloc[i : i + 1]) for i in range(len(rows))]))
    with serving(place / "five.plait", place, "--keys", str(place / "keys.db"), "--audit", str(place / "five.db")) as (
        url,
        _,
    ):
        done(sending(url, "/v1/predict", bodies, headers, rate=5, seconds=2))
        sent = done(sending(url, "/v1/predict", bodies, headers, rate=5, seconds=20))
    value, (low, high) = quantile(sent.seconds, 0.5), resampled(sent.seconds, 0.5, seed)
    beside = {"predict_proba in process": inside}
    return [
        Measured("five kinds: errors", sent.failed),
        Measured("five kinds: p50 at 5 a second", value, low, high, "ms", beside),
    ]


def _record(row: Any) -> dict[str, Any]:
    found = {}
    for name, cell in row.items():
        if isinstance(cell, bytes):
            found[name] = {"base64": base64.b64encode(cell).decode()}
        elif isinstance(cell, np.ndarray | list | dict):
            found[name] = json.loads(json.dumps(cell, default=lambda each: each.tolist()))
        elif cell is not None and cell == cell:
            found[name] = cell.isoformat() if hasattr(cell, "isoformat") else getattr(cell, "item", lambda c=cell: c)()
    return found


if __name__ == "__main__":
    sys.exit(main(run))
