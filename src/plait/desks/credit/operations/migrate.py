"""``migrate``: how grades moved in a panel, and what that means for defaults years ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.migration import Migration

__all__ = ["OPERATION", "MigrateRequest", "MigrateResult"]


@dataclass(frozen=True)
class MigrateRequest:
    """A panel of grades: a row for each entity and date, in any order."""

    rows: Rows = asked("rows", "The panel: a row for each entity and date.", shown="PANEL")
    id: str = asked("string", "Who is graded.", shown="COLUMN")
    date: str = asked("string", "When: moments, or numbers such as 202412.", shown="COLUMN")
    grade: str = asked("string", "The grade; empty, NR or WR is withdrawn.", shown="COLUMN")
    order: tuple[str, ...] = asked(
        "names", "Grades, best first; told from numbers or letters if not given.", default=()
    )
    defaulted: tuple[str, ...] = asked("names", "What stands for default; by default D.", default=("D",))
    gap: int = asked("count", "Months that a grade is carried over where rows are missing.", default=12, least=1)
    changes: bool = asked("flag", "Rows are changes of grades, not a look at all of them.", default=False)
    years: int = asked("count", "How many years ahead defaults are told.", default=5, least=1, most=30)
    resamples: int = asked("count", "Draws of entities for intervals; 0: none.", default=200, least=0, most=10_000)
    seed: int = asked("count", "Same seed, same result.", default=0, least=0, most=2**32 - 1)
    output: Path | None = asked(
        "folder", "Folder for migration.json, migration.csv and pictures.", default=None, short="o"
    )


@dataclass(frozen=True)
class MigrateResult:
    """What was found, and the files that were written."""

    migration: Migration
    files: tuple[Path, ...] = ()

    def frame(self) -> pd.DataFrame:
        """See `plait.desks.credit.migration.Migration.frame`."""
        return self.migration.frame()

    def draw(self, folder: Path) -> tuple[Path, ...]:
        """See `plait.desks.credit.migration.Migration.draw`."""
        return self.migration.draw(folder)

    def to_json(self) -> Json:
        return {**self.migration.to_json(), "files": [str(path) for path in self.files]}

    def __str__(self) -> str:
        told = [str(self.migration)]
        if self.files:
            told.append(f"written to {self.files[0].parent}: {', '.join(path.name for path in self.files)}")
        return "\n".join(told)


def run(request: MigrateRequest, report: Callable[[Progress], None]) -> MigrateResult:
    """Estimate, and write what was found where that is asked."""
    from plait.data.files import made_folder
    from plait.data.read import write_frame
    from plait.desks.credit.migration import migrate
    from plait.report.written import write_json

    folder = None if request.output is None else made_folder(request.output)
    report(Progress("estimating", 0, len(request.rows)))
    found = migrate(
        request.rows.frame,
        request.id,
        request.date,
        request.grade,
        order=request.order,
        defaulted=request.defaulted,
        gap=request.gap,
        changes=request.changes,
        years=request.years,
        resamples=request.resamples,
        seed=request.seed,
    )
    if folder is None:
        return MigrateResult(found)
    write_json(folder / "migration.json", found.to_json())
    write_frame(found.frame(), folder / "migration.csv")
    return MigrateResult(found, (folder / "migration.json", folder / "migration.csv", *found.draw(folder)))


OPERATION = Operation(
    name="migrate",
    request=MigrateRequest,
    run=run,
    summary="Say how grades moved in a panel: matrices by cohort and by duration, defaults years ahead, stability.",
    effect="reads",
    example={"rows": "grades.csv", "id": "firm", "date": "month", "grade": "grade", "output": "migration"},
)
