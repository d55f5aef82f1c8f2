"""Fit the desk: scorecard and evidence on the past, their blend and the grades on what neither has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from plait.contracts import FORGETFUL, Array, Json, Keep, Progress, Side
from plait.contracts.crossing import unheard
from plait.data.division import divide
from plait.data.labels import Labels
from plait.data.schema import ColumnSpec, Schema
from plait.desks.credit.blend import fit_blend
from plait.desks.credit.config import Config
from plait.desks.credit.model import CreditModel, log_odds_of_default, tabular
from plait.desks.credit.monitoring.stability import Reference
from plait.desks.credit.policy.prohibited import refuse_prohibited
from plait.desks.credit.policy.ranges import Ranges
from plait.desks.credit.reasons.neutral import Typical
from plait.desks.credit.reasons.sentences import check_codes
from plait.desks.credit.reasons.settings import ReasonSettings
from plait.desks.credit.scorecard.card import Scorecard
from plait.desks.credit.scorecard.fit import fit_scorecard
from plait.errors import ConfigError, DataError, SchemaError, unknown
from plait.estimators import Classifier
from plait.metrics.classification import ks, roc_auc
from plait.metrics.weights import as_weight

__all__ = ["fit_credit", "meaning_default"]

Report = Callable[[Progress], None]
TARGET = "default"  # what a nameless target is called


def fit_credit(
    frame: pd.DataFrame,
    target: pd.Series[Any],
    *,
    schema: Schema | None = None,
    time: str | None = None,
    bad: Json = None,
    config: Config | None = None,
    sides: Mapping[str, Side] | None = None,
    weight: npt.NDArray[np.float64] | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    report: Report = unheard,
    keep: Keep = FORGETFUL,
) -> CreditModel:
    """Fit scorecard, evidence model, blend and master scale.

    Scorecard and evidence model are fitted on the earlier rows (a part at random, class by class, where rows have no
    time) and predict the rest, which the blend and the grades are fitted on: predictions as new applicants will have
    them. Then both are fitted again on all rows, and the blend's levels are set to them.

    Parameters
    ----------
    frame
        ``N`` rows; a column of the target's name is not read.
    target
        ``N`` outcomes of two kinds.
    schema
        What each column is; default: inferred, with `time`.
    time
        Column of the moment of a row; a schema says it itself.
    bad
        The outcome that means default; default: 1 of 0 and 1, True of False and True.
    config
        What the lender decided.
    sides
        Long tables by name.
    weight
        float64 ``N``, not negative.
    seed, n_jobs
        Same seed and threads, same model.
    report
        Called with `plait.contracts.Progress`.
    keep
        Where the fits of the evidence model keep what they have done (`plait.checkpoints.Checkpoints`).

    Raises
    ------
    ConfigError
        If a column must not decide about a person's credit, a setting is not allowed, or it is not said which outcome
        is bad.
    DataError
        If there are not two outcomes, or one side of the inner split has only one.
    """
    config = config or Config()
    label = meaning_default(target, bad)
    job = _Job.of(frame, target, label, schema, time, config, sides or {}, weight, seed, n_jobs, report)
    refuse_prohibited(job.schema, config.prohibited, frame)
    _check_reasons(job.schema, config.reasons)
    early, late = job.divided()
    first, second = early.scorecard(), early.evidence(keep.within("earlier rows"))
    card = first.log_odds(late.frame)
    told = log_odds_of_default(second, label, late.frame, late.sides)
    blend = fit_blend(card, told, late.bad, points=config.points, weight=late.weight, cap=config.blend.cap)
    joined = blend.log_odds(card, told).log_odds
    scale = config.grades.make(expit(joined), late.bad, late.weight)
    record = {
        "rows": len(frame),
        "blend_rows": len(late.bad),
        "bad_rate": float(np.average(job.bad, weights=job.weight)),
        "seed": seed,
        "time": job.schema.time,
        "population": Reference.of(config.points.of(joined), scale.assign(expit(joined)), len(scale)).to_json(),
        "ranges": Ranges.of(job.frame, tabular(job.schema)).to_json(),
        "blend_figures": {
            name: {"roc_auc": float(roc_auc(late.bad, risk, late.weight)), "ks": float(ks(late.bad, risk, late.weight))}
            for name, risk in (("scorecard", card), ("evidence", told), ("blend", joined))
        },
    }
    unseen = CreditModel(second, first, blend, scale, label, config, record)
    typical = Typical.learned(unseen, late.frame, late.sides)  # of rows as new applicants will be seen
    evidence, scorecard = job.evidence(keep.within("all rows")), job.scorecard()
    again = log_odds_of_default(evidence, label, late.frame, late.sides)
    blend = blend.anchored(scorecard.log_odds(late.frame), again, late.bad, late.weight)
    return CreditModel(evidence, scorecard, blend, scale, label, config, record, typical)


def meaning_default(outcomes: Array | pd.Series[Any], bad: Json = None) -> Json:
    """The outcome that means default.

    Raises
    ------
    ConfigError
        If it is not among the outcomes, or they do not say it themselves and nobody does.
    DataError
        If there are not two.
    """
    values = pd.Series(outcomes)
    if missing := int(values.isna().sum()):
        raise DataError(f"the outcome is missing in {missing:,} of {len(values):,} rows; leave those rows out")
    labels = Labels.learn(values.to_numpy()).classes.tolist()
    if len(labels) != 2:
        shown = ", ".join(map(str, labels[:8])) + (", ..." if len(labels) > 8 else "")
        raise DataError(f"the outcome has {len(labels)} values ({shown}); keep the rows of two: good and bad")
    if bad is None:
        if labels not in ([0, 1], [False, True]):
            raise ConfigError(f"which outcome is bad, {labels[0]!r} or {labels[1]!r}? name it (--bad)")
        return labels[1]
    for label in labels:
        if label == bad or str(label) == str(bad):
            return label
    raise unknown("outcome", bad, map(str, labels))


def _check_reasons(schema: Schema, settings: ReasonSettings) -> None:
    """Refuse settings of reasons for columns that no model will read, before any work."""
    columns = [name for source in schema.sources for name in source.columns]
    settings.check([*columns, *(source.name for source in schema.sources), *([schema.time] if schema.time else [])])
    check_codes(settings)


@dataclass(frozen=True)
class _Job:
    """Rows to fit on, and how."""

    frame: pd.DataFrame
    labels: pd.Series[Any]
    bad: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    schema: Schema
    config: Config
    sides: Mapping[str, Side]
    seed: int
    n_jobs: int | None
    report: Report

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        target: pd.Series[Any],
        label: Json,
        schema: Schema | None,
        time: str | None,
        config: Config,
        sides: Mapping[str, Side],
        weight: Array | None,
        seed: int,
        n_jobs: int | None,
        report: Report,
    ) -> _Job:
        if len(target) != len(frame):
            raise DataError(f"there are {len(frame):,} rows but {len(target):,} outcomes")
        name = str(getattr(target, "name", None) or TARGET)
        rows = frame.drop(columns=name, errors="ignore").reset_index(drop=True)
        rows.attrs.update(frame.attrs)
        labels = pd.Series(np.asarray(target), name=name)
        if schema is None:
            schema = Schema.infer(rows, time=time, sides=sides)
        elif time not in (None, schema.time):
            raise SchemaError(f"the time is {time!r} here but {schema.time!r} in the schema; name it in one place")
        if schema.target is None:
            schema = replace(schema, columns=(*schema.columns, ColumnSpec(name, "target")))
        bad = (labels == label).to_numpy(np.float64)
        return cls(rows, labels, bad, as_weight(weight, len(rows)), schema, config, sides, seed, n_jobs, report)

    def divided(self) -> tuple[_Job, _Job]:
        """Earlier rows, and later ones that the blend is learned from.

        Raises
        ------
        DataError
            If either has one outcome only.
        """
        whole = self.frame.assign(**{str(self.schema.target): self.labels})
        share = self.config.blend.holdout
        found = divide(whole, self.schema, classifies=True, test=share, seed=self.seed)
        sides = [self.take(side.index.to_numpy()) for side in (found.train, found.test) if side is not None]
        for job, what in zip(sides, ("earlier", "later"), strict=True):
            if len(np.unique(job.bad)) < 2:
                raise DataError(
                    f"the {len(job.bad):,} {what} rows have one outcome only, of which nothing can be learned; give "
                    f"more rows, or another holdout than {share:g} (blend: {{holdout: ...}})"
                )
        return sides[0], sides[1]

    def take(self, rows: Array) -> _Job:
        """Some of the rows, by position."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        frame.attrs.update(self.frame.attrs)
        labels = self.labels.iloc[rows].reset_index(drop=True)
        return replace(self, frame=frame, labels=labels, bad=self.bad[rows], weight=self.weight[rows])

    def evidence(self, keep: Keep) -> Classifier:
        """The evidence model of these rows."""
        said = self.config.evidence
        model = Classifier(
            schema=self.schema,
            fusion=said.fusion,
            learner=said.learner,
            options=dict(said.options) or None,
            n_jobs=self.n_jobs,
            random_state=self.seed,
        )
        fitted: Classifier = model.fit(
            self.frame, self.labels, self.weight, sides=self.sides, progress=self.report, keep=keep
        )
        return fitted

    def scorecard(self) -> Scorecard:
        """The scorecard of these rows."""
        time = self.schema.time
        columns = [*tabular(self.schema), *([time] if time else [])]
        return fit_scorecard(
            self.frame[list(dict.fromkeys(columns))],
            self.bad,
            weight=self.weight,
            settings=self.config.scorecard,
            time=time,
            report=self.report,
        )
