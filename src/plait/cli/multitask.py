"""``plait fit`` and its companions for several targets at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

import typer

from plait.cli.options import keyed, valued
from plait.cli.resume import Kept
from plait.cli.screen import Screen
from plait.cli.shown import show_plan, show_schema
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json, Side
    from plait.data.division import Division
    from plait.data.findings import Finding
    from plait.data.schema import Schema
    from plait.estimators import MultiTask
    from plait.estimators.evaluations import Evaluations
    from plait.pretraining import Base

__all__ = ["Asked", "LossWeights", "SeveralJob", "evaluate_several", "one_task"]

LossWeights: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="RULE|a=1,b=2",
        help="Of several targets, how much each loss counts: gradient (the usual), uncertainty, equal, or numbers.",
    ),
]


@dataclass(frozen=True)
class Asked:
    """What is asked of several targets: heads, weights of their losses, and what only one target can be asked."""

    heads: list[str] | None
    weights: str | None
    of_one: Mapping[str, Any]

    def targets(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Each target to its head, or None: what the column is.

        Raises
        ------
        ConfigError
            If something was asked that only one target can be, or of a column that is no target.
        """
        for option, value in self.of_one.items():
            if value not in (None, "none"):
                raise ConfigError(f"--{option} is about one target, and there are {len(names)}: {', '.join(names)}")
        heads = {name: valued(f"--task {name}", said) for name, said in keyed("--task", self.heads).items()}
        if strangers := sorted(set(heads) - set(names)):
            raise unknown("target in --task", strangers[0], names)
        return {name: heads.get(name) for name in names}

    def loss_weights(self) -> str | dict[str, float] | None:
        """A rule, or numbers by target; None: the usual."""
        if self.weights is None or "=" not in self.weights:
            return self.weights
        given = keyed("--weights", self.weights.split(","))
        try:
            return {name: float(value) for name, value in given.items()}
        except ValueError:
            raise ConfigError(f"--weights {self.weights!r}: give numbers, as in default=1,loss=0.5") from None


def one_task(task: list[str] | None, weights: str | None) -> str | None:
    """What one target is asked to be.

    Raises
    ------
    ConfigError
        If something was asked that only several targets can be.
    """
    if weights is not None:
        raise ConfigError("--weights says how the losses of several targets count; name more than one --target")
    if task is not None and len(task) > 1:
        raise ConfigError("--task is given more than once, and there is one target; give it once")
    return None if task is None else task[0]


