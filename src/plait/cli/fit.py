"""``plait fit``: from a file to a model, judged on rows held out, with a record of how it came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from plait.cli.decisions import Decided, check_two
from plait.cli.gate import Favourable, RequireFair, check_least, refuse
from plait.cli.multitask import Asked, LossWeights, SeveralJob, one_task
from plait.cli.options import (
    AsJson,
    Data,
    DataFolder,
    Encoding,
    Group,
    Ignore,
    Jobs,
    LabelTime,
    MaskPersonal,
    Output,
    SchemaFile,
    Seed,
    Sensitive,
    SidePaths,
    Targets,
    Time,
    Weight,
    names,
    part_options,
)
from plait.cli.pretrain import From, begun
from plait.cli.resume import Every, Kept, Resume
from plait.cli.screen import Screen
from plait.cli.shown import show_plan, show_schema
from plait.cli.spread import On, Workers, check_on, spread
from plait.cli.stream import Streaming, in_memory, opened, sampled, usual_fusion
from plait.cli.tables import long_tables
from plait.cli.watching import Watch, watching
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json, Side
    from plait.data.division import Division
    from plait.data.findings import Finding
    from plait.data.schema import Schema
    from plait.data.stream import Stream
    from plait.estimators import Classifier, Regressor
    from plait.judgement.fairness import FairnessReport
    from plait.metrics.evaluation import Evaluation
    from plait.pretraining import Base

__all__ = ["Rows", "fit"]

TASKS = ("classification", "regression")

Kind: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TASK|NAME=HEAD",
        help="classification or regression; of several targets a head each: loss=quantile, or with options as YAML, "
        "loss={head: quantile, levels: [.1, .9]}.",
    ),
]
Fusion: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="How sources are joined; see `plait list fusions`. By default auto; of several targets attention."
    ),
]


def fit(
    data: Data,
    output: Output = None,
    target: Targets = None,
    time: Time = None,
    label_time: LabelTime = None,
    group: Group = None,
    weight: Weight = None,
    ignore: Ignore = None,
    sensitive: Sensitive = None,
    schema_file: SchemaFile = None,
    task: Kind = None,
    weights: LossWeights = None,
    fusion: Fusion = None,
    base: From = None,
    learner: Annotated[str | None, typer.Option(help="The classical learner; see `plait list learners`.")] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="PART.OPTION=VALUE", help="Option of a part.")] = None,
    time_budget: Annotated[str | None, typer.Option(metavar="3min", help="No part is started after this time.")] = None,
    plan: Annotated[Path | None, typer.Option(metavar="RUN.JSON", help="Fit again what an earlier run chose.")] = None,
    calibrate: Annotated[str, typer.Option(help="auto, none, or a name of `plait list calibrators`.")] = "none",
    test: Annotated[float, typer.Option(help="Share of rows held out to judge the model; 0: none.")] = 0.25,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    mask_personal: MaskPersonal = False,
    stream: Streaming = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    require_fair: RequireFair = None,
    favourable: Favourable = None,
    threshold: Decided = None,
    resume: Resume = False,
    checkpoint: Every = "30s",
    on: On = None,
    workers: Workers = None,
    watch: Watch = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show schema, plan and time; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit a model and judge it on rows held out.

    Those are the latest rows where rows have a time, whole groups where they have groups, else some at random.
    Writes model.plait, schema.yaml, run.json, evaluation.json and pictures; fairness.json where columns are sensitive.
    A model that --require-fair refuses is written as refused.plait, and the exit code is 3.
    """
    given = {**locals()}
    from plait.cli.rows import schema_of
    from plait.report.written import check_folder

    screen, tables = Screen(as_json), long_tables(side)
    chosen = _chosen(fusion, learner, option, time_budget, plan, jobs, seed)
    check_folder(output, dry_run)
    if (count := check_on(on, workers)) and not dry_run:
        spread(fit, given, count)
        return
    kept = Kept.of(screen, None if dry_run else output, resume, checkpoint)
    frame = opened(screen, data, stream, data_folder, encoding, mask_personal)
    roles = {"target": target, "time": time, "label_time": label_time, "group": group, "weight": weight}
    schema = schema_of(frame, schema_file, {**roles, "ignore": names(ignore), "sensitive": names(sensitive)}, tables)
    start, schema = begun(base, schema, schema_file)
    chosen["fusion"] = fusion or usual_fusion(screen, frame, len(schema.targets))
    gate = {"require-fair": require_fair, "favourable": favourable, "threshold": threshold}
    asked = Asked(task, weights, gate)
    fitting = _Fitting(data, frame, schema, tables.of(schema), test, seed, asked, calibrate, start)
    with kept.refused(), watching(screen, None if dry_run else watch, output, chosen, resume):
        fitting.run(screen, output, chosen, kept, dry_run)


