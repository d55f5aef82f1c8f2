"""Which rows a run is fitted on and which judge it; asked the same again, the same rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar, cast

import numpy as np
import pandas as pd

from plait.data.splits import split
from plait.data.stream import Stream
from plait.errors import ConfigError

if TYPE_CHECKING:
    from plait.data.schema import Schema

__all__ = ["Division", "DivisionKind", "divide"]

DivisionKind: TypeAlias = Literal["time", "group", "class", "random", "none"]


Rows = TypeVar("Rows", bound=pd.DataFrame | Stream)


@dataclass(frozen=True)
class Division(Generic[Rows]):
    """Rows to fit on, rows to judge by (None: none are held out), and what they were divided by."""

    train: Rows
    test: Rows | None
    kind: DivisionKind

    def digest(self) -> str:
        """SHA-256 of which rows stand on which side, by their labels in the frame: whole numbers, as `read` makes
        them."""
        found = hashlib.sha256()
        for side in (self.train, self.test):
            rows: object = [] if side is None else side.index
            found.update(np.asarray(rows, np.int64).tobytes() + b"|")
        return found.hexdigest()


def divide(frame: Rows, schema: Schema, *, classifies: bool, test: float, seed: int) -> Division[Rows]:
    """Hold out the latest rows where rows have a time, whole groups where they have groups, else some at random.

    Parameters
    ----------
    frame
        Rows with the schema's target, which is known in each.
    classifies
        Whether the target is classes: random rows are then held out class by class.
    test
        Share of rows held out; 0: none.
    seed
        Of what is random.

    Raises
    ------
    ConfigError
        If the share is not in 0..1, 1 excluded.
    DataError
        If a time is missing or does not parse, or a side would be empty.
    """
    if not 0 <= test < 1:
        raise ConfigError(f"--test {test:g} is out of range; give a share of the rows, 0 (none) or more and below 1")
    if not test:
        return Division(frame, None, "none")
    if isinstance(frame, Stream):
        roles = (schema.target, schema.time, schema.label_time, schema.group)
        told = pd.DataFrame({name: frame[name] for name in roles if name is not None})
        train, held, kind = _divided(told, schema, classifies, test, seed)
        fit, judge = frame.take(train.index.to_numpy()), frame.take(held.index.to_numpy())
        return cast("Division[Rows]", Division(fit, judge, kind))
    return cast("Division[Rows]", Division(*_divided(frame, schema, classifies, test, seed)))


def _divided(
    frame: pd.DataFrame, schema: Schema, classifies: bool, test: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, DivisionKind]:
    ordered = schema.time is not None or schema.group is not None
    twice = bool((frame[schema.target].value_counts() > 1).all())  # a class of one row cannot stand on both sides
    stratify = schema.target if classifies and twice and not ordered else None
    train, held = split(
        frame,
        time=schema.time,
        label_time=schema.label_time if schema.time else None,
        group=schema.group,
        stratify=stratify,
        test=test,
        seed=seed,
    )
    kinds: dict[DivisionKind, str | None] = {"time": schema.time, "group": schema.group, "class": stratify}
    return train, held, next((kind for kind, column in kinds.items() if column), "random")
