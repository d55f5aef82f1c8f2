"""Made films in which one moment, among others, tells the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.data.samples.planted_outcome import beside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["moment"]

SIDE, FRAMES, RATE = 32, 50, 25
EVENT = 6  # frames that an event lasts
SLOTS = np.arange(2, FRAMES - EVENT - 1, 2 * EVENT)


def moment(n: int, seed: int) -> tuple[pd.DataFrame, None, pd.Series]:
    """Films of two seconds, uint8 arrays of 50 frames of 32 x 32 pixels; ``film`` holds the evidence, a flash, in half
    of the rows.

    A box moves over a plain ground under noise. Two events of a quarter of a second each happen apart from each other:
    the light goes dim, the camera jolts, or there is a flash. The truth is when the flash begins and ends, in seconds.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 67])
    there = rng.random(n) < 0.5
    films, truth = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        films[row], begin = _film(rng, bool(there[row]))
        truth[row] = (begin / RATE, (begin + EVENT) / RATE) if there[row] else None
    return beside(films, there, "film", seed), None, pd.Series(truth, name="film", dtype=object)


def _film(rng: np.random.Generator, told: bool) -> tuple[npt.NDArray[np.uint8], int]:
    """A film, and the frame at which the first of its events begins, which is a flash where something is to be told."""
    ground, thing = rng.uniform(60, 140), rng.uniform(0, 200, 3)
    frames = np.full((FRAMES, SIDE, SIDE, 3), ground)
    place, pace = rng.uniform(4, SIDE - 12, 2), rng.uniform(-0.2, 0.2, 2)
    for t in range(FRAMES):
        left, top = np.clip(place + pace * t, 0, SIDE - 8).astype(int)
        frames[t, top : top + 8, left : left + 8] = thing
    begins = (rng.choice(SLOTS, 2, replace=False) + rng.integers(0, EVENT, 2)).tolist()
    for k, begin in enumerate(begins):
        shown = frames[begin : begin + EVENT]
        if told and k == 0:
            shown += 80
        elif rng.random() < 0.5:
            shown -= 50
        else:
            shown[::2] = np.roll(shown[::2], 2, axis=1)
    return np.clip(frames + rng.normal(0, 3, frames.shape), 0, 255).astype(np.uint8), int(begins[0])
