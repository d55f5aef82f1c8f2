"""3-D models: of a building, a vehicle, a machine; collateral, or what is insured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    Array,
    Batch,
    Column,
    Encoder,
    Exhibit,
    Fault,
    Features,
    FitContext,
    Json,
    Place,
    Source,
    State,
)
from plait.data.sketch import LARGE, Sketch
from plait.data.source_options import column_options, refuse_newer
from plait.data.versions import versions
from plait.errors import ConfigError, DataError, unknown
from plait.layers.padding import dense
from plait.media.content import content, looks_like_file
from plait.media.decode import decoded
from plait.media.meshes import MAX_VERTICES, Surface, drawn, file_kind, given_mesh, read_mesh, sampled
from plait.media.surfaces import MEASURES, SPREADS, measured, spreads
from plait.modalities.mesh.places import owners, parts, without

__all__ = ["Mesh"]

SUFFIXES = frozenset({".obj", ".stl", ".ply", ".glb"})
MAGIC = (b"glTF", b"ply\n", b"ply\r", b"solid ", b"v ")
UPS = ("auto", "y", "z")
OPTIONS = ("encoder", "max_bytes", "max_vertices", "outside", "points", "rotate", "up")
LARGEST = float(np.finfo(np.float32).max)
SHOWN = 2_000  # points of an exhibit


class Mesh:
    """3-D models: each cell is a surface of triangles, or a cloud of points.

    A cell is a path, bytes or base64 text of an OBJ, STL (text or binary), PLY or GLB file, told apart by content and
    read by trimesh (``pip install 'plait[mesh]'``); or a mapping ``{"vertices": V x 3, "faces": F x 3 or 4}`` of
    arrays, which needs no library. Nothing that a file refers to is opened. A file that is broken, too large or empty,
    with a vertex that is not finite or a face beyond the vertices, is a fault.

    Options of the column
    ---------------------
    points
        Points sampled of each surface, evenly by area and the same for the same content (default 256).
    up
        Which coordinate points upward: ``"z"``, ``"y"``, or ``"auto"`` (default: y in GLB files, else z).
    rotate
        Turn models about the vertical by any angle while training (default true).
    encoder
        ``"points"`` (the default, as ``"auto"``), ``"pointnet"``, or another of the registry that reads the same.
    max_vertices, max_bytes
        What a cell may hold (default one million, with twice as many faces; 64 MiB).
    outside
        Whether paths may leave the data folder (default false).

    The batch holds ``points`` (float32 ``P x 6``: place, centred and with the longest side of the box 1, and normal)
    and ``measures`` (float64, see `plait.media.surfaces.MEASURES`; sizes in the units of the file).
    """

    name: ClassVar[str] = "mesh"
    joint: ClassVar[bool] = False
    deep: ClassVar[bool] = True
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        options = column_options(source, OPTIONS)
        self._points = self._whole(options, "points", 256, 16, 4096)
        self._max_vertices = self._whole(options, "max_vertices", MAX_VERTICES, 3, 1 << 26)
        self._max_bytes = self._whole(options, "max_bytes", 64 << 20, 1, 1 << 32)
        self._rotate = self._truth(options, "rotate", True)
        self._outside = self._truth(options, "outside", False)
        self._up: Any = options.get("up", "auto")
        if self._up not in UPS:
            raise unknown(f"value of up of column {self._column!r}", self._up, UPS)
        self._kind = str(options.get("encoder", "auto"))
        if self._kind != "auto":
            registry.target("encoders", self._kind)
        self._location, self._scale = np.zeros(len(MEASURES)), np.ones(len(MEASURES))

    @staticmethod
    def accepts(column: Column) -> float:
        """Near 1 where (almost) all cells are mappings with vertices, or seem to be files of these kinds."""
        cells = column.values[column.present][:64] if column.values.dtype == object else ()
        own = sum(_seems(cell) for cell in cells)
        return 0.95 * own / len(cells) if own and own >= 0.8 * len(cells) else 0.0

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Boxes with a pyramid on top, as arrays; one cell in ten missing, one in twenty broken."""
        values = np.empty(n, object)
        corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)
        sides = [[0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6], [0, 2, 3, 1]]
        roof = [[4, 5, 8], [5, 7, 8], [7, 6, 8], [6, 4, 8]]
        faces = np.array([t for a, b, c, d in sides for t in ([a, b, c], [a, c, d])] + roof)
        for row, kind in enumerate(rng.random(n)):
            top = [rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(1.1, 2.0)]
            vertices = np.concatenate([corners, [top]]) * rng.uniform(2.0, 20.0, 3)
            if kind < 0.1:
                values[row] = None
            elif kind < 0.15:
                broken = (
                    b"glTF",
                    {"vertices": vertices * np.nan},
                    {"vertices": vertices, "faces": faces + 3},
                    "lost.stl",
                )
                values[row] = broken[row % 4]
            else:
                values[row] = {"vertices": vertices} if kind < 0.2 else {"vertices": vertices, "faces": faces}
        return (Column("model", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn the usual value and the spread (median and scaled interquartile range) of each measure."""
        measures = [Sketch(LARGE) for _ in MEASURES]
        for columns in chunks:
            batch = self.transform(columns)
            for sketch, values in zip(measures, dense(batch, "measures")[batch.present].T, strict=True):
                sketch.add(values)
        for i, sketch in enumerate(measures):
            seen = _logged(sketch.sample(), MEASURES[i])
            if len(seen):
                low, self._location[i], high = np.quantile(seen, [0.25, 0.5, 0.75])
                spread = (high - low) / 1.349 or seen.std()
                self._scale[i] = spread if spread > 1e-9 else 1.0
        return self

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Sample and measure each cell once."""
        (column,) = columns
        points = np.zeros((len(column), self._points, 6), np.float32)
        measures = np.full((len(column), len(MEASURES)), np.nan)
        present, faults = np.zeros(len(column), bool), []
        settings = [self.name, self.version, self._points, self._max_vertices, self._up]
        cells = decoded(
            column,
            self._read,
            settings,
            given=self._given,
            max_bytes=self._max_bytes,
            outside=self._outside,
        )
        for row, found in cells:
            if isinstance(found, str):
                faults.append(Fault(row, column.name, found))
            else:
                present[row] = True
                points[row], measures[row] = found["points"], found["measures"]
        return Batch({"points": points, "measures": measures}, present, tuple(faults))

    def _read(self, data: bytes) -> Mapping[str, Array]:
        return self._told(read_mesh(data, max_vertices=self._max_vertices, up=self._up))

    def _given(self, cell: object) -> Mapping[str, Array] | None:
        mesh = given_mesh(cell, max_vertices=self._max_vertices, up=self._up)
        return None if mesh is None else self._told(mesh)

    def _told(self, mesh: Surface) -> Mapping[str, Array]:
        return {"points": sampled(mesh, self._points), "measures": measured(mesh)}

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Parts of the surface around centres, in the coordinates of the sampled points."""
        (column,) = columns
        return parts(self._surface(column, row), most, within) if self._one(column, row).present[0] else ()

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """Faces in parts that are not kept are taken out, and the points on them fall on what is left; a model with
        nothing left is absent. Nothing else moves: the model is neither centred nor scaled anew."""
        (column,) = columns
        whole = self._one(column, row)
        if not whole.present[0] or not places:
            return whole.take(np.zeros(len(kept), np.int64))
        mesh = self._surface(column, row)
        owner = owners(mesh, places)
        points, of = drawn(mesh, self._points)

        def less(gone: npt.NDArray[np.bool_]) -> Batch:
            out = (owner >= 0) & gone[owner]
            left = without(mesh, out)
            if left is None:
                return whole.mask(np.zeros(1, bool))
            lost = out[of]
            moved = points.copy()
            moved[lost] = sampled(left, int(lost.sum()))
            return Batch({"points": moved[None], "measures": measured(left)[None]}, np.ones(1, bool))

        return versions(whole, kept, less)

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        """2,000 points of the surface, centred, the longest side of their box 1, the third coordinate upward."""
        if not self._one(columns[0], row).present[0]:
            raise DataError(f"row {row} of column {self._column!r} has no model to show")
        return Exhibit("points", sampled(self._surface(columns[0], row), SHOWN)[:, :3])

    def _one(self, column: Column, row: int) -> Batch:
        return self.transform((column.take(np.array([row])),))

    def _surface(self, column: Column, row: int) -> Surface:
        """The model in a cell that can be read."""
        given = given_mesh(column.values[row], max_vertices=self._max_vertices, up=self._up)
        if given is not None:
            return given
        data = content(column.values[row], column.folder, max_bytes=self._max_bytes, outside=self._outside)
        return read_mesh(data, max_vertices=self._max_vertices, up=self._up)

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """The same as `features`: none of them uses a label."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Measures of the surface, and how the sampled points are spread."""
        names = tuple(f"{self._column}.{name}" for name in (*MEASURES, *SPREADS))
        out = np.full((len(batch), len(names)), np.nan)
        rows = np.flatnonzero(batch.present)
        out[rows, : len(MEASURES)] = dense(batch, "measures")[rows]
        out[rows, len(MEASURES) :] = spreads(dense(batch, "points")[rows])
        present = np.isfinite(out)
        values = np.clip(out, -LARGEST, LARGEST).astype(np.float32)
        return Features(values, names, present, np.zeros(len(names), bool), np.zeros(len(names), bool))

    def inputs(self, batch: Batch) -> Batch:
        """The points as they are, and ``numbers``: scaled measures, bounded, with a mask of those that are absent."""
        measures = dense(batch, "measures")
        logged = np.stack([_logged(column, name) for column, name in zip(measures.T, MEASURES, strict=True)], axis=1)
        numbers = np.arcsinh((logged - self._location) / self._scale)
        absent = ~np.isfinite(numbers)
        numbers = np.concatenate([np.where(absent, 0.0, numbers), absent], axis=1).astype(np.float32)
        return Batch({"points": batch.arrays["points"], "numbers": numbers}, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """Point-set attention (8 tokens), or PointNet (4), and one token of the measures."""
        kind = self._kind if kind == "auto" else kind
        options = {"width": width, "numbers": 2 * len(MEASURES), "turn": self._rotate}
        encoder: Encoder = registry.make("encoders", "points" if kind == "auto" else kind, options)
        return encoder

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        signal = {"type": "string", "contentEncoding": "base64", "contentMediaType": "model/*"}
        return {self._column: {**signal, "description": "A 3-D model: the bytes of a file."}}

    def state(self) -> State:
        return State(self.version, {}, {"location": self._location, "scale": self._scale})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        room._location, room._scale = state.arrays["location"], state.arrays["scale"]
        return room

    def _whole(self, options: Mapping[str, Json], name: str, usual: int, low: int, high: int) -> int:
        given = options.get(name, usual)
        if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
            allowed = f"a whole number in {low}..{high}"
            raise ConfigError(f"column {self._column!r}: {name} is {given!r} (allowed: {allowed})")
        return given

    def _truth(self, options: Mapping[str, Json], name: str, usual: bool) -> bool:
        given = options.get(name, usual)
        if not isinstance(given, bool):
            raise ConfigError(f"column {self._column!r}: {name} is {given!r} (allowed: true, false)")
        return given


def _seems(cell: object) -> bool:
    if isinstance(cell, Mapping) and "vertices" in cell:
        return True
    held = cell.get("bytes") if isinstance(cell, Mapping) else cell
    if isinstance(held, bytes | bytearray):
        return file_kind(bytes(held)) is not None
    return looks_like_file(cell, SUFFIXES, MAGIC)


def _logged(values: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    """Sizes and counts by their logarithm, the rest as it is."""
    by_size = name.startswith(("volume", "area", "extent", "vertices", "faces")) and name != "area_to_box"
    return np.log(np.maximum(values, 1e-30)) if by_size else values
