"""Cells told again from the vector of their row, parts of them hidden: what encoders are pretrained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

import torch
from torch import nn
from torch.nn import functional as F

from plait.layers.seeded import uniform

__all__ = ["CellsAgain", "StepsAgain", "SubwordsAgain", "TokensAgain", "asked_of", "runs"]

SPREAD = log(10.0)  # log-variances stay within this of 0
Asked = tuple[dict[str, torch.Tensor], torch.Tensor]


def runs(there_BT: torch.Tensor, share: float) -> torch.Tensor:
    """Hide a run of neighbours in each row: bool ``B x T``, true where hidden.

    Its length is drawn anew for each row, up to twice `share` of what is there and at least one; one run in two lies at
    the end, which asks for what comes next. Whole runs, because single neighbours are guessed without knowing the row
    (Joshi et al., "SpanBERT", 2020, section 3.1; Bao et al., "BEiT", 2022, section 2.3).
    """

    def draw_B() -> torch.Tensor:
        return uniform(there_BT, len(there_BT))

    count_B = there_BT.sum(dim=1)
    length_B = (count_B * draw_B() * min(2 * share, 1.0)).ceil().clamp(min=1)
    room_B = (count_B - length_B).clamp(min=0)
    start_B = torch.where(draw_B() < 0.5, room_B, (draw_B() * (room_B + 1)).floor())
    place_BT = there_BT.cumsum(dim=1) - 1
    return there_BT & (place_BT >= start_B[:, None]) & (place_BT < (start_B + length_B)[:, None])


def asked_of(there_BP: torch.Tensor, hidden_BP: torch.Tensor, shown: float) -> torch.Tensor:
    """What telling each place counts, float ``B x P``: 1 where it is hidden, `shown` where it is not, 0 without it.

    What is shown is asked for, too (Vincent et al., "Extracting and Composing Robust Features with Denoising
    Autoencoders", 2008): everything has to pass through one vector, and what nobody asks for is not in it.
    """
    return torch.where(hidden_BP, 1.0, shown * there_BP.float())


def _mean(loss_BP: torch.Tensor, asked_BP: torch.Tensor) -> torch.Tensor:
    """The mean of each row over what is asked of it, ``B``; 0 where nothing is."""
    kept_BP = torch.where(asked_BP > 0, loss_BP * asked_BP, 0.0)
    mean_B: torch.Tensor = kept_BP.sum(dim=1) / asked_BP.sum(dim=1).clamp(min=1e-6)
    return mean_B


def _spread(loss_H: torch.Tensor, asked_BP: torch.Tensor) -> torch.Tensor:
    """Losses of the places that are asked for, in their order, where they stand: ``B x P``."""
    return loss_H.new_zeros(asked_BP.shape).index_put(asked_BP.nonzero(as_tuple=True), loss_H)


def density(x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    """Minus the log-likelihood of numbers under normal densities, whose means and log-variances are `told` (last axis).

    A density, not a distance: how much cells swing tells as much as where they stand (Salinas et al., "DeepAR", 2020,
    equation 4). Variances stay within 0.1 and 10 of numbers on a scale of about one, so that no source wins by telling
    its numbers ever more exactly.
    """
    mean, log_variance = told.unbind(dim=-1)
    log_variance = SPREAD * (log_variance / SPREAD).tanh()
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

    def forward(self, pooled_BD: torch.Tensor, asked_BP: torch.Tensor) -> torch.Tensor:
        """An answer for each place that is asked for, ``H x outputs``, in the order of ``asked_BP.nonzero()``."""
        row_H, place_H = asked_BP.nonzero(as_tuple=True)
        last = asked_BP.shape[1] - 1
        where_HD = self.left(place_H.clamp(max=self.most - 1)) + self.right((last - place_H).clamp(max=self.most - 1))
        told_HO: torch.Tensor = self.out(F.relu(self.norm(self.row(pooled_BD)[row_H] + where_HD)))
        return told_HO


class CellsAgain(nn.Module):
    """Numbers and categories: cells are hidden one by one.

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
        # torch warns of layers without outputs; the one that a table of one kind of columns has is not read
        self.density = nn.Linear(2 * width, max(1, 2 * numbers))
        self.codes = nn.Linear(2 * width, max(1, sum(levels)))

    def hide(self, tensors: Mapping[str, torch.Tensor], share: float, shown: float) -> Asked:
        """The tensors without the hidden cells, and what telling each cell counts (``B x C``)."""
        there_BC = tensors["there"]
        hidden_BC = there_BC & (uniform(there_BC, *there_BC.shape) < share)
        codes_BC = tensors["codes"].masked_fill(hidden_BC[:, self.numbers :], 0)
        return {**tensors, "codes": codes_BC, "there": there_BC & ~hidden_BC}, asked_of(there_BC, hidden_BC, shown)

    def forward(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], asked_BC: torch.Tensor
    ) -> torch.Tensor:
        row_BD = self.row(pooled_BD)
        told_BC2 = self.density(row_BD)[:, : 2 * self.numbers].view(len(row_BD), self.numbers, 2)
        losses = [density(tensors["numbers"], told_BC2)]
        for column, logits_BL in enumerate(self.codes(row_BD).split(self.levels, dim=1) if self.levels else ()):
            losses.append(F.cross_entropy(logits_BL, tensors["codes"][:, column], reduction="none")[:, None])
        return _mean(torch.cat(losses, dim=1), asked_BC)


