"""3-D models: files and arrays to triangles within limits, and triangles to sampled points with normals."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.errors import MissingExtraError
from plait.media.content import UnreadableError

__all__ = ["MAX_VERTICES", "Surface", "Up", "crossed", "drawn", "file_kind", "given_mesh", "read_mesh", "sampled"]

Up: TypeAlias = Literal["auto", "y", "z"]

MAX_VERTICES = 1_000_000
LARGEST = 1e30  # of a coordinate: its cube is still finite
HEAD = 1 << 16  # bytes that tell the kind of a text file
# What a parser of another library raises where a file is broken; memory and missing modules are not the file's fault.
BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, NameError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError, Warning, struct.error),
)

_ASCII = bytes(range(128)) + b"?" * 128
_VERTEX = re.compile(rb"^[ \t]*v[ \t]+[-+.\d]", re.MULTILINE)
_ELEMENT = re.compile(rb"^element[ \t]+\w+[ \t]+(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Surface:
    """A surface, or a cloud of points where there are no faces.

    Parameters
    ----------
    vertices
        float64 ``V x 3``, distinct, the third coordinate upward; centred, the longest side of their box 1.
    faces
        int64 ``F x 3``: the corners of triangles, each at three distinct vertices.
    scale
        What the longest side was in the file's units.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int64]
    scale: float


def file_kind(data: bytes) -> str | None:
    """``"glb"``, ``"ply"``, ``"stl"`` or ``"obj"``, by content; None for anything else."""
    if data.startswith(b"glTF"):
        return "glb"
    if data.startswith((b"ply\n", b"ply\r")):
        return "ply"
    if _is_records(data):
        return "stl"
    head = data[:HEAD]
    if head.lstrip()[:6].lower() == b"solid " and b"facet" in head.lower():
        return "stl"
    return "obj" if b"\0" not in head and _VERTEX.search(head) else None


def read_mesh(data: bytes, *, max_vertices: int = MAX_VERTICES, up: Up = "auto") -> Surface:
    """The triangles of an OBJ, STL (text or binary), PLY or GLB file; nothing that it refers to is opened.

    Parameters
    ----------
    max_vertices
        What a file may hold before equal vertices are merged; it may have twice as many faces.
    up
        Which coordinate points upward; ``"auto"``: y in GLB, as its specification says, z in all others.

    Raises
    ------
    UnreadableError
        With the reason, if the file is none of these, broken, too large, or empty.
    MissingExtraError
        If trimesh is not installed.
    """
    kind = file_kind(data)
    if kind is None:
        raise UnreadableError("not an OBJ, STL, PLY or GLB file")
    _check_counts(kind, data, max_vertices)
    try:
        import trimesh
    except ImportError:
        raise MissingExtraError(
            "reading 3-D files needs trimesh: pip install 'plait[mesh]' (arrays of vertices and faces need nothing)"
        ) from None
    data = _plain(kind, data)
    try:
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, process=False, skip_materials=True)
        parts = _placed(scene, max_vertices)
    except UnreadableError:
        raise
    except BROKEN as error:
        told = " ".join(str(error).split())[:120]
        raise UnreadableError(f"a broken {kind.upper()} file: {told or type(error).__name__}") from None
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    vertices = np.concatenate([np.empty((0, 3)), *(vertices for vertices, _ in parts)])
    moved = (faces + start for start, (_, faces) in zip(starts, parts, strict=False))
    faces = np.concatenate([np.empty((0, 3), np.int64), *moved])
    return _normal(vertices, faces, "y" if up == "auto" and kind == "glb" else up)


def given_mesh(cell: object, *, max_vertices: int = MAX_VERTICES, up: Up = "auto") -> Surface | None:
    """The triangles of a mapping of ``"vertices"`` (``V x 3``) and, unless it is a cloud, ``"faces"`` (``F x 3 or 4``).

    None where the cell is no such mapping.

    Raises
    ------
    UnreadableError
        With the reason, if the arrays are no mesh or too large.
    """
    if not isinstance(cell, Mapping) or "vertices" not in cell:
        return None
    vertices, faces = _table(cell["vertices"], "vertices"), _table(cell.get("faces"), "faces")
    if len(vertices) and vertices.shape[1] != 3:
        raise UnreadableError(f"vertices of {vertices.shape[1]} coordinates (allowed: 3)")
    if len(faces) and faces.shape[1] not in (3, 4):
        raise UnreadableError(f"faces of {faces.shape[1]} corners (allowed: 3 or 4)")
    _bounded(len(vertices), len(faces), max_vertices)
    whole = np.rint(faces)
    if not np.array_equal(whole, faces):
        raise UnreadableError("a face whose corner is no whole number")
    corners = np.where(np.abs(whole) < 2**53, whole, -1).astype(np.int64)
    if len(corners) and corners.shape[1] == 4:
        corners = np.concatenate([corners[:, :3], corners[:, [0, 2, 3]]])
    return _normal(vertices.reshape(-1, 3), corners.reshape(-1, 3), up)


