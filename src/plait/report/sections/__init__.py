"""The sections of a report: one file each, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from plait.errors import InputError
from plait.report.numbers import count
from plait.report.page import Section
from plait.report.run import Run
from plait.report.sections import (
    calibration,
    cases,
    data,
    decisions,
    drift,
    fairness,
    importance,
    leaks,
    metrics,
    privacy,
    quality,
    reproduction,
    robustness,
    slices,
    splits,
    summary,
)

__all__ = ["SECTIONS", "Write", "heading", "write"]

Write: TypeAlias = Callable[[Run], Section]

SECTIONS: dict[str, Write] = {
    "data": data.section,
    "leaks": leaks.section,
    "splits": splits.section,
    "metrics": metrics.section,
    "calibration": calibration.section,
    "decisions": decisions.section,
    "slices": slices.section,
    "fairness": fairness.section,
    "importance": importance.section,
    "cases": cases.section,
    "robustness": robustness.section,
    "drift": drift.section,
    "quality": quality.section,
    "privacy": privacy.section,
    "reproduction": reproduction.section,
}


def write(run: Run) -> tuple[Section, ...]:
    """All sections of a run; the summary, which is written last, stands first.

    A section that the rows held out cannot answer, being too few or of one class, is the reason for that.
    """
    made = []
    for done, (key, section) in enumerate(SECTIONS.items()):
        title = run.say(f"{key}.title")
        run.progress(title, done, len(SECTIONS))
        try:
            made.append(section(run))
        except InputError as error:
            made.append(Section.absent(key, title, str(error)))
    return (summary.section(run, made), *made)


def heading(run: Run) -> tuple[str, str, str]:
    """What stands above the title of the page, the title, and what stands below."""
    plan, versions = run.record["plan"], run.record["versions"]
    told = {"sources": len(run.schema.sources), "rows": count(run.counts[0]), "version": versions["plait"]}
    return (
        run.say("page.kicker", folder=run.folder.resolve().name),
        run.say("page.title", target=run.target),
        run.say("page.subtitle", fusion=plan["fusion"], **told),
    )
