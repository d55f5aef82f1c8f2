"""What a network takes over from a pretrained one, instead of starting from nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from plait.contracts import Array, Json, State
from plait.errors import ConfigError
from plait.network import Network

__all__ = ["start", "still"]

TAKEN = "taken_from_base"


def start(network: Network, taken: Collection[str], base: State, share: float) -> dict[str, Json]:
    """Give an untrained network the weights of a base wherever they fit; its head stays untrained.

    Encoders and the marks of their sources are taken by source, the body whole where all of its weights have the same
    shapes. What was taken learns at `share` of the learning rate.

    Parameters
    ----------
    taken
        Sources whose rooms are the base's own: what another room reads, its weights do not mean.
    base
        `plait.pretraining.Base.state`: weights by name, and where each source's encoder stands.

    Returns
    -------
    dict
        ``encoders`` (names of sources) and ``body`` (bool): what was taken.

    Raises
    ------
    ConfigError
        If the base knows sources of this network, but none of its weights fit.
    """
    known = base.values["sources"]
    common = [name for name in network.places if name in taken]
    encoders = []
    for name in common:
        encoder = network.encoders[network.places[name]]
        if _take(encoder, base.arrays, f"encoders.{known[name]['place']}.", share):
            encoders.append(name)
            mark = base.arrays["source"][list(known).index(name)]
            with torch.no_grad():
                network.source[list(network.places).index(name)] = torch.from_numpy(np.array(mark))
    body = bool(encoders) and _take(network.body, base.arrays, "body.", share)
    if common and not encoders:
        raise ConfigError(
            f"nothing of the base fits the network over {', '.join(map(repr, common))}: the base is "
            f"{base.values['width']} wide, this network {network.source.shape[1]}; give both the same width and options"
        )
    return {"encoders": encoders, "body": body}


@contextmanager
def still(network: Network) -> Iterator[None]:
    """What was taken from a base does not learn: the new head finds its place first.

    Else its first large gradients destroy what was taken (Kumar et al., "Fine-Tuning can Distort Pretrained Features
    and Underperform Out-of-Distribution", 2022, section 3).
    """
    taken = [module for module in network.modules() if hasattr(module, TAKEN)]
    learned = [weight for module in taken for weight in module.parameters() if weight.requires_grad]
    for weight in learned:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in learned:
            weight.requires_grad_(True)


def _take(module: nn.Module, arrays: Mapping[str, Array], prefix: str, share: float) -> bool:
    """Load a module's weights if all of them are there in the right shapes; whether they were."""
    own = module.state_dict()
    found = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    if {name: array.shape for name, array in found.items()} != {n: tuple(value.shape) for n, value in own.items()}:
        return False
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in found.items()})
    module.learning_share = share  # type: ignore[assignment]  # see plait.training.groups
    setattr(module, TAKEN, True)
    return True
