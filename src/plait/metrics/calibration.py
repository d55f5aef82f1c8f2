"""Whether probabilities come true as often as they say: against chance, along the scale, and over time.

Of two classes the probability of class 1 is judged, of more that of the most likely class (top label).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from plait.contracts import Array, Json
from plait.metrics.classification import Z95, Reliability, brier, ece, equal_mass, judged, log_loss, reliability, wilson
from plait.metrics.shown import Span, aligned, between, chance, number, plain
from plait.metrics.weights import as_weight, finite, ratio

__all__ = [
    "CalibrationReport",
    "Cox",
    "Floor",
    "HosmerLemeshow",
    "Period",
    "calibration_in_time",
    "calibration_report",
    "cox",
    "ece_floor",
    "hosmer_lemeshow",
]

STEPS = 50  # of Newton's method
FARTHEST = 35.0  # log-odds: one float64 rounding from certainty
WORK = 50_000_000  # simulated outcomes; larger samples get fewer draws
DRAWS, FEWEST = 1_000, 100


class Floor(NamedTuple):
    """The ECE that a perfectly calibrated model would show on as many rows: its mean and its 95% quantile."""

    mean: float
    high: float


class Cox(NamedTuple):
    """Log-odds of what came true as a line through the predicted log-odds, with 95% intervals.

    Parameters
    ----------
    constant
        0 if perfect; with the slope held at 1, so that above 0 too little was predicted on the whole.
    intercept, slope
        0 and 1 if perfect, fitted together; a slope below 1 is overconfidence.
    """

    constant: Span
    intercept: Span
    slope: Span


class HosmerLemeshow(NamedTuple):
    """Chi-square statistic over bins, its degrees of freedom, and how likely a perfect model is to exceed it."""

    statistic: float
    freedom: int
    p: float


class Period(NamedTuple):
    """Rows of a stretch of time: mean predicted, share observed with its 95% Wilson interval.

    Times are seconds since 1970, or plain numbers where they are not `dated`.
    """

    begin: float
    end: float
    rows: int
    predicted: float
    observed: float
    low: float
    high: float
    dated: bool = True

    @property
    def holds(self) -> bool:
        """Whether what was predicted lies within the interval of what was observed."""
        return self.low <= self.predicted <= self.high


@dataclass(frozen=True)
class CalibrationReport:
    """How well probabilities come true on rows that the model was not fitted on.

    Parameters
    ----------
    n
        Rows judged.
    what
        Whose probability: the label of the second class, or ``"top label"``.
    ece, floor
        Expected calibration error over 10 equal-mass bins, and what chance alone would show.
    log_loss, brier
        Of all classes.
    predicted, observed
        Mean predicted probability, and the share that came true with its 95% Wilson interval.
    cox, hosmer_lemeshow
        See there.
    curve
        The bins.
    periods
        The same over time, earliest first; empty where rows have no time.
    """

    n: int
    what: str
    ece: float
    floor: Floor
    log_loss: float
    brier: float
    predicted: float
    observed: Span
    cox: Cox
    hosmer_lemeshow: HosmerLemeshow
    curve: Reliability
    periods: tuple[Period, ...] = ()

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Figures as a table of strings, the header first."""
        test = self.hosmer_lemeshow
        return (
            ("figure", "value", "95% interval", "if perfect"),
            ("ECE", number(self.ece), "", f"{number(self.floor.mean)}, 95% below {number(self.floor.high)}"),
            ("log loss", number(self.log_loss), "", ""),
            ("Brier", number(self.brier), "", ""),
            ("mean predicted", number(self.predicted), "", "as observed"),
            ("observed", number(self.observed.value), between(self.observed.low, self.observed.high), "as predicted"),
            ("in the large (log-odds)", *_span(self.cox.constant), "0"),
            ("intercept", *_span(self.cox.intercept), "0"),
            ("slope", *_span(self.cox.slope), "1"),
            (f"Hosmer-Lemeshow, {test.freedom} df", number(test.statistic), f"p {chance(test.p)}", str(test.freedom)),
        )

    def period_rows(self) -> tuple[tuple[str, ...], ...]:
        """Periods as a table of strings, the header first."""

        def moment(time: float, dated: bool) -> str:
            return str(np.datetime64(int(time), "s").astype("datetime64[D]")) if dated else number(time)

        header = ("from", "to", "rows", "predicted", "observed", "95% interval", "within")
        lines = (
            (
                moment(p.begin, p.dated),
                moment(p.end, p.dated),
                f"{p.rows:,}",
                number(p.predicted),
                number(p.observed),
                between(p.low, p.high),
                "yes" if p.holds else "no",
            )
            for p in self.periods
        )
        return header, *lines

    def to_json(self) -> dict[str, Json]:
        return dict(plain(self))

    def __str__(self) -> str:
        head = f"calibration of {self.what}, {self.n:,} rows"
        told = [head, *aligned(self.rows())]
        return "\n".join([*told, "", *aligned(self.period_rows())] if self.periods else told)


