"""How decisions fall on groups: rates by group, and how far apart the groups are.

A decision is favourable or not, and a row deserves the favourable one or does not (its outcome was the favourable
class). Weights are ``N``, or ``R x N`` for many resamples at once (see `plait.metrics.weights`); figures by group have
the shape of the weights with the last axis replaced by ``G`` groups, figures between groups lack that axis. A figure of
a group without the rows it needs is NaN, and comparisons leave it out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from plait.contracts import Array
from plait.metrics.weights import as_weight, ratio

__all__ = ["GroupRates", "gap", "group_rates", "odds_gap", "selection_ratio"]


class GroupRates(NamedTuple):
    """Shares within each group, float64 ``(R x) G``.

    ``selection``: favoured. ``deserving``: with the favourable outcome. ``tpr``: favoured among the deserving.
    ``fpr``: favoured among the others. ``ppv``: deserving among the favoured.
    """

    selection: Array
    deserving: Array
    tpr: Array
    fpr: Array
    ppv: Array


def group_rates(
    favoured: Array, deserving: Array, group: Array, groups: int, weight: Array | None = None
) -> GroupRates:
    """Rates of every group.

    Parameters
    ----------
    favoured, deserving
        bool ``N``.
    group
        int ``N``, 0 to below `groups`.
    """
    weight = as_weight(weight, len(group))
    cell = np.asarray(group) * 4 + np.asarray(deserving, np.int64) * 2 + np.asarray(favoured, np.int64)
    counts = weight @ np.eye(groups * 4)[cell]
    no_no, no_yes, yes_no, yes_yes = np.moveaxis(counts.reshape(*weight.shape[:-1], groups, 4), -1, 0)
    chosen, worthy, others = no_yes + yes_yes, yes_no + yes_yes, no_no + no_yes
    return GroupRates(
        ratio(chosen, worthy + others),
        ratio(worthy, worthy + others),
        ratio(yes_yes, worthy),
        ratio(no_yes, others),
        ratio(yes_yes, chosen),
    )


def selection_ratio(selection: Array) -> Array:
    """The lowest selection rate over the highest: four fifths or more is the rule of thumb of the US Uniform
    Guidelines on Employee Selection Procedures (29 CFR 1607.4 D). NaN where nobody is favoured."""
    low, high = _ends(selection)
    return ratio(low, high)


def gap(rates: Array) -> Array:
    """The highest rate minus the lowest: of selection rates the demographic parity difference, of true positive rates
    the equal opportunity difference (Hardt, Price and Srebro 2016)."""
    low, high = _ends(rates)
    return np.asarray(high - low)


def odds_gap(tpr: Array, fpr: Array) -> Array:
    """The wider of the gaps in true and in false positive rates: equalised odds (Hardt, Price and Srebro 2016)."""
    return np.fmax(gap(tpr), gap(fpr))


def _ends(rates: Array) -> tuple[Array, Array]:
    """Lowest and highest over groups with a rate; NaN where fewer than two have one."""
    known = ~np.isnan(rates)
    enough = known.sum(-1) >= 2
    low = np.where(known, rates, np.inf).min(-1, initial=np.inf)
    high = np.where(known, rates, -np.inf).max(-1, initial=-np.inf)
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)
