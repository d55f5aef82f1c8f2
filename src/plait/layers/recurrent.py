"""Recurrent layers over masked steps, and number sequences to tokens by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import ClassVar, Literal

import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Form, Steps
from plait.layers.pooling import AttentionPooling
from plait.layers.reading import Reading

__all__ = ["GRUTokens", "LSTMTokens", "RNNTokens", "Recurrence"]

Cell = Literal["rnn", "gru", "lstm"]
CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrence(nn.Module):
    """States of a recurrent layer over the steps that are there; masked steps are passed over wherever they stand.

    - ``rnn``: ``h_t = tanh(W x_t + U h_(t-1) + b)`` (Elman, "Finding Structure in Time", 1990; torch keeps ``b`` as the
      sum of two vectors);
    - ``gru``: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, equations 5 to 8, with the
      reset gate after the product, as cuDNN has it;
    - ``lstm``: Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997, with the forget gate of Gers et al., 2000.

    All begin at ``h_0 = 0`` (and ``c_0 = 0``).

    Parameters
    ----------
    inputs, width
        Of a step, and of its state ``D``.
    cell
        One of the three.
    both_ways
        Half of the state reads from the first step on, half from the last one back (Schuster & Paliwal, "Bidirectional
        Recurrent Neural Networks", 1997); `width` is even then.
    """

    def __init__(self, inputs: int, width: int, cell: Cell = "lstm", *, both_ways: bool = False) -> None:
        super().__init__()
        make = CELLS[cell]
        own = width // 2 if both_ways else width
        self.forth = make(inputs, own, batch_first=True)
        self.back = make(inputs, own, batch_first=True) if both_ways else None

    def forward(self, x_BTC: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        """States ``B x T x D`` of steps ``B x T x C``, ``T >= 1``; zero where `mask_BT` is false."""
        states_BTD = _over(self.forth, x_BTC, mask_BT)
        if self.back is not None:
            back_BTD = _over(self.back, x_BTC.flip(1), mask_BT.flip(1)).flip(1)
            states_BTD = torch.cat([states_BTD, back_BTD], dim=2)
        return states_BTD


def _over(layer: nn.RNNBase, x_BTC: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """Move the steps that are there to the front, run over them, and put their states back in place."""
    if not len(x_BTC):
        return x_BTC.new_zeros(*mask_BT.shape, layer.hidden_size)
    if bool(mask_BT.all()):
        whole_BTD: torch.Tensor = layer(x_BTC)[0]
        return whole_BTD
    seen_BT = mask_BT.long()
    ahead_BT, behind_BT = seen_BT.cumsum(dim=1) - 1, (1 - seen_BT).cumsum(dim=1) - 1
    place_BT1 = torch.where(mask_BT, ahead_BT, seen_BT.sum(dim=1, keepdim=True) + behind_BT)[..., None]
    moved_BTC = torch.zeros_like(x_BTC).scatter(1, place_BT1.expand_as(x_BTC), x_BTC)
    states_BTD = layer(moved_BTC)[0]
    back_BTD: torch.Tensor = states_BTD.gather(1, place_BT1.expand_as(states_BTD)) * mask_BT[..., None]
    return back_BTD


class RNNTokens(Reading):
    """States of a plain recurrent network at the ends of patches of neighbouring steps, as tokens (`Recurrence`).

    A series' steps are read in frames of ``s = ceil(patch / 4)`` steps, so that a token's patch is about four frames
    and thousands of steps cost no more than dozens: frame ``f`` is ``[x_f; m_f]``, its steps of all channels and which
    of them are there. Frames and patches are counted back from the most recent step. Token ``p`` is the state at the
    end of patch ``p``, plus a learned vector of its place; the most recent one has seen everything.

    Parameters
    ----------
    width
        ``D``.
    channels
        ``C``.
    patch
        Steps a token, rounded up to whole frames.
    max_patches
        The most recent ``patch * max_patches`` steps are read.
    """

    cell: ClassVar[Cell] = "rnn"

    def __init__(self, width: int, channels: int, patch: int, max_patches: int) -> None:
        super().__init__()
        self.channels = channels
        self.limit = patch * max_patches
        self.span = ceil(patch / 4)
        self.frames = ceil(patch / self.span)
        self.recurrence = Recurrence(self.span * (channels + 1), width, self.cell)
        self.position = nn.Parameter(torch.randn(max_patches, width) * width**-0.5)

    @property
    def form(self) -> Form:
        return Steps(self.limit, self.span * self.frames, self.channels)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        return self._ends(*self._states(tensors))

    def _states(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """States of all frames and which of these are there: ``B x F x D``, ``B x F``."""
        x_BTC, there_BT = tensors["values"], tensors["there"]
        rows, frames = x_BTC.shape[0], x_BTC.shape[1] // self.span
        x_BFX = x_BTC.reshape(rows, frames, self.span * self.channels)
        there_BFS = there_BT.view(rows, frames, self.span)
        mask_BF = there_BFS.any(dim=2)
        return self.recurrence(torch.cat([x_BFX, there_BFS.to(x_BFX.dtype)], dim=-1), mask_BF), mask_BF

    def _ends(self, states_BFD: torch.Tensor, mask_BF: torch.Tensor) -> Tokens:
        last = self.frames - 1
        ends_BPD, mask_BP = states_BFD[:, last :: self.frames], mask_BF[:, last :: self.frames]
        return Tokens(ends_BPD + self.position[: ends_BPD.shape[1]].flip(0), mask_BP)


class GRUTokens(RNNTokens):
    """The same with gated recurrent units (`Recurrence`): states at the ends of patches, as tokens."""

    cell: ClassVar[Cell] = "gru"


class LSTMTokens(RNNTokens):
    """The same with long short-term memory, and one more token: softmax attention over the states of all frames.

    The attention token is `AttentionPooling` over the states, through which early ones reach the body directly.
    """

    cell: ClassVar[Cell] = "lstm"

    def __init__(self, width: int, channels: int, patch: int, max_patches: int) -> None:
        super().__init__(width, channels, patch, max_patches)
        self.pool = AttentionPooling(width)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        states_BFD, mask_BF = self._states(tensors)
        ends = self._ends(states_BFD, mask_BF)
        context_BD = self.pool(states_BFD, mask_BF)
        mask_BT = torch.cat([mask_BF.any(dim=1, keepdim=True), ends.mask_BT], dim=1)
        return Tokens(torch.cat([context_BD[:, None], ends.values_BTD], dim=1), mask_BT)
