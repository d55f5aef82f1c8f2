"""An exported model beside the one it was made from: how fast is a record, how large is what must be installed?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Batches
from plait.edge import load
from plait.evidence import View
from plait.export import build, export
from plait.export.parity import timed
from plait.export.records import records_of

LOANS = ["issued_at", "income", "amount", "term", "purpose", "region", "employment_years", "home", "letter"]
ROWS, ASKED, FRESH = 1_000, 50, 7
PICTURE = Path(__file__).parents[2] / "docs" / "serving" / "pictures" / "edge.png"
START = """
import sys, time
begin = time.perf_counter()
import plait_edge
plait_edge.load(sys.argv[1])
print(time.perf_counter() - begin)
"""


def run(seed: int) -> Report:
    """Made loans; one thread; every side asked in turn."""
    import plait

    loans = plait.samples.loans(n=ROWS, seed=seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        trees = plait.Classifier(fusion="early", time="issued_at", random_state=seed, n_jobs=1)
        trees.fit(loans[LOANS], loans["default"])
        network = plait.Classifier(
            fusion="attention", time="issued_at", random_state=seed, n_jobs=1, options={"attention": {"epochs": 3}}
        )
        network.fit(loans[LOANS], loans["default"])
        figures = [
            *_single("early fusion, LightGBM", trees, loans[LOANS], folder / "trees", _bare_trees(trees, loans[LOANS])),
            *_single("attention", network, loans[LOANS], folder / "net", _bare_network(network, loans[LOANS])),
            *_single("attention, int8", network, loans[LOANS], folder / "net8", {}, int8=True),
            *_five(plait, seed, folder),
            *_installed(folder),
        ]
    draw(figures, PICTURE)
    return Report(
        data=f"made loans, {ROWS:,} rows: a table and a letter; made dossiers of five kinds",
        split="speed alone: models are asked the rows they were fitted on",
        figures=tuple(figures),
        notes=("from a record of JSON to an answer, in one process, one thread",),
    )


def draw(figures: Sequence[Measured], path: Path) -> None:
    """Milliseconds of a record: p50, and a line to p99."""
    from matplotlib.figure import Figure

    middle = {each.what.rpartition(":")[0]: each for each in figures if each.what.endswith("p50")}
    far = {each.what.rpartition(":")[0]: each for each in figures if each.what.endswith("p99")}
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for place, name in enumerate(middle):
        sides = [("exported", middle[name], far[name])]
        sides += [(who, each, far[name].baselines[who]) for who, each in middle[name].baselines.items()]
        for step, (who, p50, p99) in enumerate(sides):
            y, colour = place + 0.2 * (step - 1), ("#2a6f97", "#8a8a8a", "#c58b3b")[step]
            axes.plot([p50.value, p99.value], [y, y], color=colour, linewidth=2)
            axes.plot(p50.value, y, "o", color=colour)
            axes.annotate(who, (float(p99.value or 0), y), (4, 0), textcoords="offset points", va="center", size=7)
    axes.set_yticks(range(len(middle)), list(middle))
    axes.invert_yaxis()
    axes.set_xlim(
        0, 1.2 * max(float(side.value or 0) for each in far.values() for side in (each, *each.baselines.values()))
    )
    axes.set_xlabel("milliseconds a record, p50 and a line to p99, one thread")
    axes.grid(axis="x", color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


def _single(
    name: str,
    model: Any,
    frame: pd.DataFrame,
    path: Path,
    bare: dict[str, Callable[[], object]],
    *,
    int8: bool = False,
) -> list[Measured]:
    """One record at a time: exported, the estimator, and what there is within it."""
    made = export(model, path, rows=frame.head(200), int8=int8)
    edge = load(path)
    records, turn = records_of(frame.head(ASKED), model.schema_), cycle(range(ASKED))
    frames = cycle([frame.iloc[[i]] for i in range(ASKED)])
    calls: dict[str, Callable[[], object]] = {
        "exported": lambda: edge.predict([records[next(turn)]]),
        "predict_proba": lambda: model.predict_proba(next(frames)),
        **bare,
    }
    timed(calls, repeats=20)
    found = timed(calls, repeats=300)
    ours = found.pop("exported")
    return [
        Measured(
            f"{name}: one record, {share}",
            ours[i],
            unit="ms",
            baselines={other: Beside(times[i]) for other, times in found.items()},
        )
        for i, share in enumerate(("p50", "p99"))
    ] + [Measured(f"{name}: size of the exported model", made.size / 1e6, unit="MB")]


def _bare_trees(model: Any, frame: pd.DataFrame) -> dict[str, Callable[[], object]]:
    """LightGBM alone, on features that are ready."""
    inner = model.model_
    features = View(inner.batches(frame.head(1)), inner.rooms).joined.features
    return {"LightGBM alone, features ready": lambda: inner.fitted.learner.scores(features)}


def _bare_network(model: Any, frame: pd.DataFrame) -> dict[str, Callable[[], object]]:
    """The forward pass of torch alone, on tensors that are ready."""
    import torch

    inner = model.model_
    batches: Batches = inner.batches(frame.head(1))
    network = inner.fitted.network.eval()
    tensors = network.collate({name: inner.rooms[name].inputs(batch) for name, batch in batches.sources.items()})

    def forward() -> object:
        with torch.inference_mode():
            return network(tensors)

    return {"torch forward alone, tensors ready": forward}


def _five(plait: Any, seed: int, folder: Path) -> list[Measured]:
    """A record of five kinds: a table, a letter, a series, a picture and a call."""
    dossiers = plait.samples.dossiers(n=120, seed=seed)
    columns = dossiers.drop(columns="default")
    model = plait.Classifier(fusion="early", random_state=seed, n_jobs=1).fit(columns, dossiers["default"])
    return _single("five kinds, early fusion", model, columns, folder / "five", {})


def _installed(folder: Path) -> list[Measured]:
    """What `pip install` puts in place, and how long a fresh process takes to be ready."""
    wheel, target = build(folder / "dist"), folder / "target"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    sizes = {part.name: _bytes(part) / 1e6 for part in target.iterdir()}
    needed = sum(size for name, size in sizes.items() if name.startswith(("numpy", "onnxruntime")))
    seconds = []
    for _ in range(FRESH):
        command = [sys.executable, "-c", START, str(folder / "trees")]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={"PYTHONPATH": str(target)})
        seconds.append(float(done.stdout))
    low, middle, high = np.quantile(seconds, [0, 0.5, 1])
    baseline = {"numpy and onnxruntime alone": Beside(needed)}
    return [
        Measured("installed, with all it needs", sum(sizes.values()), unit="MB", baselines=baseline),
        Measured("the package plait_edge itself", sizes["plait_edge"], unit="MB"),
        Measured(f"import and load in a fresh process, median of {FRESH}", float(middle), float(low), float(high), "s"),
    ]


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc")


if __name__ == "__main__":
    sys.exit(main(run))
