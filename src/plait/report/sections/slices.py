"""Where the model is worse: the leading figure on parts of the rows, each against the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.metrics.slices import Slice, Slices
from plait.report.charts import dots, drawn
from plait.report.numbers import between, count, number
from plait.report.page import Block, Notice, Picture, Pictures, Prose, Section, Table
from plait.report.run import Run

__all__ = ["section"]

COLUMNS = 6  # sensitive ones first, then those the model rests on most
SLICES = 12  # of one column in its picture
SMALLEST = 100  # rows


def section(run: Run) -> Section:
    say, title = run.say, run.say("slices.title")
    if run.test is None:
        return Section.absent("slices", title, say("metrics.none"))
    if len(run.test) < SMALLEST:
        return Section.absent("slices", title, say("slices.few", rows=SMALLEST))
    found = run.told.slices(_columns(run))
    told = [each for each in found.slices if each.verdict]
    metric = say.name("metric", found.metric)
    blocks: list[Block] = [Prose(say("slices.how", metric=metric))]
    if told:
        blocks.append(_table(run, told, metric))
    columns = dict.fromkeys(each.column for each in found.slices)
    pictures = [_picture(run, found, [s for s in found.slices if s.column == name]) for name in columns]
    blocks.append(Pictures(tuple(filter(None, pictures))))
    blocks += [Notice(note) for note in found.notes]
    verdict = say("slices.verdict", slices=len(found.slices), worse=len(found.worse), metric=metric)
    watch = [
        say(
            "slices.watch",
            slice=f"{each.column} = {each.value}",
            metric=metric,
            value=number(each.figure.value),
            rest=number(each.rest),
        )
        for each in found.worse[:3]
    ]
    return Section.of("slices", title, blocks, verdict, watch)


def _columns(run: Run) -> list[str]:
    """Columns with cells that can be compared, personal data aside."""
    plain = {r.name for r in run.inspection.columns if r.distinct is not None and r.distinct > 1} - run.hidden
    sensitive = [name for name in run.schema.names("sensitive") if name in plain]
    ranked = [worth.name for worth in run.importance.worths if worth.kind == "column" and worth.name in plain]
    return [*sensitive, *ranked][:COLUMNS]


def _table(run: Run, told: Sequence[Slice], metric: str) -> Table:
    say = run.say
    rows = tuple(
        (
            f"{each.column} = {each.value}",
            count(each.rows),
            number(each.figure.value),
            between(each.figure.low, each.figure.high),
            number(each.rest),
            say(f"slices.{each.verdict}"),
        )
        for each in told
    )
    return Table(say("slices.table"), tuple(say("slices.header", metric=metric).split("|")), rows)


def _picture(run: Run, found: Slices, own: Sequence[Slice]) -> Picture | None:
    """The slices of one column, beside the figure of all rows."""
    shown = [each for each in own if not np.isnan(each.figure.value)][:SLICES]
    if len(shown) < 2:
        return None
    say, name = run.say, shown[0].column
    plot = dots(
        [f"{each.value} ({each.rows:,})" for each in shown],
        [each.figure.value for each in shown],
        [each.figure.low for each in shown],
        [each.figure.high for each in shown],
        say.drawn_name("metric", found.metric),
        reference=found.figure.value,
        strong=[bool(each.verdict) for each in shown],
        ends=_ends(found),
    )
    return drawn(plot, say("slices.caption", column=name, value=number(found.figure.value)))


def _ends(found: Slices) -> tuple[float, float]:
    """From the lowest to the highest interval of all slices, with a margin."""
    low = float(np.nanmin([each.figure.low for each in found.slices]))
    high = float(np.nanmax([each.figure.high for each in found.slices]))
    margin = 0.03 * (high - low)
    return low - margin, high + margin
