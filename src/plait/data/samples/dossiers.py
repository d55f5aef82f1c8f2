"""Made loan dossiers: a table, a letter, a balance series, a scanned statement and a recorded call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.samples.loans import loans, loans_oracle
from plait.data.samples.statements import statements, statements_oracle
from plait.data.samples.voices import voices, voices_oracle

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["dossiers", "dossiers_oracle"]

HIDDEN = 0.10  # share of statements and calls that are missing
PAGE = 0.55  # of the statement's own log-odds of default
MANNER = 0.5  # of each of the voice's four manners
BASE = 0.2  # moves the share of defaults to about one in five


def dossiers(n: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Make loan applications with five kinds of evidence, the signal divided among them.

    Parameters
    ----------
    n
        Rows, in order of time.
    seed
        Same seed, same frame.

    Returns
    -------
    DataFrame with the columns of `plait.data.samples.loans.loans`, then ``statement`` (a page of
    `plait.data.samples.statements`, bytes) and ``call`` (a voice of `plait.data.samples.voices`, WAVE bytes of
    about two seconds), 10% of each missing, and a ``default`` of its own (0 or 1, about 20% ones).

    Notes
    -----
    The log-odds of default are a sum of independent parts: those of `loans` (columns, letter, balance, time), .55 of
    the statement's own log-odds, and half of the sum of the voice's hesitation, jitter, tremor and slowness (standard
    normal each); the spread of each is about 1. What is missing is missing at random, and counts in the odds all the
    same.

    The oracle's ROC AUC is .897 (the true probability, of `dossiers_oracle`, n = 20,000, seed 0, mean of five draws of
    outcomes); of its parts alone: columns .676, letter .681, balance .680, statement .670, call .668, time .530.
    """
    import pandas as pd

    truth = dossiers_oracle(n, seed)
    rng = np.random.default_rng([seed, 40])
    hidden = rng.random((n, 2)) < HIDDEN
    frame = loans(n, seed).drop(columns="default")
    for i, (name, cells) in enumerate((("statement", statements(n, seed)["page"]), ("call", voices(n, seed)["voice"]))):
        frame[name] = pd.Series(cells, dtype=object).where(~hidden[:, i], None)
    frame["default"] = (rng.random(n) < truth["probability"].to_numpy()).astype(np.int64)
    return frame


def dossiers_oracle(n: int = 2000, seed: int = 0) -> pd.DataFrame:
    """The truth behind `dossiers` with the same arguments, row by row.

    Returns
    -------
    DataFrame with ``probability`` of default, and the log-odds it is made of: ``from_columns``, ``from_letter``,
    ``from_balance``, ``from_statement``, ``from_call``, ``from_time``. No model can rank better but by luck.
    """
    parts = loans_oracle(n, seed).drop(columns="probability")
    manners = voices_oracle(n, seed).drop(columns="probability")
    page = statements_oracle(n, seed)["probability"]
    parts.insert(3, "from_statement", PAGE * np.log(page / (1 - page)))
    parts.insert(4, "from_call", MANNER * manners.sum(axis=1))
    parts["from_time"] += BASE
    parts.insert(0, "probability", 1.0 / (1.0 + np.exp(-parts.sum(axis=1))))
    return parts
