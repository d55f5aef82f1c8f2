"""How a network is trained: epochs, mini-batches, rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from plait import registry
from plait.contracts import Json
from plait.errors import ConfigError
from plait.training.private import Privacy

__all__ = ["AT_ONCE", "Named", "Pace", "TrainConfig"]

AT_ONCE = 512  # rows of a mini-batch that are read together where it is as large as the data


@dataclass(frozen=True)
class Named:
    """A registered part by name, with its options."""

    name: str
    options: Mapping[str, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, told: Json) -> Named:
        """From ``"sgd"`` or ``{"name": "momentum", "nesterov": True}``, checked.

        Raises
        ------
        ConfigError
            If there is no such part of this kind (`plait.registry`) or it has no such option.
        """
        if isinstance(told, str):
            told = {"name": told}
        if not isinstance(told, Mapping) or not isinstance(told.get("name"), str):
            raise ConfigError(
                f"{told!r} names none of the {kind}; write a name of `plait list {kind}`, or "
                "{name: ..., option: value}"
            )
        found = cls(told["name"], {option: value for option, value in told.items() if option != "name"})
        registry.make(kind, found.name, found.options)
        return found


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a step is, and when a training ends.

    Parameters
    ----------
    clip
        Largest norm of the gradient.
    accumulate
        Parts in which a mini-batch is read, one after the other, for one step: less memory, the same step.
    ema
        Decay of a running mean of the weights, which is then judged and kept instead of them; 0: none.
    precision
        ``"auto"``: bfloat16 on a GPU, else ``"float32"``.
    patience
        Epochs without a better judge loss before it stops. None: a third of all, at least 3.
    deadline
        Seconds after which no further epoch begins. It makes the result depend on the clock; `History` records it.
    shard
        Whether processes that train together divide the weights among them (`plait.training.sharding`) instead of
        holding all of them each; ``"auto"``: where there are many (`plait.training.team.LARGE`).
    """

    clip: float = 1.0
    accumulate: int = 1
    ema: float = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    patience: int | None = None
    deadline: float | None = None
    shard: bool | Literal["auto"] = "auto"


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Pace):
    """How to train.

    Parameters
    ----------
    epochs, batch_size
        None: by the number of rows, see `sized`.
    learning_rate
        Peak, of which the schedule says multiples.
    optimiser, schedule
        Registered ones.
    privacy
        What is promised to every training row (`plait.training.private`); `clip` is then that of single rows.

    The others are those of `Pace`.
    """

    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 1e-3
    optimiser: Named = Named("adamw")
    schedule: Named = Named("cosine")
    privacy: Privacy | None = None

    def sized(self, rows: int) -> tuple[int, int]:
        """Epochs (40 below 220 rows, 8 at 5,000, 4 from 22,000) and batch size (32 to 256).

        Where every step reads all rows, the batch has all of them, and there are ten times the epochs.
        """
        epochs = int(np.clip(round(600 / max(rows, 1) ** 0.5), 4, 40))
        if self._reads_all:
            return self.epochs or 10 * epochs, max(rows, 1)
        batch = int(2 ** np.clip(np.ceil(np.log2(max(rows, 1) / 32)), 5, 8))
        return self.epochs or epochs, self.batch_size or batch

    def parts(self, rows: int) -> int:
        """Parts in which a mini-batch of so many rows is read."""
        least = -(-rows // AT_ONCE) if self._reads_all else 1
        return min(max(self.accumulate, least), rows)

    def half(self, device: str) -> bool:
        """Whether to compute in bfloat16 on a device."""
        return self.precision == "bfloat16" or (self.precision == "auto" and device == "cuda")

    @property
    def _reads_all(self) -> bool:
        return bool(registry.get("optimisers", self.optimiser.name).reads_all)
