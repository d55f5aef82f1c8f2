"""Two models on the same rows: which is better, by how much, and whether these rows can tell.

The answer is the paired bootstrap's: both models are judged on the same draws, so that what they share cancels. Beside
it stands, of the figure that leads, the p-value of a permutation test, and of classes McNemar's test (1947; exact).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plait.contracts import Array, Json, Prediction
from plait.errors import ConfigError
from plait.metrics.checked import alike, scores_of, truth_of
from plait.metrics.intervals import bootstrap
from plait.metrics.measures import chosen, measures_of
from plait.metrics.permutation import against_other
from plait.metrics.shown import Span, aligned, between, chance, number, plain
from plait.metrics.weights import as_weight

__all__ = ["CANNOT_TELL", "McNemar", "Pair", "Paired", "compare", "mcnemar"]

CANNOT_TELL = "cannot tell"

_WORK = 200_000_000  # rows times resamples beyond which fewer resamples are drawn
_FEWEST = 200


@dataclass(frozen=True)
class Pair:
    """One figure of both models (NaN where undefined), the first's minus the second's, and what that means.

    `verdict` is ``"better"`` or ``"worse"`` (the first, than the second) where the interval of the difference leaves
    out 0, else ``"cannot tell"``.
    """

    metric: str
    higher_is_better: bool
    first: float
    second: float
    difference: Span
    verdict: str


@dataclass(frozen=True)
class McNemar:
    """Rows that only the first, and only the second model classified right, and the exact two-sided p-value."""

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class Paired:
    """Two models on the same rows.

    Parameters
    ----------
    n
        Rows judged.
    first, second
        Their names.
    pairs
        Every figure; the first one leads.
    p
        Two-sided p-value of the leading figure's difference, from a permutation test; NaN where undefined.
    mcnemar
        Of classes; None for values.
    """

    n: int
    first: str
    second: str
    pairs: tuple[Pair, ...]
    p: float
    mcnemar: McNemar | None
    level: float
    resamples: int
    notes: tuple[str, ...]

    def __getitem__(self, metric: str) -> Pair:
        """The figure of a metric by name."""
        for pair in self.pairs:
            if pair.metric == metric:
                return pair
        raise KeyError(f"no metric {metric!r} here; there are {', '.join(pair.metric for pair in self.pairs)}")

    @property
    def verdict(self) -> str:
        """Of the leading figure: ``"better"``, ``"worse"`` (the first model) or ``"cannot tell"``."""
        return self.pairs[0].verdict

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Figures as a table of strings, the header first."""
        header = ("metric", self.first, self.second, "difference", f"{self.level:.0%} interval", f"{self.first} is")
        body = [
            (
                pair.metric,
                number(pair.first),
                number(pair.second),
                number(pair.difference.value),
                between(*pair.difference[1:]),
                pair.verdict,
            )
            for pair in self.pairs
        ]
        return (header, *body)

    def __str__(self) -> str:
        lines = [self._headline(), "", *aligned(self.rows())]
        if self.mcnemar is not None:
            lines.append(
                f"{self.mcnemar.only_first:,} rows only {self.first} classifies right, {self.mcnemar.only_second:,} "
                f"only {self.second} (McNemar's test: p {chance(self.mcnemar.p)})"
            )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain({**vars(self), "verdict": self.verdict})

    def _headline(self) -> str:
        lead = self.pairs[0]
        told = f"{self.n:,} rows: by {lead.metric}, "
        if lead.verdict == CANNOT_TELL:
            return told + f"these rows cannot tell {self.first} from {self.second} (p {chance(self.p)})"
        return told + f"{self.first} is {lead.verdict} than {self.second} (p {chance(self.p)})"


def compare(
    predictions: Mapping[str, Prediction],
    targets: Array,
    *,
    weight: Array | None = None,
    groups: Array | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    threshold: float = 0.5,
) -> Paired:
    """Compare two predictions of the same rows.

    Parameters
    ----------
    predictions
        Two names, each with its prediction of the ``N`` rows: of the same kind and classes.
    targets
        ``N`` labels or numbers.
    weight
        float64 ``N``, not negative. McNemar's test counts rows.
    groups
        ``N`` labels; whole groups are resampled, and swapped in the permutation test.
    resamples, seed
        Of bootstrap and permutation test; beyond 200 million rows times resamples fewer are drawn, never under 200.
    level
        Of the intervals, and so of the verdicts.
    threshold
        Two classes: a row is predicted positive where the positive class is more probable than this.

    Raises
    ------
    InputError
        If predictions differ in kind or classes, or for the reasons of `plait.metrics.evaluation.evaluate`.
    ConfigError
        If there are not two predictions, or an option is out of range.
    """
    if len(predictions) != 2:
        raise ConfigError(f"{len(predictions)} predictions were given; two models are compared")
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold={threshold} is out of range; it is a probability, 0..1")
    (first, one), (second, other) = predictions.items()
    truth = truth_of(one, targets)
    scores = {name: scores_of(alike(each, one, name), len(truth), name) for name, each in predictions.items()}
    weight = as_weight(weight, len(truth))
    drawn = min(resamples, max(_FEWEST, _WORK // len(truth)))
    measures = measures_of(one, threshold)
    found = bootstrap(
        measures.all, truth, scores, weight=weight, groups=groups, resamples=drawn, seed=seed, level=level
    )
    apart = found.difference(first, second)
    pairs = []
    for i, (metric, higher) in enumerate(measures.higher.items()):
        difference = apart.at(i)
        beyond = difference.low > 0 or difference.high < 0
        told = CANNOT_TELL if not beyond else "better" if (difference.value > 0) == higher else "worse"
        ours, theirs = (float(found.values[name][i]) for name in (first, second))
        pairs.append(Pair(metric, higher, ours, theirs, difference, told))
    shuffled = against_other(one, other, targets, weight=weight, groups=groups, permutations=drawn, seed=seed)
    right = [chosen(each, threshold) == truth for each in scores.values()]
    notes = []
    if undefined := [pair.metric for pair in pairs if np.isnan(pair.first) or np.isnan(pair.second)]:
        notes.append(f"{', '.join(undefined)} undefined: all targets, or all predictions of a model, are equal")
    if resamples and not len(found.draws[first]):
        notes.append("there is one row, or one group: no interval can be told")
    if drawn < resamples:
        notes.append(f"intervals are of {drawn} resamples, not {resamples}, because there are {len(truth):,} rows")
    if any(pair.verdict != CANNOT_TELL for pair in pairs):
        notes.append(f"{len(pairs)} figures stand here, each at {level:.0%}: the first one leads, the others explain")
    return Paired(
        n=len(truth),
        first=first,
        second=second,
        pairs=tuple(pairs),
        p=shuffled.p,
        mcnemar=mcnemar(*right) if one.kind == "class" else None,
        level=level,
        resamples=drawn,
        notes=tuple(notes),
    )


def mcnemar(first: Array, second: Array) -> McNemar:
    """McNemar's exact test of two classifiers: bool ``N`` each, whether a row was classified right.

    Under the null, a row that only one of them gets right is as likely to be the first's: a binomial test.
    """
    from scipy.stats import binomtest

    ours, theirs = int((first & ~second).sum()), int((second & ~first).sum())
    p = float(binomtest(ours, ours + theirs).pvalue) if ours + theirs else 1.0
    return McNemar(ours, theirs, p)
