"""Early fusion: the features of all sources side by side into one classical learner."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Between, Contributions, Head, Json, Learner, Modality, Space, State, Streaming
from plait.errors import ConfigError
from plait.evidence import Evidence, Fitted, View

__all__ = ["Early"]


class Early:
    """One learner over the features of all sources.

    Parameters
    ----------
    learner
        Name of a registered learner.
    masking
        Copies a row, 0..1, in which a random part of the sources is hidden, so that sources may be absent later.
    options
        Options of parts by name; those of the learner are used.
    """

    name: ClassVar[str] = "early"
    space: ClassVar[Space] = {"masking": Between(0.0, 0.5)}

    def __init__(
        self,
        *,
        learner: str = "lightgbm",
        masking: float = 0.2,
        options: Mapping[str, Mapping[str, Json]] | None = None,
    ) -> None:
        if not (isinstance(masking, int | float) and 0 <= masking <= 1):
            raise ConfigError(f"early: masking={masking!r} is out of range (allowed: 0 to 1)")
        self.learner = learner
        self.masking = masking
        self.options = options or {}

    def doors(self, rows: int, rooms: Collection[Modality]) -> frozenset[str]:
        """What is asked of the rooms."""
        return frozenset({"features"})

    @property
    def streams(self) -> bool:
        """Whether rows may be streamed to it."""
        return issubclass(registry.get("learners", self.learner), Streaming)

    def fit(self, evidence: Evidence) -> FittedEarly:
        def make() -> Learner:
            learner: Learner = registry.make("learners", self.learner, self.options.get(self.learner, {}))
            evidence.teach(learner, self.masking)
            return learner

        def back(state: State) -> Learner:
            _ = evidence.joined  # what rooms know of labels they learn as if for the learner
            kept: Learner = registry.get("learners", self.learner).from_state(state)
            return kept

        learner = evidence.context.once(self.learner, make, lambda made: made.state(), back)
        return FittedEarly(evidence.rooms, evidence.head, learner)

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> FittedEarly:
        return FittedEarly.from_state(state, rooms, head)


class FittedEarly(Fitted):
    """A learner over joined features."""

    def __init__(self, rooms: Mapping[str, Modality], head: Head, learner: Learner) -> None:
        super().__init__(rooms, head)
        self.learner = learner

    @property
    def settings(self) -> dict[str, dict[str, Json]]:
        return {self.learner.name: self.learner.settings}

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        return self.learner.scores(view.joined.features)

    def together(self, view: View, rows: Array, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return self.learner.scores(view.joined.take(rows).mask(present))

    def shares(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        features = view.joined.features
        told = self.learner.contributions(features, output)
        score = self.learner.scores(features)[np.arange(len(view)), output]
        return view.joined.contributions(told, self.rooms, score, self.learner.name)

    def state(self) -> State:
        return State(self.version, {"learner": self.learner.name}, parts={"learner": self.learner.state()})

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> Self:
        learner = registry.get("learners", state.values["learner"])
        return cls(rooms, head, learner.from_state(state.parts["learner"]))
