"""``scorecard``: a scorecard alone, as a table, JSON, SQL and pictures, with bins that people edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from plait.data.schema import Schema
    from plait.desks.credit.config import Config
    from plait.desks.credit.scorecard import Scorecard
    from plait.metrics.shown import Span

__all__ = ["OPERATION", "ScorecardRequest", "ScorecardResult"]


@dataclass(frozen=True)
class ScorecardRequest:
    """Past applications whose outcome is known."""

    rows: Rows = asked("rows", "A CSV, TSV, JSONL, Parquet or Arrow file of past applications.")
    target: str = asked("string", "The outcome: two kinds.", shown="COLUMN")
    output: Path = asked("folder", "Folder for scorecard.json, bins.yaml, scorecard.sql and pictures.", short="o")
    bad: str | None = asked("string", "The outcome that means default; by default 1 of 0 and 1.", default=None)
    time: str | None = asked("string", "The moment of a row: past fits, future judges.", default=None, shown="COLUMN")
    ignore: tuple[str, ...] = asked("names", "Columns to leave out.", default=())
    sensitive: tuple[str, ...] = asked("names", "Columns for fairness checks, never to learn from.", default=())
    weight: str | None = asked("string", "The weight of a row.", default=None, shown="COLUMN")
    bins: Path | None = asked("file", "Bins that hold: a bins.yaml that was written here, and edited.", default=None)
    config: Path | None = asked("file", "What the lender decided: a credit.yaml.", default=None)
    test: float = asked("number", "Share of rows held out to judge by; 0: none.", default=0.25, least=0, most=0.9)
    seed: int = asked("count", "Same seed, same result.", default=0, least=0, most=2**32 - 1)


@dataclass(frozen=True)
class ScorecardResult:
    """A scorecard, how it ranks rows held out, and where it was written.

    Parameters
    ----------
    scorecard
        The fitted scorecard.
    rows, held_out
        How many rows it was fitted on, and judged on.
    roc_auc, ks
        On the rows held out, with 95% intervals; None: none were.
    folder
        Where it lies.
    """

    scorecard: Scorecard
    rows: int
    held_out: int
    roc_auc: Span | None
    ks: Span | None
    folder: Path

    def __str__(self) -> str:
        told = [str(self.scorecard), "", f"fitted on {self.rows:,} rows"]
        if self.roc_auc is not None:
            told.append(f"on {self.held_out:,} rows held out: ROC AUC {self.roc_auc}, KS {self.ks}")
        return "\n".join([*told, f"written to {self.folder}: scorecard.json, bins.yaml, scorecard.sql, pictures"])

    def to_json(self) -> Json:
        from plait.metrics.shown import plain

        bins = [each.bins for each in self.scorecard.variables]
        return {
            "folder": str(self.folder),
            "rows": self.rows,
            "held_out": self.held_out,
            "roc_auc": plain(self.roc_auc),
            "ks": plain(self.ks),
            "variables": [
                {"name": each.name, "iv": each.iv, "monotone": each.monotone, "why_not": each.why_not_monotone}
                for each in bins
            ],
            "left_out": {each.name: each.why for each in self.scorecard.left_out},
            "notes": list(self.scorecard.notes),
        }


def run(request: ScorecardRequest, report: Callable[[Progress], None]) -> ScorecardResult:
    """Fit on the earlier rows, judge on the later ones, and write the folder."""
    from plait.data.division import divide
    from plait.data.files import made_folder
    from plait.desks.credit.fitting import meaning_default
    from plait.desks.credit.model import tabular
    from plait.desks.credit.policy.prohibited import refuse_prohibited
    from plait.desks.credit.scorecard import fit_scorecard, read_edits, write_edits
    from plait.desks.credit.scorecard.export import write_scorecard
    from plait.desks.credit.scorecard.pictures import draw_scorecard

    folder = made_folder(request.output)
    config, schema = _config(request), _schema(request)
    settings = config.scorecard
    if request.bins is not None:
        settings = replace(settings, bins=read_edits(request.bins))
    refuse_prohibited(schema, config.prohibited, request.rows.frame)
    label = meaning_default(request.rows.frame[request.target], request.bad)
    division = divide(request.rows.frame, schema, classifies=True, test=request.test, seed=request.seed)
    candidates = [*tabular(schema), *([] if request.time is None else [request.time])]

    def outcome(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        bad: npt.NDArray[np.float64] = (frame[request.target] == label).to_numpy("float64")
        return bad

    fitted = fit_scorecard(
        division.train[candidates],
        outcome(division.train),
        weight=_weight(division.train, request),
        settings=settings,
        time=request.time,
        report=report,
    )
    auc = apart = None
    if (test := division.test) is not None:
        auc, apart = _judged(fitted.log_odds(test), outcome(test), _weight(test, request), request.seed)
    write_scorecard(fitted, folder / "scorecard.json", "json")
    write_scorecard(fitted, folder / "scorecard.sql", "sql", keys=schema.names("id"))
    write_edits(folder / "bins.yaml", fitted, settings.bins)
    draw_scorecard(fitted, folder)
    held = 0 if division.test is None else len(division.test)
    return ScorecardResult(fitted, len(division.train), held, auc, apart, folder)


def _config(request: ScorecardRequest) -> Config:
    from plait.desks.credit.config import Config

    return Config() if request.config is None else Config.read(request.config)


def _schema(request: ScorecardRequest) -> Schema:
    from plait.data.schema import Schema
    from plait.errors import unknown

    frame = request.rows.frame
    for name in (request.target, *([request.weight] if request.weight else [])):
        if name not in frame.columns:
            raise unknown("column", name, frame.columns)
    return Schema.infer(
        frame,
        target=request.target,
        time=request.time,
        weight=request.weight,
        ignore=request.ignore,
        sensitive=request.sensitive,
    )


def _weight(frame: pd.DataFrame, request: ScorecardRequest) -> npt.NDArray[np.float64] | None:
    import pandas as pd

    from plait.errors import DataError

    if request.weight is None:
        return None
    found = pd.to_numeric(frame[request.weight], errors="coerce").to_numpy("float64")
    if wrong := int((found != found).sum()):
        raise DataError(f"the weight {request.weight!r} is missing or no number in {wrong:,} rows; mend it")
    return found


def _judged(
    risk: npt.NDArray[np.float64],
    bad: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64] | None,
    seed: int,
) -> tuple[Span, Span]:
    """ROC AUC and KS with their intervals."""
    from plait.metrics.classification import ks, roc_auc
    from plait.metrics.intervals import bootstrap
    from plait.metrics.shown import Span

    area = bootstrap(roc_auc, bad, {"": risk}, weight=weight, seed=seed)
    apart = bootstrap(ks, bad, {"": risk}, weight=weight, seed=seed, centred=True)  # resampling inflates it
    return Span.of(area.interval("")), Span.of(apart.interval(""))


OPERATION = Operation(
    name="scorecard",
    request=ScorecardRequest,
    run=run,
    summary="Fit a scorecard on past applications; bins can be edited by hand and hold in the next fit.",
    effect="acts",
    policies=("prohibited",),
    example={"rows": "applications.parquet", "target": "default", "time": "applied_at", "output": "scorecards/2026"},
)
