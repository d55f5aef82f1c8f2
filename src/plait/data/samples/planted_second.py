"""Made recordings in which one short sound, among others, tells the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.data.samples.planted_outcome import beside
from plait.data.samples.voices import wave_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["second"]

RATE, SECONDS = 8_000, 4.0
CALL = 0.3  # seconds of each sound

Span = tuple[float, float]


def second(n: int, seed: int) -> tuple[pd.DataFrame, None, pd.Series]:
    """Recordings of a quiet line, WAVE files of 4 seconds at 8 kHz; ``sound`` holds the evidence, a warble, in half of
    the rows.

    Three to five sounds of .3 seconds stand in noise, without touching each other: clicks, thuds, low tones, and the
    warble, which swings between 1.9 and 2.9 kHz. Moments and loudness say nothing. The truth is when the warble begins
    and when it ends, in seconds.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 65])
    there = rng.random(n) < 0.5
    sounds, truth = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        sounds[row], when = _recording(rng, bool(there[row]))
        truth[row] = when if there[row] else None
    return beside(sounds, there, "sound", seed), None, pd.Series(truth, name="sound", dtype=object)


def _recording(rng: np.random.Generator, told: bool) -> tuple[bytes, Span]:
    """A recording, and when the first of its sounds is, which is a warble where there is something to be told."""
    sound = rng.normal(0, rng.uniform(0.002, 0.006), int(SECONDS * RATE))
    slots = rng.permutation(int(SECONDS / (2 * CALL)))[: rng.integers(3, 6)]
    begins = (slots * 2 + rng.uniform(0.05, 0.95, len(slots))) * CALL
    for k, begin in enumerate(begins.tolist()):
        made = _warble() if told and k == 0 else _other(int(rng.integers(3)), rng)
        start = int(begin * RATE)
        sound[start : start + len(made)] += rng.uniform(0.15, 0.5) * made
    return wave_file(sound, RATE), (float(begins[0]), float(begins[0]) + CALL)


def _warble() -> npt.NDArray[np.float64]:
    clock = np.arange(int(CALL * RATE)) / RATE
    phase = 2400 * clock - 500 / (2 * np.pi * 12) * np.cos(2 * np.pi * 12 * clock)
    return np.asarray(np.sin(2 * np.pi * phase) * np.hanning(len(clock)) ** 0.3)


def _other(kind: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Clicks, a thud, or a low tone."""
    clock = np.arange(int(CALL * RATE)) / RATE
    if kind == 0:
        clicks = np.zeros(len(clock))
        clicks[rng.integers(0, len(clock) - 40, 5)] = 1.0
        return np.convolve(clicks, rng.normal(0, 1, 40) * np.exp(-np.arange(40) / 8))[: len(clock)]
    if kind == 1:
        return np.asarray(np.sin(2 * np.pi * rng.uniform(60, 120) * clock) * np.exp(-12 * clock))
    return np.asarray(np.sin(2 * np.pi * rng.uniform(250, 700) * clock) * np.hanning(len(clock)) ** 0.3)
