"""Words, pixels, waves or steps through a pretrained encoder: vectors of a frozen one, tokens of one that learns on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as f

from plait.contracts import Array, Batch, Items, Ragged, Tokens
from plait.errors import ConfigError, MissingExtraError
from plait.layers.checkpoint import Checkpoint
from plait.layers.padding import dense, pad, ragged

__all__ = ["Body", "PretrainedTokens", "check", "embed", "prepare"]

TOKENS = 8  # tokens a cell has at most
SHARE = 0.05  # of the learning rate, for weights that were learned before
MEAN = STD = (0.5, 0.5, 0.5)  # where preprocessor_config.json does not say


class Body(nn.Module):
    """A pretrained model behind one face: prepared arrays in, hidden states and their mask out.

    Parameters
    ----------
    checkpoint
        Says how the model is built and what it reads.
    form
        Of `plait.contracts.Items`.
    model
        The model, with its weights or without.

    Raises
    ------
    ConfigError
        If the model does not read this form.
    """

    learning_share = SHARE

    def __init__(self, checkpoint: Checkpoint, form: str, model: nn.Module) -> None:
        super().__init__()
        check(checkpoint, form)
        self.form = form
        self.model = model
        self.config: Any = checkpoint.config
        self.width = int(getattr(self.config, "hidden_size", 0) or getattr(self.config, "d_model", 0))
        said = checkpoint.preprocessing
        self.mean = tuple(said.get("image_mean") or MEAN)
        self.std = tuple(said.get("image_std") or STD)

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Prepared arrays (see `prepare`) of one mini-batch as padded tensors."""
        tensors = {"present": torch.from_numpy(np.asarray(inputs.present, bool))}
        if self.form == "pixels":
            return tensors | {"pixels": torch.tensor(dense(inputs, "pixels"))}
        rows = ragged(inputs, self.form)
        limit = int(rows.lengths.max(initial=1))
        if self.form == "steps":
            limit = int(self.config.context_length)
            values, there = pad(rows, inputs.present, limit, limit, recent=True)
        else:
            values, there = pad(rows, inputs.present, limit)
        return tensors | {self.form: torch.from_numpy(values), "there": torch.from_numpy(there)}

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states ``B x T x H`` and which of them are there."""
        hidden, mask = getattr(self, f"_{self.form}")(tensors)
        return hidden, mask & tensors["present"][:, None]

    def _words(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        there = tensors["there"]
        padding = self.config.pad_token_id or 0
        ids = torch.where(there, tensors["words"].long(), padding)
        # A row of nothing attends to one position, whose output is masked: softmax over nothing is not a number.
        seen = there | (torch.arange(there.shape[1], device=there.device) == 0)
        return self.model(input_ids=ids, attention_mask=seen.long()).last_hidden_state, there

    def _pixels(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        size = self.config.image_size
        wanted = (size, size) if isinstance(size, int) else tuple(size)
        x = tensors["pixels"].permute(0, 3, 1, 2).float() / 255.0
        if tuple(x.shape[2:]) != wanted:
            x = f.interpolate(x, wanted, mode="bilinear", antialias=True, align_corners=False)
        x = (x - x.new_tensor(self.mean)[:, None, None]) / x.new_tensor(self.std)[:, None, None]
        hidden = self.model(pixel_values=x).last_hidden_state
        hidden = hidden.flatten(2).transpose(1, 2) if hidden.ndim == 4 else hidden
        return hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)

    def _waves(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        there = tensors["there"]
        count = there.sum(dim=1, keepdim=True).clamp(min=1)
        x = tensors["waves"].float() * there
        x = (x - x.sum(dim=1, keepdim=True) / count) * there
        x = x / (x.square().sum(dim=1, keepdim=True) / count + 1e-7).sqrt()
        lengths = count[:, 0]
        field = 1
        for kernel, stride in zip(reversed(self.config.conv_kernel), reversed(self.config.conv_stride), strict=True):
            field = (field - 1) * stride + kernel
        x = f.pad(x, (0, max(0, field - x.shape[1])))
        layered = getattr(self.config, "feat_extract_norm", "group") == "layer"
        options = {"attention_mask": there.long()} if layered and x.shape == there.shape else {}
        hidden = self.model(x, **options).last_hidden_state
        for kernel, stride in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            lengths = (lengths - kernel) // stride + 1
        return hidden, torch.arange(hidden.shape[1], device=hidden.device) < lengths.clamp(min=1)[:, None]

    def _steps(self, tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        x = tensors["steps"].float()
        if x.shape[2] != self.config.num_input_channels:
            raise ConfigError(
                f"the pretrained encoder reads {self.config.num_input_channels} channels, the column has {x.shape[2]}; "
                "name as many with the option channels"
            )
        seen = tensors["there"][:, :, None] & ~torch.isnan(x)
        hidden = self.model(past_values=torch.nan_to_num(x), past_observed_mask=seen).last_hidden_state
        hidden = hidden.flatten(1, 2) if hidden.ndim == 4 else hidden
        return hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)


def check(checkpoint: Checkpoint, form: str) -> None:
    """Look whether a model reads a form, by what its configuration knows of.

    Raises
    ------
    ConfigError
        If it does not.
    """
    config = checkpoint.config
    known = {
        "words": hasattr(config, "vocab_size") and not hasattr(config, "conv_kernel"),
        "pixels": hasattr(config, "image_size") and hasattr(config, "patch_size"),
        "waves": hasattr(config, "conv_kernel") and hasattr(config, "conv_stride"),
        "steps": hasattr(config, "context_length") and hasattr(config, "num_input_channels"),
    }
    if not known[form]:
        reads = ", ".join(name for name, holds in known.items() if holds) or "none of words, pixels, waves and steps"
        raise ConfigError(f"a pretrained {config.model_type!r} does not read {form} (it reads {reads})")


def prepare(checkpoint: Checkpoint, items: Items, present: npt.NDArray[np.bool_], longest: int) -> Batch:
    """The arrays that `Body.collate` reads, made once: token ids of words, all else as it is."""
    values: Array | Ragged
    if isinstance(items.values, list):
        ids = checkpoint.ids([text if seen else "" for text, seen in zip(items.values, present, strict=True)], longest)
        return Batch({"words": ids}, present)
    values = items.values
    if items.form == "waves":
        wanted = checkpoint.preprocessing.get("sampling_rate", 16_000)
        if items.rate != wanted:
            raise ConfigError(
                f"the pretrained encoder reads {wanted} samples a second, not {items.rate}; set rate: {wanted}"
            )
        assert isinstance(values, Ragged)
        scale = 32_768.0 if values.values.dtype.kind == "i" else 1.0
        values = Ragged((values.values / scale).astype(np.float32), values.offsets)
    return Batch({items.form: values}, present)


def embed(body: Body, inputs: Batch, *, first: bool, batch_size: int = 32) -> npt.NDArray[np.float32]:
    """One vector of length 1 a row: the mean of its hidden states, or with `first` the first one. Absent rows are 0.

    Returns
    -------
    float32 ``N x H``; rows of like length go together, so that little is padded.
    """
    out = np.zeros((len(inputs), body.width), np.float32)
    rows = np.flatnonzero(inputs.present)
    lengths = sum(array.lengths[rows] for array in inputs.arrays.values() if isinstance(array, Ragged))
    rows = rows[np.argsort(lengths, kind="stable")] if isinstance(lengths, np.ndarray) else rows
    body.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            some = rows[start : start + batch_size]
            hidden, mask = body(body.collate(inputs.take(some)))
            pooled = hidden[:, 0] if first else _mean(hidden, mask)
            out[some] = f.normalize(pooled, dim=1).numpy()
    return out


def _mean(hidden_BTH: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    inside = mask_BT[..., None].to(hidden_BTH.dtype)
    return (hidden_BTH * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)


class PretrainedTokens(nn.Module):
    """A pretrained encoder that learns on, whole or by low-rank adapters (LoRA: Hu et al., 2021, section 4.1).

    Its hidden states, cut into at most 8 stretches and averaged, are the tokens: ``W mean(h_t) + b``. Weights learned
    before move at a twentieth of the learning rate, adapters at all of it.

    Parameters
    ----------
    width
        ``D``.
    body
        The pretrained model.
    lora
        Rank of the adapters of all linear maps; the weights below them stay as they are. 0: all weights learn.
    """

    def __init__(self, width: int, body: Body, *, lora: int = 0) -> None:
        super().__init__()
        self.body = body
        if lora:
            _add_adapters(body, lora)
        self.project = nn.Linear(body.width, width)

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Read what `prepare` made."""
        return self.body.collate(inputs)

    def forward(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        hidden_BTH, mask_BT = self.body(tensors)
        count = mask_BT.sum(dim=1, keepdim=True)
        # Stretch of every position, so that a row's stretches are of equal length.
        place = mask_BT.cumsum(dim=1) - 1
        stretch = torch.where(mask_BT, place * TOKENS // count.clamp(min=TOKENS), TOKENS)
        chosen_BTU = f.one_hot(stretch, TOKENS + 1)[:, :, :TOKENS].to(hidden_BTH.dtype)
        sums = torch.einsum("bth,btu->buh", hidden_BTH, chosen_BTU)
        size_BU = chosen_BTU.sum(dim=1)
        return Tokens(self.project(sums / size_BU.clamp(min=1)[..., None]), size_BU > 0)


def _add_adapters(body: Body, rank: int) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise MissingExtraError("LoRA needs the extra 'hf': pip install 'plait[hf]'") from None
    linear = sorted({name.split(".")[-1] for name, part in body.model.named_modules() if isinstance(part, nn.Linear)})
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules=linear)
    inject_adapter_in_model(config, body.model)
    body.learning_share = 1.0  # what still learns in it is new
