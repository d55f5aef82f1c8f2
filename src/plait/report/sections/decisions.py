"""Thresholds: what selecting the likeliest rows finds, and what it costs where costs were given."""

from __future__ import annotations

import numpy as np

from plait.metrics.lift import LiftTable
from plait.metrics.value import ProfitCurve, ThresholdTable
from plait.report.charts import drawn, lines
from plait.report.numbers import between, number, percent
from plait.report.page import Block, Facts, Notice, Picture, Pictures, Section, Table
from plait.report.run import Run

__all__ = ["section"]


def section(run: Run) -> Section:
    say, title = run.say, run.say("decisions.title")
    if run.test is None:
        return Section.absent("decisions", title, say("metrics.none"))
    if run.positive is None:
        return Section.absent("decisions", title, say("decisions.two"))
    if len(np.unique(run.told.targets)) < 2:
        return Section.absent("decisions", title, say("decisions.one"))
    lift = run.told.lift()
    top = lift.bands[0]
    blocks: list[Block] = []
    pictures = [_gain(run, lift)]
    if run.costs is not None:
        table = run.told.thresholds(run.costs, run.amounts)
        curve = run.told.profit(run.costs, run.amounts)
        blocks.append(_facts(run, table))
        pictures.append(_profit(run, curve))
    else:
        blocks.append(Notice(say("decisions.no_costs")))
    blocks += [Pictures(tuple(pictures)), _bands(run, lift)]
    verdict = say(
        "decisions.verdict",
        share=percent(top.share),
        positive=run.positive,
        lift=f"{top.lift:.1f}",
        gain=percent(top.gain.value),
    )
    return Section.of("decisions", title, blocks, verdict)


def _gain(run: Run, lift: LiftTable) -> Picture:
    say = run.say
    selected = np.array([0.0, *(band.selected for band in lift.bands)])
    gain = np.array([0.0, *(band.gain.value for band in lift.bands)])
    low = np.array([0.0, *(band.gain.low for band in lift.bands)])
    high = np.array([0.0, *(band.gain.high for band in lift.bands)])
    plot = lines(
        {say.drawn("metrics.model"): (selected, gain)},
        say.drawn("decisions.selected"),
        say.drawn("decisions.found"),
        diagonal=True,
        spread=(low, high),
    )
    return drawn(plot, say("decisions.gain_caption", positive=run.positive))


def _profit(run: Run, curve: ProfitCurve) -> Picture:
    say = run.say
    plot = lines(
        {
            say.drawn("metrics.model"): (curve.selected, curve.profit),
            say.drawn("decisions.random"): (curve.selected, curve.random),
        },
        say.drawn("decisions.selected"),
        say.drawn("decisions.profit"),
        spread=(curve.low, curve.high),
        level=0,
    )
    return drawn(plot, say("decisions.profit_caption"))


def _facts(run: Run, table: ThresholdTable) -> Facts:
    say, best, implied = run.say, table.best, table.implied
    saving = table.saving
    return Facts(
        (
            (say("decisions.best"), number(best.threshold), between(*table.best_range)),
            (say("decisions.best_cost"), number(best.cost.value), between(best.cost.low, best.cost.high)),
            (say("decisions.implied"), number(implied.threshold), say("decisions.implied_why")),
            (say("decisions.saving"), number(saving.value), between(saving.low, saving.high)),
        )
    )


def _bands(run: Run, lift: LiftTable) -> Table:
    rows = [
        (
            str(i),
            number(band.lowest),
            percent(band.rate.value),
            f"{band.lift:.2f}",
            percent(band.gain.value),
            percent(band.fpr),
        )
        for i, band in enumerate(lift.bands, 1)
    ]
    header = tuple(run.say("decisions.header", positive=run.positive).split("|"))
    return Table(run.say("decisions.table"), header, tuple(rows))
