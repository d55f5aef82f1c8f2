"""What each column of the frame adds to the score, as the parts of the model themselves add it up."""

from __future__ import annotations

import numpy as np

from plait.explain.explanation import ColumnShares
from plait.explain.subject import Subject

__all__ = ["explain_columns"]


def explain_columns(subject: Subject) -> ColumnShares:
    """Shares of features summed to the columns that they are made of; the features stay beside them.

    What belongs to no single column of a source with several stands under the source's name.
    """
    found = subject.contributions
    places: dict[tuple[str, str], int] = {}
    column = np.array([places.setdefault((o.source, o.column), len(places)) for o in found.origins], np.int64)
    values = np.zeros((len(subject), len(places)))
    for i, place in enumerate(column):
        values[:, place] += found.values[:, i]
    several = len(subject.sources) > 1
    names = tuple(f"{o.source}.{o.name}" if several else o.name for o in found.origins)
    return ColumnShares(
        columns=tuple(name for _, name in places),
        sources=tuple(source for source, _ in places),
        base=found.base,
        score=found.score,
        values=values,
        residual=found.residual,
        methods=found.methods,
        features=(names, found.values),
        attention=found.attention or None,
    )
