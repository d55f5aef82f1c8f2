"""``export``: a scorecard as SQL that scores rows where they lie, or as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plait.contracts import Json, Operation, Progress, asked

__all__ = ["OPERATION", "ExportRequest", "ExportResult"]

FORMS = ("json", "sql")


@dataclass(frozen=True)
class ExportRequest:
    """A scorecard, and what to write it as."""

    scorecard: Path = asked("file", "A run's folder, or a scorecard.json.", shown="RUN", leading=True)
    output: Path = asked("file", "The file to write.", short="o")
    to: str = asked("choice", "What to write.", choices=FORMS)
    key: tuple[str, ...] = asked("names", "SQL: columns that stand before the points.", default=())


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    form: str
    variables: tuple[str, ...]
    output: Path

    def __str__(self) -> str:
        return f"scorecard of {len(self.variables)} variables, as {self.form.upper()}: {self.output}"

    def to_json(self) -> Json:
        return {"form": self.form, "variables": list(self.variables), "file": str(self.output)}


def run(request: ExportRequest, report: Callable[[Progress], None]) -> ExportResult:
    """Read the scorecard and write it anew."""
    from plait.desks.credit.scorecard.export import read_scorecard, write_scorecard
    from plait.errors import ConfigError

    if request.key and request.to != "sql":
        raise ConfigError("--key names columns of the SQL's result; leave it out for JSON")
    place = Path(request.scorecard)
    if place.is_dir():
        from plait.desks.credit.model import load

        scorecard = load(place).scorecard
    else:
        scorecard = read_scorecard(place)
    write_scorecard(scorecard, request.output, request.to, keys=request.key)
    return ExportResult(request.to, tuple(each.name for each in scorecard.variables), Path(request.output))


OPERATION = Operation(
    name="export",
    request=ExportRequest,
    run=run,
    summary="Write a scorecard as SQL that scores rows where they lie, or as JSON.",
    effect="acts",
    example={"scorecard": "runs/credit", "to": "sql", "output": "scorecard.sql"},
)
