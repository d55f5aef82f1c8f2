"""Cells as a person looks at them, with the places that count coloured."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from plait.contracts import Exhibit
from plait.explain.explanation import CellShares
from plait.report.canvas import GREY, Axes, Canvas, readable

__all__ = ["DOWN", "UP", "colours", "paint"]

UP, DOWN = "#D55E00", "#0072B2"  # adds to what is predicted, takes from it
LINE = 78  # columns of a line of text
LINES = 9  # of a text, around what counts most in it
LISTED = 8  # records, links or items
CHANNELS = 4
Shades = npt.NDArray[np.float64]


def colours(values: npt.NDArray[np.float64]) -> Shades:
    """Red, green, blue and opacity of values by sign and size: float64 ``P x 4``."""
    from matplotlib.colors import to_rgba

    top = np.abs(values).max(initial=0) or 1.0
    shades = np.array([to_rgba(UP if value > 0 else DOWN) for value in values]).reshape(-1, 4)
    shades[:, 3] = 0.75 * np.abs(values) / top
    return shades


def paint(axes: Axes, figure: Canvas, cell: CellShares) -> None:
    """Draw the exhibit of a cell into `axes`, its places coloured by what they add."""
    painters: Mapping[str, Callable[[Axes, CellShares], None]] = {
        "words": _words,
        "pixels": _pixels,
        "waves": _waves,
        "records": _listed,
        "links": _listed,
        "items": _listed,
        "frames": _frames,
    }
    form = cell.exhibit.form
    if form == "steps":
        _steps(axes, figure, cell)
    elif form == "points":
        _points(axes, figure, cell)
    else:
        painters[form](axes, cell)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _words(axes: Axes, cell: CellShares) -> None:
    """The text in lines of one width, with the colour of its place behind every character that counts."""
    text = cast("str", cell.exhibit.values)
    _bare(axes)
    shade = np.zeros((len(text), 4))
    for place, colour in sorted(zip(cell.places, colours(cell.values), strict=True), key=lambda pair: pair[1][3]):
        begin, end = (int(at) for at in place.where)
        shade[begin:end] = colour
    lines = _lines(text)
    loudest = int(shade[:, 3].argmax()) if len(text) else 0
    centre = next((i for i, (begin, end) in enumerate(lines) if begin <= loudest < end), 0)
    first = max(0, min(centre - LINES // 2, len(lines) - LINES))
    shown = lines[first : first + LINES]
    axes.set(xlim=(0, LINE + 2), ylim=(LINES + 0.2, -0.6))
    for y, (begin, end) in enumerate(shown):
        x = 0.5
        for at in range(begin, end):
            size = _columns(text[at])
            if shade[at, 3] > 0.02:
                axes.add_patch(_box(x - 0.02, y - 0.42, size + 0.04, 0.84, shade[at]))
            if not text[at].isspace():
                sign = text[at] if readable(text[at]) == text[at] else "□"
                axes.text(x + size / 2, y, sign, ha="center", va="center", fontsize=9, in_layout=False)
            x += size
    more = ["…" if first else "", "…" if first + LINES < len(lines) else ""]
    axes.text(0, -0.6, more[0], va="bottom", color=GREY)
    axes.text(0, LINES + 0.1, more[1], va="bottom", color=GREY)


def _columns(char: str) -> float:
    return 2.0 if unicodedata.east_asian_width(char) in "WF" else 1.0


def _lines(text: str) -> list[tuple[int, int]]:
    """Begin and end of each line of at most `LINE` columns, broken after a space where there is one."""
    lines, begin, width, space = [], 0, 0.0, 0
    for at, char in enumerate(text):
        if char == "\n" or width + _columns(char) > LINE:
            end = at + 1 if char == "\n" else space if space > begin else at
            lines.append((begin, end))
            begin, width = end, sum(map(_columns, text[end:at]))
        if char.isspace() or _columns(char) == 2:
            space = at + 1
        width = 0.0 if char == "\n" else width + _columns(char)
    if begin < len(text):
        lines.append((begin, len(text)))
    return lines or [(0, 0)]


def _box(x: float, y: float, width: float, height: float, colour: Any, **named: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, **{"facecolor": tuple(colour), "linewidth": 0, **named})


def _pixels(axes: Axes, cell: CellShares) -> None:
    pixels = cast("npt.NDArray[np.uint8]", cell.exhibit.values)
    height, width = pixels.shape[:2]
    axes.imshow(np.concatenate([pixels, np.full((height, max(2, width // 24), 3), 255, np.uint8), pixels], axis=1))
    _bare(axes)
    start = width + max(2, width // 24)
    for place, colour in zip(cell.places, colours(cell.values), strict=True):
        left, top, right, bottom = place.where
        at, size = (start + left * width, top * height), ((right - left) * width, (bottom - top) * height)
        axes.add_patch(_box(*at, *size, colour))
    if len(cell.places):
        left, top, right, bottom = cell.places[int(np.abs(cell.values).argmax())].where
        size = (right - left) * width, (bottom - top) * height
        axes.add_patch(_box(start + left * width, top * height, *size, (0, 0, 0, 0), edgecolor="black", linewidth=1.2))


def _waves(axes: Axes, cell: CellShares) -> None:
    samples, rate = cast("npt.NDArray[np.float32]", cell.exhibit.values), cell.exhibit.rate or 1.0
    step = max(1, len(samples) // 1500)
    cut = samples[: len(samples) // step * step].reshape(-1, step)
    seconds = np.arange(len(cut)) * step / rate
    for place, colour in zip(cell.places, colours(cell.values), strict=True):
        axes.axvspan(*place.where[:2], color=tuple(colour), linewidth=0)
    axes.fill_between(seconds, cut.min(axis=1), cut.max(axis=1), color="#333333", linewidth=0)
    axes.set(xlabel="s", xlim=(0, max(len(samples) / rate, 1e-3)))
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _steps(axes: Axes, figure: Canvas, cell: CellShares) -> None:
    """A line a channel, each scaled to its own range where there are several."""
    steps = cast("npt.NDArray[np.float64]", cell.exhibit.values)
    for place, colour in zip(cell.places, colours(cell.values), strict=True):
        axes.axvspan(place.where[0] - 0.5, place.where[1] - 0.5, color=tuple(colour), linewidth=0)
    several = steps.shape[1] > 1
    for channel in range(min(steps.shape[1], CHANNELS)):
        line = steps[:, channel]
        if several and np.isfinite(line).any():
            low, high = np.nanmin(line), np.nanmax(line)
            line = (line - low) / ((high - low) or 1.0) * 0.9 - channel
        name = cell.exhibit.names[channel] if channel < len(cell.exhibit.names) else ""
        axes.plot(line, color="#333333", linewidth=1.1, marker="." if len(line) < 60 else None, markersize=3)
        if several:
            axes.text(-0.5, -channel + 0.45, readable(name) + " ", ha="right", va="center", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(-0.5, max(len(steps) - 0.5, 0.5))
    if several:
        axes.set_yticks([])


def _listed(axes: Axes, cell: CellShares) -> None:
    """The items that count most, in their order, each on a ground of its colour."""
    _bare(axes)
    parts = cast("Sequence[object]", cell.exhibit.values)
    shades, value = np.zeros((len(parts), 4)), np.zeros(len(parts))
    for place, colour, own in zip(cell.places, colours(cell.values), cell.values, strict=True):
        first = int(place.where[0])
        last = first + 1 if len(place.where) < 2 else int(place.where[1])
        shades[first:last], value[first:last] = colour, own
    shown = np.sort(np.argsort(-np.abs(value), kind="stable")[:LISTED])
    axes.set(xlim=(0, 1), ylim=(LISTED - 0.4, -0.6))
    for y, i in enumerate(shown.tolist()):
        axes.add_patch(_box(0, y - 0.44, 1, 0.88, shades[i]))
        axes.text(
            0.01, y, readable(f"{i + 1}.  {_told(parts[i])}"), va="center", fontsize=8.5, in_layout=False, clip_on=True
        )


def _told(part: object) -> str:
    if isinstance(part, Exhibit):
        said = part.values if isinstance(part.values, str) else part.form
    elif isinstance(part, Mapping):
        said = "   ".join(f"{name} {_value(value)}" for name, value in part.items())
    else:
        said = str(part)
    said = " ".join(said.split())
    return said if len(said) <= 96 else said[:95] + "…"


def _value(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _frames(axes: Axes, cell: CellShares) -> None:
    """Frames side by side, each framed in the colour of the seconds that it lies in."""
    frames, rate = cast("npt.NDArray[np.uint8]", cell.exhibit.values), cell.exhibit.rate or 1.0
    count, height, width = frames.shape[:3]
    gap = max(2, width // 12)
    strip = np.full((height, count * (width + gap), 3), 255, np.uint8)
    for i in range(count):
        strip[:, i * (width + gap) : i * (width + gap) + width] = frames[i]
    axes.imshow(strip)
    _bare(axes)
    for place, colour in zip(cell.places, colours(cell.values), strict=True):
        begin, end = place.where[:2]
        for i in range(count):
            if begin <= (i + 0.5) / rate < end:
                box = _box(
                    i * (width + gap), height, width, max(2, height // 10), (*colour[:3], min(1, colour[3] / 0.75))
                )
                axes.add_patch(box)
    axes.set_ylim(height * 1.14, 0)


def _points(axes: Axes, figure: Canvas, cell: CellShares) -> None:
    """The points of the surface in perspective, coloured by the place nearest to each."""
    points = cast("npt.NDArray[np.float32]", cell.exhibit.values).astype(np.float64)
    shade = np.tile([0.6, 0.6, 0.6, 0.35], (len(points), 1))
    if cell.places and len(points):
        centres = np.array([place.where[:3] for place in cell.places])
        nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        shade = colours(cell.values)[nearest]
        shade[:, 3] = 0.15 + shade[:, 3]
    where = axes.get_subplotspec()
    axes.remove()
    space: Any = figure.add_subplot(cast("Any", where), projection="3d")
    space.scatter(*points.T, c=shade, s=5, linewidths=0, depthshade=False)
    space.set_box_aspect(np.maximum(np.ptp(points, axis=0), 1e-3) if len(points) else (1, 1, 1))
    space.set_axis_off()
