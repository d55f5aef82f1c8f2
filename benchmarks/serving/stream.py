"""A million events through the stream: how many a second, how soon is each decided, and does memory stay flat?"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from benchmarks.serving.payments.prepared import OWN, Prepared, lines, prepared, watching
from plait.contracts import Array
from plait.data.windows import Windows

__all__ = ["run"]

EVENTS = 1_000_000
CARDS = 20_000
BATCH = 1_000
STEADY, STEADY_S = 2_000, 30  # events a second, for so many seconds
PORT = re.compile(rb"http://127\.0\.0\.1:(\d+)/metrics")
QUARTER_S = 0.25


@dataclass(frozen=True)
class Run:
    """What was seen of a worker: events done and MB at moments, events a second of processor time (without those of
    the start), seconds from start to end of the work, bytes of the state, and seconds of half and of 99% of the
    batches."""

    done: Array
    megabytes: Array
    processor: float
    seconds: float
    state: int
    half: float
    most: float


def run(seed: int) -> Report:
    """Events in a file to outcomes in another at full speed; then a pipe at a steady rate below that."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = prepared(folder, seed)
        source = folder / "events.jsonl"
        with source.open("w") as file:
            file.writelines(f"{line}\n" for line in lines(EVENTS, seed, cards=CARDS))
        full = _full(made, folder, source)
        waits = _steady(made, folder, source)
        alone = _alone(made, source)
    rate = EVENTS / full.seconds
    mb = {share: float(full.megabytes[np.searchsorted(full.done, share * EVENTS)]) for share in (0.1, 0.25, 0.5)}
    last = float(full.megabytes[-1])
    middle, high = np.percentile(waits, [50, 99])
    return Report(
        data=f"{EVENTS:,} made payments of {CARDS:,} cards in 30 days; 24 features of windows over card, device, shop",
        split="none: what is measured is time and memory",
        figures=(
            Measured(
                "events a second, file to file",
                rate,
                unit="events/s",
                baselines={"the model alone": Beside(alone, difference=rate - alone)},
            ),
            Measured("events a second of the worker's processor time", full.processor, unit="events/s"),
            Measured("from sent to outcome written, p50", 1000 * middle, unit=f"ms at {STEADY:,}/s"),
            Measured("from sent to outcome written, p99", 1000 * high, unit=f"ms at {STEADY:,}/s"),
            Measured("from read to outcome written, p50", 1000 * full.half, unit="ms at full speed"),
            Measured("from read to outcome written, p99", 1000 * full.most, unit="ms at full speed"),
            Measured("memory after 10% of the events", mb[0.1], unit="MB"),
            Measured("memory after 25%", mb[0.25], unit="MB"),
            Measured("memory after 50%", mb[0.5], unit="MB"),
            Measured("memory at the end", last, unit="MB"),
            Measured("size of the state", full.state / 2**20, unit="MB"),
        ),
        notes=(
            f"batches of {BATCH:,} at most; ids are known and windows see back 7 days, a quarter of the events",
            "the model alone: the same model on batches of the same size, in memory, windows ready, nothing kept",
            f"sent to written: a program writes into the pipe of a worker at {STEADY:,} events/s for {STEADY_S} s and "
            f"reads the outcomes as they come; state, fsync and delivery are inside",
        ),
    )


def _full(made: Prepared, folder: Path, source: Path) -> Run:
    """Everything there is, as fast as it goes; looked at from outside four times a second."""
    log, state = folder / "log", folder / "state.db"
    options = ("--from", source, "--to", folder / "out.jsonl", "--state", state, "--batch", BATCH, "--metrics-port", 0)
    worker = watching(made, *options, log=log)
    began, address, figures, looks = 0.0, "", "", []
    while worker.poll() is None:
        time.sleep(QUARTER_S)
        if not address and (found := PORT.search(log.read_bytes())):
            began, address = time.perf_counter(), found[0].decode()
        if address and (answer := _asked(address)):
            figures = answer
            looks.append((_outcomes(figures), _megabytes(worker.pid), _processor(worker.pid)))
    seconds = time.perf_counter() - began
    if worker.returncode or not looks:
        raise RuntimeError(log.read_text())
    done, used, spent = np.array([look for look in looks if look[1] > 0]).T
    pace = float((done[-1] - done[0]) / (spent[-1] - spent[0]))
    return Run(done, used, pace, seconds, state.stat().st_size, *(_quantile(figures, share) for share in (0.5, 0.99)))


def _asked(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:  # the worker is done
        return ""


def _outcomes(figures: str) -> float:
    found = re.search(r'became="outcomes"\} (\S+)', figures)
    return float(found[1]) if found else 0.0


def _quantile(figures: str, share: float) -> float:
    """Seconds that this share of the batches took at most, between the bounds of the histogram as Prometheus does."""
    found = re.findall(r'batch_seconds_bucket\{le="(\S+)"\} (\S+)', figures)
    bounds, counts = (np.array(each, float) for each in zip(*found, strict=True))
    return float(np.interp(share * counts[-1], [0.0, *counts[:-1]], [0.0, *bounds[:-1]]))


def _megabytes(process: int) -> float:
    """Resident memory of a process; 0 once it has gone."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def _processor(process: int) -> float:
    """Seconds of processor time that a process has used; 0 once it has gone."""
    try:
        told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _steady(made: Prepared, folder: Path, source: Path) -> Array:
    """Seconds from writing an event into the worker's pipe to reading its outcome, after the first tenth."""
    out, log = folder / "steady.jsonl", folder / "steady.log"
    out.touch()
    options = ("--from", "-", "--to", out, "--state", folder / "steady.db", "--batch", BATCH, "--metrics-port", 0)
    worker = watching(made, *options, log=log, piped=True)
    while not PORT.search(log.read_bytes()):
        time.sleep(QUARTER_S)
    sent: list[float] = []
    sender = threading.Thread(target=_sent, args=(worker.stdin, source, sent))
    sender.start()
    got: list[float] = []
    with out.open("rb") as file:
        while worker.poll() is None:
            if file.readline().endswith(b"\n"):
                got.append(time.perf_counter())
            else:
                file.seek(0, 1)
                time.sleep(0.0005)
    sender.join()
    waits = np.array(got) - np.array(sent[: len(got)])
    return waits[len(waits) // 10 :]


def _sent(pipe: IO[bytes], source: Path, sent: list[float]) -> None:
    """Write events one by one, each at its moment."""
    began = time.perf_counter()
    with source.open("rb") as file, pipe:
        for i, line in enumerate(islice(file, STEADY * STEADY_S)):
            time.sleep(max(0.0, began + i / STEADY - time.perf_counter()))
            sent.append(time.perf_counter())
            pipe.write(line)


def _alone(made: Prepared, source: Path) -> float:
    """Events a second of the model on frames that are ready."""
    import plait

    model, windows = plait.load(made.model), Windows.read(made.windows)
    with source.open() as file:
        rows = pd.DataFrame([json.loads(line) for line in islice(file, 20 * BATCH)])
    ready = rows[OWN].join(windows.columns(rows, "time"))
    batches = [ready.iloc[start : start + BATCH] for start in range(0, len(ready), BATCH)]
    model.prediction(batches[0])
    began = time.perf_counter()
    for batch in batches:
        model.prediction(batch)
    return len(ready) / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main(run))
