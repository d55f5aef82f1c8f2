"""``plait tune``: look for options within a budget, and judge the tuned model beside the one that was not tuned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plait.cli.fit import Kind, Rows
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
    Output,
    SchemaFile,
    Seed,
    SidePaths,
    Targets,
    Time,
    Weight,
    names,
    part_options,
)
from plait.cli.screen import Screen
from plait.cli.shown import show_schema
from plait.cli.spread import On, Workers, check_on
from plait.cli.tables import long_tables
from plait.cli.watching import Watch, watching

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json, Side, Space
    from plait.data.schema import Schema
    from plait.tuning import Tuned
    from plait.tuning.search import Spread

__all__ = ["tune"]


def tune(
    data: Data,
    output: Output = None,
    target: Targets = None,
    time: Time = None,
    label_time: LabelTime = None,
    group: Group = None,
    weight: Weight = None,
    ignore: Ignore = None,
    schema_file: SchemaFile = None,
    task: Kind = None,
    weights: LossWeights = None,
    fusion: Annotated[str, typer.Option(help="How sources are joined; see `plait list fusions`.")] = "early",
    learner: Annotated[str | None, typer.Option(help="The classical learner; see `plait list learners`.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="PART.OPTION=VALUE", help="Option that stays as it is said.")
    ] = None,
    trials: Annotated[int, typer.Option(metavar="N", min=1, help="Trials at most, those before --resume too.")] = 30,
    budget: Annotated[str | None, typer.Option(metavar="10min", help="No trial begins after this time.")] = None,
    space: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What is searched, as YAML; by default what parts declare.")
    ] = None,
    test: Annotated[float, typer.Option(help="Share of rows held out to judge by; 0: none.")] = 0.25,
    side: SidePaths = None,
    data_folder: DataFolder = None,
    encoding: Encoding = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the trials in the folder.")] = False,
    on: On = None,
    workers: Workers = None,
    watch: Watch = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show schema and space; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for options that do better on inner rows held out, past to future where rows have a time.

    The best is fitted on all training rows and judged once on the rows held out, beside the same model not tuned.
    Writes what `plait fit` writes, tuning.json, trials.jsonl (for --resume) and pictures.
    """
    from plait.cli.rows import rows_of, schema_of
    from plait.report.written import check_folder
    from plait.tuning import check_journal, read_space, space_of

    screen, tables = Screen(as_json), long_tables(side)
    check_folder(output, dry_run)
    if output is not None and not dry_run:
        check_journal(output, resume)  # before watchers write over what they wrote of those trials
    count = check_on(on, workers)
    searched = space_of(fusion, learner) if space is None else read_space(space)
    frame = rows_of(data, data_folder, encoding)
    roles = {"target": target, "time": time, "label_time": label_time, "group": group, "weight": weight}
    schema = schema_of(frame, schema_file, {**roles, "ignore": names(ignore)}, tables)
    rows = _rows(data, frame, schema, tables.of(schema), Asked(task, weights, {}), test, seed)
    show_schema(screen, rows.data, rows.division, rows.schema, rows.leaks)
    _show_space(screen, searched)
    if output is None or dry_run:
        screen.result({"space": {name: str(where) for name, where in searched.items()}, "trials": trials})
        return
    part = {"fusion": fusion, "learner": learner, "options": part_options(option) or None}
    chosen = {**part, "n_jobs": jobs, "random_state": seed}
    job = _Search(rows, chosen, searched, trials, budget, resume, count)
    with watching(screen, watch, output, chosen, resume):
        _finish(screen, output, job, job.run(screen, output))


def _rows(
    data: Path,
    frame: pd.DataFrame,
    schema: Schema,
    sides: Mapping[str, Side],
    asked: Asked,
    test: float,
    seed: int,
) -> Rows | SeveralJob:
    """Rows to search on and rows to judge by, of one target or several."""
    if len(schema.targets) > 1:
        return SeveralJob.of(data, frame, schema, sides, test, seed, asked)
    return Rows.of(data, frame, schema, sides, one_task(asked.heads, asked.weights), "none", test, seed)


@dataclass(frozen=True)
class _Search:
    """What is searched, on which rows, and for how long."""

    rows: Rows | SeveralJob
    chosen: Mapping[str, Any]
    space: Space
    trials: int
    budget: str | None
    resume: bool
    workers: int

    def run(self, screen: Screen, output: Path) -> Tuned[Any]:
        from plait.cli.rows import weight_of
        from plait.tuning import tune as search

        rows, train = self.rows, self.rows.division.train
        one = None if isinstance(rows, SeveralJob) else rows.target_name
        with _spread(self.workers) as spread, screen.progress() as progress:
            return search(
                rows.estimator(self.chosen),
                train if one is None else train.drop(columns=one),
                None if one is None else train[one],
                weight_of(train, rows.schema),
                space=self.space,
                trials=self.trials,
                budget=self.budget,
                sides=rows.sides,
                folder=output,
                resume=self.resume,
                spread=spread,
                report=progress,
            )


