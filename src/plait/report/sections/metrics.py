"""How good the model is on rows it has not seen, beside baselines on the same rows."""

from __future__ import annotations

import numpy as np

from plait.metrics.evaluation import MODEL, Curves, Evaluation, Figure
from plait.report.charts import cloud, dots, drawn, lines
from plait.report.numbers import between, count, number, percent
from plait.report.page import Block, Notice, Picture, Pictures, Prose, Section, Table
from plait.report.run import Run

__all__ = ["section"]

TOLD = ("roc_auc", "log_loss", "rmse", "r2")  # in the verdict
CLASSES = 12  # shown in the confusion table


def section(run: Run) -> Section:
    say, title = run.say, run.say("metrics.title")
    if run.test is None:
        return Section.absent("metrics", title, say("metrics.none"))
    found = run.evaluation
    blocks: list[Block] = [_table(run, found), Prose(say("metrics.marks", resamples=count(found.resamples)))]
    pictures = [*_curves(run, found), _differences(run, found)]
    blocks.append(Pictures(tuple(pictures)))
    if found.confusion is not None and found.classes is not None and len(found.classes) <= CLASSES:
        blocks.append(_confusion(run, found))
    blocks += [Notice(note) for note in found.notes]
    return Section.of(
        "metrics",
        title,
        blocks,
        _verdict(run, found),
        _watch(run, found),
    )


def _verdict(run: Run, found: Evaluation) -> str:
    """The figures that come first, in words."""
    told = [
        f"{run.say.name('metric', figure.metric)} {number(figure.value)} {between(figure.low, figure.high)}"
        for figure in found.figures
        if figure.metric in TOLD
    ]
    return run.say("metrics.verdict", rows=count(found.n), figures=", ".join(told))


def _table(run: Run, found: Evaluation) -> Table:
    say = run.say
    header = (say("metrics.metric"), say("metrics.model"), say("metrics.interval"))
    names = [say.name("baseline", name) for name in found.baselines]
    rows = []
    for figure in found.figures:
        others = [f"{number(c.value)}{_mark(figure, name)}" for name, c in figure.baselines.items()]
        rows.append(
            (say.name("metric", figure.metric), number(figure.value), between(figure.low, figure.high), *others)
        )
    return Table(say("metrics.table"), (*header, *names), tuple(rows))


def _mark(figure: Figure, name: str) -> str:
    """What the paired interval of the difference says of a baseline: worse than the model, better, or neither."""
    other = figure.baselines[name]
    low, high = other.difference_low, other.difference_high
    if np.isnan(low) or low <= 0 <= high:
        return " ="
    return " ▾" if (low > 0) == figure.higher_is_better else " ▴"


def _differences(run: Run, found: Evaluation) -> Picture:
    """How far the model is ahead of each baseline, of the figure that ranks or measures."""
    say = run.say
    figure = found.figures[0]
    sign = 1 if figure.higher_is_better else -1
    named = [(say.drawn_name("baseline", name), each) for name, each in figure.baselines.items()]
    ends = [sorted((sign * each.difference_low, sign * each.difference_high)) for _, each in named]
    metric = say.name("metric", figure.metric)
    plot = dots(
        [name for name, _ in named],
        [sign * each.difference for _, each in named],
        [low for low, _ in ends],
        [high for _, high in ends],
        say.drawn("metrics.ahead_axis", metric=say.drawn_name("metric", figure.metric)),
        reference=0,
        strong=[low > 0 for low, _ in ends],
    )
    return drawn(plot, say("metrics.ahead_caption", metric=metric))


def _curves(run: Run, found: Evaluation) -> list[Picture]:
    say, made = run.say, []
    named = {MODEL: say.drawn("metrics.model"), **{n: say.drawn_name("baseline", n) for n in found.baselines}}
    own = found.curves[MODEL]
    rocs = {named[n]: (c.roc.fpr, c.roc.tpr) for n, c in _model_first(found) if c.roc is not None and n != "constant"}
    if own.roc is not None:
        plot = lines(rocs, say.drawn("metrics.fpr"), say.drawn("metrics.tpr"), diagonal=True)
        made.append(drawn(plot, say("metrics.roc_caption", value=number(found["roc_auc"].value))))
    prs = {
        named[n]: (c.pr.recall, c.pr.precision) for n, c in _model_first(found) if c.pr is not None and n != "constant"
    }
    if own.pr is not None and found.confusion is not None:
        share = float(found.confusion[1].sum() / found.confusion.sum())
        plot = lines(
            prs, say.drawn("metrics.recall"), say.drawn("metrics.precision"), steps=True, level=share, top=1.02
        )
        made.append(drawn(plot, say("metrics.pr_caption", share=percent(share))))
    if own.scatter is not None:
        made.append(_scatter(run, found))
    return made


def _scatter(run: Run, found: Evaluation) -> Picture:
    scatter = found.curves[MODEL].scatter
    assert scatter is not None
    plot = cloud(scatter.predicted, scatter.actual, run.say.drawn("metrics.predicted"), run.say.drawn("metrics.actual"))
    return drawn(plot, run.say("metrics.scatter_caption", rows=len(scatter.predicted)))


def _model_first(found: Evaluation) -> list[tuple[str, Curves]]:
    return [(MODEL, found.curves[MODEL]), *((name, found.curves[name]) for name in found.baselines)]


def _confusion(run: Run, found: Evaluation) -> Table:
    say = run.say
    assert found.confusion is not None
    assert found.classes is not None
    names = [str(name) for name in found.classes]
    header = (say("metrics.true_class"), *(say("metrics.predicted_as", name=name) for name in names))
    rows = [(name, *(count(cell) for cell in row)) for name, row in zip(names, found.confusion, strict=True)]
    return Table(say("metrics.confusion"), header, tuple(rows))


def _watch(run: Run, found: Evaluation) -> list[str]:
    """Baselines that the model does not beat, in the figure that stands first."""
    figure = found.figures[0]
    level = [run.say.name("baseline", name) for name in figure.baselines if _mark(figure, name) != " ▾"]
    if not level:
        return []
    return [run.say("metrics.watch", metric=run.say.name("metric", figure.metric), baselines=", ".join(level))]
