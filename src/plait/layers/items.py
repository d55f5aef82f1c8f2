"""Lists of items to tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import nn

from plait.contracts import Batch, Encoder, Tokens
from plait.errors import PlaitError
from plait.layers.forms import Form, Items, picked
from plait.layers.pooling import AttentionPooling
from plait.layers.reading import Reading, traced

__all__ = ["ItemTokens"]

TOKENS = 32  # a row


class ItemTokens(Reading):
    """A token an item: the item's own tokens pooled by attention, after the sentence level of hierarchical attention
    networks (Yang et al., 2016, section 2.2), with where the item stands counted from the most recent one, and how old
    it is (``W [a; 1]`` of its age ``a``, where items are timed).

    Where there may be more than 32 items, neighbours are pooled by attention again, so that 32 tokens remain.

    Parameters
    ----------
    encoder
        From the items' inputs to their tokens, of width ``D``.
    width
        ``D``.
    max_items
        The most recent items kept.
    timed
        Whether the inputs hold ages.
    """

    def __init__(self, encoder: nn.Module, width: int, max_items: int, timed: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.max_items = max_items
        self.each = -(-max_items // TOKENS)  # items a token
        self.pool = AttentionPooling(width)
        self.regroup = AttentionPooling(width) if self.each > 1 else None
        self.age = nn.Linear(1, width) if timed else None
        self.position = nn.Parameter(torch.randn(-(-max_items // self.each), width) * width**-0.5)

    @property
    def form(self) -> Form:
        """The items' own form, many to a row.

        Raises
        ------
        PlaitError
            If the items' encoder names none.
        """
        if not isinstance(self.encoder, Reading):
            raise PlaitError(
                f"{type(self.encoder).__name__} has no form of its own, so what it reads cannot be exported"
            )
        return Items(self.encoder.form.to_json(), self.max_items, self.age is not None)

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        if isinstance(self.encoder, Reading):
            return super().collate(inputs)
        arrays, items = picked(inputs, self.max_items, self.age is not None)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return tensors | {f"item {name}": value for name, value in self._inner.collate(items).items()}

    @property
    def _inner(self) -> Encoder:
        return cast("Encoder", self.encoder)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        prefix = "item "
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        tokens = self._inner(own)
        vectors_ID = self.pool(tokens.values_BTD, tokens.mask_BT)
        if self.age is not None:
            vectors_ID = vectors_ID + self.age(tensors["age"][:, None])
        row, place, there = tensors["row"], tensors["place"], tensors["there"]
        rows, width = tensors["present"].shape[0], vectors_ID.shape[1]
        slots = self.position.shape[0]  # an exported graph has no shape that hangs on what cells hold
        if not traced():
            slots = int(place.max()) // self.each + 1 if len(place) else 1
        values_BSD = vectors_ID.new_zeros(rows, slots * self.each, width)
        mask_BS = there.new_zeros(rows, slots * self.each)
        values_BSD = values_BSD.index_put((row, place), vectors_ID)
        mask_BS = mask_BS.index_put((row, place), there)
        if self.regroup is not None:
            grouped_GED = values_BSD.view(rows * slots, self.each, width)
            mask_GE = mask_BS.view(rows * slots, self.each)
            values_BSD = self.regroup(grouped_GED, mask_GE).view(rows, slots, width)
            mask_BS = mask_GE.any(dim=1).view(rows, slots)
        return Tokens(values_BSD + self.position[:slots], mask_BS)
