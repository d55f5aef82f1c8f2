"""How far the decision hangs on each source of evidence, and how often the cap holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.evidence import View
from plait.metrics.classification import roc_auc
from plait.report.charts import bars, drawn
from plait.report.numbers import count, number, percent, signed
from plait.report.page import Block, Facts, Pictures, Prose, Section, Table

__all__ = ["part"]

KEY = "sensitivity"
OFTEN = 0.2  # share of rows beyond which the cap rules, and no longer guards
GREAT = 0.05  # of ROC AUC that hangs on one source beside the application's own columns


@dataclass(frozen=True)
class _Hidden:
    """What hiding a source does to rows: ROC AUC, mean change of points without its sign, share that change grade."""

    auc: float
    moved: float
    regraded: float


def part(run: CreditRun) -> Part:
    say, rows = run.say, run.some
    whole = run.desk.score(rows, run.sides)
    bad = (rows[run.target].to_numpy() == run.desk.bad).astype(np.float64)
    before = float(roc_auc(bad, whole.log_odds)) if 0 < bad.sum() < len(bad) else float("nan")
    hidden = {name: _judged(run, odds, whole.log_odds, whole.grade, bad) for name, odds in without_each(run).items()}
    capped = float(np.average(run.known.scores.capped, weights=run.known.weight))
    adjustment = np.abs(run.known.scores.adjustment)
    table = tuple(
        (name, number(each.auc), signed(each.auc - before), number(each.moved), percent(each.regraded))
        for name, each in sorted(hidden.items(), key=lambda item: -item[1].moved)
    )
    plot = bars([row[0] for row in table], [hidden[row[0]].moved for row in table], say.drawn("sensitivity.axis"))
    blocks: list[Block] = [
        Facts(
            (
                (say("sensitivity.adjusted"), number(float(np.average(adjustment, weights=run.known.weight))), ""),
                (say("sensitivity.capped"), percent(capped), say("sensitivity.cap", cap=number(run.desk.blend.cap))),
            )
        ),
        Prose(say("sensitivity.how", rows=count(len(rows)), auc=number(before))),
        Table(say("sensitivity.table"), tuple(say("sensitivity.header").split("|")), table),
        Pictures((drawn(plot, say("sensitivity.caption")),)),
    ]
    most = table[0][0]
    verdict = say("sensitivity.verdict", source=most, moved=number(hidden[most].moved))
    return Part(Section.of(KEY, say("sensitivity.title"), blocks, verdict), tuple(_found(run, hidden, before, capped)))


def without_each(run: CreditRun) -> Mapping[str, npt.NDArray[np.float64]]:
    """Log-odds of default of the rows in `some` with each source hidden: float64 ``N`` by source.

    Where the source is the scorecard's, the scorecard says what it says of missing cells.
    """
    desk, rows = run.desk, run.some
    batches, card = desk.batches(rows, run.sides), desk.scorecard.log_odds(rows)
    blank = rows.assign(**dict.fromkeys(desk.scorecard.columns))
    own = desk.scorecard.log_odds(blank)
    fitted, rooms, joint = desk.evidence.model_.fitted, desk.evidence.model_.rooms, set(desk.tabular)
    sign = 1.0 if run.bad_class == 1 else -1.0
    told = {}
    for i, source in enumerate(desk.schema.sources):
        present = np.arange(len(desk.schema.sources)) != i
        evidence = sign * fitted.score(View(batches, rooms, present))[:, 0]
        told[source.name] = desk.blend.log_odds(own if joint & set(source.columns) else card, evidence).log_odds
    return told


def _judged(
    run: CreditRun,
    odds: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
    grade: npt.NDArray[np.int64],
    bad: npt.NDArray[np.float64],
) -> _Hidden:
    area = float(roc_auc(bad, odds)) if 0 < bad.sum() < len(bad) else float("nan")
    points = run.desk.points
    moved = float(np.abs(points.of(odds) - points.of(before)).mean())
    now = run.desk.scale.assign(1 / (1 + np.exp(-odds)))
    return _Hidden(area, moved, float((now != grade).mean()))


def _found(run: CreditRun, hidden: Mapping[str, _Hidden], before: float, capped: float) -> list[Finding]:
    found = []
    if capped > OFTEN:
        found.append(finding(run.say, KEY, "capped", share=percent(capped)))
    own = set(run.desk.tabular)  # what every applicant fills in
    for source in run.schema.sources:
        lost = before - hidden[source.name].auc
        if lost > GREAT and not own & set(source.columns):
            found.append(finding(run.say, KEY, "alone", source=source.name, lost=number(lost)))
    return found
