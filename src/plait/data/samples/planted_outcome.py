"""Outcomes that hang on planted evidence, and a column beside it that tells a little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["beside"]

TELLING = np.log(19.0)  # log-odds of the outcome: 95% with the evidence, 5% without
INCOME = 0.5


def beside(cells: npt.NDArray[np.object_], there: npt.NDArray[np.bool_], column: str, seed: int) -> pd.DataFrame:
    """The frame of `cells` (``N``) under the name `column`, with ``income`` and the ``outcome`` of evidence that is
    `there` (bool ``N``)."""
    import pandas as pd

    rng = np.random.default_rng([seed, 60])
    income = rng.normal(size=len(cells)).round(3)
    odds = np.where(there, TELLING, -TELLING) + INCOME * income
    outcome = (rng.random(len(cells)) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    return pd.DataFrame({"income": income, column: pd.Series(cells, dtype=object), "outcome": outcome})
