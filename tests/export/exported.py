"""Small fitted models of rooms' own example cells, for tests that export them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from plait import registry
from plait.contracts import Batches, FitContext, Head, Json, Source
from plait.edge.fitted import restored
from plait.edge.graphs import Runner
from plait.evidence import Evidence, Fitted, View
from plait.export.networks import Tracing
from plait.export.nodes import refusals, state_of
from plait.tasks import able

ROWS = 48
SMALL: Mapping[str, Mapping[str, Json]] = {
    "lightgbm": {"trees": 4, "leaves": 4, "members": 2},
    "forest": {"trees": 4, "leaf_rows": 5, "scaling": [1.0, 0.0]},
    "linear": {"strength": 0.1},
    "svm": {"strength": 0.1, "scaling": [1.0, 0.0]},
    "mlp": {},
}


def fitted(
    modalities: Iterable[str], fusion: str, options: Mapping[str, Json], head: str = "binary", rows: int = ROWS
) -> tuple[Fitted, Batches]:
    """A fusion fitted on example cells of these modalities, and the cells."""
    rng = np.random.default_rng(0)
    made = registry.get("heads", head)(**({"levels": [0.1, 0.5, 0.9]} if head == "quantile" else {}))
    targets = _targets(head, rng, rows)
    made.fit(targets, np.ones(rows))
    encoded = made.encode(targets)
    context = FitContext(encoded, made.task, made.outputs, np.ones(rows), threads=1)
    rooms, batches = {}, {}
    for name in modalities:
        kind = registry.get("modalities", name)
        columns = kind.example(rng, rows)
        source = Source(f"a {name}", name, tuple(column.name for column in columns))
        rooms[source.name] = kind(source).fit([columns], context)
        batches[source.name] = rooms[source.name].transform(columns)
    both = Batches(batches, rows)
    made_fusion: Any = able(registry.make("fusions", fusion, dict(options)), made)
    return made_fusion.fit(Evidence(both, rooms, made, context)), both


def _targets(head: str, rng: np.random.Generator, rows: int) -> Any:
    if head in ("regression", "quantile"):
        return rng.normal(size=rows)
    return rng.integers(0, 2 if head == "binary" else 3, rows)


def largest_difference(model: Fitted, batches: Batches) -> float:
    """Between a model and what is read back from its exported state: at once, alone, and with sources hidden."""
    head: Head = model.head
    assert not refusals(model, model.rooms)
    exported = restored(state_of(model, Tracing(batches)), model.rooms, head, Runner())
    sources = len(model.rooms)
    masks = [None, *np.eye(sources, dtype=bool), ~np.eye(sources, dtype=bool)[0], np.zeros(sources, bool)]

    def apart(rows: Batches, mask: Any) -> float:
        theirs, ours = (one.score(View(rows, model.rooms, mask)) for one in (model, exported))
        return float(np.abs(theirs - ours).max())

    alone = max(apart(batches.take(np.array([row])), mask) for row in range(4) for mask in masks)
    return max(alone, *(apart(batches, mask) for mask in masks))
