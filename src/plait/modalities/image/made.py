"""Small drawings in many formats, for trying the room."""

from __future__ import annotations

import base64
import io

import numpy as np

from plait.contracts import Array

__all__ = ["made_cells"]

BROKEN: tuple[object, ...] = (b"no picture", "gone.png", b"\x89PNG\r\n\x1a\n cut", 7, "https://example.org/a.png")


def made_cells(rng: np.random.Generator, n: int) -> Array:
    """Object ``n``: drawings of 12 to 40 pixels a side as files, base64, arrays and Pillow images; some missing."""
    values = np.empty(n, object)
    for row, kind in enumerate(rng.random(n)):
        if kind >= 0.1:
            values[row] = BROKEN[row % len(BROKEN)] if kind < 0.15 else _drawing(rng, int(kind * 1000) % 7)
    return values


def _drawing(rng: np.random.Generator, kind: int) -> object:
    """A box and a disc on a plain ground, with a little noise."""
    from PIL import Image, ImageDraw

    width, height = rng.integers(12, 41, 2).tolist()
    colours = [tuple(colour) for colour in rng.integers(0, 256, (3, 3)).tolist()]
    image = Image.new("RGB", (width, height), colours[0])
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = (rng.random(4) * (width / 2, height / 2, width / 2, height / 2)).tolist()
    draw.rectangle((left, top, left + right, top + bottom), fill=colours[1])
    draw.ellipse((right, bottom, right + left + 3, bottom + top + 3), fill=colours[2])
    pixels = np.asarray(image)
    if kind == 0:
        return pixels
    if kind == 1:
        return pixels[:, :, 0]
    if kind == 2:
        return image
    file = io.BytesIO()
    image.save(file, ("PNG", "JPEG", "GIF", "PNG")[kind - 3])
    data = file.getvalue()
    return base64.b64encode(data).decode() if kind == 6 else data
