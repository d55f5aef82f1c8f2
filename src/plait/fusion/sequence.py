"""Sequential fusion: the tokens of all sources, one after the other, through a recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from plait.classical.options import count
from plait.training.neural import NeuralFusion, Rule

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Sequence"]


@dataclass(frozen=True, kw_only=True)
class Sequence(NeuralFusion):
    """Source tokens in the schema's order through a recurrent network, its states pooled by attention.

    Parameters
    ----------
    layers
        Recurrent layers above each other.
    cell
        ``"lstm"``, ``"gru"`` or ``"rnn"``.

    The others are those of `plait.training.neural.NeuralFusion`.
    """

    name: ClassVar[str] = "sequence"

    layers: int = 1
    cell: Literal["lstm", "gru", "rnn"] = "lstm"

    def rules(self) -> dict[str, Rule]:
        cell = (self.cell in ("lstm", "gru", "rnn"), "'lstm', 'gru' or 'rnn'")
        return {"layers": (count(self.layers), "1, 2, ..."), "cell": cell, **super().rules()}

    def body(self, sources: int) -> nn.Module:
        from plait.layers.recurrence import RecurrentBody

        return RecurrentBody(self.width, self.layers, self.cell, self.dropout)
