"""Sound in any format to mono samples, bounded in bytes, seconds and memory; nothing beside the bytes is opened."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.media.content import UnreadableError

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["MAGIC", "RATES", "SUFFIXES", "decode_sound", "from_array", "opened", "sound_rate", "wav"]

Samples = npt.NDArray[np.int16]

RATES = (1_000, 768_000)  # of a sound as it is stored, Hz
CHANNELS = 64
# Demuxers that read one stream of bytes. Playlists and lists of files (HLS, DASH, concat) would open others.
FORMATS = (
    "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,mov,mp4,matroska,webm,asf,amr,amrnb,amrwb,ac3,eac3,wv,tta,ape,voc,avi,flv,"
    "mpegts,mpeg,3gp,gsm,dts,mpc,mpc8,tak,nut,ivf,swf,wtv,rm,dv,ogv"
)
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # WAVE format tags
SUFFIXES = frozenset(
    (
        *(".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".aifc", ".au", ".snd"),
        *(".caf", ".wma", ".amr", ".w64", ".weba", ".ac3", ".spx"),
    )
)
MAGIC = (  # what sounds begin with; containers that films share (MP4, Matroska) are not among them
    *(b"RIFF????WAVE", b"RF64????WAVE", b"FORM????AIFF", b"FORM????AIFC", b"????ftypM4A", b"fLaC", b"OggS", b"ID3"),
    *(b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9", b"#!AMR", b"caff", b".snd\0\0\0"),
)


class _Wave(NamedTuple):
    """A WAVE file's form: format tag, channels, rate, bits, and where its samples lie."""

    tag: int
    channels: int
    rate: int
    bits: int
    start: int
    stop: int


def decode_sound(data: bytes, rate: int, max_seconds: float) -> Samples:
    """The first sound track of a file as mono samples.

    Plain WAVE files that need no resampling are read by numpy; all others by FFmpeg (PyAV), which mixes and resamples.

    Parameters
    ----------
    data
        A file of any format that FFmpeg decodes, films among them.
    rate
        Samples a second of the result.
    max_seconds
        What lies after is not decoded.

    Returns
    -------
    int16, at most ``rate * max_seconds`` samples and at least one.

    Raises
    ------
    UnreadableError
        If it is no sound, is broken before the first sample, or has no sound track.
    """
    limit = max(1, int(rate * max_seconds))
    found = _wave(data)
    samples = _plain(data, found, limit) if found and found.rate == rate else _decoded(data, rate, limit)
    if not len(samples):
        raise UnreadableError("no sound in it")
    return samples


def sound_rate(data: bytes) -> int:
    """Samples a second of the first sound track as it is stored; raises as `decode_sound`."""
    found = _wave(data)
    if found is not None:
        return found.rate
    with opened(data) as container:
        return int(_track(container).rate)


def from_array(values: Array, source: int, rate: int, max_seconds: float) -> Samples:
    """Samples in memory as `decode_sound` would give them.

    Parameters
    ----------
    values
        Integers of 8, 16 or 32 bits (wider ones count as 16), or floats of -1 to 1; what is beyond is clipped. ``T``,
        or ``T x C`` or ``C x T``: the longer side is time.
    source
        Their samples a second.

    Raises
    ------
    UnreadableError
        If they are no numbers, not finite, empty, or of a rate out of range.
    """
    _check(source, 1)
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or not array.size:
        raise UnreadableError(f"an array of {array.dtype} and shape {array.shape} is no sound")
    if array.ndim == 2:
        array = array if len(array) >= array.shape[1] else array.T
        _check(source, array.shape[1])
    array = array[: int(source * max_seconds) + source]  # a second more than asked, for the filter's end
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise UnreadableError("samples that are not finite")
        scaled = array.astype(np.float64) * 32768
    else:
        scaled = _centred(array)
    mono = scaled if scaled.ndim == 1 else scaled.mean(axis=1)
    samples = np.clip(np.rint(mono), -32768, 32767).astype(np.int16)
    limit = max(1, int(rate * max_seconds))
    return samples[:limit] if source == rate else _resampled(samples, source, rate)[:limit]


def wav(samples: Samples, rate: int) -> bytes:
    """Mono samples (int16) as the bytes of a WAVE file."""
    body = samples.astype("<i2").tobytes()
    form = np.array([16], "<u4").tobytes() + np.array([PCM, 1], "<u2").tobytes()
    form += np.array([rate, 2 * rate], "<u4").tobytes() + np.array([2, 16], "<u2").tobytes()
    sizes = np.array([36 + len(body), len(body)], "<u4")
    return b"RIFF" + sizes[:1].tobytes() + b"WAVEfmt " + form + b"data" + sizes[1:].tobytes() + body


