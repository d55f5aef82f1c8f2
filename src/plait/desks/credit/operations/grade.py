"""``grade``: applications to grades, at a point in time or through the cycle, and tests where outcomes are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.cycle import Cycle, LongRun, View
    from plait.desks.credit.grade_tests import GradeReport
    from plait.desks.credit.grades import MasterScale
    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.monitoring.vintages import Period

__all__ = ["OPERATION", "GradeRequest", "GradeResult"]


@dataclass(frozen=True)
class GradeRequest:
    """Applications, the model that grades them, and the state of the economy that the grades are to hold in."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "The applications; with the target, the grades are tested.")
    view: View = asked(
        "choice", "At a point in time, or through the cycle.", default="pit", choices=("pit", "ttc"), shown="VIEW"
    )
    history: Rows | None = asked(
        "rows", "Default rates by period: period, rows, defaults or rate.", default=None, shown="FILE", leading=False
    )
    now: str | None = asked(
        "string", "Period, or state, that the model's PDs hold in; the last one.", default=None, shown="PERIOD"
    )
    state: str | None = asked("string", "Period, or state, that PDs are to hold in.", default=None, shown="PERIOD")
    correlation: str | None = asked(
        "string",
        "Asset correlation: a number, retail, mortgage, revolving or corporate; from --history, if given, else none.",
        default=None,
        shown="RHO",
    )
    by: Period | None = asked(
        "choice", "Long-run averages over periods.", default=None, choices=("year", "quarter", "month"), shown="PERIOD"
    )
    output: Path | None = asked("folder", "Folder for grades.csv, grades.json and pictures.", default=None, short="o")


@dataclass(frozen=True)
class GradeResult:
    """Grades by row, and how they did.

    Parameters
    ----------
    table
        A row each: identifiers, ``pd`` and ``points`` as the view has them, ``grade``.
    scale
        What the grades are.
    view
        In words: which state the PDs hold in.
    report
        The tests; None without outcomes.
    long_run
        Default rates of grades over periods; None where none were asked for.
    cycle
        The history; None without.
    """

    table: pd.DataFrame
    scale: MasterScale
    view: str
    report: GradeReport | None
    long_run: LongRun | None
    cycle: Cycle | None
    files: tuple[Path, ...] = ()

    def frame(self) -> pd.DataFrame:
        """A row each."""
        return self.table

    def draw(self, folder: Path) -> tuple[Path, ...]:
        """Write pictures of the grades, and of the history, into a folder."""
        from plait.desks.credit.grade_charts import grade_pictures

        return grade_pictures(self.scale, self.table, self.report, self.cycle, folder)

    def to_json(self) -> Json:
        from plait.metrics.shown import plain

        counts = self.table["grade"].value_counts()
        return {
            "scale": self.scale.to_json(),
            "view": self.view,
            "rows": len(self.table),
            "grades": {name: int(counts.get(name, 0)) for name in self.scale.names},
            "report": None if self.report is None else self.report.to_json(),
            "long_run": plain(self.long_run),
            "cycle": None if self.cycle is None else self.cycle.to_json(),
            "files": [str(path) for path in self.files],
        }

    def __str__(self) -> str:
        from plait.metrics.shown import aligned

        told = [f"{len(self.table):,} rows in {len(self.scale)} grades; PDs hold {self.view}"]
        if self.report is None:
            counts, head = self.table["grade"].value_counts(), [*self.scale.rows()[0], "rows"]
            lines = [[*line, f"{counts.get(line[0], 0):,}"] for line in self.scale.rows()[1:]]
            told += aligned([head, *lines])
        else:
            told.append(str(self.report))
        if self.long_run is not None:
            told += ["", *aligned(self.long_run.table(self.scale.names, self.scale.pds))]
        if self.cycle is not None:
            told += ["", str(self.cycle)]
        if self.files:
            told.append(f"written to {self.files[0].parent}: {', '.join(path.name for path in self.files)}")
        return "\n".join(told)


