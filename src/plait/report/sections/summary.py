"""The verdict: what the model does, how good it is beside the obvious, and what to watch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.metrics.evaluation import Comparison, Figure
from plait.report.numbers import between, count, number
from plait.report.page import Block, Facts, Listing, Notice, Section, Subheading
from plait.report.run import Run

__all__ = ["section"]

CLASS, VALUE = "roc_auc", "rmse"  # the figure that stands for a model
FACTS = {"class": ("roc_auc", "pr_auc", "log_loss", "ece"), "value": ("rmse", "mae", "r2", "spearman")}


def section(run: Run, others: Sequence[Section]) -> Section:
    say = run.say
    blocks: list[Block] = [Listing(tuple(_lines(run)[1:]))]
    if run.test is not None:
        blocks.append(Facts(tuple(_facts(run))))
    refused = run.record.get("refused")
    watch = [say("summary.refused", why=refused)] if refused else []
    watch += [line for other in others for line in other.watch]
    blocks.append(Subheading(say("summary.watch")))
    if watch:
        blocks += [Notice(line, "watch") for line in watch]
    else:
        blocks.append(Notice(say("summary.nothing"), "good"))
    absent = [other.title for other in others if not other.applies]
    if absent:
        blocks.append(Notice(say("summary.absent", sections=", ".join(absent))))
    return Section.of("summary", say("summary.title"), blocks, _lines(run)[0])


def _lines(run: Run) -> list[str]:
    say, sources = run.say, run.schema.sources
    what = {"target": run.target, "rows": count(run.counts[0])}
    if run.positive is not None:
        does = say("summary.binary", positive=run.positive, **what)
    elif run.classifies:
        classes = run.classes
        does = say("summary.multiclass", classes=0 if classes is None else len(classes), **what)
    else:
        does = say("summary.value", **what)
    names = ", ".join(source.name for source in sources)
    lines = [does, say("summary.sources", count=len(sources), names=names)]
    if run.test is None:
        return [*lines, say("metrics.none")]
    lines.append(say(f"summary.split_{run.division.kind}", rows=count(run.counts[1])))
    return [*lines, _good(run), *_beside(run)]


def _good(run: Run) -> str:
    figure = run.evaluation[CLASS if run.classifies else VALUE]
    name = run.say.name("metric", figure.metric)
    return run.say("summary.good", metric=name, value=number(figure.value), interval=between(figure.low, figure.high))


def _beside(run: Run) -> list[str]:
    """Against the strongest baseline, in words."""
    figure = run.evaluation[CLASS if run.classifies else VALUE]
    rivals = {name: each for name, each in figure.baselines.items() if not np.isnan(each.value)}
    if not rivals:
        return []
    sign = 1 if figure.higher_is_better else -1
    name, rival = max(rivals.items(), key=lambda item: sign * item[1].value)
    told = run.say(
        f"summary.{_verdict(figure, rival)}",
        baseline=run.say.name("baseline", name),
        value=number(rival.value),
        difference=number(abs(rival.difference)),
        interval=between(rival.difference_low, rival.difference_high),
    )
    return [told]


def _verdict(figure: Figure, rival: Comparison) -> str:
    if np.isnan(rival.difference_low) or rival.difference_low <= 0 <= rival.difference_high:
        return "equal"
    return "better" if (rival.difference_low > 0) == figure.higher_is_better else "worse"


def _facts(run: Run) -> list[tuple[str, str, str]]:
    found = run.evaluation
    return [
        (run.say.name("metric", figure.metric), number(figure.value), between(figure.low, figure.high))
        for name in FACTS[found.kind]
        for figure in found.figures
        if figure.metric == name
    ]
