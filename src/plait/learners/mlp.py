"""Multilayer perceptrons (Rumelhart et al., 1986): trained by torch, applied by numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count as count_from
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.classical.options import above_zero, check, count, number
from plait.classical.scale import Scale
from plait.classical.shares import owners
from plait.contracts import (
    Array,
    Between,
    Features,
    FeatureShares,
    FitContext,
    Json,
    Learner,
    OneOf,
    Progress,
    Space,
    Sparse,
    State,
)
from plait.data.splits import holdout
from plait.metrics.shifted import shifted_loss

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["MLP"]

_Weights: TypeAlias = dict[str, Array]  # a network's parameters by their names in torch, and "embedding"

EPOCHS = 20  # where no rows could be held out
COLUMNS = 30_000  # of the wide form: those that stand in most rows
SPREAD = 0.1  # standard deviation of embeddings at the start
BATCH = (16, 128)
STEPS = 128  # on the way from nothing to a row, at which gradients of several hidden layers are taken
CELLS = 1 << 16  # of the wide form, looked at at once
METHOD = "integrated gradients; base: numbers at their median, no level, no word"


class MLP(Learner):
    """A few small networks of ReLU layers with dropout (Srivastava et al., 2014), averaged.

    They read columns in normal shape by their quantiles (missing cells at the median), indicators of missing cells, and
    the wide form: a column of it is an embedding, and a row adds the weighted sum of its own to the first layer, as in
    Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017. The number of epochs is chosen by early
    stopping on held-out rows; then they are trained on all rows, each with a seed of its own, by AdamW (Loshchilov &
    Hutter, 2019), embeddings by Adam without decay.

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
        Of the optimiser.
    members
        Networks averaged.
    """

    name: ClassVar[str] = "mlp"
    version: ClassVar[int] = 1
    accepts_wide: ClassVar[bool] = True
    accepts_categorical: ClassVar[bool] = False
    space: ClassVar[Space] = {
        "hidden": OneOf(([64], [128], [256], [128, 64])),
        "dropout": Between(0.0, 0.6),
        "learning_rate": Between(0.0003, 0.01, log=True),
        "weight_decay": Between(0.0001, 0.1, log=True),
    }

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (128,),
        dropout: float = 0.3,
        epochs: int | None = None,
        max_epochs: int = 60,
        patience: int = 6,
        learning_rate: float = 3e-3,
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
        self._networks: list[_Weights] = []

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose the number of epochs by early stopping on rows held out."""
        if self.epochs is not None:
            return self
        fit, judge = holdout(context)
        if not context.weight[fit].any() or not context.weight[judge].any():
            self.epochs = EPOCHS
            return self
        inputs = _Inputs().fit(features.take(fit))
        unseen, told = inputs(features.take(judge)), context.take(judge)
        best, self.epochs = np.inf, 1
        for epoch, weights in enumerate(self._train(inputs(features.take(fit)), context.take(fit), context.seed), 1):
            loss = shifted_loss(context.task, _apply(weights, unseen), told.targets, told.weight)
            context.report(Progress("mlp, choosing the number of epochs", epoch, self.max_epochs, loss))
            if loss < best:
                best, self.epochs = loss, epoch
            if epoch == self.max_epochs or epoch - self.epochs == self.patience:
                break
        return self

    def fit(self, features: Features, context: FitContext) -> Self:
        self._inputs = _Inputs().fit(features)
        rows = self._inputs(features)
        self._networks = []
        for member in range(self.members):
            *_, weights = islice(self._train(rows, context, context.seed + member), self.epochs or EPOCHS)
            self._networks.append(weights)
            context.report(Progress("mlp", member + 1, self.members))
        return self

    @property
    def settings(self) -> dict[str, Json]:
        return {} if self.epochs is None else {"epochs": self.epochs}

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        rows = self._inputs(features)
        return np.asarray(np.mean([_apply(weights, rows) for weights in self._networks], axis=0))

    def contributions(self, features: Features, output: npt.NDArray[np.int64]) -> FeatureShares:
        """Integrated gradients (Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017, equation 1)."""
        rows = self._inputs(features)
        told = [_shares(weights, rows, output) for weights in self._networks]
        base, dense, terms = (np.asarray(np.mean(part, axis=0)) for part in zip(*told, strict=True))
        dense = self._inputs.scale.by_feature(dense[:, : self._inputs.scale.width], features.values.shape[1])
        wide = None
        if features.wide is not None:
            wide = np.zeros(len(features.wide.data))
            wide[np.isin(features.wide.indices, self._inputs.columns)] = terms
        return FeatureShares(base, dense, wide, METHOD)

    def state(self) -> State:
        values = {"epochs": self.epochs, "members": self.members, "hidden": list(self.hidden)}
        parts = {str(member): State(1, arrays=weights) for member, weights in enumerate(self._networks)}
        return State(self.version, values, parts={"inputs": self._inputs.state(), **parts})

    @classmethod
    def from_state(cls, state: State) -> Self:
        learner = cls(**state.values)
        learner._inputs = _Inputs.from_state(state.parts["inputs"])
        learner._networks = [dict(state.parts[str(member)].arrays) for member in range(learner.members)]
        return learner

    def _train(self, rows: _Rows, context: FitContext, seed: int) -> Iterator[_Weights]:
        """Train for ever; the weights after each epoch."""
        import torch
        from torch import nn

        from plait.layers.seeded import reproducible

        counted = np.flatnonzero(context.weight > 0)
        targets = torch.from_numpy(context.targets.astype(np.float32))
        weight = torch.from_numpy(context.weight.astype(np.float32))
        size = int(np.clip(2 ** np.ceil(np.log2(max(len(counted) / 64, 1))), *BATCH))
        rng = np.random.default_rng([seed, 1])
        with reproducible(seed, 1):
            embedding = nn.EmbeddingBag(rows.wide.width, self.hidden[0], mode="sum", sparse=True)
            nn.init.normal_(embedding.weight, std=SPREAD)
            layers = self._layers(rows.dense.shape[1], _prior(context))
        optimisers = [
            torch.optim.AdamW(layers.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay),
            *([torch.optim.SparseAdam(embedding.parameters(), lr=self.learning_rate)] if rows.wide.width else []),
        ]
        for epoch in count_from(1):
            with reproducible(seed + epoch, 1):
                for chosen in np.split(rng.permutation(counted), np.arange(size, len(counted), size)):
                    wide = rows.wide.take(chosen)
                    first_BH = layers[0](torch.from_numpy(rows.dense[chosen])) + embedding(
                        torch.from_numpy(wide.indices.astype(np.int64)),
                        torch.from_numpy(wide.indptr[:-1]),
                        per_sample_weights=torch.from_numpy(wide.data),
                    )
                    loss = _loss(context.task, layers[1:](first_BH), targets[chosen], weight[chosen])
                    for optimiser in optimisers:
                        optimiser.zero_grad()
                    torch.autograd.backward(loss)
                    for optimiser in optimisers:
                        optimiser.step()
            yield {
                name: array.detach().numpy().copy()
                for name, array in [("embedding", embedding.weight), *layers.named_parameters()]
            }

    def _layers(self, inputs: int, prior: npt.NDArray[np.float64]) -> nn.Sequential:
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


