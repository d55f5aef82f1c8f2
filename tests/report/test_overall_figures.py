"""Drawings of what a model rests on say what was found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from plait import Classifier
from plait.explain.dependence import Dependence, Interaction, Interactions
from plait.explain.importance import Importance, Worth
from plait.explain.surrogate import Leaf, Split, Surrogate
from plait.report.canvas import Canvas, picture
from plait.report.network import network_figure
from plait.report.overall import dependence_figure, importance_figure, interactions_figure, surrogate_figure


def said(figure: Canvas) -> str:
    picture(figure)
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def test_importance() -> None:
    worths = (Worth("letter", "source", "letter", 0.2, 0.1, 0.3), Worth("income", "column", "table", 0.0, -0.1, np.nan))
    shown = said(importance_figure(Importance(10, 0.5, worths)))
    assert "letter" in shown
    assert "income" in shown
    only = said(importance_figure(Importance(10, 0.5, worths[:1])))
    assert "shuffled" not in only


@pytest.mark.parametrize("dates", [False, True])
def test_dependence(dates: bool) -> None:
    points = (1e9, 1.2e9, 1.4e9) if dates else (1.0, 2.0, 3.0)
    three = np.array([0.1, 0.2, 0.4])
    curves = np.stack([three, three])
    shown = Dependence("income", True, dates, points, three, three / 10, 0.3, curves, np.array([2.0]))
    assert "income" in said(dependence_figure(shown))
    names = ("own", "rent", "$5 to $6")
    levels = Dependence("home", False, False, names, three, three / 10, 0.3, three[None], np.empty(0))
    assert set(names) <= set(said(dependence_figure(levels)).split("\n"))


def test_interactions() -> None:
    pairs = (Interaction("a", "b", "source", 0.25), Interaction("x", "y", "column", 0.9))
    shown = said(interactions_figure(Interactions(10, pairs)))
    assert "0.25" in shown
    assert "0.90" in shown
    assert "nothing can work together" in said(interactions_figure(Interactions(10, ())))


def test_tree() -> None:
    tree = Split(
        "income <= 3", True, 1.0, Leaf(0.7, 0.4), Split("home is own", None, 0.6, Leaf(0.1, 0.5), Leaf(0.2, 0.1))
    )
    shown = said(surrogate_figure(Surrogate(tree, 0.8, 0.9, 100)))
    assert "80%" in shown
    assert "income <= 3 or missing" in shown
    assert "0.7   (40%)" in shown


@pytest.mark.parametrize("fusion", ["early", "late", "attention"])
def test_the_model_itself(fusion: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    frame["letter"] = ["one two three four five six seven eight nine"[: int(rng.integers(9, 40))] for _ in range(60)]
    options = {"attention": {"epochs": 1, "width": 16}}
    learner = None if fusion == "attention" else "linear"
    model = Classifier(fusion=fusion, learner=learner, options=options, n_jobs=1).fit(frame, np.arange(60) % 2)
    shown = said(network_figure(model.model_))
    assert "binary head" in shown
    assert ("trained weights" in shown) == (fusion == "attention")
    assert ("/linear" in shown) == (fusion == "late")
