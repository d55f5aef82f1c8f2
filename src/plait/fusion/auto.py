"""Auto: the parts that the rows can afford, stacked on inner held-out rows (past to future where rows have a time).

The plan is made from a cost model of rows and sources, never from the clock, so the same data and seed give the same
plan; it is recorded and can be replayed. A time budget only leaves parts out, between two parts, and says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from time import monotonic
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Array, Head, Json, Modality, State
from plait.errors import ConfigError, unknown
from plait.evidence import Evidence
from plait.stacking import FEW, Part, Stack, Stacked, Unseen, divisible, refit, unseen
from plait.training.schedule import TrainConfig

__all__ = ["Auto"]

SMALL = 200  # rows under which one linear model is all that can be judged
NEURAL = 50_000  # rows from which a network trained from scratch joins: at 20,000 it added nothing (docs/decisions)
DEEP = 500  # rows from which one joins where a room is `deep`
SECONDS = {"linear": 4e-4, "lightgbm": 2e-4}  # a row and source, in all its fits, on one core (LendingClub)
PASS = {"attention": 2.5e-4, "parallel": 1.5e-4}  # a row, source and epoch
DEEP_PASS = 2.5e-3  # more for a deep source (.7 ms for a picture to 5 ms for a film)
PATIENCE = 90.0  # seconds of training where a room is deep: beyond, there are fewer epochs
FEWEST = 4  # epochs, all the same


class Auto:
    """Fit several fusions, weigh them by what they say of unseen rows, and keep those that count.

    Parameters
    ----------
    learner
        Restricts the classical parts to one learner.
    time_budget
        Seconds. Parts that the cost model puts beyond it are left out; should the clock still run ahead of the model,
        no further part is started. None: all parts.
    plan
        A plan to replay (`plan` of an earlier fit): its parts and no others, whatever the clock says.
    options
        Options of parts by name.
    """

    name: ClassVar[str] = "auto"

    def __init__(
        self,
        *,
        learner: str | None = None,
        time_budget: float | None = None,
        plan: Mapping[str, Json] | None = None,
        options: Mapping[str, Mapping[str, Json]] | None = None,
    ) -> None:
        if time_budget is not None and time_budget <= 0:
            raise ConfigError(f"time_budget is {time_budget} seconds; it must be above 0")
        self.learner = learner
        self.time_budget = time_budget
        self.plan = plan
        self.options = options or {}
        self.made: dict[str, Json] = {}

    def candidates(self, rows: int, rooms: Collection[Modality]) -> list[Part]:
        """The parts worth trying on so many rows of these rooms, the safest first; a replayed plan's own."""
        if self.plan is not None:
            return _planned(self.plan)
        learners = ("linear", "lightgbm") if self.learner is None else (self.learner,)
        early = [Part(f"early/{name}", "early", name) for name in learners]
        if rows < SMALL:
            return early[:1]
        if self.learner is None and rows >= NEURAL and len(rooms) > 1:
            early.append(Part("attention", "attention"))
        elif self.learner is None and rows >= DEEP and deep(rooms):
            early.append(Part("parallel", "parallel"))
        return early

    def parts(self, rows: int, rooms: Collection[Modality]) -> list[Part]:
        """The candidates, in order, that the budget pays for by the cost model; at least one."""
        parts = self.candidates(rows, rooms)
        if self.time_budget is None or self.plan is not None:
            return parts
        total = np.cumsum([estimate(part, rows, rooms) for part in parts])
        return parts[: max(1, int((total <= self.time_budget).sum()))]

    def doors(self, rows: int, rooms: Collection[Modality]) -> frozenset[str]:
        """What the parts will ask of the rooms."""
        fusions = {part.fusion for part in self.parts(rows, rooms)}
        return frozenset().union(*(registry.make("fusions", name, {}).doors(rows, rooms) for name in fusions))

    def fit(self, evidence: Evidence) -> Stacked:
        rows, rooms, head = len(evidence), evidence.rooms.values(), evidence.head
        parts = self.parts(rows, rooms)
        skipped = [part.name for part in self.candidates(rows, rooms)[len(parts) :]]
        for part in parts:
            if part.source is not None and part.source not in evidence.rooms:
                raise unknown("source in the plan", part.source, evidence.rooms)
        if len(parts) == 1 or not divisible(evidence):
            return self._alone(evidence, parts[0], [part.name for part in parts[1:]] + skipped)
        dear = any(part.fusion in PASS for part in parts)  # a network is judged on one holdout
        cuts = 1 if dear else 3
        if self.plan is not None:
            cuts = self.plan.get("cuts", cuts)
            if cuts not in (1, 3):
                raise ConfigError(f"the plan has cuts={cuts!r} (allowed: 1 or 3); use the plan of a run.json")
        few = 0 if dear else FEW
        options = self._paced(rows, rooms)
        seen = unseen(evidence, parts, options, cuts=cuts, few=few, deadline=self._deadline())
        run = parts[: seen.scores.shape[1]]
        skipped = [part.name for part in parts[len(run) :]] + skipped
        if len(run) == 1:
            return self._alone(evidence, run[0], skipped)
        targets, weight = evidence.context.targets[seen.rows], evidence.context.weight[seen.rows]
        stack = weighed(head, seen, targets, weight, np.array([part.fusion in PASS for part in run]))
        errors = [head.error(seen.scores[:, p], targets, weight).sum() / weight.sum() for p in range(len(run))]
        self.made = {
            "parts": [
                asdict(part)
                | {
                    "estimated_seconds": round(estimate(part, rows, rooms), 1),
                    "weight": round(float(w), 4),
                    "unseen_error": round(float(e), 6),
                }
                for part, w, e in zip(run, stack.weights, errors, strict=True)
            ],
            "cuts": cuts,
            "unseen_rows": len(seen.rows),
            "skipped": skipped,
        }
        fitted = refit(evidence, run, seen.fitted, stack, options, chosen=seen.most)
        fitted.unseen = seen.joined(stack)
        return fitted

    def _paced(self, rows: int, rooms: Collection[Modality]) -> Mapping[str, Mapping[str, Json]]:
        """The options; the network of raw signals gets the epochs that the cost model pays for, unless it is told."""
        own = self.options.get("parallel", {})
        return {**self.options, "parallel": {"epochs": epochs("parallel", rows, rooms), **own}}

    def _alone(self, evidence: Evidence, part: Part, skipped: list[str]) -> Stacked:
        """One part has nothing to be weighed against; a replay of its plan comes here, too."""
        self.made = {"parts": [asdict(part) | {"weight": 1.0}], "skipped": skipped}
        head, fitted = evidence.head, part.fit(evidence, self.options)
        return Stacked(evidence.rooms, head, [(part, fitted)], Stack(head, np.ones(1), np.zeros(head.outputs)))

    def _deadline(self) -> float | None:
        """Held-out fits may take this share of the budget: fitting again on all rows takes as long and more."""
        replayed = self.plan is not None
        return None if self.time_budget is None or replayed else monotonic() + 0.4 * self.time_budget

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> Stacked:
        return Stacked.from_state(state, rooms, head)


