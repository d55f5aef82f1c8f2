"""A film without some of its spans of time: what was seen and heard before them goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Place
from plait.media.film import Film
from plait.media.spans import hushed, inside

__all__ = ["Scene"]

EDGE = 1e-6  # seconds by which a frame may lie before its time


class Scene(NamedTuple):
    """A film in small, with the beginning of its sound (int16, `rate` a second)."""

    film: Film
    samples: npt.NDArray[np.int16]
    rate: int

    def without(self, places: Sequence[Place]) -> Scene | None:
        """Frames in `places` are those of the moment before (at the beginning: of the moment after), and the sound's
        quietest passage is heard; None where no frame is left."""
        length = self.film.step * (len(self.film.grey) - 1)
        frames = _held(np.linspace(0.0, length, len(self.film.frames)), places)
        grey = _held(np.arange(len(self.film.grey)) * self.film.step, places)
        if frames is None or grey is None:
            return None
        still = self.film._replace(frames=self.film.frames[frames], grey=self.film.grey[grey])
        heard = inside(np.arange(len(self.samples)) / self.rate, places)
        return Scene(still, hushed(self.samples, self.rate, heard) if heard.any() else self.samples, self.rate)


def _held(times: Array, places: Sequence[Place]) -> npt.NDArray[np.int64] | None:
    """Which of the frames is shown at each of the times; None where all are gone."""
    there = np.flatnonzero(~inside(times + EDGE, places))
    if not len(there):
        return None
    return np.asarray(there[np.maximum(np.searchsorted(there, np.arange(len(times)), side="right") - 1, 0)])
