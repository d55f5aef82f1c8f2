"""Boxes of a picture, and what is seen where one is taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plait.contracts import Place

__all__ = ["blanked", "boxes", "fillings"]

Pixels = npt.NDArray[np.uint8]

FIRST, LATER = 16, 4  # boxes of a picture, and of a box
FINEST = 16  # boxes along the longer side
ROUND = 6  # pixels around a box that tell its filling
LONG = np.log(1.6)  # a box of these proportions is as good as a square


def boxes(height: int, width: int, most: int, within: Place | None = None) -> tuple[Place, ...]:
    """A grid of at most `most` boxes, none much longer than wide, row by row; none where a box cannot be divided.

    Parameters
    ----------
    height, width
        Of the picture, in pixels.
    within
        The box that is divided, into quarters at most, instead of the whole.
    """
    left, top, right, bottom = (0, 0, width, height) if within is None else _pixels(within, height, width)
    high, wide, smallest = bottom - top, right - left, max(-(-max(height, width) // FINEST), 2)
    most = min(most, FIRST if within is None else LATER)
    grids = [
        (rows, columns)
        for rows in range(1, min(most, high // smallest) + 1)
        for columns in range(1, min(most // rows, wide // smallest) + 1)
    ]

    def merit(grid: tuple[int, int]) -> tuple[bool, int, float]:
        oblong = abs(float(np.log(high * grid[1] / (wide * grid[0]))))
        return oblong < LONG, grid[0] * grid[1], -oblong

    rows, columns = max(grids, key=merit, default=(1, 1))
    if rows * columns < 2:
        return ()
    ys = np.linspace(top, bottom, rows + 1).round() / height
    xs = np.linspace(left, right, columns + 1).round() / width
    corners = [(xs[j], ys[i], xs[j + 1], ys[i + 1]) for i in range(rows) for j in range(columns)]
    return tuple(Place("box", tuple(map(float, where)), _label(where)) for where in corners)


def _label(where: tuple[float, ...]) -> str:
    left, top, right, bottom = (round(100 * share) for share in where)
    return f"{left} to {right}% across, {top} to {bottom}% down"


def _pixels(place: Place, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    left, top, right, bottom = place.where
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def fillings(pixels: Pixels, places: Sequence[Place]) -> Pixels:
    """What is seen where a box is taken out: the median colour of the pixels around it, uint8 ``P x 3``.

    Of five fillings this one moved models that judge statements by chance alone the least: the median and the mean of
    the whole picture, and a smooth continuation of what is kept, moved them more.
    """
    height, width = pixels.shape[:2]
    found = np.zeros((len(places), 3), np.uint8)
    for place, colour in zip(places, found, strict=True):
        left, top, right, bottom = _pixels(place, height, width)
        rows, columns = slice(top, bottom), slice(left, right)
        above, below = pixels[max(top - ROUND, 0) : top, columns], pixels[bottom : bottom + ROUND, columns]
        before, after = pixels[rows, max(left - ROUND, 0) : left], pixels[rows, right : right + ROUND]
        around = np.concatenate([part.reshape(-1, 3) for part in (above, below, before, after)])
        colour[:] = np.median(around if len(around) else pixels.reshape(-1, 3), axis=0)
    return found


def blanked(pixels: Pixels, places: Sequence[Place], colours: Pixels) -> Pixels | None:
    """The picture with boxes in one colour each; None where nothing else is left of it."""
    height, width = pixels.shape[:2]
    out, left_over = pixels.copy(), np.ones((height, width), bool)
    for place, colour in zip(places, colours, strict=True):
        left, top, right, bottom = _pixels(place, height, width)
        out[top:bottom, left:right] = colour
        left_over[top:bottom, left:right] = False
    return out if left_over.any() else None
