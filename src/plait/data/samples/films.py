"""Made films: what happens shows in the motion alone; some have a sound track."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["films"]

EVENTS = ("leftward", "rightward", "approach", "retreat", "shake", "impact")
SIDE, FRAMES, RATE = 48, 24, 16
SOUND_RATE = 16_000

Reals = npt.NDArray[np.float64]


def films(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """Make films of 1.5 seconds (48 x 48 pixels, 16 frames a second, MPEG-4 in MP4), as a camera at a road takes them.

    Parameters
    ----------
    n
        Rows, in no order.
    seed
        Same seed, same frame.

    Returns
    -------
    DataFrame with ``film`` (bytes), ``event`` (leftward, rightward, approach, retreat, shake, impact: a sixth each),
    ``speed`` (sides a second; of a shake, of its swing) and ``staged`` (0 or 1).

    Notes
    -----
    A coloured box or ellipse moves before a blurred background with two things that stand still, under noise, flicker
    and a camera that trembles by half a pixel. It passes through the middle in either direction; grows or shrinks
    through the same sizes; swings three to five times; or runs in either direction until a stop, from which it rolls
    back. Directions are time-reversed copies of each other, so that neither a frame nor the mean of all tells them.

    Half of the films have a sound track (AAC): an engine, and where there is an impact a bang; a bang is also heard in
    a fifth of the others. An impact is `staged` where the thing brakes first, over the last third before the stop; all
    else is 0.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 40])
    events = rng.permutation(np.resize(np.array(EVENTS, object), n))
    cells = np.empty(n, object)
    speed, staged = np.zeros(n), np.zeros(n, np.int64)
    for row, event in enumerate(events):
        speed[row] = rng.uniform(0.25, 0.5)
        staged[row] = int(event == "impact" and rng.random() < 0.5)
        path, when = _path(event, speed[row], bool(staged[row]), rng)
        bang = when if event == "impact" else rng.uniform(0.3, 1.2) if rng.random() < 0.2 else None
        sound = _sound(speed[row], bang, rng) if rng.random() < 0.5 else None
        cells[row] = _encoded(_drawn(path, rng), sound)
    return pd.DataFrame({"film": cells, "event": events, "speed": speed.round(3), "staged": staged})


def _path(event: str, speed: float, staged: bool, rng: np.random.Generator) -> tuple[Reals, float]:
    """Place (x, y: -1 to 1) and size of the thing in each frame, ``FRAMES x 3``; and when it stops, in seconds."""
    time = np.arange(FRAMES) / RATE
    middle = time - time[-1] / 2
    x = np.full(FRAMES, rng.uniform(-0.25, 0.25))
    y = np.full(FRAMES, rng.uniform(-0.35, 0.35))
    size = np.full(FRAMES, rng.uniform(0.18, 0.32))
    stop = float(rng.uniform(0.7, 1.1))
    if event in ("leftward", "rightward"):
        x = x + 2 * speed * middle * (1 if event == "rightward" else -1)
    elif event in ("approach", "retreat"):
        size = size * np.exp(2 * speed * middle * (1 if event == "approach" else -1))
    elif event == "shake":
        x = x + 0.4 * speed * np.sin(2 * np.pi * (rng.uniform(3, 5) * time / time[-1] + rng.random()))
    else:
        heading = 1 if rng.random() < 0.5 else -1
        before = np.minimum(time, stop)
        if staged:  # brakes: half the speed over the last third before the stop
            before = np.minimum(before, 2 * stop / 3) + 0.5 * np.maximum(before - 2 * stop / 3, 0)
        back = 0.3 * np.maximum(time - stop, 0)
        x = x + 2 * speed * heading * (before - back - before[-1] / 2)
    y = y + rng.uniform(-0.1, 0.1) * middle
    return np.stack([x, y, size], axis=1), stop


def _drawn(path: Reals, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Frames uint8 ``T x H x W x 3``."""
    grid = np.linspace(-1, 1, SIDE)
    coarse = rng.uniform(0.2, 0.8, (6, 6, 3))
    where = np.linspace(0, 5, SIDE)
    low = np.minimum(where.astype(int), 4)
    part = (where - low)[:, None, None]
    rows = coarse[low] * (1 - part) + coarse[low + 1] * part
    back = rows[:, low] * (1 - part.transpose(1, 0, 2)) + rows[:, low + 1] * part.transpose(1, 0, 2)
    for _ in range(2):  # things that stand still
        centre, half = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.08, 0.25, 2)
        inside = (np.abs(grid[:, None] - centre[1]) < half[1]) & (np.abs(grid - centre[0]) < half[0])
        back[inside] = rng.uniform(0, 1, 3)
    colour = rng.uniform(0, 1, 3)
    colour = np.where(np.abs(colour - back.mean(axis=(0, 1))) < 0.25, 1 - colour, colour)
    stripe = rng.uniform(0, 1, 3)
    long, round_ = rng.uniform(0.7, 1.6), rng.random() < 0.5
    tremble = np.cumsum(rng.normal(0, 0.004, (len(path), 2)), axis=0)
    out = np.empty((len(path), SIDE, SIDE, 3), np.uint8)
    for t, (x, y, size) in enumerate(path):
        across, down = (grid - x - tremble[t, 0]) / (size * long), (grid[:, None] - y - tremble[t, 1]) / size
        reach = across**2 + down**2 if round_ else np.maximum(np.abs(across) + 0 * down, np.abs(down) + 0 * across)
        cover = np.clip((1 - reach) * size * SIDE / 3, 0, 1)[:, :, None]
        band = (np.abs(down) < 0.3)[:, :, None] * cover
        picture = back * (1 - cover) + colour * cover
        picture = picture * (1 - band) + stripe * band
        picture = picture * rng.normal(1, 0.02) + rng.normal(0, 0.02, picture.shape)
        out[t] = np.clip(picture * 255, 0, 255)
    return out


def _sound(speed: float, bang: float | None, rng: np.random.Generator) -> Reals:
    """An engine's hum with noise, and a bang: floats of -1 to 1."""
    time = np.arange(int(SOUND_RATE * FRAMES / RATE)) / SOUND_RATE
    pitch = 60 + 120 * speed
    hum = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k for k in range(1, 6))
    made = 0.08 * hum + rng.normal(0, 0.01, len(time))
    if bang is not None:
        after = np.maximum(time - bang, 0)
        made = made + (time >= bang) * np.exp(-after * 18) * rng.normal(0, 0.4, len(time))
    return np.asarray(np.clip(made, -1, 1))


def _encoded(frames: npt.NDArray[np.uint8], sound: Reals | None) -> bytes:
    """MP4 by the encoders that come with PyAV: MPEG-4 part 2, and AAC."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = SIDE, SIDE, "yuv420p", 600_000
        stream.codec_context.thread_count = 1
        track: Any = None if sound is None else container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if track is not None and sound is not None:
            heard = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), format="fltp", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
            container.mux(track.encode(heard))
            container.mux(track.encode(None))
    return file.getvalue()
