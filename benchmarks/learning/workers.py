"""Do two torchrun workers, two Ray workers and divided weights come to what one process comes to, and how fast?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import plait
from benchmarks.runner import Measured, Report, main
from plait.errors import PlaitError

ROWS, EPOCHS = 6_000, 3
ALLOWED = 1e-4  # difference of a loss
LIMIT = 240  # seconds


def run(seed: int) -> Report:
    """The same fit of an attention network on the same mini-batches, by the command line each time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = plait.samples.loans(n=ROWS, seed=seed).drop(columns="letter")  # subwords are dropped at random
        made.to_parquet(folder / "rows.parquet")
        alone = _fit(folder, "alone", _plait(), seed)
        others = {
            "two torchrun workers": _fit(folder, "torchrun", _torchrun(), seed),
            "two torchrun workers, weights divided": _fit(folder, "divided", _torchrun(), seed, "shard=true"),
            "two Ray workers": _fit(folder, "ray", [*_plait(), "--on=ray", "--workers=2"], seed),
        }
        killed = _killed(folder, seed)
    figures = [Measured("one process: seconds of a step", alone["step"], unit="s")]
    for what, other in others.items():
        apart = np.abs(np.subtract(_losses(other), _losses(alone))).max()
        figures.append(Measured(f"{what}: largest difference of a loss (allowed {ALLOWED})", float(apart)))
        figures.append(Measured(f"{what}: seconds of a step", other["step"], unit="s"))
        share = alone["step"] / other["step"] / 2
        figures.append(Measured(f"{what}: efficiency (1: twice as fast)", share))
    losses = {"one process": alone, **others}
    return Report(
        data=f"made loans, {ROWS:,} rows, table and series; attention, width 192, mini-batches of 256, {EPOCHS} epochs",
        split="the last quarter in time is held out; a tenth of the rest judges epochs",
        figures=tuple(figures),
        notes=(
            *(f"{what}: losses by epoch and judged {[round(x, 6) for x in _losses(o)]}" for what, o in losses.items()),
            f"{len(os.sched_getaffinity(0))} cores in all, one thread a process; steps from the second epoch on",
            f"second of two workers killed in its training: {killed}",
        ),
    )


def _plait() -> list[str]:
    return [sys.executable, "-m", "plait", "fit"]


def _torchrun() -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "plait", "fit"]


def _asked(seed: int, *more: str, epochs: int = EPOCHS) -> list[str]:
    options = ("width=192", "batch_size=256", "dropout=0.0", f"epochs={epochs}", *more)
    roles = ["rows.parquet", "--target=default", "--time=issued_at", "--fusion=attention", f"--seed={seed}", "--jobs=1"]
    return [*roles, *(f"--option=attention.{option}" for option in options), "--checkpoint=off"]


def _fit(folder: Path, name: str, command: list[str], seed: int, *more: str) -> dict[str, Any]:
    """Losses of a fit, and the median of its steps' seconds from the second epoch on: the first one loads libraries."""
    asked = [*command, *_asked(seed, *more), "--watch", "jsonl", "-o", name]
    told = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run(asked, cwd=folder, env=told, capture_output=True, text=True, timeout=LIMIT)
    if said.returncode:
        raise PlaitError(f"{name} ended with {said.returncode}: {said.stderr[-400:]}")
    history = plait.load(folder / name / "model.plait").model_.fitted.history  # type: ignore[attr-defined]
    told_of = map(json.loads, (folder / name / "metrics.jsonl").read_text().splitlines())
    later = [line for line in told_of if line["stage"] == "train" and line["metrics"].get("epoch", 0.0) >= 1]
    step = np.median([_apart(one, other) for one, other in pairwise(later) if _within(one, other)])
    return {"losses": history["losses"], "judged": history["judged"], "step": float(step)}


def _within(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether there is nothing but steps between two lines: no judging at the end of an epoch."""
    return bool(other["step"] > one["step"] and one["metrics"]["epoch"] == other["metrics"]["epoch"])


def _apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Seconds a step between two lines."""
    seconds = (datetime.fromisoformat(other["time"]) - datetime.fromisoformat(one["time"])).total_seconds()
    return seconds / float(other["step"] - one["step"])


def _losses(fit: dict[str, Any]) -> list[float]:
    return [*fit["losses"], *fit["judged"]]


def _wait_for(file: Path, told: str) -> None:
    """Until a fit has told something in a file.

    Raises
    ------
    PlaitError
        If it does not.
    """
    until = time.monotonic() + LIMIT
    while not (file.exists() and told in file.read_text()):
        if time.monotonic() > until:
            raise PlaitError(f"after {LIMIT} s {file.name} does not tell {told}")
        time.sleep(0.5)


def _killed(folder: Path, seed: int) -> str:
    """What the first of two processes says, and how soon, after the second was killed with SIGKILL."""
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29571", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    usual = {**os.environ, **told, "OMP_NUM_THREADS": "1", "PLAIT_TEAM_TIMEOUT": "30"}
    command = [*_plait(), *_asked(seed, epochs=200), "--watch", "jsonl", "-o", "killed"]
    started = [
        subprocess.Popen(
            command, cwd=folder, env={**usual, "RANK": str(rank)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for rank in range(2)
    ]
    try:
        _wait_for(folder / "killed" / "metrics.jsonl", '"stage": "train"')
        started[1].send_signal(signal.SIGKILL)
        since = time.monotonic()
        _, error = started[0].communicate(timeout=LIMIT)
        spent = time.monotonic() - since
        return f"exit code {started[0].returncode} after {spent:.1f} s, {error.decode().strip()[-220:]!r}"
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main(run))
