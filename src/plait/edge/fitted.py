"""From the state of an exported model to what scores rows: the fusions' own classes around ONNX graphs.

A state says in ``kind`` what it is of: a learner over joined features (``early``), parts and a stack (``stacked``), a
member for each problem of a head (``separate``), a network (``network``), or one of these with a calibrator over its
scores (``calibrated``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from plait import registry
from plait.calibration import Calibrated
from plait.classical.boosters import Boosted
from plait.contracts import Head, Learner, Modality, State
from plait.edge.graphs import Network, Runner, Trees
from plait.errors import ArtifactError
from plait.evidence import Fitted
from plait.fusion.early import FittedEarly
from plait.stacking import Part, Stack, Stacked
from plait.tasks import FittedSeparate

__all__ = ["learner_of", "restored"]


def restored(state: State, rooms: Mapping[str, Modality], head: Head, runner: Runner) -> Fitted:
    """What scores rows.

    Raises
    ------
    ArtifactError
        If the state is of a kind that this version does not know.
    """
    kind = state.values["kind"]
    if kind == "early":
        return FittedEarly(rooms, head, learner_of(state.values["learner"], state.parts["learner"], runner))
    if kind == "network":
        return Network.from_state(state, rooms, head, runner)
    if kind == "stacked":
        return _stacked(state, rooms, head, runner)
    if kind == "separate":
        return FittedSeparate.of_members(state, rooms, head, partial(restored, runner=runner))
    if kind == "calibrated":
        calibrator = registry.get("calibrators", state.values["calibrator"]).from_state(state.parts["calibrator"])
        return Calibrated(restored(state.parts["fitted"], rooms, head, runner), calibrator)
    raise ArtifactError(f"the model holds a part of unknown kind {kind!r}; install the plait_edge it was exported with")


def learner_of(name: str, state: State, runner: Runner) -> Learner:
    """The learner of that name; boosters are graphs."""
    kind = registry.get("learners", name)
    if not issubclass(kind, Boosted):
        learner: Learner = kind.from_state(state)
        return learner
    graphs = [Trees(runner.session(state.arrays[f"onnx {i}"])) for i in range(state.values["graphs"])]
    return cast("Learner", kind.from_boosters(state, graphs))


def _stacked(state: State, rooms: Mapping[str, Modality], head: Head, runner: Runner) -> Stacked:
    parts = []
    for i, values in enumerate(state.values["parts"]):
        part = Part(**values)
        own = rooms if part.source is None else {part.source: rooms[part.source]}
        parts.append((part, restored(state.parts[str(i)], own, head, runner)))
    return Stacked(rooms, head, parts, Stack(head, state.arrays["weights"], state.arrays["bias"]))
