"""Made voices: calm or in distress, told apart by how they speak and not by what they say."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.errors import DataError, MissingExtraError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["voices", "voices_oracle", "wave_file"]

Floats = npt.NDArray[np.float64]

RATE = 8_000  # samples a second of the synthesiser here
TAIL = 200  # samples in which a formant fades away
ENGINES = ("auto", "espeak", "made")
# First three formants in Hz of a man's vowels (after Peterson & Barney, 1952), and what a reader may call them.
VOWELS = {
    "i": (270, 2290, 3010),
    "e": (530, 1840, 2480),
    "a": (730, 1090, 2440),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
WIDTHS = (80.0, 110.0, 160.0)  # Hz of the formants
SPEAKERS = ("en-us", "en-gb", "en-gb-scotland", "en-029")
VARIANTS = ("", "+m1", "+m3", "+m7", "+f1", "+f2", "+f4")
PHRASES = (
    ("I am calling about", "my loan", "the payment was due", "last week"),
    ("could you please", "check the balance", "of my account"),
    ("there was a transfer", "that I did not make", "on Friday morning"),
    ("I would like to", "change the address", "on my contract"),
    ("the card was declined", "at the shop", "two times today"),
    ("we spoke before", "about the mortgage", "and the new rate"),
    ("my salary arrives", "on the third", "of every month"),
    ("please send me", "the papers", "for the insurance claim"),
)


class _Manner(NamedTuple):
    """How each voice speaks, standard normal, ``n`` each: what distress raises."""

    hesitation: Floats
    jitter: Floats
    tremor: Floats
    slowness: Floats


def voices(n: int = 500, seed: int = 0, engine: Literal["auto", "espeak", "made"] = "made") -> pd.DataFrame:
    """Make short recordings of voices, half of them in distress.

    Parameters
    ----------
    n
        Rows, in no order.
    seed
        Same seed and engine, same frame (with espeak-ng: on the same version of it).
    engine
        ``"made"``: a source-filter synthesiser of this module, vowels of about two seconds at 8 kHz. ``"espeak"``:
        the installed espeak-ng says a customer's phrase, in several voices, at 22 kHz. ``"auto"``: espeak-ng where it
        is installed, else made.

    Returns
    -------
    DataFrame with ``voice`` (bytes of a mono int16 WAVE file), ``words`` (what is said), ``distress`` (0 or 1).

    Raises
    ------
    ConfigError
        If there is no such engine.
    MissingExtraError
        If espeak-ng is asked for and not installed.

    Notes
    -----
    Log-odds of distress are 1.2 times the sum of four independent standard normal manners: hesitation (number and
    length of pauses), jitter of the periods, tremor (5 to 7 Hz in the pitch) and slowness. Pitch, length of the vocal
    tract, level, background noise and words are drawn apart from them. espeak-ng has neither jitter nor tremor: there
    they set how much the pitch moves and how high it is.

    The oracle's ROC AUC is .890 (the true probability, of `voices_oracle`, n = 100,000, seed 0).
    """
    import pandas as pd

    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    program = shutil.which("espeak-ng") if engine != "made" else None
    if engine == "espeak" and program is None:
        raise MissingExtraError("the program espeak-ng is not installed; install it, or take engine='made'")
    manner, _, outcome = _truth(n, seed)
    rng = np.random.default_rng([seed, 31])
    spoken = _made(manner, rng) if program is None else _espoken(manner, rng, program)
    pairs = list(spoken)
    frame = {"voice": [sound for sound, _ in pairs], "words": [words for _, words in pairs], "distress": outcome}
    return pd.DataFrame(frame)


def voices_oracle(n: int = 500, seed: int = 0) -> pd.DataFrame:
    """The truth behind `voices` with the same arguments: the four manners, and the ``probability`` of distress."""
    import pandas as pd

    manner, probability, _ = _truth(n, seed)
    return pd.DataFrame({**manner._asdict(), "probability": probability})


def _truth(n: int, seed: int) -> tuple[_Manner, Floats, npt.NDArray[np.int64]]:
    rng = np.random.default_rng([seed, 30])
    drawn = rng.normal(size=(n, 4))
    probability = 1.0 / (1.0 + np.exp(-1.2 * drawn.sum(axis=1)))
    return _Manner(*drawn.T), probability, (rng.random(n) < probability).astype(np.int64)


def _made(manner: _Manner, rng: np.random.Generator) -> Iterator[tuple[bytes, str]]:
    """Syllables one after the other: pulses of the glottis through the formants of a vowel, and pauses between."""
    names, hertz = tuple(VOWELS), np.array(list(VOWELS.values()), float)
    for hesitation, jitter, tremor, slowness in zip(*manner, strict=True):
        count, tract = int(rng.integers(5, 10)), rng.uniform(0.95, 1.2)
        chosen = rng.integers(len(names), size=count)
        seconds = np.clip(0.17 * np.exp(0.2 * slowness + rng.normal(0, 0.15, count)), 0.06, 0.45)
        gaps = np.full(count, 0.03)
        held = rng.random(count) < np.clip(0.2 + 0.12 * hesitation, 0.02, 0.8)
        gaps[held] += np.clip(0.25 * np.exp(0.35 * hesitation + rng.normal(0, 0.2, held.sum())), 0.15, 0.9)
        pitch = 85.0 * 2 ** rng.uniform(0, 1.4) * np.linspace(1.08, 0.92, count) * np.exp(rng.normal(0, 0.04, count))
        shake, tempo = 0.02 * np.exp(0.8 * tremor), rng.uniform(5, 7)
        unsteady = 0.008 * np.exp(0.8 * jitter)
        parts, start = [np.zeros(int(0.05 * RATE))], 0.0
        for k in range(count):
            length = int(seconds[k] * RATE)
            clock = start + np.arange(length) / RATE
            wobble = np.repeat(rng.normal(0, unsteady, int(seconds[k] * pitch[k]) + 2), int(RATE / pitch[k]) + 1)[
                :length
            ]
            speed = pitch[k] * (1 + shake * np.sin(2 * np.pi * tempo * clock) + np.resize(wobble, length))
            parts += [_syllable(np.cumsum(speed / RATE), hertz[chosen[k]] * tract), np.zeros(int(gaps[k] * RATE))]
            start += seconds[k] + gaps[k]
        sound = np.concatenate(parts)
        sound *= rng.uniform(0.1, 0.8) / np.abs(sound).max()
        sound += rng.normal(0, sound.std() * 10 ** (-rng.uniform(15, 40) / 20), len(sound))
        said = "".join(names[vowel] + " " * bool(pause) for vowel, pause in zip(chosen, held, strict=True))
        yield wave_file(sound, RATE), said.strip()


def _syllable(phase: Floats, formants: Floats) -> Floats:
    """The derivative of a glottal pulse (Rosenberg, 1971, shape C) at each phase, through a cascade of resonances."""
    turn = phase % 1.0
    pulse = np.where(
        turn < 0.4, np.sin(np.pi * turn / 0.4), np.where(turn < 0.56, -np.sin(np.pi * (turn - 0.4) / 0.32), 0)
    )
    size = 1 << int(np.ceil(np.log2(len(phase) + TAIL)))
    z = np.exp(np.arange(size // 2 + 1) * (-2j * np.pi / size))
    gain = np.ones(len(z), complex)
    for centre, width in zip(formants, WIDTHS, strict=True):
        if centre < 0.48 * RATE:
            radius = np.exp(-np.pi * width / RATE)
            gain /= 1 - z * (2 * radius * np.cos(2 * np.pi * centre / RATE) - radius**2 * z)
    voiced = np.fft.irfft(np.fft.rfft(pulse, size) * gain, size)[: len(phase)]
    rise = np.minimum(np.arange(len(phase)) / (0.02 * RATE), 1.0)
    voiced *= np.minimum(rise, rise[::-1])
    return voiced / max(float(np.sqrt(np.mean(voiced**2))), 1e-9)


def _espoken(manner: _Manner, rng: np.random.Generator, program: str) -> Iterator[tuple[bytes, str]]:
    for hesitation, jitter, tremor, slowness in zip(*manner, strict=True):
        phrase = PHRASES[rng.integers(len(PHRASES))]
        voice = str(rng.choice(SPEAKERS)) + str(rng.choice(VARIANTS))
        speed = int(np.clip(170 * np.exp(-0.15 * slowness), 90, 300))
        pitch = int(np.clip(45 + 10 * tremor + rng.normal(0, 8), 5, 95))
        spread = int(np.clip(100 + 35 * jitter, 20, 200))
        pause = int(np.clip(120 * np.exp(0.7 * hesitation + rng.normal(0, 0.3)), 10, 1200))
        marked = f'<break time="{pause}ms"/>'.join(phrase)
        text = f'<speak><prosody range="{spread}%">{marked}</prosody></speak>'
        command = [program, "-m", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
        done = subprocess.run(command, capture_output=True, check=False, timeout=30, stdin=subprocess.DEVNULL)
        if done.returncode or done.stdout[:4] != b"RIFF":
            raise DataError(f"espeak-ng could not speak: {done.stderr.decode(errors='replace').strip()[:120]}")
        rate = int.from_bytes(done.stdout[24:28], "little")
        samples = np.frombuffer(done.stdout[44 : len(done.stdout) // 2 * 2], "<i2")
        sound = samples * (rng.uniform(0.1, 0.8) / max(int(np.abs(samples.astype(np.int32)).max(initial=1)), 1))
        yield wave_file(sound + rng.normal(0, 0.002, len(sound)), rate), " ".join(phrase)


def wave_file(sound: Floats, rate: int) -> bytes:
    """A sound in -1..1 as the bytes of a WAVE file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.clip(np.rint(sound * 32767), -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()
