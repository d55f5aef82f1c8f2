"""Made applications with all nine kinds of evidence, and the two long tables beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plait.data.samples.dossiers import dossiers, dossiers_oracle
from plait.data.samples.films import films
from plait.data.samples.histories import payments_oracle, payments_side
from plait.data.samples.meshes import meshes
from plait.data.samples.rings import transfers

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["everything"]

HIDDEN = 0.1  # share of films and models that are missing
MONEY = 0.8  # weight of what the payments tell
THINGS = 0.9  # log-odds of a staged impact, a damaged model, a ring


def everything(n: int = 1000, seed: int = 0) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Make loan applications of the customers of a bank, with nine kinds of evidence.

    Parameters
    ----------
    n
        Rows, in order of time, at least 100.
    seed
        Same seed, same rows and tables.

    Returns
    -------
    frame
        The columns of `dossiers` (a table, ``letter``, ``balance``, ``statement``, ``call``) with an ``issued_at`` of
        its own, ``account``, ``film`` (MP4 bytes) and ``model`` (OBJ or STL bytes) of the thing insured, 10% each
        missing, and ``default`` (0 or 1).
    tables
        ``payments``: key ``account``, ``time``, ``kind``, ``merchant``, ``amount``, ``online``. ``transfers``: key
        ``account`` (who pays), ``payee``, ``time``, ``amount``, ``kind``. Both go on after the rows' moments.

    Raises
    ------
    ConfigError
        If there are fewer rows.

    Notes
    -----
    To the log-odds of `dossiers_oracle` come .8 times those of `payments_oracle` less their mean, and .9 where the film
    shows a staged impact, where the model is damaged, and where the account is in a ring of transfers.
    """
    import pandas as pd

    rng = np.random.default_rng([seed, 50])
    accounts, links = transfers(n, seed)
    moments = accounts["reviewed_at"]
    customers, payments = payments_side(n, seed)
    # The same customers under the names of the accounts, their payments moved to the moments of these.
    names = pd.Series(accounts["account"].to_numpy(), index=customers["customer"])
    moved = pd.Series((moments - customers["reviewed_at"]).to_numpy(), index=customers["customer"])
    payments = payments.assign(
        time=payments["time"] + payments["customer"].map(moved), account=payments["customer"].map(names)
    )
    things, clips = meshes(n, seed, form="files"), films(n, seed)
    told, money = (
        dossiers_oracle(n, seed)["probability"],
        payments_oracle(n, seed).drop(columns="probability").sum(axis=1),
    )
    odds = np.log(told / (1 - told)) + MONEY * (money - money.mean())
    for sign in (clips["staged"], things["damaged"], accounts["ring"]):
        odds = odds + THINGS * (sign.to_numpy() - sign.mean())
    hidden = rng.random((n, 2)) < HIDDEN
    frame = dossiers(n, seed).assign(
        issued_at=moments.to_numpy(),
        account=accounts["account"].to_numpy(),
        film=clips["film"].where(~hidden[:, 0], None),
        model=things["model"].where(~hidden[:, 1], None),
        default=(rng.random(n) < 1 / (1 + np.exp(-odds.to_numpy()))).astype(np.int64),
    )
    columns = ["account", "time", "kind", "merchant", "amount", "online"]
    return frame, {"payments": payments[columns].sort_values("time", ignore_index=True), "transfers": links}
