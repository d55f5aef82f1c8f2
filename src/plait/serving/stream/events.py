"""Events: one JSON object each, with an id and a time; what is none becomes a dead letter that says why."""

from __future__ import annotations

import json
import math
import re
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from plait.contracts import Json
from plait.serving.stream.parts import Raw

__all__ = ["REASONS", "Event", "Letter", "Reading"]

REASONS: Final[Mapping[str, str]] = {
    "not_json": "the event is no JSON object of whole characters",
    "no_id": "the event has no id",
    "no_time": "the event has no time",
    "too_large": "the event is larger than --max-bytes",
    "too_old": "the event is older than ids are remembered, so that nobody knows whether it was decided already",
    "future": "the time of the event is ahead of the clock of this machine",
    "refused": "the model cannot read the event",
    "trimmed": "the stream was trimmed before the event was read to the end",
    "not_a_letter": "the line is no dead letter of a stream",
}
LONGEST = 200  # characters of an id
SHOWN = 1 << 16  # characters that a dead letter keeps of an event that is too large; others are kept whole


@dataclass(frozen=True, slots=True)
class Event:
    """An event that can be scored.

    Parameters
    ----------
    id
        What it is known by.
    time
        Seconds since 1970.
    cells
        All that it holds.
    raw
        As it came.
    features
        Of its windows, where it was a dead letter after they were made: they are not made twice.
    """

    id: str
    time: float
    cells: Mapping[str, Json]
    raw: Raw
    features: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that cannot be scored: why, and the features of its windows where they were made."""

    id: str | None
    reason: str
    message: str
    raw: Raw
    features: Mapping[str, Json] | None = field(default=None)

    def told(self, seq: int) -> dict[str, Json]:
        """The line that is kept, from which the event can be tried again."""
        text = self.raw.body.decode("utf-8", errors="backslashreplace")
        if self.reason == "too_large":
            text = text[:SHOWN]
        told = {"seq": seq, "id": self.id, "reason": self.reason, "message": self.message, "event": text}
        return told if self.features is None else {**told, "windows": dict(self.features)}


@dataclass(frozen=True)
class Reading:
    """How events are read.

    Parameters
    ----------
    id, time
        Names of the fields.
    ahead
        Seconds a time may be ahead of this machine's clock: one event of the year 2099 would make all others late.
    letters
        The lines are dead letters; the events are inside.
    """

    id: str = "id"
    time: str = "time"
    ahead: float = 86_400.0
    letters: bool = False

    def __call__(self, raw: Raw) -> Event | Letter:
        """An event, or why there is none."""
        if raw.fault:
            return Letter(None, raw.fault, REASONS[raw.fault], raw)
        features: Mapping[str, Json] | None = None
        if self.letters:
            letter = _object(raw.body)
            if letter is None or type(letter.get("event")) is not str:
                return Letter(None, "not_a_letter", REASONS["not_a_letter"], raw)
            features = letter["windows"] if type(letter.get("windows")) is dict else None
            raw = Raw(letter["event"].encode("utf-8", errors="replace"), raw.key)
        cells = _object(raw.body)
        if cells is None:
            return Letter(None, "not_json", REASONS["not_json"], raw)
        id = _id(cells.get(self.id))
        if id is None:
            said = f"{self.id!r} is no text of 1 to {LONGEST} characters, and no whole number"
            return Letter(None, "no_id", said, raw)
        time = _seconds(cells.get(self.time))
        if time is None:
            said = f"{self.time!r} is no moment: give ISO 8601 (2026-01-31T09:30:00Z) or seconds since 1970"
            return Letter(id, "no_time", said, raw)
        if time > clock.time() + self.ahead:
            said = (
                f"{self.time!r} is {time - clock.time():,.0f} s ahead of the clock (milliseconds since 1970, perhaps?)"
            )
            return Letter(id, "future", said, raw)
        return Event(id, time, cells, raw, features)


def _constant(text: str) -> None:
    raise ValueError(text)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        text = body.decode("utf-8")
        found = _DECODER.decode(text)
        if _HALF(text):
            json.dumps(found, ensure_ascii=False).encode()  # a half without its other half is no text
    except (ValueError, RecursionError):
        return None
    return found if type(found) is dict else None


_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]").search
_DECODER: Final = json.JSONDecoder(parse_constant=_constant)


def _id(cell: object) -> str | None:
    if type(cell) is int:
        cell = str(cell)
    if type(cell) is not str or not 0 < len(cell) <= LONGEST:
        return None
    return cell if cell.isprintable() else None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def _seconds(cell: object) -> float | None:
    if type(cell) is str:
        try:
            found = datetime.fromisoformat(cell)
        except ValueError:
            return None
        passed = (found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH
        # The same float as `plait.data.frame.seconds` makes of it: windows for training are equal to the last bit.
        return float(passed // _MICROSECOND * 1000) / 1e9
    if type(cell) in (int, float):
        try:
            value = float(cell)  # type: ignore[arg-type]
        except OverflowError:
            return None
        return value if math.isfinite(value) else None
    return None
