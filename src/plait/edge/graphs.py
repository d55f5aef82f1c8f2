"""ONNX graphs as the parts of a fitted model that they stand for: boosters, and networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, Head, Modality, State
from plait.errors import ArtifactError, MissingExtraError
from plait.evidence import Fitted, View
from plait.layers.forms import Form, form_of

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["AT_ONCE", "INPUT", "OUTPUT", "Network", "Runner", "Trees"]

AT_ONCE = 256  # rows that a network reads at once: they are padded to the longest among them
ZERO = float(np.float32(1e-35))
INPUT, OUTPUT = "features", "scores"


@dataclass(frozen=True)
class Runner:
    """How graphs are run: with so many threads each."""

    threads: int = 1

    def session(self, data: Array) -> onnxruntime.InferenceSession:
        """A session of a graph kept as uint8.

        Raises
        ------
        MissingExtraError
            If ONNX Runtime is not installed.
        ArtifactError
            If it refuses the graph.
        """
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as raised
        except ImportError:
            raise MissingExtraError("exported models need ONNX Runtime: pip install onnxruntime") from None
        own = (raised.Fail, raised.InvalidArgument, raised.InvalidGraph, raised.InvalidProtobuf, raised.NotImplemented)
        refusals = (*own, raised.RuntimeException, RuntimeError, ValueError)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what it says of an error stands in the error
        try:
            return onnxruntime.InferenceSession(data.tobytes(), options, providers=["CPUExecutionProvider"])
        except refusals as error:
            raise ArtifactError(
                f"ONNX Runtime {onnxruntime.__version__} cannot read the graph: {' '.join(str(error).split())[:200]}"
            ) from None


class Trees:
    """Boosters as one graph, with the one method of LightGBM's that learners call."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def predict(self, values: Array, **how: Any) -> npt.NDArray[np.float64]:
        """What the trees add up to, float64 ``N``, or ``N x K``; how it was asked for stands in the graph.

        Features are compared as float64, as LightGBM does, so that a cell on a threshold falls on the same side; next
        to nothing is nothing (LightGBM, ``kZeroThreshold``).
        """
        cells = values.astype(np.float64)
        cells[np.abs(cells) <= ZERO] = 0.0
        told: npt.NDArray[np.float64] = self._session.run([OUTPUT], {INPUT: cells})[0]
        return told[:, 0] if told.shape[1] == 1 else told


class Network(Fitted):
    """A network as a graph from what its encoders read (`plait.layers.forms`) to scores.

    Parameters
    ----------
    forms
        By source, in the order of the graph's inputs, which are called ``0.numbers``, ``0.present``, ...
    """

    def __init__(
        self,
        rooms: Mapping[str, Modality],
        head: Head,
        session: onnxruntime.InferenceSession,
        forms: Mapping[str, Form],
    ) -> None:
        super().__init__(rooms, head)
        self.session = session
        self.forms = forms
        self._read = {found.name for found in session.get_inputs()}

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        inputs = {name: self.rooms[name].inputs(view.batches.sources[name]) for name in self.forms}
        out = np.empty((len(view), self.head.outputs))
        for start in range(0, len(view), AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, len(view)))
            out[rows] = self._run({name: batch.take(rows) for name, batch in inputs.items()})
        return out

    def _run(self, inputs: Mapping[str, Batch]) -> Array:
        feed = {
            key: array
            for i, (source, form) in enumerate(self.forms.items())
            for name, array in form(inputs[source]).items()
            if (key := f"{i}.{name}") in self._read
        }
        scores: Array = self.session.run([OUTPUT], feed)[0]
        return scores

    def state(self) -> State:
        raise ArtifactError("an exported model is not saved again; export the model that it was made from")

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head, runner: Runner) -> Network:
        """The network again, in rooms that were fitted alike."""
        forms = {str(told["source"]): form_of(told["form"]) for told in state.values["forms"]}
        return cls(rooms, head, runner.session(state.arrays["onnx"]), forms)
