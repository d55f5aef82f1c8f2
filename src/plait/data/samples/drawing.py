"""What made pictures are drawn with: fonts that come with Plait's dependencies, colours, words, and files."""

from __future__ import annotations

import colorsys
import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Colour", "blend", "colour", "filed", "font", "spread", "words"]

Colour = tuple[int, int, int]

FACES = {
    "sans": "DejaVuSans",
    "bold": "DejaVuSans-Bold",
    "serif": "DejaVuSerif",
    "mono": "DejaVuSansMono",
    "book": "STIXGeneral",
}


@cache
def font(face: str, size: int) -> Any:
    """A Pillow font: ``plain`` (Pillow's own), or one of those that matplotlib brings."""
    from PIL import ImageFont

    if face == "plain":
        return ImageFont.load_default(size)
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{FACES[face]}.ttf")), size)


def colour(hue: float, saturation: float, value: float) -> Colour:
    """From 0..1 each (hue: 0 red, 1/3 green, 2/3 blue)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def blend(a: Colour, b: Colour, share: float) -> Colour:
    """`share` of `b` in `a`."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def words(rng: np.random.Generator, choice: tuple[str, ...], low: int, high: int) -> str:
    """`low` to `high` words."""
    return " ".join(choice[i] for i in rng.integers(0, len(choice), rng.integers(low, high + 1)))


def filed(image: Any, kind: str = "PNG") -> bytes:
    """A Pillow image, or uint8 ``H x W x 3``, as a PNG or JPEG file."""
    from PIL import Image

    out = io.BytesIO()
    held = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    held.save(out, kind, **({"compress_level": 1} if kind == "PNG" else {"quality": 85}))
    return out.getvalue()


def spread(values: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    """Values moved to reach from `low` to `high`."""
    least, most = float(values.min()), float(values.max())
    reached: npt.NDArray[np.float64] = low + (high - low) * (values - least) / (most - least if most > least else 1.0)
    return reached
