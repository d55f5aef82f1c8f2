"""Less discriminatory alternatives: models that treat groups more alike, and what each costs in ranking.

No alternative knows the group of an applicant when it decides (that would be treating them differently): what differs
is what the model may read, and how much rows count when it learns. Row weights are those of fairlearn's reductions
(Agarwal, Beygelzimer, Dudik, Langford and Wallach 2018, "A reductions approach to fair classification"), held below the
point at which an outcome would be turned into its opposite; of their grid, the point is chosen on validation rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Progress
from plait.contracts.crossing import unheard
from plait.errors import ConfigError, DataError, MissingExtraError
from plait.judgement.groups import FEW
from plait.metrics.classification import roc_auc
from plait.metrics.fairness import group_rates, selection_ratio
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, number, plain
from plait.metrics.weights import as_weight

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "STRENGTHS",
    "Fit",
    "Mitigation",
    "Sample",
    "Tried",
    "Way",
    "draw_front",
    "prices",
    "search",
    "ways_of",
]

STRENGTHS = (
    0.3,
    0.6,
    0.75,
    0.85,
    0.95,
)  # of the weights; at 1 a bad outcome of the group worst off would count nothing
RESAMPLES = 500

Scorer: TypeAlias = "Callable[[pd.DataFrame], Array]"
Fit: TypeAlias = Callable[[Sequence[str], Array], Scorer]
"""Columns to leave out and row weights ``N`` to a function from rows to probabilities of default, fitted so."""


@dataclass(frozen=True)
class Way:
    """A way to treat groups more alike: columns left out, and the strength of row weights (0: none)."""

    without: tuple[str, ...] = ()
    strength: float = 0.0

    def __str__(self) -> str:
        told = [f"without {', '.join(self.without)}"] if self.without else []
        told += [f"weights of strength {self.strength:g}"] if self.strength else []
        return " and ".join(told) or "as it is"


@dataclass(frozen=True)
class Sample:
    """Rows with their outcomes (float64 ``N``: 1 bad), their groups by sensitive column (int64 ``N``, -1: not known),
    and their weights."""

    frame: pd.DataFrame
    bad: npt.NDArray[np.float64]
    groups: Mapping[str, npt.NDArray[np.int64]]
    weight: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tried:
    """One way on validation rows.

    Parameters
    ----------
    roc_auc
        With its interval; `cost`: minus that of the model as it is, paired.
    ratios
        Four-fifths ratio by sensitive column.
    approved
        Share of rows.
    passes, sure
        Whether every ratio is high enough, and whether its whole interval is.
    """

    way: Way
    roc_auc: Span
    cost: Span
    ratios: Mapping[str, Span]
    approved: float
    passes: bool
    sure: bool

    @property
    def worst(self) -> float:
        """The lowest ratio; NaN if one cannot be told."""
        return float(np.min([ratio.value for ratio in self.ratios.values()]))


@dataclass(frozen=True)
class Mitigation:
    """All ways that were tried, the model as it is first.

    Parameters
    ----------
    chosen
        Place of the way that ranks best of those that surely pass; without one, of that which passes and comes nearest
        to it. None: none passes.
    least
        The ratio asked for.
    failed
        Ways by which nothing could be fitted, and why.
    """

    tried: tuple[Tried, ...]
    chosen: int | None
    least: float
    failed: Mapping[str, str]

    @property
    def best(self) -> Tried | None:
        """The way chosen."""
        return None if self.chosen is None else self.tried[self.chosen]

    def front(self) -> tuple[int, ...]:
        """Places of those that no other beats in both ranking and ratio, by falling ROC AUC."""
        order = sorted(range(len(self.tried)), key=lambda i: (-self.tried[i].roc_auc.value, -self.tried[i].worst))
        kept: list[int] = []
        for i in order:
            if not kept or self.tried[i].worst > self.tried[kept[-1]].worst:
                kept.append(i)
        return tuple(kept)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first; the chosen way is starred."""
        names = list(self.tried[0].ratios)
        head = ("way", "ROC AUC", "beyond as it is", "approved", *(f"ratio by {name}" for name in names))
        body = [
            (
                f"{each.way}{' *' if i == self.chosen else ''}",
                number(each.roc_auc.value),
                "-" if not i else f"{each.cost.value:+.4f} ({each.cost.low:+.4f} to {each.cost.high:+.4f})",
                f"{each.approved:.1%}",
                *(str(each.ratios[name]) for name in names),
            )
            for i, each in enumerate(self.tried)
        ]
        return (head, *body)

    def __str__(self) -> str:
        asked = f"a four-fifths ratio of {self.least:g} or more"
        told = f"no way reaches {asked}"
        if self.best is not None:
            told = f"* ranks best of those that surely have {asked}" if self.best.sure else f"* has {asked}, not surely"
        return "\n".join([*aligned(self.rows()), told, *(f"{way}: {why}" for way, why in self.failed.items())])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


