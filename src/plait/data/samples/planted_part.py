"""Made plates, as 3-D models, on which one part, among others, tells the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from plait.data.samples.planted_outcome import beside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["part"]

CELLS = 28  # of the plate's grid, a side
REACH = 0.1  # of a part, in sides of the plate
KNOB, SPIKE = 0.06, 0.2  # how high they stand

Ball = tuple[float, float, float, float]


def part(n: int, seed: int) -> tuple[pd.DataFrame, None, pd.Series]:
    """Bent plates, as arrays of vertices and faces; ``model`` holds the evidence, a spike, in half of the rows.

    Two to four parts stand apart from each other on a plate of 28 x 28 cells, above it or below: knobs, and the spike,
    which is as wide and three times as high. The truth is the middle of the spike and its reach, in a box whose longest
    side is 1 and whose middle is at 0.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 68])
    there = rng.random(n) < 0.5
    models, truth = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        models[row], where = _plate(rng, bool(there[row]))
        truth[row] = where if there[row] else None
    return beside(models, there, "model", seed), None, pd.Series(truth, name="model", dtype=object)


def _plate(rng: np.random.Generator, told: bool) -> tuple[dict[str, Any], Ball]:
    """A plate, and where the first of its parts is, which is a spike where something is to be told."""
    grid = np.linspace(-0.5, 0.5, CELLS + 1)
    x, y = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    z = rng.uniform(-0.1, 0.1) * x**2 + rng.uniform(-0.1, 0.1) * y**2 + rng.normal(0, 0.002, len(x))
    taken: list[Any] = []
    for k in range(rng.integers(2, 5)):
        taken.append(_apart(rng, taken))
        off = np.hypot(x - taken[k][0], y - taken[k][1]) / REACH
        z += (SPIKE if told and k == 0 else KNOB) * rng.choice([-1, 1]) * np.clip(1 - off, 0, None)
    i, j = (axis.ravel() for axis in np.meshgrid(np.arange(CELLS), np.arange(CELLS), indexing="ij"))
    corner = i * (CELLS + 1) + j
    faces = np.stack([corner, corner + CELLS + 1, corner + CELLS + 2, corner + 1], axis=1)
    vertices = np.stack([x, y, z], axis=1)
    foot = np.hypot(x - taken[0][0], y - taken[0][1]) < REACH
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = (vertices[foot].mean(axis=0) - (low + high) / 2) / (high - low).max()
    size = rng.uniform(0.5, 20)
    where = (float(middle[0]), float(middle[1]), float(middle[2]), REACH)
    return {"vertices": (size * vertices).astype(np.float32), "faces": faces}, where


def _apart(rng: np.random.Generator, taken: list[Any]) -> Any:
    """A place on the plate that is not near any other."""
    while True:
        place = rng.uniform(REACH - 0.5, 0.5 - REACH, 2)
        if all(np.hypot(*(place - other)) > 2 * REACH for other in taken):
            return place
