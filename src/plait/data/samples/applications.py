"""Made applications at a credit desk: five kinds of evidence, the places that tell, and a bias in what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.data.samples import letters
from plait.data.samples.biased import DISTRICTS, THEIRS
from plait.data.samples.dossiers import dossiers, dossiers_oracle
from plait.data.samples.loans import loans

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["applications", "applications_oracle"]

Floats = npt.NDArray[np.float64]

NEVER = -1.0  # utilisation of those who never had a card
DRY = 0.35  # share of accounts with months in which the balance all but ran out
HARM = 2.2  # log-odds that the first districts add to what is recorded, and to nothing else
ELSEWHERE, THERE = 0.10, 0.85  # share of those of origin A and B who live in them
WEIGHTS = {"from_columns": 0.75, "from_letter": 1.0, "from_balance": 0.6, "from_statement": 1.0, "from_call": 1.0}


def applications(n: int = 2000, seed: int = 0, *, fair: bool = False) -> pd.DataFrame:
    """Make applications for credit with five kinds of evidence, and outcomes that were recorded with a bias.

    Parameters
    ----------
    n
        Rows, in order of time.
    seed
        Same seed, same frame.
    fair
        The fair counterpart: people of both origins live everywhere alike, and the district counts nothing. All
        evidence but the district, and the risk that it tells of, are the same.

    Returns
    -------
    DataFrame with the columns

    ==========================================  =====================================================================
    ``applicant``                               identifier
    ``applied_at``                              datetime64[ns], 2022 to 2024
    ``income``, ``amount``                      per year, and asked for
    ``term``                                    months, 36 or 60
    ``purpose``, ``home``                       categories of 7 and 3 levels
    ``employment_years``                        8% missing
    ``debts``                                   paid on existing debts each month; 5% missing
    ``late_payments``                           of the last two years: the risk rises with each
    ``inquiries``                               at the bureau, of the last half year; 4% missing
    ``utilisation``                             share of card limits in use, -1: never had a card; the risk is least in
                                                the middle; 4% missing
    ``region``, ``account_months``              10 levels, and 5% missing: neither tells anything
    ``district``                                12 levels; see the notes
    ``sex``, ``age``, ``origin``                sensitive; none of them changes the risk
    ``letter``                                  the applicant's words, one in five in Chinese; 10% missing
    ``account``                                 lists of 12 to 36 month-end balances; 10% missing
    ``statement``                               a page of `plait.data.samples.statements`, bytes; 10% missing
    ``call``                                    a voice of `plait.data.samples.voices`, WAVE bytes; 10% missing
    ``default``                                 0 or 1, about 20% ones
    ==========================================  =====================================================================

    Notes
    -----
    The log-odds of the risk are a sum of independent parts. Table: .75 of the columns of `loans` (amount to income,
    term, purpose, short employment), .45 a late payment and .2 an inquiry, 2.5 times the share of income that goes to
    debts, 4 times the squared distance of the utilisation from .4, and .4 for those who never had a card. Letter,
    statement, call, time: as in `dossiers`. Account: .6 of the balance of `loans`, and 1.5 where two or three months
    in a row all but ran dry.

    Then the bias, which is no risk: one applicant in three is of origin B; 85% of those and 10% of the others live in
    the first four districts, where 2.2 are added to the log-odds of what is recorded, as if people there had been
    reported sooner. A model that never sees the origin learns it from the district all the same. (With ``fair`` a third
    lives there, and all recorded outcomes are worse by the same.)

    The oracle's ROC AUC is .907 (the true probability, of `applications_oracle`, n = 20,000, seed 0, mean of five draws
    of outcomes); of its parts alone: table .659, letter .673, account .655, statement .662, call .657, time .528,
    district .650; of the risk without the bias .865. With ``fair`` .893, and .673, .682, .670, .677, .669, .528. Where
    the likeliest 60% to repay are approved by the true probability, the rate of origin B is .58 to .67 of that of A
    (seeds 0 to 4, n = 4,000); with ``fair`` .95 to 1.
    """
    import pandas as pd

    frame, truth = _simulate(n, seed, fair)
    drawn = dossiers(n, seed)
    frame["statement"], frame["call"] = drawn["statement"], drawn["call"]
    rng = np.random.default_rng([seed, 73])
    frame["default"] = pd.Series(rng.random(n) < truth["probability"]).astype(np.int64)
    return frame


def applications_oracle(n: int = 2000, seed: int = 0, *, fair: bool = False) -> pd.DataFrame:
    """The truth behind `applications` with the same arguments, row by row.

    Returns
    -------
    DataFrame with ``probability`` of a recorded default, ``risk`` (that probability without the bias), the log-odds
    that the former is made of (``from_table``, ``from_letter``, ``from_account``, ``from_statement``, ``from_call``,
    ``from_time``, ``from_district``), the ``origin`` of the applicant, and where the worst of the evidence stands, in
    the terms of `plait.contracts.Place.where`, None where there is none: ``letter_place`` (the first character of the
    most telling sentence of trouble, and the one after its last), ``account_place`` (the first of the dry months,
    counted from 0 in the cell, and the one after its last).
    """
    return _simulate(n, seed, fair)[1]


def _simulate(n: int, seed: int, fair: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All but the drawn evidence and the outcome, and the truth."""
    import pandas as pd

    given, told = loans(n, seed), dossiers_oracle(n, seed)
    parts = {name: weight * told[name].to_numpy() for name, weight in WEIGHTS.items()}
    bureau, from_bureau = _bureau(given["income"].to_numpy(), np.random.default_rng([seed, 70]))
    account, dry, months = _dried(given["balance"], np.random.default_rng([seed, 71]))
    people, there = _people(given["employment_years"].to_numpy(), fair, np.random.default_rng([seed, 72]))
    odds = {
        "from_table": parts["from_columns"] + from_bureau,
        "from_letter": parts["from_letter"],
        "from_account": parts["from_balance"] + 1.5 * (dry - DRY),
        "from_statement": parts["from_statement"],
        "from_call": parts["from_call"],
        "from_time": told["from_time"].to_numpy() - 0.65,
    }
    risk = np.sum(list(odds.values()), axis=0)
    odds["from_district"] = HARM * np.where(fair, 0.35, there)
    frame = pd.DataFrame({"applicant": [f"A{i + 1:06d}" for i in range(n)], "applied_at": given["issued_at"]})
    columns = ["income", "amount", "term", "purpose", "home", "employment_years", "region", "account_months"]
    frame = frame.join([given[columns], bureau, people])
    frame["letter"], frame["account"] = given["letter"], account
    truth = pd.DataFrame({"probability": _chance(risk + odds["from_district"]), "risk": _chance(risk), **odds})
    truth["origin"] = people["origin"]
    truth["letter_place"] = pd.Series([letters.worst(cell) for cell in given["letter"]], dtype=object)
    truth["account_place"] = pd.Series(months, dtype=object)
    return frame, truth