@dataclass(frozen=True)
class _Fitting:
    """Rows, and all that is asked of a fit on them."""

    data: Path
    frame: pd.DataFrame | Stream
    schema: Schema
    sides: Mapping[str, Side]
    test: float
    seed: int
    asked: Asked
    calibrate: str
    base: Base | None

    def run(self, screen: Screen, output: Path | None, chosen: dict[str, Any], kept: Kept, dry_run: bool) -> None:
        """Fit, judge and write; or only show, where that is asked for or there is nowhere to write."""
        rows = self.data, self.frame, self.schema, self.sides
        if len(self.schema.targets) > 1:
            told = {"calibrate": self.calibrate, **self.asked.of_one}
            frame = in_memory(self.frame, "a model of several targets")
            asked = replace(self.asked, of_one=told)
            several = SeveralJob.of(self.data, frame, self.schema, self.sides, self.test, self.seed, asked)
            replace(several, base=self.base).run(screen, output, chosen, kept, dry_run)
            return
        task = one_task(self.asked.heads, self.asked.weights)
        job = replace(Rows.of(*rows, task, self.calibrate, self.test, self.seed), base=self.base)
        show_schema(screen, job.data, job.division, job.schema, job.leaks)
        gate = _Gate.of(job, *(self.asked.of_one[name] for name in ("require-fair", "favourable", "threshold")))
        estimator = job.estimator(chosen)
        if output is None or dry_run:
            job.pilot(screen, estimator)
            return
        job.fit(screen, estimator, kept)
        _finish(screen, output, job, estimator, chosen, gate, kept)


@dataclass(frozen=True)
class Rows:
    """Rows to fit on and rows to judge by, and what is to be learned from them."""

    data: Path
    schema: Schema
    sides: Mapping[str, Side]
    division: Division[pd.DataFrame | Stream]
    share: float
    target_name: str
    classifies: bool
    calibrate: str
    base: Base | None = None

    @classmethod
    def of(
        cls,
        data: Path,
        frame: pd.DataFrame | Stream,
        schema: Schema,
        sides: Mapping[str, Side],
        task: str | None,
        calibrate: str,
        test: float,
        seed: int,
    ) -> Rows:
        from plait.calibration import check_method
        from plait.cli.rows import target_of
        from plait.data.division import divide
        from plait.data.frame import column
        from plait.data.quality import is_class_target

        target = target_of(frame, schema)
        if task is not None and task not in TASKS:
            from plait.errors import unknown

            raise unknown("task", task, TASKS)
        classifies = is_class_target(column(target)) if task is None else task == "classification"
        check_method(calibrate)
        if calibrate != "none" and not classifies:
            raise ConfigError("--calibrate is for classes; values have intervals: plait calibrate --coverage 0.9")
        division = divide(frame, schema, classifies=classifies, test=test, seed=seed)
        return cls(data, schema, sides, division, test, str(schema.target), classifies, calibrate)

    @property
    def train(self) -> pd.DataFrame | Stream:
        return self.division.train

    @property
    def test(self) -> pd.DataFrame | Stream | None:
        return self.division.test

    @cached_property
    def leaks(self) -> tuple[Finding, ...]:
        """What would make the figures too good."""
        from plait.data.quality import leaking

        test = None if self.test is None else sampled(self.test)
        return leaking(sampled(self.train), test, self.schema, self.sides)

    def estimator(self, chosen: Mapping[str, Any]) -> Classifier | Regressor:
        from plait.estimators import Classifier, Regressor

        return (Classifier if self.classifies else Regressor)(schema=self.schema, **chosen)

    def pilot(self, screen: Screen, estimator: Classifier | Regressor) -> None:
        from plait.cli.pilot import pilot

        pilot(screen, estimator, self.train, self.target_name, self.sides, self.base)

    def fit(self, screen: Screen, estimator: Classifier | Regressor, kept: Kept) -> None:
        from plait.cli.rows import weight_of

        weight = weight_of(self.train, self.schema)
        keep = kept.held(self.data, self.division, self.calibrate, estimator.time_budget)
        with screen.progress() as progress:
            estimator.fit(
                self.train.drop(columns=self.target_name),
                self.train[self.target_name],
                weight,
                sides=self.sides,
                progress=progress,
                base=self.base,
                keep=keep,
            )
            if self.calibrate != "none":
                estimator.calibrate(method=self.calibrate)

    def judge(self, estimator: Classifier | Regressor) -> Evaluation | None:
        from plait.cli.rows import weight_of

        if self.test is None:
            return None
        weight = weight_of(self.test, self.schema)
        return estimator.evaluate(self.test, self.test[self.target_name], weight, sides=self.sides)


