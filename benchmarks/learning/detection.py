"""Odd rows without labels: are planted ones of five kinds found, and do alerts keep to their budget?"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import pandas as pd

import plait
from benchmarks.runner import Beside, Measured, Report, areas, main
from plait.contracts import Array
from plait.data.public import Dataset, bank_marketing, lendingclub
from plait.estimators import Detector

ROWS, LEARNED = 3_000, 2_000
EACH = 16  # planted rows of a kind, among the thousand that are judged
FIRST, SEEDS = 1_000, 3  # others than those on which the detectors were chosen
BUDGET, BUDGET_SEEDS = 0.02, 20
REAL = 8_000  # rows of a real set that are learned from, and that are judged, at most
TABLE, LOCAL, CHANCE = "isolation forest, table", "local outlier factor, table", "chance"
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
    """Made loans whose sources agree: letter and purpose, balance and income, income and tax."""
    rng = np.random.default_rng([seed, 77])
    frame = plait.samples.loans(n, seed=seed).drop(columns="default")
    income = frame["income"].to_numpy()
    frame["instalment"] = np.round(frame["amount"] / frame["term"] * (1.1 + 0.05 * rng.normal(size=n)), 2)
    frame["tax"] = np.round(0.28 * income * np.exp(0.08 * rng.normal(size=n)), -1)
    said = [f"I want to {WORDS[purpose]}. " for purpose in frame["purpose"]]
    frame["letter"] = [None if pd.isna(t) else first + t for first, t in zip(said, frame["letter"], strict=True)]
    wanted = income / 12 * np.exp(0.2 * rng.normal(size=n))  # the mean balance: about a month's income
    scaled = [
        None if b is None else [round(x * level / np.mean(b), 2) for x in b]
        for b, level in zip(frame["balance"], wanted, strict=True)
    ]
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
    kept = np.flatnonzero(frame["balance"].notna())
    for row in columns:
        far = np.flatnonzero(np.abs(ranks - ranks[row]) > 0.5)
        out.loc[row, "tax"] = frame["tax"].iloc[int(rng.choice(far))]
    for row in balances:
        far = kept[np.abs(ranks[kept] - ranks[row]) > 0.5]
        out.at[row, "balance"] = frame["balance"].iloc[int(rng.choice(far))]
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


def run(seed: int) -> Report:
    """Planted rows, pooled over seeds as ranks within each; then budgets, and real sets."""
    kinds, scores, alerts = judged(range(FIRST + seed * SEEDS, FIRST + seed * SEEDS + SEEDS))
    figures = []
    for place, name in enumerate(KINDS):
        own = (kinds == place) | (kinds < 0)
        of_kind = {model: ranks[own] for model, ranks in scores.items()}
        told = areas(kinds[own] == place, of_kind, (TABLE, LOCAL, CHANCE), seed=seed)
        figures.append(renamed(f"planted: {name}", told))
    figures.append(renamed("planted: all", areas(kinds >= 0, scores, (TABLE, LOCAL, CHANCE), seed=seed)))
    found = float((kinds[alerts] >= 0).mean())
    same = {name: float((kinds[np.argsort(-ranks)[: alerts.sum()]] >= 0).mean()) for name, ranks in scores.items()}
    others = {name: Beside(value) for name, value in same.items() if name != "Detector"}
    figures.append(Measured("share of alerts that are planted", found, unit="precision", baselines=others))
    figures.append(Measured("share of planted rows that alert", float(alerts[kinds >= 0].mean()), unit="recall"))
    figures += budgets(seed)
    for data in (bank_marketing(), lendingclub()):
        figures.append(real(data, seed))
    return Report(
        data=f"made loans whose sources agree, {LEARNED:,} clean rows learned from; bank marketing and LendingClub as "
        f"they are, at most {REAL:,} rows learned from and judged",
        split=f"the 1,000 later loans, {EACH} of each kind planted among them, {SEEDS} seeds; real sets as loaded",
        figures=tuple(figures),
        notes=(
            f"a group: {EACH} near copies with the highest incomes, no employment and new accounts",
            "the real sets are fitted without labels; their rare class need not be odd",
            f"budget: {BUDGET:.0%} asked for, {BUDGET_SEEDS} seeds, new rows of the same kind",
        ),
    )


def judged(seeds: range) -> tuple[Array, dict[str, Array], Array]:
    """The kind of each judged row of all seeds, ranks by model, and which rows alert."""
    kinds, alerts = [], []
    ranks: dict[str, list[Array]] = {}
    for seed in seeds:
        frame = coherent(ROWS, seed)
        rows, kind = planted(frame.iloc[LEARNED:], seed)
        detector = Detector(time="issued_at", budget=BUDGET, n_jobs=1, random_state=seed).fit(frame.iloc[:LEARNED])
        odd = -detector.score_samples(rows)
        kinds.append(kind)
        alerts.append(odd > -detector.offset_)
        said = {"Detector": odd, **by_table(frame.iloc[:LEARNED], rows, seed), CHANCE: chance(len(rows), seed)}
        for name, score in said.items():
            ranks.setdefault(name, []).append(pd.Series(score).rank(pct=True).to_numpy())
    joined = {name: np.concatenate(parts) for name, parts in ranks.items()}
    return np.concatenate(kinds), joined, np.concatenate(alerts)


def by_table(train: pd.DataFrame, rows: pd.DataFrame, seed: int) -> dict[str, Array]:
    """What is usually done: numbers and one-hot levels, medians where a cell is missing."""
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.preprocessing import StandardScaler

    short = [name for name in train if train[name].dtype.kind in "biuf" or _levels(train[name])]
    both = pd.get_dummies(pd.concat([train[short], rows[short]])).astype(float)
    both = both.fillna(both.iloc[: len(train)].median())
    learned, asked = both.iloc[: len(train)].to_numpy(), both.iloc[len(train) :].to_numpy()
    scale = StandardScaler().fit(learned)
    forest = IsolationForest(n_estimators=200, random_state=seed).fit(learned)
    local = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(scale.transform(learned))
    return {TABLE: -forest.score_samples(asked), LOCAL: -local.score_samples(scale.transform(asked))}


def _levels(column: pd.Series) -> bool:
    """Whether a column holds a few words that repeat."""
    return column.dtype == object and all(isinstance(cell, str) for cell in column.dropna()) and column.nunique() < 50


def chance(rows: int, seed: int) -> Array:
    return np.random.default_rng([seed, 79]).random(rows)


def renamed(what: str, found: Mapping[str, Measured]) -> Measured:
    own = found["Detector"]
    return Measured(what, own.value, own.low, own.high, own.unit, own.baselines)


def budgets(seed: int) -> list[Measured]:
    """The share of new rows that alert, over many seeds: ours, and by the scores of the training rows themselves."""
    from sklearn.ensemble import IsolationForest

    came, plain = [], []
    for each in range(100 + seed * BUDGET_SEEDS, 100 + (seed + 1) * BUDGET_SEEDS):
        frame = plait.samples.loans(3_000, seed=each).drop(columns="default")
        short = [name for name in frame if frame[name].dtype.kind in "biuf"]
        old, new = frame.iloc[:2_000], frame.iloc[2_000:]
        detector = Detector(time="issued_at", budget=BUDGET, n_jobs=1, random_state=each).fit(old)
        came.append(float((detector.predict(new) < 0).mean()))
        forest = IsolationForest(contamination=BUDGET, random_state=each)
        numbers = [part[short].fillna(old[short].median()).to_numpy() for part in (old, new)]
        plain.append(float((forest.fit(numbers[0]).predict(numbers[1]) < 0).mean()))
    mean, error = float(np.mean(came)), 2.09 * float(np.std(came, ddof=1)) / np.sqrt(len(came))
    beside = {"promised": Beside(BUDGET), "contamination of an isolation forest": Beside(float(np.mean(plain)))}
    return [
        Measured("alerts that came", mean, mean - error, mean + error, "share of new rows", beside),
        Measured("alerts that came, least and most of a seed", mean, min(came), max(came), "share of new rows"),
    ]


def real(data: Dataset, seed: int) -> Measured:
    """How far rows of the rare class are odder than others, on a real set."""
    train, test = (part.drop(columns=[data.target, *data.ignore]) for part in (data.train, data.test))
    rng = np.random.default_rng([seed, 80])
    kept = [np.sort(rng.permutation(len(part))[:REAL]) for part in (train, test)]
    train, rows = train.iloc[kept[0]], test.iloc[kept[1]]
    rare = data.test[data.target].to_numpy()[kept[1]] == 1
    detector = Detector(time=data.time, n_jobs=1, random_state=seed).fit(train)
    said = {"Detector": -detector.score_samples(rows), **by_table(train, rows, seed), CHANCE: chance(len(rows), seed)}
    found = areas(rare, said, (TABLE, LOCAL, CHANCE), seed=seed)
    return renamed(f"real, as it falls: {data.target}", found)


if __name__ == "__main__":
    sys.exit(main(run))
