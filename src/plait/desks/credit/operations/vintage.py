"""``vintage``: cumulative defaults by when loans were opened and how old they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.monitoring.vintages import Period, VintageReport

__all__ = ["OPERATION", "VintageRequest", "VintageResult"]


@dataclass(frozen=True)
class VintageRequest:
    """Loans, a row each (when opened, defaulted, closed), or a panel (a row a loan and month, bad or not)."""

    rows: Rows = asked("rows", "Loans, or a panel of loans.")
    opened: str | None = asked("string", "When a loan was opened; of a panel: by default its first row.", default=None)
    defaulted: str | None = asked("string", "When it defaulted; empty: it has not.", default=None, shown="COLUMN")
    closed: str | None = asked("string", "When it was paid off; empty: it is not.", default=None, shown="COLUMN")
    as_of: str | None = asked("string", "The day up to which all is known.", default=None, shown="DATE")
    id: str | None = asked("string", "Of a panel: the loan of a row.", default=None, shown="COLUMN")
    date: str | None = asked("string", "Of a panel: the date of a row.", default=None, shown="COLUMN")
    bad: str | None = asked("string", "Of a panel: 1 from default on, else 0.", default=None, shown="COLUMN")
    by: Period = asked("choice", "What one cohort is.", default="quarter", choices=("month", "quarter", "year"))
    age: int | None = asked("count", "Months on book at which cohorts are compared.", default=None, least=1)
    output: Path | None = asked("folder", "Folder for vintages.csv and pictures.", default=None, short="o")


@dataclass(frozen=True)
class VintageResult:
    """Vintages, and the files written."""

    report: VintageReport
    files: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return "\n".join([str(self.report), *(f"written: {path}" for path in self.files)])

    def to_json(self) -> Json:
        return {**self.report.to_json(), "files": [str(path) for path in self.files]}

    def frame(self) -> pd.DataFrame:
        """A row a cohort and age."""
        return self.report.frame()


def run(request: VintageRequest, report: Callable[[Progress], None]) -> VintageResult:
    """Follow loans by cohort.

    Raises
    ------
    ConfigError
        If columns of loans and of a panel are mixed, or one is missing.
    """
    from plait.data.files import made_folder
    from plait.data.read import write_frame
    from plait.desks.credit.monitoring.book import loans, panel
    from plait.desks.credit.monitoring.vintages import vintages

    frame, ends = request.rows.frame, (request.defaulted, request.closed, request.as_of)
    if request.id and request.date and request.bad and not any(ends):
        spells = panel(frame, request.id, request.date, request.bad, request.opened)
    elif request.opened and request.defaulted and not (request.id or request.date or request.bad):
        spells = loans(frame, request.opened, request.defaulted, request.closed, request.as_of)
    else:
        raise ConfigError(
            "say --opened and --defaulted (and --closed, --as-of) of loans, or --id, --date and --bad of a panel"
        )
    report(Progress("following loans", 0, len(spells)))
    found = vintages(spells, by=request.by, age=request.age)
    files: tuple[Path, ...] = ()
    if request.output is not None:
        into = made_folder(request.output)
        write_frame(found.frame(), into / "vintages.csv")
        files = (into / "vintages.csv", *found.draw(into))
    return VintageResult(found, files)


OPERATION = Operation(
    name="vintage",
    request=VintageRequest,
    run=run,
    summary="Vintages: cumulative defaults by month of opening and months on book, young cohorts made comparable.",
    effect="reads",
    example={"rows": "loans.parquet", "opened": "opened", "defaulted": "defaulted_at", "closed": "closed_at"},
)