def calibration_report(
    targets: Array,
    probabilities: Array,
    weight: Array | None = None,
    *,
    time: Array | None = None,
    what: str = "class 1",
    dated: bool = True,
    periods: int = 8,
    seed: int = 0,
) -> CalibrationReport:
    """Judge probabilities of ``N`` rows.

    Parameters
    ----------
    targets
        Class indices ``N``.
    probabilities
        float64 ``N`` (of class 1) or ``N x C``.
    weight
        ``N`` weights, >= 0.
    time
        float64 ``N``, seconds since 1970 (or, not `dated`, any numbers): the moment of each row.
    what
        What to call the judged class, of two.
    periods
        How many stretches of about equally many rows to judge over time.
    seed
        Of the simulated floor.

    Raises
    ------
    InputError
        If there are no rows, lengths differ, or something is not finite.
    """
    found, error = reliability(targets, probabilities, weight), ece(targets, probabilities, weight)
    probabilities = finite(probabilities, len(targets))
    weight = as_weight(weight, len(targets))
    p, true = judged(np.asarray(targets, np.int64), probabilities)
    share = float(weight @ true / weight.sum())
    low, high = wilson(np.asarray(share), np.asarray(_effective(weight)))
    return CalibrationReport(
        n=len(p),
        what=what if probabilities.ndim == 1 else "top label",
        ece=float(error),
        floor=ece_floor(p, weight, seed=seed),
        log_loss=float(log_loss(targets, probabilities, weight)),
        brier=float(brier(targets, probabilities, weight)),
        predicted=float(weight @ p / weight.sum()),
        observed=Span(share, float(low), float(high)),
        cox=cox(true, p, weight),
        hosmer_lemeshow=hosmer_lemeshow(true, p, weight),
        curve=found,
        periods=() if time is None else calibration_in_time(true, p, time, weight, periods, dated),
    )


