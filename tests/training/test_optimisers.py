"""Every optimiser and schedule: they lower the loss, their options are checked, and what they know can be kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import registry
from plait.errors import ConfigError
from plait.fusion.attention import Attention
from plait.training.groups import groups
from plait.training.schedule import AT_ONCE, Named, TrainConfig

OPTIMISERS = registry.names("optimisers")
SCHEDULES = registry.names("schedules")
PARTS = [*(("optimisers", name) for name in OPTIMISERS), *(("schedules", name) for name in SCHEDULES)]
PEAK = 0.03


def descended(optimiser: str, schedule: str, steps: int = 60, cut: int | None = None, **options: Any) -> list[float]:
    """Losses of a small least-squares problem; cut off after `cut` steps and gone on with from what was kept."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(40, 5)).astype(np.float32))
    y = x @ torch.tensor([[1.0], [-2.0], [0.5], [0.0], [1.5]])

    def made() -> tuple[torch.nn.Linear, torch.optim.Optimizer, Any]:
        torch.manual_seed(0)
        layer, part = torch.nn.Linear(5, 1), registry.make("optimisers", optimiser, options)
        return layer, part(groups(layer), PEAK), registry.make("schedules", schedule, {})

    layer, steps_of, multiples = made()
    losses = []
    for step in range(steps):
        if step == cut:
            kept = steps_of.state_dict(), layer.state_dict(), json.loads(json.dumps(multiples.state()))
            layer, steps_of, multiples = made()
            steps_of.load_state_dict(kept[0])
            layer.load_state_dict(kept[1])
            multiples.restore(kept[2])
        for group in steps_of.param_groups:
            group["lr"] = PEAK * multiples.at(step, steps)
        steps_of.zero_grad()
        loss = ((layer(x) - y) ** 2).mean()
        loss.backward()
        steps_of.step()
        losses.append(loss.item())
        if step % 10 == 9:
            multiples.heard(loss.item())
    return losses


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_loss_falls_and_what_is_kept_is_gone_on_from(optimiser: str, schedule: str) -> None:
    whole = descended(optimiser, schedule)
    assert whole[-1] < 0.9 * whole[0]
    assert descended(optimiser, schedule, cut=33) == whole


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_unknown_options_and_names_are_told(kind: str, name: str) -> None:
    assert registry.make(kind, name, {}).name == name
    with pytest.raises(ConfigError, match="colour"):
        Attention(**{kind.removesuffix("s"): {"name": name, "colour": 1}})
    with pytest.raises(ConfigError, match="names none of the"):
        Attention(**{kind.removesuffix("s"): 7})


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("optimisers", "sgd", {"weight_decay": -1}),
        ("optimisers", "momentum", {"momentum": 1.0}),
        ("optimisers", "momentum", {"nesterov": "yes"}),
        ("optimisers", "adagrad", {"epsilon": 0}),
        ("optimisers", "rmsprop", {"decay": 1}),
        ("optimisers", "adamw", {"beta2": 1.0}),
        ("schedules", "cosine", {"warmup": 1.0}),
        ("schedules", "linear", {"warmup": -0.1}),
        ("schedules", "one_cycle", {"rise": 0}),
        ("schedules", "steps", {"parts": 0}),
        ("schedules", "plateau", {"factor": 1.0}),
    ],
)
def test_options_out_of_range_are_named(kind: str, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{name}: {next(iter(options))}="):
        registry.make(kind, name, options)


def test_only_matrices_decay() -> None:
    for name in OPTIMISERS:
        layer = torch.nn.Linear(3, 3)
        made = registry.make("optimisers", name, {"weight_decay": 0.1})(groups(layer), 0.1)
        decays = {id(p): group["weight_decay"] for group in made.param_groups for p in group["params"]}
        assert (decays[id(layer.weight)], decays[id(layer.bias)]) == (0.1, 0.0), name


def test_nesterov_is_not_the_heavy_ball() -> None:
    assert descended("momentum", "constant", nesterov=True) != descended("momentum", "constant")


@settings(deadline=None, max_examples=50)
@given(name=st.sampled_from(SCHEDULES), steps=st.integers(1, 200))
def test_multiples_are_of_the_peak(name: str, steps: int) -> None:
    multiples = [registry.make("schedules", name, {}).at(step, steps) for step in range(steps)]
    assert all(0 <= each <= 1 + 1e-9 for each in multiples)
    assert steps < 10 or max(multiples) > 0.9
    if name in ("cosine", "linear", "one_cycle") and steps >= 30:
        peak = int(np.argmax(multiples))
        assert multiples[:peak] == sorted(multiples[:peak])
        assert multiples[peak:] == sorted(multiples[peak:], reverse=True)
        assert multiples[-1] < 0.05


def test_a_plateau_lowers_the_rate_and_no_progress_does_not() -> None:
    part = registry.make("schedules", "plateau", {"factor": 0.5, "patience": 2})
    for loss, wanted in ((1.0, 1.0), (0.5, 1.0), (0.5, 1.0), (0.6, 0.5), (0.4, 0.5), (0.41, 0.5), (0.42, 0.25)):
        part.heard(loss)
        assert part.at(0, 1) == wanted


def test_gradient_descent_reads_all_rows_in_a_step_and_few_of_them_at_once() -> None:
    config = TrainConfig(optimiser=Named("gradient_descent"))
    assert config.sized(5000) == (80, 5000)
    assert config.parts(5000) == -(-5000 // AT_ONCE)
    assert TrainConfig(accumulate=4).parts(3) == 3
    with pytest.raises(ConfigError, match="batch_size=32 cannot stand"):
        Attention(optimiser="gradient_descent", batch_size=32)
