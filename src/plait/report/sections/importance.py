"""What the model rests on over all rows: sources, columns, how the prediction follows them, and how it is built."""

from __future__ import annotations

from plait.explain.importance import Worth
from plait.report.charts import curve, dots, drawn
from plait.report.masking import masked_text
from plait.report.network import network_figure
from plait.report.numbers import between, number, percent
from plait.report.page import Block, Picture, Pictures, Prose, Section, Subheading, Table
from plait.report.run import Run

__all__ = ["section"]

COLUMNS = 12  # shown
FEWEST = 40  # rows that a tree is grown on
FOLLOWED = 4  # columns whose effect is drawn


def section(run: Run) -> Section:
    say, title = run.say, run.say("importance.title")
    if run.test is None:
        return Section.absent("importance", title, say("metrics.none"))
    found = run.importance
    sources = [worth for worth in found.worths if worth.kind == "source"]
    columns = [worth for worth in found.worths if worth.kind == "column"]
    pictures = [_worths(run, sources, "source")]
    if columns:
        pictures.append(_worths(run, columns[:COLUMNS], "column"))
    blocks: list[Block] = [Pictures(tuple(pictures)), Prose(say("importance.how", rows=found.rows))]
    blocks.append(_table(run, [*sources, *columns[:COLUMNS]]))
    followed = _followed(run, [worth.name for worth in columns if worth.name not in run.hidden][:FOLLOWED])
    if followed:
        blocks += [Subheading(say("importance.follow")), Pictures(tuple(followed))]
    blocks += _rules(run)
    blocks += [
        Subheading(say("importance.built")),
        drawn(network_figure(run.model.model_), say("importance.built_caption"), wide=True),
    ]
    sure = [worth.name for worth in sources if worth.low > 0]
    first = max(sources, key=lambda worth: worth.value).name
    verdict = say("importance.verdict", first=first, sure=", ".join(sure) or say("importance.nothing"))
    useless = [worth.name for worth in sources if worth.high < 0]
    watch = [say("importance.watch", sources=", ".join(useless))] if useless else []
    return Section.of("importance", title, blocks, verdict, watch)


def _worths(run: Run, worths: list[Worth], kind: str) -> Picture:
    say = run.say
    plot = dots(
        [worth.name for worth in worths],
        [worth.value for worth in worths],
        [worth.low for worth in worths],
        [worth.high for worth in worths],
        say.drawn("importance.axis"),
        reference=0,
        strong=[worth.low > 0 for worth in worths],
    )
    return drawn(plot, say(f"importance.{kind}_caption"))


def _table(run: Run, worths: list[Worth]) -> Table:
    say = run.say
    rows = tuple(
        (worth.name, say(f"importance.{worth.kind}"), number(worth.value), between(worth.low, worth.high))
        for worth in worths
    )
    return Table(say("importance.table"), tuple(say("importance.header").split("|")), rows, left=2)


def _followed(run: Run, names: list[str]) -> list[Picture]:
    """How the mean prediction follows the columns that count most."""
    say, made = run.say, []
    outputs = None if run.classes is None or len(run.classes) == 2 else run.classes[0]
    y = say.drawn("importance.prediction")
    for name in names:
        found = run.model.partial_dependence(run.some, name, sides=run.sides, outputs=outputs, points=12)
        plot = curve(found.points, found.mean, found.error, name, y, dates=found.dates)
        made.append(drawn(plot, say("importance.follow_caption", column=name)))
    return made


def _rules(run: Run) -> list[Block]:
    """A small tree that says almost the same, as sentences."""
    say = run.say
    outputs = None if run.classes is None or len(run.classes) == 2 else run.classes[0]
    if len(run.some) < FEWEST:
        return []
    found = run.model.surrogate(run.some, sides=run.sides, outputs=outputs)
    rows = tuple((_shown(run, rule), number(prediction), percent(share)) for rule, prediction, share in found.rules())
    table = Table(
        say("importance.rules", share=percent(found.fidelity)), tuple(say("importance.rule_header").split("|")), rows
    )
    return [Subheading(say("importance.tree")), table]


def _shown(run: Run, rule: str) -> str:
    return rule if run.asked.show_personal else masked_text(rule)