@contextmanager
def _spread(workers: int) -> Iterator[Spread | None]:
    """Where trials run: here, or on a cluster for as long as the block lasts."""
    if not workers:
        yield None
        return
    from plait.cluster import Tasks, session

    with session(workers):
        yield Tasks(workers)


def _finish(screen: Screen, output: Path, job: _Search, tuned: Tuned[Any]) -> None:
    """Judge both models once, show and write."""
    from plait.report.trials import draw
    from plait.report.written import write_json

    screen.heading(
        f"{len(tuned.trials)} trials: loss {tuned.loss:.4f} on inner rows, {tuned.default_loss:.4f} not tuned"
    )
    options = [(f"{part}.{name}", value) for part, own in tuned.options.items() for name, value in own.items()]
    screen.table([("option", "value"), *options] if options else [("no trial was better than the default",)])
    rows, chosen = job.rows, {**job.chosen, "options": {**(job.chosen["options"] or {}), **_both(job, tuned)}}
    if isinstance(rows, SeveralJob):
        compared = _beside_each(screen, rows, tuned)
        record = rows.write(screen, output, tuned.estimator, {**chosen, "weights": rows.asked.loss_weights()})
    else:
        record, compared = _written(screen, output, rows, chosen, tuned)
    told = {**tuned.to_json(), **({} if compared is None else {"held_out": compared})}
    write_json(output / "tuning.json", told)
    draw(tuned, output)
    screen.heading(f"written to {output}: model.plait, schema.yaml, run.json, tuning.json, trials.jsonl and pictures")
    screen.result({**record, "tuning": told})


def _written(
    screen: Screen, output: Path, rows: Rows, chosen: Mapping[str, Any], tuned: Tuned[Any]
) -> tuple[dict[str, Json], Json]:
    """The run of one target, written, and how it compares with the model that was not tuned, where rows judge."""
    from plait.cli.rows import weight_of
    from plait.report.written import run_record, write_run

    evaluation, compared, test = rows.judge(tuned.estimator), None, rows.division.test
    if evaluation is not None and test is not None:
        judged = tuned.estimator.judge(test, test[rows.target_name], weight_of(test, rows.schema), sides=rows.sides)
        paired = judged.compare(tuned.default.prediction(test, sides=rows.sides), ("tuned", "not tuned"))
        screen.heading("judged on the rows held out, beside the same model not tuned")
        screen.say(str(paired))
        compared = paired.to_json()
    told = run_record(output, rows.data, rows.division, rows.share, tuned.estimator, chosen, evaluation, rows.leaks)
    record = {**told, "accepted": True, "refused": ""}
    write_run(output, tuned.estimator, record, evaluation)
    return record, compared


def _beside_each(screen: Screen, rows: SeveralJob, tuned: Tuned[Any]) -> Json:
    """Of each target, every figure of the model beside that of the one that was not tuned, where rows judge."""
    from plait.cli.rows import weight_of
    from plait.metrics.shown import between, number

    test = rows.division.test
    if test is None:
        return None
    both = [
        model.judge(test, None, weight_of(test, rows.schema), sides=rows.sides)
        for model in (tuned.estimator, tuned.default)
    ]
    compared, table = {}, [("target", "rows", "metric", "tuned", "not tuned", "difference", "95% interval")]
    for name, judged in both[0].items():
        other = {"not tuned": both[1][name].prediction}
        evaluation = replace(judged, baselines=lambda other=other: other).evaluate()
        lead = evaluation.figures[0]
        beside = lead.baselines["not tuned"]
        figures = (number(each) for each in (lead.value, beside.value, beside.difference))
        interval = between(beside.difference_low, beside.difference_high)
        table.append((name, f"{evaluation.n:,}", lead.metric, *figures, interval))
        compared[name] = evaluation.to_json()
    screen.heading("judged on the rows held out, beside the same model not tuned")
    screen.table(table)
    return compared


def _both(job: _Search, tuned: Tuned[Any]) -> dict[str, dict[str, Any]]:
    """Options that were said and options that were found, by part."""
    said = job.chosen["options"] or {}
    return {part: {**said.get(part, {}), **own} for part, own in tuned.options.items()}


def _show_space(screen: Screen, space: Space) -> None:
    from plait.contracts import Between

    screen.heading("searched")
    rows = []
    for name, where in space.items():
        if isinstance(where, Between):
            rows.append((name, f"{where.low:g} to {where.high:g}" + (" by factors" if where.log else "")))
        else:
            rows.append((name, ", ".join(map(str, where.values))))
    screen.table([("option", "where"), *rows])
