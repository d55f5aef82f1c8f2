"""Ray Data predicts 5 million rows: as fast as one process, equal, and in how much memory?

    python -c "from benchmarks.learning.ray_data import run; print(run(0, rows=100_000))"

asks the same of fewer rows.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.learning.stream import made
from benchmarks.runner import Beside, Measured, Report, alone, main
from plait.contracts import Array, Json

ROWS = 5_000_000
LEARNED = 50_000  # the earliest rows, which the model is fitted on
WORKERS = 2
OPTIONS: dict[str, dict[str, Json]] = {"lightgbm": {"trees": 100, "leaves": 24, "members": 1}}
OFTEN = 0.5  # seconds between two looks at the processes of a cluster
WORKER = "ray::"  # what Ray's workers call themselves


class Predicted(NamedTuple):
    """Seconds until the cluster stood and of the prediction, and the peak MB of processes below by what they are."""

    start: float
    seconds: float
    below: dict[str, list[int]]


def fit(folder: Path, seed: int) -> None:
    """A small model, of the first rows."""
    import plait
    from plait.data.stream import Stream

    stream = Stream.open(folder / "rows")
    rows = stream.take(np.arange(min(LEARNED, len(stream) // 2))).frame()
    model = plait.Classifier(fusion="early", options=OPTIONS, time="day", n_jobs=1, random_state=seed)
    model.fit(rows.drop(columns="default"), rows["default"]).save(folder / "model.plait")


def here(folder: Path) -> float:
    """Predict in one process; its seconds."""
    from plait.data.stream import Stream
    from plait.estimators import load_predictor
    from plait.estimators.streams import predict_stream

    start = perf_counter()
    stream = Stream.open(folder / "rows").drop("default")
    predict_stream(load_predictor(folder / "model.plait"), stream, folder / "here.parquet")
    return perf_counter() - start


def on_ray(folder: Path) -> Predicted:
    """Predict on a cluster of this machine."""
    from plait import cluster

    with peaks() as seen:
        began = perf_counter()
        with cluster.session(WORKERS):
            start = perf_counter()
            cluster.predict(folder / "model.plait", folder / "rows", folder / "there", workers=WORKERS)
            ended = perf_counter()
    below = defaultdict(list)
    for name, peak in seen.values():
        below["workers" if name.startswith(WORKER) else name].append(peak)
    return Predicted(start - began, ended - start, dict(below))


@contextmanager
def peaks() -> Iterator[dict[int, tuple[str, int]]]:
    """Of each process below this one, while the block runs: its name and its peak MB. Empty where there is no /proc.

    Pages that processes share (the cluster's store of blocks) are counted in each that has touched them.
    """
    seen: dict[int, tuple[str, int]] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(OFTEN):
            for pid in _below(os.getpid()):
                if (told := _told(pid)) is not None and (pid not in seen or told[1] >= seen[pid][1]):
                    seen[pid] = told

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def _below(above: int) -> list[int]:
    """Processes that a process started, and those that they did."""
    children = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children[parent].append(int(status.parent.name))
    found, rest = [], [above]
    while rest:
        rest += (own := children[rest.pop()])
        found += own
    return found


def _told(pid: int) -> tuple[str, int] | None:
    """A process's first word of its command and its peak MB; None of one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return None
    peak = [int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")]
    return (Path(words[0]).name if "/" in words[0] else words[0], peak[0]) if peak else None


def answers(place: Path) -> Array:
    """What was predicted of each row: its label and the probability of a default."""
    import pyarrow.dataset as ds

    table = ds.dataset(sorted(place.glob("*.parquet")) if place.is_dir() else place).to_table()
    return np.stack([np.asarray(table[name], np.float64) for name in table.column_names if name != "day"], axis=1)


def run(seed: int, rows: int = ROWS) -> Report:
    """Both ways on the same rows and model, each in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made(folder / "rows", rows, seed)
        alone(fit, folder, seed)
        one, own = alone(here, folder)
        other, driver = alone(on_ray, folder)
        ours, theirs = answers(folder / "there"), answers(folder / "here.parquet")
        same = int((ours == theirs).all(axis=1).sum()) if ours.shape == theirs.shape else 0
    workers, rest = other.below.get("workers", []), {k: v for k, v in other.below.items() if k != "workers"}
    beside = {"one process": Beside(rows / one)}
    return Report(
        data=f"{rows:,} made loans of 30 columns, Parquet files of 250,000 rows; LightGBM, 100 trees of 24 leaves",
        split=f"the first {min(LEARNED, rows // 2):,} rows to fit; all rows predicted",
        figures=(
            Measured("rows predicted by Ray Data", len(ours), unit=f"of {rows:,}"),
            Measured("rows of which all is said that one process says, bit by bit", same, unit=f"of {rows:,}"),
            Measured(f"rows a second, {WORKERS} workers", rows / other.seconds, unit="rows/s", baselines=beside),
            Measured("seconds until the cluster stands", other.start, unit="s"),
            Measured("peak of the process that asks", driver, unit="MB", baselines={"one process": Beside(float(own))}),
            Measured("largest peak of a worker", max(workers, default=None), unit="MB"),
        ),
        notes=(
            f"{len(os.sched_getaffinity(0))} cores in all; a worker is a process of one thread, and its start counts",
            f"peaks of the other processes of the cluster, MB: { {name: max(each) for name, each in rest.items()} }",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