def _apply(weights: _Weights, rows: _Rows) -> npt.NDArray[np.float64]:
    """Scores of one network: float64 ``N x K``."""
    first, *later = sorted((name for name in weights if name.endswith(".weight")), key=lambda name: int(name[:-7]))
    hidden = rows.dense @ weights[first].T.astype(np.float64) + weights[first.replace("weight", "bias")]
    hidden += rows.wide.dot(weights["embedding"])
    for name in later:
        hidden = np.maximum(hidden, 0.0) @ weights[name].T + weights[name.replace("weight", "bias")]
    return np.asarray(hidden)


def _shares(weights: _Weights, rows: _Rows, output: npt.NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Of one network: the base (``N``), and what dense inputs (``N x P``) and cells of the wide form add.

    On the way from nothing to a row the first layer moves along a line, so the mean gradient at its units is all it
    takes.
    """
    first, *later = sorted((name for name in weights if name.endswith(".weight")), key=lambda name: int(name[:-7]))
    layers = [(weights[name], weights[name.replace("weight", "bias")]) for name in later]
    start = weights[first.replace("weight", "bias")].astype(np.float64)
    way = rows.dense @ weights[first].T.astype(np.float64) + rows.wide.dot(weights["embedding"])
    gradient = _mean_gradient(layers, start, way, output)
    owner, terms = owners(rows.wide), np.zeros(len(rows.wide.data))
    for begin in range(0, len(terms), CELLS):
        some = slice(begin, begin + CELLS)
        moved = weights["embedding"][rows.wide.indices[some]]
        terms[some] = rows.wide.data[some] * np.einsum("ch,ch->c", moved, gradient[owner[some]])
    hidden = start[None]
    for weight, bias in layers:
        hidden = np.maximum(hidden, 0.0) @ weight.T + bias
    return hidden[0][output], rows.dense * (gradient @ weights[first]), terms


def _mean_gradient(
    layers: Sequence[tuple[Array, Array]], start: Array, way: Array, output: npt.NDArray[np.int64]
) -> Array:
    """Gradient of the chosen scores at the units of the first layer, over the way from `start`: ``N x H``."""
    if len(layers) > 1:
        steps = (np.arange(STEPS) + 0.5) / STEPS
        return np.asarray(sum(_gradient(layers, start + step * way, output) for step in steps) / STEPS)
    gain = np.maximum(start + way, 0.0) - np.maximum(start, 0.0)  # with one layer the integral is known
    active = np.divide(gain, way, out=np.broadcast_to(start > 0, way.shape).astype(np.float64), where=way != 0)
    return np.asarray(layers[0][0][output] * active)


def _gradient(layers: Sequence[tuple[Array, Array]], hidden: Array, output: npt.NDArray[np.int64]) -> Array:
    """Gradient of the chosen scores at the units of the first layer: ``N x H``."""
    active = []
    for weight, bias in layers:
        active.append(hidden > 0)
        hidden = np.maximum(hidden, 0.0) @ weight.T + bias
    gradient = layers[-1][0][output] * active[-1]
    for (weight, _), on in zip(layers[-2::-1], active[-2::-1], strict=True):
        gradient = gradient @ weight * on
    return np.asarray(gradient)


class _Rows(NamedTuple):
    """What the networks read: float32 ``N x P``, and the columns of the wide form that they know."""

    dense: npt.NDArray[np.float32]
    wide: Sparse


class _Inputs:
    """Numbers scaled, indicators of missing cells, and the columns of the wide form that stand in most rows."""

    def __init__(self) -> None:
        self.scale = Scale(steps=False)
        self.columns = np.zeros(0, np.int64)

    def fit(self, features: Features) -> Self:
        self.scale.fit(features)
        if features.wide is not None:
            counts = np.bincount(features.wide.indices, minlength=features.wide.width)
            chosen = np.argsort(-counts, kind="stable")[:COLUMNS]
            self.columns = np.sort(chosen[counts[chosen] > 0])
        return self

    def __call__(self, features: Features) -> _Rows:
        dense = self.scale.dense(features).astype(np.float32)
        if not self.scale.width:  # the first layer has one input at least
            dense = np.zeros((len(features), 1), np.float32)
        empty = np.zeros(len(features) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
        wide = Sparse(*empty, len(self.columns)) if features.wide is None else features.wide.columns(self.columns)
        return _Rows(dense, wide)

    def state(self) -> State:
        return State(1, arrays={"columns": self.columns}, parts={"scale": self.scale.state()})

    @classmethod
    def from_state(cls, state: State) -> Self:
        inputs = cls()
        inputs.scale, inputs.columns = Scale.from_state(state.parts["scale"]), state.arrays["columns"]
        return inputs
