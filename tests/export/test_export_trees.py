"""Boosters as graphs: the same side of every threshold, whatever the cells."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from plait.edge.graphs import Runner, Trees
from plait.errors import ConfigError
from plait.export.trees import as_graph

CODES = 7  # the column of categories
KINDS: dict[str, dict[str, Any]] = {
    "two classes": {"objective": "binary"},
    "levels in groups": {"objective": "binary", "max_cat_to_onehot": 4, "cat_smooth": 1, "cat_l2": 1},
    "three classes": {"objective": "multiclass", "num_class": 3},
    "values": {"objective": "regression"},
    "a forest": {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
}


def made(rows: int = 800) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(rows, 9)).astype(np.float32)
    cells[:, 3] = np.round(cells[:, 3])
    cells[rng.random(cells.shape) < 0.1] = np.nan
    cells[:, 5] = np.nan_to_num(cells[:, 5])  # never missing in training
    cells[:, CODES] = np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 40, rows))
    noise = rng.normal(size=rows)
    said = np.nan_to_num(cells[:, 0]) + 2 * np.isin(cells[:, CODES], [1, 4, 9]) + np.isnan(cells[:, 2]) + noise
    return cells, said


def hostile(cells: np.ndarray, boosters: list[lightgbm.Booster]) -> np.ndarray:
    """Rows with missing, unseen and huge cells, and cells that stand on thresholds."""
    rng = np.random.default_rng(1)
    rows = cells.copy()
    rows[rng.random(rows.shape) < 0.15] = np.nan
    rows[::7, CODES], rows[::5, CODES], rows[::11, CODES] = 99, -1, np.nan
    rows[::13, 0], rows[::17, 1], rows[::19] = 3e38, -3e38, np.nan
    splits = boosters[0].trees_to_dataframe().query("decision_type == '<='")
    for i, (name, threshold) in enumerate(zip(splits["split_feature"], splits["threshold"], strict=True)):
        if abs(threshold) < 1e30:
            rows[i % len(rows), int(name.removeprefix("Column_"))] = np.float32(threshold)
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_graphs_say_what_boosters_say(kind: str) -> None:
    cells, said = made()
    target = np.digitize(said, [0.0, 1.5]) if "num_class" in KINDS[kind] else (said > 0.5)
    boosters = [
        lightgbm.train(
            {**KINDS[kind], "verbosity": -1, "seed": seed, "num_leaves": 12, "num_threads": 1},
            lightgbm.Dataset(cells, said if kind == "values" else target, categorical_feature=[CODES]),
            15,
        )
        for seed in range(2)
    ]
    rows = hostile(cells, boosters)
    raw = kind != "a forest"  # whose raw score is a sum, and which is asked for the mean
    said_by = [np.asarray(booster.predict(rows, raw_score=raw, num_threads=1)) for booster in boosters]
    expected = (said_by[0] + said_by[1]) / 2
    graph = Trees(Runner().session(as_graph(boosters)))
    assert np.array_equal(graph.predict(rows), expected)
    assert all(np.array_equal(graph.predict(rows[i : i + 1]), expected[i : i + 1]) for i in range(20))
    assert np.array_equal(as_graph(boosters), as_graph(boosters))


def test_zeros_as_missing_cannot_be_exported() -> None:
    cells, said = made(200)
    options = {"objective": "binary", "zero_as_missing": True, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(cells, said > 0), 3)
    with pytest.raises(ConfigError, match="missing cells as 'Zero'"):
        as_graph([booster])