def ece_floor(probabilities: Array, weight: Array | None = None, *, bins: int = 10, seed: int = 0) -> Floor:
    """What ECE a model shows by chance whose probabilities are exactly right: outcomes are drawn from them.

    ECE adds up absolute gaps, so it is above 0 for a perfect model, the more so the fewer the rows (Broecker and Smith,
    Weather and Forecasting 2007; Vaicenavicius et al., AISTATS 2019).

    Parameters
    ----------
    probabilities
        float64 ``N``, as judged.
    """
    p = finite(probabilities, len(probabilities), "probabilities")
    weight = as_weight(weight, len(p))
    which = equal_mass(p, bins)
    order = np.argsort(which, kind="stable")
    starts = np.flatnonzero(np.diff(which[order], prepend=-1))
    p, weight = p[order], weight[order]
    rng = np.random.default_rng([seed, 0xECE])
    draws = int(np.clip(WORK // len(p), FEWEST, DRAWS))
    found = []
    for _ in range(draws):
        gap = np.add.reduceat(weight * ((rng.random(len(p)) < p) - p), starts)
        found.append(np.abs(gap).sum() / weight.sum())
    return Floor(float(np.mean(found)), float(np.quantile(found, 0.95)))


def cox(true: Array, probabilities: Array, weight: Array | None = None) -> Cox:
    """Calibration in the large, intercept and slope (Cox, Biometrika 1958), with 95% intervals that allow for weights.

    NaN where the outcomes are all alike, or no finite line fits best.

    Parameters
    ----------
    true
        bool ``N``: whether it came true.
    probabilities
        float64 ``N``, as judged.
    """
    p = np.clip(finite(probabilities, len(true)), np.exp(-FARTHEST), 1 - np.finfo(np.float64).eps)
    weight = as_weight(weight, len(p))
    odds = np.log(p) - np.log1p(-p)
    y = np.asarray(true, np.float64)
    ones = np.ones((len(p), 1))
    (constant,) = _line(ones, odds, y, weight)
    intercept, slope = _line(np.column_stack([ones, odds]), np.zeros(len(p)), y, weight)
    return Cox(constant, intercept, slope)


def _line(terms: Array, offset: Array, y: Array, weight: Array) -> tuple[Span, ...]:
    """Logistic coefficients by Newton's method, their errors by the sandwich formula (White, Econometrica 1982)."""
    lost = tuple(Span(float("nan")) for _ in range(terms.shape[1]))
    if y.min() == y.max() or np.linalg.matrix_rank(terms) < terms.shape[1]:
        return lost
    found = np.zeros(terms.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(offset + terms @ found, -FARTHEST, FARTHEST)))
        slopes = (terms * (weight * chance * (1 - chance))[:, None]).T @ terms
        if np.linalg.cond(slopes) > 1e12:
            return lost
        step = np.linalg.solve(slopes, terms.T @ (weight * (y - chance)))
        found += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    else:
        return lost
    bread = np.linalg.inv(slopes)
    rows = terms * (weight * (y - chance))[:, None]
    error = np.sqrt(np.diag(bread @ (rows.T @ rows) @ bread))
    return tuple(Span(float(v), float(v - Z95 * e), float(v + Z95 * e)) for v, e in zip(found, error, strict=True))


def hosmer_lemeshow(
    true: Array, probabilities: Array, weight: Array | None = None, *, bins: int = 10, by: Array | None = None
) -> HosmerLemeshow:
    """Gaps of the bins in units of their chance error, squared and added up (Hosmer and Lemeshow 1980).

    For rows that the model was not fitted on: as many degrees of freedom as bins. With weights, Kish's effective count.

    Parameters
    ----------
    by
        ``N`` labels (grades, say): bins of these instead of about equally many rows.
    """
    from scipy.special import chdtrc

    p = finite(probabilities, len(true))
    weight = as_weight(weight, len(p))
    _, code = np.unique(equal_mass(p, bins) if by is None else by, return_inverse=True)
    mass = np.bincount(code, weight)
    predicted = ratio(np.bincount(code, weight * p), mass)
    observed = ratio(np.bincount(code, weight * true), mass)
    rows = ratio(mass**2, np.bincount(code, weight**2))
    terms = ratio(rows * (observed - predicted) ** 2, predicted * (1 - predicted))
    terms = terms[~np.isnan(terms)]
    statistic = float(terms.sum())
    return HosmerLemeshow(statistic, len(terms), float(chdtrc(max(len(terms), 1), statistic)))


def calibration_in_time(
    true: Array,
    probabilities: Array,
    time: Array,
    weight: Array | None = None,
    periods: int = 8,
    dated: bool = True,
) -> tuple[Period, ...]:
    """Predicted beside observed in stretches of about equally many rows; equal times stay together."""
    p, time = finite(probabilities, len(true)), np.asarray(time, np.float64)
    weight = as_weight(weight, len(p)) * np.isfinite(time)
    known = np.flatnonzero(weight)
    if not len(known):
        return ()
    span = equal_mass(time[known], periods)
    made = []
    for each in np.unique(span):
        rows = known[span == each]
        mass = weight[rows].sum()
        share = float(weight[rows] @ np.asarray(true)[rows] / mass)
        low, high = wilson(np.asarray(share), np.asarray(_effective(weight[rows])))
        predicted = float(weight[rows] @ p[rows] / mass)
        ends = float(time[rows].min()), float(time[rows].max())
        made.append(Period(*ends, len(rows), predicted, share, float(low), float(high), dated))
    return tuple(made)


def _effective(weight: Array) -> float:
    """How many rows of equal weight would tell as much (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight @ weight))


def _span(span: Span) -> tuple[str, str]:
    return number(span.value), between(span.low, span.high)
