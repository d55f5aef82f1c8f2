"""The plain mean of several learners: nothing is held out to weigh them.

Bates and Granger, "The Combination of Forecasts", Operational Research Quarterly 1969. Equal weights are hard to beat
where the future differs from the past, since weights that were good in the past carry an error of their own (Stock and
Watson, "Combination Forecasts of Output Growth in a Seven-Country Data Set", Journal of Forecasting 2004).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import numpy as np

from plait import registry
from plait.contracts import Head, Json, Modality, Progress, State
from plait.errors import ConfigError, unknown
from plait.evidence import Evidence
from plait.stacking import Part, Stack, Stacked

__all__ = ["Average"]


class Average:
    """The mean of what several learners say, over all sources or over one.

    A straight line goes on where trees stand still, and trees bend where it cannot: their mean errs less than either
    where neither is clearly better. A learner over one source that a row does not have says the prior.

    Parameters
    ----------
    parts
        Whose mean: ``"lightgbm"`` is that learner over all sources, ``"letter/linear"`` over the source ``letter``.
    options
        Options of parts by name; those of the learners are used.
    """

    name: ClassVar[str] = "average"

    def __init__(
        self,
        *,
        parts: Sequence[str] = ("linear", "lightgbm"),
        options: Mapping[str, Mapping[str, Json]] | None = None,
    ) -> None:
        if isinstance(parts, str) or not parts or not all(isinstance(part, str) for part in parts):
            raise ConfigError(
                f"average: parts={parts!r} is out of range (allowed: names of learners, or source/learner)"
            )
        if len(set(parts)) < len(parts):
            raise ConfigError(f"average: parts={list(parts)!r} names a part twice; a mean has no weights")
        for part in parts:
            registry.target("learners", part.rpartition("/")[2])
        self.members = tuple(parts)
        self.options = options or {}

    def doors(self, rows: int, rooms: Collection[Modality]) -> frozenset[str]:
        """What is asked of the rooms."""
        return frozenset({"features"})

    def fit(self, evidence: Evidence) -> Stacked:
        """Fit every part on all rows.

        Raises
        ------
        ConfigError
            If a part is to read a source that there is not.
        """
        head, parts = evidence.head, [_part(member, evidence) for member in self.members]
        whole = []
        for done, part in enumerate(parts):
            evidence.context.report(Progress(f"all rows: {part.name}", done, len(parts)))
            whole.append((part, part.fit(evidence.within(f"{done} {part.name}"), self.options)))
        equal = Stack(head, np.full(len(parts), 1 / len(parts)), np.zeros(len(head.prior)))
        return Stacked(evidence.rooms, head, whole, equal)

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> Stacked:
        return Stacked.from_state(state, rooms, head)


def _part(member: str, evidence: Evidence) -> Part:
    source, _, learner = member.rpartition("/")
    if not source:
        return Part(f"early/{learner}", "early", learner)
    if source not in evidence.rooms:
        raise unknown("source in average's parts", source, evidence.rooms)
    return Part(member, "early", learner, source)
