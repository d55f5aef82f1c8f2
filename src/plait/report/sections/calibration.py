"""Whether probabilities come true as often as they say: along the scale, against chance, and in time."""

from __future__ import annotations

import numpy as np

from plait.metrics.calibration import CalibrationReport
from plait.metrics.evaluation import MODEL
from plait.report.charts import drawn, histogram, in_time, reliability
from plait.report.numbers import between, number, percent
from plait.report.page import Block, Facts, Picture, Pictures, Prose, Section
from plait.report.run import Run

__all__ = ["section"]


def section(run: Run) -> Section:
    say, title = run.say, run.say("calibration.title")
    if run.test is None:
        return Section.absent("calibration", title, say("metrics.none"))
    if not run.classifies:
        return Section.absent("calibration", title, say("calibration.values"))
    found = run.calibration
    curve = found.curve
    whose = run.positive or say("calibration.top")
    plot = reliability(
        curve.predicted,
        curve.observed,
        curve.low,
        curve.high,
        say.drawn("calibration.predicted"),
        say.drawn("calibration.observed"),
    )
    pictures = [drawn(plot, say("calibration.caption", whose=whose))]
    counts = run.evaluation.curves[MODEL].histogram
    if counts is not None:
        plot = histogram(counts, say.drawn("calibration.predicted"), say.drawn("splits.rows"))
        pictures.append(drawn(plot, say("calibration.histogram")))
    if found.periods and run.dated:
        pictures.append(_periods(run, found))
    blocks: list[Block] = [_facts(run, found), Prose(say("calibration.how")), Pictures(tuple(pictures))]
    noisy = found.ece > found.floor.high
    verdict = say(
        "calibration.off" if noisy else "calibration.on", ece=number(found.ece), floor=number(found.floor.high)
    )
    watch = [verdict] if noisy else []
    missed = sum(not period.holds for period in found.periods)
    if missed > 1:
        watch.append(say("calibration.drifts", missed=missed, periods=len(found.periods)))
    done = run.record.get("calibration")
    blocks.append(Prose(say("calibration.done", method=done["method"]) if done else say("calibration.raw")))
    return Section.of("calibration", title, blocks, verdict, watch)


def _facts(run: Run, found: CalibrationReport) -> Facts:
    say, slope = run.say, found.cox.slope
    return Facts(
        (
            (
                "ECE",
                number(found.ece),
                say("calibration.floor", mean=number(found.floor.mean), high=number(found.floor.high)),
            ),
            (say("calibration.mean"), percent(found.predicted), ""),
            (say("calibration.share"), percent(found.observed.value), between(found.observed.low, found.observed.high)),
            (say("calibration.slope"), number(slope.value), between(slope.low, slope.high)),
        )
    )


def _periods(run: Run, found: CalibrationReport) -> Picture:
    say = run.say
    middle = np.array([(period.begin + period.end) / 2 for period in found.periods])
    plot = in_time(
        (middle * 1e9).astype("datetime64[ns]"),
        [period.predicted for period in found.periods],
        [period.observed for period in found.periods],
        [period.low for period in found.periods],
        [period.high for period in found.periods],
        (say.drawn("calibration.predicted_mean"), say.drawn("calibration.observed")),
    )
    return drawn(plot, say("calibration.time_caption"))