class SubwordsAgain(nn.Module):
    """Texts: a run of subwords is hidden; all subwords of the text are asked of one distribution a row.

    The distributed bag of words of Le and Mikolov, "Distributed Representations of Sentences and Documents", 2014,
    section 2.3: what is said counts, not how a phrase goes on, which its neighbours tell.

    Parameters
    ----------
    width, vocabulary
        As in `plait.layers.subwords.SubwordTokens`.
    """

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.said = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, vocabulary))

    def hide(self, tensors: Mapping[str, torch.Tensor], share: float, shown: float) -> Asked:
        """The tensors without the hidden subwords, and what telling each subword counts (``B x T``)."""
        ids_BT = tensors["ids"]
        hidden_BT = runs(ids_BT > 0, share)
        return {**tensors, "ids": ids_BT.masked_fill(hidden_BT, 0)}, asked_of(ids_BT > 0, hidden_BT, shown)

    def forward(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], asked_BT: torch.Tensor
    ) -> torch.Tensor:
        said_BV = self.said(pooled_BD).log_softmax(dim=1)
        return _mean(-said_BV.gather(1, tensors["ids"]), asked_BT)


class StepsAgain(nn.Module):
    """Series: a run of patches is hidden; steps are told as a `density`. At the end, that is a forecast.

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

    def hide(self, tensors: Mapping[str, torch.Tensor], share: float, shown: float) -> Asked:
        """The tensors without the hidden steps, and what telling each patch counts (``B x P``)."""
        there_BT = tensors["there"]
        there_BP = there_BT.view(len(there_BT), -1, self.patch).any(dim=2)
        hidden_BP = runs(there_BP, share)
        hidden_BT = hidden_BP.repeat_interleave(self.patch, dim=1)
        values_BTC = tensors["values"].masked_fill(hidden_BT[..., None], 0.0)
        hidden = {**tensors, "values": values_BTC, "there": there_BT & ~hidden_BT}
        return hidden, asked_of(there_BP, hidden_BP, shown)

    def forward(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], asked_BP: torch.Tensor
    ) -> torch.Tensor:
        shape, some_BP = (*asked_BP.shape, self.patch), asked_BP > 0
        x_HSC = tensors["values"].view(*shape, self.channels)[some_BP]
        loss_HS = density(x_HSC, self.places(pooled_BD, asked_BP).view(*x_HSC.shape, 2)).mean(dim=2)
        loss_H = _mean(loss_HS, tensors["there"].view(shape)[some_BP].float())
        return _mean(_spread(loss_H, asked_BP), asked_BP)


class TokensAgain(nn.Module):
    """Whatever an encoder reads: a run of its tokens is hidden; tokens are told as an untrained encoder sees them.

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
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], asked_BT: torch.Tensor
    ) -> torch.Tensor:
        with torch.no_grad():
            target_BTD = self.teacher(tensors).values_BTD
            target_HD = F.layer_norm(target_BTD[asked_BT > 0], target_BTD.shape[2:])
        loss_H = F.smooth_l1_loss(self.places(pooled_BD, asked_BT), target_HD, reduction="none").mean(dim=1)
        return _mean(_spread(loss_H, asked_BT), asked_BT)
