"""Intermediate fusion: tokens of all sources attend to each other in one Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from plait.contracts import Batch, Batches, Head, Json, Modality, State
from plait.data.splits import holdout
from plait.errors import ArtifactError, ConfigError
from plait.evidence import Evidence, Fitted, View

if TYPE_CHECKING:
    from plait.network import Network

__all__ = ["Attention", "FittedAttention"]


class Attention:
    """One small Transformer over the tokens of every source, trained with sources masked at random.

    A tenth of the rows (the latest, where time is known) is kept from training and tells which epoch was best; its
    weights are the model. With `refit` a second network is trained on all rows for as many epochs.

    Parameters
    ----------
    width, layers, heads
        Of the body; `width` is a multiple of `heads`.
    dropout
        In the body, 0 to below 1.
    epochs, batch_size
        ``"auto"``: by the number of rows (`plait.training.loop.TrainConfig.sized`).
    learning_rate
        Its peak.
    masking
        Chance that a source of a row is hidden in an epoch, 0 to below 1.
    holdout
        Share of the rows kept for early stopping; 0 trains all epochs on all rows.
    refit
        Train again on all rows.
    deadline
        Seconds after which no further epoch begins, or None.

    Raises
    ------
    ConfigError
        If an option is out of range.
    """

    name: ClassVar[str] = "attention"

    def __init__(
        self,
        *,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        epochs: int | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 1e-3,
        masking: float = 0.15,
        holdout: float = 0.1,
        refit: bool = False,
        deadline: float | None = None,
    ) -> None:
        self.width = width
        self.layers = layers
        self.heads = heads
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.masking = masking
        self.holdout = holdout
        self.refit = refit
        self.deadline = deadline
        self._check()

    def doors(self, rows: int, sources: int) -> frozenset[str]:
        """What is asked of the rooms."""
        return frozenset({"tokens"})

    def fit(self, evidence: Evidence) -> FittedAttention:
        """Train on the evidence.

        Raises
        ------
        PlaitError
            If the loss stops being finite.
        """
        from plait.network import build
        from plait.training.loop import Judge, TrainConfig, reproducible, train

        context, head, rooms = evidence.context, evidence.head, evidence.rooms
        config = TrainConfig(
            epochs=None if self.epochs == "auto" else self.epochs,
            batch_size=None if self.batch_size == "auto" else self.batch_size,
            learning_rate=self.learning_rate,
            masking=self.masking,
            deadline=self.deadline,
        )
        body: dict[str, Any] = {
            "width": self.width,
            "layers": self.layers,
            "heads": self.heads,
            "dropout": self.dropout,
        }
        inputs = _inputs(rooms, evidence.batches)
        everything = np.arange(len(context))
        fit_rows, judge_rows = holdout(context, self.holdout) if self.holdout else (everything, everything[:0])
        judge = None
        if len(judge_rows) and len(fit_rows):
            judge = Judge(_take(inputs, judge_rows), context.targets[judge_rows], context.weight[judge_rows])
        else:
            fit_rows = everything
        with reproducible(context.seed, context.threads):
            network = build(rooms, head, **body)
            history = train(network, _take(inputs, fit_rows), head, context.take(fit_rows), judge, config)
            if self.refit and judge is not None:
                network = build(rooms, head, **body)
                train(network, inputs, head, context, None, replace(config, epochs=history.best_epoch))
        return FittedAttention(rooms, head, network, body, asdict(history))

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> FittedAttention:
        """The fitted fusion again, in rooms that were fitted alike.

        Raises
        ------
        ArtifactError
            If the weights do not fit the rooms.
        """
        import torch

        from plait.network import build
        from plait.training.loop import reproducible

        body = dict(state.values["body"])
        with reproducible(0, torch.get_num_threads()):
            network = build(rooms, head, **body)
        weights = {name: torch.from_numpy(np.array(value)) for name, value in state.arrays.items()}
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            cause = " ".join(str(error).split())[:160]
            raise ArtifactError(f"the saved network does not fit the saved rooms: {cause}") from None
        network.eval()
        return FittedAttention(rooms, head, network, body, dict(state.values["history"]))

    def _check(self) -> None:
        ranges: dict[str, tuple[Any, bool, str]] = {
            "heads": (self.heads, self.heads >= 1, "at least 1"),
            "width": (
                self.width,
                self.width >= 1 and self.width % self.heads == 0,
                f"a multiple of heads={self.heads}",
            ),
            "layers": (self.layers, self.layers >= 1, "at least 1"),
            "dropout": (self.dropout, 0 <= self.dropout < 1, "0 to below 1"),
            "masking": (self.masking, 0 <= self.masking < 1, "0 to below 1"),
            "holdout": (self.holdout, 0 <= self.holdout < 1, "0 to below 1"),
            "learning_rate": (self.learning_rate, self.learning_rate > 0, "above 0"),
            "epochs": (self.epochs, self.epochs == "auto" or self.epochs >= 1, "'auto' or at least 1"),
            "batch_size": (self.batch_size, self.batch_size == "auto" or self.batch_size >= 1, "'auto' or at least 1"),
        }
        for option, (value, right, allowed) in ranges.items():
            if not right:
                raise ConfigError(f"attention: {option}={value!r} is out of range (allowed: {allowed})")


class FittedAttention(Fitted):
    """A trained network and its rooms. `history` (JSON) tells how the training went."""

    refits: ClassVar[bool] = False

    def __init__(
        self,
        rooms: Mapping[str, Modality],
        head: Head,
        network: Network,
        body: Mapping[str, Any],
        history: Mapping[str, Any],
    ) -> None:
        super().__init__(rooms, head)
        self.network = network
        self.body = body
        self.history = history

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        from plait.network import predict

        return predict(self.network, _inputs(self.rooms, view.batches))

    @property
    def settings(self) -> dict[str, dict[str, Json]]:
        """As many epochs as were best, on all rows."""
        return {"attention": {"epochs": self.history["best_epoch"], "holdout": 0.0}}

    def state(self) -> State:
        arrays = {name: value.numpy().copy() for name, value in self.network.state_dict().items()}
        return State(self.version, {"body": dict(self.body), "history": dict(self.history)}, arrays)


def _inputs(rooms: Mapping[str, Modality], batches: Batches) -> dict[str, Batch]:
    return {name: rooms[name].inputs(batch) for name, batch in batches.sources.items()}


def _take(inputs: Mapping[str, Batch], rows: npt.NDArray[np.int64]) -> dict[str, Batch]:
    return {source: batch.take(rows) for source, batch in inputs.items()}
