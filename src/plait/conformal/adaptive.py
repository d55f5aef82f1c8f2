"""Intervals of a stream that keep their coverage while the world moves: they learn from every truth delivered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from plait.conformal.quantile import check_coverage, conformal_quantile
from plait.contracts import Array, Json
from plait.errors import ArtifactError, ConfigError, DataError, unknown

__all__ = ["ADAPTIVE_METHODS", "Adaptive"]

ADAPTIVE_METHODS = ("aci", "pid")
RATES = {"aci": 0.005, "pid": 0.1}
KEPT = 99  # scores kept of each delivery, evenly spaced by size: the state stays small however wide the panel
SATURATION = 5.0  # the paper's C_sat: the larger, the later the integral part takes hold
STEEPEST = 0.999 * np.pi / 2

Floats = npt.NDArray[np.float64]


@dataclass
class Asked:
    """A prediction whose truth is not known yet."""

    predicted: Floats
    scale: Floats
    radius: float


class Adaptive:
    """Intervals ``prediction +- radius * scale`` whose radius follows how often the truth was missed.

    Call `interval` when predicting and `deliver` when the truth is known, however much later; times name what is
    delivered. A panel of many series is one prediction of many values a time: its mean miss counts.

    Parameters
    ----------
    coverage
        The share of intervals that are to hold the truth in the long run, whatever the data do.
    method
        ``"aci"``: adaptive conformal inference (Gibbs and Candes, NeurIPS 2021): the level asked of the quantile of
        recent scores moves by `rate` times the miss. An interval is infinite where the level leaves 0..1. ``"pid"``:
        conformal PID control without scorecasting (Angelopoulos, Candes and Tibshirani, NeurIPS 2023): the radius
        itself moves by `rate` times the largest recent score times the miss, and an integral part takes hold where
        misses pile up; always finite.
    rate
        How fast it follows; None: .005 for ``"aci"``, .1 for ``"pid"``.
    window
        Deliveries that count as recent.
    """

    def __init__(
        self, coverage: float = 0.9, *, method: str = "pid", rate: float | None = None, window: int = 250
    ) -> None:
        if method not in ADAPTIVE_METHODS:
            raise unknown("adaptive method", method, ADAPTIVE_METHODS)
        if rate is not None and not 0 < rate < np.inf:
            raise ConfigError(f"rate={rate!r} is out of range (allowed: above 0)")
        if window < 1:
            raise ConfigError(f"window={window!r} is out of range (allowed: 1 or more)")
        self.coverage = check_coverage(coverage)
        self.method = method
        self.rate = RATES[method] if rate is None else float(rate)
        self.window = int(window)
        self.delivered = 0
        self._missed = 0.0  # sum over deliveries of the share missed, less the share that may be
        self._level = self.coverage
        self._tracked = 0.0
        self._recent: deque[Floats] = deque(maxlen=self.window)
        self._open: dict[float, Asked] = {}

    def warm(self, residuals: Array, scale: Array | float = 1.0) -> Self:
        """Begin from residuals (true less predicted, ``N``, oldest first) of rows that the model was not fitted on.

        Without them the first intervals are infinite (``"aci"``) or of no width (``"pid"``).
        """
        scores = np.abs(np.asarray(residuals, np.float64)) / scale
        if not len(scores) or not np.isfinite(scores).all():
            raise DataError("warm needs residuals, all finite, and scales above 0")
        for part in np.array_split(scores, min(self.window, len(scores))):
            self._recent.append(_kept(part))
        radius = conformal_quantile(scores, self.coverage)
        self._tracked = radius if np.isfinite(radius) else float(scores.max())
        return self

    @property
    def radius(self) -> float:
        """Half the width of the next interval, in scales."""
        if self.method == "pid":
            return max(self._tracked + self._integral(), 0.0)
        if not 0 < self._level < 1:
            return np.inf if self._level >= 1 else 0.0
        return conformal_quantile(self._scores(), self._level)

    @property
    def waiting(self) -> tuple[float, ...]:
        """Times whose truth is not known yet."""
        return tuple(self._open)

    def interval(self, prediction: Array | float, time: float, scale: Array | float = 1.0) -> Floats:
        """Low and high ends around predictions made at `time`: float64 ``N x 2`` (a single prediction: ``1 x 2``).

        Parameters
        ----------
        prediction
            ``N`` values, or one.
        time
            A number (seconds since 1970), by which the truth will be delivered.
        scale
            What residuals are measured in (a volatility, say), above 0: one, or ``N``.

        Raises
        ------
        DataError
            If the time was asked for already, or something is not finite.
        """
        predicted = np.atleast_1d(np.asarray(prediction, np.float64))
        scales = np.broadcast_to(np.asarray(scale, np.float64), predicted.shape)
        if float(time) in self._open:
            raise DataError(f"time {time} was asked for already and is not delivered; give each prediction its own")
        if not (np.isfinite(predicted).all() and np.isfinite(scales).all() and (scales > 0).all()):
            raise DataError(f"predictions at time {time} must be finite and their scales above 0")
        radius = self.radius
        self._open[float(time)] = Asked(predicted, scales, radius)
        return np.stack([predicted - radius * scales, predicted + radius * scales], axis=1)

    def deliver(self, time: float, truth: Array | float) -> float:
        """Learn the truth of what was predicted at `time`; the share of it that was missed.

        Truths that never become known are NaN; where all of them are, nothing is learned and the answer is NaN.

        Raises
        ------
        DataError
            If nothing was predicted at that time, or there are more or fewer truths than predictions.
        """
        asked = self._open.get(float(time))
        if asked is None:
            raise DataError(f"nothing waits for the truth of time {time}; call interval first, and deliver once")
        true = np.atleast_1d(np.asarray(truth, np.float64))
        if true.shape != asked.predicted.shape:
            raise DataError(f"{len(true)} truths for {len(asked.predicted)} predictions at time {time}")
        del self._open[float(time)]
        scores = np.abs(true - asked.predicted) / asked.scale
        scores = scores[~np.isnan(scores)]
        if not len(scores):
            return float("nan")
        missed = float((scores > asked.radius).mean())
        self._learn(scores, missed - (1 - self.coverage))
        return missed

    def _learn(self, scores: Floats, excess: float) -> None:
        self._recent.append(_kept(scores))
        self.delivered += 1
        self._missed += excess
        self._level += self.rate * excess
        self._tracked += self.rate * self._largest() * excess

    def _integral(self) -> float:
        """The integral part, with the paper's tangent: it grows without bound as misses pile up beyond their share."""
        if not self.delivered:
            return 0.0
        angle = self._missed * np.log(self.delivered + 1) / (SATURATION * (self.delivered + 1))
        return float(np.tan(np.clip(angle, -STEEPEST, STEEPEST)) * self._largest())

    def _largest(self) -> float:
        return max(float(part[-1]) for part in self._recent)  # they are sorted

    def _scores(self) -> Floats:
        return np.concatenate(list(self._recent)) if self._recent else np.empty(0)

    def to_json(self) -> dict[str, Json]:
        """Everything, as JSON: another process goes on where this one stopped."""
        return {
            "version": 1,
            "coverage": self.coverage,
            "method": self.method,
            "rate": self.rate,
            "window": self.window,
            "delivered": self.delivered,
            "missed": self._missed,
            "level": self._level,
            "tracked": self._tracked,
            "recent": [part.tolist() for part in self._recent],
            "open": [
                {
                    "time": time,
                    "predicted": asked.predicted.tolist(),
                    "scale": asked.scale.tolist(),
                    "radius": asked.radius if np.isfinite(asked.radius) else None,
                }
                for time, asked in self._open.items()
            ],
        }

    @classmethod
    def from_json(cls, saved: Json) -> Self:
        """The stream that `to_json` wrote.

        Raises
        ------
        ArtifactError
            If it cannot be read.
        """
        try:
            made = cls(saved["coverage"], method=saved["method"], rate=saved["rate"], window=saved["window"])
            made.delivered = int(saved["delivered"])
            made._missed, made._level, made._tracked = (float(saved[k]) for k in ("missed", "level", "tracked"))
            made._recent.extend(_floats(part) for part in saved["recent"])
            for each in saved["open"]:
                radius = np.inf if each["radius"] is None else float(each["radius"])
                made._open[float(each["time"])] = Asked(_floats(each["predicted"]), _floats(each["scale"]), radius)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"the saved stream cannot be read ({type(error).__name__}: {error})") from None
        return made


def _kept(scores: Floats) -> Floats:
    """The scores, or as many as are kept of them, evenly spaced by size and the largest among them."""
    if len(scores) <= KEPT:
        return np.sort(scores)
    return np.sort(scores)[np.linspace(0, len(scores) - 1, KEPT).round().astype(np.int64)]


def _floats(values: Any) -> Floats:
    return np.asarray(values, np.float64).reshape(-1)
