"""How scores are judged: figures of scorecard, evidence and blend with intervals that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from plait.desks.credit.judged import judge_scores
from plait.desks.credit.model import Scores


@pytest.mark.parametrize("seed", range(3))
def test_intervals_are_not_above_their_figure_where_scores_say_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bad, nothing = (rng.random(150) < 0.3).astype(float), np.zeros(150)
    risk, card, evidence = rng.normal(size=(3, 150))
    places, there = nothing.astype(np.int64), np.ones((150, 1), bool)
    scores = Scores(risk, 1 / (1 + np.exp(-risk)), -risk, card, evidence, nothing, nothing > 0, places, there)
    for each in judge_scores(scores, bad).standings.values():
        for value, low, high in (each.roc_auc, each.gini, each.ks):
            assert abs((low + high) / 2 - value) < 0.2 * (high - low)
