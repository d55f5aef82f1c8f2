"""Parallel fusion: one vector a source, side by side through gates into a multi-layer perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from plait.training.neural import NeuralFusion

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Parallel"]


@dataclass(frozen=True, kw_only=True)
class Parallel(NeuralFusion):
    """Each source's tokens pooled by attention, summed through gates that see all sources.

    The gated multimodal unit of Arevalo et al., 2017 (`plait.layers.gated`). Its options are those of
    `plait.training.neural.NeuralFusion`.
    """

    name: ClassVar[str] = "parallel"

    def body(self, sources: int) -> nn.Module:
        from plait.layers.gated import GatedSources

        return GatedSources(sources, self.width, self.dropout)