def weighed(head: Head, seen: Unseen, targets: Array, weight: Array, networks: npt.NDArray[np.bool_]) -> Stack:
    """The stack of all parts, or without its `networks` (bool ``P``) where they do not lower the held-out error.

    Weights are drawn to each other as far as the rows cannot tell, and few rows cannot tell a network that learned
    nothing; of parts so dear it is asked that they help.
    """
    whole = Stack.fit(head, seen, targets, weight)
    if not networks.any() or networks.all():
        return whole
    kept = ~networks
    rest = Stack.fit(head, replace(seen, scores=seen.scores[:, kept]), targets, weight)
    with_them = head.error(whole(seen.scores), targets, weight).sum()
    if with_them < head.error(rest(seen.scores[:, kept]), targets, weight).sum():
        return whole
    weights = np.zeros(len(networks))
    weights[kept] = rest.weights
    return Stack(head, weights, rest.bias)


def deep(rooms: Collection[Modality]) -> int:
    """How many of the rooms are of raw signals."""
    return sum(bool(getattr(room, "deep", False)) for room in rooms)


def estimate(part: Part, rows: int, rooms: Collection[Modality]) -> float:
    """Seconds that a part takes in all (held-out fits and the last one), by the cost model."""
    if part.fusion not in PASS:
        return SECONDS.get(part.learner or part.fusion, SECONDS["linear"]) * rows * len(rooms)
    return epochs(part.fusion, rows, rooms) * epoch(part.fusion, rows, rooms)


def epoch(fusion: str, rows: int, rooms: Collection[Modality]) -> float:
    """Seconds of a network's epoch, by the cost model."""
    return rows * (PASS[fusion] * len(rooms) + DEEP_PASS * deep(rooms))


def epochs(fusion: str, rows: int, rooms: Collection[Modality]) -> int:
    """As many as a network has on so many rows, or as `PATIENCE` pays for where a room is deep."""
    usual, _ = TrainConfig().sized(rows)
    if not deep(rooms):
        return usual
    return int(np.clip(PATIENCE / epoch(fusion, rows, rooms), FEWEST, usual))


def _planned(plan: Mapping[str, Json]) -> list[Part]:
    parts = plan["parts"]
    if not isinstance(parts, list | tuple) or not parts:
        raise ConfigError(f"the plan has parts={parts!r}, not a list of parts; use the plan of a run.json")

    def text(value: Json) -> str | None:
        return None if value is None else str(value)

    try:
        return [
            Part(str(part["name"]), str(part["fusion"]), text(part.get("learner")), text(part.get("source")))
            for part in parts
        ]
    except (KeyError, TypeError, AttributeError):
        raise ConfigError(f"the plan has parts that cannot be read: {parts!r}; use the plan of a run.json") from None
