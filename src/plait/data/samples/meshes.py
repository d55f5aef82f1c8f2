"""Made 3-D models of houses, vehicles, vessels and machines, whole and damaged."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["meshes"]

KINDS = ("house", "vehicle", "vessel", "machine")
RATES = {"house": 900.0, "vehicle": 1400.0, "vessel": 1100.0, "machine": 2000.0}

Points = npt.NDArray[np.float64]
Part = tuple[Points, npt.NDArray[np.int64]]


def meshes(n: int = 1000, seed: int = 0, form: Literal["arrays", "files"] = "arrays") -> pd.DataFrame:
    """Make 3-D models of four kinds of things, half of them damaged.

    Parameters
    ----------
    n
        Rows, in no order.
    seed
        Same seed, same frame.
    form
        ``"arrays"``: mappings of vertices and faces; ``"files"``: bytes, binary STL and OBJ in turn.

    Returns
    -------
    DataFrame with ``model``, ``kind`` (house, vehicle, vessel, machine: a quarter each), ``damaged`` (0 or 1) and
    ``value``.

    Notes
    -----
    A house is a box under a gable roof, a vehicle a body on wheels with a cabin, a vessel a drum with domed ends on
    legs, a machine a base with a column, an arm and a tool; each with a number of further boxes. Proportions are drawn
    widely, all is stretched along each axis by a factor of its own (log-normal, spread .3), turned about the vertical
    by any angle, scaled by 0.5 to 50 and divided into triangles finely or coarsely, so that extents, counts and volume
    say little of the kind. Surfaces are rough by up to half a percent, and three in ten stand open at the bottom.

    Damage is a dent, a lean from some height on, or a hole, of a depth from .12 to .35; `value` is a rate of the kind
    times the area of the undamaged model's box to the power of .8, times ``1 - 2 depth``, times noise (log-normal, .1).
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 30])
    kinds = rng.permutation(np.resize(np.array(KINDS, object), n))
    models = np.empty(n, object)
    damaged, value = np.zeros(n, np.int64), np.zeros(n)
    for row, kind in enumerate(kinds):
        vertices, faces = _whole(kind, rng)
        stretch, size = np.exp(rng.normal(0.0, 0.3, 3)), 0.5 * 100 ** rng.random()
        vertices = vertices * stretch
        vertices /= np.ptp(vertices, axis=0).max()
        a, b, c = np.ptp(vertices, axis=0) * size
        depth = 0.0
        if rng.random() < 0.5:
            damaged[row], depth = 1, rng.uniform(0.12, 0.35)
            vertices, faces = _damage(vertices, faces, depth, rng)
        vertices = _turned(vertices, rng.uniform(0, 2 * np.pi)) * size + rng.normal(0.0, 10.0, 3)
        value[row] = RATES[kind] * (a * b + b * c + a * c) ** 0.8 * (1 - 2 * depth) * np.exp(rng.normal(0.0, 0.1))
        models[row] = {"vertices": vertices.astype(np.float32), "faces": faces.astype(np.int32)}
        if form == "files":
            models[row] = (_stl, _obj)[row % 2](vertices, faces)
    return pd.DataFrame({"model": models, "kind": kinds, "damaged": damaged, "value": value.round(2)})


def _whole(kind: str, rng: np.random.Generator) -> Part:
    """A model of a kind, about one unit large, of overlapping closed parts."""
    parts = {"house": _house, "vehicle": _vehicle, "vessel": _vessel, "machine": _machine}[kind](rng)
    for _ in range(rng.integers(0, 4)):  # boxes that any kind may have
        size = rng.uniform(0.08, 0.3, 3)
        parts.append(_box(rng.uniform(-0.4, 0.4, 3) * [1, 1, 0] + [0, 0, size[2] / 2], size, rng))
    if rng.random() < 0.3:
        parts = [(v, f[~(v[f][:, :, 2] <= v[:, 2].min() + 1e-9).all(axis=1)]) for v, f in parts]
    starts = np.cumsum([0, *(len(v) for v, _ in parts)])
    vertices = np.concatenate([v for v, _ in parts])
    faces = np.concatenate([f + s for (_, f), s in zip(parts, starts, strict=False)])
    # Rough in a way that equal vertices of neighbouring faces share.
    wave = rng.normal(0.0, 9.0, (3, 3))
    return vertices + rng.uniform(0.0, 0.005) * np.sin(vertices @ wave), faces


