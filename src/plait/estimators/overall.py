"""What estimators say of themselves over all rows: importance, dependence, a readable tree, cases, and what if."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from plait.contracts import Progress, Side
from plait.contracts.crossing import unheard
from plait.errors import ConfigError, DataError
from plait.explain.counterfactual import Counterfactual, Direction, counterfactuals
from plait.explain.dependence import Dependence, Interactions, interactions, partial_dependence
from plait.explain.importance import Importance, importance
from plait.explain.neighbours import Nearest, nearest
from plait.explain.subject import Scale, Subject
from plait.explain.surrogate import Surrogate, surrogate
from plait.model import Model, single_threaded_blas

__all__ = ["Overall"]

Sides = Mapping[str, Side]


class Overall:
    """The part of an estimator that shows what it rests on; `subject` reads rows as explanation sees them."""

    if TYPE_CHECKING:

        def _fitted_model(self) -> Model: ...

        def subject(
            self, X: object, *, sides: Sides | None = None, outputs: object = None, scale: Scale = "output"
        ) -> Subject: ...

    def importance(
        self,
        X: object,
        y: object,
        *,
        sides: Sides | None = None,
        repeats: int = 3,
        seed: int = 0,
        progress: Callable[[Progress], None] | None = None,
    ) -> Importance:
        """How much worse the model is on these rows without each source, and with each column shuffled; see
        `plait.explain.importance.importance`. `y` holds the ``N`` true labels or values."""
        with single_threaded_blas():
            subject = self.subject(X, sides=sides)
            targets = np.asarray(y)
            if targets.shape != (len(subject),):
                raise DataError(f"y has shape {targets.shape}, expected ({len(subject)},)")
            encoded = subject.head.encode(targets)
            return importance(subject, encoded, repeats=repeats, seed=seed, progress=progress or unheard)

    def partial_dependence(
        self, X: object, column: str, *, sides: Sides | None = None, outputs: object = None, points: int = 20
    ) -> Dependence:
        """How the mean prediction follows one column; see `plait.explain.dependence.partial_dependence`."""
        with single_threaded_blas():
            return partial_dependence(self._one_output(X, sides, outputs), column, points=points)

    def interactions(self, X: object, *, sides: Sides | None = None, outputs: object = None) -> Interactions:
        """Which sources and columns work together; see `plait.explain.dependence.interactions`."""
        with single_threaded_blas():
            return interactions(self._one_output(X, sides, outputs))

    def surrogate(self, X: object, *, sides: Sides | None = None, outputs: object = None, depth: int = 3) -> Surrogate:
        """A small tree that says almost what the model says; see `plait.explain.surrogate.surrogate`."""
        with single_threaded_blas():
            return surrogate(self._one_output(X, sides, outputs), depth=depth)

    def nearest(
        self,
        X: object,
        cases: object,
        *,
        sides: Sides | None = None,
        outputs: object = None,
        k: int = 5,
    ) -> Nearest:
        """The cases (training rows, say) nearest to each row; see `plait.explain.neighbours.nearest`."""
        with single_threaded_blas():
            return nearest(self.subject(X, sides=sides, outputs=outputs), self.subject(cases, sides=sides), k=k)

    def counterfactuals(
        self,
        X: object,
        cases: object,
        *,
        goal: float,
        sides: Sides | None = None,
        outputs: object = None,
        fixed: Collection[str] = (),
        one_way: Mapping[str, Direction] | None = None,
        most_changes: int = 3,
        answers: int = 3,
    ) -> tuple[Counterfactual, ...]:
        """The cheapest changes that bring each row beyond `goal`, to values that the cases have; see
        `plait.explain.counterfactual.counterfactuals`."""
        with single_threaded_blas():
            return counterfactuals(
                self.subject(X, sides=sides, outputs=outputs),
                self.subject(cases, sides=sides),
                goal=goal,
                fixed=fixed,
                one_way=one_way,
                most_changes=most_changes,
                answers=answers,
            )

    def _one_output(self, X: object, sides: Sides | None, outputs: object) -> Subject:
        """Rows that are all explained for one output: of more than two classes, one must be named."""
        model = self._fitted_model()
        if outputs is None and model.head.task == "multiclass":
            classes = np.asarray(model.head.decode(np.asarray(model.head.prior)[None]).classes)
            allowed = ", ".join(map(repr, classes.tolist()[:12]))
            raise ConfigError(f"name the class that is asked about with outputs= (allowed: {allowed})")
        return self.subject(X, sides=sides, outputs=outputs)
