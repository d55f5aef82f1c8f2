"""One target of a model of several: its scores alone, so that it is judged and explained as a model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Composite, Contributions, Json, State
from plait.errors import ConfigError
from plait.evidence import Fitted, View
from plait.model import Model

__all__ = ["TaskModel"]


class TaskModel(Model):
    """A view of one target of a fitted model: the same rooms, the same network or learners, the head of the target.

    What is learned over it (a calibrator, intervals) belongs to the view.
    """

    def __init__(self, whole: Model, head: Composite, target: str) -> None:
        self.whole, self.target = whole, target
        self.span = head.spans[target]
        member = head.members[target]
        fitted = _OneTask(whole.fitted, head, target)
        super().__init__(whole.schema.aimed(target), whole.rooms, member, fitted, whole.plan, whole.record)

    def add_references(self) -> None:
        """Those of the whole model, of which each has this target, too."""
        self.whole.add_references()
        head = self.whole.head
        assert isinstance(head, Composite)
        self.references = {name: _OneTask(fitted, head, self.target) for name, fitted in self.whole.references.items()}

    def save(self, path: str | Path, estimator: Mapping[str, Json]) -> None:
        """A view is not saved: the whole model is, and asked for the target again."""
        raise ConfigError(f"this is the view of {self.target!r} in a model of several targets; save that model")


class _OneTask(Fitted):
    """The scores of one target."""

    def __init__(self, whole: Fitted, head: Composite, target: str) -> None:
        super().__init__(whole.rooms, head.members[target])
        self.whole, self.span = whole, head.spans[target]

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        return self.whole.score(view)[:, self.span]

    def coalitions(self, view: View, rows: Array, present: Array) -> npt.NDArray[np.float64]:
        return self.whole.coalitions(view, rows, present)[:, self.span]

    def shares(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        return self.whole.contributions(view, output + self.span.start)

    @property
    def settings(self) -> dict[str, dict[str, Json]]:
        return self.whole.settings

    @property
    def noted(self) -> dict[str, Json]:
        return self.whole.noted

    def state(self) -> State:
        return self.whole.state()