def _house(rng: np.random.Generator) -> list[Part]:
    long, wide, high, roof = rng.uniform([0.6, 0.4, 0.2, 0.12], [1.0, 0.9, 0.7, 0.5])
    eaves = rng.uniform(1.0, 1.15)
    gable, faces = _box((0, 0, high + roof / 2), (long * eaves, wide * eaves, roof), rng)
    gable[:, 1] *= (high + roof - gable[:, 2]) / roof  # the box narrows to a ridge
    return [_box((0, 0, high / 2), (long, wide, high), rng), (gable, faces)]


def _vehicle(rng: np.random.Generator) -> list[Part]:
    long, wide, high, wheel = rng.uniform([0.8, 0.35, 0.2, 0.08], [1.2, 0.8, 0.45, 0.16])
    cabin = rng.uniform([0.25, 0.8, 0.15], [0.7, 0.95, 0.4]) * [long, wide, 1.0]
    where = rng.uniform(-0.5, 0.5) * (long - cabin[0])
    parts = [
        _box((0, 0, wheel + high / 2), (long, wide, high), rng),
        _box((where, 0, wheel + high + cabin[2] / 2), cabin, rng),
    ]
    for x in np.linspace(-0.36, 0.36, rng.integers(2, 4)) * long:
        for side in (-1, 1):
            round_, faces = _drum(wheel, 0.1, 0.0, rng)
            parts.append((round_[:, [0, 2, 1]] * [1, -1, 1] + [x, side * wide / 2, wheel], faces))
    return parts


def _vessel(rng: np.random.Generator) -> list[Part]:
    radius, long, dome, leg = rng.uniform([0.2, 0.5, 0.1, 0.08], [0.45, 1.1, 0.3, 0.4])
    drum, faces = _drum(radius, long, dome, rng)
    if rng.random() < 0.5:  # lying
        drum, low = drum[:, [2, 0, 1]], radius
        reach = (0.35 * long, 0.6 * radius)
    else:
        low = long / 2
        reach = (0.6 * radius, 0.6 * radius)
    feet = [(x, y) for x in (-reach[0], reach[0]) for y in (-reach[1], reach[1])]
    legs = [_box((*foot, (leg + low) / 2), (0.07, 0.07, leg + low), rng) for foot in feet]
    return [(drum + np.array([0, 0, leg + low]), faces), *legs]


def _machine(rng: np.random.Generator) -> list[Part]:
    long, wide, base, high = rng.uniform([0.6, 0.4, 0.15, 0.3], [1.0, 0.9, 0.5, 0.8])
    column = rng.uniform([0.15, 0.3], [0.4, 0.9]) * [long, wide]
    arm, thick = rng.uniform(0.5, 0.9) * long, rng.uniform(0.12, 0.3)
    tool, faces = _drum(rng.uniform(0.06, 0.14), 0.6 * high, 0.0, rng)
    back = -(long - column[0]) / 2
    return [
        _box((0, 0, base / 2), (long, wide, base), rng),
        _box((back, 0, base + high / 2), (*column, high), rng),
        _box((back + arm / 2, 0, base + high + thick / 2), (arm + column[0], 0.8 * column[1], thick), rng),
        (tool + np.array([back + arm, 0, base + 0.7 * high]), faces),
    ]


