"""Parameters by what is done to them: weight decay, and learning rates of their own."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["groups", "matrices"]


def matrices(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    """What maps vectors to vectors: weights of two and more dimensions of linear, convolutional and recurrent layers.

    Tables of vectors are none: neither embeddings nor the marks, positions and queries that modules hold as they are,
    under names of their own.
    """
    found = {
        id(parameter): parameter
        for module in network.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if "weight" in name and parameter.ndim > 1 and not isinstance(module, torch.nn.Embedding)
    }
    return list(found.values())


def groups(network: torch.nn.Module) -> list[dict[str, Any]]:
    """Parameters by weight decay (``"decays"``) and by learning rate (``"share"``): those below a module that has a
    `learning_share` move at it."""
    shares: dict[int, float] = {}
    for module in network.modules():
        if hasattr(module, "learning_share"):
            shares |= {id(parameter): float(module.learning_share) for parameter in module.parameters()}  # type: ignore[arg-type]
    decayed = set(map(id, matrices(network)))
    found: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            found.setdefault((shares.get(id(parameter), 1.0), id(parameter) in decayed), []).append(parameter)
    return [{"params": own, "decays": decays, "share": share} for (share, decays), own in found.items()]
