"""Films of any format to a few frames and their motion, bounded in bytes, pixels, seconds and memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.media.content import UnreadableError
from plait.media.sound import FORMATS, opened

__all__ = ["FACTS", "MAGIC", "SUFFIXES", "Film", "from_frames", "read_film"]

LOOKS = 32  # pixels a side of the grey frames that motion is measured on
MOMENTS = 33  # grey frames at most: one more than the steps of motion
LONG = 900  # frames from which a film is read by its key frames
PACKETS = 100_000
DECODED = 4_000_000_000  # pixels decoded of one film
RATE = 25.0  # frames a second where nothing says so
LOST = 0.25  # share of the stated seconds that may be missing at the end
MORE_FORMATS = "gif,apng,mjpeg,h264,hevc,m4v,mpegvideo,ivf,obu,yuv4mpegpipe,nsv,smjpeg,roq,vc1,mxf,gxf"
SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mpe", ".ts", ".m2ts", ".mts", ".3gp"),
        *(".3g2", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".vob", ".mjpeg", ".mjpg", ".y4m", ".mxf"),
    )
)
MAGIC = (  # what films begin with; sound alone may lie in the same containers
    *(b"????ftypisom", b"????ftypiso", b"????ftypmp4", b"????ftypqt", b"????ftypM4V", b"????ftypavc1", b"????ftyp3g"),
    *(b"????moov", b"\x1aE\xdf\xa3", b"RIFF????AVI ", b"FLV\x01", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"),
    *(b"YUV4MPEG2", b"0&\xb2u\x8ef\xcf\x11"),
)
FACTS = ("seconds", "frame_rate", "width", "height", "aspect", "frames_seen", "sound")

Pixels = npt.NDArray[np.uint8]


class Film(NamedTuple):
    """A film in small.

    Parameters
    ----------
    frames
        uint8 ``F x S x S x 3``, evenly over what was read.
    grey
        float32 ``T x 32 x 32``, brightness 0..1, ``T`` from 1 to `MOMENTS`, evenly over the same.
    step
        Seconds between two grey frames.
    facts
        `FACTS`: seconds read, frames a second, pixels as shown, log of width to height, frames seen, 1 with sound.
    """

    frames: Pixels
    grey: npt.NDArray[np.float32]
    step: float
    facts: tuple[float, ...]


def read_film(data: bytes, *, frames: int, size: int, max_seconds: float, max_pixels: int) -> Film:
    """Decode the first picture track of a file.

    Long films are read by their key frames, where they have enough; what lies after `max_seconds` is not read.

    Parameters
    ----------
    frames, size
        How many frames are kept in colour, and pixels a side.
    max_pixels
        What a frame may have.

    Raises
    ------
    UnreadableError
        If it is no film, has no picture track, is broken or breaks off, or is too large.
    """
    read = _Reading(size, max_seconds, max_pixels)
    read.run(data, keys=True)
    if read.skipped and len(read.frames) < frames:
        read = _Reading(size, max_seconds, max_pixels)
        read.run(data, keys=False)
    if not read.frames:
        raise UnreadableError("no frame in it")
    times = np.array([time for time, _, _ in read.frames])
    colour, grey = (np.stack([frame[i] for frame in read.frames]) for i in (1, 2))
    return _film(colour, grey, times, frames, read.facts)


def from_frames(values: Array, *, frames: int, size: int, rate: float = RATE) -> Film:
    """A film from an array ``T x H x W x 3`` or ``T x H x W`` of uint8, `rate` frames a second.

    Raises
    ------
    UnreadableError
        If the array has another form.
    """
    if values.dtype != np.uint8 or values.ndim not in (3, 4) or not values.size or values.shape[3:] not in ((), (3,)):
        shape = " x ".join(map(str, values.shape))
        raise UnreadableError(f"an array of {values.dtype} and shape {shape} is no film (uint8, T x H x W x 3)")
    count, height, width = values.shape[:3]
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOMENTS)).round().astype(np.int64))
    seen = [_small(values[i], size) for i in chosen]
    colour, grey = (np.stack([each[i] for each in seen]) for i in range(2))
    facts = (count / rate, rate, float(width), float(height), np.log(width / height), float(count), 0.0)
    return _film(colour, grey, chosen / rate, frames, facts)


def _film(colour: Pixels, grey: Array, times: Array, frames: int, facts: tuple[float, ...]) -> Film:
    """The frames nearest to even times."""

    def even(count: int) -> Array:
        wanted = np.linspace(times[0], times[-1], count)
        return np.asarray(np.abs(times[None] - wanted[:, None]).argmin(axis=1))

    moments = np.unique(even(min(len(times), MOMENTS)))
    step = float(np.diff(times[moments]).mean()) if len(moments) > 1 else 0.0
    return Film(colour[even(frames)], grey[moments].astype(np.float32) / np.float32(255), step, facts)


def _small(pixels: Pixels, size: int) -> tuple[Pixels, Pixels]:
    """A frame in colour and in grey, each averaged to its size."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    grey = picture.convert("L").resize((LOOKS, LOOKS), Image.Resampling.BOX)
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX)), np.asarray(grey)


