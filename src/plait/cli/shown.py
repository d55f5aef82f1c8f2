"""What is shown of rows before a fit, and of its plan after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.cli.screen import Screen, clock

if TYPE_CHECKING:
    from plait.contracts import Json, Source
    from plait.data.division import Division
    from plait.data.findings import Finding
    from plait.data.schema import Schema
    from plait.estimators import Classifier, MultiTask, Regressor

__all__ = ["show_plan", "show_schema", "show_sources"]


def show_schema(screen: Screen, data: Path, division: Division[Any], schema: Schema, leaks: Sequence[Finding]) -> None:
    """How many rows there are, what each column is, and what would make figures too good."""
    held = "" if division.test is None else f", {len(division.test):,} to judge"
    show_sources(screen, f"{data}: {len(division.train):,} rows to fit{held}", schema.sources)
    left = [f"{c.name} ({c.role}{': ' + c.why if c.why else ''})" for c in schema.columns if c.role != "source"]
    screen.say("no evidence: " + ", ".join(left))
    for finding in leaks:
        screen.note(str(finding))


def show_sources(screen: Screen, heading: str, sources: Sequence[Source]) -> dict[str, Json]:
    """What is read, under a heading; the columns of each source for a program."""
    screen.heading(heading)
    screen.table([("source", "modality", "columns"), *((s.name, s.modality, ", ".join(s.columns)) for s in sources)])
    return {source.name: list(source.columns) for source in sources}


def show_plan(screen: Screen, estimator: Classifier | Regressor | MultiTask) -> None:
    """What was fitted, how long it took, what a base gave, how far networks got by each source, and which cells could
    not be read."""
    from plait.cli.rows import say_faults

    plan, record = estimator.plan_, estimator.record_
    screen.heading(f"{plan['fusion']} fusion, fitted in {clock(sum(record['seconds'].values()))}")
    if parts := plan.get("parts"):
        columns = list(dict.fromkeys(key for part in parts for key in part))
        screen.table([columns, *([part.get(key) for key in columns] for part in parts)])
    if base := record.get("base"):
        screen.say(f"from the base: what was read of {', '.join(base['rooms'])}")
    for name, told in record.get("training", {}).items():
        if taken := told and told.get("base"):
            encoders = ", ".join(taken["encoders"]) or "none"
            screen.say(f"{name}: encoders of the base: {encoders}; its body {'too' if taken['body'] else 'not'}")
        if unjudged := told and told.get("unjudged"):
            screen.note(f"{name}: no row that tells when to stop has a label of {', '.join(unjudged)}")
        if alone := told and told.get("alone"):
            screen.heading(f"{name}: loss by each source alone")
            each = [(source, losses[0], losses[1], losses[told["best_epoch"]]) for source, losses in alone.items()]
            screen.table([("source", "prior", "first epoch", "epoch kept"), *each])
    if skipped := plan.get("skipped"):
        screen.note(f"the time budget left out {', '.join(skipped)}")
    say_faults(screen, record["faults"])
