"""Scorecard and evidence as one score: how far, and at most how far, the evidence moves what the scorecard says.

With ``s`` and ``m`` the log-odds of default by the scorecard and by the model of all evidence::

    s' = slope_s s + level_s                        each side calibrated (Platt, 1999)
    m' = slope_m m + level_m
    log-odds = s' + clip(gamma (m' - s'), -cap, +cap)

`gamma` in 0..1 reads as how far the score goes from the scorecard to the evidence: 0 is the scorecard alone, 1 the
evidence alone, and in between the two are pooled on the logarithmic scale (Genest and Zidek, Statistical Science 1986).
The cap holds whatever the evidence says. The score rises with either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from plait.classical.score_curves import FLATTEST, logistic, smoothed
from plait.contracts import Array, Json
from plait.errors import ConfigError, DataError, unknown
from plait.metrics.weights import as_weight, finite

if TYPE_CHECKING:
    from plait.desks.credit.scorecard.points import Points

__all__ = ["Blend", "BlendSettings", "Line", "Moved", "fit_blend"]

Floats = npt.NDArray[np.float64]
STEPS = 100  # gamma is a whole number of hundredths: what the rows cannot tell is not written down


class Line(NamedTuple):
    """Log-odds to calibrated log-odds."""

    slope: float = 1.0
    level: float = 0.0

    def __call__(self, log_odds: Array) -> Floats:
        return np.asarray(self.slope * log_odds + self.level)


class Moved(NamedTuple):
    """Where rows end up: float64 ``N`` log-odds, what was added to the scorecard's, and bool ``N`` where capped."""

    log_odds: Floats
    adjustment: Floats
    capped: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BlendSettings:
    """The section ``blend`` of a configuration.

    Parameters
    ----------
    cap
        Points by which evidence may move a score at most, either way; 0: not at all.
    holdout
        Share of the rows, the latest where rows have a time, on which the blend is fitted; above 0, at most one half.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    cap: float = 40.0
    holdout: float = 0.2

    def __post_init__(self) -> None:
        _check_cap(self.cap)
        if not _number(self.holdout) or not 0 < self.holdout <= 0.5:
            raise ConfigError(f"blend: holdout={self.holdout!r} is out of range (allowed: above 0 to 0.5)")

    @classmethod
    def of(cls, mapping: Mapping[str, Json]) -> Self:
        """From a mapping as it stands in a file; unknown names are refused."""
        known = ("cap", "holdout")
        for name in mapping:
            if name not in known:
                raise unknown("setting of blend", name, known)
        return cls(**mapping)


@dataclass(frozen=True)
class Blend:
    """A scorecard's log-odds, moved by those of a model of all evidence.

    Parameters
    ----------
    gamma
        How far from the scorecard to the evidence, 0..1.
    card, evidence
        The lines that calibrate each side.
    cap
        Points by which evidence moves a score at most.
    factor
        Points that one unit of log-odds is worth (``pdo / ln 2``), above 0.
    """

    gamma: float
    card: Line
    evidence: Line
    cap: float
    factor: float

    def log_odds(self, scorecard_log_odds: Array, evidence_log_odds: Array) -> Moved:
        """Log-odds of default of rows, what was added to the scorecard's, and where the cap held.

        ``log_odds == scorecard_log_odds + adjustment``. The adjustment is `calibration`, a change of scale that no
        evidence has a part in, and `movement` within ``+-cap`` points.

        Parameters
        ----------
        scorecard_log_odds, evidence_log_odds
            float64 ``N``.

        Raises
        ------
        InputError
            If lengths differ, or a value is not finite.
        """
        card, movement = self._sides(scorecard_log_odds, evidence_log_odds)
        limit = self.cap / self.factor
        adjustment = self.calibration(card) + np.clip(movement, -limit, limit)
        return Moved(card + adjustment, adjustment, np.abs(movement) > limit)

    def calibration(self, scorecard_log_odds: Array) -> Floats:
        """What calibrating the scorecard adds to its log-odds: float64 ``N``."""
        card = np.asarray(scorecard_log_odds, np.float64)
        return self.card(card) - card

    def movement(self, scorecard_log_odds: Array, evidence_log_odds: Array) -> Floats:
        """What the evidence would add to the calibrated scorecard if there were no cap: float64 ``N`` log-odds."""
        return self._sides(scorecard_log_odds, evidence_log_odds)[1]

    def _sides(self, scorecard_log_odds: Array, evidence_log_odds: Array) -> tuple[Floats, Floats]:
        card = _log_odds(scorecard_log_odds, "the scorecard", np.size(scorecard_log_odds))
        told = _log_odds(evidence_log_odds, "the evidence", len(card))
        return card, self.gamma * (self.evidence(told) - self.card(card))

    def anchored(
        self, scorecard_log_odds: Array, evidence_log_odds: Array, bad: Array, weight: Array | None = None
    ) -> Self:
        """The same blend for sides that were fitted again, on these rows among others: their levels are set anew.

        What a side adds to all rows alike changes when it is fitted on later rows too, since shares of defaults move in
        time; so the level learned for the side before would count that twice. Slopes, `gamma` and the cap stay: they
        were learned on rows that the sides had not seen, and these rows cannot tell them any more. Their mean can.

        Parameters
        ----------
        scorecard_log_odds, evidence_log_odds
            float64 ``N``, by the sides as fitted again, of the latest of their rows.
        bad
            ``N``, 1 = default, 0 = good, both among them.
        weight
            float64 ``N``, not negative.

        Raises
        ------
        InputError
            If lengths differ, or a value is not finite.
        """
        y = finite(np.asarray(bad), len(np.asarray(bad)), "outcomes")
        weight = as_weight(weight, len(y))
        share = float(np.average(y, weights=weight))
        sides = ((self.card, scorecard_log_odds, "the scorecard"), (self.evidence, evidence_log_odds, "the evidence"))
        lines = []
        for line, told, whose in sides:
            slope = Line(line.slope, 0.0)
            lines.append(Line(line.slope, _level(slope(_log_odds(told, whose, len(y))), share, weight)))
        return replace(self, card=lines[0], evidence=lines[1])

    def to_json(self) -> dict[str, Json]:
        """What `json.dumps` accepts."""
        return {
            "gamma": self.gamma,
            "card": list(self.card),
            "evidence": list(self.evidence),
            "cap": self.cap,
            "factor": self.factor,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """From what `to_json` gave."""
        lines = {name: Line(*map(float, told[name])) for name in ("card", "evidence")}
        return cls(gamma=float(told["gamma"]), cap=float(told["cap"]), factor=float(told["factor"]), **lines)

    def __str__(self) -> str:
        lines = (
            f"{line.slope:.3f} {name} {line.level:+.3f}" for name, line in (("s", self.card), ("m", self.evidence))
        )
        return (
            f"{self.gamma:.0%} of the way from the scorecard to the evidence, at most {self.cap:g} points; "
            f"log-odds s of the scorecard and m of the evidence, calibrated: {', '.join(lines)}"
        )


def fit_blend(
    scorecard_log_odds: Array,
    evidence_log_odds: Array,
    bad: Array,
    *,
    points: Points,
    weight: Array | None = None,
    cap: float = 40.0,
) -> Blend:
    """Fit a blend on rows that neither side has seen, later than those that they were fitted on.

    Both lines are Platt's, with his smoothed targets; then `gamma` is the hundredth of least log loss with the cap in
    force, the smallest of equals.

    Parameters
    ----------
    scorecard_log_odds, evidence_log_odds
        float64 ``N``: log-odds of default by either side.
    bad
        ``N``, 1 = default, 0 = good.
    points
        The scale of the scorecard.
    weight
        float64 ``N``, not negative.
    cap
        Points by which evidence may move a score at most.

    Raises
    ------
    DataError
        If rows that count have one outcome only, or another than 0 and 1.
    InputError
        If lengths differ, or a value is not finite.
    ConfigError
        If the cap is negative or not finite.
    """
    _check_cap(cap)
    y = finite(np.asarray(bad), len(np.asarray(bad)), "outcomes")
    s = _log_odds(scorecard_log_odds, "the scorecard", len(y))
    m = _log_odds(evidence_log_odds, "the evidence", len(y))
    weight = as_weight(weight, len(y))
    found = np.unique(y[weight > 0])
    if not np.isin(found, (0, 1)).all():
        raise DataError(f"the outcome is {found[~np.isin(found, (0, 1))][0]:g} in a row (allowed: 1 default, 0 good)")
    if len(found) < 2:
        raise DataError(f"all {len(y)} rows for the blend are {'bad' if found[0] else 'good'}; it needs both")
    lines = [_platt(side, y, weight) for side in (s, m)]
    blends = [Blend(step / STEPS, lines[0], lines[1], float(cap), points.factor) for step in range(STEPS + 1)]
    losses = [_loss(blend.log_odds(s, m).log_odds, y, weight) for blend in blends]
    return blends[int(np.argmin(losses))]


def _platt(log_odds: Floats, bad: Array, weight: Array) -> Line:
    terms = np.stack([log_odds, np.ones(len(log_odds))], axis=1)
    slope, level = logistic(terms, smoothed(bad == 1, weight), weight, np.array([FLATTEST, -np.inf]))
    return Line(float(slope), float(level))


def _level(log_odds: Floats, share: float, weight: Array) -> float:
    """What to add to log-odds so that their mean probability is `share`."""
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    middle = float(logit(share))
    ends = middle - float(log_odds.max()), middle - float(log_odds.min())
    if ends[0] == ends[1]:
        return ends[0]
    return float(brentq(lambda level: np.average(expit(log_odds + level), weights=weight) - share, *ends, xtol=1e-12))


def _loss(log_odds: Floats, bad: Array, weight: Array) -> float:
    return float(weight @ (np.logaddexp(0, log_odds) - bad * log_odds))


def _log_odds(values: Array, whose: str, rows: int) -> Floats:
    told = np.asarray(values, np.float64)
    return told if told.shape == (rows,) == (0,) else finite(told, rows, f"log-odds of {whose}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _check_cap(cap: object) -> None:
    if not _number(cap) or cap < 0:  # type: ignore[operator]  # a number by now
        raise ConfigError(f"blend: cap={cap!r} is out of range (allowed: 0 points or more)")
