"""Sources of unequal strength: how often they are hidden, how fast they learn, and what is seen of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import Classifier, registry
from plait.contracts import Progress
from plait.errors import ConfigError
from plait.fusion.attention import Attention
from plait.training.balance import Modulation
from plait.training.masking import Adaptive, Masking, Ramp, leads, masking_of

SMALL = {"width": 16, "layers": 1, "heads": 2, "batch_size": 32}
KNOWN = {"strong": [1.0, 0.4], "weak": [1.0, 0.9]}


def made(rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """A number that tells the label at once, and steps that tell it by their slope; some cells are missing."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    slope = np.where(rng.random(rows) < 0.9, label, 1 - label) * 2 - 1
    steps = rng.normal(size=(rows, 8)) + slope[:, None] * np.linspace(-1, 1, 8)
    series = pd.Series([row.astype(np.float32) for row in steps]).mask(rng.random(rows) < 0.2, None)
    return pd.DataFrame({"score": 2 * label - 1 + 0.6 * rng.normal(size=rows), "balance": series, "label": label})


def fitted(frame: pd.DataFrame, heard: list[Progress] | None = None, **options: Any) -> Classifier:
    model = Classifier(fusion="attention", n_jobs=1, options={"attention": {**SMALL, "epochs": 3, **options}})
    return model.fit(frame[["score", "balance"]], frame["label"], progress=None if heard is None else heard.append)


# masking


def test_shares_stand_by_source_and_unknown_ones_are_told() -> None:
    masks = masking_of({"strong": 0.5})
    assert masks.shares(1, 4, ("strong", "weak"), {}).tolist() == [0.5, 0.15]
    assert masking_of(0.3).shares(9, 9, ("a",), KNOWN).tolist() == [0.3]
    with pytest.raises(ConfigError, match="strong"):
        masks.shares(1, 4, ("strange", "weak"), {})


def test_a_ramp_hides_the_leading_source_more_and_levels_off() -> None:
    masks = Ramp(share=0.1, most=0.6, until=0.5)
    assert masks.shares(1, 10, ("strong", "weak"), {}).tolist() == pytest.approx([0.6, 0.6])
    strong = [masks.shares(epoch, 10, ("strong", "weak"), KNOWN)[0] for epoch in range(2, 11)]
    assert strong == sorted(strong, reverse=True)
    assert strong[0] > 0.4
    assert strong[-1] == pytest.approx(0.1)
    assert masks.shares(2, 10, ("strong", "weak"), KNOWN)[1] == pytest.approx(0.1)


def test_adaptive_masking_goes_by_the_lead() -> None:
    masks = Adaptive(share=0.1, most=0.6)
    strong, weak = masks.shares(2, 4, ("strong", "weak"), KNOWN)
    assert strong == pytest.approx(0.1 + 0.5 * (0.6 - 0.1) / 0.6)
    assert weak == pytest.approx(0.1)
    level = {"strong": [1.0, 0.5], "weak": [1.0, 0.5]}
    assert masks.shares(2, 4, ("strong", "weak"), level).tolist() == pytest.approx([0.1, 0.1])


@settings(deadline=None, max_examples=60)
@given(losses=st.lists(st.floats(0, 3), min_size=1, max_size=5), epoch=st.integers(1, 8))
def test_shares_are_chances_whatever_is_known(losses: list[float], epoch: int) -> None:
    known = {str(i): [1.0, loss] for i, loss in enumerate(losses)}
    ahead = leads(tuple(known), known)
    assert ((ahead >= 0) & (ahead <= 1)).all()
    for masks in (Masking(), Ramp(), Adaptive()):
        shares = masks.shares(epoch, 8, tuple(known), known)
        assert ((shares >= 0.15 - 1e-9) & (shares <= 0.6 + 1e-9)).all()