@contextmanager
def opened(data: bytes, formats: str = FORMATS) -> Iterator[InputContainer]:
    """A PyAV container over bytes that reaches nothing beside them; its errors become `UnreadableError`."""
    import av

    options = {"format_whitelist": formats, "protocol_whitelist": "none"}
    try:
        with av.open(io.BytesIO(data), container_options=options, metadata_errors="replace") as container:
            assert isinstance(container, av.container.InputContainer)
            yield container
    except UnreadableError:
        raise
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise UnreadableError(f"cannot be decoded: {_plainly(error)}") from None


def _plainly(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _check(rate: int, channels: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise UnreadableError(f"{rate:,} samples a second (allowed: {RATES[0]:,} to {RATES[1]:,})")
    if not 1 <= channels <= CHANNELS:
        raise UnreadableError(f"{channels} channels (allowed: 1 to {CHANNELS})")


def _wave(data: bytes) -> _Wave | None:
    """The form of a WAVE file of plain integers or floats in one or two channels; None for any other."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    place, form = 12, None
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        body = place + 8
        if name == b"fmt " and size >= 16 and body + size <= len(data):
            tag, channels, block, bits = (
                int.from_bytes(data[body + i : body + i + 2], "little") for i in (0, 2, 12, 14)
            )
            rate = int.from_bytes(data[body + 4 : body + 8], "little")
            if tag == EXTENSIBLE and size >= 40:
                tag = int.from_bytes(data[body + 24 : body + 26], "little")
            known = (tag == PCM and bits in (8, 16, 24, 32)) or (tag == FLOAT and bits in (32, 64))
            if not known or channels not in (1, 2) or block != channels * bits // 8:
                return None
            form = (tag, channels, rate, bits)
        elif name == b"data":
            return None if form is None else _Wave(*form, body, min(body + size, len(data)))
        place = body + size + size % 2
    return None


def _plain(data: bytes, found: _Wave, limit: int) -> Samples:
    """Samples of a plain WAVE file, at its own rate."""
    _check(found.rate, found.channels)
    width = found.bits // 8
    frames = min((found.stop - found.start) // (width * found.channels), limit)
    raw = data[found.start : found.start + frames * width * found.channels]
    if found.tag == FLOAT:
        floats = np.frombuffer(raw, f"<f{width}").astype(np.float64)
        scaled = np.clip(np.rint(np.nan_to_num(floats, posinf=1.0, neginf=-1.0) * 32768), -32768, 32767)
    elif width == 1:
        scaled = (np.frombuffer(raw, np.uint8).astype(np.int16) - 128) * 256
    elif width == 3:
        scaled = np.frombuffer(raw, np.uint8).reshape(-1, 3)[:, 1:].copy().view("<i2").ravel()
    else:
        scaled = np.frombuffer(raw, f"<i{width}")
        scaled = scaled if width == 2 else scaled >> 16
    if found.channels == 2:
        scaled = scaled.reshape(-1, 2).astype(np.int32).sum(axis=1) // 2
    return scaled.astype(np.int16)


def _centred(array: Array) -> npt.NDArray[np.float64]:
    """Integers of 8, 16 or 32 bits on the scale of int16; wider ones (Python's own) are on it."""
    about = np.iinfo(array.dtype if array.dtype.itemsize < 8 else np.int16)
    middle = 0.0 if about.min < 0 else (float(about.max) + 1) / 2
    return (array.astype(np.float64) - middle) * (32768 / ((float(about.max) + 1 - float(about.min)) / 2))


def _track(container: InputContainer) -> Any:
    streams = container.streams.audio
    if not streams:
        raise UnreadableError("no sound track")
    if streams[0].codec_context is None:  # a track of a kind that FFmpeg has no decoder for, or a damaged header
        raise UnreadableError("a sound track that cannot be decoded")
    _check(streams[0].rate or 0, streams[0].channels or 0)
    return streams[0]


def _decoded(data: bytes, rate: int, limit: int) -> Samples:
    """Samples by FFmpeg; what can be decoded before a break is kept."""
    import av

    with opened(data) as container:
        track = _track(container)
        track.codec_context.thread_count = 1
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        parts, held = [np.empty(0, np.int16)], 0
        frames = container.decode(track)
        while held < limit:
            try:
                frame = next(frames, None)
                made = resampler.resample(frame)
            except (av.FFmpegError, ValueError):  # broken, or of another form from here on
                if not held:
                    raise
                frame, made = None, resampler.resample(None)
            for part in made:
                parts.append(part.to_ndarray()[0])
                held += len(parts[-1])
            if frame is None:
                break
    return np.concatenate(parts)[:limit]


def _resampled(samples: Samples, source: int, rate: int) -> Samples:
    import av

    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = source
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([np.empty(0, np.int16), *(part.to_ndarray()[0] for part in made)])
