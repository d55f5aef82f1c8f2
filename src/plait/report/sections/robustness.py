"""What is left of the model as evidence is lost or spoiled: a curve for each way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.report.charts import drawn, losses
from plait.report.numbers import between, number
from plait.report.page import Block, Notice, Picture, Pictures, Prose, Section, Table
from plait.report.run import Run

if TYPE_CHECKING:
    from plait.judgement.robustness import RobustnessReport, StressCurve

__all__ = ["section"]

FEWEST = 50  # rows


def section(run: Run) -> Section:
    say, title = run.say, run.say("robustness.title")
    if run.test is None:
        return Section.absent("robustness", title, say("metrics.none"))
    if len(run.test) < FEWEST:
        return Section.absent("robustness", title, say("slices.few", rows=FEWEST))
    found = run.robustness
    metric = say.name("metric", found.metric)
    steps = [curve for curve in found.curves if len(curve.levels) > 2]
    blocks: list[Block] = [Prose(say("robustness.how", rows=found.n, metric=metric, value=number(found.clean.value)))]
    blocks.append(Pictures(tuple(_picture(run, found, curve) for curve in steps)))
    blocks.append(_table(run, found, metric))
    blocks += [Notice(note) for note in found.notes]
    tried = [curve for curve in found.curves if curve.stress != "sources" or curve not in steps]  # not all of them
    worst = max(tried, key=lambda curve: curve.losses[-1].value, default=None)
    if worst is None:
        return Section.absent("robustness", title, say("robustness.nothing"))
    verdict = say("robustness.verdict", worst=worst.name, metric=metric, loss=number(worst.losses[-1].value))
    return Section.of("robustness", title, blocks, verdict)


def _picture(run: Run, found: RobustnessReport, curve: StressCurve) -> Picture:
    plot = losses(
        curve.levels,
        [span.value for span in curve.values],
        [span.low for span in curve.values],
        [span.high for span in curve.values],
        curve.unit,
        run.say.drawn_name("metric", found.metric),
        found.clean.value,
    )
    return drawn(plot, curve.name)


def _table(run: Run, found: RobustnessReport, metric: str) -> Table:
    """The hardest level of each way."""
    rows = tuple(
        (
            curve.name,
            f"{curve.levels[-1]:g} {curve.unit}",
            number(curve.values[-1].value),
            number(curve.losses[-1].value),
            between(curve.losses[-1].low, curve.losses[-1].high),
            number(curve.moved[-1]),
        )
        for curve in found.curves
    )
    return Table(
        run.say("robustness.table"), tuple(run.say("robustness.header", metric=metric).split("|")), rows, left=2
    )
