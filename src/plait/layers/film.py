"""Films to tokens: frames through convolutions, motion beside them, and both over time; the sound track with them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import gcd

import torch
from torch import nn

from plait.contracts import Tokens
from plait.layers.forms import Film, Form
from plait.layers.pictures import PixelConv
from plait.layers.reading import Reading, traced
from plait.layers.seeded import uniform
from plait.layers.sound import MelConvTokens
from plait.layers.transformer import Block

__all__ = ["FilmAttention", "FilmGRU"]

HEARD = 3  # tokens of a sound track
SOUND_CHANNELS = (12, 24, 32)  # of its convolutions: as it is heard beside pictures, half of what sound alone has
LIGHT = 0.2  # how much brightness and contrast of a whole film are changed while training
SHIFT = 0.08  # by how much of a side a whole film is shifted while training
DROPPED = 0.2  # chance that an entry is hidden while training


class _Film(Reading):
    """What encoders of films share: frames and motion become a vector a frame, sound and numbers tokens of their own.

    Each frame has a fourth channel, its difference from the frame before, and goes through the convolutions of
    `plait.layers.pictures.PixelConv` (frames and differences: Simonyan & Zisserman, "Two-Stream Convolutional Networks
    for Action Recognition in Videos", 2014, with differences in place of flow); the track of motion goes through two
    convolutions over time and is averaged to as many steps as there are frames.

    Parameters
    ----------
    width
        ``D``.
    size
        Pixels a side of the frames.
    frames
        ``F``.
    channels
        ``C``, of the track of motion.
    numbers
        ``K`` numbers of a whole film, which become a token.
    rate
        Samples a second of sound tracks.
    """

    def __init__(self, width: int, size: int, frames: int, channels: int, numbers: int, rate: int) -> None:
        super().__init__()
        self.frames = frames
        self.look = PixelConv(width, (size, size), 4, "none")
        self.join = nn.Sequential(nn.Dropout(DROPPED), nn.Linear(width * len(self.look.places), width))
        self.moves = nn.Sequential(
            nn.BatchNorm1d(channels),
            nn.Conv1d(channels, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, padding=2),
            nn.GELU(),
            nn.AdaptiveAvgPool1d(frames),
            nn.Dropout(DROPPED),
        )
        self.place = nn.Parameter(torch.randn(frames, width) * width**-0.5)
        self.whole = nn.Sequential(
            nn.Dropout(DROPPED),
            nn.Linear(numbers, 2 * width),
            nn.GELU(),
            nn.Dropout(DROPPED),
            nn.Linear(2 * width, width),
        )
        self.hear = MelConvTokens(width, rate, HEARD, channels=SOUND_CHANNELS)

    @property
    def form(self) -> Form:
        return Film()

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        present_B = tensors["present"]
        shown = tensors["frames"], tensors["track"], tensors["numbers"]
        if traced():  # an exported graph reads all rows: it has no shapes that hang on what is there
            values_BTD = self._watched(*shown)
        else:  # absent rows cost nothing, and leave no trace in what a norm learns of the others
            values_BTD = self.place.new_zeros(present_B.shape[0], self.frames + 1, self.place.shape[1])
            if present_B.any():
                values_RTD = self._watched(*(tensor[present_B] for tensor in shown))
                values_BTD = values_BTD.index_put((present_B.nonzero()[:, 0],), values_RTD)
        sound_BTD, heard_BT = self._heard(tensors)
        seen_BT = present_B[:, None].expand(-1, self.frames + 1)
        return Tokens(torch.cat([values_BTD, sound_BTD], dim=1), torch.cat([seen_BT, heard_BT], dim=1))

    def _watched(self, frames: torch.Tensor, track_RMC: torch.Tensor, numbers_RK: torch.Tensor) -> torch.Tensor:
        """Tokens of frames, and of a film as a whole: ``R x (F + 1) x D``."""
        x_RFHWC = frames.to(self.place.dtype) / 127.5 - 1.0
        steps_RFD = self.over_time(self._seen(x_RFHWC) + self._moved(track_RMC) + self.place)
        return torch.cat([steps_RFD, self.whole(numbers_RK)[:, None]], dim=1)

    @abstractmethod
    def over_time(self, x_RFD: torch.Tensor) -> torch.Tensor:
        """Vectors of frames, each told of the others: ``R x F x D``."""

    def _seen(self, x_RFHWC: torch.Tensor) -> torch.Tensor:
        if self.training:
            x_RFHWC = self._altered(x_RFHWC)
        grey_RFHW1 = x_RFHWC.mean(dim=-1, keepdim=True)
        before_RFHW1 = torch.cat([grey_RFHW1[:, :1], grey_RFHW1[:, :-1]], dim=1)
        x_RFHWC = torch.cat([x_RFHWC, 2 * (grey_RFHW1 - before_RFHW1)], dim=-1)
        tokens_NPD = self.look.tokens(x_RFHWC.flatten(0, 1).permute(0, 3, 1, 2)) + self.look.places
        seen_RFD: torch.Tensor = self.join(tokens_NPD.flatten(1)).view(x_RFHWC.shape[0], self.frames, -1)
        return seen_RFD

    def _altered(self, x_RFHWC: torch.Tensor) -> torch.Tensor:
        """All frames of a film alike: brighter or darker, and shifted, its borders repeated."""
        rows, side = x_RFHWC.shape[0], x_RFHWC.shape[2]
        light, contrast = (uniform(x_RFHWC, 2, rows, 1, 1, 1, 1) * 2 - 1) * LIGHT
        reach = round(SHIFT * side)
        place = torch.arange(side) + torch.randint(-reach, reach + 1, (2, rows, 1))
        down, right = place.clamp(0, side - 1).to(x_RFHWC.device)
        row = torch.arange(rows, device=x_RFHWC.device)
        shifted_RHWFC = x_RFHWC[row[:, None, None], :, down[:, :, None], right[:, None, :]]
        altered_RFHWC: torch.Tensor = shifted_RHWFC.permute(0, 3, 1, 2, 4) * (1 + contrast) + light
        return altered_RFHWC

    def _moved(self, track_RMC: torch.Tensor) -> torch.Tensor:
        moved_RFD: torch.Tensor = self.moves(track_RMC.transpose(1, 2)).transpose(1, 2)
        return moved_RFD

    def _heard(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens of the sound tracks that there are."""
        audible_B = tensors["sound.present"] & tensors["present"]
        if traced():
            heard = self.hear({k: tensors[f"sound.{k}"] for k in ("samples", "lengths", "present")})
            return heard.values_BTD, heard.mask_BT & audible_B[:, None]
        values_BTD = self.place.new_zeros(audible_B.shape[0], HEARD, self.place.shape[1])
        mask_BT = audible_B.new_zeros(audible_B.shape[0], HEARD, dtype=torch.bool)
        if audible_B.any():
            heard = self.hear({k: tensors[f"sound.{k}"][audible_B] for k in ("samples", "lengths", "present")})
            rows = (audible_B.nonzero()[:, 0],)
            values_BTD = values_BTD.index_put(rows, heard.values_BTD)
            mask_BT = mask_BT.index_put(rows, heard.mask_BT)
        return values_BTD, mask_BT


class FilmGRU(_Film):
    """Frames and motion in order through a gated recurrent unit, a token a frame; see `_Film` for the parameters.

    ``h_t = GRU(x_t, h_{t-1})``, tokens ``x_t + h_t``: convolutions below recurrence over frames (Donahue et al.,
    "Long-term Recurrent Convolutional Networks", 2015, section 3).
    """

    def __init__(self, width: int, size: int, frames: int, channels: int, numbers: int, rate: int) -> None:
        super().__init__(width, size, frames, channels, numbers, rate)
        self.recurrent = nn.GRU(width, width, batch_first=True)

    def over_time(self, x_RFD: torch.Tensor) -> torch.Tensor:
        told: torch.Tensor = x_RFD + self.recurrent(x_RFD)[0]
        return told


class FilmAttention(_Film):
    """Frames and motion attend to each other over time, a token a frame; see `_Film` for the parameters.

    Attention over time on vectors of frames: the factorised encoder of Arnab et al., "ViViT", 2021, section 3.3, model
    2, with convolutions below.
    """

    def __init__(self, width: int, size: int, frames: int, channels: int, numbers: int, rate: int) -> None:
        super().__init__(width, size, frames, channels, numbers, rate)
        self.layers = nn.ModuleList(Block(width, gcd(width, 4), 0.1) for _ in range(2))
        self.norm = nn.LayerNorm(width)

    def over_time(self, x_RFD: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x_RFD = layer(x_RFD, None)
        told: torch.Tensor = self.norm(x_RFD)
        return told
