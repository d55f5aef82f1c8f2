"""Encoders whose inputs are made in numpy, by a form that travels with an exported model."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import nn

from plait.contracts import Batch
from plait.layers.forms import Form

__all__ = ["Reading", "traced"]


class Reading(nn.Module):
    """An encoder that names the form in which it reads a room's inputs."""

    @property
    @abstractmethod
    def form(self) -> Form: ...

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Arrays of one mini-batch as the form makes them."""
        return {name: torch.from_numpy(array) for name, array in self.form(inputs).items()}


def traced() -> bool:
    """Whether a graph is being traced for export: it must not hang on the rows that it is traced with."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]  # torch has no types for it
