"""Every fusion, learner, head and room: exported it says the same, or one line says why it cannot be."""

from __future__ import annotations

import pytest
from exported import SMALL, fitted, largest_difference

from plait import registry
from plait.calibration import Calibrated
from plait.contracts import State
from plait.errors import ConfigError
from plait.evidence import Fitted, View
from plait.export.networks import Tracing
from plait.export.nodes import refusals, state_of
from plait.export.parity import TOLERANCE
from plait.training.neural import NeuralFusion

PAIR = ("table", "text")
NETWORKS = [n for n in registry.names("fusions") if issubclass(registry.get("fusions", n), NeuralFusion)]
OTHERS = [name for name in registry.names("fusions") if name not in (*NETWORKS, "early")]
DEAR = {"audio", "image", "mesh", "video"}  # half a second and more each
KINDS = [pytest.param(n, marks=[pytest.mark.slow] if n in DEAR else []) for n in registry.names("modalities")]
TINY = {"epochs": 1, "width": 16, "holdout": 0.0}


@pytest.mark.parametrize("learner", registry.names("learners"))
def test_learners(learner: str) -> None:
    model, cells = fitted(PAIR, "early", {"learner": learner, "options": SMALL})
    assert largest_difference(model, cells) <= TOLERANCE


@pytest.mark.parametrize("modality", KINDS)
def test_networks_over_every_kind_of_cell(modality: str) -> None:
    model, cells = fitted(dict.fromkeys(("table", modality)), "attention", TINY, rows=24)
    assert largest_difference(model, cells) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("modality", registry.names("modalities"))
@pytest.mark.parametrize("fusion", [name for name in NETWORKS if name != "attention"])
def test_other_networks_over_every_kind_of_cell(fusion: str, modality: str) -> None:
    model, cells = fitted(dict.fromkeys(("table", modality)), fusion, TINY, rows=24)
    assert largest_difference(model, cells) <= TOLERANCE


@pytest.mark.parametrize("head", ["multiclass", "ordinal", "quantile", "regression"])
@pytest.mark.parametrize("fusion", ["early", "parallel"])
def test_heads(fusion: str, head: str) -> None:
    options = TINY if fusion in NETWORKS else {"options": SMALL}
    model, cells = fitted(PAIR, fusion, options, head)
    assert largest_difference(model, cells) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("head", ["binary", "multiclass"])
@pytest.mark.parametrize("fusion", OTHERS)
def test_fusions_that_stack(fusion: str, head: str) -> None:
    model, cells = fitted(PAIR, fusion, {"options": {**SMALL, "attention": TINY}}, head, rows=160)
    assert largest_difference(model, cells) <= TOLERANCE


@pytest.mark.parametrize("method", registry.names("calibrators"))
def test_calibrators(method: str) -> None:
    model, cells = fitted(PAIR, "early", {"learner": "linear", "options": SMALL})
    scores = model.score(View(cells, model.rooms))
    targets, weight = (scores[:, 0] > scores.mean()) * 1.0, scores[:, 0] * 0 + 1
    targets[:5] = 1 - targets[:5]
    calibrator = registry.get("calibrators", method)().fit(scores, targets, weight)
    assert largest_difference(Calibrated(model, calibrator), cells) <= TOLERANCE


def test_what_is_not_known_is_refused_in_one_line() -> None:
    class Foreign(Fitted):
        def scores(self, view: View) -> object:  # type: ignore[override]
            return self.score(view)

        def state(self) -> State:
            return State(1)

    model, cells = fitted(PAIR, "early", {"learner": "linear", "options": SMALL})
    foreign = Foreign(model.rooms, model.head)
    (line,) = refusals(foreign, model.rooms)
    assert line.startswith("Foreign is a fusion of another package")
    with pytest.raises(ConfigError, match="Foreign is a fusion"):
        state_of(foreign, Tracing(cells))
