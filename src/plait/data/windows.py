"""Windows over the past of an entity (a card, a device, a shop) as columns: the same for training and on a stream."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from plait.contracts import Json
from plait.data.velocities import Velocities
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGGREGATES", "Aggregate", "Entity", "Windows", "duration", "number_of", "text_of"]

AGGREGATES = ("count", "sum", "mean", "max", "distinct", "ratio", "since")
BARE = ("count", "since")  # those that are of no other column
LARGEST = 1e200  # a number that can be added up: sums of as many as there may be stay below the largest float
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True)
class Aggregate:
    """One aggregate: its kind, and the column that it is of ("" for `count`)."""

    kind: str
    of: str = ""


@dataclass(frozen=True)
class Entity:
    """What is known of the entities in one column.

    Parameters
    ----------
    column
        The column that names the entity.
    spans
        Lengths of time as they were written, the shortest first.
    aggregates
        Over each span.
    since
        Also the seconds since the entity was last seen; missing where that is longer ago than the longest span.
    """

    column: str
    spans: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    since: bool

    @property
    def seconds(self) -> tuple[float, ...]:
        """The spans in seconds."""
        return tuple(duration(span) for span in self.spans)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are made, in the order in which they are computed."""
        told = [
            "_".join(filter(None, (self.column, each.kind, each.of, span)))
            for span in self.spans
            for each in self.aggregates
        ]
        return ((f"{self.column}_since",) if self.since else ()) + tuple(told)

    def reads(self, kinds: Sequence[str]) -> tuple[str, ...]:
        """The columns that aggregates of these kinds are of."""
        return tuple(dict.fromkeys(each.of for each in self.aggregates if each.kind in kinds))


