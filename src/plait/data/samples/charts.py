"""Made charts of ten kinds, in styles to train on and in styles kept from training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.data.samples.chart_themes import (
    ASPECTS,
    NUMBERS,
    WORDS,
    Style,
    Theme,
    cloud,
    heights,
    path,
    sample,
    shares,
    surface,
    themes,
)
from plait.data.samples.drawing import Colour, blend, filed, font, spread, words
from plait.errors import unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "charts"]

KINDS = (
    "area",
    "bar",
    "box",
    "candlestick",
    "heat map",
    "histogram",
    "horizontal bar",
    "line",
    "pie",
    "scatter",
)
Values = npt.NDArray[np.float64]


def charts(n: int = 1000, seed: int = 0, style: Style = "train") -> pd.DataFrame:
    """Make charts, ten kinds in equal parts.

    Parameters
    ----------
    n
        Rows, in no order.
    seed
        Same seed, same frame.
    style
        ``"train"``: 48 themes. ``"unseen"``: 24 other themes, whose hues, grounds, fonts, places of title, legend and
        axis, proportions, words and number formats never occur in the first, drawn more finely, of data from other laws
        (seasons and jumps instead of random walks, ranked amounts, curved clouds, exponential and logistic samples).

    Returns
    -------
    DataFrame with ``kind`` (see `KINDS`), ``theme`` (``"train 0"``, ...: to hold some styles out of training) and
    ``image`` (bytes: a PNG file, some 150 to 600 pixels a side).

    Raises
    ------
    ConfigError
        If there is no such style.
    """
    import pandas as pd

    if style not in ("train", "unseen"):
        raise unknown("style of charts", style, ("train", "unseen"))
    rng = np.random.default_rng([seed, 21, len(style)])
    kinds = rng.permutation(np.arange(n) % len(KINDS))
    looks = rng.integers(0, len(themes(style)), n)
    files = []
    for kind, look in zip(kinds.tolist(), looks.tolist(), strict=True):
        sheet = _Sheet(np.random.default_rng(rng.integers(1 << 63)), themes(style)[look], style)
        DRAWN[KINDS[kind]](sheet)
        files.append(filed(sheet.finished()))
    frame = pd.DataFrame({"kind": np.array(KINDS, object)[kinds], "theme": [f"{style} {look}" for look in looks]})
    return frame.assign(image=files)


class _Sheet:
    """One chart being drawn: the ground, the rectangle of the plot, and what stands around it.

    Places in the plot are given in 0..1 from its lower left corner.
    """

    def __init__(self, rng: np.random.Generator, theme: Theme, style: Style) -> None:
        from PIL import Image, ImageDraw

        low, high = ASPECTS[style][rng.integers(len(ASPECTS[style]))]
        self.height = int(rng.integers(190, 280)) * theme.scale
        self.width = int(self.height * rng.uniform(low, high))
        if self.width < self.height and theme.legend:
            theme = replace(theme, legend="bottom" if style == "unseen" else "inside")
        self.rng, self.theme, self.style = rng, theme, style
        down = np.linspace(theme.ground, theme.shade, self.height).astype(np.uint8)[:, None]
        self.image = Image.fromarray(np.repeat(down, self.width, axis=1))
        self.draw = ImageDraw.Draw(self.image)
        self.pen = max(1, round(rng.uniform(0.8, 2.4) * theme.scale))
        self.palette = [theme.palette[i] for i in rng.permutation(len(theme.palette))]
        letter = max(8, round(theme.letter * self.height))
        self.font = font(theme.face, letter)
        self.left, self.right = letter * 3.2, self.width - letter * 1.2
        self.top, self.bottom = letter * 1.2, self.height - letter * 2.2
        if theme.axis == "right":
            self.left, self.right = letter * 1.2, self.width - letter * 3.6
        self._around(letter)

    def _around(self, letter: int) -> None:
        """Title and legend; the plot makes room for them."""
        theme, text = self.theme, WORDS[self.style]
        if theme.title:
            said = words(self.rng, text, 1, 4)
            away = {"top": (self.width * 0.3), "top left": letter, "top right": self.width * 0.55}
            y = self.height - letter * 1.4 if theme.title == "bottom" else letter * 0.4
            self.draw.text((away.get(theme.title, self.width * 0.25), y), said, theme.ink, self.font)
            self.top += letter * (1.2 if theme.title != "bottom" else 0)
            self.bottom -= letter * (1.3 if theme.title == "bottom" else 0)
        self.key = None
        if theme.legend == "right":
            self.right -= letter * 5
            self.key = (self.right + letter * (3.8 if theme.axis == "right" else 0.6), self.top)
        elif theme.legend == "left":
            self.left += letter * 5
            self.key = (letter * 0.4, self.top)
        elif theme.legend == "bottom":
            self.bottom -= letter * 1.4
            self.key = (self.left, self.bottom + letter * 1.4)
        elif theme.legend == "inside":
            self.key = (self.left + (self.right - self.left) * self.rng.choice([0.05, 0.65]), self.top + letter * 0.4)

    def finished(self) -> Any:
        """The image at its own size."""
        if self.theme.scale == 1:
            return self.image
        return self.image.reduce(self.theme.scale)

    def x(self, u: float) -> float:
        return float(self.left + u * (self.right - self.left))

    def y(self, v: float) -> float:
        return float(self.bottom - v * (self.bottom - self.top))

    def axes(self, count: int, *, sideways: bool = False) -> None:
        """Grid, frame, ticks and labels: numbers up the side and `count` names below, or the other way round."""
        theme, letter = self.theme, self.font.size
        faint = blend(theme.ground, theme.ink, 0.18)
        form = NUMBERS[self.style][self.rng.integers(3)]
        lines = np.linspace(0, 1, int(self.rng.integers(3, 8)))
        top = self.rng.uniform(1, 90)
        for v in lines.tolist():
            across = (self.x(0), self.y(v), self.x(1), self.y(v))
            down = (self.x(v), self.y(0), self.x(v), self.y(1))
            value, other = (down, across) if sideways else (across, down)
            if theme.grid == "dots":
                for t in np.arange(0, 1, 0.02).tolist():
                    self.draw.point((value[0] + t * (value[2] - value[0]), value[1] + t * (value[3] - value[1])), faint)
            elif theme.grid in ("rows", "both"):
                self.draw.line(value, faint, theme.scale)
            if theme.grid == "both":
                self.draw.line(other, faint, theme.scale)
            if sideways:
                self.draw.text((self.x(v) - letter, self.bottom + 3), form.format(top * v), theme.ink, self.font)
            else:
                beside = self.right + 3 if theme.axis == "right" else max(0.0, self.left - letter * 2.8)
                self.draw.text((beside, self.y(v) - letter / 2), form.format(top * v), theme.ink, self.font)
        shown = min(count, int(self.rng.integers(3, 8)))
        for i in range(shown):
            said, u = words(self.rng, WORDS[self.style], 1, 1)[:4], (i + 0.5) / shown
            if sideways:
                self.draw.text((max(0.0, self.left - letter * 2.8), self.y(u) - letter / 2), said, theme.ink, self.font)
            else:
                self.draw.text((self.x(u) - letter, self.bottom + 3), said, theme.ink, self.font)
        if theme.frame == "box":
            self.draw.rectangle((self.left, self.top, self.right, self.bottom), outline=theme.ink, width=theme.scale)
        elif theme.frame == "axes":
            side = self.right if theme.axis == "right" else self.left
            self.draw.line((side, self.top, side, self.bottom), theme.ink, theme.scale)
            self.draw.line((self.left, self.bottom, self.right, self.bottom), theme.ink, theme.scale)

    def legend(self, colours: list[Colour]) -> None:
        """A patch and a word for each colour, where the theme has a legend."""
        if self.key is None:
            return
        (x, y), letter = self.key, self.font.size
        for shown in colours[:4]:
            self.draw.rectangle((x, y + letter * 0.2, x + letter * 0.7, y + letter * 0.9), fill=shown)
            said = words(self.rng, WORDS[self.style], 1, 1)
            self.draw.text((x + letter, y), said, self.theme.ink, self.font)
            x, y = (x + letter * 5, y) if self.theme.legend == "bottom" else (x, y + letter * 1.3)

    def box(self, u0: float, v0: float, u1: float, v1: float, fill: Colour | None, edge: Colour | None = None) -> None:
        """A rectangle by two corners in any order."""
        x0, x1 = sorted((self.x(u0), self.x(u1)))
        y0, y1 = sorted((self.y(v0), self.y(v1)))
        self.draw.rectangle((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)), fill, edge, max(1, self.pen // 2))

    def curve(self, u: Values, v: Values, shown: Colour) -> None:
        points = [(self.x(a), self.y(b)) for a, b in zip(u.tolist(), v.tolist(), strict=True)]
        self.draw.line(points, shown, self.pen, joint="curve")

    def dot(self, u: float, v: float, size: float, mark: int, shown: Colour) -> None:
        """A mark: disc, ring, square, cross."""
        x, y = self.x(u), self.y(v)
        around = (x - size, y - size, x + size, y + size)
        if mark == 0:
            self.draw.ellipse(around, fill=shown)
        elif mark == 1:
            self.draw.ellipse(around, outline=shown, width=max(1, self.pen // 2))
        elif mark == 2:
            self.draw.rectangle(around, fill=shown)
        else:
            self.draw.line(around, shown, max(1, self.pen // 2))
            self.draw.line((x - size, y + size, x + size, y - size), shown, max(1, self.pen // 2))


def _area(sheet: _Sheet) -> None:
    rng, n, layers = sheet.rng, int(sheet.rng.integers(12, 60)), int(sheet.rng.integers(1, 4))
    sheet.axes(12)
    bands = np.stack([spread(path(rng, n, sheet.style), 0.3, 1.0) for _ in range(layers)])
    tops = bands.cumsum(axis=0) / bands.sum(axis=0).max() * rng.uniform(0.7, 0.95)
    u = np.linspace(0, 1, n).tolist()
    for i in reversed(range(layers)):
        edge = [(sheet.x(a), sheet.y(b)) for a, b in zip(u, tops[i].tolist(), strict=True)]
        fill = blend(sheet.palette[i], sheet.theme.ground, rng.uniform(0.0, 0.4))
        sheet.draw.polygon([(sheet.x(0), sheet.y(0)), *edge, (sheet.x(1), sheet.y(0))], fill=fill)
        if rng.random() < 0.5:
            sheet.draw.line(edge, sheet.palette[i], sheet.pen)
    sheet.legend(sheet.palette[:layers])


def _bars(sheet: _Sheet, sideways: bool) -> None:
    """Grouped or stacked bars with gaps between them, some below zero."""
    rng, n, groups = sheet.rng, int(sheet.rng.integers(4, 12)), int(sheet.rng.choice([1, 1, 2, 3]))
    sheet.axes(n, sideways=sideways)
    stacked, gap = rng.random() < 0.4, rng.uniform(0.2, 0.5)
    values = np.stack([heights(rng, n, sheet.style) for _ in range(groups)])
    base = 0.0
    if groups == 1 and rng.random() < 0.2:
        values, base = values * rng.choice([-1, 1], values.shape, p=[0.3, 0.7]) * 0.5, 0.4
    values = values / values.sum(axis=0).max() * 0.95 if stacked else values * 0.55 if base else values * 0.95
    one_each = groups == 1 and rng.random() < 0.3
    edge = sheet.theme.ink if rng.random() < 0.2 else None
    for i in range(n):
        start, below = (i + gap / 2) / n, base
        thick = (1 - gap) / n if stacked else (1 - gap) / n / groups
        for g in range(groups):
            shown = sheet.palette[(i if one_each else g) % 5]
            a = start if stacked else start + g * thick
            ends = (below, below + float(values[g, i]))
            corners = (ends[0], a, ends[1], a + thick) if sideways else (a, ends[0], a + thick, ends[1])
            sheet.box(*corners, shown, edge)
            below = ends[1] if stacked else base
    sheet.legend(sheet.palette[:groups])


def _bar(sheet: _Sheet) -> None:
    _bars(sheet, sideways=False)


def _horizontal_bar(sheet: _Sheet) -> None:
    _bars(sheet, sideways=True)


def _histogram(sheet: _Sheet) -> None:
    """Touching bars of counts, along one axis of numbers."""
    rng, bins = sheet.rng, int(sheet.rng.integers(10, 32))
    sheet.axes(8)
    groups = int(rng.choice([1, 1, 1, 2]))
    edge = (sheet.theme.ground, sheet.theme.ink, None)[rng.integers(3)]
    for g in range(groups):
        counts, _ = np.histogram(spread(sample(rng, int(rng.integers(200, 1500)), sheet.style), 0, 1), bins, (0, 1))
        v = counts / counts.max() * rng.uniform(0.75, 0.95)
        fill = blend(sheet.palette[g], sheet.theme.ground, 0.35 * g)
        for i in range(bins):
            if counts[i]:
                sheet.box(0.03 + 0.94 * i / bins, 0, 0.03 + 0.94 * (i + 1) / bins, float(v[i]), fill, edge)
    sheet.legend(sheet.palette[:groups])


def _line(sheet: _Sheet) -> None:
    rng, n, lines = sheet.rng, int(sheet.rng.integers(10, 80)), int(sheet.rng.integers(1, 5))
    sheet.axes(12)
    marked, u = rng.random() < 0.3 and n < 30, np.linspace(0.01, 0.99, n)
    for i in range(lines):
        low, high = np.sort(rng.uniform(0.05, 0.95, 2)).tolist()
        v = spread(path(rng, n, sheet.style), low, max(high, low + 0.25) if low < 0.7 else low + 0.25)
        sheet.curve(u, v, sheet.palette[i])
        for a, b in zip(u.tolist(), v.tolist(), strict=True) if marked else ():
            sheet.dot(a, b, 1.5 * sheet.pen, 0, sheet.palette[i])
    sheet.legend(sheet.palette[:lines])


def _scatter(sheet: _Sheet) -> None:
    rng, groups, n = sheet.rng, int(sheet.rng.choice([1, 1, 2, 3])), int(sheet.rng.integers(30, 160))
    sheet.axes(8)
    size, mark = rng.uniform(1.5, 4.0) * sheet.theme.scale, int(rng.integers(4))
    for g in range(groups):
        x, y = cloud(rng, n // groups, sheet.style)
        low, high = np.sort(rng.uniform(0.04, 0.96, (2, 2)), axis=0)
        high = np.maximum(high, low + 0.4).clip(max=0.97)
        u, v = spread(x, float(low[0]), float(high[0])), spread(y, float(low[1]), float(high[1]))
        for a, b in zip(u.tolist(), v.tolist(), strict=True):
            sheet.dot(a, b, size, (mark + g) % 4, sheet.palette[g])
    sheet.legend(sheet.palette[:groups])


def _pie(sheet: _Sheet) -> None:
    rng, n = sheet.rng, int(sheet.rng.integers(3, 9))
    x, y = (sheet.left + sheet.right) / 2, (sheet.top + sheet.bottom) / 2
    radius = min(sheet.right - sheet.left, sheet.bottom - sheet.top) / 2 * rng.uniform(0.7, 0.98)
    around = (x - radius, y - radius, x + radius, y + radius)
    angle, letter = rng.uniform(0, 360), sheet.font.size
    edge = sheet.theme.ground if rng.random() < 0.6 else None
    for i, part in enumerate(shares(rng, n, sheet.style).tolist()):
        shown = blend(sheet.palette[i % 5], sheet.theme.ground, 0.0 if i < 5 else 0.45)
        sheet.draw.pieslice(around, angle, angle + 360 * part, shown, edge, sheet.pen)
        middle = np.deg2rad(angle + 180 * part)
        place = (x + np.cos(middle) * radius * 0.7 - letter, y + np.sin(middle) * radius * 0.7 - letter / 2)
        if part > 0.08:
            form = NUMBERS[sheet.style][rng.integers(3)]
            sheet.draw.text(place, form.format(100 * part), sheet.theme.ink, sheet.font)
        angle += 360 * part
    if rng.random() < 0.35:
        hole = radius * (rng.uniform(0.35, 0.5) if sheet.style == "train" else rng.uniform(0.55, 0.65))
        sheet.draw.ellipse((x - hole, y - hole, x + hole, y + hole), fill=sheet.theme.ground)
    sheet.legend(sheet.palette[: min(n, 5)])


def _candlestick(sheet: _Sheet) -> None:
    rng, n = sheet.rng, int(sheet.rng.integers(14, 48))
    sheet.axes(10)
    steps = path(rng, 4 * n + 1, sheet.style)
    rough = spread(steps + 0.1 * steps.std() * rng.normal(size=len(steps)), 0.06, 0.94)
    for i in range(n):
        inside = rough[4 * i : 4 * i + 5]
        first, last = float(inside[0]), float(inside[-1])
        shown = sheet.palette[0] if last >= first else sheet.palette[1]
        middle, half = (i + 0.5) / n, 0.32 / n
        low, high = float(inside.min()), float(inside.max())
        sheet.draw.line((sheet.x(middle), sheet.y(low), sheet.x(middle), sheet.y(high)), shown, sheet.theme.scale)
        hollow = last >= first and sheet.pen % 2 == 0
        sheet.box(middle - half, first, middle + half, last, sheet.theme.ground if hollow else shown, shown)


def _box(sheet: _Sheet) -> None:
    rng, n = sheet.rng, int(sheet.rng.integers(3, 9))
    sheet.axes(n)
    filled, one_each, ink = rng.random() < 0.6, rng.random() < 0.5, sheet.theme.ink
    for i in range(n):
        low, high = np.sort(rng.uniform(0.06, 0.94, 2)).tolist()
        values = spread(sample(rng, 120, sheet.style), min(low, 0.6), max(high, min(low, 0.6) + 0.3))
        q1, q2, q3 = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        inside = values[(values >= q1 - 1.5 * (q3 - q1)) & (values <= q3 + 1.5 * (q3 - q1))]
        middle, half, shown = (i + 0.5) / n, rng.uniform(0.24, 0.34) / n, sheet.palette[i % 5 if one_each else 0]
        edge = ink if filled else shown
        for end, near in ((float(inside.min()), q1), (float(inside.max()), q3)):
            sheet.draw.line((sheet.x(middle), sheet.y(near), sheet.x(middle), sheet.y(end)), edge, sheet.theme.scale)
            cap = (sheet.x(middle - half / 2), sheet.y(end), sheet.x(middle + half / 2), sheet.y(end))
            sheet.draw.line(cap, edge, sheet.theme.scale)
        sheet.box(middle - half, q1, middle + half, q3, shown if filled else sheet.theme.ground, edge)
        across = (sheet.x(middle - half), sheet.y(q2), sheet.x(middle + half), sheet.y(q2))
        sheet.draw.line(across, edge, max(sheet.pen, 2))
        for value in values[(values < inside.min()) | (values > inside.max())].tolist():
            sheet.dot(middle, value, 1.5 * sheet.theme.scale, 1, edge)


def _heat_map(sheet: _Sheet) -> None:
    rng = sheet.rng
    rows, columns = rng.integers(4, 15, 2).tolist()
    level = spread(surface(rng, rows, columns, sheet.style), 0, 1)
    stops = [blend(sheet.palette[0], sheet.theme.ground, 0.8), sheet.palette[0], sheet.palette[1]]
    stops = stops[:2] if rng.random() < 0.5 else stops[::-1]
    gap = 0.0 if rng.random() < 0.6 else 0.08
    for r in range(rows):
        for c in range(columns):
            place = float(level[r, c]) * (len(stops) - 1)
            first = min(int(place), len(stops) - 2)
            shown = blend(stops[first], stops[first + 1], place - first)
            sheet.box(
                (c + gap / 2) / columns, (r + gap / 2) / rows, (c + 1 - gap) / columns, (r + 1 - gap) / rows, shown
            )
    for i in range(min(columns, 6)):
        said = words(rng, WORDS[sheet.style], 1, 1)[:4]
        sheet.draw.text((sheet.x((i + 0.2) / min(columns, 6)), sheet.bottom + 3), said, sheet.theme.ink, sheet.font)


DRAWN = dict(
    zip(
        KINDS,
        (_area, _bar, _box, _candlestick, _heat_map, _histogram, _horizontal_bar, _line, _pie, _scatter),
        strict=True,
    )
)
