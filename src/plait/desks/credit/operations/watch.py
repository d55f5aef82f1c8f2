"""``watch``: new evidence on borrowers, day by day, to a few alerts in a ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.monitoring.watch import WatchReport

__all__ = ["OPERATION", "WatchRequest", "WatchResult"]


@dataclass(frozen=True)
class WatchRequest:
    """Borrowers by date, with the past of each, and what makes an alert."""

    rows: Rows = asked("rows", "A row a borrower and date, each borrower's past among them.")
    id: str = asked("string", "The borrower of a row.", shown="COLUMN")
    date: str = asked("string", "The day at whose end the row was known.", shown="COLUMN")
    output: Path | None = asked("file", "The ledger: read, and added to; JSON lines.", default=None, short="o")
    columns: Mapping[str, str] = asked(
        "entries",
        "Where evidence stands, where not in columns of these names: balance, salary, utilisation, overdrafts, "
        "days_past_due, note.",
        default={},
        shown="EVIDENCE=COLUMN",
    )
    terms: Mapping[str, str] = asked(
        "entries", "Own words of trouble: 1, 2 or 3; 0: ignore.", default={}, shown="WORD=N"
    )
    model: CreditModel | None = asked(
        "fitted", "Falls of this model's score are signals, too.", default=None, shown="RUN", leading=False
    )
    fall: float = asked("number", "Points of such a fall.", default=20.0, least=1)
    most: int = asked("count", "Alerts a day, at most.", default=10, least=1)
    least: float = asked("number", "Priority from which there is an alert.", default=1.5, least=0)
    again: int = asked("count", "Days without a second alert, unless it is a step graver.", default=60, least=0)
    until: str | None = asked("string", "Later rows are not looked at.", default=None, shown="DATE")


@dataclass(frozen=True)
class WatchResult:
    """What is new, and the ledger that it was added to."""

    report: WatchReport
    output: Path | None = None
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        told = (
            [] if self.output is None else [f"{len(self.report.ledger.alerts):,} entries in the ledger: {self.output}"]
        )
        return "\n".join([str(self.report), *told, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        file = None if self.output is None else str(self.output)
        return {**self.report.to_json(), "file": file, "notes": list(self.notes)}

    def frame(self) -> pd.DataFrame:
        """A row for each new entry."""
        return self.report.frame()


def run(request: WatchRequest, report: Callable[[Progress], None]) -> WatchResult:
    """Look at new evidence, and add what is new to the ledger."""
    from plait.data.asof import sides
    from plait.data.files import check_file
    from plait.desks.credit.monitoring.alerts import AlertPolicy, Ledger
    from plait.desks.credit.monitoring.watch import watch

    if request.output is not None:
        check_file(request.output)
    ledger = Ledger() if request.output is None else Ledger.read(request.output)
    report(Progress("looking at borrowers", 0, len(request.rows)))
    found = watch(
        request.rows.frame,
        id=request.id,
        date=request.date,
        columns=request.columns,
        terms=request.terms,
        model=request.model,
        fall=request.fall,
        sides=None if request.model is None else sides(request.model.schema, request.rows.sides),
        policy=AlertPolicy(most=request.most, least=request.least, again=request.again),
        ledger=ledger,
        until=request.until,
    )
    if request.output is not None:
        found.ledger.write(request.output)
    notes = ("the ledger's last line had broken off and was left out",) if ledger.torn else ()
    return WatchResult(found, request.output, notes)


OPERATION = Operation(
    name="watch",
    request=WatchRequest,
    run=run,
    summary="Early warning: signals of trouble in borrowers' balances, payments and news, to a few alerts a day.\n\n"
    "An alert asks a person to look; it decides nothing. Running a day twice adds nothing.",
    effect="acts",
    policies=("early warning",),
    example={"rows": "borrowers.parquet", "id": "borrower", "date": "month", "output": "watch.jsonl"},
)