def ways_of(proxies: Sequence[str], strengths: Sequence[float] = STRENGTHS) -> tuple[Way, ...]:
    """The ways to try: as it is, without each proxy, without all of them, and by weights of rising strength."""
    singly = [Way((name,)) for name in proxies]
    together = [Way(tuple(proxies))] if len(proxies) > 1 else []
    return (Way(), *singly, *together, *(Way((), strength) for strength in strengths))


def search(
    fit: Fit,
    train: Sample,
    valid: Sample,
    ways: Sequence[Way],
    *,
    approve: Callable[[Sample, Array], Array],
    least: float = 0.8,
    resamples: int = RESAMPLES,
    seed: int = 0,
    report: Callable[[Progress], None] = unheard,
) -> Mitigation:
    """Try each way, and choose the one that ranks best among those that surely pass on validation rows.

    The whole interval of the ratio has to lie at `least` or above: of many ways, one that passes by its value alone is
    often one that was lucky.

    Parameters
    ----------
    fit
        Fits on the training rows.
    ways
        The first is the model as it is.
    approve
        From rows and their probabilities of default to who is approved: bool ``N``.
    least
        The four-fifths ratio asked for.

    Raises
    ------
    ConfigError
        If the ratio is none, or the first way changes the model.
    DataError
        If fewer than two groups of a sensitive column have rows enough to be compared.
    """
    if not 0 < least <= 1:
        raise ConfigError(f"least={least:g} is out of range; a ratio is above 0 and at most 1, as in 0.8")
    if not ways or ways[0] != Way():
        raise ConfigError("the first way is the model as it is")
    kept = {name: _big(codes) for name, codes in valid.groups.items()}
    chances: dict[Way, Array] = {}
    failed: dict[str, str] = {}
    offsets = np.zeros(len(train.bad))
    for step, way in enumerate(ways):
        report(Progress("alternatives", step, len(ways)))
        try:
            scorer = fit(way.without, train.weight * reweighed(train.bad, offsets, way.strength, train.weight))
        except DataError as error:  # of what is left, nothing can be learned
            if not step:
                raise
            failed[str(way)] = str(error)
            continue
        chances[way] = np.asarray(scorer(valid.frame), np.float64)
        if not step:
            offsets = prices(train, np.asarray(approve(train, scorer(train.frame)), np.bool_))

    def figures(bad: Array, chance: Array, weight: Array) -> Array:
        approved = approve(valid, chance)
        ratios = [selection_ratio(_selection(approved, codes, weight)) for codes in kept.values()]
        share = (weight @ approved) / weight.sum(-1)
        return np.stack([roc_auc(bad, chance, weight), share, *ratios], axis=-1)

    names = {str(way): chance for way, chance in chances.items()}
    found = bootstrap(figures, valid.bad, names, weight=valid.weight, resamples=resamples, seed=seed)
    made = []
    for way in chances:
        value = found.interval(str(way))
        ratios = {name: value.at(2 + j) for j, name in enumerate(kept)}
        passes, sure = (
            all(end >= least for end in ends) for ends in zip(*(r[:2] for r in ratios.values()), strict=True)
        )
        cost = found.difference(str(way), str(ways[0])).at(0)
        made.append(Tried(way, value.at(0), cost, ratios, float(value.value[1]), passes, passes and sure))
    return Mitigation(tuple(made), _chosen(made), least, failed)


def _chosen(made: Sequence[Tried]) -> int | None:
    """The best that ranks of those that surely pass; else, of those that pass, the surest."""
    if sure := [i for i, each in enumerate(made) if each.sure]:
        return max(sure, key=lambda i: made[i].roc_auc.value)
    if passing := [i for i, each in enumerate(made) if each.passes]:
        return max(passing, key=lambda i: min(ratio.low for ratio in made[i].ratios.values()))
    return None


