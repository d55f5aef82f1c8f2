"""What estimators say of their own predictions: why, by source, by column and inside cells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batches, Head, Progress, Side
from plait.contracts.crossing import unheard
from plait.data.frame import source_columns
from plait.errors import ConfigError, DataError, unknown
from plait.explain.cells import explain_cells
from plait.explain.columns import explain_columns
from plait.explain.explanation import Explanation
from plait.explain.shapley import explain_sources
from plait.explain.subject import Scale, Subject
from plait.media.decode import running
from plait.model import Model, single_threaded_blas
from plait.threads import threads_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DEPTHS", "Explained"]

DEPTHS = ("sources", "columns", "cells")
SCALES = ("output", "score")


class Explained:
    """The part of an estimator that explains; the estimator gives the fitted model and reads rows."""

    n_jobs: int | None

    if TYPE_CHECKING:

        def _fitted_model(self) -> Model: ...

        def _rows(self, X: object) -> pd.DataFrame: ...

    def explain(
        self,
        X: object,
        *,
        sides: Mapping[str, Side] | None = None,
        depths: Collection[str] = DEPTHS,
        outputs: object = None,
        scale: Scale = "output",
        seed: int = 0,
        progress: Callable[[Progress], None] | None = None,
    ) -> Explanation:
        """Why the model says what it says of each row.

        Parameters
        ----------
        X
            ``N`` rows, as for `predict`.
        sides
            Long tables behind columns, by name.
        depths
            ``"sources"``: what each source adds (Shapley values over present and absent sources; they sum to the
            prediction less the base). ``"columns"``: what each column of the frame adds to the score.
            ``"cells"``: what the places inside each cell that can be divided add to the prediction.
        outputs
            The class to explain: a label, ``N`` labels, or None (the second of two classes, or the predicted one).
        scale
            ``"output"``: probability or value. ``"score"``: log-odds, logit or standardised value.
        seed
            Of what is sampled.
        progress
            Called with `plait.contracts.Progress`.

        Raises
        ------
        ConfigError
            If a depth or scale is unknown, or a class is asked of a model of values.
        InputError
            If a label was not seen in training, or labels are not one a row.
        """
        wanted = {depths} if isinstance(depths, str) else set(depths)
        if strangers := sorted(wanted - set(DEPTHS)):
            raise unknown("depth", strangers[0], DEPTHS)
        report = progress or unheard
        with single_threaded_blas(), running(report, threads_of(self.n_jobs)):
            frame = self._rows(X)
            subject = self.subject(frame, sides=sides, outputs=outputs, scale=scale)
            return Explanation(
                index=tuple(frame.index.tolist()),
                output=_labels(subject.head, subject.output),
                scale=scale,
                prediction=subject.prediction,
                sources=explain_sources(subject, seed=seed, progress=report) if "sources" in wanted else None,
                columns=explain_columns(subject) if "columns" in wanted else None,
                cells=explain_cells(subject, seed=seed, progress=report) if "cells" in wanted else (),
                target=self._fitted_model().schema.target,
                faults=subject.batches.faults,
            )

    def subject(
        self,
        X: object,
        *,
        sides: Mapping[str, Side] | None = None,
        outputs: object = None,
        scale: Scale = "output",
    ) -> Subject:
        """Rows as explanation sees them; parameters and errors are those of `explain`."""
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
        model, frame = self._fitted_model(), self._rows(X)
        columns = source_columns(frame, model.schema, sides)
        batches = Batches({name: room.transform(columns[name]) for name, room in model.rooms.items()}, len(frame))
        subject = Subject(model.fitted, columns, batches, np.zeros(len(frame), np.int64), scale)
        return Subject(model.fitted, columns, batches, _output(subject, outputs), scale)


def _output(subject: Subject, outputs: object) -> npt.NDArray[np.int64]:
    """Number of the class that each row is explained for: int64 ``N``."""
    head, rows = subject.head, len(subject)
    if head.task == "regression":
        if outputs is not None:
            raise ConfigError(f"outputs={outputs!r} names a class, but this model predicts values; leave it out")
        return subject.output
    if outputs is None:
        if head.task == "binary":
            return np.ones(rows, np.int64)
        return np.asarray(subject.fitted.score(subject.view).argmax(axis=1), np.int64)
    labels = np.asarray(outputs)
    if labels.ndim == 0:
        labels = np.repeat(labels, rows)
    if labels.shape != (rows,):
        raise DataError(f"outputs has shape {labels.shape}, expected one label or ({rows},)")
    return head.encode(labels).astype(np.int64)


def _labels(head: Head, output: npt.NDArray[np.int64]) -> Array | None:
    classes = head.decode(np.asarray(head.prior)[None]).classes
    return None if classes is None else classes[output]
