"""Intermediate fusion in narrow passes: sources exchange what they know through a few shared tokens alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from plait.classical.options import count
from plait.training.neural import NeuralFusion, Rule

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Bottleneck"]


@dataclass(frozen=True, kw_only=True)
class Bottleneck(NeuralFusion):
    """A Transformer a source, joined by bottleneck tokens: cheaper than attention where sources have many tokens.

    Nagrani et al., "Attention Bottlenecks for Multimodal Fusion", 2021 (`plait.layers.bottleneck`).

    Parameters
    ----------
    layers, heads
        Of each source's Transformer; `width` is a multiple of `heads`.
    bottlenecks
        Shared tokens.

    The others are those of `plait.training.neural.NeuralFusion`.
    """

    name: ClassVar[str] = "bottleneck"

    layers: int = 2
    heads: int = 4
    bottlenecks: int = 4

    def rules(self) -> dict[str, Rule]:
        own = {option: (count(getattr(self, option)), "1, 2, ...") for option in ("heads", "layers", "bottlenecks")}
        fits = count(self.heads) and count(self.width) and self.width % self.heads == 0
        return {**own, **super().rules(), "width": (fits, f"a multiple of heads={self.heads}")}

    def body(self, sources: int) -> nn.Module:
        from plait.layers.bottleneck import BottleneckTransformer

        return BottleneckTransformer(sources, self.width, self.layers, self.heads, self.bottlenecks, self.dropout)
