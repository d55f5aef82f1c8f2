"""The design: what decides, how its parts are joined, and what must not decide."""

from __future__ import annotations

from collections.abc import Iterator

from plait.desks.credit.policy.prohibited import check_columns
from plait.desks.credit.validation.findings import Finding, Part, finding
from plait.desks.credit.validation.run import CreditRun
from plait.report.charts import drawn
from plait.report.network import network_figure
from plait.report.numbers import count, number, percent
from plait.report.page import Block, Code, Facts, Prose, Section, Subheading, Table

__all__ = ["part"]

KEY = "design"


def part(run: CreditRun) -> Part:
    say, desk = run.say, run.desk
    found = tuple(_prohibited(run))
    blocks: list[Block] = [
        Prose(say("design.how")),
        _facts(run),
        Prose(
            say(
                "design.blend",
                gamma=percent(desk.blend.gamma),
                cap=number(desk.blend.cap),
                rows=count(desk.record["blend_rows"]),
            )
        ),
        drawn(network_figure(run.model.model_), say("design.network"), wide=True),
        Subheading(say("design.not_decide")),
        *_kept_out(run),
        Table(say("design.scale"), tuple(say("design.scale_header").split("|")), desk.scale.rows()[1:]),
    ]
    if desk.config.said:
        blocks += [Subheading(say("design.settings")), Code(_settings(run))]
    verdict = say("design.verdict", variables=len(desk.scorecard.variables), sources=len(run.schema.sources))
    return Part(Section.of(KEY, say("design.title"), blocks, verdict), found)


def _facts(run: CreditRun) -> Facts:
    say, desk, record = run.say, run.desk, run.desk.record
    scale = {"odds": f"{desk.points.odds:g}", "pdo": f"{desk.points.pdo:g}"}
    return Facts(
        (
            (say("design.rows"), count(record["rows"]), say("design.bad_rate", share=percent(record["bad_rate"]))),
            (say("design.variables"), count(len(desk.scorecard.variables)), say("design.variables_of")),
            (say("design.sources"), count(len(run.schema.sources)), str(run.record["plan"]["fusion"])),
            (say("design.points"), f"{desk.points.at:g}", say("design.points_of", **scale)),
        )
    )


def _kept_out(run: CreditRun) -> Iterator[Block]:
    """Columns that are there and decide nothing, and those that decide for a stated reason."""
    say, settings = run.say, run.desk.config.prohibited
    rows = [
        (spec.name, say.name("role", spec.role), say("design.kept_out"))
        for spec in run.schema.columns
        if spec.role in ("sensitive", "id", "ignored")
    ]
    rows += [(name, say.name("role", "source"), why) for name, why in settings.allow.items()]
    if rows:
        yield Table(say("design.kept_table"), tuple(say("design.kept_header").split("|")), tuple(rows), left=3)
    yield Prose(say("design.prohibited", regions=", ".join(settings.regions)))


def _prohibited(run: CreditRun) -> Iterator[Finding]:
    settings = run.desk.config.prohibited
    for blocked in check_columns(run.schema, settings, run.train):
        title = blocked.title[run.say.language]
        yield finding(run.say, KEY, "prohibited", column=blocked.column, title=title)
    for name, why in settings.allow.items():
        yield finding(run.say, KEY, "allowed", column=name, why=why)


def _settings(run: CreditRun) -> str:
    import yaml

    said = {name: dict(section) for name, section in run.desk.config.said.items()}
    written: str = yaml.safe_dump(said, allow_unicode=True, sort_keys=False)
    return written.rstrip()
