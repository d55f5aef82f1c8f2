"""``fit``: from a file of past applications to the desk's model, judged on rows held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.schema import Schema
    from plait.desks.credit.config import Config
    from plait.desks.credit.judged import Judged
    from plait.desks.credit.model import CreditModel

__all__ = ["OPERATION", "FitRequest", "FitResult"]


@dataclass(frozen=True)
class FitRequest:
    """Past applications whose outcome is known."""

    rows: Rows = asked("rows", "A CSV, TSV, JSONL, Parquet or Arrow file of past applications.")
    output: Path = asked("folder", "Folder for the run.", short="o")
    target: str | None = asked("string", "The outcome: two kinds.", default=None, shown="COLUMN")
    bad: str | None = asked("string", "The outcome that means default; by default 1 of 0 and 1.", default=None)
    time: str | None = asked("string", "The moment of a row: past fits, future judges.", default=None, shown="COLUMN")
    ignore: tuple[str, ...] = asked("names", "Columns to leave out.", default=())
    sensitive: tuple[str, ...] = asked("names", "Columns for fairness checks, never to learn from.", default=())
    schema: Path | None = asked("file", "What each column is, as YAML; instead of inference.", default=None)
    config: Path | None = asked("file", "What the lender decided: a credit.yaml.", default=None)
    test: float = asked("number", "Share of rows held out to judge by; 0: none.", default=0.25, least=0, most=0.9)
    seed: int = asked("count", "Same seed, same result.", default=0, least=0, most=2**32 - 1)
    jobs: int | None = asked("count", "Threads; by default every core it may use.", default=None, least=1)


@dataclass(frozen=True)
class FitResult:
    """What was fitted, how it did on rows held out, and what was written.

    Parameters
    ----------
    model
        The fitted desk.
    judged
        Figures on the rows held out, with intervals; None: none were.
    folder
        Where it lies.
    """

    model: CreditModel
    judged: Judged | None
    folder: Path

    def __str__(self) -> str:
        told = [
            f"{self.model.record['rows']:,} rows, {self.model.record['bad_rate']:.1%} bad; "
            f"scorecard of {len(self.model.scorecard.variables)} variables",
            f"blend: {self.model.blend}",
            "",
            str(self.model.scale),
        ]
        if self.judged is not None:
            told += ["", "on the rows held out", str(self.judged)]
        return "\n".join([*told, "", f"written to {self.folder}: model.plait, credit.json, schema.yaml, run.json"])

    def to_json(self) -> Json:
        return {
            "folder": str(self.folder),
            "record": self.model.record,
            "blend": self.model.blend.to_json(),
            "scale": self.model.scale.to_json(),
            "variables": [variable.name for variable in self.model.scorecard.variables],
            "judged": None if self.judged is None else self.judged.to_json(),
        }


def run(request: FitRequest, report: Callable[[Progress], None]) -> FitResult:
    """Fit on the earlier rows, judge on the later ones, and write the run's folder."""
    from plait.data.asof import sides
    from plait.data.division import divide
    from plait.data.quality import leaking
    from plait.desks.credit.fitting import fit_credit, meaning_default
    from plait.desks.credit.judged import judge
    from plait.report.written import check_folder, run_record, write_json, write_run

    check_folder(request.output)
    config, schema = _config(request), _schema(request)
    frame, tables = request.rows.frame, sides(schema, request.rows.sides)
    frame.attrs["read"] = dict(request.rows.read)
    label = meaning_default(frame[str(schema.target)], request.bad)
    division = divide(frame, schema, classifies=True, test=request.test, seed=request.seed)
    model = fit_credit(
        division.train,
        division.train[str(schema.target)],
        schema=schema,
        bad=label,
        config=config,
        sides=tables,
        weight=_weight(division.train, schema),
        seed=request.seed,
        n_jobs=request.jobs,
        report=report,
    )
    judged = evaluation = None
    if (test := division.test) is not None:
        judged = judge(model, test, test[str(schema.target)], sides=tables, weight=_weight(test, schema))
        evaluation = model.evidence.evaluate(test, test[str(schema.target)], _weight(test, schema), sides=tables)
    chosen = {**model.evidence.get_params(deep=False), "schema": None, "random_state": request.seed}
    leaks = leaking(division.train, division.test, schema, tables)
    record = run_record(
        request.output, Path(request.rows.path or ""), division, request.test, model.evidence, chosen, evaluation, leaks
    )
    told = {"accepted": True, "refused": "", "command": _command(request, schema), "credit": model.record}
    if judged is not None:
        told["judged"] = judged.to_json()
    write_run(request.output, model.evidence, {**record, **told}, evaluation)
    write_json(request.output / "judged.json", None if judged is None else judged.to_json())
    model.write(request.output)
    return FitResult(model, judged, request.output)


def _config(request: FitRequest) -> Config:
    from plait.desks.credit.config import Config

    return Config() if request.config is None else Config.read(request.config)


def _schema(request: FitRequest) -> Schema:
    """The schema in the file that was named, or the inferred one."""
    from plait.data.schema import Schema
    from plait.errors import ConfigError, SchemaError, unknown

    roles: dict[str, Any] = {"target": request.target, "time": request.time}
    lists: dict[str, Any] = {"ignore": request.ignore, "sensitive": request.sensitive}
    if request.schema is not None:
        if given := [name for name, value in {**roles, **lists}.items() if value]:
            raise SchemaError(f"--{given[0]} and --schema both say what columns are; say it in {request.schema}")
        schema = Schema.read(request.schema)
    else:
        if request.target is None:
            raise ConfigError("name the outcome with --target COLUMN, or a schema that has one with --schema FILE")
        tables = {name: table for name, table in request.rows.sides.items() if not isinstance(table, str)}
        if keyless := [name for name in request.rows.sides if name not in tables]:
            raise ConfigError(f"--side {keyless[0]}: without a schema, name its key: NAME=FILE,key=COLUMN,time=COLUMN")
        schema = Schema.infer(request.rows.frame, **roles, **lists, sides=tables)
    if schema.target is None:
        raise SchemaError(f"{request.schema} names no target; give one column the role target")
    if schema.target not in request.rows.frame.columns:
        raise unknown("column", schema.target, request.rows.frame.columns)
    return schema


def _weight(frame: pd.DataFrame, schema: Schema) -> Any:
    import numpy as np

    return None if schema.weight is None else frame[schema.weight].to_numpy(np.float64)


def _command(request: FitRequest, schema: Schema) -> list[str]:
    """What fits this run again, but for the folder."""
    words = ["plait", "credit", "fit", str(request.rows.path), "--schema", str(request.output / "schema.yaml")]
    if request.bad is not None:
        words += ["--bad", request.bad]
    if request.config is not None:
        words += ["--config", str(request.config)]
    words += ["--test", f"{request.test:g}", "--seed", str(request.seed)]
    return words + (["--jobs", str(request.jobs)] if request.jobs else [])


OPERATION = Operation(
    name="fit",
    request=FitRequest,
    run=run,
    summary="Fit scorecard, evidence model, blend and grades on past applications, and judge them on later ones.",
    effect="acts",
    policies=("prohibited",),
    example={"rows": "applications.parquet", "target": "default", "time": "applied_at", "output": "runs/credit"},
)
