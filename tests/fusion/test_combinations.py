"""Sources that no training row has together are read together all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import plait

KINDS: dict[str, dict[str, Any]] = {
    "early linear": {"fusion": "early", "learner": "linear"},
    "early lightgbm": {"fusion": "early", "learner": "lightgbm"},
    "late": {"fusion": "late"},
    "average": {"fusion": "average"},
    "hybrid": {"fusion": "hybrid"},
    "attention": {"fusion": "attention"},
    "bottleneck": {"fusion": "bottleneck"},
    "parallel": {"fusion": "parallel"},
    "sequence": {"fusion": "sequence"},
}
NETWORK = {"width": 16, "epochs": 10, "batch_size": 64, "learning_rate": 5e-3}
OPTIONS = {
    "lightgbm": {"trees": 80, "leaves": 4, "members": 1},
    "linear": {"strength": 0.03},
    **dict.fromkeys(("attention", "bottleneck", "parallel", "sequence"), NETWORK),
}
TROUBLE = ("I lost my job", "we are behind with the rent", "my hours were cut")
WORDS = ("we", "ask", "for", "a", "loan", "to", "buy", "car", "house", "kitchen", "this", "year", "please")
STEADY = ("my job is safe", "we have savings", "a bonus is due")


def made(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A number, a sentence and a slope, each a third of the log-odds."""
    rng = np.random.default_rng(seed)
    number, told, slope = rng.normal(size=rows), rng.integers(0, 2, rows), rng.normal(size=rows)
    which = rng.integers(0, 3, rows)
    curves = 100 + 10 * slope[:, None] * np.linspace(-1, 1, 12) + rng.normal(0, 1, (rows, 12))
    frame = pd.DataFrame({"income": number})
    filler = [" ".join(rng.choice(WORDS, 6)) for _ in range(rows)]
    frame["letter"] = [f"{f}, {(STEADY, TROUBLE)[t][i]}." for f, t, i in zip(filler, told, which, strict=True)]
    frame["balance"] = list(curves)
    odds = 1.5 * number + 3 * (told - 0.5) + 1.5 * slope
    return frame, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)


@pytest.mark.parametrize("kind", KINDS)
def test_sources_never_seen_together_add_up(kind: str) -> None:
    train, outcome = made(900, seed=0)
    first = np.random.default_rng(1).random(900) < 0.5
    train["income"] = train["income"].where(first)
    train["balance"] = train["balance"].where(~first, None)
    model = plait.Classifier(options=OPTIONS, n_jobs=1, **KINDS[kind]).fit(train, outcome)
    rows, truth = made(600, seed=2)
    batches = model.model_.batches(rows)
    auc = {}
    assert [source.columns for source in model.schema_.sources] == [("income",), ("letter",), ("balance",)]
    for seen in ([True, False, True], [True, False, False], [False, False, True]):
        values = model.model_.fitted.predict(batches, np.array(seen)).values[:, 1]
        assert np.isfinite(values).all()
        auc[tuple(seen)] = roc_auc_score(truth, values)
    both, *alone = auc.values()
    assert both > max(alone) + 0.01, auc
