"""What all drawings share: figures, colours, fonts, and files that appear whole or not at all.

Figures are made without pyplot, so that the user's backend and open figures stay as they are. The colours are those of
Okabe and Ito, told apart by the colour-blind too; every line also has its own dash.
"""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure
    from matplotlib.ft2font import FT2Font

__all__ = [
    "BLUE",
    "DASHES",
    "GREY",
    "SERIES",
    "Axes",
    "Canvas",
    "Corner",
    "axes_of",
    "canvas",
    "finish",
    "picture",
    "readable",
    "save",
    "square",
]

Canvas: TypeAlias = "matplotlib.figure.Figure"
Axes: TypeAlias = "matplotlib.axes.Axes"
Corner: TypeAlias = Literal["upper left", "upper right", "lower right", "lower left", "best"]

BLUE = "#0072B2"
SERIES = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
DASHES = ("--", "-.", ":", (0, (6, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 2)))
GREY = "#8A8A8A"
# Fonts with Chinese glyphs that systems commonly bring; the first one installed is used.
_CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "SimHei",
    "Arial Unicode MS",
)


def canvas(width: float, height: float) -> Canvas:
    from matplotlib.figure import Figure as MatplotlibFigure

    return MatplotlibFigure(figsize=(width, height), dpi=150, layout="constrained")


def axes_of(width: float, height: float) -> tuple[Canvas, Axes]:
    figure = canvas(width, height)
    return figure, figure.subplots()


def finish(axes: Axes, title: str, x: str, y: str, legend: Corner | None = None) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set(xlabel=x, ylabel=y)
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if legend is not None:
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], list(labels[::-1]), loc=legend, fontsize=9, frameon=False)


def square(axes: Axes, end: float) -> None:
    axes.set(xlim=(-0.01 * end, 1.01 * end), ylim=(-0.01 * end, 1.01 * end))
    axes.set_aspect("equal")


def save(figure: Canvas, path: Path) -> Path:
    """Write the file under another name, then rename it into place."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(picture(figure))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def picture(figure: Canvas, form: Literal["png", "svg"] = "png") -> bytes:
    """The figure as the bytes of a file; letters of an SVG are outlines, the same on every machine."""
    import matplotlib
    from matplotlib.text import Text

    own, *_ = _fonts().values()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)  # a label like "$5 to $10" is no formula
        if all(own.get_char_index(ord(char)) for char in text.get_text()):
            text.set_fontfamily([*_fonts()][:1])
        else:
            text.set_fontfamily([*_fonts()])
            text.set_fontweight("normal")  # fonts with Chinese glyphs seldom have a bold form
    held = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "plait"}):
        figure.savefig(held, format=form, metadata={"Date": None} if form == "svg" else None)
    return held.getvalue()


@cache
def _fonts() -> dict[str, FT2Font]:
    """The font that matplotlib brings, and one with Chinese glyphs if the system has one."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    installed = {font.name for font in fontManager.ttflist}
    families = ["DejaVu Sans", *[name for name in _CHINESE if name in installed][:1]]
    return {name: get_font(findfont(FontProperties(family=name))) for name in families}


def readable(text: str) -> str:
    """The text with escapes for the characters that no font at hand has: a missing glyph is a warning and a box."""

    def shown(char: str) -> bool:
        return any(font.get_char_index(ord(char)) for font in _fonts().values())

    return "".join(char if shown(char) else char.encode("unicode_escape").decode() for char in text)
