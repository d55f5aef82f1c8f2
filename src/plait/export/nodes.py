"""From a fitted model to the state that `plait.edge` reads: boosters and networks become graphs, all else stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from plait.calibration import Calibrated
from plait.classical.boosters import Boosted, read
from plait.contracts import Array, Json, Learner, Modality, State
from plait.errors import ConfigError
from plait.evidence import Fitted
from plait.export.networks import Tracing, as_network, refused
from plait.export.trees import as_graph
from plait.fusion.early import FittedEarly
from plait.modalities.pretrained import Pretrained
from plait.stacking import Stacked
from plait.tasks import FittedSeparate
from plait.training.neural import FittedNetwork

__all__ = ["learner_state", "networks_of", "refusals", "state_of"]


def refusals(fitted: Fitted, rooms: Mapping[str, Modality]) -> list[str]:
    """What of a model cannot be exported, a line each: what it is, and what to do."""
    return [*_sources(rooms), *dict.fromkeys(_parts(fitted))]


def _sources(rooms: Mapping[str, Modality]) -> list[str]:
    return [
        f"source {name!r} is read by a pretrained encoder, which needs torch; fit it with the room's own encoder"
        for name, room in rooms.items()
        if isinstance(room, Pretrained)
    ]


def _parts(fitted: Fitted) -> Iterator[str]:
    for leaf in _leaves(fitted):
        if isinstance(leaf, FittedNetwork):
            yield from refused(leaf)
        elif not isinstance(leaf, FittedEarly):
            yield f"{type(leaf).__name__} is a fusion of another package, whose parts are not known; use one of plait's"


def networks_of(fitted: Fitted) -> list[FittedNetwork]:
    """The networks in a fitted model."""
    return [leaf for leaf in _leaves(fitted) if isinstance(leaf, FittedNetwork)]


def _leaves(fitted: Fitted) -> Iterator[Fitted]:
    """The parts that are not made of parts."""
    inner: list[Fitted | None]
    if isinstance(fitted, Calibrated):
        inner = [fitted.fitted]
    elif isinstance(fitted, Stacked):
        inner = [part for _, part in fitted.parts]
    elif isinstance(fitted, FittedSeparate):
        inner = [*fitted.members]
    else:
        yield fitted
        return
    for part in inner:
        if part is not None:
            yield from _leaves(part)


def state_of(fitted: Fitted, how: Tracing) -> State:
    """The state of a fitted model, as `plait.edge.fitted.restored` reads it.

    Parameters
    ----------
    how
        How networks become graphs.

    Raises
    ------
    ConfigError
        If a part cannot be exported (`refusals` tells all of them before).
    """
    if isinstance(fitted, Calibrated):
        parts = {"fitted": state_of(fitted.fitted, how), "calibrator": fitted.calibrator.state()}
        return State(1, {"kind": "calibrated", "calibrator": fitted.calibrator.name}, parts=parts)
    if isinstance(fitted, Stacked):
        state = fitted.state()
        members = {str(i): state_of(part, how) for i, (_, part) in enumerate(fitted.parts)}
        return replace(state, values={**state.values, "kind": "stacked"}, parts=members)
    if isinstance(fitted, FittedSeparate):
        state = fitted.state_by(lambda member: state_of(member, how))
        return replace(state, values={**state.values, "kind": "separate"})
    if isinstance(fitted, FittedNetwork):
        return as_network(fitted, how)
    if isinstance(fitted, FittedEarly):
        learner = fitted.learner
        return State(1, {"kind": "early", "learner": learner.name}, parts={"learner": learner_state(learner)})
    raise ConfigError(next(_parts(fitted)))


def learner_state(learner: Learner) -> State:
    """The state of a learner, its boosters as graphs: one of all that are averaged, one an output where each has its
    own."""
    state = learner.state()
    if not isinstance(learner, Boosted):
        return state
    boosters = read(state)
    groups = [boosters] if learner.averages else [[booster] for booster in boosters]
    graphs: dict[str, Array] = {f"onnx {i}": as_graph(group) for i, group in enumerate(groups)}
    values: dict[str, Json] = {**state.values, "graphs": len(graphs)}
    return State(state.version, values, {**state.arrays, **graphs})
