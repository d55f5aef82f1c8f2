"""Made voices: the promises of their docstring."""

from __future__ import annotations

import io
import shutil
import wave

import numpy as np
import pandas as pd
import pytest

from plait.data import samples
from plait.errors import ConfigError, MissingExtraError


def opened(data: bytes):
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)


def auc(y, score) -> float:
    ranks = pd.Series(score).rank().to_numpy()
    ones = y.sum()
    return (ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones))


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_rows(n):
    assert len(samples.voices(n)) == len(samples.voices_oracle(n)) == n


def test_voices_are_as_documented():
    made = samples.voices(60, seed=3)
    pd.testing.assert_frame_equal(made, samples.voices(60, seed=3))
    assert not made.equals(samples.voices(60, seed=4))
    assert made.columns.tolist() == ["voice", "words", "distress"]
    assert set(made["words"].str.replace(" ", "").sum()) == set("aeiou")
    seconds = []
    for rate, sound in map(opened, made["voice"]):
        assert rate == 8000
        assert 2000 < np.abs(sound.astype(int)).max() <= 32767
        seconds.append(len(sound) / rate)
    assert 1.5 < np.mean(seconds) < 2.5
    assert max(seconds) < 8


def test_the_oracle_is_as_documented():
    truth = samples.voices_oracle(20_000, seed=1)
    frame_like = np.random.default_rng([1, 30])
    frame_like.normal(size=(20_000, 4))
    distress = frame_like.random(20_000) < truth["probability"]
    assert auc(distress.to_numpy(), truth["probability"]) == pytest.approx(0.890, abs=0.006)
    assert distress.mean() == pytest.approx(0.5, abs=0.02)


def test_manners_can_be_heard():
    from plait.media.prosody import NAMES, prosody

    made, truth = samples.voices(150, seed=0), samples.voices_oracle(150, seed=0)
    told = np.array([prosody(sound, rate) for rate, sound in map(opened, made["voice"])])
    for manner, name, least in (
        *(("hesitation", "pause_share", 0.4), ("jitter", "jitter", 0.3), ("tremor", "pitch_change", 0.3)),
        *(("slowness", "articulation_rate", -0.5), ("hesitation", "level", 0.0)),
    ):
        heard = np.corrcoef(told[:, NAMES.index(name)], truth[manner])[0, 1]
        assert heard > least if least > 0 else heard < least if least < 0 else abs(heard) < 0.25, (name, heard)


def test_engines(monkeypatch):
    with pytest.raises(ConfigError, match="did you mean 'espeak'"):
        samples.voices(1, engine="espeek")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    pd.testing.assert_frame_equal(samples.voices(3, engine="auto"), samples.voices(3))
    with pytest.raises(MissingExtraError, match="espeak-ng"):
        samples.voices(1, engine="espeak")


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_speaks_phrases():
    spoken = samples.voices(4, seed=1, engine="espeak")
    pd.testing.assert_frame_equal(spoken, samples.voices(4, seed=1, engine="auto"))
    for data, words in zip(spoken["voice"], spoken["words"], strict=True):
        rate, sound = opened(data)
        assert rate > 16_000
        assert 1 < len(sound) / rate < 15
        assert len(words.split()) > 5
    np.testing.assert_array_equal(spoken["distress"], samples.voices(4, seed=1)["distress"])
