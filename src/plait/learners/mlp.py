"""Multilayer perceptrons (Rumelhart et al., 1986): trained by torch, applied by numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count as count_from
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait.classical.options import above_zero, check, count, number
from plait.classical.scale import Scale
from plait.contracts import Array, Features, FitContext, Json, Learner, Progress, State
from plait.data.splits import holdout
from plait.metrics.shifted import shifted_loss

if TYPE_CHECKING:
    import torch

__all__ = ["MLP"]

EPOCHS = 20  # where no rows could be held out
LEVELS = 256  # most frequent levels of a category that are told apart
BATCH = (16, 256)


class MLP(Learner):
    """A few small networks of ReLU layers with dropout (Srivastava et al., 2014), averaged.

    They read columns in normal shape by their quantiles (missing cells at the median), indicators of missing cells and
    levels of categories. The number of epochs is chosen by early stopping on held-out rows; then they are trained on
    all rows, each with a seed of its own, by AdamW (Loshchilov & Hutter, 2019).

    Parameters
    ----------
    hidden
        Width of each hidden layer.
    dropout
        Share of hidden units left out at random in training, 0 to below 1.
    epochs
        Passes over the rows; None chooses their number.
    max_epochs, patience
        Bounds of that choice: no more than `max_epochs`, and `patience` epochs without gain end it.
    learning_rate, weight_decay
        Of AdamW.
    members
        Networks averaged.
    """

    name: ClassVar[str] = "mlp"
    version: ClassVar[int] = 1
    accepts_wide: ClassVar[bool] = False
    accepts_categorical: ClassVar[bool] = True

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (128, 64),
        dropout: float = 0.2,
        epochs: int | None = None,
        max_epochs: int = 60,
        patience: int = 6,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        members: int = 3,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.max_epochs = max_epochs
        self.patience = patience
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.members = members
        widths = isinstance(hidden, list | tuple) and hidden and all(count(width) for width in hidden)
        right = {
            "hidden": (widths, "a list of 1, 2, ..."),
            "dropout": (number(dropout) and dropout < 1, "0 to below 1"),
            "epochs": (epochs is None or count(epochs), "None or 1, 2, ..."),
            "max_epochs": (count(max_epochs), "1, 2, ..."),
            "patience": (count(patience), "1, 2, ..."),
            "learning_rate": (above_zero(learning_rate), "above 0"),
            "weight_decay": (number(weight_decay), "0 or more"),
            "members": (count(members), "1, 2, ..."),
        }
        check(self, right)
        self._inputs = _Inputs()
        self._layers: list[list[tuple[Array, Array]]] = []

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose the number of epochs by early stopping on rows held out."""
        if self.epochs is not None:
            return self
        fit, judge = holdout(context)
        if not context.weight[fit].any() or not context.weight[judge].any():
            self.epochs = EPOCHS
            return self
        inputs = _Inputs().fit(features.take(fit))
        known, unseen = inputs(features.take(fit)), inputs(features.take(judge))
        told = context.take(judge)
        best, self.epochs = np.inf, 1
        for epoch, layers in enumerate(self._train(known, context.take(fit), context.seed), 1):
            loss = shifted_loss(context.task, _apply(layers, unseen), told.targets, told.weight)
            context.report(Progress("mlp, choosing the number of epochs", epoch, self.max_epochs, loss))
            if loss < best:
                best, self.epochs = loss, epoch
            if epoch == self.max_epochs or epoch - self.epochs == self.patience:
                break
        return self

    def fit(self, features: Features, context: FitContext) -> Self:
        self._inputs = _Inputs().fit(features)
        values = self._inputs(features)
        self._layers = []
        for member in range(self.members):
            *_, layers = islice(self._train(values, context, context.seed + member), self.epochs or EPOCHS)
            self._layers.append(layers)
            context.report(Progress("mlp", member + 1, self.members))
        return self

    @property
    def settings(self) -> dict[str, Json]:
        return {} if self.epochs is None else {"epochs": self.epochs}

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        values = self._inputs(features)
        return np.asarray(np.mean([_apply(layers, values) for layers in self._layers], axis=0))

    def state(self) -> State:
        arrays = {
            f"{member}.{depth}.{name}": array
            for member, layers in enumerate(self._layers)
            for depth, layer in enumerate(layers)
            for name, array in zip(("weight", "bias"), layer, strict=True)
        }
        values = {"epochs": self.epochs, "members": len(self._layers), "hidden": list(self.hidden)}
        return State(self.version, values, arrays, parts={"inputs": self._inputs.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        learner = cls(**state.values)
        learner._inputs = _Inputs.from_state(state.parts["inputs"])
        learner._layers = [
            [
                (state.arrays[f"{member}.{depth}.weight"], state.arrays[f"{member}.{depth}.bias"])
                for depth in range(len(learner.hidden) + 1)
            ]
            for member in range(learner.members)
        ]
        return learner

    def _train(
        self, values: npt.NDArray[np.float32], context: FitContext, seed: int
    ) -> Iterator[list[tuple[Array, Array]]]:
        """Train for ever; after each epoch, the weights (in x out) and biases of the layers."""
        import torch

        from plait.layers.seeded import reproducible

        counted = np.flatnonzero(context.weight > 0)
        x_BF = torch.from_numpy(values[counted])
        targets = torch.from_numpy(context.targets[counted].astype(np.float32))
        weight = torch.from_numpy(context.weight[counted].astype(np.float32))
        size = int(np.clip(2 ** np.ceil(np.log2(max(len(counted) / 64, 1))), *BATCH))
        rng = np.random.default_rng([seed, 1])
        with reproducible(seed, 1):
            network = self._network(values.shape[1], _prior(context))
        optimiser = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        network.train()
        for epoch in count_from(1):
            with reproducible(seed + epoch, 1):
                for rows in np.split(rng.permutation(len(counted)), np.arange(size, len(counted), size)):
                    chosen = torch.from_numpy(rows)
                    loss = _loss(context.task, network(x_BF[chosen]), targets[chosen], weight[chosen])
                    optimiser.zero_grad()
                    torch.autograd.backward(loss)
                    optimiser.step()
            yield [
                (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
                for layer in network
                if isinstance(layer, torch.nn.Linear)
            ]

    def _network(self, inputs: int, prior: npt.NDArray[np.float64]) -> torch.nn.Sequential:
        from torch import nn

        from plait.layers.readout import PooledLinear

        layers: list[nn.Module] = []
        for width in self.hidden:
            layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(self.dropout)]
            inputs = width
        return nn.Sequential(*layers, PooledLinear(inputs, prior).linear)


def _prior(context: FitContext) -> npt.NDArray[np.float64]:
    """Scores of a row of which nothing is known."""
    total = context.weight.sum()
    if context.task == "regression":
        return np.array([context.weight @ context.targets / total])
    counts = np.bincount(context.targets.astype(np.int64), context.weight, max(context.outputs, 2)) + 0.01
    return np.log(counts / total) if context.task == "multiclass" else np.log(counts[1:] / counts[:1])


def _loss(task: str, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional as F

    if task == "multiclass":
        losses = F.cross_entropy(scores, targets.long(), reduction="none")
    elif task == "binary":
        losses = F.binary_cross_entropy_with_logits(scores[:, 0], targets, reduction="none")
    else:
        losses = (scores[:, 0] - targets) ** 2
    return (weight * losses).mean()


def _apply(layers: Sequence[tuple[Array, Array]], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Scores of one network: float64 ``N x K``."""
    hidden = values.astype(np.float64)
    *before, last = layers
    for weight, bias in before:
        hidden = np.maximum(hidden @ weight + bias, 0.0)
    return np.asarray(hidden @ last[0] + last[1])


class _Inputs:
    """Numbers scaled, indicators of missing cells, and frequent levels of categories: float32 ``N x P``."""

    def __init__(self) -> None:
        self.scale = Scale(steps=False)
        self.columns = np.zeros(0, np.int64)  # of each level
        self.levels = np.zeros(0, np.float32)

    def fit(self, features: Features) -> Self:
        self.scale.fit(features, ~features.categorical)
        columns, levels = [], []
        for column in np.flatnonzero(features.categorical):
            codes, counts = np.unique(features.values[features.present[:, column], column], return_counts=True)
            kept = np.sort(np.argsort(-counts, kind="stable")[:LEVELS])
            columns.append(np.full(len(kept), column))
            levels.append(codes[kept])
        self.columns = np.concatenate([self.columns, *columns])
        self.levels = np.concatenate([self.levels, *levels])
        return self

    def __call__(self, features: Features) -> npt.NDArray[np.float32]:
        levels = features.values[:, self.columns] == self.levels
        return np.concatenate([self.scale.dense(features).astype(np.float32), levels.astype(np.float32)], axis=1)

    def state(self) -> State:
        arrays: dict[str, Any] = {"columns": self.columns, "levels": self.levels}
        return State(1, arrays=arrays, parts={"scale": self.scale.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        inputs = cls()
        inputs.scale = Scale.from_state(state.parts["scale"])
        inputs.columns, inputs.levels = state.arrays["columns"], state.arrays["levels"]
        return inputs
