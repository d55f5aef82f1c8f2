"""Odd rows among rows of mixed evidence, without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from plait import artifact, registry
from plait.conformal.outliers import Budget
from plait.contracts import Array, FitContext, Job, Json, State
from plait.contracts import Detector as Part
from plait.contracts.crossing import unheard
from plait.data.frame import extra_columns, groups_of, times_of
from plait.data.schema import Schema
from plait.data.splits import holdout
from plait.errors import ConfigError, DataError
from plait.estimators.detection import Detection
from plait.estimators.framed import Framed, Report, Sides
from plait.estimators.odd import Odd, reasons
from plait.media.decode import running
from plait.model import seed_of
from plait.threads import threads_of

__all__ = ["Detector"]

DAY = 86_400.0


class Detector(OutlierMixin, Framed):  # type: ignore[misc]  # scikit-learn has no types
    """Find odd rows of mixed evidence, without labels.

    Parameters
    ----------
    schema
        A `Schema`, or the path of one, or None to infer it from the frame.
    detectors
        Registered detectors; a row's score is what the one says that finds it oddest, on one scale.
    options
        Options of detectors by name, as in ``{"isolation": {"trees": 500}}``.
    budget
        The share of new rows that may alert (``0.01``, ``"1%"``), or alerts a day (``"50 a day"``, which needs `time`).
        The threshold is learned on rows held out, the latest where rows have a time; a promise of ``1 / n`` needs
        ``n`` of them.
    contamination
        Instead, as in scikit-learn: the share of the training rows themselves that are outliers; none are held out.
    time, group
        Columns of `X`: the moment of a row, and what must not stand both among the rows learned from and those held
        out.
    holdout
        Share of the rows that the threshold is learned on.
    n_jobs
        Threads; None: all cores that this process may use.
    random_state
        Seed; None is 0.

    Attributes
    ----------
    offset_ : float
        `decision_function` is `score_samples` less this.
    model_ : Detection
    schema_, record_
        The schema that was fitted, and how it went; ``record_["alarm"]`` tells what is promised of new rows.
    """

    def __init__(
        self,
        *,
        schema: Schema | str | PathLike[str] | None = None,
        detectors: Sequence[str] = ("isolation", "reconstruction"),
        options: Mapping[str, Mapping[str, Json]] | None = None,
        budget: float | str = 0.05,
        contamination: float | None = None,
        time: str | None = None,
        group: str | None = None,
        holdout: float = 0.25,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.schema = schema
        self.detectors = detectors
        self.options = options
        self.budget = budget
        self.contamination = contamination
        self.time = time
        self.group = group
        self.holdout = holdout
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: object, y: object = None, *, sides: Sides | None = None, progress: Report | None = None) -> Self:
        """Learn what is usual.

        Parameters
        ----------
        X
            Data frame (pandas, polars, Arrow) or 2-D array of shape (N, F); some of the rows may be odd.
        y
            Not looked at.
        sides
            Long tables behind columns, by name (`plait.data.asof.side`).
        progress
            Called with `plait.contracts.Progress`.

        Raises
        ------
        InputError
            If the data cannot be read or an argument is out of range.
        """
        made, budget = self._made(), Budget.of(self.budget)
        frame = self._rows(X, reset=True)
        if len(frame) < 2:
            raise DataError(f"n_samples={len(frame)}: at least 2 rows are needed to fit")
        schema = self._schema(X, frame, sides)
        context = FitContext.unlabelled(
            len(frame),
            time=times_of(frame, schema.time, required=True),
            groups=groups_of(frame, schema.group),
            seed=seed_of(self.random_state),
            threads=threads_of(self.n_jobs),
            doors=frozenset({"features"}),
            job=Job(progress or unheard),
        )
        everything = np.arange(len(frame))
        if self.contamination is not None:
            rows, share = (everything, everything), float(self.contamination)
        else:
            learned, held = holdout(context, self.holdout)
            rows = (learned, held) if len(learned) and len(held) else (everything, everything)
            share = budget.of_rows(_rows_a_day(context.time, rows[1]))
        with running(context.report, context.threads):
            self.model_ = Detection.fit(frame, schema, made, context, rows, share, sides)
        self.offset_ = -self.model_.alarm.threshold
        return self

    def check(self) -> None:
        """Whether the arguments can be used, before any rows are read.

        Raises
        ------
        ConfigError
            If not.
        """
        self._made()
        Budget.of(self.budget)

    def _made(self) -> dict[str, Part]:
        """The detectors, not fitted."""
        names, options = list(self.detectors), self.options or {}
        if isinstance(self.detectors, str) or not names or len(set(names)) < len(names):
            raise ConfigError(f"detectors={self.detectors!r} must be different names, as in ['isolation']")
        if stranger := next((name for name in options if name not in names), None):
            raise ConfigError(f"options name {stranger!r}, which is none of the detectors {', '.join(names)}")
        rules = {"contamination": self.contamination, "holdout": self.holdout}
        for name, value in rules.items():
            if value is not None and not (isinstance(value, int | float) and 0 < value <= 0.5):
                raise ConfigError(f"{name}={value!r} is out of range (allowed: above 0, at most 0.5)")
        return {name: registry.make("detectors", name, options.get(name, {})) for name in names}

    def score_samples(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.float64]:
        """The opposite of how odd rows are, shape (N,): 0 at most, about -1 in the usual row, the lower the odder."""
        check_is_fitted(self)
        return np.asarray(-self.model_.surprises(self.model_.view(self._rows(X), sides)).max(axis=1))

    def decision_function(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.float64]:
        """`score_samples` less `offset_`, shape (N,): below 0 where a row alerts."""
        return self.score_samples(X, sides=sides) - self.offset_

    def predict(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.int64]:
        """-1 where a row alerts, else 1, shape (N,)."""
        return np.where(self.decision_function(X, sides=sides) < 0, -1, 1)

    def p_values(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.float64]:
        """The chance that a row like those held out is as odd, shape (N,); see `plait.conformal.outliers.Alarm`."""
        return self.model_.alarm.p_values(-self.score_samples(X, sides=sides))

    def explain(self, X: object, *, most: int = 3, sides: Sides | None = None) -> tuple[Odd, ...]:
        """Why rows are as odd as they are: sources, and the `most` features that say the most, with what is usual.

        Raises
        ------
        ConfigError
            If `most` is below 0.
        """
        check_is_fitted(self)
        if most < 0:
            raise ConfigError(f"most={most!r} is out of range (allowed: 0, 1, ...)")
        return reasons(self.model_, self._rows(X), sides, most)

    @property
    def schema_(self) -> Schema:
        """The schema that was fitted."""
        return self._fitted().schema

    @property
    def record_(self) -> Mapping[str, Json]:
        """How the fit went: rows, seconds, faults, versions, and under ``"alarm"`` what is promised of new rows."""
        return self._fitted().record

    def ignored_columns(self, X: object) -> tuple[str, ...]:
        """Columns of `X` that the model does not know."""
        check_is_fitted(self)
        return extra_columns(self._rows(X), self.schema_)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted detector as one directory, or one zip where `path` ends in ``.zip``; nothing executable."""
        check_is_fitted(self)
        kept = {k: v for k, v in self.get_params(deep=False).items() if isinstance(v, str | int | float)}
        told = {
            "type": type(self).__name__,
            "parameters": {k: v for k, v in kept.items() if k != "schema"} | self._named(),
            "features": self.n_features_in_,
            "names": [str(name) for name in getattr(self, "feature_names_in_", [])],
        }
        manifest = {"schema": self.schema_.to_json(), "estimator": told}
        artifact.write(Path(path), self.model_.state(), manifest)

    def _named(self) -> dict[str, Json]:
        """Detectors and their options, as they are kept."""
        options = {name: dict(own) for name, own in (self.options or {}).items()}
        return {"detectors": list(self.detectors), "options": options or None}

    @classmethod
    def from_saved(cls, manifest: Mapping[str, Json], state: State) -> Self:
        """What `save` wrote, read by `plait.artifact`; use `plait.load`."""
        told = manifest["estimator"]
        known = {name: value for name, value in told["parameters"].items() if name in cls._get_param_names()}
        made = cls(**known)
        made.model_ = Detection.from_state(Schema.from_json(manifest["schema"]), state)
        made.offset_ = -made.model_.alarm.threshold
        made.n_features_in_ = told["features"]
        if told["names"]:
            made.feature_names_in_ = np.asarray(told["names"], object)
        return made

    def _fitted(self) -> Detection:
        model: Detection | None = self.__dict__.get("model_")
        if model is None:
            raise AttributeError("this Detector is not fitted yet; call fit first")
        return model


def _rows_a_day(time: npt.NDArray[np.float64] | None, rows: Array) -> float | None:
    """Rows a day, over the days from the first to the last; None where rows have no time."""
    if time is None:
        return None
    own = time[rows][np.isfinite(time[rows])]
    return None if not len(own) else len(own) / (float(np.floor(own.max() / DAY) - np.floor(own.min() / DAY)) + 1)
