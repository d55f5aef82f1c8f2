"""A schema, its rooms, a head and a fitted fusion: what an estimator wraps and an artifact keeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from numbers import Integral
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait import artifact, registry
from plait.calibration import Calibrated, Choice, choose, plain
from plait.conformal.promise import SCALED, Promise, Wanted, promise, restored
from plait.contracts import (
    FORGETFUL,
    Array,
    Batches,
    Comparing,
    FitContext,
    Head,
    Job,
    Json,
    Keep,
    Modality,
    Prediction,
    Progress,
    Side,
    State,
)
from plait.contracts.crossing import unheard
from plait.data.fingerprint import fingerprint
from plait.data.frame import groups_of, read_columns, source_columns, times_of
from plait.data.schema import Schema
from plait.data.stream import Stream
from plait.errors import ArtifactError, ConfigError, DataError, PlaitError, SchemaError, unknown
from plait.evidence import Evidence, Fitted, View
from plait.media.decode import running
from plait.pretraining import Base
from plait.stacking import Part, Stacked, inner_scores, make_fusion
from plait.streamed import check_fusion, evidence_of
from plait.tasks import FittedSeparate, able
from plait.tasks import restored as restored_fusion
from plait.threads import leads, threads_of, together

__all__ = ["Model", "Settings", "duration", "seed_of", "single_threaded_blas"]

MANY = 256  # rows from which setting thread limits costs nothing beside the work
UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}
REFERENCES = ("linear", "lightgbm")  # learners that an evaluation stands beside


@dataclass(frozen=True)
class Settings:
    """What a fit was asked to do, apart from data and schema."""

    fusion: str
    learner: str | None
    options: Mapping[str, Mapping[str, Json]]
    time_budget: float | None
    plan: Mapping[str, Json] | None
    seed: int
    threads: int

    @classmethod
    def of(
        cls,
        plan: Mapping[str, Json],
        *,
        time_budget: float | str | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Self:
        """Check what an estimator was told; `plan` has fusion, learner and options, and perhaps the parts to replay.

        Raises
        ------
        ConfigError
            If a name is unknown or a value out of range, also of a part that the fusion may not use.
        """
        if not {"fusion", "learner", "options"} <= set(plan):
            raise ConfigError("plan lacks fusion, learner or options; give the plan_ of a fit or of its run.json")
        fusion, learner, options = plan["fusion"], plan["learner"], plan["options"] or {}
        registry.target("fusions", str(fusion))
        if learner is not None:
            registry.target("learners", str(learner))
        _check_options(options)
        return cls(
            fusion=str(fusion),
            learner=None if learner is None else str(learner),
            options=options,
            time_budget=None if time_budget is None else duration(time_budget, "time budget"),
            plan=plan if "parts" in plan else None,
            seed=seed_of(random_state),
            threads=threads_of(n_jobs),
        )


class Model:
    """A fitted model over the sources of a schema.

    `record` tells how the fit went: seconds a stage, faults by column, versions, seed and threads. `plan` can be given
    to another fit.
    """

    def __init__(
        self,
        schema: Schema,
        rooms: Mapping[str, Modality],
        head: Head,
        fitted: Fitted,
        plan: Mapping[str, Json],
        record: Mapping[str, Json],
    ) -> None:
        self.schema = schema
        self.rooms = rooms
        self.head = head
        self.fitted = fitted
        self.plan = plan
        self.record = record
        self.reference_learners: tuple[str, ...] = REFERENCES
        self.references: dict[str, Fitted] = {}
        self.conformal: Promise | None = None
        self._evidence: Evidence | None = None

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame | Stream,
        targets: Array,
        weight: npt.NDArray[np.float64],
        head: Head,
        schema: Schema,
        settings: Settings,
        sides: Mapping[str, Side] | None = None,
        report: Callable[[Progress], None] | None = None,
        base: Base | None = None,
        keep: Keep = FORGETFUL,
    ) -> Self:
        """Fit rooms and fusion on all rows of a frame or stream.

        Parameters
        ----------
        targets
            ``N`` labels or values, without missing ones; `head` is already fitted on them.
        weight
            float64 ``N``, not all zero.
        base
            Pretrained, with rooms of its own: those of equal sources are taken as they are, and networks start from it.
        keep
            Where the fit keeps what it has done (`plait.checkpoints.Checkpoints`), so that it can go on after a crash.
        """
        watch = _Watch()
        sources = schema.sources
        if not sources:
            raise SchemaError("no column is left to learn from: every one is the target, a role, ignored or constant")
        if schema.label_time is not None and schema.time is None:
            raise SchemaError(f"label_time {schema.label_time!r} says nothing without a time column; name that, too")
        if settings.time_budget is not None and together():
            raise ConfigError("a time budget is that of one process: several would leave out different parts; drop it")
        fusion = able(make_fusion(settings.fusion, settings.learner, _with_run(settings)), head)
        check_fusion(fusion, settings.fusion, settings.learner, head, frame)
        taken, start = ({}, None) if base is None else (base.taken(schema), base.state())
        rooms = {source.name: taken.get(source.name) or registry.room(source)(source) for source in sources}
        read_columns(frame.columns, schema)
        encoded = head.encode(targets)
        context = FitContext(
            targets=encoded,
            task=head.task,
            outputs=head.outputs,
            weight=weight / weight.mean(),
            time=times_of(frame, schema.time, required=True),
            label_time=times_of(frame, schema.label_time, required=False),
            groups=_groups(frame, schema.group, head, encoded),
            seed=settings.seed,
            threads=settings.threads,
            doors=fusion.doors(len(frame), tuple(rooms.values())),
            job=Job(report or unheard, keep, start, frozenset(taken), np.asarray(frame.index)),
        )
        keep.claim(_asked(settings, schema, context, head, isinstance(frame, Stream)))
        with single_threaded_blas(), running(context.report, settings.threads):
            evidence = evidence_of(frame, schema, rooms, head, context, sides, watch.lap)
            fitted = fusion.fit(evidence.within(settings.fusion))
            watch.lap("fit")
        plan = {"fusion": settings.fusion, "learner": settings.learner, "options": settings.options}
        record = {
            "rows": len(frame),
            "seconds": watch.laps,
            "seed": settings.seed,
            "threads": settings.threads,
            "time_budget": settings.time_budget,
            "faults": evidence.faults,
            "training": fitted.noted,
            "base": None if base is None else {"rooms": list(taken), "rows": base.record["rows"]},
            "versions": artifact.versions(),
        }
        model = cls(schema, rooms, head, fitted, {**plan, **getattr(fusion, "made", {})}, record)
        model._evidence = evidence.sample
        return model

    def training_rows(self) -> Evidence:
        """What this was fitted on, as far as it is in memory.

        Raises
        ------
        DataError
            If it is not at hand: the model was saved, or sent elsewhere.
        """
        if self._evidence is None:
            raise DataError("the training rows are not kept in a saved model; fit it here")
        return self._evidence

    def batches(self, frame: pd.DataFrame, sides: Mapping[str, Side] | None = None) -> Batches:
        """Cells of any rows to arrays, by the rooms of this model."""
        columns = source_columns(frame, self.schema, sides)
        return Batches({name: room.transform(columns[name]) for name, room in self.rooms.items()}, len(frame))

    def predict(
        self, frame: pd.DataFrame, sides: Mapping[str, Side] | None = None, present: Array | None = None
    ) -> Prediction:
        """Predict rows, and say which of their cells could not be read; `present` (bool ``N x S`` or ``S``) hides
        sources."""
        batches = self.batches(frame, sides)
        if len(frame) < MANY:
            return replace(self.fitted.predict(batches, present), faults=batches.faults)
        with single_threaded_blas():
            return replace(self.fitted.predict(batches, present), faults=batches.faults)

    def context(self, frame: pd.DataFrame, targets: Array, weight: npt.NDArray[np.float64]) -> FitContext:
        """What is known of rows that something is to be learned from after the fit; `targets` are labels or values.

        Columns of times and groups may be missing.
        """
        time, label_time, group = (
            name if name in frame.columns else None
            for name in (self.schema.time, self.schema.label_time, self.schema.group)
        )
        return FitContext(
            targets=self.head.encode(targets),
            task=self.head.task,
            outputs=self.head.outputs,
            weight=weight / weight.mean(),
            time=times_of(frame, time, required=True),
            label_time=times_of(frame, label_time, required=False),
            groups=groups_of(frame, group),
            seed=self.record["seed"],
            threads=self.record["threads"],
        )

    def calibrate(self, method: str, rows: tuple[Batches, FitContext] | None = None) -> Choice:
        """Put a calibrator over the scores (none for ``"none"``), instead of the one that may be there.

        Parameters
        ----------
        rows
            Rows that the model was not fitted on; None: inner held-out rows of its own training rows, which are at hand
            until it is saved.

        Raises
        ------
        ConfigError, DataError
            If the method is unknown or the rows cannot tell (see `plait.calibration.choose`); if there are no rows.
        """
        with single_threaded_blas():
            if rows is not None:
                batches, context = rows
                scores = plain(self.fitted).score(View(batches, self.rooms))
            elif self._evidence is None:
                raise DataError("the training rows are not kept in a saved model; give rows to calibrate on")
            else:
                part = Part("to calibrate", self.plan["fusion"], self.plan["learner"])
                unseen = inner_scores(plain(self.fitted), self._evidence, part, self.plan["options"] or {})
                scores, context = unseen.scores, self._evidence.context.take(unseen.rows)
            choice = choose(self.head, scores, context, method)
        bare = plain(self.fitted)
        self.fitted = bare if choice.calibrator is None else Calibrated(bare, choice.calibrator)
        self.conformal = None  # what was promised was promised of other scores
        kept = {name: value for name, value in self.record.items() if name != "conformal"}
        told = {**choice.to_json(), "asked": method, "source": "training rows" if rows is None else "given rows"}
        self.record = {**kept, "calibration": told}
        return choice

    def conformalize(
        self, batches: Batches, context: FitContext, wanted: Wanted, values: Sequence[str] | None = None
    ) -> Promise:
        """Learn sets or intervals from rows that the model was not fitted on; see `plait.conformal.promise`."""
        with single_threaded_blas():
            if wanted.method == SCALED and self._evidence is not None:
                _ = self._evidence.joined  # it teaches the rooms features, which a network alone has not asked for
            made = promise(self.fitted, View(batches, self.rooms), context, wanted, values)
        self.conformal = made
        self.record = {**self.record, "conformal": {**made.to_json(), "rows": len(context)}}
        return made

    def baselines(self, batches: Batches) -> dict[str, Prediction]:
        """What the constant, the linear and the LightGBM reference say of the same rows."""
        self.add_references()
        constant = self.head.decode(np.tile(self.head.prior, (len(batches), 1)))
        found = {name: fitted.predict(batches) for name, fitted in self.references.items()}
        return {"constant": constant, **found}

    def add_references(self) -> None:
        """Fit the reference models on the training rows, unless they are parts of this model already.

        They are made on first use (an evaluation, a save), while the training rows are still at hand.
        """
        for name in self.reference_learners:
            if name in self.references:
                continue
            own = _early(self.fitted, name)
            if own is None and self._evidence is not None:
                with single_threaded_blas():
                    own = able(make_fusion("early", name, {}), self.head).fit(
                        self._evidence.within(f"reference {name}")
                    )
            if own is not None:
                self.references[name] = own

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_evidence": None}

    def save(self, path: str | Path, estimator: Mapping[str, Json]) -> None:
        """Write the model as one directory, or one zip where `path` ends in ``.zip``.

        Of processes that fitted it together, the leader writes.
        """
        if not leads():
            return
        self.add_references()
        rooms = {name: room.state() for name, room in self.rooms.items()}
        mine = [name for name in self.references if _early(self.fitted, name) is None]
        parts = {
            "rooms": State(1, parts=rooms),
            "head": self.head.state(),
            "fitted": self.fitted.state(),
            "references": State(1, parts={name: self.references[name].state() for name in mine}),
        }
        calibrated = isinstance(self.fitted, Calibrated)
        if self.conformal is not None:
            parts["conformal"] = self.conformal.state()
        values = {
            "head": self.head.name,
            "fusion": self.plan["fusion"],
            "record": self.record,
            "calibrated": calibrated,
        }
        manifest = {"schema": self.schema.to_json(), "plan": self.plan, "estimator": estimator}
        artifact.write(Path(path), State(1, values, parts=parts), manifest)

    @classmethod
    def load(cls, path: str | Path) -> tuple[Self, dict[str, Json]]:
        """Read a model back, with what `save` was told of the estimator.

        Raises
        ------
        ArtifactError
            If the files are damaged, hostile, or newer than this version.
        """
        manifest, state = artifact.read(Path(path))
        return cls.restored(manifest, state, path)

    @classmethod
    def restored(cls, manifest: Mapping[str, Json], state: State, path: str | Path) -> tuple[Self, dict[str, Json]]:
        """The model of a file that was read; `path` is for what `load` raises."""
        try:
            schema = Schema.from_json(manifest["schema"])
            head = registry.get("heads", state.values["head"]).from_state(state.parts["head"])
            rooms = {
                source.name: registry.room(source).from_state(source, state.parts["rooms"].parts[source.name])
                for source in schema.sources
            }
            fusion, own = state.values["fusion"], state.parts["fitted"]
            fitted: Fitted
            if state.values.get("calibrated"):
                fitted = Calibrated.from_state(own, fusion, rooms, head)
            else:
                fitted = restored_fusion(fusion, own, rooms, head)
            model = cls(schema, rooms, head, fitted, manifest["plan"], state.values["record"])
            for name, reference in state.parts["references"].parts.items():
                model.references[name] = restored_fusion("early", reference, rooms, head)
            if "conformal" in state.parts:
                model.conformal = restored(state.parts["conformal"])
            estimator = dict(manifest["estimator"])
        except PlaitError:
            raise
        except (AttributeError, LookupError, MemoryError, OverflowError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} is not a complete plait model: {type(error).__name__} {error}") from None
        return model, estimator


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep numpy's and scikit-learn's own threads out: the matrices are small, and on busy cores threads that wait for
    each other took 30 times as long (LightGBM and torch get their thread counts by argument)."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def _asked(settings: Settings, schema: Schema, context: FitContext, head: Head, streamed: bool) -> dict[str, Json]:
    """What decides the result of a fit, beside the cells, which rooms know again."""
    return {
        "settings": asdict(settings),
        "schema": schema.to_json(),
        "head": {"name": head.name, **head.state().values},
        "rows": len(context),
        "streamed": streamed,
        "targets": fingerprint(context.targets),
        "weights, times and groups": fingerprint(context.weight, context.time, context.label_time, context.groups),
        "base": fingerprint(context.job.base),
        "versions": artifact.versions(),
    }


class _Watch:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.laps[stage] = round(now - self._last, 3)
        self._last = now


def _check_options(options: Mapping[str, Mapping[str, Json]]) -> None:
    if not isinstance(options, Mapping):
        raise ConfigError(f"options={options!r} must be by part, as in {{'lightgbm': {{'leaves': 31}}}}")
    kinds = {name: kind for kind in ("fusions", "learners") for name in registry.names(kind)}
    for part, own in options.items():
        if part not in kinds:
            raise unknown("part in options", part, kinds)
        if not isinstance(own, Mapping):
            raise ConfigError(f"options of {part!r} are {own!r}; map names to values, as in {{'leaves': 31}}")
        registry.make(kinds[part], part, own)


def seed_of(state: int | np.random.RandomState | None) -> int:
    """A whole number of 0 or more; None is 0."""
    if isinstance(state, np.random.RandomState):
        return int(state.randint(2**31))
    if not isinstance(state, Integral | None) or not 0 <= int(state or 0) < 2**32:
        raise ConfigError(f"random_state={state!r} is out of range (allowed: 0 to 2**32 - 1, a RandomState or None)")
    return int(state or 0)


def duration(given: float | str, what: str) -> float:
    """``"90"``, ``"90s"``, ``"3min"``, ``"1.5h"`` or a number of seconds.

    Raises
    ------
    ConfigError
        If it is none; `what` it is of is named.
    """
    if isinstance(given, int | float):
        return given
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", given.lower())
    if match is None or (match[2] and match[2] not in UNITS):
        raise ConfigError(f"{what} {given!r} is not a duration; write 90, 90s, 3min or 1h")
    return float(match[1]) * UNITS.get(match[2], 1)


def _with_run(settings: Settings) -> Mapping[str, Mapping[str, Json]]:
    """The options, with what auto needs to know of the run."""
    if settings.fusion != "auto":
        return settings.options
    run = {"time_budget": settings.time_budget, "plan": settings.plan}
    return {**settings.options, "auto": {**settings.options.get("auto", {}), **run}}


def _groups(frame: pd.DataFrame | Stream, name: str | None, head: Head, encoded: Array) -> npt.NDArray[np.int64] | None:
    """What stays together: the groups that the schema names, or else those in which the head compares rows."""
    told = groups_of(frame, name)
    return head.together(encoded) if told is None and isinstance(head, Comparing) else told


def _early(fitted: Fitted, learner: str) -> Fitted | None:
    """The early part of a model with this learner over all of its sources, if it has one."""
    fitted = plain(fitted)
    if isinstance(fitted, FittedSeparate):
        return fitted if all(m is None or _early(m, learner) is m for m in fitted.members) else None
    if isinstance(fitted, Stacked):
        for part, member in fitted.parts:
            if part.source is None and part.fusion == "early" and part.learner == learner:
                return member
    return fitted if getattr(getattr(fitted, "learner", None), "name", None) == learner else None
