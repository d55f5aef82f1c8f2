"""``score``: probability of default, points and grade of applications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel, Scores

__all__ = ["OPERATION", "ScoreRequest", "ScoreResult"]

SHOWN = 10  # rows


@dataclass(frozen=True)
class ScoreRequest:
    """Applications, and the model that scores them."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "The applications.")
    output: Path | None = asked("file", "CSV, TSV, JSONL, Parquet or Arrow.", default=None, short="o")


@dataclass(frozen=True)
class ScoreResult:
    """Scores by row.

    Parameters
    ----------
    scores
        As the model says them.
    table
        A row each: identifiers, ``pd``, ``points``, ``scorecard``, ``adjustment``, ``capped``, ``grade``.
    output
        Where they were written.
    """

    scores: Scores
    table: pd.DataFrame
    output: Path | None

    def __str__(self) -> str:
        lines = [self.table.head(SHOWN).to_string(index=False, float_format="{:.4g}".format)]
        if len(self.table) > SHOWN:
            lines.append(f"... and {len(self.table) - SHOWN:,} more rows")
        if self.scores.faults:
            lines.append(f"{len(self.scores.faults):,} cell(s) could not be read and count as missing")
        if self.output is not None:
            lines.append(f"{len(self.table):,} rows scored: {self.output}")
        return "\n".join(lines)

    def to_json(self) -> Json:
        from plait.data.faults import counted
        from plait.metrics.shown import plain

        return {
            "rows": plain(self.table.to_dict("records")) if self.output is None else len(self.table),
            "file": None if self.output is None else str(self.output),
            "faults": plain(counted(self.scores.faults)),
        }


def run(request: ScoreRequest, report: Callable[[Progress], None]) -> ScoreResult:
    """Score rows, and write them where that is asked."""
    import pandas as pd

    from plait.data.asof import sides
    from plait.data.files import check_file
    from plait.data.read import write_frame

    if request.output is not None:
        check_file(request.output)
    model, frame = request.model, request.rows.frame
    report(Progress("scoring", 0, len(frame)))
    scores = model.score(frame, sides(model.schema, request.rows.sides))
    carried = [name for name in model.schema.names("id") if name in frame.columns]
    told = scores.frame(model.scale.names).set_axis(frame.index)
    table = pd.concat([frame[carried], told], axis=1)
    if request.output is not None:
        write_frame(table, request.output)
    return ScoreResult(scores, table, request.output)


OPERATION = Operation(
    name="score",
    request=ScoreRequest,
    run=run,
    summary="Score applications: probability of default, points, what the evidence adds, grade.",
    effect="reads",
    example={"model": "runs/credit", "rows": "new.parquet", "output": "scores.parquet"},
)
