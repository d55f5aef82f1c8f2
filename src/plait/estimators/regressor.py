"""Values from rows of mixed evidence."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin

from plait import registry
from plait.contracts import FORGETFUL, Keep
from plait.errors import DataError
from plait.estimators.base import Estimator, Pretrained, Report, Sides
from plait.estimators.streams import target_of

__all__ = ["Regressor"]


class Regressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """Predict a value from rows of mixed evidence.

    Parameters are those of `Classifier`, without `class_weight`.

    Attributes
    ----------
    model_ : Model
    schema_, plan_, record_, faults_
        The schema that was fitted, what was fitted, how it went, and the cells that could not be read.
    """

    def fit(
        self,
        X: object,
        y: object,
        sample_weight: object = None,
        *,
        sides: Sides | None = None,
        progress: Report | None = None,
        base: Pretrained | None = None,
        keep: Keep = FORGETFUL,
    ) -> Self:
        """Fit on a frame of mixed columns; see `Classifier.fit`. `y` holds ``N`` finite numbers."""
        X, y = target_of(X, y)
        frame, target = self._start(X, y)
        if target.dtype.kind not in "biuf":
            try:
                target = target.astype(np.float64)
            except (TypeError, ValueError):
                raise DataError("the target is not numeric; use Classifier, or give numbers") from None
        weight = self._weight(sample_weight, len(target))
        head = registry.get("heads", "regression")().fit(target, weight)
        return self._fit(X, target, weight, head, frame, sides, progress, getattr(y, "name", None), base, keep)

    def predict(self, X: object, *, sides: Sides | None = None) -> npt.NDArray[np.float64]:
        """Values of shape (N,)."""
        return self.prediction(X, sides=sides).values
