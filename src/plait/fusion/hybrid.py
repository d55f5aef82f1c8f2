"""Hybrid fusion: learners over each source alone and one over all of them together, stacked on rows they did not see.

What sources say one by one adds up in the stack; what they only say together the joint learner finds (Baltrušaitis,
Ahuja and Morency, "Multimodal Machine Learning: A Survey and Taxonomy", IEEE TPAMI 2019, section 6.1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import ClassVar

from plait.contracts import Head, Json, Modality, State
from plait.evidence import Evidence
from plait.stacking import Part, Stack, Stacked, refit, unseen

__all__ = ["Hybrid"]


class Hybrid:
    """One learner over all sources, one over each source, and over sources of many columns the joint one again.

    Parameters
    ----------
    together
        Name of the learner over all sources, which also reads sources of many columns by themselves: trees find how
        columns work together.
    apart
        Name of the learner over each source.
    options
        Options of parts by name.
    """

    name: ClassVar[str] = "hybrid"

    def __init__(
        self,
        *,
        together: str = "lightgbm",
        apart: str = "linear",
        options: Mapping[str, Mapping[str, Json]] | None = None,
    ) -> None:
        self.together = together
        self.apart = apart
        self.options = options or {}

    def doors(self, rows: int, rooms: Collection[Modality]) -> frozenset[str]:
        """What is asked of the rooms."""
        return frozenset({"features"})

    def parts(self, rooms: Iterable[Modality]) -> list[Part]:
        """What is stacked on these rooms."""
        sources = {room.source.name: room.joint for room in rooms}
        parts = [Part(f"early/{self.together}", "early", self.together)]
        parts += [Part(f"{source}/{self.apart}", "early", self.apart, source) for source in sources]
        if len(sources) > 1:
            many = [source for source, joint in sources.items() if joint]
            parts += [Part(f"{source}/{self.together}", "early", self.together, source) for source in many]
        return list({(part.learner, part.source): part for part in parts}.values())

    def fit(self, evidence: Evidence) -> Stacked:
        head, context = evidence.head, evidence.context
        parts = self.parts(evidence.rooms.values())
        seen = unseen(evidence, parts, self.options)
        stack = Stack.fit(head, seen, context.targets[seen.rows], context.weight[seen.rows])
        fitted = refit(evidence, parts, seen.fitted, stack, self.options, chosen=seen.most)
        fitted.unseen = seen.joined(stack)
        return fitted

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> Stacked:
        return Stacked.from_state(state, rooms, head)
