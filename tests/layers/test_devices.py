"""Networks compute where their weights are: nothing they make by themselves lies on the processor.

There need be no other device: tensors that only say they were elsewhere are told apart from those that are not.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from plait import registry
from plait.contracts import FitContext, Source
from plait.layers.seeded import reproducible
from plait.network import build
from plait.pretraining.pretext import Pretext
from plait.pretraining.settings import Pretraining
from plait.pretraining.views import Views

ELSEWHERE = torch.device("meta")
TAKES_BOTH = ("aten.index.Tensor", "aten.index_put.default", "aten.index_put_.default", "aten.copy_.default")


class There(torch.Tensor):
    """A tensor that says it was on another device; its numbers are `held` on the processor."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> There:
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), held.stride(), held.storage_offset(), dtype=held.dtype, device=ELSEWHERE
        )
        made.held = held
        return made

    def __init__(self, held: torch.Tensor) -> None:
        pass

    @classmethod
    def __torch_dispatch__(cls, call: Any, types: Any, given: tuple[Any, ...] = (), named: Any = None) -> Any:
        return computed(call, given, named or {})


class Elsewhere(TorchDispatchMode):
    """While it is on, tensors that are made there are there."""

    def __torch_dispatch__(self, call: Any, types: Any, given: tuple[Any, ...] = (), named: Any = None) -> Any:
        return computed(call, given, named or {})


def computed(call: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Compute on what is held. The result is elsewhere where the arguments are, or where that was asked.

    Raises
    ------
    RuntimeError
        As a GPU does, where only some arguments are there.
    """
    found: list[torch.Tensor] = []
    tree_map(lambda each: found.append(each) if isinstance(each, torch.Tensor) else None, (given, named))
    there = [each for each in found if isinstance(each, There)]
    here = [each for each in found if not isinstance(each, There) and each.dim()]
    moves = str(call) == "aten._to_copy.default"
    if there and here and str(call) not in TAKES_BOTH:
        raise RuntimeError(f"{call}: expected all tensors to be on the same device")
    asked = named.get("device")
    goes = bool(there) if asked is None else torch.device(asked).type == ELSEWHERE.type
    if there and not goes and not moves:
        raise RuntimeError(f"{call}: makes {asked} of what is elsewhere")
    if asked is not None:
        named = {**named, "device": torch.device("cpu")}
    known = {id(each.held): each for each in there}
    result = call(*tree_map(held, given), **tree_map(held, named))
    if torch.Tag.inplace_view in call.tags:  # what says that it is there has another shape, too
        with no_dispatch():
            call(*given, **named)
    if not goes:
        return result
    return tree_map(lambda each: known.get(id(each), There(each)) if isinstance(each, torch.Tensor) else each, result)


def held(each: Any) -> Any:
    return each.held if isinstance(each, There) else each


def moved(module: nn.Module) -> None:
    """Every weight and buffer of a module goes there."""
    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                part._parameters[name] = nn.Parameter(There(weight.data), weight.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = There(buffer)


def told(place: str, encoder: str = "auto", fusion: str = "attention", *, far: bool) -> tuple[float, float]:
    """The loss of a step in which hidden cells of a room are told, and the size of its gradients."""
    kind = registry.get("modalities", place)
    columns = kind.example(np.random.default_rng(0), 12)
    chosen = {"encoder": encoder}
    options = {} if encoder == "auto" else {columns[0].name: chosen} if kind.joint else chosen
    source = Source("it", place, tuple(column.name for column in columns), options)
    room = kind(source).fit([columns], FitContext.unlabelled(12))
    inputs = {"it": room.inputs(room.transform(columns))}
    body = registry.make("fusions", fusion, {"width": 8}).body
    with reproducible(0, 1), Elsewhere() if far else nullcontext():
        network = build({"it": room}, Views(1, 8), body, 8)
        objective = Pretext(network, Pretraining())
        if far:
            moved(nn.ModuleList([network, objective]))
        weight = torch.ones(12, device=network.source.device)
        loss = objective(network, network.collate(inputs), weight, weight)
        loss.backward()
        slopes = [weight.grad.square().sum().item() for weight in network.parameters() if weight.grad is not None]
    return loss.item(), sum(slopes)


@pytest.mark.parametrize(
    ("place", "encoder"),
    [
        *((place, "auto") for place in registry.names("modalities")),
        ("audio", "mel_conv"),
        ("events", "record_states"),
        ("image", "pixel_conv3"),
        ("image", "pixel_patches"),
        ("image", "pixel_rows"),
        ("mesh", "pointnet"),
        ("series", "conv"),
        ("series", "gru"),
        ("series", "lstm"),
        ("series", "rnn"),
        ("table", "conv_columns"),
        ("text", "gru"),
        ("text", "lstm"),
        ("text", "words"),
        ("video", "film_attention"),
    ],
)
def test_every_encoder_computes_where_its_weights_are(place: str, encoder: str) -> None:
    assert told(place, encoder, far=True) == pytest.approx(told(place, encoder, far=False), rel=1e-3)


@pytest.mark.parametrize("fusion", ["bottleneck", "parallel", "sequence"])
def test_every_body_computes_where_its_weights_are(fusion: str) -> None:
    assert told("table", fusion=fusion, far=True) == pytest.approx(told("table", fusion=fusion, far=False), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("binary", [0, 1]),
        ("multiclass", ["a", "b", "c"]),
        ("multilabel", [["a"], ["a", "b"], []]),
        ("ordinal", [1, 2, 3]),
        ("ranking", [0.0, 1.0, 2.0]),
        ("regression", [1.5, 2.5, 4.0]),
    ],
)
def test_every_loss_is_where_its_scores_are(name: str, labels: list[Any]) -> None:
    targets = np.empty(12, object)
    targets[:] = [labels[i % len(labels)] for i in range(12)]
    head = registry.make("heads", "several", {"asked": {"it": name}}).fit(targets[:, None], np.ones(12))
    scores = torch.randn(12, head.outputs)
    encoded = torch.from_numpy(head.encode(targets[:, None]).astype(np.float32))
    near = head.loss(scores, encoded, torch.ones(12))
    with Elsewhere():
        far = head.loss(There(scores), There(encoded), There(torch.ones(12)))
    assert far.item() == pytest.approx(near.item())


def test_what_is_made_in_another_place_is_told() -> None:
    with Elsewhere(), pytest.raises(RuntimeError, match="same device"):
        There(torch.ones(3)) + torch.ones(3)
