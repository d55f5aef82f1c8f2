"""Pictures: photographs, charts, scanned pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    Batch,
    Column,
    Encoder,
    Exhibit,
    Fault,
    Features,
    FitContext,
    Items,
    Json,
    Place,
    Source,
    State,
)
from plait.data.source_options import column_options, refuse_newer
from plait.data.versions import versions
from plait.errors import ArtifactError, ConfigError, DataError, unknown
from plait.media.content import MAX_BYTES, UnreadableError, content, looks_like_file
from plait.media.decode import Arrays, decoded
from plait.media.pictures import MAGIC, SUFFIXES, Picture, framed, given_picture, read_picture, shrunk
from plait.media.pixels import pixel_features, pixel_names
from plait.modalities.image.made import made_cells
from plait.modalities.image.places import blanked, boxes, fillings

__all__ = ["Image"]

OPTIONS = ("augment", "encoder", "fit", "flip", "grey", "max_bytes", "max_pixels", "outside", "read", "size")
CHOICES = {"augment": ("none", "light", "strong"), "fit": ("letterbox", "stretch")}
WORKING = 256  # pixels that the longer side of the copy that features are made of has at most
READABLE = 1024  # the same, of the copy that a reader reads
OWN = ("width", "height", "aspect", "pages", "transparent")
LARGEST = 1e30  # what a reader may say
SHOWN = 512  # pixels that the longer side of an exhibit has at most


class Image:
    """Pictures: photographs, charts, scanned pages.

    A cell is a path inside the data folder, bytes, base64 or a data URI, a mapping with ``"bytes"`` or ``"path"``, a
    Pillow image, or an array (``H x W``, or ``H x W x 3 or 4``). PNG, JPEG, GIF, BMP, TIFF and WebP are read, whatever
    a file is called; pictures are turned upright by EXIF, and transparent ones lie on white. Of a file with several
    pages or frames the first is read; the feature ``pages`` says how many there are.

    Options of the column
    ---------------------
    size
        Pixels a side of the encoder's picture (default 64), or ``[height, width]``.
    fit
        ``"letterbox"`` (default: proportions kept, the rest in the border's colour) or ``"stretch"``.
    grey
        Keep the encoder's picture in one channel (default false).
    encoder
        ``"auto"`` (``"pixel_conv"``), ``"pixel_conv3"``, ``"pixel_patches"``, ``"pixel_rows"``, or another that is
        registered.
    augment, flip
        What the encoder does to pictures in training: ``"light"`` (default), ``"strong"`` or ``"none"``; and whether it
        mirrors them (default false: nobody reads mirrored pages).
    read
        A registered reader, whose numbers become features ``read.<name>``. It reads a copy of at most 1,024 pixels a
        side.
    max_pixels, max_bytes
        What a picture may have, by its header (default 40 million), and a file (default 256 MiB).
    outside
        Allow paths that leave the data folder (default false).

    The batch holds ``pixels`` (uint8 ``N x H x W x 3``, or ``x 1``) and ``numbers`` (float32 ``N x F``).
    """

    name: ClassVar[str] = "image"
    joint: ClassVar[bool] = False
    deep: ClassVar[bool] = True
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        options = column_options(source, OPTIONS)
        for key, allowed in CHOICES.items():
            if options.get(key, allowed[0]) not in allowed:
                raise unknown(f"{key} of column {self._column!r}", options[key], allowed)
        self._size = _size(options.get("size", 64), self._column)
        self._fit = str(options.get("fit", "letterbox"))
        self._augment = str(options.get("augment", "light"))
        self._grey, self._flip, self._outside = (
            _truth(options, key, self._column) for key in ("grey", "flip", "outside")
        )
        self._max_pixels = _whole(options.get("max_pixels", 40_000_000), "max_pixels", self._column)
        self._max_bytes = _whole(options.get("max_bytes", MAX_BYTES), "max_bytes", self._column)
        self._encoder = str(options.get("encoder", "auto"))
        if self._encoder != "auto":
            registry.target("encoders", self._encoder)
        self._reader: Any = registry.get("readers", str(options["read"]))() if options.get("read") else None

    @staticmethod
    def accepts(column: Column) -> float:
        """Near 1 where (almost) all cells look like pictures; no file is opened."""
        cells = column.values[column.present][:64] if column.values.dtype == object else ()
        likely = sum(map(_looks_like_picture, cells))
        return 0.98 * likely / len(cells) if likely and likely >= 0.8 * len(cells) else 0.0

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Small drawings in many formats; one cell in ten missing, one in twenty broken."""
        values = made_cells(rng, n)
        return (Column("drawing", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Nothing is learned: what is said of a picture does not depend on others."""
        return self

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Cells to small pictures and to numbers about the whole ones; see the class."""
        (column,) = columns
        pixels = np.zeros((len(column), *self._size, 1 if self._grey else 3), np.uint8)
        numbers = np.zeros((len(column), len(self._names)), np.float32)
        present = np.zeros(len(column), bool)
        faults = []
        for row, made in decoded(
            column, self._read, self._settings, given=self._given, max_bytes=self._max_bytes, outside=self._outside
        ):
            if isinstance(made, str):
                faults.append(Fault(row, column.name, made))
            else:
                present[row], pixels[row], numbers[row] = True, made["pixels"], made["numbers"]
        return Batch({"pixels": pixels, "numbers": numbers}, present, tuple(faults))

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """The same as `features`: none of them uses a label."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Size, colours, edges, texture, layout and shapes, and what the reader read; no picture is decoded."""
        values = np.where(batch.present[:, None], np.asarray(batch.arrays["numbers"]), np.float32(np.nan))
        names = tuple(f"{self._column}.{name}" for name in self._names)
        no = np.zeros(len(names), bool)
        return Features(values, names, ~np.isnan(values), no, no)

    def items(self, batch: Batch) -> Items:
        """The pictures, for pretrained encoders."""
        pixels = np.asarray(batch.arrays["pixels"])
        return Items("pixels", np.broadcast_to(pixels, (*pixels.shape[:3], 3)))

    def inputs(self, batch: Batch) -> Batch:
        """The pictures alone."""
        return Batch({"pixels": batch.arrays["pixels"]}, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """At most 16 tokens a picture."""
        kind = self._encoder if kind == "auto" else kind
        make = registry.get("encoders", "pixel_conv" if kind == "auto" else kind)
        channels = 1 if self._grey else 3
        encoder: Encoder = make(width=width, size=self._size, channels=channels, augment=self._augment, flip=self._flip)
        return encoder

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Boxes of a grid over the picture, or over one of its boxes, row by row."""
        picture = self._picture(columns[0], row, self._edge)
        return () if picture is None else boxes(picture.pixels.shape[0], picture.pixels.shape[1], most, within)

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """Boxes that are not kept take the colour of what is around them; a picture with none left is absent."""
        (column,) = columns
        whole = self.transform((column.take(np.array([row])),))
        picture = self._picture(column, row, self._edge)
        if picture is None:
            return whole.take(np.zeros(len(kept), np.int64))
        colours = fillings(picture.pixels, places)

        def without(gone: npt.NDArray[np.bool_]) -> Batch:
            out = [place for place, lost in zip(places, gone, strict=True) if lost]
            pixels = blanked(picture.pixels, out, colours[gone])
            if pixels is None:
                return whole.mask(np.zeros(1, bool))
            made = self._made(replace(picture, pixels=pixels))
            return Batch({name: made[name][None] for name in whole.arrays}, np.ones(1, bool))

        return versions(whole, kept, without)

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        """The picture, upright, at most 512 pixels a side."""
        picture = self._picture(columns[0], row, SHOWN)
        if picture is None:
            raise DataError(f"row {row} of column {self._column!r} has no picture to show")
        return Exhibit("pixels", picture.pixels)

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        signal = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}
        return {self._column: {**signal, "description": "A picture: the bytes of a file."}}

    def state(self) -> State:
        """The names of the features, which depend on the reader's version."""
        return State(self.version, {"names": list(self._names)})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        if list(room._names) != list(state.values["names"]):
            raise ArtifactError(f"source {source.name!r} was saved with another version of its reader")
        return room

    @property
    def _names(self) -> tuple[str, ...]:
        read = () if self._reader is None else tuple(f"read.{name}" for name in self._reader.names)
        return (*OWN, *pixel_names(), *read)

    @property
    def _settings(self) -> Json:
        """All that `_read` depends on beside the bytes."""
        reader = None if self._reader is None else [self._reader.name, self._reader.version, list(self._reader.names)]
        picture = [*self._size, self._fit, self._grey, self._max_pixels]
        return {"room": self.name, "version": self.version, "picture": picture, "reader": reader}

    @property
    def _edge(self) -> int:
        return max(WORKING, *self._size, READABLE if self._reader is not None else 0)

    def _picture(self, column: Column, row: int, edge: int) -> Picture | None:
        """The picture in a cell, its longer side at most `edge` pixels; None where there is none."""
        if not column.present[row]:
            return None
        cell = column.values[row]
        try:
            given = given_picture(cell, edge, self._max_pixels)
            if given is not None:
                return given
            data = content(cell, column.folder, max_bytes=self._max_bytes, outside=self._outside)
            return read_picture(data, edge, self._max_pixels)
        except UnreadableError:
            return None

    def _read(self, data: bytes) -> Arrays:
        return self._made(read_picture(data, self._edge, self._max_pixels))

    def _given(self, cell: object) -> Arrays | None:
        picture = given_picture(cell, self._edge, self._max_pixels)
        return None if picture is None else self._made(picture)

    def _made(self, picture: Picture) -> Arrays:
        about = pixel_features(shrunk(picture.pixels, WORKING))
        own = (picture.width, picture.height, picture.width / picture.height, picture.pages, picture.transparent)
        numbers = [*own, *about.values()]
        if self._reader is not None:
            told = self._reader.read(picture.pixels)
            numbers += [told.get(name, np.nan) for name in self._reader.names]
        pixels = framed(picture.pixels, *self._size, "stretch" if self._fit == "stretch" else "letterbox")
        if self._grey:
            pixels = (pixels @ np.array([77, 150, 29]) >> 8).astype(np.uint8)[:, :, None]
        known = np.asarray(numbers, np.float64)
        bounded = np.where(np.isfinite(known), np.clip(known, -LARGEST, LARGEST), np.nan)
        return {"pixels": pixels, "numbers": bounded.astype(np.float32)}


def _looks_like_picture(cell: object) -> bool:
    if isinstance(cell, np.ndarray):
        if cell.ndim == 2:
            return bool(cell.dtype == np.uint8) and min(cell.shape) >= 2
        return cell.ndim == 3 and cell.shape[2] in (1, 3, 4) and cell.dtype.kind in "uf" and min(cell.shape[:2]) >= 2
    # Pillow's images tell their mode; Pillow itself need not be loaded to ask.
    return hasattr(cell, "getexif") or looks_like_file(cell, SUFFIXES, MAGIC)


def _size(given: Json, column: str) -> tuple[int, int]:
    sides = given if isinstance(given, list | tuple) else [given, given]
    whole = all(isinstance(side, int) and not isinstance(side, bool) and 8 <= side <= READABLE for side in sides)
    if len(sides) != 2 or not whole:
        allowed = f"a whole number from 8 to {READABLE:,}, or [height, width]"
        raise ConfigError(f"column {column!r}: size is {given!r} (allowed: {allowed})")
    return sides[0], sides[1]


def _whole(given: Json, option: str, column: str) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ConfigError(f"column {column!r}: {option} is {given!r} (allowed: a whole number from 1)")
    return given


def _truth(options: Any, option: str, column: str) -> bool:
    given = options.get(option, False)
    if not isinstance(given, bool):
        raise ConfigError(f"column {column!r}: {option} is {given!r} (allowed: true or false)")
    return given
