"""Made rows of numbers, categories and a note, with effects drawn anew by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mixed"]

SYLLABLES = tuple(consonant + vowel for consonant in "bdgkmrst" for vowel in "aio")


def mixed(n: int = 5000, seed: int = 0) -> pd.DataFrame:
    """Make rows of ten numbers, five categories of 3 to 200 levels and a text of 30 words, with a binary outcome.

    Parameters
    ----------
    n
        Rows, in no order.
    seed
        Same seed, same frame; effects of levels and words are drawn anew with each seed.

    Returns
    -------
    DataFrame with ``number0`` to ``number9`` (standard normal), ``category0`` to ``category4`` (3, 10, 30, 80 and 200
    levels, the frequency of the k-th level proportional to 1 / k), ``note`` (30 words out of 800, likewise), and
    ``outcome`` (0 or 1, about half).

    Notes
    -----
    Log-odds: .5 number0 - .4 number1 + .8 number2 number3 (the one interaction; the other numbers are noise), plus an
    effect of every level (normal, spread .35), plus an effect of one word in four (normal, spread .5; the sum over the
    note, centred).
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 10])
    numbers = rng.normal(size=(n, 10))
    odds = 0.5 * numbers[:, 0] - 0.4 * numbers[:, 1] + 0.8 * numbers[:, 2] * numbers[:, 3]
    frame = pd.DataFrame(numbers, columns=[f"number{i}" for i in range(10)])
    for i, levels in enumerate((3, 10, 30, 80, 200)):
        code = rng.choice(levels, n, p=_harmonic(levels))
        odds += rng.normal(0.0, 0.35, levels)[code]
        frame[f"category{i}"] = np.array([f"level{k}" for k in range(levels)], object)[code]
    words = np.array([a + b + c for a in SYLLABLES for b in SYLLABLES for c in ("", "n")][:800], object)
    spoken = rng.choice(len(words), (n, 30), p=_harmonic(len(words)))
    effect = rng.normal(0.0, 0.5, len(words)) * (rng.random(len(words)) < 0.25)
    odds += (effect[spoken] - effect @ _harmonic(len(words))).sum(axis=1)
    frame["note"] = [" ".join(row) for row in words[spoken]]
    frame["outcome"] = (rng.random(n) < 1.0 / (1.0 + np.exp(-odds))).astype(np.int64)
    return frame


def _harmonic(levels: int) -> npt.NDArray[np.float64]:
    share: npt.NDArray[np.float64] = 1.0 / np.arange(1, levels + 1)
    share /= share.sum()
    return share
