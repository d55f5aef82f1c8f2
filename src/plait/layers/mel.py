"""Mel filters: what log-mel tokens and cepstral features share, in numpy alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["hann", "mel_bank"]


@cache
def mel_bank(rate: int, size: int, bands: int, lowest: float = 60.0, warp: float = 1.0) -> npt.NDArray[np.float32]:
    """Triangular filters evenly spaced in mel, 2595 log10(1 + f / 700) (O'Shaughnessy, 1987).

    Parameters
    ----------
    rate, size
        Samples a second, and samples of a spectrum's window.
    lowest
        Lower edge in Hz; the upper one is half the rate.
    warp
        The filters' edges lie at so many times their frequency, bent back linearly from 60% of the upper edge on
        (Jaitly & Hinton, "Vocal Tract Length Perturbation improves speech recognition", 2013, section 2).

    Returns
    -------
    float32 ``(size // 2 + 1) x bands``, read-only.
    """
    top = rate / 2
    edges = np.linspace(2595 * np.log10(1 + lowest / 700), 2595 * np.log10(1 + top / 700), bands + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    knee = 0.6 * top * min(warp, 1.0) / warp
    hertz = np.where(hertz <= knee, hertz * warp, top - (top - knee * warp) / (top - knee) * (top - hertz))
    bins = np.arange(size // 2 + 1)[:, None] * (rate / size)
    rising, falling = (bins - hertz[:-2]) / np.diff(hertz[:-1]), (hertz[2:] - bins) / np.diff(hertz[1:])
    bank = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    bank.flags.writeable = False
    return bank


@cache
def hann(size: int) -> npt.NDArray[np.float32]:
    """A Hann window, symmetric: float32, read-only."""
    window: npt.NDArray[np.float32] = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)).astype(
        np.float32
    )
    window.flags.writeable = False
    return window
