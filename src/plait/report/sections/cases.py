"""Some rows explained one by one: what each source adds, and the places inside their cells that count."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np

from plait.explain.explanation import CellShares, Explanation
from plait.report.canvas import axes_of, picture
from plait.report.charts import drawn
from plait.report.explained import cell_figure, column_figure, source_figure
from plait.report.page import Block, Notice, Passage, Picture, Pictures, Prose, Section, Subheading
from plait.report.places import paint
from plait.report.run import Run

__all__ = ["section"]

COLUMNS = 8  # drawn
WIDTH = 4.8  # inches of a drawing, on which its letters can be read on a phone
PHOTOGRAPHS = ("pixels", "frames")
RASTER = ("waves", "points")  # forms whose drawings are smaller as pixels
QUALITY = 85  # of photographs as JPEG: as PNG they are many times larger
STRONGEST = 4  # of the marks in a text


def section(run: Run) -> Section:
    say, title = run.say, run.say("cases.title")
    if run.test is None:
        return Section.absent("cases", title, say("metrics.none"))
    if not run.asked.rows:
        return Section.absent("cases", title, say("cases.none"))
    found = run.explanation
    blocks: list[Block] = []
    for row, text in enumerate(found.to_text(say.language)):
        blocks += _case(run, found, row, text)
    blocks.append(Notice(say("cases.how")))
    return Section.of("cases", title, blocks, say("cases.verdict", rows=len(found)))


def _case(run: Run, found: Explanation, row: int, text: str) -> list[Block]:
    """What each source of one row adds, then its cells."""
    say = run.say
    blocks: list[Block] = [Subheading(say("cases.case", number=row + 1, row=found.index[row])), Prose(text)]
    figure = source_figure(found, row, language=say.language)
    figure.set_size_inches(WIDTH, figure.get_size_inches()[1])
    pictures = [drawn(figure, say("cases.sources_caption"))]
    if found.columns is not None:
        figure = column_figure(found, row, language=say.language, most=COLUMNS)
        figure.set_size_inches(WIDTH, figure.get_size_inches()[1])
        pictures.append(drawn(figure, say("cases.columns_caption")))
    shown = [_cell(run, cell) for cell in found.cells if cell.row == row]
    pictures += [block for block in shown if isinstance(block, Picture)]
    return [*blocks, Pictures(tuple(pictures)), *(block for block in shown if isinstance(block, Passage))]


def _cell(run: Run, cell: CellShares) -> Picture | Passage:
    say, exhibit = run.say, cell.exhibit
    caption = say(f"cases.{exhibit.form}", source=cell.source)
    if isinstance(exhibit.values, str):
        return Passage(caption, _pieces(exhibit.values, cell))
    if exhibit.form in PHOTOGRAPHS:
        figure, axes = axes_of(WIDTH, 3.2)  # the bars of `cell_figure` would leave the picture too little room
        paint(axes, figure, cell)
    else:
        figure = cell_figure(cell, language=say.language)
        figure.set_size_inches(WIDTH, 4.2)
    if exhibit.form in PHOTOGRAPHS:
        return Picture(caption, caption, _photograph(picture(figure, "png")), "jpeg")
    if exhibit.form in RASTER:
        return Picture(caption, caption, picture(figure, "png"), "png")
    return drawn(figure, caption)


def _pieces(text: str, cell: CellShares) -> tuple[tuple[str, int], ...]:
    """The text cut where a place begins or ends, each piece with the strength of its place."""
    strength = np.zeros(len(text), np.int64)
    most = float(np.abs(cell.values).max(initial=0)) or 1.0
    for place, value in zip(cell.places, cell.values, strict=True):
        first, last = map(int, place.where)
        strength[first:last] = round(STRONGEST * float(value) / most)
    cuts = [0, *(np.flatnonzero(np.diff(strength)) + 1), len(text)]
    return tuple((text[a:b], int(strength[a])) for a, b in pairwise(cuts) if b > a)


def _photograph(drawn: bytes) -> bytes:
    """A PNG as JPEG."""
    from PIL import Image

    held = BytesIO()
    Image.open(BytesIO(drawn)).convert("RGB").save(held, "JPEG", quality=QUALITY)
    return held.getvalue()