@pytest.mark.parametrize(
    "told",
    [
        {"masking": -0.1},
        {"masking": {"score": 1.0}},
        {"masking": "rampant"},
        {"masking": {"name": "ramp", "most": 0.1}},
        {"masking": {"name": "ramp", "until": 0}},
        {"masking": {"name": "adaptive", "share": -1}},
        {"balance": "modulate"},
        {"balance": {"name": "modulation", "strength": 0}},
        {"balance": {"name": "alternation", "every": 0}},
        {"balance": "modulation", "epsilon": 1.0},
        {"masking": "adaptive", "epsilon": 1.0},
        {"learning_rate": "find", "epsilon": 1.0},
        {"schedule": "plateau", "epsilon": 1.0},
        {"accumulate": 2, "epsilon": 1.0},
    ],
)
def test_mistakes_are_told(told: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Attention(**told)


# balances


class Encoders(torch.nn.Module):
    """Two sources, each with an encoder of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.places = {"strong": 0, "weak": 1}
        self.encoders = torch.nn.ModuleList(torch.nn.Linear(1, 1, bias=False) for _ in range(2))


def test_a_leading_encoder_sits_out_the_steps_that_the_paper_takes_from_its_gradient() -> None:
    part, network, learned = Modulation(strength=0.5), Encoders(), np.zeros(2)
    part.restore({"steps": 0, "known strong": 0.1, "known weak": 0.7})
    for _ in range(400):
        for encoder in network.encoders:
            encoder.weight.grad = torch.ones(1, 1)
        told = part.change(network, None, None)  # type: ignore[arg-type]
        learned += [encoder.weight.grad is not None for encoder in network.encoders]
    ratio = np.exp(-0.1) / np.exp(-0.7)
    assert told["pace.strong"] == pytest.approx(1 - np.tanh(0.5 * ratio))
    assert told["pace.weak"] == 1.0
    assert learned / 400 == pytest.approx([1 - np.tanh(0.5 * ratio), 1.0], abs=0.01)


@pytest.mark.parametrize("name", ["alternation", "modulation"])
def test_balances_change_the_training_and_the_same_seed_gives_the_same(name: str) -> None:
    frame = made(120)
    plain, balanced, again = fitted(frame), fitted(frame, balance=name), fitted(frame, balance=name)
    rows = made(40, 1)
    np.testing.assert_array_equal(balanced.predict_proba(rows), again.predict_proba(rows))
    assert not np.array_equal(balanced.predict_proba(rows), plain.predict_proba(rows))


@pytest.mark.parametrize("name", ["alternation", "modulation"])
def test_what_balances_know_is_kept_as_json(name: str) -> None:
    import json

    part = registry.make("balances", name, {})
    part._known, part._credit, part._steps = {"a b": 0.5}, {"0": 0.25}, 7
    again = registry.make("balances", name, {})
    again.restore(json.loads(json.dumps(part.state())))
    assert again.state() == part.state()


# what is seen


def test_how_far_each_source_gets_is_told_recorded_and_saved(tmp_path: Any) -> None:
    import plait

    heard: list[Progress] = []
    model = fitted(made(), heard, epochs=4, patience=4)
    alone = model.record_["training"]["attention"]["alone"]
    assert {len(losses) for losses in alone.values()} == {5}
    assert all(losses[0] == pytest.approx(np.log(2), abs=0.02) for losses in alone.values())
    assert alone["table"][-1] < 0.95 * alone["table"][0]
    told = next(each.metrics for each in reversed(heard) if "alone.table" in each.metrics)
    assert told["alone.table"] == pytest.approx(alone["table"][-1], abs=1e-4)
    assert told["speed.table"] == pytest.approx(alone["table"][-2] - alone["table"][-1], abs=2e-4)
    model.save(tmp_path / "m.plait")
    assert plait.load(tmp_path / "m.plait").record_["training"]["attention"]["alone"] == alone


def test_one_source_is_not_looked_at() -> None:
    frame = made()
    one = Classifier(fusion="attention", n_jobs=1, options={"attention": {**SMALL, "epochs": 1}})
    one.fit(frame[["score"]], frame["label"])
    assert "alone" not in one.record_["training"]["attention"]


@pytest.mark.slow
def test_a_source_that_a_strong_one_hides_is_brought_back() -> None:
    """Judged where the strong source is absent."""
    from benchmarks.learning.balance import WAYS, judged
    from benchmarks.learning.balance import made as hiding

    rows, columns = hiding(3500, 1), ["score", "other", "balance"]
    plain, masked, slowed, ours = (
        judged(rows, columns, WAYS[name], 1)[1]
        for name in ("plain", "masking, as usual (0.15)", "modulation alone", "masking by lead, and alternation")
    )
    assert ours > plain + 0.2
    assert ours > slowed + 0.2
    assert ours > masked + 0.04
