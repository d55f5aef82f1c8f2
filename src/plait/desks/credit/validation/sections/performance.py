"""How well the desk ranks: scorecard, evidence and blend beside baselines, and by period."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.metrics.evaluation import Comparison
from plait.metrics.slices import Slice
from plait.report.charts import dots, drawn
from plait.report.numbers import between, count, number, signed
from plait.report.page import Block, Facts, Picture, Pictures, Prose, Section, Table

__all__ = ["part"]

KEY = "performance"
AREA = "roc_auc"
LOST = 0.005  # of ROC AUC that a blend may give up against its best part


def part(run: CreditRun) -> Part:
    say, found = run.say, run.figures
    blend, card = found.standings["blend"], found.standings["scorecard"]
    periods = _periods(run)
    pictures = [_members(run)] + ([_in_time(run, periods)] if len(periods) > 1 else [])
    blocks: list[Block] = [
        Facts(
            (
                ("ROC AUC", number(blend.roc_auc.value), between(blend.roc_auc.low, blend.roc_auc.high)),
                ("Gini", number(blend.gini.value), between(blend.gini.low, blend.gini.high)),
                ("KS", number(blend.ks.value), between(blend.ks.low, blend.ks.high)),
            )
        ),
        _table(run),
        Prose(say("performance.how")),
        Pictures(tuple(pictures)),
    ]
    lift = card.beyond
    verdict = say(
        "performance.verdict",
        blend=number(blend.roc_auc.value),
        card=number(card.roc_auc.value),
        lift="" if lift is None else signed(lift.value),
        interval="" if lift is None else between(lift.low, lift.high),
    )
    return Part(Section.of(KEY, say("performance.title"), blocks, verdict), tuple(_found(run, periods)))


def _found(run: CreditRun, periods: list[Slice]) -> Iterator[Finding]:
    say, standings = run.say, run.figures.standings
    auc = standings["blend"].roc_auc
    if not auc.low > 0.5:
        yield finding(say, KEY, "ranks", value=number(auc.value), interval=between(auc.low, auc.high))
    for name, rival in _baselines(run).items():
        if rival.difference_high < 0:
            interval = between(rival.difference_low, rival.difference_high)
            yield finding(say, KEY, "baseline", name=say.name("baseline", name), interval=interval)
    best = max(("scorecard", "evidence"), key=lambda name: standings[name].roc_auc.value)
    beyond = standings[best].beyond
    if beyond is not None and beyond.low < -LOST:
        told = {"value": signed(beyond.value), "interval": between(beyond.low, beyond.high)}
        yield finding(say, KEY, "best_part", name=say(f"member.{best}"), bound=number(LOST), **told)
    for each in periods:
        if each.verdict == "worse":
            told = {"value": number(each.figure.value), "rest": number(each.rest)}
            yield finding(say, KEY, "period", period=each.value, **told)


def _baselines(run: CreditRun) -> dict[str, Comparison]:
    """Those with a figure, each against the blend: `difference` is the blend's less theirs."""
    return {name: each for name, each in run.evaluation[AREA].baselines.items() if not np.isnan(each.difference_low)}


def _table(run: CreditRun) -> Table:
    say = run.say
    rows = []
    for name, each in run.figures.standings.items():
        beyond = each.beyond
        lift = ("", "") if beyond is None else (signed(beyond.value), between(beyond.low, beyond.high))
        auc = each.roc_auc
        figures = (number(auc.value), between(auc.low, auc.high), number(each.gini.value), number(each.ks.value))
        rows.append((say(f"member.{name}"), *figures, *lift))
    for name, rival in _baselines(run).items():
        told = (signed(rival.difference), between(rival.difference_low, rival.difference_high))
        gini = number(2 * rival.value - 1)
        rows.append((say.name("baseline", name), number(rival.value), "", gini, "", *told))
    return Table(
        say("performance.table", rows=count(run.figures.rows)), _header(run, "performance.header"), tuple(rows)
    )


def _members(run: CreditRun) -> Picture:
    standings = run.figures.standings
    areas = [each.roc_auc for each in standings.values()]
    plot = dots(
        [run.say.drawn(f"member.{name}") for name in standings],
        [area.value for area in areas],
        [area.low for area in areas],
        [area.high for area in areas],
        run.say.drawn_name("metric", AREA),
    )
    return drawn(plot, run.say("performance.members"))


def _periods(run: CreditRun) -> list[Slice]:
    """Stretches of equally many rows held out, where rows have a time."""
    time = run.schema.time
    if time is None or not run.dated:
        return []
    return [each for each in run.told.slices([time]).slices if each.column == time and not np.isnan(each.figure.value)]


def _in_time(run: CreditRun, periods: list[Slice]) -> Picture:
    plot = dots(
        [each.value for each in periods],
        [each.figure.value for each in periods],
        [each.figure.low for each in periods],
        [each.figure.high for each in periods],
        run.say.drawn_name("metric", AREA),
        reference=run.figures.standings["blend"].roc_auc.value,
        strong=[bool(each.verdict) for each in periods],
    )
    return drawn(plot, run.say("performance.periods"))


def _header(run: CreditRun, key: str) -> tuple[str, ...]:
    return tuple(run.say(key).split("|"))
