"""Films: of an accident, a building site, a shop; what moves in them, how they look and sound."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
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
    Ragged,
    Source,
    State,
)
from plait.data.source_options import column_options, refuse_newer
from plait.data.versions import versions
from plait.errors import ConfigError, DataError
from plait.layers.padding import dense
from plait.media.content import UnreadableError, content, looks_like_file
from plait.media.decode import decoded
from plait.media.film import FACTS, MAGIC, SUFFIXES, from_frames, read_film
from plait.media.motion import CHANNELS, MOTION, STEPS, motion_numbers, motion_track
from plait.media.pictures import framed
from plait.media.pixels import pixel_features
from plait.media.prosody import COURSE, NAMES, prosody
from plait.media.sound import decode_sound
from plait.media.spans import spans
from plait.modalities.video.places import Scene

__all__ = ["Video"]

OPTIONS = (*("encoder", "frames", "max_bytes", "max_pixels", "max_seconds", "outside", "size", "sound_seconds"),)
LOOKED_AT = 4  # frames that are described one by one
RATE = 8_000  # samples a second of sound tracks
SHORTEST = 0.1  # seconds of a place
SHOWN, SHOWN_SIZE = 8, 160  # frames of an exhibit, and pixels of their longer side
LOOK = (
    *("brightness_mean", "brightness_std", "colourfulness", "coloured", "background_brightness", "colour_disorder"),
    *("edges", "edge_strength", "edge_coherence", "edges_along_axes", "block_contrast", "flat_blocks"),
    *("ink", "centre_x", "centre_y", "spread_x", "spread_y", "waves_1_2"),
)
HEARD = tuple(name for name in NAMES if name not in COURSE)
NUMBERS = (
    *FACTS,
    *(f"motion_{name}" for name in MOTION),
    *(f"look_{name}_{how}" for name in LOOK for how in ("mean", "sd")),
    *(f"sound_{name}" for name in HEARD),
)
LARGEST = float(np.finfo(np.float32).max)


class Video:
    """Films: frames, the motion between them, and the sound track if there is one.

    A cell is a path inside the data folder, bytes, base64 or a data URI, or a mapping with ``"bytes"`` or ``"path"``,
    of any film that FFmpeg decodes; or an array ``T x H x W x 3`` or ``T x H x W`` of uint8. Only the first picture
    track and the first sound track are read, and only their beginning. A film without pictures, one that breaks off,
    and one beyond the limits are faults.

    Options of the column
    ---------------------
    frames
        How many, evenly over what is read, the encoder sees (default 8); motion is measured on up to 33.
    size
        Pixels a side of these frames (default 48).
    max_seconds
        What lies after is not decoded (default 60). Of long films key frames alone are, where there are enough.
    sound_seconds
        The same for the sound track (default 10; 0: it is not read).
    encoder
        ``"film_gru"`` (the default, as ``"auto"``), ``"film_attention"``, or another that reads the same.
    max_pixels, max_bytes
        What a frame may have (default 9 million) and a file (default 128 MiB).
    outside
        Whether paths may leave the data folder (default false).

    The batch holds ``frames`` (uint8 ``F x S x S x 3``), ``track`` (float32 ``32 x C``, see
    `plait.media.motion.motion_track`), ``numbers`` (float32: facts, motion, looks, sound; NaN where there is no sound)
    and ``samples`` (Ragged int16, 8,000 a second).
    """

    name: ClassVar[str] = "video"
    joint: ClassVar[bool] = False
    deep: ClassVar[bool] = True
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        options = column_options(source, OPTIONS)
        self._frames = int(self._number(options, "frames", 8, 2, 12))
        self._size = int(self._number(options, "size", 48, 16, 128))
        self._max_seconds = self._number(options, "max_seconds", 60, 1, 3600, whole=False)
        self._sound_seconds = self._number(options, "sound_seconds", 10, 0, 60, whole=False)
        self._max_pixels = int(self._number(options, "max_pixels", 9_000_000, 256, 1 << 28))
        self._max_bytes = int(self._number(options, "max_bytes", 128 << 20, 1, 1 << 32))
        self._outside: Any = options.get("outside", False)
        if not isinstance(self._outside, bool):
            raise ConfigError(f"column {self._column!r}: outside is {self._outside!r} (allowed: true, false)")
        self._kind = str(options.get("encoder", "auto"))
        if self._kind != "auto":
            registry.target("encoders", self._kind)
        self._location, self._scale = np.zeros(len(NUMBERS)), np.ones(len(NUMBERS))

    @staticmethod
    def accepts(column: Column) -> float:
        """Near 1 where (almost) all cells seem to be films, by name or first bytes, or are arrays of frames."""
        cells = column.values[column.present][:64] if column.values.dtype == object else ()
        own = sum(_seems(cell) for cell in cells)
        return 0.95 * own / len(cells) if own and own >= 0.8 * len(cells) else 0.0

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Tiny films out of a few, one in ten missing, one in twenty broken."""
        pool = [_clip(rng, sound=k % 3 == 0) for k in range(12)]
        values = np.empty(n, object)
        for row, kind in enumerate(rng.random(n)):
            film = pool[rng.integers(len(pool))]
            if kind < 0.1:
                values[row] = None
            elif kind < 0.15:
                values[row] = ("lost.mp4", film[: len(film) // 3], b"\x1aE\xdf\xa3 and nothing more")[row % 3]
            else:
                values[row] = {"bytes": film} if kind < 0.3 else film
        return (Column("clip", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn the usual value and the spread (median and scaled interquartile range) of each number."""
        parts = [np.empty((0, len(NUMBERS)), np.float32)]
        for columns in chunks:
            batch = self.transform(columns)
            parts.append(dense(batch, "numbers")[batch.present])
        for i, values in enumerate(np.concatenate(parts).astype(np.float64).T):
            seen = values[np.isfinite(values)]
            if len(seen):
                low, self._location[i], high = np.quantile(seen, [0.25, 0.5, 0.75])
                spread = (high - low) / 1.349 or seen.std()
                self._scale[i] = spread if spread > 1e-9 else 1.0
        return self

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Decode each film once: a few frames, a track of motion, numbers, and the beginning of the sound."""
        (column,) = columns
        rows = len(column)
        frames = np.zeros((rows, self._frames, self._size, self._size, 3), np.uint8)
        track = np.zeros((rows, STEPS, len(CHANNELS)), np.float32)
        numbers = np.full((rows, len(NUMBERS)), np.nan, np.float32)
        silence = np.empty(0, np.int16)
        samples: list[Array] = [silence] * rows
        present, faults = np.zeros(rows, bool), []
        settings = [self.name, self.version, self._frames, self._size, self._max_pixels]
        settings += [self._max_seconds, self._sound_seconds]
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
                continue
            present[row] = True
            frames[row], track[row], numbers[row] = found["frames"], found["track"], found["numbers"]
            samples[row] = found["samples"]
        sounds = Ragged.from_rows(samples, silence)
        arrays: dict[str, Array | Ragged] = {"frames": frames, "track": track, "numbers": numbers, "samples": sounds}
        return Batch(arrays, present, tuple(faults))

    def _read(self, data: bytes) -> Mapping[str, Array]:
        return _told(self._scene(data, self._frames, self._size))

    def _given(self, cell: object) -> Mapping[str, Array] | None:
        scene = self._given_scene(cell, self._frames, self._size)
        return None if scene is None else _told(scene)

    def _scene(self, data: bytes, frames: int, size: int) -> Scene:
        seconds, pixels = self._max_seconds, self._max_pixels
        film = read_film(data, frames=frames, size=size, max_seconds=seconds, max_pixels=pixels)
        samples = np.empty(0, np.int16)
        if self._sound_seconds and film.facts[FACTS.index("sound")]:
            try:
                samples = decode_sound(data, RATE, min(self._sound_seconds, self._max_seconds))
            except UnreadableError:  # what is seen counts, though nothing is heard
                samples = samples[:0]
        return Scene(film, samples, RATE)

    def _given_scene(self, cell: object, frames: int, size: int) -> Scene | None:
        if not isinstance(cell, np.ndarray):
            return None
        return Scene(from_frames(cell, frames=frames, size=size), np.empty(0, np.int16), RATE)

    def _scene_of(self, column: Column, row: int, frames: int, size: int) -> Scene:
        """The film in a cell that can be read."""
        given = self._given_scene(column.values[row], frames, size)
        if given is not None:
            return given
        data = content(column.values[row], column.folder, max_bytes=self._max_bytes, outside=self._outside)
        return self._scene(data, frames, size)

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Spans of equal length, in seconds."""
        whole = self._one(columns[0], row)
        seconds = float(dense(whole, "numbers")[0, NUMBERS.index("seconds")])
        return spans("frames", seconds, most, SHORTEST, within) if whole.present[0] else ()

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """Where a span is not kept, the frame before it stands still and the sound's quietest passage is heard."""
        (column,) = columns
        whole = self._one(column, row)
        scene = self._scene_of(column, row, self._frames, self._size) if whole.present[0] else None

        def without(gone: npt.NDArray[np.bool_]) -> Batch:
            assert scene is not None
            left = scene.without([place for place, out in zip(places, gone, strict=True) if out])
            if left is None:
                return whole.mask(np.zeros(1, bool))
            told = _told(left)
            arrays: dict[str, Array | Ragged] = {name: told[name][None] for name in ("frames", "track", "numbers")}
            arrays["samples"] = Ragged.from_rows([told["samples"]], np.empty(0, np.int16))
            return Batch(arrays, np.ones(1, bool))

        return versions(whole, kept, without)

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        """Eight frames, evenly over what is read, at most 160 pixels a side."""
        if not self._one(columns[0], row).present[0]:
            raise DataError(f"row {row} of column {self._column!r} has no film to show")
        film = self._scene_of(columns[0], row, SHOWN, SHOWN_SIZE).film
        seconds, _, width, height = film.facts[:4]
        scale = SHOWN_SIZE / max(width, height)
        sides = max(1, round(height * scale)), max(1, round(width * scale))
        frames = np.stack([framed(frame, *sides, "stretch") for frame in film.frames])
        return Exhibit("frames", frames, len(frames) / seconds)

    def _one(self, column: Column, row: int) -> Batch:
        return self.transform((column.take(np.array([row])),))

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """The same as `features`: none of them uses a label."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Length and size, motion, how frames look (mean and spread over time), and how the sound track sounds."""
        values = np.where(batch.present[:, None], dense(batch, "numbers"), np.float32(np.nan))
        names = tuple(f"{self._column}.{name}" for name in NUMBERS)
        return Features(values, names, ~np.isnan(values), np.zeros(len(names), bool), np.zeros(len(names), bool))

    def inputs(self, batch: Batch) -> Batch:
        """Frames, motion and sound as they are, and the numbers scaled, bounded, and 0 where they are absent."""
        numbers = np.arcsinh((dense(batch, "numbers") - self._location) / self._scale)
        scaled = np.where(np.isfinite(numbers), numbers, 0.0).astype(np.float32)
        return Batch({**batch.arrays, "numbers": scaled}, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """A token a frame, one of the numbers, and up to three of the sound track."""
        kind = self._kind if kind == "auto" else kind
        options = {"width": width, "size": self._size, "frames": self._frames, "channels": len(CHANNELS)}
        options |= {"numbers": len(NUMBERS), "rate": RATE}
        encoder: Encoder = registry.make("encoders", "film_gru" if kind == "auto" else kind, options)
        return encoder

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        signal = {"type": "string", "contentEncoding": "base64", "contentMediaType": "video/*"}
        return {self._column: {**signal, "description": "A film: the bytes of a file."}}

    def state(self) -> State:
        return State(self.version, {}, {"location": self._location, "scale": self._scale})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        room._location, room._scale = state.arrays["location"], state.arrays["scale"]
        return room

    def _number(
        self, options: Mapping[str, Json], name: str, usual: float, low: float, high: float, whole: bool = True
    ) -> float:
        given = options.get(name, usual)
        kinds = int if whole else (int, float)
        if isinstance(given, bool) or not isinstance(given, kinds) or not low <= given <= high:
            allowed = f"a {'whole ' if whole else ''}number in {low}..{high}"
            raise ConfigError(f"column {self._column!r}: {name} is {given!r} (allowed: {allowed})")
        return given


def _seems(cell: object) -> bool:
    if isinstance(cell, np.ndarray):
        return cell.dtype == np.uint8 and cell.ndim == 4 and cell.shape[3] == 3
    return looks_like_file(cell, SUFFIXES, MAGIC)


def _told(scene: Scene) -> Mapping[str, Array]:
    """What is kept of a film."""
    film, samples, _ = scene
    track = motion_track(film.grey, film.step)
    chosen = np.linspace(0, len(film.frames) - 1, LOOKED_AT).round().astype(np.int64)
    look = np.array([_look(film.frames[i].tobytes(), film.frames.shape[1]) for i in chosen])
    heard = np.full(len(HEARD), np.nan)
    if len(samples):
        told = dict(zip(NAMES, prosody(samples, RATE), strict=True))
        heard = np.array([told[name] for name in HEARD])
    looks = np.stack([look.mean(axis=0), look.std(axis=0)], axis=1).ravel()
    numbers = np.concatenate([film.facts, motion_numbers(track), looks, heard])
    numbers = np.clip(numbers, -LARGEST, LARGEST).astype(np.float32)
    return {"frames": film.frames, "track": track, "numbers": numbers, "samples": samples}


@lru_cache(maxsize=64)  # a film without some of its spans has the frames of the whole
def _look(frame: bytes, size: int) -> tuple[float, ...]:
    """`LOOK` of one frame."""
    told = pixel_features(np.frombuffer(frame, np.uint8).reshape(size, size, 3))
    return tuple(told[name] for name in LOOK)


def _clip(rng: np.random.Generator, sound: bool) -> bytes:
    """A square that moves over a plain ground: 8 frames of 32 x 32 pixels, Motion JPEG in AVI."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream: Any = container.add_stream("mjpeg", rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuvj420p"
        stream.codec_context.thread_count = 1
        track: Any = container.add_stream("pcm_s16le", rate=RATE, layout="mono") if sound else None
        ground, colour = rng.integers(0, 256, (2, 3))
        x, y, dx, dy = rng.integers([4, 4, -2, -2], [20, 20, 3, 3])
        for t in range(8):
            picture = np.broadcast_to(ground.astype(np.uint8), (32, 32, 3)).copy()
            left, top = np.clip([x + t * dx, y + t * dy], 0, 26)
            picture[top : top + 6, left : left + 6] = colour
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if track is not None:
            wave = (np.sin(np.arange(RATE) * rng.uniform(0.05, 0.4)) * 8000).astype(np.int16)
            heard = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            heard.sample_rate = RATE
            container.mux(track.encode(heard))
            container.mux(track.encode(None))
    return file.getvalue()
