"""Intermediate fusion: tokens of all sources attend to each other in one Transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from plait.classical.options import count
from plait.contracts import Between, Space
from plait.training.neural import NeuralFusion, Rule

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Attention"]


@dataclass(frozen=True, kw_only=True)
class Attention(NeuralFusion):
    """One small Transformer over the tokens of every source (`plait.layers.transformer.Transformer`).

    Parameters
    ----------
    layers, heads
        Of the Transformer; `width` is a multiple of `heads`.

    The others are those of `plait.training.neural.NeuralFusion`.
    """

    name: ClassVar[str] = "attention"
    space: ClassVar[Space] = {**NeuralFusion.space, "layers": Between(1, 4)}

    layers: int = 2
    heads: int = 4

    def rules(self) -> dict[str, Rule]:
        own = {option: (count(getattr(self, option)), "1, 2, ...") for option in ("heads", "layers")}
        fits = count(self.heads) and count(self.width) and self.width % self.heads == 0
        return {**own, **super().rules(), "width": (fits, f"a multiple of heads={self.heads}")}

    def body(self, sources: int) -> nn.Module:
        from plait.layers.transformer import Transformer

        return Transformer(self.width, self.layers, self.heads, self.dropout)
