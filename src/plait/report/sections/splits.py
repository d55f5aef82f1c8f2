"""The split: which rows were fitted on and which judge, drawn in time."""

from __future__ import annotations

import numpy as np

from plait.report.charts import drawn, timeline
from plait.report.numbers import count, number, percent
from plait.report.page import Block, Facts, Notice, Section, Table
from plait.report.run import Run

__all__ = ["section"]

PERIODS = 36


def section(run: Run) -> Section:
    say, kind = run.say, run.division.kind
    title = say("splits.title")
    if run.test is None:
        return Section.absent("splits", title, say("splits.none"))
    fitted, held = run.counts
    blocks: list[Block] = [
        Facts(
            (
                (say("splits.fit"), count(fitted), _share(run, "train")),
                (say("splits.judge"), count(held), _share(run, "test")),
                (say("splits.left_out"), count(run.left_out), say("splits.left_out_why") if run.left_out else ""),
            )
        )
    ]
    if (seen := (len(run.train), len(run.test))) != run.counts:
        blocks.append(Notice(say("splits.some", fit=count(seen[0]), judge=count(seen[1]))))
    if run.moments is not None:
        blocks += _in_time(run)
    return Section.of("splits", title, blocks, say(f"splits.{kind}", time=run.schema.time, group=run.schema.group))


def _share(run: Run, side: str) -> str:
    """How many of the class whose probability is told, on one side."""
    if run.positive is None:
        return ""
    rows = run.train if side == "train" else run.judged()
    share = float((rows[run.target].astype(str) == run.positive).mean())
    return run.say("splits.share", positive=run.positive, share=percent(share))


def _in_time(run: Run) -> list[Block]:
    say = run.say
    assert run.moments is not None
    fit, judge = run.moments
    low, high = min(fit.min(), judge.min()), max(fit.max(), judge.max())
    edges = np.linspace(low, high + 1e-9 * (high - low), PERIODS + 1)
    counts = {
        say.drawn("splits.fit"): np.histogram(fit, edges)[0].astype(float),
        say.drawn("splits.judge"): np.histogram(judge, edges)[0].astype(float),
    }
    figure = timeline((edges * 1e9).astype("datetime64[ns]") if run.dated else edges, counts, say.drawn("splits.rows"))
    ends = {"fit": _ends(fit, run.dated), "judge": _ends(judge, run.dated)}
    rows = [
        (say("splits.fit"), *ends["fit"], count(len(fit))),
        (say("splits.judge"), *ends["judge"], count(len(judge))),
    ]
    return [
        drawn(figure, say("splits.caption"), wide=True),
        Table(say("splits.table"), tuple(say("splits.header").split("|")), tuple(rows), left=1),
    ]


def _ends(times: np.ndarray, dated: bool) -> tuple[str, str]:
    first, last = float(times.min()), float(times.max())
    if not dated:
        return number(first), number(last)
    return str(np.datetime64(int(first), "s").astype("datetime64[D]")), str(
        np.datetime64(int(last), "s").astype("datetime64[D]")
    )
