"""What a long, evenly sampled signal is like: where its power lies, and how peaked it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["NAMES", "signals"]

# Cycles a step: octaves up to Nyquist's limit, and all below in one.
EDGES = (0.0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
NAMES = (
    "dominant_frequency",  # cycles a step, or a day where steps are timed, of the strongest line of the spectrum
    *(f"band_{low:g}_{high:g}" for low, high in pairwise(EDGES)),  # shares of the power
    "spectral_centroid",  # mean frequency, weighted by power, cycles a step
    "crest_factor",  # largest deviation from the mean to the root mean square one
    "kurtosis",  # fourth standardised moment less 3: 0 for a normal distribution
    "skewness",
    "crossings",  # share of steps at which the signal passes its mean
)


def signals(x: npt.NDArray[np.float64], rate: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.float64]:
    """Summarise signals of one length.

    Parameters
    ----------
    x
        float64 ``M x T``, finite, ``T >= 1``. The mean is taken off and a Hann window (Harris, 1978) put on.
    rate
        Steps a unit of time, float64 ``M``; None counts by steps.

    Returns
    -------
    float64 ``M x len(NAMES)``, finite: zeros for a signal that does not move.
    """
    m, steps = x.shape
    centred = x - x.mean(axis=1, keepdims=True)
    moving = x.min(axis=1) < x.max(axis=1)
    std = np.where(moving, np.sqrt((centred * centred).mean(axis=1)), 1.0)
    # Squares of the smallest floats vanish: such a signal does not move either.
    moving &= std > 0
    score = np.where(moving[:, None], centred / np.where(std > 0, std, 1.0)[:, None], 0.0)
    power = np.abs(np.fft.rfft(score * np.hanning(steps + 2)[1:-1], axis=1)[:, 1:]) ** 2
    frequency = np.arange(1, power.shape[1] + 1) / steps
    total = power.sum(axis=1)
    share = power / np.where(total > 0, total, 1.0)[:, None]
    out = np.zeros((m, len(NAMES)))
    if power.shape[1]:
        strongest = frequency[share.argmax(axis=1)]
        out[:, 0] = np.where(total > 0, strongest if rate is None else strongest * rate, 0.0)
        for i, (first, last) in enumerate(pairwise(np.searchsorted(frequency, EDGES, side="right"))):
            out[:, 1 + i] = share[:, first:last].sum(axis=1)
        out[:, len(EDGES)] = (share * frequency).sum(axis=1)
    out[:, -4] = np.abs(score).max(axis=1)
    out[:, -3] = np.where(moving, (score**4).mean(axis=1) - 3.0, 0.0)
    out[:, -2] = (score**3).mean(axis=1)
    out[:, -1] = (np.signbit(score[:, 1:]) != np.signbit(score[:, :-1])).sum(axis=1) / max(steps - 1, 1)
    return out