def sampled(mesh: Surface, points: int) -> npt.NDArray[np.float32]:
    """Points on the surface with their normals, evenly by area, or vertices of a cloud with normals of zero.

    Each point falls into its own of equal shares of the area (stratified), uniformly within its triangle (Osada et al.,
    "Shape Distributions", 2002, equation 1). Draws are seeded by the content: the same mesh has the same points.

    Returns
    -------
    float32 ``points x 6``: place (centred, the longest side of the box 1), then the unit normal.
    """
    return drawn(mesh, points)[0]


def drawn(mesh: Surface, points: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """As `sampled`, with the face (of a cloud: the vertex) that each point is of: int64 ``points``."""
    seed = zlib.crc32(mesh.faces.tobytes(), zlib.crc32(mesh.vertices.tobytes()))
    rng = np.random.default_rng(seed)
    share = (np.arange(points) + rng.random(points)) / points
    out = np.zeros((points, 6), np.float32)
    if not len(mesh.faces):
        order = rng.permutation(len(mesh.vertices))
        picked = order[(share * len(order)).astype(np.int64)]
        out[:, :3] = mesh.vertices[picked]
        return out, picked
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    normal = crossed(b - a, c - a)
    double = np.sqrt((normal * normal).sum(axis=1))
    total = double.cumsum()
    chosen = np.searchsorted(total, share * total[-1], side="right").clip(max=len(double) - 1)
    far, along = np.sqrt(rng.random(points))[:, None], rng.random(points)[:, None]
    out[:, :3] = (1 - far) * a[chosen] + far * (1 - along) * b[chosen] + far * along * c[chosen]
    out[:, 3:] = normal[chosen] / np.maximum(double[chosen], 1e-300)[:, None]
    return out, chosen


def crossed(u: Array, v: Array) -> Array:
    """Cross products of the rows of two ``N x 3`` arrays."""
    x, y, z = u.T
    i, j, k = v.T
    return np.stack([y * k - z * j, z * i - x * k, x * j - y * i], axis=1)


def _table(values: object, name: str) -> npt.NDArray[np.float64]:
    """Numbers ``N x C`` from an array, or from rows as Parquet has them."""
    if values is None:
        return np.empty((0, 0))
    try:
        nested = isinstance(values, np.ndarray) and values.dtype == object
        table = np.array(list(values) if nested else values, np.float64)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError(f"{name} that are no table of numbers") from None
    if table.ndim != 2 and table.size:
        raise UnreadableError(f"{name} of {table.ndim} dimensions (allowed: 2)")
    return table if table.size else np.empty((0, 0))


def _bounded(vertices: int, faces: int, max_vertices: int) -> None:
    if vertices > max_vertices:
        raise UnreadableError(f"{vertices:,} vertices (allowed: {max_vertices:,})")
    if faces > 2 * max_vertices:
        raise UnreadableError(f"{faces:,} faces (allowed: {2 * max_vertices:,})")


def _check_counts(kind: str, data: bytes, max_vertices: int) -> None:
    """Refuse what claims to be too large before a parser takes memory for it."""
    if kind == "obj":
        _bounded(data.count(b"\nv "), data.count(b"\nf "), max_vertices)
    elif kind == "stl":
        _bounded(3 * ((len(data) - 84) // 50) if _is_records(data) else data.count(b"vertex"), 0, max_vertices)
    elif kind == "ply":
        if b"end_header" not in data[:HEAD]:
            raise UnreadableError("a PLY file whose header does not end")
        for told in _ELEMENT.findall(data[: data.index(b"end_header")]):
            if not told.isdigit() or int(told) > 2 * max_vertices:
                raise UnreadableError(
                    f"{told[:20].decode('ascii', 'replace')} elements (allowed: {2 * max_vertices:,})"
                )
    else:
        _check_glb(data, max_vertices)


def _check_glb(data: bytes, max_vertices: int) -> None:
    try:
        (length,) = struct.unpack_from("<I", data, 12)
        head: Any = json.loads(data[20 : 20 + length])
        held = sum(int(accessor["count"]) for accessor in head.get("accessors", ()))
        lowest = min((int(accessor["count"]) for accessor in head.get("accessors", ())), default=0)
        viewed = sum(int(view["byteLength"]) for view in head.get("bufferViews", ()))
        outside = [buffer["uri"] for buffer in head.get("buffers", ()) if "uri" in buffer]
        packed = [
            name for mesh in head.get("meshes", ()) for p in mesh["primitives"] for name in p.get("extensions", ())
        ]
    except (struct.error, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise UnreadableError("a GLB file whose header cannot be read") from None
    if held > 16 * max_vertices or lowest < 0:
        raise UnreadableError(f"{held:,} items in accessors (allowed: {16 * max_vertices:,})")
    if viewed > 2 * len(data):
        raise UnreadableError(f"views of {viewed:,} bytes in a file of {len(data):,}")
    if outside:
        raise UnreadableError("buffers outside the file; nothing that a file refers to is opened")
    if packed:
        raise UnreadableError(f"geometry packed by {str(packed[0])[:40]}, which is not read")


def _plain(kind: str, data: bytes) -> bytes:
    """Text in ASCII alone: comments and names, in whatever encoding, say nothing here and must stop no parser."""
    if kind == "glb" or _is_records(data):
        return data
    end = data.index(b"end_header") if kind == "ply" and b"format ascii" not in data[:HEAD] else len(data)
    return data[:end].translate(_ASCII) + data[end:]


def _is_records(data: bytes) -> bool:
    """Whether this is a binary STL file: a header, the number of triangles, and 50 bytes each."""
    return len(data) >= 84 and len(data) == 84 + 50 * int.from_bytes(data[80:84], "little")


def _placed(scene: Any, max_vertices: int) -> list[tuple[Array, Array]]:
    """Vertices and faces of every part of a scene, where the scene places it; a part may stand in it many times."""
    parts: list[tuple[Array, Array]] = []
    vertices = faces = 0
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        part = scene.geometry[name]
        corners = np.asarray(getattr(part, "faces", np.empty((0, 3), np.int64)), np.int64)
        vertices, faces = vertices + len(part.vertices), faces + len(corners)
        _bounded(vertices, faces, max_vertices)
        places = np.asarray(part.vertices, np.float64)
        parts.append((places @ matrix[:3, :3].T + matrix[:3, 3], corners))
    return parts


def _normal(vertices: Array, faces: Array, up: Up) -> Surface:
    """Centred and scaled, equal vertices merged, what has no area dropped."""
    if not len(vertices):
        raise UnreadableError("no vertices")
    if not (np.abs(vertices) <= LARGEST).all():  # false for NaN too
        raise UnreadableError("a vertex that is not finite, or beyond 1e30")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise UnreadableError(f"a face beyond the {len(vertices):,} vertices")
    if len(faces):
        used, place = np.unique(faces, return_inverse=True)
        vertices, faces = vertices[used], place.reshape(faces.shape)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    scale = float((high - low).max())
    if scale <= 1e-30:
        raise UnreadableError("all vertices in one place")
    vertices, place = _distinct((vertices - (low + high) / 2) / scale)
    if up == "y":
        vertices = np.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], axis=1)
    if len(faces):
        faces = place[faces]
        a, b, c = faces.T
        faces = faces[(a != b) & (b != c) & (a != c)]
        a, b, c = (vertices[faces[:, i]] for i in range(3))
        if not len(faces) or not (crossed(b - a, c - a) ** 2).sum() > 1e-24:
            raise UnreadableError("faces without area")
    return Surface(vertices, faces, scale)


def _distinct(vertices: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Distinct rows, and which of them each row is."""
    rounded = vertices.astype(np.float32) + np.float32(0)  # the precision of most files; no negative zero
    order = np.lexsort(rounded.T)
    inside = rounded[order]
    first = np.concatenate([[True], (inside[1:] != inside[:-1]).any(axis=1)])
    place = np.empty(len(order), np.int64)
    place[order] = first.cumsum() - 1
    return vertices[order[first]], place
