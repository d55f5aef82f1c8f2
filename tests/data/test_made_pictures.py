"""Made charts and statements: the promises of their docstrings."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from plait.data import samples
from plait.data.samples.chart_themes import FACES, NUMBERS, WORDS, themes
from plait.data.samples.charts import KINDS
from plait.errors import ConfigError


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("style", ["train", "unseen"])
def test_charts_are_of_ten_kinds_and_can_be_repeated(style):
    charts = samples.charts(40, seed=3, style=style)
    pd.testing.assert_frame_equal(charts, samples.charts(40, seed=3, style=style))
    assert charts["kind"].value_counts().to_dict() == dict.fromkeys(KINDS, 4)
    assert charts["theme"].str.startswith(style).all()
    for data in charts["image"]:
        image = opened(data)
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert min(image.size) > 100
        assert max(image.size) < 650
        assert len(image.getcolors(1 << 20) or ()) > 2
    assert charts["image"].nunique() == 40


def test_the_two_styles_have_nothing_in_common():
    seen, unseen = themes("train"), themes("unseen")
    assert not {t.ground for t in seen} & {t.ground for t in unseen}
    assert not {c for t in seen for c in t.palette} & {c for t in unseen for c in t.palette}
    for family in (FACES, WORDS, NUMBERS):
        assert not set(family["train"]) & set(family["unseen"])
    assert not {t.title for t in seen} & {t.title for t in unseen} - {""}
    assert not {t.legend for t in seen} & {t.legend for t in unseen} - {""}
    with pytest.raises(ConfigError, match="allowed: train, unseen"):
        samples.charts(1, style="new")


def test_statements_are_as_documented():
    frame = samples.statements(30, seed=2)
    pd.testing.assert_frame_equal(frame, samples.statements(30, seed=2))
    assert list(frame) == ["risk", "default", "page"]
    image = opened(frame["page"][0])
    assert image.format == "JPEG"
    assert 210 < image.width < 250 < image.height < 340
    oracle = samples.statements_oracle(20_000, seed=2)
    assert oracle["red_share"].between(0.05, 0.6).all()
    assert oracle["stamped"].mean() == pytest.approx(0.25, abs=0.01)
    assert oracle["no_balance"].mean() == pytest.approx(0.2, abs=0.01)
    assert oracle["probability"].mean() == pytest.approx(0.3, abs=0.02)
    assert len(samples.statements_oracle(30, seed=2)) == 30


def test_the_signs_are_on_the_page():
    frame, oracle = samples.statements(60, seed=5), samples.statements_oracle(60, seed=5)
    pixels = [np.asarray(opened(page)).astype(int) for page in frame["page"]]
    redder = np.array([((p[:, :, 0] - p[:, :, 1] > 60) & (p[:, :, 0] - p[:, :, 2] > 40)).mean() for p in pixels])
    plain = ~oracle["stamped"].to_numpy()
    assert np.corrcoef(redder[plain], oracle["red_share"][plain])[0, 1] > 0.35


@pytest.mark.parametrize("n", [0, 1])
def test_few_pictures(n):
    assert len(samples.charts(n)) == len(samples.statements(n)) == len(samples.statements_oracle(n)) == n
