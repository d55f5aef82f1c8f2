"""Made pictures, sounds, films, models and transfers hold their evidence where they say, and nowhere else."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from plait.data.samples import planted
from plait.media.sound import decode_sound

KINDS = ("region", "second", "moment", "part", "ring")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_rows(kind: str) -> None:
    one, same, other = planted(kind, 12, 3), planted(kind, 12, 3), planted(kind, 12, 4)
    cell = str(one.frame.columns[1])
    pd.testing.assert_series_equal(one.truth, same.truth)
    assert [str(a) for a in one.frame[cell]] == [str(b) for b in same.frame[cell]]
    assert one.truth.tolist() != other.truth.tolist()
    assert one.truth.notna().sum() in range(1, 12)


def test_the_red_stamp_is_in_its_box_alone() -> None:
    pages, sides, truth = planted("region", 30, 1)
    assert sides is None
    for data, where in zip(pages["page"], truth, strict=True):
        red, green, _ = np.asarray(Image.open(io.BytesIO(data))).astype(int).transpose(2, 0, 1)
        rows, columns = np.nonzero(red - green > 100)
        assert (where is None) == (not len(rows))
        if where is not None:
            left, top, right, bottom = where
            x, y = columns / red.shape[1], rows / red.shape[0]
            assert x.min() >= left - 0.02
            assert x.max() <= right + 0.02
            assert y.min() >= top - 0.02
            assert y.max() <= bottom + 0.02


def test_the_warble_is_in_its_seconds_alone() -> None:
    sounds, _, truth = planted("second", 30, 1)
    for data, when in zip(sounds["sound"], truth, strict=True):
        samples = decode_sound(data, 8000, 10.0).astype(float)
        frames = samples[: len(samples) // 400 * 400].reshape(-1, 400)
        power = np.abs(np.fft.rfft(frames * np.hanning(400))) ** 2
        high = (
            power[:, 95:146].sum(axis=1)
            / power[:, 5:].sum(axis=1)
            * (power.sum(axis=1) > 20 * np.median(power.sum(axis=1)))
        )
        begins = np.flatnonzero(high > 0.9) * 0.05
        if when is None:
            assert len(begins) < 3
        else:
            inside = (begins > when[0] - 0.05) & (begins < when[1])
            assert inside.sum() >= 3
            assert (~inside).sum() < 3


def test_the_flash_is_in_its_frames_alone() -> None:
    films, _, truth = planted("moment", 30, 1)
    for frames, when in zip(films["film"], truth, strict=True):
        brightness = frames.mean(axis=(1, 2, 3))
        bright = np.flatnonzero(brightness > np.median(brightness) + 40)
        assert (when is None) == (not len(bright))
        if when is not None:
            assert (bright[0] / 25, (bright[-1] + 1) / 25) == when


def test_the_spike_is_in_its_ball() -> None:
    models, _, truth = planted("part", 30, 1)
    for model, where in zip(models["model"], truth, strict=True):
        vertices = model["vertices"].astype(float)
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        vertices = (vertices - (low + high) / 2) / (high - low).max()
        flat = np.median(vertices[:, 2])
        top = vertices[np.abs(vertices[:, 2] - flat).argmax()]
        assert (np.abs(top[2] - flat) > 0.12) == (where is not None)
        if where is not None:
            assert np.hypot(*(top[:2] - where[:2])) < where[3] / 2


def test_the_ring_comes_back_to_its_account() -> None:
    accounts, sides, truth = planted("ring", 200, 1)
    assert sides is not None
    table = sides["transfers"]
    pairs = set(zip(table["account"], table["payee"], strict=True))
    paid = table.groupby("account")["payee"].agg(set)
    by_chance = 0
    for account, members in zip(accounts["account"], truth, strict=True):
        if members is not None:
            first, second = members
            assert {(account, first), (first, second), (second, account)} <= pairs
        else:
            seconds = set().union(*(paid.get(first, set()) for first in paid.get(account, set())))
            by_chance += any((second, account) in pairs for second in seconds)
    assert by_chance <= 4
    outcome = accounts["outcome"].to_numpy()
    assert outcome[truth.notna()].mean() > 0.85
    assert outcome[truth.isna()].mean() < 0.15
