"""Pictures to tokens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import gcd

import torch
from torch import nn
from torch.nn import functional as F

from plait.contracts import Tokens
from plait.layers.forms import Form, Whole
from plait.layers.reading import Reading, traced
from plait.layers.seeded import uniform
from plait.layers.transformer import Block

__all__ = ["AUGMENTS", "PixelConv", "PixelConv3", "PixelPatches", "PixelRows"]

TOKENS = 16  # at most, a picture

# name -> (zoom, shift, turn in degrees, brightness and contrast, chance of exchanged and of inverted colours)
AUGMENTS = {
    "none": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "light": (0.1, 0.06, 2.0, 0.2, 0.0, 0.0),
    "strong": (0.2, 0.1, 4.0, 0.4, 0.7, 0.4),
}


class _Pixels(Reading):
    """What encoders of pictures share: reading, augmentation while training, and rows without a picture.

    Parameters
    ----------
    width
        ``D``.
    size
        ``H, W`` of the pictures.
    channels
        ``C``: 3, or 1 for pictures in grey.
    augment
        What happens to pictures in training. ``"light"``: zoom, crop and shift by up to a tenth, turns of 2 degrees,
        brightness and contrast by up to a fifth. ``"strong"``: twice as much, colours exchanged or inverted at random
        (where what counts is drawn in any colours). ``"none"``.
    flip
        Also mirror pictures left to right, half of them.
    """

    grid: tuple[int, int]  # rows and columns of tokens

    def __init__(
        self, width: int, size: tuple[int, int], channels: int = 3, augment: str = "light", flip: bool = False
    ) -> None:
        super().__init__()
        self.width, self.size, self.channels = width, size, channels
        self.augment, self.flip = AUGMENTS[augment], flip

    def _place(self, rows: int, columns: int) -> None:
        """Fix the grid of tokens, each with a vector of its own."""
        self.grid = rows, columns
        self.places = nn.Parameter(torch.randn(rows * columns, self.width) * self.width**-0.5)

    @property
    def form(self) -> Form:
        return Whole(("pixels",))

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        present_B = tensors["present"]
        mask_BT = present_B[:, None].expand(-1, len(self.places))
        if traced():  # an exported graph reads all rows: it has no shapes that hang on what is there
            return Tokens(self.tokens(self._scaled(tensors["pixels"])) + self.places, mask_BT)
        # Rows without a picture cost nothing, and leave no trace in what a norm learns of the others.
        x_RCHW = self._scaled(tensors["pixels"][present_B])
        values_BTD = x_RCHW.new_zeros(present_B.shape[0], len(self.places), self.width)
        if len(x_RCHW):
            tokens_RTD = self.tokens(self._augmented(x_RCHW)) + self.places
            values_BTD = values_BTD.index_put((present_B.nonzero()[:, 0],), tokens_RTD)
        return Tokens(values_BTD, mask_BT)

    def _scaled(self, pixels_RHWC: torch.Tensor) -> torch.Tensor:
        """Channels first, in -1..1."""
        return pixels_RHWC.permute(0, 3, 1, 2).to(self.places.dtype) / 127.5 - 1.0

    @abstractmethod
    def tokens(self, x_RCHW: torch.Tensor) -> torch.Tensor:
        """``R x T x D`` of pictures in -1..1."""

    def _augmented(self, x_RCHW: torch.Tensor) -> torch.Tensor:
        zoom, shift, turn, light, exchange, invert = self.augment
        if not self.training:
            return x_RCHW
        rows = x_RCHW.shape[0]

        def draw(spread: float, *shape: int) -> torch.Tensor:
            return (uniform(x_RCHW, rows, *shape) * 2 - 1) * spread

        if zoom or shift or turn or self.flip:
            angle, scale = torch.deg2rad(draw(turn)), 1 + draw(zoom)
            mirrored = 1.0 - 2.0 * (uniform(x_RCHW, rows) < 0.5) if self.flip else x_RCHW.new_ones(rows)
            cos, sin = angle.cos() * scale, angle.sin() * scale
            moved = torch.stack([torch.stack([cos * mirrored, -sin], 1), torch.stack([sin * mirrored, cos], 1)], 1)
            place = torch.cat([moved, 2 * draw(shift, 2, 1)], dim=2)
            grid = F.affine_grid(place, list(x_RCHW.shape), align_corners=False)
            x_RCHW = F.grid_sample(x_RCHW, grid, padding_mode="border", align_corners=False)
        if light:
            mean = x_RCHW.mean(dim=(1, 2, 3), keepdim=True)
            x_RCHW = mean + (x_RCHW - mean) * (1 + draw(light, 1, 1, 1)) + draw(light, 1, 1, 1)
        if exchange and self.channels > 1:
            order = uniform(x_RCHW, rows, self.channels).argsort(dim=1)
            as_is = torch.arange(self.channels, device=x_RCHW.device)
            order = torch.where(uniform(x_RCHW, rows, 1) < exchange, order, as_is)
            x_RCHW = x_RCHW.gather(1, order[:, :, None, None].expand_as(x_RCHW))
        if invert:
            x_RCHW = x_RCHW * (1 - 2.0 * (uniform(x_RCHW, rows, 1, 1, 1) < invert))
        return x_RCHW


class PixelConv(_Pixels):
    """Four convolutions with norms; the last grid of at most 4 x 4 places is the tokens.

    ``x_l = ReLU(BN(W_l * x_{l-1}))`` (Ioffe & Szegedy, "Batch Normalization", 2015), kernels of 5, 3, 3 and 3, strides
    of 2 in the first three, a shortcut around the fourth (He et al., "Deep Residual Learning", 2016, equation 1), then
    averaged to the grid: convolutions before a Transformer (Xiao et al., "Early Convolutions Help Transformers See
    Better", 2021). See `_Pixels` for the parameters.
    """

    def __init__(
        self, width: int, size: tuple[int, int], channels: int = 3, augment: str = "light", flip: bool = False
    ) -> None:
        super().__init__(width, size, channels, augment, flip)
        plan = ((channels, 24, 5, 2), (24, 48, 3, 2), (48, 64, 3, 2))
        self.blocks = nn.Sequential(*(_block(*shape) for shape in plan))
        self.deep = _block(64, 64, 3, 1)
        self.project = nn.Linear(64, width)
        self._place(*(min(4, -(-side // 8)) for side in size))

    def tokens(self, x_RCHW: torch.Tensor) -> torch.Tensor:
        x_RCHW = self.blocks(x_RCHW.contiguous(memory_format=torch.channels_last))
        x_RCHW = _pooled(x_RCHW + self.deep(x_RCHW), self.grid)
        values: torch.Tensor = self.project(x_RCHW.flatten(2).transpose(1, 2))
        return values


class PixelPatches(_Pixels):
    """Patches as tokens through a small Transformer (ViT: Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021).

    ``z_0 = [x_1 E; ...; x_N E] + E_pos`` (equation 1) over a grid of 8 x 8 patches, two layers (equations 2 and 3),
    then neighbouring tokens averaged to at most 4 x 4. See `_Pixels` for the parameters.
    """

    def __init__(
        self, width: int, size: tuple[int, int], channels: int = 3, augment: str = "light", flip: bool = False
    ) -> None:
        super().__init__(width, size, channels, augment, flip)
        self.patch = -(-size[0] // 8), -(-size[1] // 8)
        self.fine = -(-size[0] // self.patch[0]), -(-size[1] // self.patch[1])
        self.project = nn.Conv2d(channels, width, self.patch, self.patch)
        self.fine_places = nn.Parameter(torch.randn(self.fine[0] * self.fine[1], width) * width**-0.5)
        self.layers = nn.ModuleList(Block(width, gcd(width, 4), 0.0) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self._place(-(-self.fine[0] // 2), -(-self.fine[1] // 2))

    def tokens(self, x_RCHW: torch.Tensor) -> torch.Tensor:
        rows = x_RCHW.shape[0]
        lacking = [fine * patch - side for fine, patch, side in zip(self.fine, self.patch, self.size, strict=True)]
        x_RCHW = F.pad(x_RCHW, (0, lacking[1], 0, lacking[0]))
        x_RPD = self.project(x_RCHW).flatten(2).transpose(1, 2) + self.fine_places
        for layer in self.layers:
            x_RPD = layer(x_RPD, None)
        x_RDHW = self.norm(x_RPD).transpose(1, 2).reshape(rows, self.width, *self.fine)
        return _pooled(x_RDHW, self.grid).flatten(2).transpose(1, 2)


class PixelRows(_Pixels):
    """Two convolutions, then their rows from top to bottom through a gated recurrent unit, a token a row.

    ``h_t = GRU(x_t, h_{t-1})`` (Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014,
    equations 5 to 8) over rows of features, as text recognition reads columns (Shi et al., "CRNN", 2017). See
    `_Pixels` for the parameters.
    """

    def __init__(
        self, width: int, size: tuple[int, int], channels: int = 3, augment: str = "light", flip: bool = False
    ) -> None:
        super().__init__(width, size, channels, augment, flip)
        self.blocks = nn.Sequential(_block(channels, 24, 5, 2), _block(24, 32, 3, 2))
        self.columns = min(TOKENS, -(-size[1] // 4))
        self.recurrent = nn.GRU(32 * self.columns, width, batch_first=True)
        self._place(min(TOKENS, -(-size[0] // 4)), 1)

    def tokens(self, x_RCHW: torch.Tensor) -> torch.Tensor:
        x_RCHW = self.blocks(x_RCHW.contiguous(memory_format=torch.channels_last))
        rows_RHF = _pooled(x_RCHW, (self.grid[0], self.columns)).permute(0, 2, 3, 1).flatten(2)
        values: torch.Tensor = self.recurrent(rows_RHF)[0]
        return values


class PixelConv3(_Pixels):
    """Three convolutions, each with ReLU, max pooling and dropout, then one token of all that is left.

    ``y = max over 2 x 2 of ReLU(b + W * x)``, kernels of 3, with 32, 64 and 128 channels (after LeCun et al.,
    "Gradient-Based Learning Applied to Document Recognition", 1998, with the dropout of Srivastava et al., 2014, and
    started as in He et al., "Delving Deep into Rectifiers", 2015, equation 10): the small classifier of small pictures.
    See `_Pixels` for the parameters.
    """

    def __init__(
        self, width: int, size: tuple[int, int], channels: int = 3, augment: str = "light", flip: bool = False
    ) -> None:
        super().__init__(width, size, channels, augment, flip)
        plan = ((channels, 32), (32, 64), (64, 128))
        filters = [nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in plan]
        for conv in filters:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        self.stages = nn.ModuleList(nn.Sequential(conv, nn.ReLU()) for conv in filters)
        self.dropout = nn.Dropout(0.25)
        self.project = nn.Linear(128 * max(1, size[0] // 8) * max(1, size[1] // 8), width)
        self._place(1, 1)

    def tokens(self, x_RCHW: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            x_RCHW = self.dropout(F.max_pool2d(stage(x_RCHW), [min(2, side) for side in x_RCHW.shape[2:]]))
        values: torch.Tensor = self.project(x_RCHW.flatten(1))[:, None]
        return values


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _pooled(x_RCHW: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Means over a grid of parts."""
    if not traced():
        return F.adaptive_avg_pool2d(x_RCHW, grid)
    down_GH, along_GW = (_shares(int(side), parts) for side, parts in zip(x_RCHW.shape[2:], grid, strict=True))
    return down_GH @ x_RCHW @ along_GW.T  # the same; ONNX pools by one size only


def _shares(length: int, parts: int) -> torch.Tensor:
    """What each place adds to the mean of each part (float32 ``parts x length``); parts may overlap by a place."""
    place, part = torch.arange(length), torch.arange(parts)[:, None]
    inside = (place >= part * length // parts) & (place < ((part + 1) * length + parts - 1) // parts)
    return inside / inside.sum(dim=1, keepdim=True)