def _box(centre: Any, size: Any, rng: np.random.Generator) -> Part:
    """A box; each side is a grid of 2 to 6 cells a direction."""
    cells = int(rng.integers(2, 7))
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, cells + 1), np.linspace(-0.5, 0.5, cells + 1), indexing="ij")
    flat = np.stack([u.ravel(), v.ravel(), np.full(u.size, 0.5)], axis=1)
    i, j = (grid.ravel() for grid in np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"))
    corner = i * (cells + 1) + j
    square = np.stack([corner, corner + cells + 1, corner + cells + 2, corner + 1], axis=1)
    faces = np.concatenate([square[:, [0, 1, 2]], square[:, [0, 2, 3]]])
    sides = [flat[:, order] * sign for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]) for sign in (1, -1)]
    turned = [faces if k % 2 == 0 else faces[:, ::-1] for k in range(6)]
    corners = np.concatenate([part + k * len(flat) for k, part in enumerate(turned)])
    return np.concatenate(sides) * np.asarray(size) + np.asarray(centre), corners


def _drum(radius: float, long: float, dome: float, rng: np.random.Generator) -> Part:
    """A closed cylinder along the vertical, its ends domed by `dome` (0: flat)."""
    around, rings = int(rng.integers(8, 25)), int(rng.integers(2, 6))
    ends = np.linspace(0, np.pi / 2, 5)[:-1] if dome else np.zeros(1)
    side = np.linspace(-0.5, 0.5, rings + 1) * max(long - 2 * dome, 0.02)
    height = np.concatenate([side[0] - dome * np.sin(ends[:0:-1]), side, side[-1] + dome * np.sin(ends[1:])])
    width = np.concatenate([np.cos(ends[:0:-1]), np.ones(rings + 1), np.cos(ends[1:])]) * radius
    turn = np.arange(around) * (2 * np.pi / around)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    shell = np.concatenate(
        [np.column_stack([ring * w, np.full(around, h)]) for w, h in zip(width, height, strict=True)]
    )
    poles = [[0, 0, height[0] - 0.1 * dome], [0, 0, height[-1] + 0.1 * dome]]
    k = np.arange(around)
    after = (k + 1) % around
    faces = []
    for level in range(len(height) - 1):
        low, high = level * around, (level + 1) * around
        faces += [np.stack([low + k, low + after, high + after], 1), np.stack([low + k, high + after, high + k], 1)]
    last = (len(height) - 1) * around
    bottom, top = np.full(around, len(shell)), np.full(around, len(shell) + 1)
    faces += [np.stack([after, k, bottom], 1), np.stack([last + k, last + after, top], 1)]
    return np.concatenate([shell, poles]), np.concatenate(faces)


def _damage(vertices: Points, faces: npt.NDArray[np.int64], depth: float, rng: np.random.Generator) -> Part:
    kind = rng.integers(3)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    hit = vertices[rng.integers(len(vertices))]
    away = vertices - hit
    near = np.exp(-(away**2).sum(axis=1) / (2 * (0.5 * depth + 0.05) ** 2))
    if kind == 0:  # a dent, towards the middle
        inward = (low + high) / 2 - hit
        inward /= max(float(np.sqrt((inward**2).sum())), 1e-9)
        return vertices + near[:, None] * depth * inward, faces
    if kind == 1:  # a lean, from some height on
        start = low[2] + rng.uniform(0.2, 0.5) * (high[2] - low[2])
        share = np.maximum(vertices[:, 2] - start, 0.0) / (high[2] - start)
        angle = rng.uniform(0, 2 * np.pi)
        return vertices + (share * depth * 1.5)[:, None] * [np.cos(angle), np.sin(angle), -0.3], faces
    # A hole, with a ragged rim.
    gone = near[faces].mean(axis=1) > rng.uniform(0.3, 0.7, len(faces))
    gone[rng.integers(len(faces))] = False
    return vertices, faces[~gone]


def _turned(vertices: Points, angle: float) -> Points:
    x, y, z = vertices.T
    return np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y, z], axis=1)


def _stl(vertices: Points, faces: npt.NDArray[np.int64]) -> bytes:
    record = np.zeros(len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("left", "<u2")])
    record["corners"] = vertices[faces]
    return b"made".ljust(80) + struct.pack("<I", len(faces)) + record.tobytes()


def _obj(vertices: Points, faces: npt.NDArray[np.int64]) -> bytes:
    lines = [f"v {x:.6g} {y:.6g} {z:.6g}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()
