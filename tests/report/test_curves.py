"""Drawings: which files come out, that labels of any script and sign are safe, and that nothing else is touched."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from plait.contracts import Prediction
from plait.metrics.evaluation import Evaluation, evaluate
from plait.report import draw


def judged(labels: list[str], baselines: tuple[str, ...] = (), n: int = 200) -> Evaluation:
    rng = np.random.default_rng(0)
    classes = np.array(labels)
    p = rng.dirichlet(np.ones(len(classes)), n)
    y = classes[(p.cumsum(1) < rng.random((n, 1))).sum(1)]
    flat = Prediction("class", np.full_like(p, 1 / len(classes)), classes)
    return evaluate(Prediction("class", p, classes), y, baselines=dict.fromkeys(baselines, flat), resamples=20)


def names(paths: tuple[Path, ...]) -> list[str]:
    for path in paths:
        head = path.read_bytes()[:24]
        assert head.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", head[16:24])) > 300  # pixels
    return [path.name for path in paths]


def test_two_classes(tmp_path: Path) -> None:
    made = draw(judged(["paid", "default"], ("constant", "linear")), tmp_path / "new" / "folder")
    assert names(made) == ["roc.png", "precision_recall.png", "reliability.png", "confusion.png"]
    assert sorted(tmp_path.glob("new/folder/*")) == sorted(made)  # no parts are left
    assert not [*tmp_path.glob("new/folder/.*")]


@pytest.mark.parametrize(
    "labels",
    [["正常", "违约", "\U0001f680"], ["$5 to $10", "$x^", "_hidden", "a\nb"], [f"class number {i}" for i in range(45)]],
    ids=["scripts", "signs", "many"],
)
def test_any_labels(tmp_path: Path, labels: list[str]) -> None:
    assert names(draw(judged(labels, ("基线",), 400), tmp_path)) == ["reliability.png", "confusion.png"]


def test_values(tmp_path: Path) -> None:
    y = np.random.default_rng(0).normal(size=60)
    assert names(draw(evaluate(Prediction("value", y * 0.5), y, resamples=10), tmp_path)) == ["residuals.png"]
    flat = evaluate(Prediction("value", np.ones(3)), np.ones(3), resamples=0)
    assert names(draw(flat, tmp_path)) == ["residuals.png"]


def test_one_class_draws_what_is_defined(tmp_path: Path) -> None:
    p = Prediction("class", np.array([[1.0, 0.0]] * 5), np.array(["paid", "default"]))
    assert names(draw(evaluate(p, np.full(5, "paid"), resamples=5), tmp_path)) == ["reliability.png", "confusion.png"]


def test_the_same_evaluation_draws_the_same_bytes(tmp_path: Path) -> None:
    found = judged(["paid", "default"])
    first = [path.read_bytes() for path in draw(found, tmp_path)]
    assert [path.read_bytes() for path in draw(found, tmp_path)] == first


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    draw(judged(["a", "b"]), tmp_path)
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