@dataclass(frozen=True)
class Windows:
    """Features of events from the events before them, entity by entity.

    Parameters
    ----------
    entities
        What is known of each column of entities.

    Notes
    -----
    As JSON or YAML, one entry a column of entities::

        card:
          over: [10m, 1h, 1d]
          features: [count, sum(amount), max(amount), ratio(amount), distinct(merchant), since]

    `ratio` is the event's own value over the mean of the window. Columns are called ``card_sum_amount_1h``. A sum and
    a count of nothing are 0, a mean and a maximum of nothing are missing; of an event whose entity is missing, all are.
    """

    entities: tuple[Entity, ...]

    @classmethod
    def of(cls, told: Mapping[str, Json]) -> Self:
        """From what JSON or YAML says.

        Raises
        ------
        ConfigError
            If an entry is not as described, a span no length of time, or an aggregate unknown.
        """
        if not isinstance(told, Mapping) or not told:
            raise ConfigError("windows name no column of entities; write card: {over: [1h], features: [count]}")
        return cls(tuple(_entity(column, entry) for column, entry in told.items()))

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Self:
        """From a YAML or JSON file.

        Raises
        ------
        DataError
            If it cannot be read, or is no YAML.
        ConfigError
            As `of`.
        """
        import yaml

        try:
            told = yaml.safe_load(Path(path).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise DataError(f"windows {str(path)!r} cannot be read: {str(error).splitlines()[0]}") from None
        try:
            return cls.of(told)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def to_json(self) -> dict[str, Json]:
        """What `of` reads."""
        return {
            each.column: {
                "over": list(each.spans),
                "features": [f"{a.kind}({a.of})" if a.of else a.kind for a in each.aggregates]
                + (["since"] if each.since else []),
            }
            for each in self.entities
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns that are made."""
        return tuple(name for each in self.entities for name in each.names)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The columns that are read as names: entities, and those whose distinct values are counted."""
        columns = [each.column for each in self.entities]
        return tuple(dict.fromkeys([*columns, *(of for each in self.entities for of in each.reads(("distinct",)))]))

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The columns that are read as numbers."""
        kinds = ("sum", "mean", "max", "ratio")
        return tuple(dict.fromkeys(of for each in self.entities for of in each.reads(kinds)))

    @property
    def longest(self) -> float:
        """Seconds of the longest span."""
        return max((each.seconds[-1] for each in self.entities), default=0.0)

    def columns(
        self, frame: pd.DataFrame, time: str, *, arrival: str | None = None, late: str | float = 0.0
    ) -> pd.DataFrame:
        """The features of a frame of events, to train on: what a stream would have known at each of them.

        Parameters
        ----------
        frame
            One row an event, in any order.
        time
            The column of moments.
        arrival
            A column that tells the order in which events came in (numbers or moments). By default that of their
            times, equal times in the order of the rows: no event came late.
        late
            How far an event may be behind and still count, where `arrival` is told.

        Returns
        -------
        pandas.DataFrame
            float64, one column a name of `names`, with the index of `frame`.

        Raises
        ------
        DataError
            If a column is not there, or a moment missing or unreadable.
        """
        import numpy as np
        import pandas as pd

        from plait.data.frame import seconds

        for name in (time, *([arrival] if arrival else []), *self.texts, *self.numbers):
            if name not in frame.columns:
                raise DataError(f"windows: {unknown('column', name, map(str, frame.columns))}")
        moments = seconds(frame[time], time)
        if missing := int(np.isnan(moments).sum()):
            raise DataError(f"time column {time!r} is empty in {missing} row(s); fill or drop them")
        order = np.argsort(moments if arrival is None else seconds(frame[arrival], arrival), kind="stable")
        texts = [_texts(frame[name]) for name in self.texts]
        numbers = [[number_of(cell) for cell in frame[name].tolist()] for name in self.numbers]
        seen, found = Velocities(self, duration(late)), np.empty((len(frame), len(self.names)))
        for i in order.tolist():
            found[i], _ = seen.see(float(moments[i]), [cells[i] for cells in texts], [cells[i] for cells in numbers])
        return pd.DataFrame(found, columns=list(self.names), index=frame.index)


def duration(said: str | float) -> float:
    """Seconds of a length of time such as ``90s``, ``10m``, ``1h``, ``7d`` or ``2w``; a number is seconds.

    Raises
    ------
    ConfigError
        If it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", str(said).strip())
    if found is None:
        raise ConfigError(f"{said!r} is no length of time; write a number and s, m, h, d or w, such as 10m or 7d")
    return float(found[1]) * UNITS[found[2] or "s"]


def text_of(cell: Any) -> str | None:
    """The name in a cell, None where it is missing: 12, 12.0 and "12" are the same name."""
    if isinstance(cell, str):
        return cell or None
    if cell is None or cell != cell:
        return None
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def number_of(cell: Any) -> float:
    """The number in a cell, NaN where there is none, or none that can be added up."""
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return value if -LARGEST <= value <= LARGEST else math.nan


def _texts(column: pd.Series[Any]) -> list[str | None]:
    there = column.notna().tolist()  # pd.NA is not even unequal to itself
    return [text_of(cell) if known else None for cell, known in zip(column.tolist(), there, strict=True)]


def _entity(column: str, entry: Json) -> Entity:
    if not isinstance(entry, Mapping) or set(entry) != {"over", "features"}:
        raise ConfigError(f"windows of {column!r}: write over: [spans] and features: [aggregates], and nothing else")
    spans, features = entry["over"], entry["features"]
    if not isinstance(spans, list) or not spans or not isinstance(features, list) or not features:
        raise ConfigError(f"windows of {column!r}: over and features are lists of at least one entry")
    if any(duration(span) <= 0 for span in spans):
        raise ConfigError(f"windows of {column!r}: a span must be longer than nothing")
    ordered = tuple(sorted(dict.fromkeys(map(str, spans)), key=duration))
    asked = [_aggregate(column, str(feature)) for feature in dict.fromkeys(features)]
    return Entity(str(column), ordered, tuple(_others(asked)), any(each.kind == "since" for each in asked))


def _others(asked: Iterable[Aggregate]) -> list[Aggregate]:
    return [each for each in asked if each.kind != "since"]


def _aggregate(column: str, said: str) -> Aggregate:
    found = re.fullmatch(r"(\w+)(?:\((.+)\))?", said.strip())
    if found is None or found[1] not in AGGREGATES:
        raise ConfigError(f"windows of {column!r}: {unknown('aggregate', found[1] if found else said, AGGREGATES)}")
    kind, of = found[1], (found[2] or "").strip()
    if bool(of) == (kind in BARE):
        right = kind if kind in BARE else f"{kind}(COLUMN)"
        raise ConfigError(f"windows of {column!r}: {said!r} should be {right}")
    return Aggregate(kind, of)
