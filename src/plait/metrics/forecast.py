"""How good are forecasts of a series, and are they better than none: than the last value, or the last season's.

Targets and predictions are float64 ``N``; weights are ``N``, or ``R x N`` for many resamples at once (see
`plait.metrics.weights`). Errors of one series hang together in time: `diebold_mariano` is made for that, and a
bootstrap should draw blocks (`groups` of `plait.metrics.intervals.bootstrap`, say months).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.errors import ConfigError, InputError
from plait.metrics.weights import as_weight, defined, finite, mean, ratio

__all__ = [
    "DieboldMariano",
    "diebold_mariano",
    "directional_accuracy",
    "mase",
    "naive_scale",
    "seasonal_naive",
    "skill",
    "smape",
]


class DieboldMariano(NamedTuple):
    """Mean difference of the losses (first minus second), its statistic, and the two-sided p-value (NaN: undefined)."""

    difference: float
    statistic: float
    p: float


def seasonal_naive(history: Array, steps: int, season: int = 1) -> npt.NDArray[np.float64]:
    """Forecast of `steps` values by repeating the last season of a series (``season=1``: its last value).

    Raises
    ------
    ConfigError
        If `steps` or `season` is below 1.
    InputError
        If the history is shorter than a season, or not finite.
    """
    if steps < 1 or season < 1:
        raise ConfigError(f"steps={steps} and season={season} must be 1 or more")
    history = finite(history, len(history), "the history")
    if len(history) < season:
        raise InputError(f"the history has {len(history)} values; a season of {season} needs as many")
    return np.resize(history[-season:], steps)


def naive_scale(history: Array, season: int = 1) -> float:
    """Mean absolute error of the (seasonal) naive forecast within the history: the scale of `mase`.

    Raises
    ------
    InputError
        If the history is not longer than a season, is not finite, or never changes from season to season.
    """
    history = finite(history, len(history), "the history")
    if season < 1 or len(history) <= season:
        raise InputError(f"the history has {len(history)} values; it needs more than a season of {season}")
    scale = float(np.abs(history[season:] - history[:-season]).mean())
    if scale == 0:
        raise InputError("the history repeats itself exactly, so that errors cannot be scaled by its changes")
    return scale


def mase(targets: Array, predicted: Array, scale: float | Array, weight: Array | None = None) -> Array:
    """Mean absolute scaled error: 1 = as large as the naive forecast's on the history; no unit.

    Source: Hyndman and Koehler 2006, "Another look at measures of forecast accuracy".

    Parameters
    ----------
    scale
        `naive_scale` of the history: one number, or one for each row where rows are of several series.
    """
    targets, predicted, weight = _checked(targets, predicted, weight)
    scale = np.asarray(scale, np.float64)
    if scale.shape not in ((), targets.shape) or not (np.isfinite(scale) & (scale > 0)).all():
        raise InputError("scale must be one number above 0, or one for each row; see naive_scale")
    return mean(np.abs(targets - predicted) / scale, weight)


def smape(targets: Array, predicted: Array, weight: Array | None = None) -> Array:
    """Symmetric mean absolute percentage error, 0..2: twice |y - f| / (|y| + |f|), 0 where both are 0.

    It charges a forecast that is too low more than one that is too high by as much; kept because it is asked for.
    Source: Makridakis 1993.
    """
    targets, predicted, weight = _checked(targets, predicted, weight)
    size = np.abs(targets) + np.abs(predicted)
    return mean(np.nan_to_num(ratio(2 * np.abs(targets - predicted), size)), weight)


def skill(targets: Array, predicted: Array, naive: Array, weight: Array | None = None) -> Array:
    """Share of the naive forecast's squared error that is gone: 1 = perfect, 0 = no better, below 0 = worse.

    Source: Murphy 1988, "Skill scores based on the mean square error".

    Raises
    ------
    InputError
        If the naive forecast is perfect.
    """
    targets, predicted, weight = _checked(targets, predicted, weight)
    naive = finite(naive, len(targets), "naive predictions")
    value = 1 - ratio(mean((targets - predicted) ** 2, weight), mean((targets - naive) ** 2, weight))
    return defined(value, "skill is undefined: the naive forecast has no error to take away")


def directional_accuracy(targets: Array, predicted: Array, last: Array, weight: Array | None = None) -> Array:
    """Share of rows that moved from `last` in the predicted direction; rows that did not move are left out.

    A predicted standstill counts one half. A coin reaches .5, always guessing the commoner direction more than that.

    Raises
    ------
    InputError
        If no row moved.
    """
    targets, predicted, weight = _checked(targets, predicted, weight)
    last = finite(last, len(targets), "last values")
    moved, told = np.sign(targets - last), np.sign(predicted - last)
    value = ratio(weight @ ((moved != 0) * (1 + moved * told) / 2), weight @ (moved != 0))
    return defined(value, "the direction is undefined: no target differs from the value before it")


def diebold_mariano(first: Array, second: Array, horizon: int = 1) -> DieboldMariano:
    """Are two forecasts of one series equally good? A test of the mean difference of their losses.

    Errors of forecasts `horizon` steps ahead overlap: the variance counts autocovariances up to ``horizon - 1``, with
    Bartlett's weights where it would not be positive without them. Small samples are corrected, and Student's t is
    used. Sources: Diebold and Mariano 1995; Harvey, Leybourne and Newbold 1997.

    Parameters
    ----------
    first, second
        Losses (squared errors, say) of the same ``N`` moments in their order.

    Raises
    ------
    InputError
        If lengths differ, a loss is not finite, or there are not more than `horizon` and at least 2.
    ConfigError
        If `horizon` is below 1.
    """
    from scipy.stats import t

    if horizon < 1:
        raise ConfigError(f"horizon={horizon} is out of range; a forecast is 1 or more steps ahead")
    first = finite(first, len(first), "losses of the first forecast")
    second = finite(second, len(first), "losses of the second forecast")
    count = len(first)
    if count < max(2, horizon + 1):
        raise InputError(f"there are {count} losses; {horizon} step(s) ahead need at least {max(2, horizon + 1)}")
    apart = first - second
    centred = apart - apart.mean()
    covariance = np.array([centred[lag:] @ centred[: count - lag] for lag in range(horizon)]) / count
    variance = covariance[0] + 2 * covariance[1:].sum()
    if variance <= 0:
        variance = covariance[0] + 2 * covariance[1:] @ (1 - np.arange(1, horizon) / horizon)
    if variance <= 1e-300:
        return DieboldMariano(float(apart.mean()), float("nan"), float("nan"))
    small = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    statistic = float(apart.mean() / np.sqrt(variance / count) * np.sqrt(max(small, 0)))
    return DieboldMariano(float(apart.mean()), statistic, float(2 * t.sf(abs(statistic), count - 1)))


def _checked(targets: Array, predicted: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    targets = finite(targets, len(targets), "targets")
    return targets, finite(predicted, len(targets), "predictions"), as_weight(weight, len(targets))
