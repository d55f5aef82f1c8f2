"""How decisions fall on groups of people, by the sensitive columns of the schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from plait.judgement.fairness import Attribute
from plait.report.charts import dots, drawn
from plait.report.numbers import between, count, number, percent
from plait.report.page import Block, Facts, Notice, Pictures, Prose, Section, Subheading, Table
from plait.report.run import Run

__all__ = ["FOUR_FIFTHS", "section"]

FOUR_FIFTHS = 0.8  # 29 CFR 1607.4(D)
RATES = ("favoured", "tpr", "fpr")


def section(run: Run) -> Section:
    say, title = run.say, run.say("fairness.title")
    if run.test is None:
        return Section.absent("fairness", title, say("metrics.none"))
    if not run.schema.names("sensitive"):
        return Section.absent("fairness", title, say("fairness.none"))
    if run.positive is None:
        return Section.absent("fairness", title, say("fairness.two"))
    found = run.fairness
    blocks: list[Block] = [Prose(say("fairness.decision", favourable=found.favourable, positive=run.positive))]
    for attribute in found.attributes:
        blocks += _attribute(run, attribute)
    blocks += [Notice(note) for note in found.notes]
    untold = [each for each in found.attributes if np.isnan(each.ratio.value)]
    unfair = [each for each in found.unfair(FOUR_FIFTHS) if each not in untold]
    if len(untold) == len(found.attributes):
        why = say("fairness.untold", columns=", ".join(each.name for each in untold))
        return Section.absent("fairness", title, why)
    names = ", ".join(each.name for each in unfair)
    told = len(found.attributes) - len(untold)
    verdict = say("fairness.unfair", columns=names) if unfair else say("fairness.fair", columns=told)
    return Section.of("fairness", title, blocks, verdict, list(_watch(run, unfair, untold)))


def _watch(run: Run, unfair: Sequence[Attribute], untold: Sequence[Attribute]) -> Iterator[str]:
    for attribute in unfair:
        ratio = attribute.ratio
        yield run.say(
            "fairness.watch", column=attribute.name, ratio=number(ratio.value), interval=between(ratio.low, ratio.high)
        )
    if untold:
        yield run.say("fairness.untold", columns=", ".join(each.name for each in untold))


def _attribute(run: Run, attribute: Attribute) -> Iterator[Block]:
    say = run.say
    yield Subheading(attribute.name)
    facts = [
        (say.name("gap", key), number(span.value), between(span.low, span.high))
        for key, span in attribute.figures.items()
    ]
    yield Facts(tuple(facts))
    rows = tuple(
        (
            each.name,
            count(each.rows),
            *(percent(each.figures[name].value) for name in RATES),
            number(each.figures["ece"].value),
        )
        for each in attribute.groups
    )
    yield Table(say("fairness.table", column=attribute.name), tuple(say("fairness.header").split("|")), rows)
    shown = attribute.compared
    pictures = []
    if len(shown) > 1:
        spans = [each.figures["favoured"] for each in shown]
        plot = dots(
            [each.name for each in shown],
            [span.value for span in spans],
            [span.low for span in spans],
            [span.high for span in spans],
            say.drawn("fairness.favoured_axis"),
            reference=FOUR_FIFTHS * max(span.value for span in spans),
        )
        pictures.append(drawn(plot, say("fairness.favoured_caption", column=attribute.name)))
    if attribute.proxies:
        proxies = attribute.proxies[:8]
        plot = dots(
            [each.column for each in proxies],
            [each.auc.value for each in proxies],
            [each.auc.low for each in proxies],
            [each.auc.high for each in proxies],
            say.drawn("fairness.proxy_axis"),
            reference=0.5,
            strong=[each.told for each in proxies],
        )
        pictures.append(drawn(plot, say("fairness.proxy_caption", column=attribute.name)))
    yield Pictures(tuple(pictures))
