"""How made charts look and what they show: themes and data of two families that have nothing in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from plait.data.samples.drawing import Colour, blend, colour

__all__ = ["Style", "Theme", "cloud", "heights", "path", "sample", "shares", "surface", "themes"]

Style = Literal["train", "unseen"]
Values = npt.NDArray[np.float64]

THEMES = {"train": 48, "unseen": 24}
FACES = {"train": ("plain", "sans", "bold"), "unseen": ("serif", "mono", "book")}
ASPECTS = {"train": ((0.95, 1.75),), "unseen": ((0.75, 0.92), (1.8, 2.2))}
WORDS = {
    "train": (
        "Revenue",
        "Net",
        "flows",
        "Margin",
        "Index",
        "Loans",
        "by",
        "region",
        "Q1",
        "Q2",
        "Total",
        "Rate",
        "2023",
    ),
    "unseen": (
        "Claims",
        "Premium",
        "in",
        "EUR",
        "Units",
        "Spread",
        "vs",
        "plan",
        "FY19",
        "Costs",
        "Yield",
        "Draft",
        "bn",
    ),
}
NUMBERS = {"train": ("{:.0f}", "{:.1f}", "{:,.0f}00"), "unseen": ("${:.0f}k", "{:.0f}%", "{:.2f}")}


@dataclass(frozen=True)
class Theme:
    """How a chart looks, whatever it shows.

    Parameters
    ----------
    ground, shade, ink, palette
        Colours: of the ground (at its top and at its bottom), of text and lines, of what is shown.
    grid
        ``"none"``, ``"rows"``, ``"both"`` or ``"dots"``.
    frame
        ``"box"``, ``"axes"`` or ``"bare"``.
    face, letter
        Font, and its size as a share of the picture's height.
    title, legend, axis
        Where they are, ``""`` for nowhere.
    scale
        1: drawn pixel by pixel; 2: drawn at twice the size and averaged.
    """

    ground: Colour
    shade: Colour
    ink: Colour
    palette: tuple[Colour, ...]
    grid: str
    frame: str
    face: str
    letter: float
    title: str
    legend: str
    axis: str
    scale: int


@cache
def themes(style: Style) -> tuple[Theme, ...]:
    """The themes of a family; they do not depend on any seed."""
    return tuple(_theme(np.random.default_rng([len(style), i]), style, i) for i in range(THEMES[style]))


def _theme(rng: np.random.Generator, style: Style, i: int) -> Theme:
    seen = style == "train"

    def pick(*choices: str) -> str:
        return choices[rng.integers(len(choices))]

    # Hues of the two families lie in different twelfths of the circle, and never have the same strength.
    twelfths = 2 * rng.permutation(6)[:5] + (0 if seen else 1)
    hues = (twelfths + rng.random(5)) / 12
    strength = rng.uniform(0.55, 0.95, 2) if seen else (rng.uniform(0.25, 0.5), rng.uniform(0.6, 1.0))
    one_hue = rng.random() < 0.2
    dark = i % 3 == 0
    if seen:
        ground = colour(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.08, 0.22)) if dark else colour(0, 0, 1)
        if not dark and rng.random() < 0.4:
            ground = colour(rng.random(), 0.04, 0.96)
    else:
        tint = rng.choice([0.12, 0.55])
        ground = colour(tint, rng.uniform(0.3, 0.5), 0.3) if dark else colour(tint, rng.uniform(0.1, 0.2), 0.93)
    ink = blend(ground, (255, 255, 255) if dark else (0, 0, 0), rng.uniform(0.6, 1.0))
    palette = []
    for place, hue in enumerate(hues):
        value = strength[1] if seen else (rng.uniform(0.85, 1.0) if dark else rng.uniform(0.4, 0.7))
        level = (0.5 + 0.12 * place) if one_hue else value
        palette.append(
            colour(hues[0] if one_hue else hue, strength[0], level if dark or not one_hue else 1 - level / 1.6)
        )
    return Theme(
        ground=ground,
        shade=ground if seen else blend(ground, ink, rng.uniform(0.05, 0.15)),
        ink=ink,
        palette=tuple(palette),
        grid=pick("none", "rows", "both") if seen else pick("none", "rows", "dots"),
        frame=pick("box", "axes", "bare"),
        face=FACES[style][rng.integers(3)],
        letter=rng.uniform(0.035, 0.06),
        title=pick("", "top", "top left") if seen else pick("", "bottom", "top right"),
        legend=pick("", "right", "inside") if seen else pick("", "bottom", "left"),
        axis="left" if seen else pick("left", "right"),
        scale=1 if seen else 2,
    )


# What is shown: every family has laws of its own. All values lie in 0..1 unless said otherwise.


def path(rng: np.random.Generator, n: int, style: Style) -> Values:
    """`n` steps of something over time."""
    noise, time, law = rng.normal(size=n), np.arange(n) / n, rng.integers(3)
    if style == "train":
        if law == 0:
            return noise.cumsum()
        if law == 1:  # pulled back to its mean
            steps = noise.copy()
            for t in range(1, n):
                steps[t] += 0.7 * steps[t - 1]
            return steps
        return rng.normal(0, 4) * time + noise * rng.uniform(0.1, 0.8)
    if law == 0:  # seasons, and one jump
        jump = rng.normal(0, 1.5) * (time > rng.uniform(0.2, 0.8))
        season: Values = np.sin(2 * np.pi * (time * rng.uniform(1, 4) + rng.random()))
        return season + jump + 0.15 * noise
    if law == 1:  # growth whose noise grows, too
        grown: Values = np.exp(rng.uniform(0.5, 2.5) * time + (0.15 * noise).cumsum() * 0.5)
        return grown
    bends = np.sort(rng.random(3))  # straight pieces
    pieces: Values = np.interp(time, [0, *bends, 1], rng.random(5))
    return pieces + 0.03 * noise


def heights(rng: np.random.Generator, n: int, style: Style) -> Values:
    """`n` amounts of unlike things."""
    if style == "train":
        return rng.uniform(0.15, 1.0, n) if rng.random() < 0.5 else np.clip(rng.lognormal(-1.0, 0.5, n), 0.05, 1.0)
    values = rng.uniform(0.8, 1.0) * np.arange(1, n + 1) ** -rng.uniform(0.1, 0.8)  # ranked, a few large ones
    return np.clip(values * rng.uniform(0.85, 1.0, n), 0.05, 1.0)[:: rng.choice([-1, 1])]


def shares(rng: np.random.Generator, n: int, style: Style) -> Values:
    """`n` parts of a whole, none tiny."""
    parts: Values = rng.uniform(0.3, 1.0, n) if style == "train" else np.sort(rng.exponential(1.0, n) + 0.25)[::-1]
    parts /= parts.sum()
    return parts


def cloud(rng: np.random.Generator, n: int, style: Style) -> tuple[Values, Values]:
    """`n` pairs."""
    x = rng.normal(size=n) if style == "train" else rng.random(n)
    if style == "train":
        return x, rng.uniform(-1, 1) * x + rng.uniform(0.3, 1.0) * rng.normal(size=n)
    bent = rng.normal() * (x - rng.random()) ** 2 + 0.3 * rng.normal() * x
    return x, bent + rng.uniform(0.05, 0.25) * rng.standard_t(4, n)


def sample(rng: np.random.Generator, n: int, style: Style) -> Values:
    """`n` draws from one law."""
    law = rng.integers(3)
    if style == "train":
        return (rng.normal(size=n), rng.gamma(2.0, 1.0, n), rng.normal(rng.choice([-1.5, 1.5], n), 0.8))[law]
    return (np.minimum(rng.exponential(1.0, n), 4), rng.logistic(0, 1, n).clip(-5, 5), rng.beta(2, 5, n))[law]


def surface(rng: np.random.Generator, rows: int, columns: int, style: Style) -> Values:
    """``rows x columns`` cells."""
    y, x = np.arange(rows)[:, None] / rows, np.arange(columns) / columns
    if style == "train":
        smooth = rng.normal() * x + rng.normal() * y + rng.normal() * x * y
        return smooth + rng.uniform(0.1, 1.0) * rng.normal(size=(rows, columns))
    waves: Values = np.sin(2 * np.pi * (rng.uniform(0.3, 1) * x + rng.uniform(0.3, 1) * y + rng.random()))
    return waves + rng.uniform(0.1, 0.6) * rng.uniform(-1, 1, (rows, columns))
