"""Training under differential privacy: what one row can do is bounded, and what it costs is accounted for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import plait
from plait import Classifier
from plait.errors import ConfigError
from plait.training.private import Noise, Privacy, draws, noisy_gradients


def made(rows: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["letter"] = rng.choice(["please help me with the rent", "all is well and steady here", "no word"], rows)
    return frame, (frame["a"] + 0.3 * rng.normal(size=rows) > 0).to_numpy().astype(int)


def fitted(epsilon: float | None, **more: object) -> Classifier:
    frame, target = made()
    options = {"parallel": {"epochs": 2, "width": 16, "batch_size": 24, "epsilon": epsilon, **more}}
    return Classifier(fusion="parallel", options=options, n_jobs=1).fit(frame, target)


def test_what_was_spent_is_recorded_and_saved(tmp_path: object) -> None:
    model = fitted(4.0)
    spent = model.record_["training"]["parallel"]["privacy"]
    assert 3.5 < spent["epsilon"] <= 4.0
    assert spent["delta"] == pytest.approx(1 / 120)
    assert spent["steps"] == 10
    assert spent["noise"] > 0.3
    model.save(f"{tmp_path}/model.plait")
    again = plait.load(f"{tmp_path}/model.plait")
    assert again.record_["training"]["parallel"]["privacy"] == spent
    frame, _ = made(10, 1)
    assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_private_weights() -> None:
    frame, _ = made(10, 1)
    assert np.array_equal(fitted(4.0).predict_proba(frame), fitted(4.0).predict_proba(frame))


@pytest.mark.slow
def test_less_epsilon_is_more_noise() -> None:
    multipliers = [Noise.for_steps(Privacy(epsilon), 1000, 0.05, 100).multiplier for epsilon in (0.5, 2.0, 8.0)]
    assert multipliers[0] > multipliers[1] > multipliers[2] > 0


def test_spent_agrees_with_the_gaussian_mechanism() -> None:
    """One step on all rows is the Gaussian mechanism, of which the epsilon is known in closed form (Renyi)."""
    noise = Noise(Privacy(1.0), 1e-5, 5.0, 1.0)
    orders = np.arange(1.01, 200, 0.01)
    exact = (orders / (2 * 25) + np.log1p(-1 / orders) - np.log(1e-5 * orders) / (orders - 1)).min()
    assert noise.spent(1).epsilon == pytest.approx(exact, rel=0.02)


def test_gradients_of_rows_are_clipped_and_noise_is_of_its_size() -> None:
    torch.manual_seed(0)
    network = torch.nn.Linear(2, 1, bias=False)
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.1], [-30.0, 0.0]])
    quiet = Noise(Privacy(1.0, clip=1.0), 0.1, 0.0, 1.0)

    def loss_of(chosen: np.ndarray) -> torch.Tensor:
        return network(rows[chosen]).sum()

    noisy_gradients(network, loss_of, 3, quiet, expected=2.0)
    wanted = np.array([0.6 + 0.0 - 1.0, 0.8 + 0.1 + 0.0]) / 2
    assert network.weight.grad is not None
    assert network.weight.grad.numpy()[0] == pytest.approx(wanted, abs=1e-6)
    loud = Noise(Privacy(1.0, clip=2.0), 0.1, 3.0, 1.0)
    found = []
    for _ in range(400):
        noisy_gradients(network, loss_of, 0, loud, expected=2.0)
        found.append(network.weight.grad.numpy().copy())
    assert np.std(found) == pytest.approx(2.0 * 3.0 / 2, rel=0.1)


def test_rows_are_drawn_one_by_one() -> None:
    rng = np.random.default_rng(0)
    chosen = [rows for _ in range(50) for rows in draws(200, 0.1, rng)]
    assert len(chosen) == 500
    sizes = [len(rows) for rows in chosen]
    assert np.mean(sizes) == pytest.approx(20, rel=0.05)
    assert np.std(sizes) == pytest.approx(np.sqrt(200 * 0.1 * 0.9), rel=0.15)


@pytest.mark.parametrize(
    ("head", "weights", "said"),
    [
        ("binary", None, "weights='gradient' go by losses of rows, .* give weights='equal'"),
        ("binary", "uncertainty", "weights='uncertainty' go by losses of rows"),
        ("ranking", "equal", "a ranking compares rows"),
    ],
)
def test_what_would_tell_of_rows_or_needs_several_is_refused(head: str, weights: str | None, said: str) -> None:
    frame, target = made()
    options = {"parallel": {"epochs": 1, "epsilon": 4.0}}
    with pytest.raises(ConfigError, match=said):
        plait.MultiTask({"y": head}, weights=weights, fusion="parallel", options=options, n_jobs=1).fit(
            frame, {"y": target}
        )


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigError, match="epsilon=-1"):
        fitted(-1.0)
    with pytest.raises(ConfigError, match="delta"):
        fitted(None, delta=0.1)
    mixing = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    with pytest.raises(ConfigError, match="normalises over rows"):
        noisy_gradients(mixing, lambda rows: torch.zeros(()), 2, Noise(Privacy(1.0), 0.1, 1.0, 0.1), 1.0)
