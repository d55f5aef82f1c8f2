"""Late fusion: one learner a source, stacked on scores of rows that they were not fitted on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from plait.contracts import Array, Head, Json, Modality, State
from plait.evidence import Evidence
from plait.stacking import Part, Stack, Stacked, Unseen, refit, unseen

__all__ = ["Late"]


class Late:
    """A learner for each source alone, joined by non-negative weights on what each says beyond the prior.

    An absent source says nothing, so any subset of sources can be missing; the weights are fitted on rows in which
    sources were also hidden at random.

    Parameters
    ----------
    learner
        Name of a registered learner; None tries `learners` on each source and keeps the better one.
    learners
        What is tried.
    options
        Options of parts by name.
    """

    name: ClassVar[str] = "late"

    def __init__(
        self,
        *,
        learner: str | None = None,
        learners: Sequence[str] = ("linear", "lightgbm"),
        options: Mapping[str, Mapping[str, Json]] | None = None,
    ) -> None:
        self.learners = tuple(learners) if learner is None else (learner,)
        self.options = options or {}

    def doors(self, rows: int, rooms: Collection[Modality]) -> frozenset[str]:
        """What is asked of the rooms."""
        return frozenset({"features"})

    def fit(self, evidence: Evidence) -> Stacked:
        sources = list(evidence.rooms)
        parts = [Part(f"{source}/{name}", "early", name, source) for source in sources for name in self.learners]
        seen = unseen(evidence, parts, self.options)
        chosen = self._choose(evidence, seen, len(sources))
        head, context = evidence.head, evidence.context
        scores, targets, weight = seen.scores[:, chosen], context.targets[seen.rows], context.weight[seen.rows]
        hidden = context.rng("late fusion").random(scores.shape[:2]) < 0.25
        both = np.concatenate([scores, np.where(hidden[:, :, None], head.prior, scores)])
        doubled = replace(seen, cuts=np.tile(seen.cuts, 2), scores=both)
        stack = Stack.fit(head, doubled, np.tile(targets, 2), np.tile(weight, 2) / 2)
        members, fitted = [parts[i] for i in chosen], [seen.fitted[i] for i in chosen]
        stacked = refit(evidence, members, fitted, stack, self.options, chosen=seen.most)
        stacked.unseen = replace(seen, scores=scores).joined(stack)
        return stacked

    def _choose(self, evidence: Evidence, seen: Unseen, sources: int) -> Array:
        """The better learner of each source, by its error on unseen rows: part indices."""
        context = evidence.context
        targets, weight = context.targets[seen.rows], context.weight[seen.rows]
        errors = [evidence.head.error(seen.scores[:, p], targets, weight).sum() for p in range(seen.scores.shape[1])]
        best = np.reshape(errors, (sources, len(self.learners))).argmin(axis=1)
        return np.asarray(np.arange(sources) * len(self.learners) + best)

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> Stacked:
        return Stacked.from_state(state, rooms, head)
