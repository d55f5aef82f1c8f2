"""``stage``: the stages of IFRS 9, and what each loan has set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Array
    from plait.desks.credit.losses.allowance import Allowance
    from plait.desks.credit.losses.stages import Standing

__all__ = ["OPERATION", "StageRequest", "StageResult"]

COLUMNS = ("lgd", "ead", "rate", "months")  # each a column's name or a number
GRADES = ("grade", "grade_origin")
STANDING = ("dpd", "previous_stage", "months_clean")
FLAGS = ("defaulted", "watch", "poci")
NAMES = ("pd", "pd_origin", *COLUMNS, *STANDING, *GRADES, *FLAGS)


@dataclass(frozen=True)
class StageRequest:
    """A portfolio at a reporting date. Columns are found by their usual names, or by those that `column` says."""

    rows: Rows = asked("rows", "The portfolio.", shown="PORTFOLIO")
    column: Mapping[str, str] = asked(
        "entries",
        f"Where something stands, as in pd=PD_12M, or its value, as in lgd=0.45 ({', '.join(NAMES)}).",
        default={},
    )
    pd: str | None = asked("string", "Column of the PD within twelve months.", default=None, shown="COLUMN")
    pd_origin: str | None = asked(
        "string", "Column of the PD that was expected for today at origination.", default=None, shown="COLUMN"
    )
    dpd: str | None = asked("string", "Column of the days past due.", default=None, shown="COLUMN")
    schedule: str = asked(
        "choice", "How the exposure is repaid.", default="annuity", choices=("annuity", "linear", "bullet")
    )
    scenarios: Path | None = asked("file", "A scenarios.yaml.", default=None)
    term: Path | None = asked(
        "file",
        "How risk is spread over time: a JSON of curves, or a table of yearly migrations between grades, default last.",
        default=None,
    )
    config: Path | None = asked("file", "A credit.yaml; its section loss is read.", default=None)
    output: Path | None = asked(
        "file", "The rows with their stages: CSV, TSV, JSONL, Parquet or Arrow.", default=None, short="o"
    )
    pictures: Path | None = asked("folder", "Draw the term structure and the stages there.", default=None)


@dataclass(frozen=True)
class StageResult:
    """Stages and allowance.

    Parameters
    ----------
    found
        The allowance.
    table
        The rows with ``stage``, ``rule``, ``pd_lifetime``, ``loss_12m``, ``loss_lifetime`` and ``ecl``.
    notes
        What was supposed.
    output, pictures
        Files that were written.
    """

    found: Allowance
    table: pd.DataFrame
    notes: tuple[str, ...]
    output: Path | None = None
    pictures: tuple[Path, ...] = ()

    def frame(self) -> pd.DataFrame:
        return self.table

    def __str__(self) -> str:
        written = [] if self.output is None else [f"{len(self.table):,} rows: {self.output}"]
        return "\n".join([str(self.found), "", *self.notes, *written, *map(str, self.pictures)])

    def to_json(self) -> Json:
        files = {
            "file": None if self.output is None else str(self.output),
            "pictures": [str(path) for path in self.pictures],
        }
        return {**self.found.to_json(), "notes": list(self.notes), **files}


def run(request: StageRequest, report: Callable[[Progress], None]) -> StageResult:
    """Put every row into its stage, and set aside for it."""
    from plait.data.files import check_file
    from plait.data.read import write_frame
    from plait.desks.credit.losses.allowance import allowance
    from plait.desks.credit.losses.book import Book
    from plait.desks.credit.losses.pictures import draw_allowance
    from plait.desks.credit.losses.scenarios import Scenarios
    from plait.desks.credit.losses.settings import LossSettings
    from plait.desks.credit.losses.stages import stage
    from plait.desks.credit.losses.term import read_term

    if request.output is not None:
        check_file(request.output)
    settings, frame = LossSettings.read(request.config), request.rows.frame
    said = _columns(request, frame, settings.lgd)
    report(Progress("stages", 0, len(frame)))
    scenarios = Scenarios() if request.scenarios is None else Scenarios.read(request.scenarios)
    term = read_term(request.term)
    book = Book.read(frame, said, request.schedule)
    book = book.with_lgd(settings.downturn(book.lgd)).along(term, frame, said.get("grade"))
    grades, remarks = _grades(frame, said, term.names)
    standing = _standing(frame, said, book.pd, grades)
    staged = stage(standing, settings.stages)
    found = allowance(book, staged, term, scenarios, standing.defaulted)
    table = found.added(frame)
    if request.output is not None:
        write_frame(table, request.output)
    drawn: tuple[Path, ...] = ()
    if request.pictures is not None:
        drawn = draw_allowance(found, book, term, scenarios, request.pictures)
    unsaid = [name for name in ("pd_origin", "dpd") if name not in said]
    notes = (*(f"no column {name}: its rules decide nothing" for name in unsaid), *remarks, settings.downturn.told)
    return StageResult(found, table, notes, request.output, drawn)


def _columns(request: StageRequest, frame: pd.DataFrame, lgd: float) -> dict[str, str]:
    """What is known, and where it stands: by the request, or by its usual name."""
    from plait.errors import ConfigError, unknown

    said = {name: name for name in NAMES if name in frame.columns}
    for name, where in request.column.items():
        if name not in NAMES:
            raise unknown("name in column", name, NAMES)
        said[name] = where
    own = {"pd": request.pd, "pd_origin": request.pd_origin, "dpd": request.dpd}
    said |= {name: where for name, where in own.items() if where is not None}
    said.setdefault("lgd", str(lgd))
    if lost := [name for name in ("pd", "ead", "rate", "months") if name not in said]:
        raise ConfigError(
            f"where {lost[0]} stands is not known; say it, as in --column {lost[0]}=COLUMN, or give a number"
        )
    return said


def _grades(
    frame: pd.DataFrame, said: Mapping[str, str], curves: tuple[str, ...]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Grades as numbers, 0 the best: as they are, or by the order of the curves, or of the standard scale."""
    from plait.desks.credit.grades import MasterScale
    from plait.desks.credit.losses.book import numbers
    from plait.errors import unknown

    found: dict[str, Array] = {}
    order = curves if len(curves) > 1 else MasterScale.standard().names
    for name in GRADES:
        if name not in said:
            continue
        if said[name] not in frame.columns:
            raise unknown(f"column for {name}", said[name], map(str, frame.columns))
        cells = frame[said[name]]
        if cells.dtype.kind in "biuf":
            found[name] = numbers(frame, said[name], name, missing=True)
        elif cells.dropna().isin(order).all():
            found[name] = cells.map({grade: i for i, grade in enumerate(order)}).to_numpy(float)
        else:
            return {}, ("grades are names of no known order: notches decide nothing; give numbers, 0 the best",)
    return found, ()


def _standing(frame: pd.DataFrame, said: Mapping[str, str], pd: Array, grades: Mapping[str, Array]) -> Standing:
    """What the rules look at."""
    from plait.desks.credit.losses.book import flags, numbers
    from plait.desks.credit.losses.stages import Standing

    found: dict[str, Array | None] = {name: flags(frame, said[name], name) for name in FLAGS if name in said}
    found |= grades
    for name in ("pd_origin", *STANDING):
        if name in said:
            found[name] = numbers(frame, said[name], name, missing=name != "dpd")
    found["previous"] = found.pop("previous_stage", None)
    return Standing(pd, **found)


OPERATION = Operation(
    name="stage",
    request=StageRequest,
    run=run,
    summary="Stages of IFRS 9, the rule that decided each, losses of twelve months and of the lifetime, the allowance.",
    effect="reads",
    example={"rows": "portfolio.csv", "pd": "pd", "pd_origin": "pd_origin", "dpd": "dpd", "output": "stages.csv"},
)
