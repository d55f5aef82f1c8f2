"""Weights of a network, kept aside and averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from plait.network import Network

__all__ = ["averaged", "blend", "copied"]


def copied(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


@torch.no_grad()
def blend(mean: Mapping[str, torch.Tensor], network: Network, decay: float) -> None:
    """Move the mean weights a little to the network's (Polyak and Juditsky, 1992); counters are copied."""
    for name, value in network.state_dict().items():
        if value.dtype.is_floating_point:
            mean[name].lerp_(value, 1 - decay)
        else:
            mean[name].copy_(value)


@contextmanager
def averaged(network: Network, mean: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """The network with the mean weights, where there are any."""
    if not mean:
        yield
        return
    own = copied(network)
    network.load_state_dict(mean)
    try:
        yield
    finally:
        network.load_state_dict(own)
