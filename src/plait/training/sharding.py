"""A network divided among processes, for networks that are large for one of them.

Fully sharded data parallelism (Zhao et al., "PyTorch FSDP", VLDB 2023; the idea is that of Rajbhandari et al., "ZeRO",
2020, stage 3): each process holds a share of every weight, gradient and optimiser state, and weights are put together
group by group as they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import nn

__all__ = ["divided", "shard", "whole"]


Step = TypeVar("Step", bound=nn.Module)


def shard(step: Step, device: torch.device) -> Step:
    """Divide a module in place: each element of its lists of modules (encoders, layers), and what is left, are put
    together on their own."""
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
    for module in _groups(step):
        fully_shard(module, mesh=mesh)
    fully_shard(step, mesh=mesh)
    return step


def _groups(module: nn.Module) -> Iterator[nn.Module]:
    """The elements of lists of modules, inner ones first."""
    for child in module.children():
        yield from _groups(child)
        if isinstance(module, nn.ModuleList) and any(True for _ in child.parameters()):
            yield child


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor put together from what the processes hold of it; all of them have to ask."""
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def divided(tensor: torch.Tensor, like: torch.Tensor | None) -> torch.Tensor:
    """A whole tensor, divided as another one is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    return distribute_tensor(tensor, like.device_mesh, like.placements)
