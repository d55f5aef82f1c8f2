"""How well scorecard, evidence and their blend rank and say probabilities, on rows whose outcome is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Side
from plait.metrics.classification import ks, roc_auc
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, between, number, plain
from plait.metrics.weights import as_weight

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel, Scores

__all__ = ["Judged", "Standing", "judge", "judge_scores"]

MEMBERS = ("scorecard", "evidence", "blend")
RESAMPLES = 500


@dataclass(frozen=True)
class Standing:
    """One score's figures with 95% intervals; `beyond`: the blend's ROC AUC minus its own, paired."""

    roc_auc: Span
    gini: Span
    ks: Span
    beyond: Span | None


@dataclass(frozen=True)
class Judged:
    """Figures on rows that the model was not fitted on.

    Parameters
    ----------
    rows, bad_rate, mean_pd
        How many rows, the share that defaulted (weighted), and the mean probability that was said.
    standings
        ``scorecard``, ``evidence`` and ``blend`` to their figures.
    """

    rows: int
    bad_rate: float
    mean_pd: float
    standings: Mapping[str, Standing]

    def rows_of(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first."""
        head = ("", "ROC AUC", "95% interval", "Gini", "KS", "blend minus it")
        lines = []
        for name, each in self.standings.items():
            beyond = (
                ""
                if each.beyond is None
                else f"{each.beyond.value:+.4f} ({each.beyond.low:+.4f} to {each.beyond.high:+.4f})"
            )
            auc = each.roc_auc
            lines.append(
                (
                    name,
                    number(auc.value),
                    between(auc.low, auc.high),
                    number(each.gini.value),
                    number(each.ks.value),
                    beyond,
                )
            )
        return head, *lines

    def __str__(self) -> str:
        about = f"{self.rows:,} rows, {self.bad_rate:.1%} bad, {self.mean_pd:.1%} expected"
        return "\n".join([about, *aligned(self.rows_of())])

    def to_json(self) -> Json:
        told: Json = plain(self)
        return told


def judge(
    model: CreditModel,
    frame: pd.DataFrame,
    target: Any,
    *,
    sides: Mapping[str, Side] | None = None,
    weight: npt.NDArray[np.float64] | None = None,
    seed: int = 0,
) -> Judged:
    """Judge a model on rows whose outcome (as it was fitted: labels) is known."""
    bad = (np.asarray(target) == model.bad).astype(np.float64)
    return judge_scores(model.score(frame, sides), bad, weight=weight, seed=seed)


def judge_scores(scores: Scores, bad: Array, *, weight: Array | None = None, seed: int = 0) -> Judged:
    """Judge scores of ``N`` rows by their outcomes, 1 = default.

    Raises
    ------
    InputError
        If the outcomes are all alike.
    """
    told = {"scorecard": -scores.scorecard, "evidence": -scores.evidence, "blend": scores.log_odds}
    weights = as_weight(weight, len(bad))

    def figures(targets: Array, risk: Array, drawn: Array) -> Array:
        return np.stack([roc_auc(targets, risk, drawn), ks(targets, risk, drawn)], axis=-1)

    centred = np.array([False, True])  # resampling inflates KS, a widest gap
    found = bootstrap(figures, bad, told, weight=weights, resamples=RESAMPLES, seed=seed, centred=centred)
    standings = {}
    for name in MEMBERS:
        auc, apart = found.interval(name).at(0), found.interval(name).at(1)
        gini = Span(*(2 * value - 1 for value in auc))
        beyond = None if name == "blend" else found.difference("blend", name).at(0)
        standings[name] = Standing(auc, gini, apart, beyond)
    mean = float(np.average(scores.pd, weights=weights))
    return Judged(len(bad), float(np.average(bad, weights=weights)), mean, standings)
