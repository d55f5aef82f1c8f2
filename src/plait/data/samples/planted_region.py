"""Made forms on which one stamp, among others, tells the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from plait.data.samples.drawing import filed, font, words
from plait.data.samples.planted_outcome import beside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["region"]

WIDE, HIGH = 160, 200
PRINTED = ("Date", "Amount", "Name", "Branch", "Account", "Total", "Paid", "Due", "Rate", "Term", "Sum", "Fee")
TELLING, OTHERS = (200, 25, 40), ((35, 70, 185), (25, 125, 60), (60, 60, 65))

Box = tuple[float, float, float, float]


def region(n: int, seed: int) -> tuple[pd.DataFrame, None, pd.Series]:
    """Forms of grey lines, PNG files of 160 x 200 pixels; ``page`` holds the evidence, a red stamp, in half of the
    rows.

    Two or three stamps of 24 to 34 pixels stand on every page, each a ring, a square or a cross, the others in blue,
    green or black ink. The truth is left, top, right and bottom of the red one, in 0..1 of width and height.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 64])
    there = rng.random(n) < 0.5
    pages, truth = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        pages[row], where = _page(rng, bool(there[row]))
        truth[row] = where if there[row] else None
    return beside(pages, there, "page", seed), None, pd.Series(truth, name="page", dtype=object)


def _page(rng: np.random.Generator, told: bool) -> tuple[bytes, Box]:
    """A page, and where the first of its stamps is, which is red where there is something to be told."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDE, HIGH), tuple(rng.integers(236, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for y in range(10, HIGH - 14, 13):
        draw.text((float(rng.integers(6, 40)), y), words(rng, PRINTED, 2, 4), (110, 110, 116), font("sans", 8))
    taken: list[Box] = []
    for k in range(rng.integers(2, 4)):
        where = _free(rng, taken)
        taken.append(where)
        _stamp(draw, where, TELLING if told and k == 0 else OTHERS[rng.integers(len(OTHERS))], int(rng.integers(3)))
    pixels = np.asarray(image) + rng.normal(0, 3, (HIGH, WIDE, 1))
    left, top, right, bottom = taken[0]
    box = (left / WIDE, top / HIGH, right / WIDE, bottom / HIGH)
    return filed(np.clip(pixels, 0, 255).astype(np.uint8)), box


def _free(rng: np.random.Generator, taken: list[Box]) -> Box:
    """A square that touches no other."""
    while True:
        side = int(rng.integers(24, 35))
        left, top = int(rng.integers(4, WIDE - side - 4)), int(rng.integers(4, HIGH - side - 4))
        if all(left > b[2] or left + side < b[0] or top > b[3] or top + side < b[1] for b in taken):
            return left, top, left + side, top + side


def _stamp(draw: Any, where: Box, ink: tuple[int, int, int], shape: int) -> None:
    left, top, right, bottom = where
    if shape == 0:
        draw.ellipse(where, outline=ink, width=4)
    elif shape == 1:
        draw.rectangle(where, outline=ink, width=4)
    else:
        draw.line((left, top, right, bottom), ink, 5)
        draw.line((left, bottom, right, top), ink, 5)
