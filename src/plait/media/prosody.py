"""What a sound is like, in numbers: pitch, voice, level, pauses, rate of speech and spectrum; numpy alone."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.layers.mel import hann, mel_bank

__all__ = ["NAMES", "prosody"]

Reals = npt.NDArray[np.float32]

HOP, WINDOW = 0.010, 0.025  # seconds: between frames, and of a spectrum
LOWEST, HIGHEST = 65.0, 500.0  # Hz of pitch that is looked for
PERIODS = 3  # of the lowest pitch in a frame (Boersma, 1993)
VOICED = 0.5  # autocorrelation from which a frame has a pitch
OCTAVE = 0.02  # what a pitch an octave higher is preferred by
FLOOR = 1e-10  # power (dB -100) under which all is silence
SILENCE = 25.0  # dB under the loudest frames (de Jong & Wempe, 2009)
DIP = 2.0  # dB between two syllables (de Jong & Wempe, 2009)
PAUSE = 0.15  # seconds from which silence inside speech is a pause
BANDS, COEFFICIENTS, SEGMENTS = 40, 13, 5

PITCH = ("pitch", "pitch_sd", "pitch_range", "pitch_slope", "pitch_change", "voiced_share", "harmonics_to_noise")
VOICE = ("jitter", "shimmer")
LEVEL = ("level", "level_sd", "level_range", "loudness", "signal_to_noise", "clipped_share")
PACE = (
    *("seconds", "speech_seconds", "pauses_per_second", "pause_share", "longest_pause", "mean_pause"),
    *("syllables_per_second", "articulation_rate"),
)
SHAPES = ("centroid", "bandwidth", "rolloff", "flatness", "flux", "zero_crossings")
SPECTRUM = tuple(f"{name}{end}" for name in SHAPES for end in ("", "_sd"))
CEPSTRUM = tuple(f"mfcc{i}{end}" for end in ("", "_sd") for i in range(COEFFICIENTS))
COURSE = tuple(f"part{k + 1}.mfcc{i}" for k in range(SEGMENTS) for i in range(COEFFICIENTS))
NAMES: tuple[str, ...] = (*PITCH, *VOICE, *LEVEL, *PACE, *SPECTRUM, *CEPSTRUM, *COURSE)


class _Frames(NamedTuple):
    """Frames every 10 ms: power spectra (float32 ``T x bins``), levels (dB), where there is speech."""

    power: Reals
    level: Reals
    active: npt.NDArray[np.bool_]


class _Pitch(NamedTuple):
    """By frame: Hz (0: no pitch) and the autocorrelation at that period."""

    hertz: Reals
    strength: Reals


def prosody(samples: npt.NDArray[np.int16], rate: int) -> Reals:
    """Describe one sound.

    - Pitch (Hz; spread, range, slope and change in semitones) and harmonics-to-noise ratio (dB) from the
      autocorrelation of windowed frames (Boersma, "Accurate short-term analysis of the fundamental frequency and the
      harmonics-to-noise ratio of a sampled sound", 1993).
    - Jitter and shimmer: mean change of a period, and of its peak-to-peak height, to the next, over their means.
    - Levels in dB under full scale; loudness is weighted by A (IEC 61672-1).
    - Syllables are peaks of intensity in voiced frames; what is 25 dB under the loudest is silence (de Jong & Wempe,
      "Praat script to detect syllable nuclei and measure speech rate automatically", 2009).
    - Spectral shapes and 13 mel cepstral coefficients (Davis & Mermelstein, 1980) over frames that are not silent; and
      how five equal parts of the sound, from its first such frame to its last, depart from these coefficients' means.

    Parameters
    ----------
    samples
        Mono.
    rate
        Samples a second.

    Returns
    -------
    float32, one value for each of `NAMES`; NaN where there is none (the pitch of noise). Never infinite.
    """
    x = samples.astype(np.float32) / np.float32(32768)
    frames = _frames(x, rate)
    pitch = _pitch(x, rate, frames)
    parts = [
        _of_pitch(pitch, frames),
        _of_voice(x, rate, pitch),
        _of_level(samples, frames, rate),
        _of_pace(len(x) / rate, frames, pitch),
        _of_spectrum(x, frames, rate),
        _of_cepstrum(frames, rate),
    ]
    return np.asarray(np.concatenate(parts), np.float32)


@cache
def _cosines() -> Reals:
    """The orthonormal DCT-II of a mel spectrum, its first coefficients: float32 ``bands x coefficients``."""
    angles = np.pi / BANDS * (np.arange(BANDS)[:, None] + 0.5) * np.arange(COEFFICIENTS)
    scale = np.where(np.arange(COEFFICIENTS) == 0, np.sqrt(1 / BANDS), np.sqrt(2 / BANDS))
    return np.asarray(np.cos(angles) * scale, np.float32)


@cache
def _a_weights(rate: int, size: int) -> Reals:
    """Power by which A weights each bin (IEC 61672-1): float32 ``size // 2 + 1``."""
    f2 = (np.arange(size // 2 + 1) * (rate / size)) ** 2
    gain = 12194**2 * f2**2 / ((f2 + 20.6**2) * np.sqrt((f2 + 107.7**2) * (f2 + 737.9**2)) * (f2 + 12194**2))
    return ((gain * 10 ** (2.0 / 20)) ** 2).astype(np.float32)


def _cut(x: Reals, size: int, hop: int) -> Reals:
    """Frames centred on every `hop`-th sample: float32 ``T x size``, a view of the padded sound."""
    padded = np.pad(x, size // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, size)[: len(x) : hop]


def _frames(x: Reals, rate: int) -> _Frames:
    size = 1 << int(np.ceil(np.log2(WINDOW * rate)))
    cut = _cut(x, size, max(1, int(HOP * rate)))
    window = hann(size)
    power = np.abs(np.fft.rfft(cut * window)) ** 2 / np.float32(np.square(window).sum() * size / 2)
    level = 10 * np.log10(power.sum(axis=1) + FLOOR)
    active = level > max(float(np.quantile(level, 0.99)) - SILENCE, -90.0)
    return _Frames(power.astype(np.float32), level.astype(np.float32), active)


def _pitch(x: Reals, rate: int, frames: _Frames) -> _Pitch:
    size = int(PERIODS / LOWEST * rate)
    shortest, longest = max(2, int(rate / HIGHEST)), int(rate / LOWEST)
    window, length = hann(size), 1 << int(np.ceil(np.log2(size + longest + 2)))
    cut = _cut(x, size, max(1, int(HOP * rate)))[frames.active]
    hertz, strength = np.zeros(len(frames.level), np.float32), np.zeros(len(frames.level), np.float32)
    if not len(cut):
        return _Pitch(hertz, strength)
    cut = (cut - cut.mean(axis=1, keepdims=True)) * window
    both = np.fft.irfft(np.abs(np.fft.rfft(np.vstack([cut, window[None]]), length)) ** 2, length)[:, : longest + 2]
    both /= np.maximum(both[:, :1], 1e-12)
    r = both[:-1] / both[-1]
    lags = np.arange(shortest, longest + 1)
    before, middle, after = r[:, lags - 1], r[:, lags], r[:, lags + 1]
    peak = (middle >= before) & (middle > after)
    offset = 0.5 * (before - after) / np.minimum(before - 2 * middle + after, -1e-9)  # of a parabola's top
    height = np.where(peak, middle - 0.25 * (before - after) * offset, -9.0)
    best = (height - OCTAVE * np.log2(lags * (LOWEST / rate))).argmax(axis=1)
    row = np.arange(len(r))
    found = rate / (lags[best] + np.clip(offset[row, best], -0.5, 0.5))
    top = np.clip(height[row, best], 0.0, 1.0)
    voiced = peak.any(axis=1) & (top > VOICED)
    if voiced.any():  # a frame an octave off says nothing
        voiced &= np.abs(np.log2(found / np.median(found[voiced]))) < 0.8
    hertz[frames.active], strength[frames.active] = np.where(voiced, found, 0.0), np.where(voiced, top, 0.0)
    return _Pitch(hertz, strength)


def _of_pitch(pitch: _Pitch, frames: _Frames) -> Array:
    voiced = pitch.hertz > 0
    if not voiced.any():
        return np.array([*[np.nan] * 5, 0.0, np.nan])
    hertz, at = pitch.hertz[voiced].astype(np.float64), np.flatnonzero(voiced) * HOP
    tones = 12 * np.log2(hertz)
    low, high = np.quantile(tones, [0.05, 0.95])
    centred = at - at.mean()
    slope = float(centred @ tones) / max(float(centred @ centred), 1e-6)
    steps = np.abs(np.diff(tones))[np.diff(at) < 1.5 * HOP]
    ratio = np.clip(pitch.strength[voiced], 1e-3, 1 - 1e-5)
    harmonic = 10 * np.log10(ratio / (1 - ratio))
    change = steps.mean() if len(steps) else np.nan
    share = voiced.sum() / max(int(frames.active.sum()), 1)
    return np.array([hertz.mean(), tones.std(), high - low, np.clip(slope, -500, 500), change, share, harmonic.mean()])


def _of_voice(x: Reals, rate: int, pitch: _Pitch) -> Array:
    """Jitter and shimmer from the periods of the fundamental, which a band around the usual pitch leaves over."""
    voiced = pitch.hertz > 0
    if not voiced.any():
        return np.full(2, np.nan)
    usual = float(np.median(pitch.hertz[voiced]))
    spectrum = np.fft.rfft(x)
    octaves = np.abs(np.log2(np.maximum(np.arange(len(spectrum)) * (rate / len(x)), 1e-3) / usual))
    band = np.clip((0.95 - octaves) / 0.4, 0.0, 1.0).astype(np.float32)
    wave = np.fft.irfft(spectrum * band, len(x))
    crossing = np.flatnonzero((wave[:-1] < 0) & (wave[1:] >= 0))
    if len(crossing) < 3:
        return np.full(2, np.nan)
    marks = (crossing + wave[crossing] / (wave[crossing] - wave[crossing + 1])) / rate
    periods = np.diff(marks)
    frame = np.minimum(np.rint(marks[:-1] / HOP).astype(np.int64), len(pitch.hertz) - 1)
    regular = np.abs(periods * pitch.hertz[frame] - 1) < 0.3
    pairs = regular[1:] & regular[:-1]
    if not pairs.any():
        return np.full(2, np.nan)
    inside = x[: crossing[-1]]
    height = np.maximum.reduceat(inside, crossing[:-1]) - np.minimum.reduceat(inside, crossing[:-1])

    def change(values: Array) -> float:
        return float(np.abs(np.diff(values))[pairs].mean() / max(float(values[regular].mean()), 1e-9))

    return np.array([change(periods), change(height)])


def _of_level(samples: npt.NDArray[np.int16], frames: _Frames, rate: int) -> Array:
    level = frames.level[frames.active] if frames.active.any() else frames.level
    size = 2 * (frames.power.shape[1] - 1)
    heard = float(frames.power.mean(axis=0) @ _a_weights(rate, size))
    low, high = np.quantile(level, [0.05, 0.95])
    noise = float(np.quantile(frames.level, 0.1))
    loud = float(10 * np.log10(np.mean(10 ** (level.astype(np.float64) / 10))))
    clipped = np.mean(np.abs(samples.astype(np.int32)) >= 32_700)
    return np.array([loud, level.std(), high - low, 10 * np.log10(heard + FLOOR), loud - noise, clipped])


def _of_pace(seconds: float, frames: _Frames, pitch: _Pitch) -> Array:
    spoken = np.flatnonzero(frames.active)
    if not len(spoken):
        return np.array([seconds, 0.0, 0.0, 0.0, 0.0, np.nan, 0.0, np.nan])
    span = (spoken[-1] - spoken[0] + 1) * HOP
    gaps = (np.diff(spoken) - 1) * HOP
    pauses = gaps[gaps >= PAUSE]
    voice = max(span - float(pauses.sum()), HOP)
    syllables = _syllables(frames.level, frames.active & (pitch.hertz > 0))
    return np.array(
        [
            *(seconds, voice, len(pauses) / span, pauses.sum() / span, pauses.max(initial=0.0)),
            *(pauses.mean() if len(pauses) else np.nan, syllables / span, syllables / voice),
        ]
    )


def _syllables(level: Reals, voiced: npt.NDArray[np.bool_]) -> int:
    """Peaks of the smoothed level in voiced frames, a dip before each."""
    window = hann(7)
    smooth = np.convolve(np.pad(level, 3, mode="edge"), window / window.sum(), "valid")
    inner = np.concatenate([[-np.inf], smooth, [-np.inf]])
    count, lowest = 0, -np.inf
    last = -1
    for peak in np.flatnonzero((inner[1:-1] >= inner[:-2]) & (inner[1:-1] > inner[2:]) & voiced).tolist():
        lowest = float(smooth[last + 1 : peak + 1].min()) if count else -np.inf
        if smooth[peak] - lowest >= DIP:
            count += 1
            last = peak
        elif smooth[peak] > smooth[last]:
            last = peak
    return count


def _of_spectrum(x: Reals, frames: _Frames, rate: int) -> Array:
    """Mean and spread over frames that are not silent."""
    active = frames.active if frames.active.any() else np.ones(len(frames.level), bool)
    power = frames.power[active] + np.float32(FLOOR / frames.power.shape[1])
    hertz = np.linspace(0, rate / 2, power.shape[1], dtype=np.float32)
    share = power / power.sum(axis=1, keepdims=True)
    centroid = (share * hertz).sum(axis=1)
    bandwidth = np.sqrt((share * (hertz - centroid[:, None]) ** 2).sum(axis=1))
    rolloff = hertz[np.minimum((share.cumsum(axis=1) < 0.85).sum(axis=1), len(hertz) - 1)]
    flatness = np.exp(np.log(share).mean(axis=1)) * power.shape[1]
    flux = np.concatenate([[0.0], np.abs(np.diff(np.sqrt(share), axis=0)).sum(axis=1)])
    size = 2 * (power.shape[1] - 1)
    cut = _cut(x, size, max(1, int(HOP * rate)))[active]
    crossings = (np.signbit(cut[:, 1:]) != np.signbit(cut[:, :-1])).mean(axis=1)
    shapes: list[Any] = [centroid, bandwidth, rolloff, flatness, flux, crossings]
    return np.array([figure for shape in shapes for figure in (shape.mean(), shape.std())])


def _of_cepstrum(frames: _Frames, rate: int) -> Array:
    bank = mel_bank(rate, 2 * (frames.power.shape[1] - 1), BANDS)
    spoken = np.flatnonzero(frames.active)
    first, last = (spoken[0], spoken[-1] + 1) if len(spoken) else (0, len(frames.level))
    whole = np.log(frames.power[first:last] @ bank + FLOOR) @ _cosines()
    active = frames.active[first:last] if len(spoken) else np.ones(len(whole), bool)
    mean = whole[active].mean(axis=0)
    ends = np.linspace(0, len(whole), SEGMENTS + 1)
    parts = [whole[int(a) : max(int(a) + 1, int(b))].mean(axis=0) - mean for a, b in pairwise(ends)]
    return np.concatenate([mean, whole[active].std(axis=0), *parts])
