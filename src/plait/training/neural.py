"""What every neural fusion shares: its options, how it is trained and judged, and the fitted network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.classical.options import above_zero, check, count, number
from plait.contracts import (
    Array,
    Batch,
    Batches,
    Between,
    ByColumn,
    Contributions,
    Encoder,
    Head,
    Json,
    Modality,
    OneOf,
    Origin,
    Space,
    State,
    Traceable,
)
from plait.errors import ArtifactError, ConfigError
from plait.evidence import Evidence, Fitted, View, whole
from plait.training.masking import USUAL, masking_of
from plait.training.private import Privacy, check_private
from plait.training.schedule import Named, Pace, TrainConfig

if TYPE_CHECKING:
    from torch import nn

    from plait.network import Network
    from plait.training.balance import Balance

__all__ = ["FittedNetwork", "NeuralFusion", "Schedule"]

Rule = tuple[bool, str]  # whether an option's value is allowed, and what is


@dataclass(frozen=True, kw_only=True)
class Start:
    """What becomes of what a pretrained base gave."""

    base_rate: float = 1.0
    frozen: int = 0


@dataclass(frozen=True, kw_only=True)
class Schedule(Pace, Start):
    """How a network is trained; none of it is needed to build it again."""

    epochs: int | Literal["auto"] = "auto"
    batch_size: int | Literal["auto"] = "auto"
    learning_rate: float | Literal["auto", "find"] = "auto"
    optimiser: str | Mapping[str, Json] = "adamw"
    schedule: str | Mapping[str, Json] = "cosine"
    masking: float | str | Mapping[str, Json] = USUAL
    balance: str | Mapping[str, Json] | None = None
    holdout: float = 0.1
    refit: bool = False
    epsilon: float | None = None
    delta: float | None = None


@dataclass(frozen=True, kw_only=True)
class NeuralFusion(Schedule, ABC):
    """Encoders of all sources and a body in which their tokens meet, trained with sources masked at random.

    A tenth of the rows (the latest, where time is known) is kept from training and tells which epoch was best; its
    weights are the model. With `refit` a second network is trained on all rows for as many epochs.

    A fusion adds the options of its body, what they may be (`rules`), and the `body` itself.

    Parameters
    ----------
    width
        Of tokens, ``D``.
    dropout
        In the body, 0 to below 1.
    epochs, batch_size
        ``"auto"``: by the number of rows (`plait.training.schedule.TrainConfig.sized`).
    learning_rate
        Its peak; ``"auto"``: what is usual of the optimiser; ``"find"``: what a sweep suggests
        (`plait.training.finder.find`).
    optimiser, schedule
        How gradients become steps and how the rate moves: names of ``plait list optimisers`` and ``schedules``, or a
        name with options, as in ``{"name": "momentum", "nesterov": True}``.
    clip
        Largest norm of a step's gradient, or of a row's in a private training.
    accumulate
        Parts in which a mini-batch is read, one after the other: less memory, the same steps.
    ema
        Decay of a running mean of the weights, which is judged and kept instead of them, 0 (none) to below 1.
    precision
        ``"auto"`` computes in bfloat16 on a GPU, else in ``"float32"``; ``"bfloat16"``.
    masking
        Chance that a source of a row is hidden in an epoch, 0 to below 1: of all sources, or by source; or a name of
        ``plait list maskings``, with options or without.
    balance
        What keeps a strong source from starving the others, a name of ``plait list balances``, with options or without;
        or None.
    holdout
        Share of the rows kept for early stopping; 0 trains all epochs on all rows.
    patience
        Epochs without a better loss on those rows after which it stops; None: a third of all, at least 3.
    refit
        Train again on all rows.
    base_rate
        Of what a pretrained base gave, its share of the learning rate.
    frozen
        Epochs before all others in which what a base gave stands still and the rest learns.
    shard
        Whether processes that train together (`plait.training.team`) divide the weights among them; ``"auto"``: those
        of large networks.
    deadline
        Seconds after which no further epoch begins, or None.
    epsilon, delta
        Differential privacy of the weights towards every training row (`plait.training.private`), or None. All rows
        are then trained on for all epochs, since stopping early would tell of the rows it was judged by, and a row's
        gradient is computed alone, which is slow. Delta: 1 over the rows by default.

    Raises
    ------
    ConfigError
        If an option is out of range.
    """

    name: ClassVar[str]
    any_head: ClassVar[bool] = True
    space: ClassVar[Space] = {
        "width": OneOf((32, 64, 128)),
        "dropout": Between(0.0, 0.4),
        "learning_rate": Between(0.0003, 0.005, log=True),
        "masking": Between(0.0, 0.4),
    }

    width: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check(self, self.rules())
        optimiser = Named.of("optimisers", self.optimiser).name
        masking = masking_of(self.masking)
        self.balancing()
        schedule = Named.of("schedules", self.schedule).name
        private = "with epsilon, since it goes by losses that would tell of rows"
        for option, fits, why in (
            (
                "batch_size",
                self.batch_size == "auto" or not _reads_all(optimiser),
                f"with {optimiser}: it reads all rows",
            ),
            ("schedule", self.epsilon is None or schedule != "plateau", private),
            ("learning_rate", self.epsilon is None or self.learning_rate != "find", private),
            ("masking", self.epsilon is None or masking.name == "constant", private),
            ("balance", self.epsilon is None or self.balance is None, private),
            ("accumulate", self.epsilon is None or self.accumulate == 1, "with epsilon: rows are read one by one"),
            ("frozen", self.epsilon is None or not self.frozen, "with epsilon, whose steps it would not count"),
        ):
            if not fits:
                raise ConfigError(f"{self.name}: {option}={getattr(self, option)!r} cannot stand {why}")

    @abstractmethod
    def body(self, sources: int) -> nn.Module:
        """The untrained body (`plait.network.Body`) for so many sources."""

    def rules(self) -> dict[str, Rule]:
        """Of each option, whether its value is allowed and which are."""
        return {
            "width": (count(self.width), "1, 2, ..."),
            "dropout": (_part(self.dropout), "0 to below 1"),
            "epochs": (self.epochs == "auto" or count(self.epochs), "'auto' or 1, 2, ..."),
            "batch_size": (self.batch_size == "auto" or count(self.batch_size), "'auto' or 1, 2, ..."),
            "learning_rate": (
                self.learning_rate in ("auto", "find") or above_zero(self.learning_rate),
                "'auto', 'find' or above 0",
            ),
            "clip": (above_zero(self.clip), "above 0"),
            "accumulate": (count(self.accumulate), "1, 2, ..."),
            "ema": (_part(self.ema), "0 to below 1"),
            "precision": (self.precision in ("auto", "float32", "bfloat16"), "'auto', 'float32' or 'bfloat16'"),
            "patience": (self.patience is None or count(self.patience), "1, 2, ..., or None"),
            "masking": (
                isinstance(self.masking, str | Mapping) or _part(self.masking),
                "0 to below 1, shares by source, or a name of `plait list maskings`",
            ),
            "holdout": (_part(self.holdout), "0 to below 1"),
            "refit": (isinstance(self.refit, bool), "true or false"),
            "epsilon": (self.epsilon is None or above_zero(self.epsilon), "above 0, or None"),
            "delta": (
                self.delta is None or (self.epsilon is not None and above_zero(self.delta) and _part(self.delta)),
                "above 0 and below 1, beside an epsilon; or None",
            ),
            "base_rate": (above_zero(self.base_rate), "above 0"),
            "frozen": (count(self.frozen, 0), "0, 1, ..."),
            "shard": (isinstance(self.shard, bool) or self.shard == "auto", "true, false or 'auto'"),
            "deadline": (self.deadline is None or above_zero(self.deadline), "seconds above 0, or None"),
        }

    @property
    def shape(self) -> dict[str, Json]:
        """The options that decide what the weights are."""
        trained = {field.name for field in fields(Schedule)}
        return {name: value for name, value in asdict(self).items() if name not in trained}

    @property
    def streams(self) -> bool:
        """Whether rows may be streamed to it."""
        return self.epsilon is None and not _reads_all(Named.of("optimisers", self.optimiser).name)

    def doors(self, rows: int, rooms: Collection[Modality]) -> frozenset[str]:
        """What is asked of the rooms."""
        return frozenset({"tokens"})

    def fit(self, evidence: Evidence) -> FittedNetwork:
        """Train on the evidence.

        Raises
        ------
        PlaitError
            If the loss stops being finite.
        ConfigError
            If options do not fit the head, or ask for a base where there is none.
        """
        from plait.training.fitting import trained
        from plait.training.history import Judge
        from plait.training.several import unlabelled

        context, head = evidence.everyone, evidence.head
        if context.job.base is None and (self.frozen or self.base_rate != 1.0):
            raise ConfigError(f"{self.name}: frozen and base_rate say nothing without a pretrained base; give one")
        if self.epsilon is not None:
            check_private(head)
        everything = np.arange(len(context))
        judged = self.holdout and self.epsilon is None
        fit_rows, judge_rows = evidence.holdout(self.holdout) if judged else (everything, everything[:0])
        judge = None
        if len(judge_rows) and len(fit_rows) and not unlabelled(head, context.targets[fit_rows]):
            judge = Judge(head, evidence.inputs(judge_rows), context.targets[judge_rows], context.weight[judge_rows])
        else:
            fit_rows = everything
        network, history, began = trained(self, evidence, fit_rows, judge, "network")
        if self.refit and judge is not None:
            network, _, began = trained(self, evidence, everything, None, "network again", history.best_epoch)
        unjudged = () if judge is None else unlabelled(head, judge.targets)
        told = {**asdict(history), "unjudged": list(unjudged), **began}
        return FittedNetwork(evidence.rooms, head, self, network, told)

    def balancing(self) -> Balance | None:
        """What keeps a strong source from starving the others."""
        if self.balance is None:
            return None
        named = Named.of("balances", self.balance)
        made: Balance = registry.make("balances", named.name, named.options)
        return made

    def config(self, epochs: int | None = None) -> TrainConfig:
        """How the loop is to train; `epochs` instead of its own."""
        own = None if self.epochs == "auto" else self.epochs
        named = Named.of("optimisers", self.optimiser)
        usual = registry.get("optimisers", named.name).usual_rate
        return TrainConfig(
            epochs=epochs or own,
            batch_size=None if self.batch_size == "auto" else self.batch_size,
            learning_rate=usual if isinstance(self.learning_rate, str) else self.learning_rate,
            optimiser=named,
            schedule=Named.of("schedules", self.schedule),
            **{field.name: getattr(self, field.name) for field in fields(Pace)},
            privacy=None if self.epsilon is None else Privacy(self.epsilon, self.delta, self.clip),
        )

    @classmethod
    def from_state(cls, state: State, rooms: Mapping[str, Modality], head: Head) -> FittedNetwork:
        """The fitted fusion again, in rooms that were fitted alike.

        Raises
        ------
        ArtifactError
            If the weights do not fit the rooms.
        """
        return FittedNetwork.from_state(cls(**state.values["body"]), state, rooms, head)


class FittedNetwork(Fitted):
    """A trained network and its rooms. `history` (JSON) tells how the training went."""

    refits: ClassVar[bool] = False

    def __init__(
        self,
        rooms: Mapping[str, Modality],
        head: Head,
        fusion: NeuralFusion,
        network: Network,
        history: Mapping[str, Any],
    ) -> None:
        super().__init__(rooms, head)
        self.fusion = fusion
        self.network = network
        self.history = history

    def scores(self, view: View) -> npt.NDArray[np.float64]:
        from plait.network import predict
        from plait.training.attribution import COALITIONS, versions

        if view.like is not None and 0 < len(view) <= COALITIONS:
            whole, rows, changed = view.like
            asked, place = np.unique(rows, return_inverse=True)
            others = {name: self.rooms[name].inputs(view.batches.sources[name]) for name in changed & {*self.rooms}}
            return versions(self.network, _inputs(self.rooms, whole.batches.take(asked)), place, others)
        return predict(self.network, _inputs(self.rooms, view.batches))

    def together(self, view: View, rows: Array, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        from plait.training.attribution import coalitions

        asked, place = np.unique(rows, return_inverse=True)
        return coalitions(self.network, _inputs(self.rooms, view.batches.take(asked)), place, present)

    def shares(self, view: View, output: npt.NDArray[np.int64]) -> Contributions:
        """Integrated gradients of tokens, summed to the columns that tokens stand for, or to their source."""
        from plait.network import predict
        from plait.training.attribution import token_shares

        inputs = _inputs(self.rooms, view.batches)
        told = token_shares(self.network, inputs, output)
        origins: dict[Origin, int] = {}
        values: list[npt.NDArray[np.float64]] = []
        for (source, room), shares in zip(self.rooms.items(), told.values, strict=True):
            for column, share in _by_column(source, room, self.network.encoder(source), shares):
                if origins.setdefault(column, len(values)) == len(values):
                    values.append(share)
                else:
                    values[origins[column]] += share
        attention = (
            {}
            if told.attention is None
            else dict(zip(self.rooms, (w.sum(axis=1) for w in told.attention), strict=True))
        )
        score = predict(self.network, inputs)[np.arange(len(view)), output]
        method = {self.fusion.name: "integrated gradients of tokens; base: tokens that say nothing"}
        return Contributions(tuple(origins), np.stack(values, axis=1), told.base, score, method, attention)

    def attacked(
        self, view: View, targets: Array, steps: Sequence[float], rng: np.random.Generator | None = None
    ) -> list[npt.NDArray[np.float64]]:
        """Scores under attack, one array for each size of the step; see `plait.training.adversarial.fgsm`."""
        from plait.training.adversarial import fgsm

        return fgsm(self.network, _inputs(self.rooms, view.batches), self.head, targets, steps, rng)

    @property
    def settings(self) -> dict[str, dict[str, Json]]:
        """As many epochs as were best, on all rows."""
        sweep = self.history.get("sweep")
        found = {} if sweep is None else {"learning_rate": sweep["suggested"]}
        return {self.fusion.name: {"epochs": self.history["best_epoch"], "holdout": 0.0, **found}}

    @property
    def noted(self) -> dict[str, Json]:
        kept = ("best_epoch", "stopped", "privacy", "base")
        told = {name: self.history[name] for name in ("unjudged",) if self.history.get(name)}
        told |= {"learning_rate": found["suggested"]} if (found := self.history.get("sweep")) else {}
        if alone := self.history.get("alone"):
            told["alone"] = {source: [round(loss, 4) for loss in losses] for source, losses in alone.items()}
        return {self.fusion.name: {**{name: self.history.get(name) for name in kept}, **told}}

    def state(self) -> State:
        arrays = {name: value.numpy().copy() for name, value in self.network.state_dict().items()}
        return State(self.version, {"body": self.fusion.shape, "history": dict(self.history)}, arrays)

    @classmethod
    def from_state(cls, fusion: NeuralFusion, state: State, rooms: Mapping[str, Modality], head: Head) -> Self:
        import torch

        from plait.layers.seeded import reproducible
        from plait.network import build

        with reproducible(0, torch.get_num_threads()):
            network = build(rooms, head, fusion.body, fusion.width)
        weights = {name: torch.from_numpy(np.array(value)) for name, value in state.arrays.items()}
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            cause = " ".join(str(error).split())[:160]
            raise ArtifactError(f"the saved network does not fit the saved rooms: {cause}") from None
        network.eval()
        return cls(rooms, head, fusion, network, dict(state.values["history"]))


def _by_column(
    source: str, room: Modality, encoder: Encoder, shares: npt.NDArray[np.float64]
) -> Iterator[tuple[Origin, npt.NDArray[np.float64]]]:
    """Shares of a source's tokens (``N x T``) by the columns that they stand for."""
    if isinstance(encoder, ByColumn) and isinstance(room, Traceable):
        names = room.origins().inputs
        for share, column in zip(shares.T, encoder.token_columns, strict=True):
            name = whole(room) if column < 0 else names[column]
            yield Origin(source, name, f"{name} (tokens)"), share
    else:
        yield Origin(source, whole(room), f"{whole(room)} (tokens)"), shares.sum(axis=1)


def _part(value: Any) -> bool:
    return number(value) and value < 1


def _reads_all(optimiser: str) -> bool:
    return bool(registry.get("optimisers", optimiser).reads_all)


def _inputs(rooms: Mapping[str, Modality], batches: Batches) -> dict[str, Batch]:
    return {name: rooms[name].inputs(batch) for name, batch in batches.sources.items()}
