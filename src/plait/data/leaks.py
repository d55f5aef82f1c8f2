"""What gives the target away: copies of it, missing cells, words, and the order of the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Array, Column
from plait.data.findings import Finding
from plait.data.labels import is_class_target

__all__ = ["Aim", "columns_that_tell", "levels", "order_that_tells"]

ALMOST = 0.99  # AUC or |rank correlation| from which one column is taken for a copy of the target
NEARLY = 0.95  # AUC from which one column is looked at twice
STRONG, AHEAD, MOSTLY = 0.75, 0.1, 0.5  # AUC, lead over the next, and share of cells of a column that stands out
ENOUGH = 30  # rows under which near-perfect prediction by one column proves little
ONE_SIDED = 0.2  # share of a class that values without any other class may hold
MAJORITY = 0.6  # share of all rows above which a class is expected to be alone somewhere
FEW = 10  # rows of a class under which it is not judged
MAX_CLASSES = 10
NUMBERED = 0.9  # share of texts with a number in them from which the numbers are judged
READ = 4000  # texts that are read for words
RUNS = 0.02  # share of the runs expected of shuffled rows under which rows count as sorted
WORDS = 5000  # different words that are judged

_NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"
_WORD = re.compile(r"[^\W\d_]{2,}|\d+", re.UNICODE)
_HAN = re.compile(r"[\u4e00-\u9fff]{2,}")
_LEAVE_OUT = "leave the column out unless it is known when the model decides"


@dataclass(frozen=True)
class Aim:
    """What is to be predicted, as orders that a column may follow.

    Parameters
    ----------
    rows
        int64: the rows whose target is known.
    goals
        Classes: each of the rarest against the rest, 0 or 1; values: their ranks. Over `rows`.
    classes
        Whether the target is classes.
    labels
        The target over `rows`: codes of its classes, or its values.
    """

    rows: npt.NDArray[np.int64]
    goals: tuple[Array, ...]
    classes: bool
    labels: npt.NDArray[np.float64]

    @classmethod
    def of(cls, target: Column | None) -> Self | None:
        """None where there is no target, or too few of its rows are known to judge anything by."""
        if target is None:
            return None
        known = target.present.copy()
        if target.values.dtype.kind == "f":
            known[known] = np.isfinite(target.values[known])
        rows = np.flatnonzero(known)
        if len(rows) < ENOUGH:
            return None
        told = target.take(rows)
        if is_class_target(told):
            codes, distinct = pd.factorize(told.values)
            rarest = np.argsort(np.bincount(codes, minlength=len(distinct)), kind="stable")
            goals = [(codes == one).astype(float) for one in rarest[: 1 if len(distinct) == 2 else MAX_CLASSES]]
            return cls(rows, tuple(goals), True, codes.astype(np.float64))
        if told.values.dtype.kind != "f":
            return None
        return cls(rows, (_ranks(told.values),), False, told.values)


def columns_that_tell(cells: Mapping[str, Column], aim: Aim, names: Sequence[str]) -> Iterator[Finding]:
    """The columns that give the target away alone; at most one finding a column."""
    told = set()
    for name in names:
        if name in cells:
            found = _tells(cells[name].take(aim.rows), aim)
            if found is not None:
                told.add(name)
                yield found
    if aim.classes and len(aim.goals) == 1:
        yield from _stands_out({name: cells[name] for name in names if name in cells and name not in told}, aim)


def _stands_out(cells: Mapping[str, Column], aim: Aim) -> Iterator[Finding]:
    """The one column that is far stronger alone than any other."""
    alone = {}
    for name, own in cells.items():
        part = own.take(aim.rows)
        if part.present.mean() >= MOSTLY:
            alone[name] = _strength(part.values[part.present], aim.goals[0][part.present], True)
    best, *others = sorted(alone, key=lambda name: -alone[name]) or [""]
    if others and alone[best] >= STRONG and alone[best] >= alone[others[0]] + AHEAD:
        said = (
            f"far stronger alone (AUC {alone[best]:.2f}) than any other column ({others[0]!r}, "
            f"{alone[others[0]]:.2f}): is it known when the model decides?"
        )
        evidence = {"auc": round(alone[best], 4), "next": round(alone[others[0]], 4)}
        yield Finding("stands_out", (best,), "note", said, evidence)


def _strength(values: Array, goal: Array, classes: bool) -> float:
    """How well a column alone orders the target: by its numbers, by numbers in its texts, by the mean of its levels."""
    measure = _auc if classes else _correlation
    strength = max((measure(order, goal, either=True) for order in _orders(values)), default=0.0)
    kinds = levels(values)
    if kinds is not None:
        strength = max(strength, measure(_ranks(_mean_of_others(kinds, goal)), goal, either=False))
    return strength


def _orders(values: Array) -> list[Array]:
    if values.dtype.kind != "O":
        return [_ranks(values)]
    numbers = _numbers_in(values)
    return [] if numbers is None else [_ranks(numbers)]


def _tells(cells: Column, aim: Aim) -> Finding | None:
    seen = np.flatnonzero(cells.present)
    own = cells.values[seen]
    for goal in aim.goals:
        if aim.classes and len(seen) < len(cells) and (gone := _missing_tells(cells, goal)) is not None:
            return gone
        wanted = goal[seen]
        if len(seen) < ENOUGH or (wanted == wanted[0]).all():
            continue
        strength = _strength(own, wanted, aim.classes)
        if strength >= ALMOST or (aim.classes and strength >= NEARLY):
            return _copy(cells.name, strength, aim.classes)
        if aim.classes and any(_pure_end(order, wanted) >= ONE_SIDED for order in _orders(own)):
            said = f"likely leak: its extreme values belong to one class only; {_LEAVE_OUT}"
            return Finding("target_extremes", (cells.name,), "leak", said)
    return _words_tell(cells, aim) if aim.classes else None


def _copy(name: str, strength: float, classes: bool) -> Finding:
    measure = "AUC" if classes else "correlation"
    evidence = {measure.lower(): round(strength, 4)}
    if strength >= ALMOST:
        said = f"likely leak: alone it gives the target away ({measure} {strength:.3f}); {_LEAVE_OUT}"
        return Finding("target_copy", (name,), "leak", said, evidence)
    said = f"almost gives the target away alone ({measure} {strength:.3f}): is it known when the model decides?"
    return Finding("target_copy", (name,), "warning", said, evidence)


def _missing_tells(cells: Column, goal: Array) -> Finding | None:
    there = _ranks(cells.present)
    area = _auc(there, goal, either=True)
    one_sided = _pure_end(there, goal)
    if area < ALMOST and one_sided < ONE_SIDED:
        return None
    said = f"likely leak: where it is missing tells the target; {_LEAVE_OUT}"
    evidence = {"auc": round(area, 4), "share_of_a_class": round(one_sided, 4)}
    return Finding("target_missing", (cells.name,), "leak", said, evidence)


def _numbers_in(values: Array) -> Array | None:
    """The first number in each text, where nearly all texts are short and have one: a number may come as text."""
    if values.dtype.kind != "O" or not len(values) or not isinstance(values[0], str):
        return None
    texts = pd.Series(values, dtype=object)
    if not texts.map(lambda cell: isinstance(cell, str) and len(cell) <= 60).all():
        return None
    found = pd.to_numeric(texts.str.extract(_NUMBER, expand=False).str.replace(",", ""), errors="coerce")
    if found.notna().mean() < NUMBERED or found.nunique() < 3:
        return None
    return found.fillna(found.median()).to_numpy(np.float64)


def _words_tell(cells: Column, aim: Aim) -> Finding | None:
    """A word whose texts all belong to one class, and which a good part of that class has."""
    rows = np.flatnonzero(cells.present)
    if not len(rows) or not isinstance(cells.values[rows[0]], str) or len(aim.goals) > 1:
        return None  # of many classes, topics say, a word may well be one's own
    rows = rows[np.linspace(0, len(rows) - 1, min(READ, len(rows))).astype(np.int64)]
    texts = [cell if isinstance(cell, str) else "" for cell in cells.values[rows]]
    goal = aim.goals[0][rows]
    counts: dict[str, list[int]] = {}
    for text, positive in zip(texts, goal.astype(int).tolist(), strict=True):
        for word in _words(text):
            counts.setdefault(word, [0, 0])[positive] += 1
    common = sorted(counts.items(), key=lambda item: (-sum(item[1]), item[0]))[:WORDS]
    for word, held in common:
        for one in (0, 1):
            total = float((goal == one).sum())
            alone = held[one] >= ENOUGH and held[1 - one] <= (1 - ALMOST) * sum(held)
            if alone and total <= MAJORITY * len(goal) and held[one] >= ONE_SIDED * total:
                said = (
                    f"likely leak: the word {word!r} states the outcome: {held[one]:,} of {sum(held):,} texts with it "
                    "are of one class; leave out texts written after the outcome"
                )
                return Finding("target_words", (cells.name,), "leak", said, {"word": word, "texts": sum(held)})
    return None


def _words(text: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(text[:2000])}
    for run in _HAN.findall(text[:2000]):
        words.discard(run)
        words.update(run[i : i + 2] for i in range(len(run) - 1))
    return words


def order_that_tells(
    cells: Mapping[str, Column], aim: Aim, identifiers: Sequence[str], *, in_time: bool
) -> Iterator[Finding]:
    """Identifiers that give the target away, and rows sorted by it.

    `in_time` says that the rows stand in order of time: then what their order tells is the time.
    """
    found = False
    for name in identifiers:
        if name in cells and (strength := _identifier(cells[name].take(aim.rows), aim)) is not None:
            found = True
            said = (
                f"likely leak: the identifier gives the target away ({strength:.3f}): it was given out by class; "
                "never learn from it, and split at random or by time, not by its order"
            )
            yield Finding("target_order", (name,), "leak", said, {"strength": round(strength, 4)})
    if in_time or found:
        return
    if _sorted_by(aim):
        said = "the rows are sorted by the target: shuffle them before any split that goes by their order"
        yield Finding("target_order", (), "leak", said)


def _identifier(cells: Column, aim: Aim) -> float | None:
    """How well numbers, letters or the last sign of an identifier predict, where they do so almost perfectly."""
    seen = np.flatnonzero(cells.present)
    if len(seen) < ENOUGH:
        return None
    values = cells.values[seen]
    texts = pd.Series([f"{cell:.0f}" if isinstance(cell, float) else str(cell) for cell in values.tolist()])
    digits = pd.to_numeric(texts.str.replace(r"\D", "", regex=True), errors="coerce").fillna(-1.0).to_numpy(np.float64)
    parts = (texts.str.replace(r"\d", "", regex=True), texts.str[-1], texts.str[0], texts.str.len())
    measure = _auc if aim.classes else _correlation
    for goal in aim.goals:
        wanted = goal[seen]
        if (wanted == wanted[0]).all():
            continue
        order = _ranks(digits)
        strength = measure(order, wanted, either=True)
        for part in parts:
            if (kinds := levels(part.to_numpy())) is not None:
                strength = max(strength, measure(_ranks(_mean_of_others(kinds, wanted)), wanted, either=False))
        if strength >= ALMOST:
            return strength
        if aim.classes and (one_sided := _pure_end(order, wanted)) >= ONE_SIDED:
            return one_sided
    return None


def _sorted_by(aim: Aim) -> bool:
    place = np.arange(len(aim.rows), dtype=np.float64)
    if not aim.classes:
        return _correlation(place, aim.goals[0], either=True) >= ALMOST
    shares = np.unique(aim.labels, return_counts=True)[1] / len(aim.labels)
    expected = len(aim.labels) * (1 - (shares**2).sum())
    runs = 1 + int((np.diff(aim.labels) != 0).sum())
    if shares.min() * len(aim.labels) >= FEW and runs <= RUNS * expected:
        return True
    return any(_auc(place, goal, either=True) >= ALMOST or _pure_end(place, goal) >= ONE_SIDED for goal in aim.goals)


def _pure_end(order: Array, goal: Array) -> float:
    """Largest share of a class, other than a large majority, that lies at one end of the order almost by itself."""
    rows = np.argsort(order, kind="stable")
    found = 0.0
    for along in (rows, rows[::-1]):
        ends = np.flatnonzero(np.append(np.diff(order[along]) != 0, True))  # equal values stay together
        far = ends + 1 >= ENOUGH
        for one in (goal, 1 - goal):
            if 0 < one.mean() <= MAJORITY:
                inside = np.cumsum(one[along])[ends]
                found = max(found, float(inside[far & (inside >= ALMOST * (ends + 1))].max(initial=0.0) / one.sum()))
    return found


def levels(values: Array) -> npt.NDArray[np.int64] | None:
    """Codes of the distinct cells, if they repeat enough to be judged one by one."""
    try:
        codes, distinct = pd.factorize(values)
    except TypeError:  # lists and dicts
        return None
    return codes.astype(np.int64) if 2 * len(distinct) <= len(codes) else None


def _mean_of_others(kinds: Array, goal: Array) -> Array:
    """Mean of `goal` over the other rows of the same level, so that chance in small levels does not count."""
    sums, counts = np.bincount(kinds, goal), np.bincount(kinds)
    alone = counts[kinds] == 1
    return np.where(alone, goal.mean(), (sums[kinds] - goal) / np.maximum(counts[kinds] - 1, 1))


def _ranks(values: Array) -> Array:
    return pd.Series(values).rank().to_numpy(np.float64)


def _auc(ranks: Array, positive: Array, *, either: bool) -> float:
    """Area under the ROC curve of scores with these ranks; of the better direction if `either`. 0 for few rows."""
    ones = positive.sum()
    zeros = len(positive) - ones
    if min(ones, zeros) < FEW:
        return 0.0
    area = float((ranks[positive > 0].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    return max(area, 1 - area) if either else area


def _correlation(ranks: Array, goal: Array, *, either: bool) -> float:
    if np.ptp(ranks) == 0 or np.ptp(goal) == 0:
        return 0.0
    found = float(np.corrcoef(ranks, goal)[0, 1])
    return abs(found) if either else found