@dataclass(frozen=True)
class _Gate:
    """What is required of the decisions that are made with the model."""

    least: float | None
    favourable: str | None
    threshold: float

    @classmethod
    def of(cls, job: Rows, least: float | None, favourable: str | None, threshold: float | None) -> _Gate:
        """Before any fitting: can the gate be asked at all?"""
        import numpy as np

        from plait.cli.rows import label_of

        check_least(least)
        gate = cls(least, favourable, 0.5 if threshold is None else threshold)
        asked = {"require-fair": least, "favourable": favourable, "threshold": threshold}
        given = [f"--{name}" for name, value in asked.items() if value is not None]
        if given and not job.schema.names("sensitive"):
            raise ConfigError(f"{given[0]} needs columns to judge by; name them with --sensitive")
        classes = np.asarray(job.train[job.target_name].dropna().unique()) if job.classifies else None
        check_two(classes, threshold=threshold is not None)
        if favourable is not None and classes is not None:
            label_of(favourable, classes)
        if least is None:
            return gate
        if job.test is None:
            raise ConfigError("--require-fair needs rows held out; give --test a share above 0")
        if not job.classifies:
            raise ConfigError("--require-fair judges decisions between classes; this target is a value")
        if favourable is None and classes is not None and len(classes) > 2:
            raise ConfigError("--require-fair needs to know which class is good for a person; name it (--favourable)")
        return gate

    def judge(self, job: Rows, estimator: Classifier | Regressor) -> FairnessReport | None:
        """How decisions fall on groups, where columns are sensitive and it is known what is good for a person."""
        from plait.cli.rows import weight_of
        from plait.judgement.fairness import fairness

        known = self.favourable is not None or len(getattr(estimator, "classes_", ())) == 2
        if job.test is None or not job.schema.names("sensitive") or not known:
            return None
        rows = sampled(job.test)
        return fairness(
            estimator,
            rows,
            rows[job.target_name],
            favourable=self.favourable,
            threshold=self.threshold,
            sample_weight=weight_of(rows, job.schema),
            sides=job.sides,
        )


def _finish(
    screen: Screen,
    output: Path,
    job: Rows,
    estimator: Classifier | Regressor,
    chosen: Mapping[str, Any],
    gate: _Gate,
    kept: Kept,
) -> None:
    """Judge, show and write, in this order: nothing is written of a model that cannot be judged."""
    from plait.cli.rows import say_faults
    from plait.report.written import MODEL, REFUSED_MODEL, run_record, write_run
    from plait.threads import leads

    if not leads():
        return
    show_plan(screen, estimator)
    evaluation = job.judge(estimator)
    if evaluation is not None:
        screen.heading("judged on the rows held out")
        say_faults(screen, evaluation.faults)
        screen.say(str(evaluation))
    fairness = gate.judge(job, estimator)
    if fairness is not None:
        screen.heading("fairness")
        screen.say(str(fairness))
    why = "" if fairness is None or gate.least is None else fairness.refusal(gate.least)
    told = run_record(output, job.data, job.division, job.share, estimator, chosen, evaluation, job.leaks)
    record = {**told, "accepted": not why, "refused": why}
    write_run(output, estimator, record, evaluation, fairness)
    kept.over()
    written = [REFUSED_MODEL if why else MODEL, "schema.yaml", "run.json"]
    written += ["fairness.json"] if fairness else []
    written += ["evaluation.json and pictures"] if evaluation else []
    screen.heading(f"written to {output}: {', '.join(written)}")
    screen.result(record)
    refuse(screen, why)


def _chosen(
    fusion: str | None,
    learner: str | None,
    option: list[str] | None,
    time_budget: str | None,
    plan: Path | None,
    jobs: int | None,
    seed: int,
) -> dict[str, Any]:
    """What is asked of the estimator."""
    return {
        "fusion": fusion,
        "learner": learner,
        "options": part_options(option) or None,
        "time_budget": time_budget,
        "plan": None if plan is None else _plan_in(plan),
        "n_jobs": jobs,
        "random_state": seed,
    }


def _plan_in(path: Path) -> dict[str, Json]:
    try:
        plan = json.loads(path.read_text("utf-8"))["plan"]
    except (OSError, ValueError, KeyError, TypeError):
        plan = None
    if not isinstance(plan, dict):
        raise ConfigError(f"--plan {path}: no run.json that can be read, or it holds no plan")
    return plan
