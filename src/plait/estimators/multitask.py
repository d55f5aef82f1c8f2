"""Several targets from the same rows of mixed evidence, by one model that shares what it learns among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from plait import registry
from plait.contracts import FORGETFUL, Array, Composite, Json, Keep, Prediction
from plait.data.schema import ColumnSpec, Schema
from plait.data.stream import Stream
from plait.errors import ConfigError, DataError, SchemaError, unknown
from plait.estimators.affinity import Affinity, Method, affinity
from plait.estimators.base import Pretrained, Reading, Report, Sides
from plait.estimators.classifier import Classifier
from plait.estimators.evaluations import Evaluations, judged
from plait.estimators.judged import Judged
from plait.estimators.one_task import TaskModel
from plait.estimators.regressor import Regressor
from plait.estimators.targets import in_rows
from plait.estimators.tasks import Asked, asked_of, known_rows, labels_of, names_of, separated, together
from plait.metrics.kinds import middle_grade
from plait.model import Model

__all__ = ["MultiTask"]

USUAL = "gradient"


class MultiTask(Reading):
    """Predict several targets of mixed kinds from rows of mixed evidence; any label of a row may be missing.

    A neural fusion learns one body for all targets and a head for each, so that targets with few labels profit from
    others that hang on the same evidence. A classical one (``"early"``, ``"late"``, ``"auto"``) fits a learner for each
    target on the features that all share.

    Parameters
    ----------
    targets
        Columns of `Y`, or each column to its head: ``"binary"``, ``"multiclass"``, ``"regression"``, ``"ordinal"``,
        ``"quantile"``, ``"ranking"``, ``"multilabel"``, one with options such as
        ``{"head": "quantile", "levels": [0.1, 0.5, 0.9]}``, or None: what the column is.
    fusion
        ``"attention"`` or any other registered fusion.
    weights
        How much each target's loss counts in ``L = sum_t w_t L_t`` while a network learns, ``L_t`` in units of what the
        target's prior loses: numbers by target, ``"equal"``, ``"uncertainty"`` (learned: one over each target's own
        loss) or ``"gradient"`` (all targets pull equally at what they share); see `plait.training.several`. None:
        ``"gradient"``, which lost least on made data kept from both training and tests.
    schema, learner, options, time, label_time, group, plan, n_jobs, random_state
        As of `Classifier`.

    Attributes
    ----------
    model_ : Model
    schema_, plan_, record_, faults_
        The schema that was fitted, what was fitted, how it went, and the cells that could not be read.
    targets_ : tuple of str
    weights_ : dict
        The weight of each target's loss at the end of the training.
    """

    def __init__(
        self,
        targets: Asked,
        *,
        fusion: str = "attention",
        weights: str | Mapping[str, float] | None = None,
        schema: Schema | str | PathLike[str] | None = None,
        learner: str | None = None,
        options: Mapping[str, Mapping[str, Json]] | None = None,
        time: str | None = None,
        label_time: str | None = None,
        group: str | None = None,
        plan: Mapping[str, Json] | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            schema=schema,
            fusion=fusion,
            learner=learner,
            options=options,
            time=time,
            label_time=label_time,
            group=group,
            plan=plan,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.targets = targets
        self.weights = weights

    def fit(
        self,
        X: object,
        Y: object = None,
        sample_weight: object = None,
        *,
        sides: Sides | None = None,
        progress: Report | None = None,
        base: Pretrained | None = None,
        keep: Keep = FORGETFUL,
    ) -> Self:
        """Fit on a frame of mixed columns, or on several that share some.

        Parameters
        ----------
        X
            Data frame (pandas, polars, Arrow); or a list of such, whose columns of one name are one source and whose
            other columns are missing in the rest.
        Y
            A frame, or a dict, of the targets' labels, ``N`` rows; None or NaN where one is missing. A list of such
            beside a list of `X`. None: the targets are among the columns of `X`.
        sample_weight
            ``N`` weights, >= 0 (of the rows of all frames, one after the other).
        sides
            Long tables behind columns, by name.
        progress, base, keep
            As of `Classifier.fit`.

        Raises
        ------
        InputError
            If the data cannot be fitted: a target without labels or with one class, columns that do not fit the schema
            or each other.
        """
        evidence, labels = self._apart(X, Y)
        frame = self._rows(evidence, reset=True)
        if len(labels) != len(frame):
            raise DataError(f"X has {len(frame)} rows but Y has {len(labels)}")
        if len(frame) < 2:
            raise DataError(f"n_samples={len(frame)}: at least 2 rows are needed to fit")
        weight = self._weight(sample_weight, len(frame))
        told = labels_of(labels)
        head = registry.get("heads", "several")(asked_of(self.targets, labels), self._weights())
        head.fit(told, in_rows(weight))
        self._fit(evidence, told, weight, head, frame, sides, progress, None, base, keep)
        self.model_.reference_learners = ("linear",)
        counts = {name: len(known_rows(told[:, i])) for i, name in enumerate(head.members)}
        kinds = {name: said["head"] for name, said in head.asked.items()}
        told_of = {name: {"head": kinds[name], "labels": count} for name, count in counts.items()}
        self.model_.record = {**self.model_.record, "targets": told_of, "weights": self.weights_}
        return self

    @property
    def targets_(self) -> tuple[str, ...]:
        """The targets that were fitted."""
        return tuple(self._head().members)

    @property
    def weights_(self) -> dict[str, float]:
        """What each target's loss counted at the end of the training; of classical fusions, which join none, 1."""
        head = self._head()
        told = getattr(self._fitted_model().fitted, "history", {}).get("told", {})
        fixed = zip(head.members, head.fixed.tolist(), strict=True)
        return {name: float(told.get(f"weight of {name}", weight)) for name, weight in fixed}

    def predict(self, X: object, *, sides: Sides | None = None) -> pd.DataFrame:
        """A column of labels or values a target, ``N`` rows; a column a quantile, and a column a label of many.

        The likeliest class, the middle grade (half of the probability is at or below it), the value, the score of a
        ranking, 1 for labels of probability above one half. A target's columns begin with its name.
        """
        frame = self._rows(X)
        found = self.prediction(frame, sides=sides).parts
        columns = {column: cells for name, part in found.items() for column, cells in said(name, part).items()}
        return pd.DataFrame(columns, index=frame.index)

    def predict_proba(self, X: object, *, sides: Sides | None = None) -> dict[str, npt.NDArray[np.float64]]:
        """Probabilities by target, of those that have any: ``N x C``, columns as in the prediction's classes."""
        parts = self.prediction(X, sides=sides).parts
        return {name: part.values for name, part in parts.items() if part.classes is not None}

    def judge(
        self, X: object, Y: object = None, sample_weight: object = None, *, sides: Sides | None = None
    ) -> dict[str, Judged]:
        """Predict rows once, to be judged target by target, each on the rows that have its label.

        Parameters are those of `fit`. A target without a label is left out.
        """
        check_is_fitted(self)
        evidence, labels = self._apart(X, Y)
        frame = self._rows(evidence)
        if len(labels) != len(frame):
            raise DataError(f"X has {len(frame)} rows but Y has {len(labels)}")
        weight = None if sample_weight is None else self._weight(sample_weight, len(frame))
        return judged(self._fitted_model(), frame, labels_of(labels), weight, sides)

    def evaluate(
        self, X: object, Y: object = None, sample_weight: object = None, *, sides: Sides | None = None
    ) -> Evaluations:
        """Metrics of each target with intervals, beside a constant and a linear model fitted on the same rows.

        Parameters are those of `fit`.

        Raises
        ------
        DataError
            If no row has any label.
        """
        found = self.judge(X, Y, sample_weight, sides=sides)
        if not found:
            raise DataError("no row has the label of any target; there is nothing to judge")
        return Evaluations(
            {name: each.evaluate() for name, each in found.items()},
            tuple(name for name in self.targets_ if name not in found),
        )

    def task(self, target: str) -> Classifier | Regressor:
        """The model of one target, as a classifier or a regressor, that can be judged, explained and calibrated.

        It is a view: the same network or learners, nothing is fitted again.

        Raises
        ------
        ConfigError
            If there is no such target, or it is neither classes nor a value.
        """
        head, model = self._head(), self._fitted_model()
        if target not in head.members:
            raise unknown("target", target, head.members)
        kind = head.members[target].decode(head.members[target].prior[None]).kind
        kinds: dict[str, type[Classifier] | type[Regressor]] = {"class": Classifier, "value": Regressor}
        if kind not in kinds:
            raise ConfigError(f"target {target!r} is predicted as {kind}, and only classes and values have a view")
        own = kinds[kind]
        known = {name: value for name, value in self.get_params(deep=False).items() if name in own._get_param_names()}
        view = own(**known)
        view.model_ = TaskModel(model, head, target)
        view.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            view.feature_names_in_ = self.feature_names_in_
        if isinstance(view, Classifier):
            view.classes_ = cast("Any", head.members[target]).classes
        return view

    def task_affinity(
        self,
        X: object,
        Y: object = None,
        sample_weight: object = None,
        *,
        sides: Sides | None = None,
        method: Method = "lookahead",
        repeats: int = 1,
        dry_run: bool = False,
    ) -> Affinity:
        """Which target helps which; this estimator itself is not fitted, nor changed.

        Parameters
        ----------
        X, Y, sample_weight, sides
            As of `fit`.
        method
            ``"lookahead"``: one fit, in which every tenth step also looks what a step for each target does to the
            losses of the others (Fifty et al., 2021; `plait.training.lookahead`).
            ``"exact"``: the targets are learned together and once without each, and judged on a quarter of the rows
            held out (the latest, where time is known): ``T + 1`` fits.
        repeats
            Times with other seeds, of which the means are told: a fit moves by chance, too.
        dry_run
            Tell only how many fits it would be, and about how many seconds, by how long this estimator's own took.

        Raises
        ------
        ConfigError
            If there is one target, or the fusion learns each target alone.
        """
        evidence, labels = self._apart(X, Y)
        frame = self._rows(evidence)
        weight = self._weight(sample_weight, len(frame))
        each = None
        if dry_run:
            check_is_fitted(self)
            each = sum(self.record_["seconds"].values()) * len(frame) / self.record_["rows"]
        return affinity(self, frame, labels, weight, sides, method, repeats, each)

    def _apart(self, X: object, Y: object) -> tuple[object, pd.DataFrame]:
        """Evidence and labels, those of several frames as one."""
        if (
            isinstance(X, list | tuple)
            and X
            and all(hasattr(part, "columns") or isinstance(part, Mapping) for part in X)
        ):
            if Y is not None and not isinstance(Y, Sequence):
                raise DataError(f"X is a list of {len(X)} frames; give Y as a list of as many, or None")
            return together(X, Y, self.targets)
        return separated(X, Y, self.targets)

    def _schema(self, X: object, frame: pd.DataFrame | Stream, sides: Sides | None) -> Schema:
        """The schema with the targets, and no others."""
        schema, targets = super()._schema(X, frame, sides), names_of(self.targets)
        roles = {spec.name: spec.role for spec in schema.columns}
        if strangers := sorted(set(schema.targets) - set(targets)):
            raise SchemaError(f"the schema has {strangers[0]!r} as a target, of which the model knows nothing")
        if wrong := [name for name in targets if roles.get(name, "target") != "target"]:
            raise SchemaError(f"the schema has the target {wrong[0]!r} as {roles[wrong[0]]}; make it a target there")
        missing = tuple(ColumnSpec(name, "target") for name in targets if name not in roles)
        return replace(schema, columns=(*schema.columns, *missing))

    def _weights(self) -> str | Mapping[str, float]:
        """How losses are weighted: as usual where nothing is said. Fusions that learn each target alone join none."""
        if getattr(registry.get("fusions", str(self._settings().fusion)), "any_head", False):
            return USUAL if self.weights is None else self.weights
        if self.weights is not None:
            raise ConfigError(
                f"fusion {self.fusion!r} learns each target alone, so that weights={self.weights!r} say nothing"
            )
        return "equal"

    def _head(self) -> Composite:
        return cast("Composite", self._fitted_model().head)

    @classmethod
    def like(cls, model: Model, parameters: Mapping[str, Any]) -> Self:
        """The estimator of a saved model, whose head knows targets and weights."""
        head = cast("Any", model.head)
        weights = head.weights if getattr(registry.get("fusions", model.plan["fusion"]), "any_head", False) else None
        return cls(dict(head.asked), weights=weights, **parameters)

    def _kept_parameters(self) -> dict[str, Json]:
        """Targets and weights are read back from the head."""
        kept = super()._kept_parameters()
        return {name: value for name, value in kept.items() if name not in ("targets", "weights")}


def said(name: str, part: Prediction) -> dict[str, Array]:
    """What is said of one target, as columns."""
    values, classes = part.values, part.classes
    if part.kind == "quantiles":
        return {f"{name}_{level:g}": values[:, i] for i, level in enumerate(part.levels)}
    if classes is None:
        return {name: values}
    if part.kind == "labels":
        return {f"{name}_{label}": (values[:, i] > 0.5).astype(np.int64) for i, label in enumerate(classes)}
    if part.kind == "grade":
        return {name: classes[middle_grade(values)]}
    return {name: classes[values.argmax(axis=1)]}
