"""Odd rows without labels: are planted ones of five kinds found, and do alerts keep to their budget?"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.runner import Measured, Report, areas, main
from plait.contracts import Array

ROWS = 4_000
EACH = 16  # planted rows of a kind, among the rows that are judged
WORDS = {
    "car": "buy a used car to drive to work",
    "home": "repair the roof and the kitchen of my house",
    "medical": "pay for an operation in the hospital",
    "moving": "move our furniture to another town",
    "refinancing": "replace an older and dearer loan",
    "studies": "pay the fees of my evening school",
    "wedding": "invite the guests of our wedding",
}
KINDS = ("a cell", "two columns", "letter and table", "balance and table", "a group")


def coherent(n: int, seed: int) -> pd.DataFrame:
    """Made loans whose sources agree: the letter tells the purpose, balances follow income, taxes and instalments too."""
    import plait

    rng = np.random.default_rng([seed, 77])
    frame = plait.samples.loans(n, seed=seed).drop(columns="default")
    income = frame["income"].to_numpy()
    frame["instalment"] = np.round(frame["amount"] / frame["term"] * (1.1 + 0.05 * rng.normal(size=n)), 2)
    frame["tax"] = np.round(0.28 * income * np.exp(0.08 * rng.normal(size=n)), -1)
    said = [f"I want to {WORDS[purpose]}. " for purpose in frame["purpose"]]
    frame["letter"] = [None if pd.isna(t) else first + t for first, t in zip(said, frame["letter"], strict=True)]
    by = (income / np.median(income)) ** 1.5
    scaled = [None if b is None else [round(x * k, 2) for x in b] for b, k in zip(frame["balance"], by, strict=True)]
    frame["balance"] = pd.Series(scaled, dtype=object)
    return frame


def planted(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, Array]:
    """The rows with some made odd, and the kind of each (-1: as it was)."""
    rng = np.random.default_rng([seed, 78])
    out, kind = frame.copy().reset_index(drop=True), np.full(len(frame), -1)
    told = out["letter"].notna() & out["balance"].notna() & out["employment_years"].notna()
    rows = rng.permutation(np.flatnonzero(told))[: EACH * len(KINDS)].reshape(len(KINDS), EACH)
    for place, chosen in enumerate(rows):
        kind[chosen] = place
    cells, columns, letters, balances, group = rows
    for row in cells:
        name = rng.choice(["income", "amount", "account_months", "employment_years"])
        out.loc[row, name] = float(frame[name].quantile(0.995)) * rng.uniform(2, 6)
    ranks = frame["income"].rank(pct=True).to_numpy()
    far = [rng.choice(np.flatnonzero(np.abs(ranks - ranks[row]) > 0.5)) for row in (*columns, *balances)]
    out.loc[columns, "tax"] = frame["tax"].to_numpy()[far[:EACH]]
    for row, other in zip(balances, far[EACH:], strict=True):
        full = [i for i in np.flatnonzero(frame["balance"].notna()) if abs(ranks[i] - ranks[row]) > 0.5]
        out.at[row, "balance"] = frame["balance"].iloc[int(rng.choice(full))]
    for row in letters:
        others = np.flatnonzero(frame["letter"].notna() & (frame["purpose"] != frame["purpose"].iloc[row]))
        out.at[row, "letter"] = frame["letter"].iloc[int(rng.choice(others))]
    copied = out.loc[group[0]]
    for row in group:
        out.loc[row, ["letter", "purpose", "region", "home"]] = copied[["letter", "purpose", "region", "home"]]
        out.loc[row, "income"] = round(frame["income"].quantile(0.97) * rng.uniform(0.99, 1.01), -2)
        out.loc[row, "tax"] = round(0.28 * out.loc[row, "income"], -1)
        out.loc[row, ["employment_years", "account_months"]] = 0.1, 2.0
    return out, kind