def prices(rows: Sample, approved: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """How much a good outcome of each row should count for more (and a bad one for less), float64 ``N`` within -1..1.

    fairlearn's `DemographicParity` prices how far each group's approvals lie from those of all, and spreads the prices
    over rows; the highest is scaled to 1. Columns are priced one after the other and added up.

    Raises
    ------
    MissingExtraError
        If fairlearn is not installed.
    DataError
        If fewer than two groups of a column have rows enough.
    """
    try:
        from fairlearn.reductions import DemographicParity
    except ImportError:
        raise MissingExtraError("mitigation needs fairlearn: pip install 'plait[credit]'") from None
    total = np.zeros(len(rows.bad))
    for codes in rows.groups.values():
        inside = _big(codes) >= 0
        moment = DemographicParity()
        moment.load_data(np.zeros((inside.sum(), 1)), 1 - rows.bad[inside], sensitive_features=codes[inside])
        gaps = moment.gamma(lambda _, own=inside: approved[own].astype(np.float64))
        total[inside] += moment.signed_weights(gaps.clip(lower=0)).to_numpy()
    return np.asarray(total / max(np.abs(total).max(), 1e-12))


def reweighed(bad: Array, offsets: Array, strength: float, weight: Array) -> npt.NDArray[np.float64]:
    """Factors of the row weights, float64 ``N``: good and bad rows together count as much as before.

    Raises
    ------
    ConfigError
        If the strength is not in 0..1, 1 excluded: there, outcomes would be turned into their opposites.
    """
    if not 0 <= strength < 1:
        raise ConfigError(f"a strength of {strength:g} is out of range; weights take 0 or more and below 1")
    factor = 1 + strength * offsets * np.where(bad == 1, -1, 1)
    for kind in (0, 1):
        own = bad == kind
        factor[own] *= weight[own].sum() / (weight[own] @ factor[own])
    return factor


def _big(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Groups of enough rows, renumbered; -1 for all others."""
    counts = np.bincount(codes[codes >= 0], minlength=1)
    big = np.flatnonzero(counts >= FEW)
    if len(big) < 2:
        raise DataError(f"fewer than two groups have {FEW} rows or more, so that there is nothing to compare")
    place = np.full(len(counts) + 1, -1)
    place[big] = np.arange(len(big))
    return np.asarray(place[codes], np.int64)


def _selection(approved: Array, codes: npt.NDArray[np.int64], weight: Array) -> Array:
    inside = codes >= 0
    worthy = np.zeros(int(inside.sum()), np.bool_)
    return group_rates(
        approved[inside], worthy, codes[inside], int(codes.max()) + 1, as_weight(weight[..., inside], len(worthy))
    ).selection


def draw_front(found: Mitigation, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Draw ``front.png``: ROC AUC against the lowest four-fifths ratio of every way, with intervals.

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """
    from plait.data.files import made_folder
    from plait.report.canvas import BLUE, GREY, SERIES, axes_of, finish, readable, save

    figure, axes = axes_of(9.0, 4.6)
    axes.axvline(found.least, color=GREY, linewidth=0.8)
    where = (found.least, 0.02), (3, 0)
    axes.annotate("asked for", *where, ("data", "axes fraction"), "offset points", color=GREY, fontsize=8)
    front = [found.tried[i] for i in found.front()]
    axes.plot([each.worst for each in front], [each.roc_auc.value for each in front], color=GREY, linewidth=1)
    for i, each in enumerate(found.tried):
        colour = BLUE if i == found.chosen else SERIES[0] if not i else "#5F6871"
        value, low, high = each.roc_auc
        spread = [[max(0.0, value - low)], [max(0.0, high - value)]]
        told = f"{i + 1}  {each.way}" + (" (chosen)" if i == found.chosen else "")
        axes.errorbar(
            [each.worst], [value], spread, color=colour, marker="o", markersize=12, elinewidth=1, label=readable(told)
        )
        axes.text(each.worst, value, str(i + 1), color="white", ha="center", va="center", fontsize=8, zorder=5)
    finish(axes, "Ranking against equal treatment", "Lowest four-fifths ratio", "ROC AUC on validation rows")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, frameon=False)
    return (save(figure, made_folder(folder) / "front.png"),)
