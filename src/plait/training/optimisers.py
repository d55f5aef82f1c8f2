"""Optimisers by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["AdamW"]


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019).

    Matrices decay; biases, norms and embeddings do not.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01

    def __call__(self, groups: list[dict[str, Any]], learning_rate: float) -> torch.optim.Optimizer:
        for group in groups:
            group["weight_decay"] = self.weight_decay * group["decays"]
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, eps=self.epsilon, fused=True)
