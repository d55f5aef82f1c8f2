"""What a sound is like: synthetic voices whose pitch, unsteadiness, pauses and syllables are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.media.prosody import NAMES, prosody

RATE = 16_000


def voice(hertz=120.0, *, rate=RATE, seconds=1.5, jitter=0.0, shimmer=0.0, noise=0.0, seed=0):
    """Damped pulses, one a period; `jitter` and `shimmer` are the spread of a period and of a pulse's height."""
    rng = np.random.default_rng(seed)
    sound, step = np.zeros(int(seconds * rate)), np.arange(int(0.03 * rate))
    at = 0.0
    while at < seconds - 0.035:
        first = int(np.ceil(at * rate))
        clock = (step + first - at * rate) / rate
        height = 1 + shimmer * rng.normal()
        sound[first : first + len(step)] += height * np.exp(-clock * 300) * np.sin(2 * np.pi * 600 * clock)
        at += (1 + jitter * rng.normal()) / hertz
    sound = 0.5 * sound / np.abs(sound).max() + noise * rng.normal(size=len(sound))
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)


def told(samples, rate=RATE):
    return dict(zip(NAMES, prosody(samples, rate).tolist(), strict=True))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("hertz", [75.0, 120.0, 221.0, 390.0])
def test_pitch_of_a_steady_voice(hertz, rate):
    heard = told(voice(hertz, rate=rate), rate)
    assert heard["pitch"] == pytest.approx(hertz, rel=0.005)
    assert heard["pitch_sd"] < 0.5  # a frame at the edge may be off
    assert abs(heard["pitch_slope"]) < 0.2
    assert heard["voiced_share"] > 0.9
    assert heard["jitter"] < 0.004
    assert heard["shimmer"] < 0.03


def test_a_rising_pitch():
    clock = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(100 * 2 ** (0.5 * clock)) / RATE  # half an octave, 6 semitones, a second
    sweep = sum(np.sin(k * phase) / k for k in range(1, 8))
    heard = told((6000 * sweep).astype(np.int16))
    assert heard["pitch_slope"] == pytest.approx(6, rel=0.05)
    assert heard["pitch_range"] == pytest.approx(0.9 * 12, rel=0.05)
    assert heard["pitch"] == pytest.approx(100 * (2 - 1) / np.log(2), rel=0.02)


@pytest.mark.parametrize("spread", [0.005, 0.01, 0.02])
def test_jitter_is_known(spread):
    # Two neighbouring periods of independent spread s differ by 2 s / sqrt(pi) on average.
    heard = np.mean([told(voice(jitter=spread, seed=seed))["jitter"] for seed in range(4)])
    assert heard == pytest.approx(2 * spread / np.sqrt(np.pi), rel=0.3)


@pytest.mark.parametrize("spread", [0.03, 0.1])
def test_shimmer_is_known(spread):
    heard = np.mean([told(voice(shimmer=spread, seed=seed))["shimmer"] for seed in range(4)])
    assert heard == pytest.approx(2 * spread / np.sqrt(np.pi), rel=0.3)


def test_noise_takes_harmonics_away():
    heard = [told(voice(noise=noise)) for noise in (0.0, 0.01, 0.05)]
    ratio = [each["harmonics_to_noise"] for each in heard]
    assert ratio[0] > 30 > ratio[1] > ratio[2] > 5
    flatness = [each["flatness"] for each in heard]
    assert flatness[0] < flatness[1] < flatness[2]


def test_harmonics_to_noise_of_a_known_mixture():
    clock = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(0).normal(size=len(clock))
    for decibel in (5.0, 15.0):
        mixed = np.sqrt(2) * np.sin(2 * np.pi * 200 * clock) + 10 ** (-decibel / 20) * noise
        assert told((4000 * mixed).astype(np.int16))["harmonics_to_noise"] == pytest.approx(decibel, abs=1.5)


def test_pauses_and_syllables():
    gap, syllable = np.zeros(int(0.4 * RATE), np.int16), voice(seconds=0.2)
    syllable = (syllable * np.hanning(len(syllable))).astype(np.int16)
    spoken = np.concatenate([gap, *[syllable] * 3, gap, *[syllable] * 2, gap, syllable, gap])
    heard = told(spoken)
    assert heard["seconds"] == pytest.approx(len(spoken) / RATE)
    span = 6 * 0.2 + 2 * 0.4
    assert heard["pauses_per_second"] == pytest.approx(2 / span, rel=0.1)
    assert heard["longest_pause"] == pytest.approx(0.4, abs=0.08)
    assert heard["syllables_per_second"] == pytest.approx(6 / span, rel=0.1)
    assert heard["articulation_rate"] > heard["syllables_per_second"]
    assert heard["signal_to_noise"] > 40


def test_levels_are_below_full_scale():
    clock = np.arange(RATE) / RATE
    for level in (1.0, 0.1, 0.01):
        heard = told(np.rint(32767 * level * np.sin(2 * np.pi * 1000 * clock)).astype(np.int16))
        assert heard["level"] == pytest.approx(20 * np.log10(level) - 3.01, abs=0.3)
        assert heard["loudness"] == pytest.approx(heard["level"], abs=0.5)  # A weighs 1 kHz by 0 dB
        assert heard["centroid"] == pytest.approx(1000, rel=0.05)
    low = told(np.rint(3277 * np.sin(2 * np.pi * 100 * clock)).astype(np.int16))
    assert low["level"] - low["loudness"] == pytest.approx(19.1, abs=1.5)
    assert told(np.full(RATE, 32767, np.int16))["clipped_share"] == 1


def test_what_has_no_pitch_has_none():
    noise = (5000 * np.random.default_rng(0).normal(size=RATE)).astype(np.int16)
    for samples in (noise, np.zeros(RATE, np.int16), np.zeros(1, np.int16), np.array([32767, -32768], np.int16)):
        heard = told(samples)
        assert np.isnan(heard["pitch"])
        assert heard["voiced_share"] == 0
        assert np.isfinite(heard["level"])
        assert np.isfinite(heard["mfcc0"])


def test_louder_is_the_same_voice():
    quiet, loud = told(voice() // 8), told(voice())
    for name in ("pitch", "articulation_rate", "centroid", "mfcc1", "part2.mfcc3"):
        assert quiet[name] == pytest.approx(loud[name], rel=0.05, abs=0.1), name


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=3000), st.sampled_from([1_000, 8_000, 44_100, 768_000])
)
def test_never_infinite_whatever_comes(samples, rate):
    figures = prosody(np.array(samples, np.int16), rate)
    assert figures.dtype == np.float32
    assert figures.shape == (len(NAMES),)
    assert not np.isinf(figures).any()
