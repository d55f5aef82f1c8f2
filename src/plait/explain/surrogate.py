"""A small tree that says almost what the model says, in words that can be read, and how faithful it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.contracts import Column, Json
from plait.errors import ConfigError, DataError
from plait.explain.subject import Subject
from plait.metrics.shown import number, plain

__all__ = ["Leaf", "Split", "Surrogate", "surrogate"]

FEWEST = 40  # rows: half of them judge
LEVELS = 8  # categories of a column that a tree may ask about


@dataclass(frozen=True)
class Leaf:
    """Where the tree ends: mean prediction of the model there, and the share of the rows that come here."""

    prediction: float
    share: float


@dataclass(frozen=True)
class Split:
    """A question about one column or feature; rows of which it is true go on at `yes`.

    `said` is the question in words (``"income <= 3,200"``, ``"purpose is car"``); a missing
    cell answers as `missing` says (None: no cell is missing, or that it is missing is the question).
    """

    said: str
    missing: bool | None
    share: float
    yes: Split | Leaf
    no: Split | Leaf


@dataclass(frozen=True)
class Surrogate:
    """A regression tree fitted to the predictions of a model.

    Parameters
    ----------
    tree
        Its root.
    fidelity
        Share of the variance of the model's predictions that the tree tells on rows that it was not grown on (R²).
    agreement
        Share of these rows on the same side of the rows' median prediction.
    rows
        Rows that it was judged on.
    """

    tree: Split | Leaf
    fidelity: float
    agreement: float
    rows: int

    def rules(self) -> tuple[tuple[str, float, float], ...]:
        """Every leaf as (conditions in words, mean prediction, share of rows), the highest prediction first."""
        return tuple(sorted(_rules(self.tree, ()), key=lambda rule: -rule[1]))

    def __str__(self) -> str:
        head = f"a tree that tells {self.fidelity:.0%} of what moves the model ({self.rows:,} rows it did not see)"
        lines = [f"{number(value):>8}  {share:4.0%} of rows  if {said}" for said, value, share in self.rules()]
        return "\n".join([head, "", *lines])

    def to_json(self) -> Json:
        return plain(self)


def surrogate(subject: Subject, *, depth: int = 3, seed: int = 0) -> Surrogate:
    """Grow a small tree on the model's own predictions, over cells of the table as they stand and readable features of
    other sources (Craven & Shavlik, "Extracting Tree-Structured Representations of Trained Networks", 1996).

    The tree is grown on half of the rows and judged on the other half; its fidelity says how far to trust it.

    Parameters
    ----------
    depth
        Questions in a row, 1 to 6.

    Raises
    ------
    ConfigError
        If the depth is out of range.
    DataError
        If there are fewer than 40 rows.
    """
    from sklearn.tree import DecisionTreeRegressor

    if not 1 <= depth <= 6:
        raise ConfigError(f"depth={depth} is out of range (allowed: 1 to 6)")
    if len(subject) < FEWEST:
        raise DataError(f"{len(subject)} rows are too few to grow and judge a tree; give at least {FEWEST}")
    told = subject.prediction
    questions = list(_questions(subject))
    values = np.stack([cells for _, cells, _ in questions], axis=1)
    order = np.random.default_rng([seed, 0x51]).permutation(len(subject))
    grown, judged = order[: len(order) // 2], order[len(order) // 2 :]
    leaf = max(5, len(grown) // 50)
    tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=leaf, random_state=seed)
    tree.fit(values[grown], told[grown])
    said = tree.predict(values[judged])
    spread = float(((told[judged] - told[judged].mean()) ** 2).sum())
    missed = float(((told[judged] - said) ** 2).sum())
    middle = np.median(told[judged])
    return Surrogate(
        _read(tree.tree_, 0, questions, len(grown)),
        1.0 - missed / spread if spread else float(missed == 0.0),
        float(((said > middle) == (told[judged] > middle)).mean()),
        len(judged),
    )


Question = tuple[str, npt.NDArray[np.float64], str]  # what is asked of, float64 N (NaN missing), "number" or "level"


def _questions(subject: Subject) -> Iterator[Question]:
    """Numbers and categories of joint sources as they stand, the others' dense features, and what is present."""
    for name in subject.sources:
        room = subject.rooms[name]
        if room.joint:
            for column in subject.columns[name]:
                yield from _of_column(column)
            continue
        made = subject.view.features[name]
        for feature, cells in zip(made.names, made.values.T, strict=True):
            own = feature if feature.startswith(f"{name}.") else f"{name}.{feature}"
            yield own, np.asarray(cells, np.float64), "number"
        yield f"{name} is present", subject.batches.sources[name].present.astype(np.float64), "level"


def _of_column(column: Column) -> Iterator[Question]:
    values, kind = column.values, column.values.dtype.kind
    if kind == "f":
        finite = column.present & np.isfinite(values)
        yield column.name, np.where(finite, values, np.nan), "number"
    elif kind in "mM":
        yield column.name, np.where(column.present, values.astype(np.int64) / 1e9, np.nan), "date"
    else:
        texts = np.array([str(value) if there else "" for value, there in zip(values, column.present, strict=True)])
        levels, counts = np.unique(texts[column.present], return_counts=True)
        for level in levels[np.argsort(-counts, kind="stable")[:LEVELS]]:
            yield f"{column.name} is {level}", (column.present & (texts == level)).astype(np.float64), "level"


def _read(tree: Any, node: int, questions: list[Question], rows: int) -> Split | Leaf:
    share = float(tree.n_node_samples[node]) / rows
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left == right:
        return Leaf(float(tree.value[node].ravel()[0]), share)
    what, cells, kind = questions[int(tree.feature[node])]
    below, above = _read(tree, left, questions, rows), _read(tree, right, questions, rows)
    if kind == "level":
        return Split(what, None, share, above, below)
    edge = float(tree.threshold[node])
    shown = str(np.datetime64(round(edge), "s"))[:10] if kind == "date" else f"{edge:,.4g}"
    missing = None if not np.isnan(cells).any() else bool(tree.missing_go_to_left[node])
    return Split(f"{what} <= {shown}", missing, share, below, above)


def _rules(node: Split | Leaf, so_far: tuple[str, ...]) -> Iterator[tuple[str, float, float]]:
    if isinstance(node, Leaf):
        yield " and ".join(so_far) or "always", node.prediction, node.share
        return
    below = " <= " in node.said
    against = node.said.replace(" <= ", " > ") if below else f"not ({node.said})"
    yes = f"({node.said} or missing)" if node.missing is True else node.said
    no = f"({against} or missing)" if node.missing is False else against
    yield from _rules(node.yes, (*so_far, yes))
    yield from _rules(node.no, (*so_far, no))
