"""Sounds to tokens: log-mel spectra, convolutions over them, and a recurrent layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Form, Sounds
from plait.layers.mel import hann, mel_bank
from plait.layers.reading import Reading, traced
from plait.layers.seeded import uniform

__all__ = ["LogMel", "MelConvTokens", "MelGRUTokens"]

BANDS = 48
HOP, WINDOW = 0.010, 0.025  # seconds
POOLS = ((2, 2), (2, 2), (1, 2))  # frames and bands that become one, block by block
STEP = 4  # frames that become one in all
AT_ONCE = 120  # seconds of sound whose spectra are in memory outside training
LONGEST = 10.0  # seconds that a step of training sees of a sound
RANGE = 4.0  # powers of ten under a sound's loudest band that are told apart
WARPS = tuple(0.84 + 0.02 * i for i in range(17))  # of the vocal tract (Jaitly & Hinton use 0.8 to 1.2)
SPEEDS = (0.85, 1.15)
SHIFT = 0.05  # seconds
NOISE = (1.0, 4.0)  # powers of ten under the sound
MASKS, BAND_MASK, TIME_MASK = 2, 8, 0.15  # most bands, and share of the frames, that one mask hides


class LogMel(nn.Module):
    """Log-mel spectra of sounds and their slopes in time, free of the sound's own mean, with augmentation in training.

    A frame every 10 ms of a 25 ms Hann window; 48 mel bands; powers more than 40 dB under the sound's loudest are one:
    what lies there is the room and the microphone.
    Taking off a sound's own mean of each band removes what a microphone or a voice colours all frames with; slopes, by
    regression over five frames, are free of it anyway (Furui, "Speaker-independent isolated word recognition using
    dynamic features of speech spectrum", 1986).

    In training, each sound is played faster or slower by up to 15% (Ko et al., "Audio augmentation for speech
    recognition", 2015), shifted by up to 50 ms, joined by noise 10 to 40 dB under it, its frequencies warped by up to
    16% (vocal tract length perturbation; Jaitly & Hinton, 2013), and two spans of bands and of frames are hidden
    (SpecAugment; Park et al., 2019). Of longer sounds it hears 10 seconds from anywhere. All draws come from torch's
    own generator.

    Parameters
    ----------
    rate
        Samples a second.
    bands
        ``M``.
    augment
        Whether to augment in training.
    """

    window: torch.Tensor
    banks_WFM: torch.Tensor

    def __init__(self, rate: int, bands: int = BANDS, augment: bool = True) -> None:
        super().__init__()
        self.rate = rate
        self.augment = augment
        self.hop = max(1, round(HOP * rate))
        self.size = 1 << int(np.ceil(np.log2(WINDOW * rate)))
        banks = np.stack([mel_bank(rate, self.size, bands, warp=warp) for warp in WARPS])
        self.register_buffer("window", torch.from_numpy(hann(self.size).copy()), persistent=False)
        self.register_buffer("banks_WFM", torch.from_numpy(banks), persistent=False)

    def forward(self, samples_BT: torch.Tensor, lengths_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """From int16 samples, zero after each sound's length, to (``B x 2 x F x M``, mask ``B x F``): zero where false.

        Channels are the log-mel spectra and five times their slopes.
        """
        x_BT = samples_BT.to(torch.float32) / 32768
        altered = self.training and self.augment
        if altered:
            x_BT, lengths_B = self._play(x_BT, lengths_B)
        frames_BFS = self._frames(nn.functional.pad(x_BT, (self.size // 2, self.size // 2)))
        power_BFK = self._power(frames_BFS * self.window)
        count_B = (lengths_B + self.hop - 1) // self.hop
        there_BF = torch.arange(power_BFK.shape[1], device=x_BT.device) < count_B[:, None]
        if altered:
            chosen = torch.randint(len(self.banks_WFM), (len(x_BT),)).to(x_BT.device)
            mel_BFM = torch.bmm(power_BFK, self.banks_WFM[chosen])
        else:
            mel_BFM = power_BFK @ self.banks_WFM[len(WARPS) // 2]
        log_BFM = torch.log10(mel_BFM * there_BF[..., None] + 1e-9)
        log_BFM = torch.maximum(log_BFM, log_BFM.amax(dim=(1, 2), keepdim=True) - RANGE)
        share_BF = there_BF / count_B.clamp(min=1)[:, None]
        log_BFM = (log_BFM - torch.einsum("bfm,bf->bm", log_BFM, share_BF)[:, None]) * there_BF[..., None]
        far_BFM = nn.functional.pad(log_BFM, (0, 0, 2, 2))
        slope_BFM = far_BFM[:, 4:] - far_BFM[:, :-4] + (far_BFM[:, 3:-1] - far_BFM[:, 1:-3]) / 2
        both_BCFM = torch.stack([log_BFM, slope_BFM * there_BF[..., None]], dim=1)
        return (self._hide(both_BCFM, count_B) if altered else both_BCFM), there_BF

    def _frames(self, x_BT: torch.Tensor) -> torch.Tensor:
        """Overlapping frames ``B x F x S``."""
        if not traced():
            return x_BT.unfold(1, self.size, self.hop)
        first_F = (
            torch.arange((x_BT.shape[1] - self.size) // self.hop + 1) * self.hop
        )  # ONNX unfolds fixed lengths only
        return x_BT[:, first_F[:, None] + torch.arange(self.size)]

    def _power(self, frames_BFS: torch.Tensor) -> torch.Tensor:
        """Power spectra ``B x F x K``."""
        if not traced():
            power_BFK: torch.Tensor = torch.fft.rfft(frames_BFS).abs().square()
            return power_BFK
        angle_SK = -2j * torch.pi * torch.arange(self.size)[:, None] * torch.arange(self.size // 2 + 1) / self.size
        wave_SK = angle_SK.to(torch.complex128).exp()  # ONNX has no complex numbers; float64 is as exact as an FFT
        real_BFK, imaginary_BFK = frames_BFS.double() @ wave_SK.real, frames_BFS.double() @ wave_SK.imag
        return (real_BFK.square() + imaginary_BFK.square()).to(frames_BFS.dtype)

    def _play(self, x_BT: torch.Tensor, lengths_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Another speed, a shift, and noise."""
        rows, longest = x_BT.shape
        speed_B = uniform(x_BT, rows, low=SPEEDS[0], high=SPEEDS[1])
        shift_B = uniform(x_BT, rows, low=-SHIFT, high=SHIFT) * self.rate
        start_B = uniform(x_BT, rows) * (lengths_B - LONGEST * self.rate).clamp(min=0)
        lengths_B = (lengths_B - start_B).clamp(max=LONGEST * self.rate)
        lengths_B = (lengths_B / speed_B + shift_B).long().clamp(min=1) * (lengths_B > 0)
        time_T = torch.arange(max(1, int(lengths_B.max())) if rows else 1, device=x_BT.device)
        place_BT = (time_T - shift_B[:, None]) * speed_B[:, None] + start_B[:, None]
        left_BT = place_BT.floor()
        part_BT = place_BT - left_BT
        index_BT = left_BT.long()
        padded = nn.functional.pad(x_BT, (1, 2))

        def at(index: torch.Tensor) -> torch.Tensor:
            return padded.gather(1, (index + 1).clamp(0, longest + 2))

        x_BT = at(index_BT) * (1 - part_BT) + at(index_BT + 1) * part_BT
        level_B1 = x_BT.square().mean(dim=1, keepdim=True).sqrt()
        loud_B1 = 10 ** (-uniform(x_BT, rows, 1, low=NOISE[0], high=NOISE[1]) / 2)
        return x_BT + torch.randn_like(x_BT) * level_B1 * loud_B1, lengths_B

    def _hide(self, x_BCFM: torch.Tensor, count_B: torch.Tensor) -> torch.Tensor:
        """Spans of bands and of frames at their mean, which is 0."""
        rows, _, frames, bands = x_BCFM.shape
        for _ in range(MASKS):
            width, first = uniform(x_BCFM, rows, 1) * BAND_MASK, uniform(x_BCFM, rows, 1)
            band = torch.arange(bands, device=x_BCFM.device) - first * (bands - width)
            x_BCFM = x_BCFM * ~((band >= 0) & (band < width))[:, None, None]
            width, first = uniform(x_BCFM, rows, 1) * TIME_MASK * count_B[:, None], uniform(x_BCFM, rows, 1)
            frame = torch.arange(frames, device=x_BCFM.device) - first * (count_B[:, None] - width)
            x_BCFM = x_BCFM * ~((frame >= 0) & (frame < width))[:, None, :, None]
        return x_BCFM


class _Block(nn.Module):
    """Convolution over frames and bands, pooling, batch norm, SiLU."""

    def __init__(self, inside: int, outside: int, pool: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outside)
        self.pool = nn.MaxPool2d(pool)
        self.dropout = nn.Dropout2d(dropout)
        self.step = pool[0]

    def forward(self, x_BCFM: torch.Tensor, there_BF: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x_BCFM = self.pool(self.convolve(x_BCFM) * there_BF[:, None, :, None])
        x_BCFM = self.dropout(nn.functional.silu(self.norm(x_BCFM)))
        there_BF = there_BF.view(there_BF.shape[0], -1, self.step).any(dim=2)
        return x_BCFM * there_BF[:, None, :, None], there_BF


class MelConvTokens(Reading):
    """Log-mel spectra through convolutions, averaged over equal parts of the sound: a token each.

    Three blocks of a 3 x 3 convolution, max pooling, batch norm and SiLU (as in Abdel-Hamid et al., "Convolutional
    neural networks for speech recognition", 2014, with pooling over both time and frequency), then a linear layer.
    Token ``p`` is the mean of ``SiLU(W h_t + b)`` over the steps of part ``p``, plus ``e_p``.

    Parameters
    ----------
    width
        ``D``.
    rate
        Samples a second of the sounds.
    max_tokens
        Parts; a sound with fewer steps (40 ms each) has as many tokens as steps.
    augment
        See `LogMel`.
    channels
        Of the blocks.
    dropout
        Chance that a channel of a block is hidden in training.
    """

    def __init__(
        self,
        width: int,
        rate: int,
        max_tokens: int = 8,
        augment: bool = True,
        channels: tuple[int, int, int] = (16, 32, 64),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.max_tokens = max_tokens
        self.mel = LogMel(rate, BANDS, augment)
        sizes = zip((2, *channels), channels, POOLS, strict=False)
        self.blocks = nn.ModuleList(_Block(a, b, pool, dropout) for a, b, pool in sizes)
        self.project = nn.Linear(channels[-1] * (BANDS // 8), width)
        self.position = nn.Parameter(torch.randn(max_tokens, width) * width**-0.5)

    @property
    def form(self) -> Form:
        return Sounds()

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        samples_BT, lengths_B = tensors["samples"], tensors["lengths"]
        if traced():
            return self._tokens(samples_BT, lengths_B)
        # Outside training a few rows at a time: spectra of hundreds of long sounds would fill the memory.
        rows = len(samples_BT) if self.training else max(1, AT_ONCE * self.mel.rate // samples_BT.shape[1])
        values, masks = (
            [self.position.new_empty(0, *self.position.shape)],
            [lengths_B.new_empty(0, self.max_tokens) > 0],
        )
        for first in range(0, len(samples_BT), max(1, rows)):
            tokens = self._tokens(samples_BT[first : first + rows], lengths_B[first : first + rows])
            values.append(tokens.values_BTD)
            masks.append(tokens.mask_BT)
        return Tokens(torch.cat(values), torch.cat(masks))

    def _tokens(self, samples_BT: torch.Tensor, lengths_B: torch.Tensor) -> Tokens:
        x_BCFM, there_BF = self.mel(samples_BT, lengths_B)
        short = -x_BCFM.shape[2] % STEP
        x_BCFM, there_BF = nn.functional.pad(x_BCFM, (0, 0, 0, short)), nn.functional.pad(there_BF, (0, short))
        for block in self.blocks:
            x_BCFM, there_BF = block(x_BCFM, there_BF)
        steps_BTD = self.steps(self.project(x_BCFM.transpose(1, 2).flatten(2)), there_BF)
        count_B1 = there_BF.sum(dim=1, keepdim=True)
        parts_B1 = count_B1.clamp(max=self.max_tokens)
        place_F = torch.arange(there_BF.shape[1], device=there_BF.device)
        token_P = torch.arange(self.max_tokens, device=there_BF.device)
        part_BT = place_F * parts_B1 // count_B1.clamp(min=1)
        member_BPT = (part_BT[:, None] == token_P[:, None]) & there_BF[:, None]
        share_BPT = member_BPT / member_BPT.sum(dim=2, keepdim=True).clamp(min=1)
        return Tokens(share_BPT @ steps_BTD + self.position, token_P < parts_B1)

    def steps(self, x_BTD: torch.Tensor, there_BT: torch.Tensor) -> torch.Tensor:
        """What each step of 40 ms says, ``B x T x D``."""
        return nn.functional.silu(x_BTD)


class MelGRUTokens(MelConvTokens):
    """As `MelConvTokens`, its steps read in both directions by gated recurrent units (Cho et al., 2014).

    Convolutions below recurrent layers, which are bypassed: Sainath et al., "Convolutional, long short-term memory,
    fully connected deep neural networks", 2015, sections 2 and 3.
    """

    def __init__(
        self,
        width: int,
        rate: int,
        max_tokens: int = 8,
        augment: bool = True,
        channels: tuple[int, int, int] = (16, 32, 64),
        dropout: float = 0.1,
    ) -> None:
        super().__init__(width, rate, max_tokens, augment, channels, dropout)
        self.forth = nn.GRU(width, width, batch_first=True)
        self.back = nn.GRU(width, width, batch_first=True)

    def steps(self, x_BTD: torch.Tensor, there_BT: torch.Tensor) -> torch.Tensor:
        count_B1 = there_BT.sum(dim=1, keepdim=True)
        time_T = torch.arange(there_BT.shape[1], device=there_BT.device)
        mirror_BT = torch.where(there_BT, count_B1 - 1 - time_T, time_T)[..., None].expand_as(x_BTD)
        forth_BTD, _ = self.forth(x_BTD)
        back_BTD, _ = self.back(x_BTD.gather(1, mirror_BT))
        steps_BTD: torch.Tensor = super().steps(x_BTD, there_BT) + forth_BTD + back_BTD.gather(1, mirror_BT)
        return steps_BTD
