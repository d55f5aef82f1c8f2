"""Parts of a surface around centres, and the surface without some of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Place
from plait.media.meshes import Surface, crossed

__all__ = ["owners", "parts", "without"]

FIRST, LATER = 16, 4  # parts of a surface, and of a part
LOOKED_AT = 4_000  # faces that the centres are found by
ROUNDS = 8  # of k-means
FEWEST = 3  # faces of a part
CLOSE = 1 + 1e-9


def parts(mesh: Surface, most: int, within: Place | None = None) -> tuple[Place, ...]:
    """Balls that share out the faces of a surface (the points of a cloud), or those in one of them; none where there
    would be but one.

    Their centres are found by k-means (Lloyd, 1982), each begun as far from the others as may be. A face is in the ball
    whose centre is nearest to its own.
    """
    middles = _middles(mesh)
    if within is not None:
        middles = middles[owners(mesh, (within,)) == 0]
    count = min(most, FIRST if within is None else LATER, len(middles) // FEWEST)
    if count < 2:
        return ()
    seen = middles[:: -(-len(middles) // LOOKED_AT)]
    centres = seen[_square(seen, seen.mean(axis=0)[None]).argmin(axis=0)]
    while len(centres) < count:
        farthest = _square(seen, centres).min(axis=1).argmax()
        centres = np.concatenate([centres, seen[farthest, None]])
    for _ in range(ROUNDS):
        nearest = _square(seen, centres).argmin(axis=1)
        size = np.bincount(nearest, minlength=count)
        sums = np.stack([np.bincount(nearest, axis, count) for axis in seen.T], axis=1)
        centres = np.where(size[:, None] > 0, sums / np.maximum(size, 1)[:, None], centres)
    square = _square(middles, centres)
    nearest = square.argmin(axis=1)
    made = [(*centres[i].tolist(), float(np.sqrt(square[nearest == i, i].max()))) for i in np.unique(nearest)]
    return tuple(Place("points", where, _label(where)) for where in made) if len(made) > 1 else ()


def owners(mesh: Surface, places: Sequence[Place]) -> npt.NDArray[np.int64]:
    """The number of the place that each face (of a cloud: each point) is in, -1 where it is in none."""
    square = _square(_middles(mesh), np.array([place.where[:3] for place in places]))
    nearest = square.argmin(axis=1)
    reach = np.array([place.where[3] for place in places])[nearest] * CLOSE
    return np.where(np.sqrt(square[np.arange(len(square)), nearest]) <= reach, nearest, -1)


def without(mesh: Surface, gone: npt.NDArray[np.bool_]) -> Surface | None:
    """The surface less some faces (of a cloud: points), neither centred nor scaled anew; None where nothing is left."""
    if not len(mesh.faces):
        left = Surface(mesh.vertices[~gone], mesh.faces, mesh.scale)
        return left if len(left.vertices) and np.ptp(left.vertices, axis=0).max() > 0 else None
    used, corners = np.unique(mesh.faces[~gone], return_inverse=True)
    left = Surface(mesh.vertices[used], corners.reshape(-1, 3), mesh.scale)
    a, b, c = (left.vertices[left.faces[:, i]] for i in range(3))
    return left if (crossed(b - a, c - a) ** 2).sum() > 0 else None


def _middles(mesh: Surface) -> npt.NDArray[np.float64]:
    if not len(mesh.faces):
        return mesh.vertices
    return np.asarray(mesh.vertices[mesh.faces].mean(axis=1), np.float64)


def _square(points: Array, centres: Array) -> npt.NDArray[np.float64]:
    """Squared distances, ``N x K``."""
    return np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1)


def _label(where: tuple[float, ...]) -> str:
    x, y, z, radius = where
    return f"within {radius:.2f} of ({x:.2f}, {y:.2f}, {z:.2f})"
