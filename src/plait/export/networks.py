"""Networks as one ONNX graph, from what encoders read (`plait.layers.forms`) to scores."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.contracts import Array, Batch, Batches, Json, State
from plait.edge.graphs import OUTPUT
from plait.errors import ConfigError, PlaitError
from plait.layers.forms import Form
from plait.layers.reading import Reading

if TYPE_CHECKING:
    import torch

    from plait.network import Network
    from plait.training.neural import FittedNetwork

__all__ = ["Tracing", "as_network", "refused"]

OPSET = 18


@dataclass(frozen=True)
class Tracing:
    """How networks become graphs: example rows, every source of them present in some, and whether weights are int8."""

    batches: Batches
    int8: bool = False


def as_network(fitted: FittedNetwork, how: Tracing) -> State:
    """The state of a network that `plait.edge.graphs.Network` reads.

    Raises
    ------
    PlaitError
        If an encoder cannot be exported (`refused` tells which).
    """
    rooms, network = fitted.rooms, fitted.network
    forms: list[Json] = [{"source": name, "form": _form(network, name).to_json()} for name in rooms]
    inputs = {name: rooms[name].inputs(how.batches.sources[name]) for name in rooms}
    data = _traced(fitted.network, inputs)
    return State(1, {"kind": "network", "forms": forms}, {"onnx": _int8(data) if how.int8 else data})


def refused(fitted: FittedNetwork) -> Iterator[str]:
    """What of a network cannot be exported, a line each."""
    for source in fitted.rooms:
        try:
            _form(fitted.network, source)
        except PlaitError as error:
            yield f"source {source!r}: {error}"


def _form(network: Network, source: str) -> Form:
    encoder = network.encoder(source)
    if not isinstance(encoder, Reading):
        raise ConfigError(f"the encoder {type(encoder).__name__} says nothing of what it reads; use a registered one")
    return encoder.form


def _traced(network: Network, inputs: Mapping[str, Batch]) -> Array:
    import torch

    class Flat(torch.nn.Module):
        """The network with its inputs side by side, as ONNX has them."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            given = iter(tensors)
            nested = {source: {name: next(given) for name in own} for source, own in collated.items()}
            scores: torch.Tensor = self.network(nested)
            return scores

    collated = network.collate(inputs)
    names = [f"{i}.{name}" for i, own in enumerate(collated.values()) for name in own]
    tensors = tuple(tensor for own in collated.values() for tensor in own.values())
    axes: dict[str, Any] = {
        name: {axis: f"{name}.{axis}" for axis in range(tensor.dim())}
        for name, tensor in zip(names, tensors, strict=True)
    }
    out = BytesIO()
    flat = Flat().eval()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            flat,
            tensors,
            out,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return np.frombuffer(out.getvalue(), np.uint8)


def _int8(data: Array) -> Array:
    return data