def run(request: GradeRequest, report: Callable[[Progress], None]) -> GradeResult:
    """Score, restate, grade, test."""
    import pandas as pd

    from plait.data.asof import sides
    from plait.data.files import made_folder
    from plait.data.read import write_frame
    from plait.desks.credit.grade_tests import grade_report
    from plait.report.written import write_json

    cycle = _cycle(request)
    folder = None if request.output is None else made_folder(request.output)
    model, frame = request.model, request.rows.frame
    report(Progress("grading", 0, len(frame)))
    scores = model.score(frame, sides(model.schema, request.rows.sides))
    chance, view = _viewed(request, cycle, scores.pd)
    grade = model.scale.assign(chance)
    bad, held = _outcomes(model, frame)
    shared = _shared(request, cycle, chance)
    tests = grade_report(model.scale, chance[held], bad[held], correlation=shared) if held.any() else None
    average = _long_run(request, grade, bad, held)
    carried = [name for name in model.schema.names("id") if name in frame.columns]
    told = {"pd": chance, "points": _points(model, chance), "grade": model.scale.named(grade)}
    table = pd.concat([frame[carried], pd.DataFrame(told, index=frame.index)], axis=1)
    found = GradeResult(table, model.scale, view, tests, average, cycle)
    if folder is None:
        return found
    write_frame(table, folder / "grades.csv")
    write_json(folder / "grades.json", found.to_json())
    files = (folder / "grades.csv", folder / "grades.json", *found.draw(folder))
    return GradeResult(table, model.scale, view, tests, average, cycle, files)


def _cycle(request: GradeRequest) -> Cycle | None:
    """The history that was given.

    Raises
    ------
    ConfigError
        If something is asked that takes a history, or that changes nothing.
    """
    from plait.desks.credit.cycle import Cycle, correlation_of
    from plait.errors import ConfigError

    moved = request.view == "ttc" or request.state is not None
    if request.history is None:
        if request.view == "ttc" or request.state is not None or request.now is not None:
            raise ConfigError("--view ttc, --state and --now take default rates by period: give --history")
        return None
    if request.view == "ttc" and request.state is not None:
        raise ConfigError("--view ttc holds in no one state: leave out --state, or take --view pit")
    if request.now is not None and not moved:
        raise ConfigError("--now changes nothing without --view ttc or --state")
    return Cycle.of(request.history.frame, correlation_of(request.correlation))


def _viewed(request: GradeRequest, cycle: Cycle | None, chance: Any) -> tuple[Any, str]:
    """PDs as the view has them, and what that is called."""
    if cycle is None or (request.view == "pit" and request.state is None):
        return chance, "at a point in time, as the model says"
    now = cycle.periods[-1] if request.now is None else request.now
    since = f"from the state {now} ({cycle.state(now):+.2f}), asset correlation {cycle.correlation:.4f}"
    if request.view == "ttc":
        return cycle.through(chance, now), f"through the cycle, {since}"
    assert request.state is not None
    reached = f"{request.state} ({cycle.state(request.state):+.2f})"
    return cycle.point(chance, now, request.state), f"in the state {reached}, {since}"


def _shared(request: GradeRequest, cycle: Cycle | None, chance: Any) -> float:
    """The asset correlation that tests allow for: as given or estimated, else none."""
    from plait.calc.vasicek import asset_correlation
    from plait.desks.credit.cycle import correlation_of

    given = correlation_of(request.correlation)
    if cycle is not None:
        return cycle.correlation
    return float(asset_correlation(chance.mean(), given) if isinstance(given, str) else given or 0)


def _outcomes(model: CreditModel, frame: pd.DataFrame) -> tuple[Any, Any]:
    """Outcomes, float64 ``N``, and in which rows they are known."""
    import numpy as np

    from plait.desks.credit.policy.observed import outcomes

    if model.schema.target not in frame.columns:
        return np.zeros(len(frame)), np.zeros(len(frame), bool)
    bad = outcomes(model, frame)
    return bad, ~np.isnan(bad)


def _long_run(request: GradeRequest, grade: Any, bad: Any, held: Any) -> LongRun | None:
    from plait.data.frame import seconds
    from plait.desks.credit.cycle import long_run, periods_of
    from plait.errors import ConfigError

    if request.by is None:
        return None
    model, frame, time = request.model, request.rows.frame, request.model.schema.time
    if time is None or time not in frame.columns or not held.any():
        raise ConfigError("--by takes rows with a time and outcomes; the model knows no time, or a column is missing")
    period = periods_of(seconds(frame[time])[held], request.by)
    return long_run(grade[held], bad[held], period, model.scale.pds)


def _points(model: CreditModel, chance: Any) -> Any:
    from scipy.special import logit

    return model.points.of(logit(chance))


OPERATION = Operation(
    name="grade",
    request=GradeRequest,
    run=run,
    summary="Grade applications on the master scale, at a point in time or through the cycle, and test the grades.",
    effect="reads",
    example={"model": "runs/credit", "rows": "applications.parquet", "output": "graded"},
)
