"""What a series is like, in numbers: level, trend, volatility, memory, falls, seasonality.

Every function works on many series of one length at once (``M x T``, contiguous in time), and no number of one series
depends on its neighbours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NAMES", "summarise"]

Series2D = npt.NDArray[np.float64]

# In order of importance: where a source has too many channels for all of them, the first are kept.
NAMES = (
    "last",  # level now, and over the whole length
    "mean",
    "std",
    "slope",  # least squares, per step, or per unit of time where steps are timed
    "change",  # mean of the recent half minus mean of the early half
    "volatility",  # standard deviation of the differences
    "last_score",  # (last - mean) / std
    "min",
    "max",
    "fall",  # largest fall from a running peak, in the values' units; and the fall that the series ends in
    "fall_at_end",
    "autocorrelation_1",
    "autocorrelation_2",
    "drawdown",  # the same falls as a share of the peak, where all values are positive
    "drawdown_at_end",
    "growth",  # mean and standard deviation of the log-returns, where all values are positive
    "return_volatility",
    "jump",  # largest single step, signed, and where it stands (0 start, 1 end)
    "jump_position",
    "season_strength",  # share of the strongest frequency in the power of the detrended series, and its period in steps
    "season_period",
    "spectral_entropy",  # 0 one pure cycle, 1 noise
    "zeros",  # shares of steps
    "negatives",
)


def summarise(x: Series2D, time: Series2D | None = None) -> npt.NDArray[np.float64]:
    """Summarise series of one length.

    Parameters
    ----------
    x
        float64 ``M x T``, finite, ``T >= 1``.
    time
        float64 ``M x T``, never decreasing; None for regular steps 0, 1, ...

    Returns
    -------
    float64 ``M x len(NAMES)``: NaN only where a summary is not defined (log-returns and drawdown shares of values that
    are not all positive). A constant or one-step series has no trend, volatility, memory or season: zeros there.
    """
    m, steps = x.shape
    low, high = x.min(axis=1), x.max(axis=1)
    flat = low == high
    mean = np.where(flat, x[:, 0], x.mean(axis=1))
    centred = x - mean[:, None]
    energy = (centred * centred).sum(axis=1)
    std = np.sqrt(energy / steps)
    safe = np.where(flat, 1.0, std)
    regular = np.arange(float(steps))[None]
    # From the first step on: steps of one moment are exactly zero apart, whatever the calendar's offset.
    clock = regular if time is None else time - time[:, :1]
    clock = clock - clock.mean(axis=1, keepdims=True)
    slope = _ratio((clock * centred).sum(axis=1), (clock * clock).sum(axis=1))
    half = max(steps // 2, 1)
    change = x[:, steps - half :].mean(axis=1) - x[:, :half].mean(axis=1)
    step = np.diff(x, axis=1) if steps > 1 else np.zeros((m, 1))
    widest = np.abs(step).argmax(axis=1)
    jump = step[np.arange(m), widest]
    position = np.where(jump != 0, (widest + 1) / max(steps - 1, 1), 0.0)
    peak = np.maximum.accumulate(x, axis=1)
    fall = peak - x
    memory = [_ratio((centred[:, lag:] * centred[:, :-lag]).sum(axis=1), energy) for lag in (1, 2)]
    columns = [
        *(x[:, -1], mean, std, slope, change, step.std(axis=1), (x[:, -1] - mean) / safe, low, high),
        *(fall.max(axis=1), fall[:, -1], *memory, *_relative(x, peak, low > 0), jump, position),
        *_spectrum(centred, regular, energy),
        *((x == 0).mean(axis=1), (x < 0).mean(axis=1)),
    ]
    return np.stack(columns, axis=1)


def _ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Quotients, 0 where nothing varies."""
    return np.divide(above, below, out=np.zeros(np.broadcast_shapes(above.shape, below.shape)), where=below > 0)


def _relative(x: Series2D, peak: Series2D, positive: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    """Drawdowns, and mean and volatility of log-returns: NaN where values are not all positive."""
    out = np.full((4, len(x)), np.nan)
    if positive.any():
        inside, top = x[positive], peak[positive]
        drawdown = 1.0 - inside / top
        returns = np.diff(np.log(inside), axis=1)
        returns = returns if returns.shape[1] else np.zeros((len(inside), 1))
        out[:, positive] = drawdown.max(axis=1), drawdown[:, -1], returns.mean(axis=1), returns.std(axis=1)
    return list(out)


def _spectrum(
    centred: Series2D, clock: Series2D, energy: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Strength and period of the strongest frequency, and entropy of the periodogram, all of the detrended series."""
    m, steps = centred.shape
    if steps < 4:
        return np.zeros(m), np.zeros(m), np.ones(m)
    clock = clock - clock.mean()
    slope = (clock * centred).sum(axis=1) / (clock * clock).sum()
    power = np.abs(np.fft.rfft(centred - slope[:, None] * clock, axis=1)[:, 1:]) ** 2
    total = power.sum(axis=1)
    # What a straight line leaves behind is rounding, not a season.
    moving = total > 1e-10 * steps * energy
    share = power / np.where(moving, total, 1.0)[:, None]
    strongest = share.argmax(axis=1)
    bits = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1) / np.log(max(power.shape[1], 2))
    strength = np.where(moving, share[np.arange(m), strongest], 0.0)
    return strength, np.where(moving, steps / (strongest + 1), 0.0), np.where(moving, bits, 1.0)
