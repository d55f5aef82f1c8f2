"""How the losses of several targets are weighted while they are learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait import registry
from plait.contracts import Composite
from plait.training.several import GradientWeights, Joint, LearnedWeights, objective_of


def head(weights: object) -> Composite:
    cells = np.empty((40, 2), object)
    rng = np.random.default_rng(0)
    cells[:, 0], cells[:, 1] = rng.integers(0, 2, 40).tolist(), rng.normal(size=40).tolist()
    asked = {"bad": "binary", "loss": "regression"}
    return registry.get("heads", "several")(asked, weights).fit(cells, np.ones(40))


def test_a_rule_is_an_objective():
    kinds = {"equal": Joint, "uncertainty": LearnedWeights, "gradient": GradientWeights}
    for rule, kind in kinds.items():
        assert type(objective_of(head(rule))) is kind
    fixed = objective_of(head({"loss": 0.25}))
    loss, weights = fixed.weighted(torch.tensor([1.0, 2.0]), torch.zeros(1))
    assert loss.item() == pytest.approx(1.5)
    assert weights.tolist() == [1.0, 0.25]


def test_learned_weights_go_to_one_over_the_loss():
    objective = LearnedWeights(head("uncertainty"))
    optimiser = torch.optim.Adam(objective.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        objective.weighted(torch.tensor([0.5, 2.0]), torch.zeros(1))[0].backward()
        optimiser.step()
    assert objective.weighted(torch.zeros(2), torch.zeros(1))[1].tolist() == pytest.approx([2.0, 0.5], rel=0.01)


def test_gradient_weights_make_all_targets_pull_equally():
    objective = GradientWeights(head("gradient"))
    pooled = torch.ones(4, 3, requires_grad=True)
    for step in range(3):
        losses = torch.stack([(10 * pooled).sum(), (0.5 * pooled).sum()])
        _, weights = objective.weighted(losses, pooled)
        assert (weights.tolist() == [1.0, 1.0]) == (step == 0)  # from the mini-batches before
    assert weights.sum().item() == pytest.approx(2)
    pulls = [
        torch.autograd.grad(w * each, pooled, retain_graph=True)[0].norm()
        for w, each in zip(weights, losses, strict=True)
    ]
    assert pulls[0].item() == pytest.approx(pulls[1].item())
    with torch.no_grad():
        before = objective.norms_T.clone()
        objective.weighted(losses.detach(), pooled.detach())
        assert torch.equal(objective.norms_T, before)


def test_a_target_without_labels_in_the_mini_batch_keeps_its_weight():
    objective = GradientWeights(head("gradient"))
    pooled = torch.ones(4, 3, requires_grad=True)
    for _ in range(2):
        objective.weighted(torch.stack([(10 * pooled).sum(), pooled.sum()]), pooled)
    known = objective.norms_T.clone()
    objective.weighted(torch.stack([(10 * pooled).sum(), (0 * pooled).sum()]), pooled)
    assert objective.norms_T[1] == known[1]
    assert objective.seen_T[1] < objective.seen_T[0]
