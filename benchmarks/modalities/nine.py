"""All nine kinds of evidence in one frame of 1,000 rows: fitted, saved and predicted by the verbs in five minutes?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import plait
from benchmarks.runner import Beside, Measured, Report, main

ROWS = 1000
TABLES = {"payments": "account", "transfers": "account"}


def verb(folder: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    """What a verb says as JSON, and its seconds, start of the process included; nothing was decoded before."""
    command = [sys.executable, "-c", "from plait.cli import main; main()", *arguments, "--json"]
    environment = {**os.environ, "PLAIT_CACHE": str(folder / "cache")}
    start = perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout), perf_counter() - start


def run(seed: int) -> Report:
    """Fit on the earlier three quarters, judge on the later quarter; then predict and evaluate by the saved model."""
    frame, tables = plait.samples.everything(ROWS, seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_parquet(folder / "rows.parquet")
        for table, long in tables.items():
            long.to_parquet(folder / f"{table}.parquet")
        beside = [f"--side={table}={table}.parquet,key={key},time=time" for table, key in TABLES.items()]
        told, seconds = {}, {}
        roles = ("--target", "default", "--time", "issued_at", *beside)
        calls = {
            "inspect": ("inspect", "rows.parquet", *roles),
            "fit": ("fit", "rows.parquet", *roles, "--seed", str(seed), "-o", "run"),
            "predict": ("predict", "run/model.plait", "rows.parquet", "-o", "predictions.csv"),
            "evaluate": ("evaluate", "run/model.plait", "rows.parquet"),
        }
        for call, arguments in calls.items():
            told[call], seconds[call] = verb(folder, *arguments)
        held_out = json.loads((folder / "run" / "evaluation.json").read_text())
    rooms = sorted({source.modality for source in plait.Schema.from_json(told["inspect"]["schema"]).sources})
    area = next(figure for figure in held_out["figures"] if figure["metric"] == "roc_auc")
    baselines = {other: Beside(**values) for other, values in area["baselines"].items()}
    return Report(
        data=f"plait.samples.everything: made, {ROWS:,} rows, {len(rooms)} rooms ({', '.join(rooms)})",
        split="the latest quarter of the rows, by plait fit",
        figures=(
            *(Measured(f"plait {call}", value, unit="s") for call, value in seconds.items()),
            Measured("all verbs", sum(seconds.values()), unit="s"),
            Measured("auto on the latest quarter", area["value"], area["low"], area["high"], "ROC AUC", baselines),
        ),
        notes=(
            "each verb is a process of its own; the cache is empty before inspect; the rows were made before",
            "the references are early fusion of all sources into one learner",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
