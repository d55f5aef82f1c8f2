"""``monitor``: whether a fitted desk's score still is what it was, on new rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked
from plait.errors import ConfigError

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.monitoring.report import MonitoringReport
    from plait.desks.credit.monitoring.stability import Population, Reference
    from plait.desks.credit.monitoring.unlike import Unlike
    from plait.desks.credit.monitoring.vintages import Period

__all__ = ["OPERATION", "MonitorRequest", "MonitorResult"]


@dataclass(frozen=True)
class MonitorRequest:
    """New rows, and what they are held against."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "New applications.", shown="NEW")
    reference: Rows | None = asked(
        "rows",
        "Rows of then, which the model was not fitted on; by default the counts that the run kept of its own.",
        default=None,
        leading=False,
    )
    target: str | None = asked(
        "string", "The outcome, empty where it is not known yet: performance and calibration.", default=None
    )
    time: str | None = asked("string", "The moment of a row: everything by period, too.", default=None, shown="COLUMN")
    by: Period = asked("choice", "What a period is.", default="month", choices=("month", "quarter", "year"))
    odds: float = asked(
        "number", "Times as high as said: odds of default to be found soonest.", default=1.25, least=1.01
    )
    false_alarm: float = asked("number", "Chance of a false alarm of the CUSUM.", default=0.05, least=0.001, most=0.5)
    unlike: float | None = asked(
        "number",
        "Look for new rows that are odder than this share of the reference rows, which must then be named.",
        default=None,
        least=0.001,
        most=0.5,
        shown="SHARE",
    )
    require: str | None = asked("choice", "Refuse what is worse.", default=None, choices=("green", "amber"))
    output: Path | None = asked("folder", "Folder for stability.csv and pictures.", default=None, short="o")
    seed: int = asked("count", "Of intervals and limits.", default=0, least=0)


@dataclass(frozen=True)
class MonitorResult:
    """What monitoring found, and the files written."""

    report: MonitoringReport
    files: tuple[Path, ...] = ()
    unlike: Unlike | None = None

    @property
    def refusal(self) -> str:
        return self.report.refusal

    def __str__(self) -> str:
        odd = [] if self.unlike is None else ["", str(self.unlike)]
        return "\n".join([str(self.report), *odd, *(f"written: {path}" for path in self.files)])

    def to_json(self) -> Json:
        odd = None if self.unlike is None else self.unlike.to_json()
        return {**self.report.to_json(), "unlike": odd, "files": [str(path) for path in self.files]}


def run(request: MonitorRequest, report: Callable[[Progress], None]) -> MonitorResult:
    """Score both sides, and compare them."""
    from plait.data.asof import sides
    from plait.data.files import made_folder
    from plait.data.read import write_frame
    from plait.desks.credit.monitoring.populations import kept, population
    from plait.desks.credit.monitoring.report import monitor

    model = request.model
    if request.unlike is not None and request.reference is None:
        raise ConfigError("--unlike compares with reference rows; name them (--reference)")
    report(Progress("scoring new rows", 0, 2))
    long = sides(model.schema, request.rows.sides)
    new = population(model, request.rows.frame, target=request.target, time=request.time, sides=long)
    report(Progress("scoring reference rows", 1, 2))
    old: Reference | Population
    if request.reference is None:
        old = kept(model)
    else:
        frame = request.reference.frame
        target = request.target if request.target in frame.columns else None
        old = population(model, frame, target=target, sides=sides(model.schema, request.reference.sides))
    found = monitor(
        old,
        new,
        by=request.by,
        odds=request.odds,
        false_alarm=request.false_alarm,
        require=request.require,
        seed=request.seed,
    )
    odd = None
    if request.unlike is not None and request.reference is not None:
        from plait.desks.credit.monitoring.unlike import unlike

        before = request.reference.frame, sides(model.schema, request.reference.sides)
        odd = unlike(model.schema, before, (request.rows.frame, long), request.unlike, request.seed)
    files: tuple[Path, ...] = ()
    if request.output is not None:
        table = made_folder(request.output) / "stability.csv"
        write_frame(found.frame(), table)
        files = (table, *found.draw(request.output))
    return MonitorResult(found, files, odd)


OPERATION = Operation(
    name="monitor",
    request=MonitorRequest,
    run=run,
    summary="Monitor a score in use: stability, ranking and calibration by period, with a traffic light by rule.",
    effect="reads",
    policies=("population", "discrimination", "calibration"),
    example={"model": "runs/credit", "rows": "new.parquet", "time": "applied_at", "target": "default"},
)
