"""How far two samples of one column lie apart, and how likely that is if both came from one population."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.metrics.weights import ratio

__all__ = [
    "Bins",
    "Tested",
    "adjusted",
    "chi_square",
    "commonest_change",
    "equal_mass",
    "kolmogorov_smirnov",
    "levels",
    "mann_whitney",
    "psi",
    "psi_floor",
]

HALF = 0.5  # added to every bin, so that an empty one costs much but not infinity
RARE = 0.01  # share of both samples under which a level is pooled with the other rare ones
EXPECTED = 5.0  # rows expected in a cell from which the chi-square approximation holds (Cochran 1954)


class Tested(NamedTuple):
    """A test statistic, and the chance of one as large if nothing had changed."""

    statistic: float
    p: float


class Bins(NamedTuple):
    """Bins of a column: names, and the rows (float64 ``B``) of the old and of the new sample in each."""

    labels: tuple[str, ...]
    old: npt.NDArray[np.float64]
    new: npt.NDArray[np.float64]
    code_old: npt.NDArray[np.int64]
    code_new: npt.NDArray[np.int64]


def equal_mass(old: Array, new: Array, bins: int = 10, shown: Callable[[float], str] = "{:.4g}".format) -> Bins:
    """Bins that hold equally many old values, and one of the missing (NaN) where there are any.

    Equal values share a bin, so there may be fewer. `shown` writes the edges.
    """
    known = old[~np.isnan(old)]
    cuts = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else np.zeros(0)
    edges = [shown(cut) for cut in cuts.tolist()]
    labels = [f"below {edges[0]}" if edges else "any value"]
    labels += [f"{low} to below {high}" for low, high in pairwise(edges)]
    labels += [f"{edges[-1]} or more"] if edges else []
    codes = [np.where(np.isnan(x), len(labels), np.searchsorted(cuts, x, side="right")) for x in (old, new)]
    return _counted([*labels, "(missing)"], codes[0], codes[1])


def levels(old: Array, new: Array, most: int = 30) -> Bins:
    """Bins of labels (object, None missing): those frequent in both samples together, and the rare ones as one.

    Samples are treated alike, also where nearly every label is rare: what the old sample lacks is no bin of its own,
    since any second sample of ten thousand labels holds some that the first lacks.
    """
    pooled = [value for value in (*old, *new) if value is not None]
    names, counts = np.unique(np.asarray(pooled, str), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    kept = [str(names[i]) for i in order if counts[i] >= RARE * len(pooled)]
    place = {name: i for i, name in enumerate(kept)}
    rare, gone = len(kept), len(kept) + 1
    codes = [
        np.array([gone if value is None else place.get(str(value), rare) for value in values], np.int64)
        for values in (old, new)
    ]
    return _counted([*kept, "(rare)", "(missing)"], codes[0], codes[1])


def _counted(labels: Sequence[str], old: Array, new: Array) -> Bins:
    """Count, and leave out the bins that are empty in both."""
    counts = [np.bincount(codes, minlength=len(labels)).astype(np.float64) for codes in (old, new)]
    seen = np.flatnonzero(counts[0] + counts[1])
    place = np.zeros(len(labels), np.int64)
    place[seen] = np.arange(len(seen))
    return Bins(tuple(labels[i] for i in seen.tolist()), counts[0][seen], counts[1][seen], place[old], place[new])


def psi(old: Array, new: Array) -> float:
    """Population stability index of two rows of counts, half a row added to each bin.

    ``sum (new% - old%) * log(new% / old%)``: Jeffreys' symmetric divergence. By custom, under .1 is small and above .25
    large; see `psi_floor` for what chance alone gives.
    """
    shares = [(counts + HALF) / (counts.sum() + HALF * len(counts)) for counts in (old, new)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def psi_floor(old: float, new: float, bins: int) -> float:
    """What the PSI of two samples of one population stays under 95 times in 100.

    Under no change it is about chi-square (bins - 1) times ``1 / old + 1 / new`` rows (Yurdakul and Naranjo 2020,
    Journal of Risk Model Validation 14(4)).
    """
    from scipy.stats import chi2

    return float(chi2.ppf(0.95, max(bins - 1, 1)) * (1 / max(old, 1) + 1 / max(new, 1)))


def kolmogorov_smirnov(old: Array, new: Array) -> Tested:
    """The widest gap between two empirical distributions; ties make the test cautious. p is 1 where one is empty."""
    from scipy.stats import ks_2samp

    if not len(old) or not len(new):
        return Tested(0.0, 1.0)
    found = ks_2samp(old, new, method="exact" if min(len(old), len(new)) < 50 else "asymp")
    return Tested(float(found.statistic), float(found.pvalue))


def chi_square(old: Array, new: Array) -> Tested:
    """Pearson's test that two rows of counts have the same shares; the statistic is Cramer's V (0..1).

    Bins with under five expected rows in a sample are pooled, so that the p-value can be trusted.
    """
    from scipy.stats import chi2

    rows = np.array([old.sum(), new.sum()])
    if not rows.all():
        return Tested(0.0, 1.0)
    total = old + new
    small = total * rows.min() / rows.sum() < EXPECTED
    table = np.stack([np.append(counts[~small], counts[small].sum()) for counts in (old, new)])
    table = table[:, table.sum(0) > 0]
    expected = rows[:, None] * table.sum(0) / rows.sum()
    if table.shape[1] < 2 or expected.min() < 1:
        return Tested(0.0, 1.0)
    distance = float(((table - expected) ** 2 / expected).sum())
    return Tested(float(np.sqrt(distance / rows.sum())), float(chi2.sf(distance, table.shape[1] - 1)))


def mann_whitney(old: Array, new: Array) -> Tested:
    """The chance that a new score lies above an old one (ROC AUC), and whether it is above one half (one-sided)."""
    from scipy.stats import mannwhitneyu

    if not len(old) or not len(new):
        return Tested(0.5, 1.0)
    found = mannwhitneyu(new, old, alternative="greater", method="asymptotic")
    return Tested(float(found.statistic) / (len(old) * len(new)), float(found.pvalue))


def commonest_change(
    old: Array, new: Array, rows: tuple[int, int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Which of very many things happen more or less often: the surest ones, by Fisher's exact test.

    Parameters
    ----------
    old, new
        Rows in which each thing happens, ``W``.
    rows
        Of either sample.

    Returns
    -------
    p-values, and the places of their things, the surest first; at most twenty. Under no change, the least of them times
    ``W`` is a p-value of all (Bonferroni).
    """
    from scipy.stats import hypergeom

    share = (old + new) / sum(rows)
    spread = np.sqrt(share * (1 - share) * (1 / rows[0] + 1 / rows[1]))
    gaps = np.abs(np.nan_to_num(ratio(old / rows[0] - new / rows[1], spread)))
    first = np.argsort(-gaps, kind="stable")[:20]
    a, both = new[first], (old + new)[first]
    tails = (hypergeom.cdf(a, sum(rows), both, rows[1]), hypergeom.sf(a - 1, sum(rows), both, rows[1]))
    p = np.minimum(1.0, 2 * np.minimum(*tails))
    order = np.argsort(p, kind="stable")
    return p[order], first[order]


def adjusted(p: Array) -> npt.NDArray[np.float64]:
    """p-values adjusted so that rejecting those up to a level keeps the false discovery rate there.

    Where nothing has changed at all, any rejection is false, so that the same level bounds the chance of one. Source:
    Benjamini and Hochberg 1995.
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")
    steps = ratio(p[order] * len(p), np.arange(1.0, len(p) + 1))
    out = np.empty(len(p))
    out[order] = np.minimum.accumulate(steps[::-1])[::-1].clip(max=1.0)
    return out
