"""Made scans of bank statements with signs of risk on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.data.samples.drawing import blend, filed, font, words

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["statements", "statements_oracle"]

PAYEES = (
    "Grocer",
    "Rent",
    "Salary",
    "Energy",
    "Card",
    "Fuel",
    "Transfer",
    "Insurance",
    "Cash",
    "Phone",
    "Water",
    "Shop",
)
BANKS = ("NORTH BANK", "Harbour Savings", "CITY & COUNTY", "First Mutual", "Lakeside Bank")
STAMPS = ("OVERDRAWN", "RETURNED", "UNPAID")
INK, RED = (40, 42, 50), (190, 30, 40)


def statements(n: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Make pages of bank statements, as a scanner sees them.

    Parameters
    ----------
    n
        Rows, in no order.
    seed
        Same seed, same frame.

    Returns
    -------
    DataFrame with ``page`` (bytes: a JPEG file of about 230 x 320 pixels in colour), ``risk`` (a number with mean 0 and
    standard deviation 1, or so) and ``default`` (0 or 1, about 30% ones).

    Notes
    -----
    Three signs add up to the risk: the share of the lines that are red withdrawals (uniform on .05 to .6), a stamp of a
    returned payment (one page in four), and a closing balance that is lacking (one in five). The log-odds of a default
    are ``1.8 * risk - 1.25``, so that who knows the risk itself reaches an area under the ROC curve of about .86.
    Layout, font, paper, number of lines, skew (up to 2.5 degrees), noise, blur and shadow mean nothing. See
    `statements_oracle` for the signs.
    """
    pages, oracle = _made(n, seed)
    return oracle[["risk", "default"]].assign(page=pages)


def statements_oracle(n: int = 1000, seed: int = 0) -> pd.DataFrame:
    """What stands on the pages of `statements`: ``red_share``, ``stamped``, ``no_balance``, ``probability``."""
    return _made(n, seed, drawn=False)[1].drop(columns=["risk", "default"])


def _made(n: int, seed: int, drawn: bool = True) -> tuple[list[bytes], pd.DataFrame]:
    import pandas as pd

    rng = np.random.default_rng([seed, 22])
    red, stamped, lacking = rng.uniform(0.05, 0.6, n), rng.random(n) < 0.25, rng.random(n) < 0.2
    # Each sign by its own mean and standard deviation, weighted so that the squares of the weights add up to 1.
    risk = 0.7 * (red - 0.325) / 0.159 + 0.6 * (stamped - 0.25) / 0.433 + 0.387 * (lacking - 0.2) / 0.4
    probability = 1 / (1 + np.exp(1.25 - 1.8 * risk))
    signs = {"red_share": red, "stamped": stamped, "no_balance": lacking, "probability": probability}
    frame = pd.DataFrame({**signs, "risk": risk, "default": (rng.random(n) < probability).astype(np.int64)})
    seeds = rng.integers(1 << 63, size=n)
    rows = zip(seeds.tolist(), red.tolist(), stamped.tolist(), lacking.tolist(), strict=True)
    return [filed(_page(np.random.default_rng(s), *signs), "JPEG") for s, *signs in rows] if drawn else [], frame


def _page(rng: np.random.Generator, red: float, stamped: bool, lacking: bool) -> npt.NDArray[np.uint8]:
    """One page: a heading, lines of dates, payees and amounts, a closing balance, a stamp; then the scanner."""
    from PIL import Image, ImageDraw

    paper = tuple(rng.integers(238, 256, 3).tolist())
    image = Image.new("RGB", (int(rng.integers(215, 245)), int(rng.integers(300, 335))), paper)
    draw = ImageDraw.Draw(image)
    size, face = int(rng.integers(9, 12)), ("plain", "sans", "serif", "mono", "book")[rng.integers(5)]
    small, ink = font(face, size), blend(INK, (110, 110, 120), rng.random())
    left, right = rng.uniform(8, 20), image.width - rng.uniform(8, 20)
    y = rng.uniform(8, 20)
    draw.text((left, y), BANKS[rng.integers(len(BANKS))], ink, font(face, size + 4))
    y += 2.6 * size
    lines, step = int(rng.integers(12, 19)), size * rng.uniform(1.12, 1.3)
    withdrawn = rng.permutation(lines) < round(red * lines)
    ruled = rng.random() < 0.4
    for i in range(lines):
        shown = RED if withdrawn[i] else ink
        amount = f"{'-' if withdrawn[i] else ''}{rng.lognormal(5, 1):,.2f}"
        draw.text((left, y), f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}", shown, small)
        draw.text((left + 4 * size, y), words(rng, PAYEES, 1, 2)[:16], shown, small)
        draw.text((right - small.getlength(amount), y), amount, shown, small)
        if ruled:
            draw.line((left, y + step - 1, right, y + step - 1), (205, 205, 210))
        y += step
    if not lacking:
        total = f"{rng.lognormal(7, 1):,.2f}"
        draw.line((left, y + 2, right, y + 2), ink, 2)
        draw.text((left, y + 5), "Closing balance", ink, font(face, size + 1))
        draw.text((right - small.getlength(total), y + 5), total, ink, small)
    if stamped:
        _stamp(image, rng)
    return _scanned(image, rng)


def _stamp(image: Any, rng: np.random.Generator) -> None:
    """A tilted frame with a word in it, half transparent, anywhere on the page."""
    from PIL import Image, ImageDraw

    mark = Image.new("RGBA", (122, 34), (0, 0, 0, 0))
    draw, ink = ImageDraw.Draw(mark), (*blend((150, 20, 60), (60, 20, 150), rng.random()), 190)
    draw.rectangle((2, 2, 119, 31), outline=ink, width=3)
    draw.text((12, 9), STAMPS[rng.integers(len(STAMPS))], ink, font("bold", 14))
    mark = mark.rotate(rng.uniform(-30, 30), expand=True)
    place = (int(rng.integers(0, image.width - mark.width)), int(rng.integers(30, image.height - mark.height)))
    image.paste(mark, place, mark)


def _scanned(image: Any, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Skew, blur, a shadow along one side, noise."""
    from PIL import Image, ImageFilter

    image = image.rotate(rng.uniform(-2.5, 2.5), Image.Resampling.BILINEAR, fillcolor=image.getpixel((1, 1)))
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))
    pixels = np.asarray(image).astype(np.float32)
    shadow = 1 - rng.uniform(0, 0.25) * np.linspace(0, 1, image.width, dtype=np.float32)[:: rng.choice([-1, 1])] ** 2
    noise = rng.standard_normal(pixels.shape[:2], np.float32)[:, :, None] * rng.uniform(1, 7)
    seen: npt.NDArray[np.uint8] = np.clip(pixels * shadow[:, None] + noise, 0, 255).astype(np.uint8)
    return seen