class _Reading:
    """One pass through a film, which keeps every ``stride``-th frame; the stride doubles whenever that is too many."""

    def __init__(self, size: int, max_seconds: float, max_pixels: int) -> None:
        from av.video.reformatter import VideoReformatter

        self.size, self.max_seconds, self.max_pixels = size, max_seconds, max_pixels
        self.frames: list[tuple[float, Pixels, Pixels]] = []
        self.stride, self.seen, self.turns = 1, 0, 0
        self.skipped = False
        self.first: float | None = None
        self.last = 0.0  # seconds after the first picture
        self.facts: tuple[float, ...] = ()
        # One each, since they keep what they need for pictures of one form.
        self.colour, self.grey = VideoReformatter(), VideoReformatter()

    def run(self, data: bytes, *, keys: bool) -> None:
        """Decode; with `keys` long films by their key frames alone."""
        with opened(data, f"{FORMATS},{MORE_FORMATS}") as container:
            if not container.streams.video:
                raise UnreadableError("no pictures in it")
            stream = container.streams.video[0]
            context = stream.codec_context
            if context is None:
                raise UnreadableError("pictures of an unknown codec")
            self._check(context.width, context.height)
            context.options = {"max_pixels": str(self.max_pixels)}
            context.thread_count = 1
            rate = float(stream.average_rate or stream.guessed_rate or RATE)
            rate = rate if 0.01 <= rate <= 1000 else RATE
            stated = _seconds(container, stream)
            self.skipped = keys and min(stated or 0.0, self.max_seconds) * rate > LONG
            if self.skipped:
                context.skip_frame = "NONKEY"
            whole = self._packets(container, stream, rate)
            if whole and stated is not None and self.last + 1 / rate < (1 - LOST) * min(stated, self.max_seconds) - 1:
                raise UnreadableError(f"breaks off after {self.last:.1f} of {stated:.1f} seconds")
            shown = self._turned(context.width, context.height)
            sound = float(bool(container.streams.audio))
            self.facts = (
                min(self.last + 1 / rate, self.max_seconds),
                rate,
                *shown,
                np.log(shown[0] / shown[1]),
                float(self.seen),
                sound,
            )

    def _packets(self, container: Any, stream: Any, rate: float) -> bool:
        """Read until enough was seen; whether the end was reached."""
        decoded = 0
        for count, packet in enumerate(container.demux(stream)):
            if packet.pts is not None and self.first is not None:
                self.last = max(self.last, float(packet.pts * packet.time_base) - self.first)
            for frame in packet.decode():
                self._check(frame.width, frame.height)
                decoded += frame.width * frame.height
                if not self._take(frame, rate):
                    return False
            if count > PACKETS or decoded > DECODED:
                return False
        return True

    def _take(self, frame: Any, rate: float) -> bool:
        """Look at a frame; False where it lies beyond the time that is read."""
        time = frame.time
        if self.first is None:
            self.first = time or 0.0
            self.turns = round(frame.rotation / 90) % 4
        after = self.seen / rate if time is None else time - self.first
        if after >= self.max_seconds:
            return False
        self.last = max(self.last, after)
        self.seen += 1
        if (self.seen - 1) % self.stride == 0:
            colour = self.colour.reformat(frame, self.size, self.size, "rgb24", interpolation="AREA").to_ndarray()
            grey = self.grey.reformat(frame, LOOKS, LOOKS, "gray", interpolation="AREA").to_ndarray()
            self.frames.append((after, np.rot90(colour, self.turns), np.rot90(grey, self.turns)))
            if len(self.frames) >= 2 * MOMENTS:
                self.frames = self.frames[::2]
                self.stride *= 2
        return True

    def _turned(self, width: int, height: int) -> tuple[float, float]:
        odd = self.first is not None and self.turns % 2
        return (float(height), float(width)) if odd else (float(width), float(height))

    def _check(self, width: int, height: int) -> None:
        if width < 1 or height < 1:
            raise UnreadableError(f"pictures of {width} x {height} pixels")
        if width * height > self.max_pixels:
            raise UnreadableError(f"pictures of {width:,} x {height:,} pixels (allowed: {self.max_pixels:,} pixels)")


def _seconds(container: Any, stream: Any) -> float | None:
    """How long the pictures are said to last; None where nothing says so, or only of all tracks together."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return float(container.duration) / 1e6
    return None