@dataclass(frozen=True)
class SeveralJob:
    """Rows to fit on and rows to judge by, and which targets are to be learned from them."""

    data: Path
    schema: Schema
    sides: Mapping[str, Side]
    division: Division[pd.DataFrame]
    share: float
    asked: Asked
    base: Base | None = None

    @classmethod
    def of(
        cls,
        data: Path,
        frame: pd.DataFrame,
        schema: Schema,
        sides: Mapping[str, Side],
        test: float,
        seed: int,
        asked: Asked,
    ) -> Self:
        from plait.data.division import divide

        asked.targets(schema.targets)
        for name in schema.targets:
            if name not in frame.columns:
                raise DataError(f"a target is not in the data: {unknown('column', name, frame.columns)}")
        division = divide(frame, schema.aimed(schema.targets[0]), classifies=False, test=test, seed=seed)
        return cls(data, schema, sides, division, test, asked)

    @cached_property
    def leaks(self) -> tuple[Finding, ...]:
        """What would make the figures of any target too good."""
        from plait.data.quality import leaking

        found: dict[str, Finding] = {}
        for name in self.schema.targets:
            known, judged = (
                None if side is None else side[side[name].notna()] for side in (self.division.train, self.division.test)
            )
            if known is not None and len(known):
                told = leaking(known, judged, self.schema.aimed(name), self.sides)
                found |= {str(finding): finding for finding in told}
        return tuple(found.values())

    def estimator(self, chosen: Mapping[str, Any]) -> MultiTask:
        """A model of all targets.

        Raises
        ------
        ConfigError
            If a time budget is given, which only auto of one target goes by.
        """
        from plait.estimators import MultiTask

        if chosen.get("time_budget") is not None:
            raise ConfigError("--time-budget is about one target: a model of several has no parts to leave out")
        told = {name: value for name, value in chosen.items() if name != "time_budget"}
        targets = self.asked.targets(self.schema.targets)
        return MultiTask(targets, weights=self.asked.loss_weights(), schema=self.schema, **told)

    def run(self, screen: Screen, output: Path | None, chosen: Mapping[str, Any], kept: Kept, dry_run: bool) -> None:
        """Fit, judge, show and write."""
        estimator = self.estimator(chosen)
        show_schema(screen, self.data, self.division, self.schema, self.leaks)
        names, weights, train = self.schema.targets, self.asked.loss_weights(), self.division.train
        if output is None or dry_run:
            from plait.cli.pilot import pilot

            pilot(screen, estimator, train, list(names), self.sides, self.base)
            return
        from plait.cli.rows import weight_of
        from plait.threads import leads

        keep = kept.held(self.data, self.division, "none", None)
        with screen.progress() as progress:
            weight = weight_of(train, self.schema)
            estimator.fit(train, None, weight, sides=self.sides, progress=progress, base=self.base, keep=keep)
        if not leads():
            return
        show_plan(screen, estimator)
        record = self.write(screen, output, estimator, {**chosen, "weights": weights})
        kept.over()
        screen.result(record)

    def write(self, screen: Screen, output: Path, estimator: MultiTask, chosen: Mapping[str, Any]) -> dict[str, Json]:
        """Judge, show and write, in this order: nothing is written of a model that cannot be judged."""
        from plait.cli.rows import weight_of
        from plait.report.written import MODEL, run_record, write_json, write_run

        evaluation, test = None, self.division.test
        if test is not None:
            evaluation = estimator.evaluate(test, None, weight_of(test, self.schema), sides=self.sides)
            screen.heading("judged on the rows held out")
            screen.say(str(evaluation))
        told = run_record(output, self.data, self.division, self.share, estimator, chosen, None, self.leaks)
        metrics = {} if evaluation is None else {n: e.to_json()["figures"] for n, e in evaluation.targets.items()}
        record = {**told, "task": "several", "metrics": metrics, "accepted": True, "refused": ""}
        write_run(output, estimator, record, None)
        written = [MODEL, "schema.yaml", "run.json"]
        if evaluation is not None:
            write_json(output / "evaluation.json", evaluation.to_json())
            drawn = draw_each(evaluation, output)
            written += ["evaluation.json" + (" and pictures by target" if drawn else "")]
        screen.heading(f"written to {output}: {', '.join(written)}")
        return record


def draw_each(evaluation: Evaluations, folder: Path) -> tuple[Path, ...]:
    """The curves of each target that has any (classes and values), in a folder of its own."""
    from plait.report.curves import draw

    drawn: list[Path] = []
    places: set[str] = set()
    for name, each in evaluation.targets.items():
        if each.kind in ("class", "value"):
            place = re.sub(r"[^\w-]+", "_", name)  # no dots: neither folders above nor files of the run
            while place in places:
                place += "_"
            places.add(place)
            drawn += draw(each, folder / place)
    return tuple(drawn)


def evaluate_several(
    screen: Screen,
    estimator: MultiTask,
    frame: pd.DataFrame,
    sides: Mapping[str, Side],
    pictures: Path | None,
    of_one: Mapping[str, Any],
) -> None:
    """Judge each target on the rows that have its label.

    Raises
    ------
    ConfigError
        If something is asked that only one target can be.
    DataError
        If the data has none of the targets.
    """
    from plait.cli.rows import weight_of

    given = [option for option, value in of_one.items() if value]
    if given:
        raise ConfigError(f"--{given[0]} is about one target, and the model has {', '.join(estimator.targets_)}")
    if not any(name in frame.columns for name in estimator.targets_):
        raise DataError(f"no target is in the data; the model predicts {', '.join(estimator.targets_)}")
    whole = frame.assign(**{name: None for name in estimator.targets_ if name not in frame.columns})
    schema = estimator.schema_
    weight = weight_of(frame, schema) if schema.weight in frame.columns else None
    with screen.progress():
        evaluation = estimator.evaluate(whole, None, weight, sides=sides)
    screen.say(str(evaluation))
    if pictures is not None:
        for path in draw_each(evaluation, pictures):
            screen.note(f"drew {path}")
    screen.result(evaluation.to_json())
