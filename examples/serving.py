"""A model as a service, on made loans: fit it, serve it behind a key, ask it, tell it what came of it, check the audit.

Run it with ``python examples/serving.py``; it listens on this machine only, and leaves nothing behind.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

import plait
from plait.serving.keys import Keys

PATIENCE_S = 60  # for the service to load its model


def main() -> None:
    rows = plait.samples.loans(n=1_200, seed=0)
    earlier, later = plait.split(rows, time="issued_at")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        say("A model of earlier loans, saved")
        model = plait.Classifier(fusion="early", time="issued_at", random_state=0)
        model.fit(earlier.drop(columns="default"), earlier["default"]).save(folder / "loans.plait")
        found = model.evaluate(later.drop(columns="default"), later["default"])["roc_auc"]
        print(f"ROC AUC on {len(later)} later ones: {found.value:.3f} ({found.low:.3f} to {found.high:.3f})")

        say("A key that may predict, explain and tell outcomes")
        key, token = make_key(folder / "keys.db")
        print("key:", key, "(its secret is shown once, and only its digest is kept)")
        with served(folder) as url, plait.Client(url, token) as client:
            ask(client, later.drop(columns="default"), later["default"])
        say("The audit: has anything been changed since?")
        sys.stdout.flush()
        command = [sys.executable, "-m", "plait", "audit", "verify", "--store", str(folder / "audit.db")]
        subprocess.run(command, check=True)


def make_key(store: Path) -> tuple[str, str]:
    """The id of a new key, and the token that callers send."""
    keys = Keys.open(store)
    try:
        key, token = keys.create("example", ["predict", "explain", "feedback", "models"])
    finally:
        keys.close()
    return key.id, token


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a service that runs as long as the block does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "plait", "serve", str(folder / "loans.plait"), "--port", str(port)]
    command += ["--keys", str(folder / "keys.db"), "--audit", str(folder / "audit.db")]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            wait_for(url, process)
            yield url
        finally:
            process.terminate()  # it answers what it was asked, closes the audit, and goes


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the service is ready, or has gone."""
    begin = time.monotonic()
    with plait.Client(url, retries=0) as client:
        while not client.ready():
            if process.poll() is not None or time.monotonic() - begin > PATIENCE_S:
                raise SystemExit("the service did not start")
            time.sleep(0.1)


def ask(client: plait.Client, rows: pd.DataFrame, outcomes: pd.Series[int]) -> None:
    """Predict, explain, and tell what became of it."""
    say("What is served")
    for served in client.models():
        print(served.model, served.version, served.role, served.digest[:12])

    say("Three loans")
    predicted = client.predict(rows.head(3), explain="sources")
    print(predicted.frame().to_string(index=False))
    print("request:", predicted.request, "by version", predicted.version)

    say("Why the first one")
    for row in client.explain(rows.head(1), depth="columns"):
        print(row["words"])

    say("All later loans in one request")
    print(f"{len(client.predict(rows)):,} answers")

    say("What became of the three")
    labels = [{"decision": each.decision, "label": int(y)} for each, y in zip(predicted, outcomes, strict=False)]
    print("outcomes recorded:", client.feedback(labels).recorded)

    say("A row that the model cannot take")
    try:
        client.predict([{"income": "a lot"}])
    except plait.PlaitError as error:
        print(error)


def say(heading: str) -> None:
    print(f"\n== {heading} ==")


if __name__ == "__main__":
    main()
