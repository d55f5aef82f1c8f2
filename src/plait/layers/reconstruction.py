"""What was hidden of a cell, told again from the vector of its row: what encoders are pretrained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["CellsAgain", "StepsAgain", "SubwordsAgain", "TokensAgain", "mean_of", "runs"]

Hidden = tuple[dict[str, torch.Tensor], torch.Tensor]


def runs(there_BT: torch.Tensor, share: float) -> torch.Tensor:
    """Hide a run of neighbours in each row: bool ``B x T``, true where hidden.

    Its length is drawn anew for each row, up to twice `share` of what is there and at least one; one run in two lies at
    the end, which asks for what comes next. Whole runs, because single neighbours are guessed without knowing the row
    (Joshi et al., "SpanBERT", 2020, section 3.1; Bao et al., "BEiT", 2022, section 2.3).
    """

    def draw_B() -> torch.Tensor:
        return torch.rand(len(there_BT), device=there_BT.device)

    count_B = there_BT.sum(dim=1)
    length_B = (count_B * draw_B() * min(2 * share, 1.0)).ceil().clamp(min=1)
    room_B = (count_B - length_B).clamp(min=0)
    start_B = torch.where(draw_B() < 0.5, room_B, (draw_B() * (room_B + 1)).floor())
    place_BT = there_BT.cumsum(dim=1) - 1
    return there_BT & (place_BT >= start_B[:, None]) & (place_BT < (start_B + length_B)[:, None])


def mean_of(loss_BP: torch.Tensor, hidden_BP: torch.Tensor) -> torch.Tensor:
    """The mean over the hidden places of each row, ``B``; 0 where none is hidden."""
    asked_BP = torch.where(hidden_BP, loss_BP, 0.0)
    mean_B: torch.Tensor = asked_BP.sum(dim=1) / hidden_BP.sum(dim=1).clamp(min=1)
    return mean_B


def density(x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    """Minus the log-likelihood of numbers under normal densities, whose means and log-variances are `told` (last axis).

    A density, not a distance: how much cells swing tells as much as where they stand (Salinas et al., "DeepAR", 2020,
    equation 4). The variance stays within 0.01 and 100 of numbers on a scale of about one.
    """
    mean, log_variance = told.unbind(dim=-1)
    log_variance = log(100.0) * (log_variance / log(100.0)).tanh()
    return 0.5 * ((x - mean) ** 2 * (-log_variance).exp() + log_variance)


class Places(nn.Module):
    """Questions about the places of a row: its vector, and where the place is counted from either end.

    Both ends, because encoders pad at either. Two steps of a perceptron: ``V relu(LN(U pooled + l_p + r_p))``.
    """

    def __init__(self, width: int, outputs: int, most: int) -> None:
        super().__init__()
        self.most = most
        self.row = nn.Linear(width, 2 * width)
        self.left = nn.Embedding(most, 2 * width)
        self.right = nn.Embedding(most, 2 * width)
        self.norm = nn.LayerNorm(2 * width)
        self.out = nn.Linear(2 * width, outputs)

    def forward(self, pooled_BD: torch.Tensor, hidden_BP: torch.Tensor) -> torch.Tensor:
        """An answer for each hidden place, ``H x outputs``, in the order of ``hidden_BP.nonzero()``."""
        row_H, place_H = hidden_BP.nonzero(as_tuple=True)
        last = hidden_BP.shape[1] - 1
        where_HD = self.left(place_H.clamp(max=self.most - 1)) + self.right((last - place_H).clamp(max=self.most - 1))
        told_HO: torch.Tensor = self.out(F.relu(self.norm(self.row(pooled_BD)[row_H] + where_HD)))
        return told_HO


def _of_rows(loss_H: torch.Tensor, hidden_BP: torch.Tensor) -> torch.Tensor:
    """Losses of hidden places as the mean of each row."""
    loss_BP = loss_H.new_zeros(hidden_BP.shape)
    return mean_of(loss_BP.index_put(hidden_BP.nonzero(as_tuple=True), loss_H), hidden_BP)


class CellsAgain(nn.Module):
    """Numbers and categories: cells hidden one by one, told again from the others.

    A number's loss is that of a `density`, a category's the cross-entropy of its codes (Arik and Pfister, "TabNet",
    2021, section 3.5; Somepalli et al., "SAINT", 2021, equation 6).

    Parameters
    ----------
    width, numbers, levels
        As in `plait.layers.columns.ColumnTokens`.
    """

    def __init__(self, width: int, numbers: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.numbers, self.levels = numbers, tuple(levels)
        self.row = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU())
        self.density = nn.Linear(2 * width, 2 * numbers)
        self.codes = nn.Linear(2 * width, sum(levels))

    def hide(self, tensors: Mapping[str, torch.Tensor], share: float) -> Hidden:
        """The tensors without the hidden cells, and which these are (bool ``B x C``)."""
        there_BC = tensors["there"]
        hidden_BC = there_BC & (torch.rand(there_BC.shape, device=there_BC.device) < share)
        codes_BC = tensors["codes"].masked_fill(hidden_BC[:, self.numbers :], 0)
        return {**tensors, "codes": codes_BC, "there": there_BC & ~hidden_BC}, hidden_BC

    def forward(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], hidden_BC: torch.Tensor
    ) -> torch.Tensor:
        row_BD = self.row(pooled_BD)
        told_BC2 = self.density(row_BD).view(len(row_BD), self.numbers, 2)
        losses = [density(tensors["numbers"], told_BC2)]
        for column, logits_BL in enumerate(self.codes(row_BD).split(self.levels, dim=1) if self.levels else ()):
            losses.append(F.cross_entropy(logits_BL, tensors["codes"][:, column], reduction="none")[:, None])
        return mean_of(torch.cat(losses, dim=1), hidden_BC)


class SubwordsAgain(nn.Module):
    """Texts: a run of subwords is hidden, told again window by window.

    All subwords of a window of `stride` neighbours are asked of one distribution (Le and Mikolov, "Distributed
    Representations of Sentences and Documents", 2014, section 2.3): what is said counts, not the order inside.

    Parameters
    ----------
    width, vocabulary, max_tokens
        As in `plait.layers.subwords.SubwordTokens`.
    stride
        Subwords a window.
    """

    def __init__(self, width: int, vocabulary: int, max_tokens: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.places = Places(width, vocabulary, -(-max_tokens // stride))

    def hide(self, tensors: Mapping[str, torch.Tensor], share: float) -> Hidden:
        """The tensors without the hidden subwords, and which windows these are (bool ``B x U``)."""
        ids_BT = tensors["ids"]
        spare = -ids_BT.shape[1] % self.stride
        windows_BUS = F.pad(ids_BT, (0, spare)).view(len(ids_BT), -1, self.stride)
        hidden_BU = runs((windows_BUS > 0).any(dim=2), share)
        hidden_BT = hidden_BU.repeat_interleave(self.stride, dim=1)[:, : ids_BT.shape[1]]
        return {**tensors, "ids": ids_BT.masked_fill(hidden_BT, 0)}, hidden_BU

    def forward(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], hidden_BU: torch.Tensor
    ) -> torch.Tensor:
        ids_BT = F.pad(tensors["ids"], (0, -tensors["ids"].shape[1] % self.stride))
        ids_HS = ids_BT.view(*hidden_BU.shape, self.stride)[hidden_BU]
        missed_HS = -self.places(pooled_BD, hidden_BU).log_softmax(dim=1).gather(1, ids_HS)
        return _of_rows(mean_of(missed_HS, ids_HS > 0), hidden_BU)


class StepsAgain(nn.Module):
    """Series: a run of patches is hidden, told again step by step as a `density`; at the end, it is a forecast.

    Masked patches are those of Nie et al., "A Time Series is Worth 64 Words", 2023, section 3.2.

    Parameters
    ----------
    width, channels, patch, max_patches
        As in `plait.layers.patches.PatchTokens`.
    """

    def __init__(self, width: int, channels: int, patch: int, max_patches: int) -> None:
        super().__init__()
        self.channels, self.patch = channels, patch
        self.places = Places(width, patch * channels * 2, max_patches)

    def hide(self, tensors: Mapping[str, torch.Tensor], share: float) -> Hidden:
        """The tensors without the hidden steps, and which patches these are (bool ``B x P``)."""
        there_BT = tensors["there"]
        hidden_BP = runs(there_BT.view(len(there_BT), -1, self.patch).any(dim=2), share)
        hidden_BT = hidden_BP.repeat_interleave(self.patch, dim=1)
        values_BTC = tensors["values"].masked_fill(hidden_BT[..., None], 0.0)
        return {**tensors, "values": values_BTC, "there": there_BT & ~hidden_BT}, hidden_BP

    def forward(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], hidden_BP: torch.Tensor
    ) -> torch.Tensor:
        shape = (*hidden_BP.shape, self.patch)
        x_HSC = tensors["values"].view(*shape, self.channels)[hidden_BP]
        told_HSC2 = self.places(pooled_BD, hidden_BP).view(*x_HSC.shape, 2)
        loss_HS = density(x_HSC, told_HSC2).mean(dim=2)
        return _of_rows(mean_of(loss_HS, tensors["there"].view(shape)[hidden_BP]), hidden_BP)


class TokensAgain(nn.Module):
    """Whatever an encoder reads: a run of its tokens is hidden, told again as an untrained encoder sees them.

    Targets are tokens of a copy of the encoder that never learns, each normalised to mean 0 and variance 1: a random
    projection of what is read (Chiu et al., "Self-supervised Learning with Random-projection Quantizer for Speech
    Recognition" (BEST-RQ), 2022, section 3.1; the normalisation and the smooth loss from Baevski et al., "data2vec",
    2022, section 3.3). A teacher that stands still cannot collapse.

    Parameters
    ----------
    width
        ``D``.
    teacher
        The copy, untrained.
    most
        Places told apart, counted from either end.
    """

    def __init__(self, width: int, teacher: nn.Module, most: int = 64) -> None:
        super().__init__()
        self.teacher = teacher.requires_grad_(False)
        self.places = Places(width, width, most)

    def train(self, mode: bool = True) -> TokensAgain:
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], hidden_BT: torch.Tensor
    ) -> torch.Tensor:
        with torch.no_grad():
            target_BTD = self.teacher(tensors).values_BTD
            target_HD = F.layer_norm(target_BTD[hidden_BT], target_BTD.shape[2:])
        loss_H = F.smooth_l1_loss(self.places(pooled_BD, hidden_BT), target_HD, reduction="none").mean(dim=1)
        return _of_rows(loss_H, hidden_BT)
