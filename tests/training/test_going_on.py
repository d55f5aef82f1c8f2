"""A training that is cut off after any step and gone on with ends where it would have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from plait import registry, samples
from plait.contracts import FitContext, Head, Json, State
from plait.data.fingerprint import fingerprint
from plait.data.schema import Schema
from plait.evidence import Evidence
from plait.fusion.attention import Attention

ROWS = 72


@dataclass
class Memory:
    """Everything that was written, by place; of each place, the last state that `upto` allows is read."""

    written: list[tuple[str, State]] = field(default_factory=list)
    upto: int = 0
    place: str = ""
    due: bool = True

    def claim(self, asked: Mapping[str, Json]) -> None:
        pass

    def within(self, name: str) -> Memory:
        return replace(self, place=f"{self.place}/{name}")

    def read(self) -> State | None:
        return next((state for place, state in reversed(self.written[: self.upto]) if place == self.place), None)

    def write(self, state: State) -> None:
        self.written.append((self.place, state))


class Later(Memory):
    """What was written before, and nothing new."""

    def write(self, state: State) -> None:
        pass


@pytest.fixture(scope="module")
def frame() -> Any:
    return samples.loans(n=ROWS, seed=0)[["income", "amount", "purpose", "balance", "default"]]


def evidence_of(frame: Any, head: Head, targets: Any) -> Evidence:
    schema = Schema.infer(frame.drop(columns="default"))
    rooms = {source.name: registry.room(source)(source) for source in schema.sources}
    context = FitContext(head.encode(targets), head.task, head.outputs, np.ones(ROWS), doors=frozenset({"tokens"}))
    return Evidence.of(frame, schema, rooms, head, context)


@pytest.fixture(scope="module")
def one(frame: Any) -> Evidence:
    """Evidence of one target."""
    targets = frame["default"].to_numpy()
    return evidence_of(frame, registry.get("heads", "binary")().fit(targets, np.ones(ROWS)), targets)


def two(frame: Any, weights: str) -> Evidence:
    """Evidence of two targets, of which the second lacks labels."""
    targets = np.empty((ROWS, 2), object)
    targets[:, 0] = frame["default"]
    targets[:, 1] = np.where(np.arange(ROWS) % 3, frame["amount"], np.nan)
    head = registry.get("heads", "several")({"default": "binary", "amount": "regression"}, weights)
    return evidence_of(frame, head.fit(targets, np.ones(ROWS)), targets)


def fitted(evidence: Evidence, keep: Memory, options: Mapping[str, Any]) -> str:
    """All that is left of a fit, as a short text."""
    job = replace(evidence.context.job, keep=keep)
    own = Evidence(evidence.batches, evidence.rooms, evidence.head, replace(evidence.context, job=job))
    usual = {"width": 8, "layers": 1, "heads": 2, "epochs": 3, "batch_size": 32, "dropout": 0.3, "masking": 0.3}
    return fingerprint(Attention(**{**usual, **options}).fit(own).state())


def goes_on_from_everywhere(evidence: Evidence, options: Mapping[str, Any], least: int = 6) -> None:
    memory = Memory()
    whole = fitted(evidence, memory, options)
    assert len(memory.written) >= least
    for step in range(len(memory.written) + 1):
        assert fitted(evidence, Later(memory.written, step), options) == whole, f"after {step} states"


OPTIONS: dict[str, dict[str, Any]] = {
    "dropout and hidden sources": {},
    "mean weights, mini-batches in parts": {"ema": 0.8, "accumulate": 3},
    "plateau": {"schedule": {"name": "plateau", "patience": 1}, "learning_rate": 0.3, "epochs": 4},
    "early": {"patience": 1, "learning_rate": 0.3, "epochs": 6},
    "again on all rows": {"refit": True, "epochs": 2},
    "private": {"epsilon": 20.0, "epochs": 2, "batch_size": 24},
    "modulation": {"balance": "modulation", "masking": "adaptive"},
    "alternation": {"balance": "alternation", "masking": "ramp"},
    "momentum": {"optimiser": "momentum", "schedule": "one_cycle"},
    "adagrad": {"optimiser": "adagrad", "schedule": "linear"},
    "rmsprop": {"optimiser": "rmsprop", "schedule": "steps"},
    "sgd": {"optimiser": "sgd", "schedule": "constant"},
    "all rows in every step": {"optimiser": "gradient_descent", "batch_size": "auto", "holdout": 0.0, "epochs": 7},
}


def test_a_training_goes_on_from_any_step(one: Evidence) -> None:
    both = OPTIONS["mean weights, mini-batches in parts"] | OPTIONS["modulation"] | OPTIONS["plateau"]
    goes_on_from_everywhere(one, both | {"epochs": 2})


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_whatever_a_training_is_told_it_goes_on_from_any_step(name: str, one: Evidence) -> None:
    goes_on_from_everywhere(one, OPTIONS[name])


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["uncertainty", "gradient"])
def test_a_loss_with_parameters_of_its_own_goes_on(weights: str, frame: Any) -> None:
    goes_on_from_everywhere(two(frame, weights), {"ema": 0.5})


def test_another_step_would_show(one: Evidence) -> None:
    """The comparison can fail: a state of another place in the training gives other weights."""
    memory = Memory()
    whole = fitted(one, memory, {})
    place, state = memory.written[3]
    values = {**state.values, "place": state.values["place"] - 1}
    wrong = [(place, replace(state, values=values))]
    assert fitted(one, Later(wrong, 1), {}) != whole
