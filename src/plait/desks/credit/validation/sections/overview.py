"""In short: what the desk does, a light for every section, and all that was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plait.desks.credit.validation.findings import Finding, Light, Part, light
from plait.desks.credit.validation.run import CreditRun
from plait.report.canvas import axes_of
from plait.report.charts import drawn
from plait.report.numbers import between, count, number, percent
from plait.report.page import Block, Facts, Listing, Notice, Picture, Section, Subheading, Table

__all__ = ["part"]

KEY = "summary"
COLOURS = {"red": "#D55E00", "amber": "#E69F00", "green": "#009E73", "grey": "#C4C9CE"}
MARKS = {"red": "X", "amber": "^", "green": "o", "grey": "_"}  # told apart without colour, too
COLUMNS = 3


def part(run: CreditRun, others: Sequence[Section], findings: Sequence[Finding]) -> Part:
    """The first section, over those that were written before it."""
    say, desk = run.say, run.desk
    blend = run.figures.standings["blend"]
    red = sum(each.severity == "red" for each in findings)
    lights = {each.key: light(each, findings) for each in others}
    titles = {each.key: each.title for each in others}
    does = say(
        "pack.does",
        target=run.target,
        bad=desk.bad,
        sources=len(run.schema.sources),
        names=", ".join(source.name for source in run.schema.sources),
    )
    rows = say(f"summary.split_{run.division.kind}", rows=count(run.figures.rows))
    blocks: list[Block] = [
        Listing((does, rows)),
        Facts(
            (
                ("ROC AUC", number(blend.roc_auc.value), between(blend.roc_auc.low, blend.roc_auc.high)),
                (say("pack.expected"), percent(run.figures.mean_pd), ""),
                (say("pack.came"), percent(run.figures.bad_rate), ""),
                (say("pack.grades"), count(len(desk.scale)), ""),
            )
        ),
        Subheading(say("pack.lights")),
        _lights(run, lights),
        Subheading(say("pack.findings")),
    ]
    if findings:
        ranked = sorted(findings, key=lambda each: each.severity != "red")
        table = tuple(
            (say(f"light.{each.severity}"), titles[each.section], say(f"rule.{each.rule}"), each.told)
            for each in ranked
        )
        blocks.append(Table(say("pack.table"), tuple(say("pack.header").split("|")), table, left=4))
    else:
        blocks.append(Notice(say("summary.nothing"), "good"))
    blocks.append(Notice(say("pack.sign_off")))
    verdict = say("pack.verdict_red" if red else "pack.verdict", red=red, amber=len(findings) - red)
    return Part(Section.of(KEY, say("summary.title"), blocks, verdict))


def _lights(run: CreditRun, lights: Mapping[str, Light]) -> Picture:
    """A mark for each section, in columns."""
    say, high = run.say, -(-len(lights) // COLUMNS)
    figure, axes = axes_of(7.8, 0.3 + 0.27 * high)
    for i, (key, colour) in enumerate(lights.items()):
        x, y = divmod(i, high)
        axes.plot(x, -y, marker=MARKS[colour], color=COLOURS[colour], markersize=8, linestyle="")
        axes.text(x + 0.06, -y, say.drawn(f"{key}.title"), va="center", fontsize=8.5)
    axes.set(xlim=(-0.05, COLUMNS - 0.05), ylim=(0.4 - high, 0.6))
    axes.set_axis_off()
    told = "; ".join(f"{say(f'{key}.title')}: {say(f'light.{colour}')}" for key, colour in lights.items())
    return drawn(figure, say("pack.lights_caption"), told, wide=True)
