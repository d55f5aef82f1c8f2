"""Spans of seconds in a sound or a film, and what is heard where one is taken out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Place

__all__ = ["hushed", "inside", "spans"]

Samples = npt.NDArray[np.int16]

FIRST, LATER = 16, 4  # spans of a whole, and of a span
QUIET = 0.1  # seconds of the quietest passage, which fills gaps
FADE = 0.005  # seconds from sound to filling and back


def spans(
    kind: Literal["seconds", "frames"], seconds: float, most: int, shortest: float, within: Place | None = None
) -> tuple[Place, ...]:
    """At most `most` spans of equal length, none below `shortest` seconds; none where there is but one."""
    begin, end = (0.0, seconds) if within is None else within.where
    count = min(most, FIRST if within is None else LATER, int((end - begin) / shortest + 1e-6))
    if count < 2:
        return ()
    edges = np.linspace(begin, end, count + 1).tolist()
    digits = 1 if edges[1] - edges[0] >= 0.5 else 2
    return tuple(Place(kind, (a, b), f"{a:.{digits}f} to {b:.{digits}f} s") for a, b in pairwise(edges))


def inside(times: Array, places: Sequence[Place]) -> npt.NDArray[np.bool_]:
    """Which moments (seconds, float64 ``T``) lie in one of the spans, their ends not counted."""
    gone = np.zeros(len(times), bool)
    for place in places:
        begin, end = place.where
        gone |= (times >= begin) & (times < end)
    return gone


def hushed(samples: Samples, rate: int, gone: npt.NDArray[np.bool_]) -> Samples:
    """The sound with its quietest passage, to and fro, where `gone` (bool ``T``) is true.

    What is put there is as loud and of the same colour as the ground of the recording: silence would be an event, and
    moved models of other things more.
    """
    quiet = _quietest(samples, max(1, int(QUIET * rate)))
    filling = np.resize(np.concatenate([quiet, quiet[::-1]]), len(samples))
    share = gone.astype(np.float64)
    rise = np.arange(1, int(FADE * rate) + 1) / (int(FADE * rate) + 1)
    for first, last in np.flatnonzero(np.diff(gone, prepend=False, append=False)).reshape(-1, 2).tolist():
        edge = rise[: (last - first) // 2]
        if first > 0:
            share[first : first + len(edge)] = edge
        if last < len(samples):
            share[last - len(edge) : last] = edge[::-1]
    return np.rint(samples * (1.0 - share) + filling * share).astype(np.int16)


def _quietest(samples: Samples, length: int) -> Samples:
    """The passage of `length` samples with the least power, among those that begin every half of one."""
    power = np.concatenate([np.zeros(1), np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, max(len(samples) - length, 0) + 1, max(length // 2, 1))
    ends = np.minimum(starts + length, len(samples))
    return samples[starts[(power[ends] - power[starts]).argmin()] :][:length]
