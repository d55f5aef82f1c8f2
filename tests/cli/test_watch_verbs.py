"""`plait watch` and `plait windows` from the command line: pipes, signals, summaries, figures for Prometheus."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import plait
from plait.data.windows import Windows

FEATURES = {"card": {"over": ["1h", "1d"], "features": ["count", "sum(amount)", "since"]}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its windows, 200 events, and rows to train on."""
    made = tmp_path_factory.mktemp("watch")
    rows = plait.samples.card_payments(200, cards=10, days=2.0, share=0.1)
    rows.to_parquet(made / "rows.parquet")
    (made / "windows.yaml").write_text(json.dumps(FEATURES))
    table = rows[["amount", "channel"]].join(Windows.of(FEATURES).columns(rows, "time"))
    model = plait.Classifier(fusion="early", learner="linear", random_state=0, n_jobs=1)
    model.fit(table, rows["fraud"]).save(made / "fraud.plait")
    events = rows.drop(columns="fraud").assign(time=rows["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    events.to_json(made / "events.jsonl", orient="records", lines=True)
    return made


USUAL = ("fraud.plait", "--features", "windows.yaml")


def test_windows_are_added_to_rows_to_train_on(run: Callable[..., Any], folder: Path) -> None:
    said = run("windows", "rows.parquet", "--features", "windows.yaml", "-o", "more.parquet", "--json")
    assert said.json["columns"][0] == "card_since"
    made = pd.read_parquet(folder / "more.parquet")
    rows = pd.read_parquet(folder / "rows.parquet")
    pd.testing.assert_frame_equal(made[list(Windows.of(FEATURES).names)], Windows.of(FEATURES).columns(rows, "time"))
    assert run("windows", "more.parquet", "--features", "windows.yaml", "-o", "no.csv").code == 2
    assert run("windows", "rows.parquet", "--features", "windows.yaml", "-o", "no.csv", "--time", "card").code == 2


def test_a_file_is_watched_to_its_end_and_summed_up(run: Callable[..., Any], folder: Path) -> None:
    ends = ("--from", "events.jsonl", "--to", "out.jsonl", "--state", "state.db")
    assert run("watch", *USUAL, *ends, "--dry-run", "--json").json["known"] is False
    said = run("watch", *USUAL, *ends, "--alert-above", 0.5, "--json")
    assert (said.code, said.json["read"], said.json["outcomes"], said.json["decided"]) == (0, 200, 200, 200)
    assert "200 outcomes" in said.err
    assert len((folder / "out.jsonl").read_text().splitlines()) == 200
    looked = run("watch", *USUAL, *ends, "--dry-run", "--json").json
    assert (looked["decided"], looked["not_delivered"]) == (200, 0)
    assert looked["position"]["offset"] == (folder / "events.jsonl").stat().st_size
    assert run("watch", *USUAL, *ends, "--json").json["read"] == 0


def test_a_pipe_at_both_ends(run: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "events.jsonl").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        said = run("watch", *USUAL, "--to", "-", "--state", "piped.db", "--dead", "dead.jsonl", "--max-bytes", 150)
    assert said.code == 0
    outcomes = [json.loads(line) for line in said.out.splitlines()]
    letters = [json.loads(line) for line in (folder / "dead.jsonl").read_text().splitlines()]
    assert len(outcomes) + len(letters) == 200
    assert {each["reason"] for each in letters} <= {"too_large"}
    assert sorted(each["seq"] for each in outcomes + letters) == list(range(1, 201))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "-", "--state", "s.db", "--json"), "--json"),
        (("--to", "o.jsonl", "--state", "s.db", "--replay", "d", "--follow"), "--follow"),
        (("--to", "o.jsonl", "--state", "s.db", "--from", "none.jsonl"), "cannot be read"),
        (("--to", "o.jsonl", "--state", "s.db", "--from", "events.jsonl", "--late", "soon"), "no length of time"),
        (("--to", "events.jsonl", "--state", "s.db", "--from", "events.jsonl"), "each its own"),
        (("--to", "o.jsonl", "--state", "fraud.plait", "--from", "events.jsonl"), "is a folder"),
    ],
)
def test_a_mistake_is_one_line(run: Callable[..., Any], options: tuple[str, ...], said: str) -> None:
    found = run("watch", *USUAL, *options)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert said in found.err


def _started(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "plait", "watch", *USUAL, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.slow
def test_a_file_that_grows_is_followed_until_a_signal(folder: Path) -> None:
    grows, out = folder / "grows.jsonl", folder / "followed.jsonl"
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    grows.write_text("".join(lines[:50]) + lines[50][:40])
    ends = (
        "--from",
        grows.name,
        "--to",
        out.name,
        "--state",
        "followed.db",
        "--follow",
        "--metrics-port",
        "0",
        "--json",
    )
    with _started(folder, *ends) as worker:
        assert worker.stderr is not None
        address = re.search(r"http://\S+", worker.stderr.readline())
        assert address is not None
        _until(lambda: out.exists() and out.read_text().count("\n") == 50)
        with grows.open("a") as file:
            file.write(lines[50][40:] + "".join(lines[51:120]))
        _until(lambda: out.read_text().count("\n") == 120)
        with urllib.request.urlopen(address[0], timeout=5) as answer:
            figures = answer.read().decode()
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=30)
    assert 'plait_stream_events_total{became="outcomes"} 120.0' in figures
    assert "plait_stream_lag_seconds" in figures
    assert worker.returncode == 0
    assert (json.loads(said)["stopped"], json.loads(said)["decided"]) == (True, 120)


@pytest.mark.slow
def test_events_are_taken_at_a_rate(run: Callable[..., Any]) -> None:
    began = time.monotonic()
    run("watch", *USUAL, "--from", "events.jsonl", "--to", "slow.jsonl", "--state", "slow.db", "--rate", 100)
    assert time.monotonic() - began > 1.9


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
