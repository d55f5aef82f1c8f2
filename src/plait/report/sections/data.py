"""The data: what each column is, what is missing, and which cells could not be read."""

from __future__ import annotations

from plait.report.charts import bars, drawn
from plait.report.numbers import count, percent
from plait.report.page import Block, Facts, Pictures, Prose, Section, Table
from plait.report.run import Run

__all__ = ["section"]

COLUMNS = 60  # shown
BARS = 16


def section(run: Run) -> Section:
    say, found, data = run.say, run.inspection, run.record["data"]
    reports = {report.name: report for report in found.columns}
    missing = sorted(((r.missing, r.name) for r in found.columns if r.missing and r.role == "source"), reverse=True)
    facts = [
        (say("data.rows"), count(data["rows"]), say("data.held", rows=count(data["test_rows"]))),
        (say("data.columns"), count(len(found.columns)), ""),
        (say("data.sources"), count(len(run.schema.sources)), ""),
    ]
    facts += _target(run)
    sources = [(source.name, source.modality, ", ".join(source.columns)) for source in run.schema.sources]
    blocks: list[Block] = [
        Facts(tuple(facts)),
        Table(say("data.source_table"), tuple(say("data.source_header").split("|")), tuple(sources), left=3),
        Table(
            say("data.column_table"),
            tuple(say("data.column_header").split("|")),
            tuple(
                (r.name, say.name("role", r.role), percent(r.missing), "" if r.distinct is None else count(r.distinct))
                for r in list(reports.values())[:COLUMNS]
            ),
            left=2,
        ),
    ]
    if len(reports) > COLUMNS:
        blocks.append(Prose(say("data.more", columns=len(reports) - COLUMNS)))
    if missing:
        shown = missing[:BARS]
        figure = bars([name for _, name in shown], [100 * share for share, _ in shown], say.drawn("data.missing_axis"))
        blocks.append(Pictures((drawn(figure, say("data.missing_caption")),)))
    blocks.append(Prose(say("data.origin", path=data["path"], digest=data["sha256"])))
    return Section.of("data", say("data.title"), blocks, say("data.verdict", missing=len(missing)))


def _target(run: Run) -> list[tuple[str, str, str]]:
    if run.positive is None:
        return []
    share = float((run.frame[run.target].astype(str) == run.positive).mean())
    return [(run.say("data.positives", positive=run.positive), percent(share), run.say("data.all_rows"))]