def _chance(odds: Floats) -> Floats:
    chance: Floats = 1.0 / (1.0 + np.exp(-odds))
    return chance


def _bureau(income: Floats, rng: np.random.Generator) -> tuple[pd.DataFrame, Floats]:
    """What a credit bureau knows, and its part of the log-odds, about 0 in the mean."""
    import pandas as pd

    n = len(income)
    late, asked = rng.poisson(0.6, n), rng.poisson(1.5, n)
    burden = rng.beta(1.5, 8.0, n)
    used = np.round(1.1 * rng.beta(1.3, 1.7, n), 2)
    never = rng.random(n) < 0.12
    risk = 0.45 * (late - 0.6) + 0.2 * (asked - 1.5) + 2.5 * (burden - 0.16)
    risk += np.where(never, 0.4, 4.0 * (used - 0.4) ** 2) - 0.36
    hidden = rng.random((n, 3)) < [0.05, 0.04, 0.04]
    columns = {
        "debts": np.where(hidden[:, 0], np.nan, np.round(income / 12 * burden, -1)),
        "late_payments": late.astype(np.float64),
        "inquiries": np.where(hidden[:, 1], np.nan, asked),
        "utilisation": np.where(hidden[:, 2], np.nan, np.where(never, NEVER, used)),
    }
    return pd.DataFrame(columns), risk


def _dried(
    balances: pd.Series, rng: np.random.Generator
) -> tuple[pd.Series, npt.NDArray[np.bool_], list[tuple[float, float] | None]]:
    """Balances of which some all but run out for two or three months, which of them, and when; also of missing ones."""
    import pandas as pd

    n = len(balances)
    dry, length = rng.random(n) < DRY, rng.integers(2, 4, n)
    where, depth = rng.random(n), rng.uniform(0.02, 0.08, (n, 3))
    cells: list[list[float] | None] = []
    places: list[tuple[float, float] | None] = []
    for i, cell in enumerate(balances):
        if cell is None or not dry[i]:
            cells.append(cell)
            places.append(None)
            continue
        first = 1 + int(where[i] * (len(cell) - length[i] - 1))  # the months before and after are as they were
        last = first + int(length[i])
        low = min(cell[first - 1], cell[last])
        cells.append([*cell[:first], *np.round(low * depth[i, : length[i]], 2).tolist(), *cell[last:]])
        places.append((float(first), float(last)))
    return pd.Series(cells, dtype=object), dry, places


def _people(years: Floats, fair: bool, rng: np.random.Generator) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Who applies and where they live, and who lives in the first districts."""
    import pandas as pd

    n = len(years)
    other, sex = rng.random(n) < 1 / 3, rng.random(n) < 0.5
    age = np.fmax(np.round(rng.uniform(21, 75, n)), np.ceil(18 + years))  # nobody was employed as a child
    share = np.full(n, THEIRS / DISTRICTS) if fair else np.where(other, THERE, ELSEWHERE)
    there = rng.random(n) < share
    district = np.where(there, rng.integers(THEIRS, size=n), rng.integers(THEIRS, DISTRICTS, size=n))
    names = np.array([f"district {i + 1}" for i in range(DISTRICTS)], object)
    columns = {
        "district": names[district],
        "sex": np.where(sex, "female", "male").astype(object),
        "age": age,
        "origin": np.where(other, "B", "A").astype(object),
    }
    return pd.DataFrame(columns), there
