"""How a network is trained: epochs, mini-batches, rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.training.private import Privacy

__all__ = ["TrainConfig"]


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Parameters
    ----------
    epochs, batch_size
        None: by the number of rows, see `sized`.
    learning_rate
        Peak, reached after `warmup` (a share of all steps), then down to zero along a half cosine (Loshchilov & Hutter,
        "SGDR", 2017, equation 5).
    weight_decay
        Of matrices; not of biases, norms, and embeddings (AdamW: Loshchilov & Hutter, 2019).
    clip
        Largest norm of the gradient.
    masking
        Chance that a present source of a row is hidden in an epoch; one always stays.
    patience
        Epochs without a better judge loss before it stops. None: a third of all, at least 3.
    deadline
        Seconds after which no further epoch begins. It makes the result depend on the clock; `History` records it.
    privacy
        What is promised to every training row (`plait.training.private`); `clip` is then that of single rows.
    """

    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 1e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    masking: float = 0.15
    patience: int | None = None
    deadline: float | None = None
    privacy: Privacy | None = None

    def sized(self, rows: int) -> tuple[int, int]:
        """Epochs (40 below 220 rows, 8 at 5,000, 4 from 22,000) and batch size (32 to 256)."""
        epochs = int(np.clip(round(600 / max(rows, 1) ** 0.5), 4, 40))
        batch = int(2 ** np.clip(np.ceil(np.log2(max(rows, 1) / 32)), 5, 8))
        return self.epochs or epochs, self.batch_size or batch
