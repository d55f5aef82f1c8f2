"""Targets that classical learners know only in parts: a plain problem each, fitted on its own, their scores joined.

A ladder of grades is a yes-or-no problem a step, a set of labels one a label, several targets those of each. Every
problem has the rows that it is asked of, and rooms of its own wherever those learn from labels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    Array,
    Contributions,
    Head,
    Json,
    Modality,
    Reducible,
    State,
)
from plait.errors import ArtifactError, DataError
from plait.evidence import Evidence, Fitted, View

__all__ = ["FittedSeparate", "Separate", "able", "restored"]


def able(fusion: Any, head: Head) -> Any:
    """The fusion itself where it takes such a head (``any_head``, as networks do, or a plain head), else `Separate`."""
    takes = getattr(fusion, "any_head", False) or not isinstance(head, Reducible)
    return fusion if takes else Separate(fusion)


def restored(name: str, state: State, rooms: Mapping[str, Modality], head: Head) -> Fitted:
    """What was fitted by `able` of the fusion of that name.

    Raises
    ------
    ArtifactError
        If the state does not fit the rooms and the head.
    """
    fusion = registry.get("fusions", name)
    if getattr(fusion, "any_head", False) or not isinstance(head, Reducible):
        fitted: Fitted = fusion.from_state(state, rooms, head)
        return fitted
    return FittedSeparate.from_state(name, state, rooms, head)


class Separate:
    """Another fusion, fitted once a problem of the head."""

    def __init__(self, fusion: Any) -> None:
        self.fusion = fusion
        self.made: dict[str, Json] = {}

    def doors(self, rows: int, rooms: Collection[Modality]) -> frozenset[str]:
        """What is asked of the rooms."""
        doors: frozenset[str] = self.fusion.doors(rows, rooms)
        return doors

    def fit(self, evidence: Evidence) -> FittedSeparate:
        """Fit a member for each problem on the rows that are asked; of a single answer there is none, but the prior.

        Raises
        ------
        DataError
            If no problem has rows with different answers.
        """
        head = cast("Reducible", evidence.head)
        members: list[Fitted | None] = []
        for i, (problem, targets) in enumerate(zip(head.problems(), head.split(evidence.context.targets), strict=True)):
            asked = np.flatnonzero(~np.isnan(targets))
            counts = asked[evidence.context.weight[asked] > 0]
            if not len(counts) or (problem.task != "regression" and len(np.unique(targets[counts])) < 2):
                members.append(None)
                continue
            own = evidence.take(asked)
            own.head = problem
            own.context = replace(
                own.context.within(f"problem {i}"),
                targets=targets[asked],
                task=problem.task,
                outputs=problem.outputs,
                weight=own.context.weight / own.context.weight.mean(),
            )
            fitted = self.fusion.fit(own)
            fitted.rooms = _shared(evidence.rooms, fitted.rooms)
            members.append(fitted)
        if not any(members):
            raise DataError("no row tells one answer from another; there is nothing to learn")
        return FittedSeparate(evidence.rooms, evidence.head, members)


class FittedSeparate(Fitted):
    """Fitted members, one a problem (None: the prior alone), and the head that joins their scores."""

    def __init__(self, rooms: Mapping[str, Modality], head: Head, members: Collection[Fitted | None]) -> None:
        super().__init__(rooms, head)
        self.members = tuple(members)
        self.reducible = cast("Reducible", head)
        self.problems = self.reducible.problems()

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        return self._joined(
            [
                np.tile(problem.prior, (len(view), 1)) if member is None else member.score(self._own(view, member))
                for problem, member in zip(self.problems, self.members, strict=True)
            ]
        )

    def coalitions(self, view: View, rows: Array, present: Array) -> npt.NDArray[np.float64]:
        some = np.asarray(np.any(view.batches.present[rows] & present, axis=1))
        scores = self._joined(
            [
                np.tile(problem.prior, (len(rows), 1))
                if member is None
                else member.coalitions(self._own(view, member), rows, present)
                for problem, member in zip(self.problems, self.members, strict=True)
            ]
        )
        return np.asarray(np.where(some[:, None], scores, self.head.prior))

    def shares(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        """The members' own where a score is one of theirs; a score made of several is all residual."""
        asked = {int(k): self.reducible.origin(int(k)) for k in np.unique(output)}
        scores = self.score(view)[np.arange(len(view)), output]
        base = np.asarray(self.head.prior, np.float64)[output]
        told: list[tuple[npt.NDArray[np.int64], Contributions]] = []
        for k, origin in asked.items():
            member = None if origin is None else self.members[origin[0]]
            if origin is not None and member is not None:
                rows = np.flatnonzero(output == k)
                part = View(view.batches.take(rows), member.rooms)
                told.append((rows, member.contributions(part, np.full(len(rows), origin[1]))))
        origins = tuple(dict.fromkeys(origin for _, found in told for origin in found.origins))
        values = np.zeros((len(view), len(origins)))
        attention: dict[str, npt.NDArray[np.float64]] = {}
        for rows, found in told:
            base[rows], values[rows] = found.base, found.by(origins)
            for source, share in found.attention.items():
                attention.setdefault(source, np.zeros(len(view)))[rows] = share
        methods = {part: method for _, found in told for part, method in found.methods.items()}
        return Contributions(origins, values, base, scores, methods, attention)

    @property
    def noted(self) -> dict[str, Json]:
        members = enumerate(self.members)
        return {f"problem {i}: {name}": told for i, m in members if m is not None for name, told in m.noted.items()}

    def state(self) -> State:
        """Members, and those rooms that each has to itself."""
        return self.state_by(lambda member: member.state())

    def state_by(self, told: Callable[[Fitted], State]) -> State:
        """The same, `told` giving the state of each member; `of_members` is its way back."""
        parts = {}
        for i, member in enumerate(self.members):
            if member is not None:
                rooms = {n: room.state() for n, room in member.rooms.items() if room is not self.rooms[n]}
                parts[str(i)] = State(1, parts={"fitted": told(member), "rooms": State(1, parts=rooms)})
        return State(self.version, {"problems": len(self.members)}, parts=parts)

    @classmethod
    def from_state(cls, fusion: str, state: State, rooms: Mapping[str, Modality], head: Head) -> Self:
        """The members again, of the fusion of that name.

        Raises
        ------
        ArtifactError
            If there is not a member for each problem.
        """
        return cls.of_members(state, rooms, head, registry.get("fusions", fusion).from_state)

    @classmethod
    def of_members(
        cls,
        state: State,
        rooms: Mapping[str, Modality],
        head: Head,
        member: Callable[[State, Mapping[str, Modality], Head], Fitted],
    ) -> Self:
        """The same, `member` making each of its state, the rooms that it reads by, and the head of its problem.

        Raises
        ------
        ArtifactError
            As of `from_state`.
        """
        problems = cast("Reducible", head).problems()
        if len(problems) != state.values["problems"]:
            raise ArtifactError(f"the saved model has {state.values['problems']} problems, its head {len(problems)}")
        members: list[Fitted | None] = []
        for i, problem in enumerate(problems):
            saved = state.parts.get(str(i))
            if saved is None:
                members.append(None)
                continue
            known = saved.parts["rooms"].parts
            own = {n: type(room).from_state(room.source, known[n]) if n in known else room for n, room in rooms.items()}
            members.append(member(saved.parts["fitted"], own, problem))
        return cls(rooms, head, members)

    def _joined(self, scores: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        return self.reducible.joined(scores)

    def _own(self, view: View, member: Fitted) -> View:
        """The same rows as the member's rooms see them; what rooms in common say is made once."""
        own = View(view.batches, member.rooms)
        own.made = {n: view.of(n) for n, room in member.rooms.items() if room is view.rooms[n]}
        if view.like is not None:
            whole, rows, changed = view.like
            own.like = self._own(whole, member), rows, changed
        return own


def _shared(rooms: Mapping[str, Modality], own: Mapping[str, Modality]) -> dict[str, Modality]:
    """A member's rooms, but the common one wherever it learned nothing beside it."""
    return {n: rooms[n] if _alike(rooms[n].state(), room.state()) else room for n, room in own.items()}


def _alike(one: State, other: State) -> bool:
    return (
        one.values == other.values
        and one.texts == other.texts
        and one.arrays.keys() == other.arrays.keys()
        and all(np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items())
        and one.parts.keys() == other.parts.keys()
        and all(_alike(part, other.parts[name]) for name, part in one.parts.items())
    )
