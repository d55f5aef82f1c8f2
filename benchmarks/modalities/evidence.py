"""Made dossiers: what does each of five kinds of evidence give alone, and what is left of a model as they go?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.runner import Measured, Report, areas, main
from plait import registry
from plait.contracts import Batches, FitContext
from plait.data import samples
from plait.evidence import Evidence, Fitted
from plait.metrics.classification import roc_auc

Scores = npt.NDArray[np.float64]
Sources = tuple[str, ...]
ROWS, TEST = 1_000, 1_000
THREADS = 2
NAMES = {"table": "columns"}  # what a reader may call the source of the tabular columns
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "evidence.png"


class Bench:
    """Rooms fitted once on the earlier dossiers, and what fusions of any sources say of the later ones."""

    def __init__(self, seed: int) -> None:
        import plait

        frame = samples.dossiers(ROWS + TEST, seed)
        X, y = frame.drop(columns="default"), frame["default"].to_numpy()
        self.outcome = y[ROWS:]
        self.oracle = samples.dossiers_oracle(ROWS + TEST, seed)["probability"].to_numpy()[ROWS:]
        self.auto = plait.Classifier(fusion="auto", time="issued_at", n_jobs=THREADS, random_state=seed)
        self.model = self.auto.fit(X[:ROWS], y[:ROWS]).model_
        self.fit, self.judged = self.model.batches(X[:ROWS]), self.model.batches(X[ROWS:])
        head = self.model.head
        time = X["issued_at"][:ROWS].astype("int64").to_numpy() / 1e9
        targets, weight = head.encode(y[:ROWS]), np.ones(ROWS)
        self.context = FitContext(targets, head.task, head.outputs, weight, time, seed=seed, threads=THREADS)
        self.sources: Sources = tuple(self.fit.sources)
        self.whole = self.fitted(self.sources)

    def fitted(self, sources: Sources) -> Fitted:
        """Late fusion of these sources alone."""
        batches = Batches({name: self.fit.sources[name] for name in sources}, ROWS)
        rooms = {name: self.model.rooms[name] for name in sources}
        evidence = Evidence(batches, rooms, self.model.head, self.context).take(np.arange(ROWS))
        late: Fitted = registry.make("fusions", "late", {}).fit(evidence)
        return late

    def hidden(self, sources: Sources) -> Scores:
        """What the model of all sources says with only these present."""
        present = np.array([name in sources for name in self.sources])
        return np.asarray(self.whole.predict(self.judged, present).values[:, 1])

    def own(self, sources: Sources) -> Scores:
        """What a model fitted on exactly these says."""
        batches = Batches({name: self.judged.sources[name] for name in sources}, TEST)
        return np.asarray(self.fitted(sources).predict(batches).values[:, 1])


def told(sources: Sources) -> str:
    return " + ".join(NAMES.get(name, name) for name in sources)


def headline(bench: Bench, single: Mapping[Sources, Scores], seed: int) -> list[Measured]:
    """All sources by auto and by late fusion, beside the best source alone and the oracle."""
    best = max(single, key=lambda sources: roc_auc(bench.outcome, single[sources]))
    alone = f"{told(best)} alone, the best of the five"
    scores = {
        "all five, auto": np.asarray(bench.model.fitted.predict(bench.judged).values[:, 1]),
        "all five, late": bench.hidden(bench.sources),
        alone: single[best],
        "oracle": bench.oracle,
    }
    found = areas(bench.outcome, scores, [alone, "oracle"], seed=seed)
    return [found[name] for name in ("all five, auto", "all five, late")]


def run(seed: int) -> Report:
    """One fit of all sources, read with every subset present; fits of each source alone, and of all but each."""
    bench = Bench(seed)
    subsets = [kept for size in range(1, 6) for kept in combinations(bench.sources, size)]
    refitted = {kept: bench.own(kept) for kept in subsets if len(kept) in (1, 4)}
    figures = headline(bench, {kept: refitted[kept] for kept in subsets if len(kept) == 1}, seed)
    shown: dict[Sources, tuple[float, float | None]] = {}
    exact = "fitted on exactly these"
    for kept in subsets:
        scores = {"hidden": bench.hidden(kept)}
        if kept in refitted:
            scores[exact] = refitted[kept]
        found = areas(bench.outcome, scores, [exact] if kept in refitted else [], seed=seed)
        figures.append(replace(found["hidden"], what=f"present: {told(kept)}"))
        own = found[exact].value if kept in refitted else None
        shown[kept] = float(found["hidden"].value or 0.5), own
    draw(shown, float(roc_auc(bench.outcome, bench.oracle)))
    parts = ", ".join(f"{part['name']} {part['weight']:.2f}" for part in bench.auto.plan_["parts"])
    return Report(
        data=f"plait.samples.dossiers: made; {told(bench.sources)}; the signal divided evenly among the five",
        split=f"by time: the first {ROWS:,} rows to fit, {TEST:,} later ones to judge",
        figures=tuple(figures),
        notes=(
            "present: late fusion of all five, fitted once, predicting with the other sources hidden",
            f"weights of auto's parts: {parts}",
            f"drawn in {PICTURE.relative_to(PICTURE.parents[2])}; {THREADS} threads",
        ),
    )


def draw(shown: Mapping[Sources, tuple[float, float | None]], oracle: float) -> None:
    """A dot a subset over the number of sources present, a cross where a model was fitted on exactly these."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    sizes = np.array([len(kept) for kept in shown])
    values = np.array([hidden for hidden, _ in shown.values()])
    axes.plot(range(1, 6), [values[sizes == size].mean() for size in range(1, 6)], color="#9aa5b1", zorder=1)
    axes.scatter(sizes, values, s=22, color="#1f5fa8", zorder=2, label="fitted on all five, the others hidden")
    crosses = [(len(kept), own) for kept, (_, own) in shown.items() if own is not None]
    axes.scatter(
        *zip(*crosses, strict=True), marker="x", s=30, color="#c2410c", zorder=3, label="fitted on these alone"
    )
    axes.axhline(oracle, color="#667085", linestyle="--", linewidth=1, label="oracle")
    for kept, (value, _) in shown.items():
        if len(kept) in (1, 5):
            text = told(kept) if len(kept) == 1 else "all"
            axes.annotate(text, (len(kept), value), (6, -3), textcoords="offset points", fontsize=8)
    axes.set(xlabel="sources present", ylabel="ROC AUC of later loans", xticks=range(1, 6), xlim=(0.8, 5.5))
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    sys.exit(main(run))
