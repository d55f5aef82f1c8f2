"""What a table of links holds: which columns are ends, amounts, kinds and attributes, and on what scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json, Side
from plait.errors import SchemaError, unknown
from plait.modalities.graph.entities import endpoints

__all__ = ["DAY", "Attribute", "Layout", "numbers"]

DAY = 86_400.0
MAX_KINDS = 8
DIGITS = 4  # to which amounts are counted, beyond the first one of the usual amount
LEVELS = 100  # that a column found to hold kinds has at most
HUGE = 1e30
MAX_ATTRIBUTES = 16
WINDOWS = (64, 16, 4)  # parts of the time that links had spanned when the room was fitted
EPOCHS = 8  # in that time, at whose beginnings PageRank is taken


class Attribute(NamedTuple):
    """A numeric attribute of entities: its mean and standard deviation over the ends of links."""

    name: str
    centre: float
    spread: float


@dataclass(frozen=True)
class Layout:
    """Learned from the links that were known by the last training row's time; JSON.

    Parameters
    ----------
    key, target, time, amount, kind
        Columns: the ends, and what else is there.
    directed
        Whether the key's column is the source and not just one of the ends.
    usual
        The median amount, without sign.
    kinds
        The most frequent kinds.
    attributes
        What the numeric columns ``<key>.a`` and ``<target>.a`` tell of the ends.
    windows
        Seconds, rising.
    origin, step
        PageRank is taken at ``origin + i * step``, in seconds.
    """

    key: str
    target: str
    time: str | None
    amount: str | None
    kind: str | None
    directed: bool
    usual: float
    kinds: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    windows: tuple[float, ...]
    origin: float
    step: float

    @classmethod
    def learn(cls, side: Side, latest: float, options: Mapping[str, Json]) -> Self:
        """Find out what the table holds; `latest` (seconds) is the last training row's time.

        Raises
        ------
        SchemaError
            If no column holds the other ends.
        ConfigError
            If an option names a column that is not there.
        """
        for role in ("target", "amount", "kind"):
            if role in options and options[role] not in side.columns:
                raise unknown(f"column of links {side.name!r}", options[role], side.columns)
        found = endpoints(side)
        if "target" not in options and not found:
            raise SchemaError(
                f"the links {side.name!r} have no column of the same entities as {side.key!r}; name one as `target`"
            )
        target = str(options["target"]) if "target" in options else found[0]
        time = None if side.time is None else side.columns[side.time]
        seen = np.ones(len(side.columns[side.key]), bool) if time is None else time <= latest
        ends = (side.key, target)
        others = [n for n in side.columns if n not in (*ends, side.time) and "." not in n]
        numeric = [n for n in others if side.columns[n].dtype.kind in "iuf"]
        categories = [n for n in others if side.columns[n].dtype.kind in "bO" and _few(side.columns[n])]
        amount = options.get("amount", next(iter(numeric), None))
        kind = options.get("kind", next(iter(categories), None))
        origin, last = _span(time, seen, latest)
        days = options.get("windows")
        span = last - origin
        windows = [_round(span / part) for part in WINDOWS if span > 0] if days is None else [d * DAY for d in days]
        return cls(
            side.key,
            target,
            side.time,
            amount,
            kind,
            bool(options.get("directed", True)),
            1.0 if amount is None else _usual(numbers(side, amount)[seen]),
            () if kind is None else _frequent(side.columns[kind], seen),
            tuple(_attribute(side, ends, name, seen) for name in _attributes(side, ends)),
            () if time is None else tuple(sorted(set(windows))),
            origin,
            span / EPOCHS if span > 0 else 1.0,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table of links must have."""
        named = (self.key, self.target, self.time, self.amount, self.kind)
        return tuple(name for name in named if name is not None)

    @property
    def unit(self) -> float:
        """In which amounts are counted: a power of ten, so that cents come out whole."""
        return float(10.0 ** (np.floor(np.log10(self.usual)) - DIGITS))

    def to_json(self) -> Json:
        saved: dict[str, Json] = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return saved | {"attributes": [list(attribute) for attribute in self.attributes]}

    @classmethod
    def from_json(cls, saved: Json) -> Self:
        given: dict[str, Json] = {k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()}
        return cls(**given | {"attributes": tuple(Attribute(*each) for each in saved["attributes"])})


def numbers(side: Side, name: str) -> npt.NDArray[np.float64]:
    """A column of links as float64, NaN where there is none.

    Raises
    ------
    SchemaError
        If it holds no numbers.
    """
    values = side.columns[name]
    if values.dtype.kind not in "biuf":
        raise SchemaError(f"the links {side.name!r}: column {name!r} holds no numbers")
    return values.astype(np.float64)


def _attributes(side: Side, ends: tuple[str, str]) -> tuple[str, ...]:
    named = dict.fromkeys(
        name.removeprefix(f"{end}.")
        for name, values in side.columns.items()
        for end in ends
        if name.startswith(f"{end}.") and values.dtype.kind in "biuf"
    )
    return tuple(named)[:MAX_ATTRIBUTES]


def _attribute(side: Side, ends: tuple[str, str], name: str, seen: npt.NDArray[np.bool_]) -> Attribute:
    held = [numbers(side, f"{end}.{name}")[seen] for end in ends if f"{end}.{name}" in side.columns]
    values = np.concatenate(held)
    values = np.clip(values[np.isfinite(values)], -HUGE, HUGE)
    return Attribute(name, float(values.mean()), float(values.std()) or 1.0) if len(values) else Attribute(name, 0, 1)


def _usual(values: npt.NDArray[np.float64]) -> float:
    given = np.abs(values[np.isfinite(values) & (values != 0)])
    return float(np.clip(np.median(given), 1 / HUGE, HUGE)) if len(given) else 1.0


def _few(values: Array) -> bool:
    return len({str(cell) for cell in values.tolist()}) <= LEVELS


def _frequent(values: Array, seen: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    counted = Counter(str(cell) for cell in values[seen].tolist() if cell is not None)
    return tuple(sorted(counted, key=lambda kind: (-counted[kind], kind))[:MAX_KINDS])


def _span(time: Array | None, seen: npt.NDArray[np.bool_], latest: float) -> tuple[float, float]:
    """First link and last moment that training saw, in seconds."""
    if time is None or not seen.any():
        return 0.0, 0.0
    inside = time[seen]
    return float(inside.min()), float(latest if np.isfinite(latest) else inside.max())


def _round(seconds: float) -> float:
    """The nearest 1, 2 or 5 times a power of ten, in days."""
    days = seconds / DAY
    power = 10.0 ** np.floor(np.log10(days))
    steps = np.array([1.0, 2.0, 5.0, 10.0])
    return float(steps[np.abs(np.log(days / power / steps)).argmin()] * power * DAY)
