"""Networks as one ONNX graph, from what encoders read (`plait.layers.forms`) to scores."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

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
EXAMPLES = 12  # rows that a network is traced on, and as many with sources hidden


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
    shown = _shown(how.batches)
    inputs = {name: rooms[name].inputs(shown.sources[name]) for name in rooms}
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


def _shown(batches: Batches) -> Batches:
    """A few rows, first as they are, then with sources hidden: what happens to absent tokens is to be seen."""
    rows = np.arange(2 * EXAMPLES) % min(EXAMPLES, len(batches))
    hidden = np.random.default_rng(0).random((2 * EXAMPLES, len(batches.sources))) < 0.5
    hidden[:EXAMPLES] = False
    return batches.take(rows).mask(~hidden)


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
    uneven = {f"{i}.{name}" for i, source in enumerate(collated) for name in _form(network, source).lengths}
    axes = {name: {axis: f"{name}.{axis}" for axis in range(1 + (name in uneven))} for name in names}
    with TemporaryDirectory(prefix="plait-export-") as folder, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of what tracing makes constant: the comparison that follows tells
        path = Path(folder) / "network.onnx"
        try:
            torch.onnx.export(
                Flat().eval(),
                tensors,
                path,
                input_names=names,
                output_names=[OUTPUT],
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,  # the other exporter refuses sizes that hang on what cells hold
            )
        except (torch.onnx.errors.OnnxExporterError, torch.onnx.errors.UnsupportedOperatorError) as error:
            raise ConfigError(f"the network cannot be exported: {' '.join(str(error).split())[:160]}") from None
        return np.fromfile(path, np.uint8)


def _int8(data: Array) -> Array:
    """The graph with the weights of its matrix products in eight bits, with a scale each."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory(prefix="plait-export-") as folder:
        whole, ready, rounded = (Path(folder) / f"{name}.onnx" for name in ("whole", "ready", "rounded"))
        data.tofile(whole)
        quant_pre_process(
            whole, ready, skip_optimization=True, skip_symbolic_shape=True
        )  # else it is asked for, loudly
        quantize_dynamic(ready, rounded, op_types_to_quantize=["MatMul", "LSTM"], weight_type=QuantType.QInt8)
        return np.fromfile(rounded, np.uint8)
