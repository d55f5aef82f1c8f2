"""A model of made card payments with windows, saved, and the events of others as lines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import plait
from plait.data.windows import Windows

__all__ = ["OWN", "Prepared", "lines", "prepared", "watching"]

OWN = ["amount", "channel"]  # what the model reads of a payment besides windows
TRAINED = 20_000


@dataclass(frozen=True)
class Prepared:
    """Where the model and its windows lie."""

    model: Path
    windows: Path


def prepared(folder: Path, seed: int) -> Prepared:
    """Fit on payments whose windows were made by `plait.data.windows`, and save."""
    told = plait.samples.card_payments_windows()
    rows = plait.samples.card_payments(TRAINED, cards=1_000, seed=seed)
    made = rows[OWN].join(Windows.of(told).columns(rows, "time"))
    options = {"lightgbm": {"trees": 100}}
    model = plait.Classifier(fusion="early", learner="lightgbm", options=options, random_state=seed, n_jobs=1)
    model.fit(made, rows["fraud"]).save(folder / "fraud.plait")
    (folder / "windows.yaml").write_text(json.dumps(told))
    return Prepared(folder / "fraud.plait", folder / "windows.yaml")


def lines(n: int, seed: int, *, cards: int = 20_000, days: float = 30.0) -> Iterator[str]:
    """Other payments as JSON, by time."""
    rows = plait.samples.card_payments(n, cards=cards, shops=1_000, days=days, seed=seed + 1).drop(columns="fraud")
    names = list(rows.columns)
    rows["time"] = rows["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for cells in zip(*(rows[name].tolist() for name in names), strict=True):
        yield json.dumps(dict(zip(names, cells, strict=True)))


def watching(made: Prepared, *options: object, log: Path, piped: bool = False) -> subprocess.Popen[bytes]:
    """``plait watch`` in a process of its own, whose standard input is a pipe or nothing."""
    asked: Sequence[object] = [made.model, "--features", made.windows, *options]
    command = [sys.executable, "-m", "plait", "watch", *map(str, asked)]
    with log.open("ab") as file:
        source, size = (subprocess.PIPE, 0) if piped else (subprocess.DEVNULL, -1)
        return subprocess.Popen(command, stdin=source, stdout=file, stderr=file, bufsize=size)
