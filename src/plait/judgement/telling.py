"""How well the cells of a source tell one group of rows from another: learned on some rows, scored on others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import Column, Features, FitContext, Learner, Source
from plait.evidence import join

__all__ = ["Halves", "Pair", "alone", "read", "scored"]

QUICK = {
    "trees": 60,
    "leaves": 8,
    "members": 1,
    "learning_rate": 0.1,
}  # boosters good enough to tell that groups differ

Pair: TypeAlias = tuple[Features, Features]


@dataclass(frozen=True)
class Halves:
    """Rows to learn the difference from, and rows to score.

    Parameters
    ----------
    labels
        int64 ``N``, 0 to below `groups`.
    fit, held
        Row numbers.
    """

    labels: npt.NDArray[np.int64]
    groups: int
    fit: npt.NDArray[np.int64]
    held: npt.NDArray[np.int64]
    seed: int
    threads: int = 1

    @classmethod
    def of(cls, labels: npt.NDArray[np.int64], groups: int, *, most: int, seed: int, threads: int = 1) -> Halves:
        """At most `most` rows of each group, drawn at random, every second one to learn from."""
        rng = np.random.default_rng([seed, 0x7E11])
        drawn = [rng.permutation(np.flatnonzero(labels == group))[:most] for group in range(groups)]
        fit, held = (np.sort(np.concatenate([rows[start::2] for rows in drawn])) for start in (0, 1))
        return cls(labels, groups, fit, held, seed, threads)

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """Labels of the scored rows."""
        return self.labels[self.held]

    @property
    def context(self) -> FitContext:
        """Of the rows to learn from; every group counts the same."""
        labels = self.labels[self.fit]
        counts = np.bincount(labels, minlength=self.groups)
        two = self.groups == 2
        return FitContext(
            targets=labels.astype(np.float64),
            task="binary" if two else "multiclass",
            outputs=1 if two else self.groups,
            weight=len(labels) / (np.count_nonzero(counts) * counts[labels]),
            seed=self.seed,
            threads=self.threads,
            doors=frozenset({"features"}),
        )


def alone(source: Source, columns: tuple[Column, ...]) -> dict[str, tuple[Source, tuple[Column, ...]]]:
    """The columns of a source, each as a source of its own."""
    made: dict[str, tuple[Source, tuple[Column, ...]]] = {}
    for name, column in zip(source.columns, columns, strict=True):
        options = {name: source.options[name]} if name in source.options else {}
        made[name] = (replace(source, name=name, columns=(name,), options=options, share=None), (column,))
    return made


def read(source: Source, columns: tuple[Column, ...], halves: Halves) -> Pair:
    """Features of both halves, by a room that has seen the first alone (labels out of fold)."""
    some, others = (tuple(column.take(rows) for column in columns) for rows in (halves.fit, halves.held))
    context = halves.context
    room = registry.room(source)(source).fit([some], context)
    return room.fit_features(room.transform(some), context), room.features(room.transform(others))


def scored(parts: Mapping[str, Pair], halves: Halves) -> npt.NDArray[np.float64]:
    """How much each row of the second half looks like each group: float64 ``n`` (of group 1) or ``n x G``."""
    fit, held = (
        join({name: pair[half] for name, pair in parts.items()}, len(rows)).features
        for half, rows in enumerate((halves.fit, halves.held))
    )
    learner: Learner = registry.make("learners", "lightgbm", QUICK)
    context = halves.context
    scores = learner.fit(fit, context).scores(held)
    return scores[:, 0] if scores.shape[1] == 1 else np.asarray(scores)
