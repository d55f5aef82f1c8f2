"""How well company ratings tell who defaults: out of fold, beside Altman's scores on the same companies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Progress
from plait.contracts.crossing import unheard
from plait.desks.credit.companies.rating import HandWeighted, fit_ratio_scorecard
from plait.desks.credit.companies.ratios import altman
from plait.errors import DataError
from plait.metrics.classification import roc_auc
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.scorecard import ScorecardSettings

__all__ = ["Ranked", "out_of_fold", "rank_companies"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Areas under the ROC curve, and what the scorecard is ahead of each other by, on the same resamples."""

    areas: dict[str, Span]
    ahead: dict[str, Span]
    rows: int
    defaults: int

    def to_json(self) -> dict[str, Json]:
        from plait.metrics.shown import plain

        found: dict[str, Json] = plain({"auc": self.areas, "scorecard_minus": self.ahead})
        return {**found, "rows": self.rows, "defaults": self.defaults}

    def __str__(self) -> str:
        rows = [(name, str(span), str(self.ahead.get(name, ""))) for name, span in self.areas.items()]
        return "\n".join(aligned([("", "ROC AUC", "scorecard ahead by"), *rows]))


def out_of_fold(
    values: pd.DataFrame,
    bad: Array,
    *,
    settings: ScorecardSettings | None = None,
    folds: int = 5,
    seed: int = 0,
    report: Callable[[Progress], None] = unheard,
) -> Floats:
    """Log-odds of each company by a scorecard of ratios that was fitted without it: float64 ``N``.

    Parameters
    ----------
    values
        Ratios, a row a company.
    folds
        Drawn at random within the defaulted and within the others.

    Raises
    ------
    DataError
        If there are fewer defaults, or fewer others, than folds.
    """
    bad = np.asarray(bad, np.float64)
    if min(bad.sum(), (1 - bad).sum()) < folds:
        raise DataError(f"{bad.sum():.0f} of {len(bad):,} companies defaulted; {folds} folds need as many of each kind")
    fold = np.empty(len(bad), np.int64)
    rng = np.random.default_rng([seed, 0xF0])
    for kind in (0, 1):
        own = rng.permutation(np.flatnonzero(bad == kind))
        fold[own] = np.arange(len(own)) % folds
    found = np.empty(len(bad))
    for i in range(folds):
        report(Progress("folds", i, folds))
        held = fold == i
        card = fit_ratio_scorecard(values[~held].reset_index(drop=True), bad[~held], settings=settings)
        found[held] = card.log_odds(values[held].reset_index(drop=True))
    return found


def rank_companies(values: pd.DataFrame, bad: Array, scorecard: Array, *, seed: int = 0) -> Ranked:
    """Rank companies by the scorecard's log-odds, by hand-weighted ratios, and by Altman's scores.

    Parameters
    ----------
    scorecard
        float64 ``N``: out of fold.
    """
    bad = np.asarray(bad, np.float64)
    scores = {"scorecard of ratios": np.asarray(scorecard), "weighted by hand": HandWeighted().log_odds(values)}
    for name, model in (("Altman Z''", "any"), ("Altman Z'", "private")):
        z = -altman(values, model)["z"].to_numpy(np.float64)
        scores[name] = np.where(np.isnan(z), np.nanmedian(z), z)
    found = bootstrap(roc_auc, bad, scores, seed=seed)
    first, *others = scores
    areas = {name: Span.of(found.interval(name)) for name in scores}
    ahead = {name: Span.of(found.difference(first, name)) for name in others}
    return Ranked(areas, ahead, len(bad), int(bad.sum()))
