"""What a surface is like, in numbers: size, closedness, curvature, moments, and distributions over its points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.media.meshes import Surface, crossed

__all__ = ["MEASURES", "SPREADS", "measured", "spreads"]

FLAT = np.cos(np.radians(10.0))  # neighbouring faces whose normals differ by less lie in one plane
BLOCK = 32  # meshes whose points are compared at once
PAIRS = 512
DISTANCES = np.linspace(0.0, 2.4, 11)[1:-1]  # in mean distances
ANGLES = np.linspace(0.0, np.pi, 9)[1:-1]
HEIGHTS = 6

MEASURES = (
    *("volume", "inside_out", "area", "extent_x", "extent_y", "extent_z", "scale", "vertices", "faces"),
    *("aspect_middle", "aspect_short", "height_to_width", "box_fill", "sphericity", "area_to_box"),
    *("watertight", "open_edges", "crowded_edges", "flipped_edges", "euler", "components", "largest_component"),
    *("flat_edges", "convex_edges", "concave_edges", "bend", "edge_variation", "face_variation"),
    *("moment_long", "moment_middle", "moment_short", "centroid_height", "centroid_offset"),
)
SPREADS = (
    *(f"distance_{i}" for i in range(len(DISTANCES) + 1)),
    *(f"angle_{i}" for i in range(len(ANGLES) + 1)),
    *(f"height_{i}" for i in range(HEIGHTS)),
    *(f"radius_{i}" for i in range(HEIGHTS)),
    *(f"facing_{i}" for i in range(5)),
    *("asymmetry_long", "asymmetry_middle", "asymmetry_short"),
)


def measured(mesh: Surface) -> npt.NDArray[np.float64]:
    """`MEASURES` of a mesh, float64; NaN where a cloud of points has no such thing.

    Volume is the sum of signed tetrahedra (Zhang & Chen, "Efficient feature extraction for 2D/3D objects in mesh
    representation", 2001); sphericity is Wadell's, ``pi^(1/3) (6 V)^(2/3) / A``; moments are the square roots of the
    surface's principal second moments, by longest side of the box. Sizes are in the file's units.
    """
    v = mesh.vertices
    low, high = v.min(axis=0), v.max(axis=0)
    sides = high - low
    short, middle, long = np.sort(sides)
    told = dict.fromkeys(MEASURES, np.nan)
    told.update(zip(("extent_x", "extent_y", "extent_z"), sides * mesh.scale, strict=True))
    told.update(scale=np.log10(mesh.scale), vertices=len(v), faces=len(mesh.faces))
    told.update(aspect_middle=middle / long, aspect_short=short / long)
    told.update(height_to_width=np.arctan2(sides[2], max(sides[0], sides[1])))
    centre, second = v.mean(axis=0), np.cov(v.T, bias=True)
    if len(mesh.faces):
        a, b, c = (v[mesh.faces[:, i]] for i in range(3))
        normal = crossed(b - a, c - a)
        double = np.sqrt((normal * normal).sum(axis=1))
        area, volume = double.sum() / 2, float((a * normal).sum() / 6)
        box = float(sides.prod())
        told.update(volume=abs(volume) * mesh.scale**3, inside_out=float(volume < 0), area=area * mesh.scale**2)
        told.update(box_fill=min(abs(volume) / box, 2.0) if box > 1e-12 else 0.0)
        told.update(sphericity=np.pi ** (1 / 3) * (6 * abs(volume)) ** (2 / 3) / area)
        faced = 2 * (sides[0] * sides[1] + sides[1] * sides[2] + sides[0] * sides[2])
        told.update(area_to_box=area / faced, face_variation=double.std() / double.mean())
        weight = double / double.sum()
        middles = (a + b + c) / 3
        centre = (weight[:, None] * middles).sum(axis=0)
        second = _second_moment(a - centre, b - centre, c - centre, weight)
        told.update(_edges(mesh, normal / np.maximum(double, 1e-300)[:, None], middles))
    moments = np.sqrt(np.linalg.eigvalsh(second).clip(min=0.0))
    told.update(zip(("moment_short", "moment_middle", "moment_long"), moments, strict=True))
    told.update(centroid_height=(centre[2] - low[2]) / max(sides[2], 1e-9), centroid_offset=np.hypot(*centre[:2]))
    return np.array([told[name] for name in MEASURES], np.float64)


def _second_moment(a: Array, b: Array, c: Array, weight: Array) -> Array:
    """Mean of ``x x^T`` over triangles: ``(aa + bb + cc + ss) / 12`` of each with ``s = a + b + c``."""
    s = a + b + c
    total = np.zeros((3, 3))
    for corner in (a, b, c, s):
        scaled = corner * weight[:, None]
        for i in range(3):
            total[i] += (corner * scaled[:, i : i + 1]).sum(axis=0)
    return total / 12


def _edges(mesh: Surface, normal: Array, middles: Array) -> dict[str, float]:
    """What edges and their neighbouring faces say: closedness, pieces, and how the surface bends."""
    faces, count = mesh.faces, len(mesh.vertices)
    tail = faces.T.ravel()
    head = faces[:, [1, 2, 0]].T.ravel()
    key = np.minimum(tail, head) * count + np.maximum(tail, head)
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], np.diff(key[order]) != 0]))
    shared = np.diff(np.concatenate([first, [len(key)]]))
    one, other = order[first[shared == 2]], order[first[shared == 2] + 1]
    edges = len(first)
    span = mesh.vertices[head[order[first]]] - mesh.vertices[tail[order[first]]]
    length = np.sqrt((span * span).sum(axis=1))
    label = _pieces(tail, head, count)
    sizes = np.bincount(label[faces[:, 0]])
    told = {
        "watertight": float((shared == 2).all()),
        "open_edges": float((shared == 1).mean()),
        "crowded_edges": float((shared > 2).mean()),
        "flipped_edges": float((tail[one] == tail[other]).mean()) if len(one) else 0.0,
        "euler": float(count - edges + len(faces)),
        "components": float((sizes > 0).sum()),
        "largest_component": float(sizes.max() / len(faces)),
        "edge_variation": float(length.std() / length.mean()),
    }
    f, g = one % len(faces), other % len(faces)
    weight = length[shared == 2]
    cosine = (normal[f] * normal[g]).sum(axis=1)
    behind = ((middles[g] - middles[f]) * normal[f]).sum(axis=1)
    total = max(weight.sum(), 1e-300)
    flat = cosine > FLAT
    told["flat_edges"] = float(weight[flat].sum() / total)
    told["convex_edges"] = float(weight[~flat & (behind < 0)].sum() / total)
    told["concave_edges"] = float(weight[~flat & (behind >= 0)].sum() / total)
    told["bend"] = float((weight * np.arccos(cosine.clip(-1.0, 1.0))).sum() / total)
    return told


def _pieces(tail: Array, head: Array, count: int) -> Array:
    """Label of each vertex's connected component: hooking and pointer jumping (Shiloach & Vishkin, 1982)."""
    label = np.arange(count)
    while True:
        a, b = label[tail], label[head]
        apart = a != b
        if not apart.any():
            return label
        tail, head, a, b = tail[apart], head[apart], a[apart], b[apart]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while True:
            jumped = label[label]
            if np.array_equal(jumped, label):
                break
            label = jumped


def spreads(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """`SPREADS` of sampled points: float64 ``N x len(SPREADS)``; `facing` is NaN where points have no normals.

    Shares of distances between two points and of angles between three (D2 and A3: Osada et al., "Shape Distributions",
    2002, section 3.1), of heights, mean distance from the vertical axis by height, shares of faces by how far they look
    up, and how far points mirrored in each principal plane lie from the surface.

    Parameters
    ----------
    points
        float32 ``N x P x 6`` of `plait.media.meshes.sampled`.
    """
    parts = [_spreads(points[start : start + BLOCK].astype(np.float64)) for start in range(0, len(points), BLOCK)]
    return np.concatenate([np.empty((0, len(SPREADS))), *parts])


def _spreads(points: Array) -> Array:
    rows, count, _ = points.shape
    place, normal = points[:, :, :3], points[:, :, 3:]
    i, j, k = np.random.default_rng(0).integers(0, count, (3, PAIRS))
    u, w = place[:, i] - place[:, j], place[:, k] - place[:, j]
    far, near = np.sqrt((u * u).sum(axis=2)), np.sqrt((w * w).sum(axis=2))
    cosine = (u * w).sum(axis=2) / np.maximum(far * near, 1e-12)
    distances = _shares(np.searchsorted(DISTANCES, far / np.maximum(far.mean(axis=1, keepdims=True), 1e-12)), 10)
    angles = _shares(np.searchsorted(ANGLES, np.arccos(cosine.clip(-1.0, 1.0))), 8)
    low, high = place[:, :, 2].min(axis=1, keepdims=True), place[:, :, 2].max(axis=1, keepdims=True)
    level = ((place[:, :, 2] - low) / np.maximum(high - low, 1e-9) * HEIGHTS).astype(np.int64).clip(0, HEIGHTS - 1)
    heights = _shares(level, HEIGHTS)
    radius = np.hypot(place[:, :, 0], place[:, :, 1])
    cells = np.arange(rows)[:, None] * HEIGHTS + level
    around: Array = np.bincount(cells.ravel(), radius.ravel(), rows * HEIGHTS).reshape(rows, HEIGHTS)
    around = around / np.maximum(heights * count, 1)
    facing = _shares(np.searchsorted([-0.6, -0.2, 0.2, 0.6], normal[:, :, 2]), 5)
    facing[~normal.any(axis=(1, 2))] = np.nan
    return np.concatenate([distances, angles, heights, around, facing, _asymmetry(place)], axis=1)


def _shares(bins: Array, count: int) -> Array:
    """Share of each row's items in each bin: ``N x count``."""
    cells = np.arange(len(bins))[:, None] * count + bins
    counts = np.bincount(cells.ravel(), minlength=len(bins) * count).reshape(len(bins), count)
    return np.asarray(counts / bins.shape[1])


def _asymmetry(place: Array) -> Array:
    """Mean distance from a mirrored point to the nearest other, by principal plane: ``N x 3``, longest axis first."""
    place = place - place.mean(axis=1, keepdims=True)
    second = np.stack([(place * place[:, :, i : i + 1]).mean(axis=1) for i in range(3)], axis=1)
    axes = np.linalg.eigh(second)[1][:, :, ::-1]
    own = np.stack([(place * axes[:, None, :, i]).sum(axis=2) for i in range(3)], axis=2)
    half, asked = own[:, ::2], own[:, 1::4]
    square = (half * half).sum(axis=2)[:, None] + (asked * asked).sum(axis=2)[:, :, None]
    inner = [asked[:, :, None, i] * half[:, None, :, i] for i in range(3)]
    product = inner[0] + inner[1] + inner[2]
    out = [np.sqrt((square - 2 * (product - 2 * each)).min(axis=2).clip(min=0.0)).mean(axis=1) for each in inner]
    return np.stack(out, axis=1)
