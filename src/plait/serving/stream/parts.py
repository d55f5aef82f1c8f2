"""What the parts of a stream promise each other: sources, sinks, and the state that is committed in one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from plait.contracts import Json
from plait.serving.stream.addresses import Address

__all__ = ["Outgoing", "Raw", "Read", "Saved", "Seen", "Sink", "Source", "State", "Step"]


class Raw(NamedTuple):
    """One event as it came: its bytes, a name that the source gives it ("": none), and why it cannot be used."""

    body: bytes
    key: str = ""
    fault: str = ""


class Read(NamedTuple):
    """What a source gave: events in their order, where the next one stands, and whether there will be no more."""

    events: list[Raw]
    position: Json
    ended: bool


class Outgoing(NamedTuple):
    """One outcome or dead letter: its number in the stream of this state, and its line of JSON."""

    seq: int
    dead: bool
    line: str


class Seen(NamedTuple):
    """An event that has its outcome: its id, its time in seconds since 1970, and whether it became a dead letter."""

    id: str
    time: float
    dead: bool


@dataclass(frozen=True)
class Saved:
    """What a state knows besides windows, ids and outcomes; JSON.

    Parameters
    ----------
    identity
        A name of the state that never changes; decisions and consumers are named after it.
    seq
        Number of the latest outcome or dead letter.
    watermark
        The latest time of an event, in seconds since 1970; None before the first.
    windows
        What is kept of events (`plait.data.windows.Windows.to_json`), how late they may be, and how long ids are kept.
    positions
        How far each source was read, by its address.
    marks
        How far each sink was written, by its address.
    """

    identity: str
    seq: int = 0
    watermark: float | None = None
    windows: Mapping[str, Json] = field(default_factory=dict)
    positions: Mapping[str, Json] = field(default_factory=dict)
    marks: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What one commit changes, all or nothing.

    Parameters
    ----------
    saved
        The new `Saved`.
    segment
        Events that windows took in, packed; None where there are none.
    drop
        How many of the oldest segments are over.
    seen
        Events that have their outcome now.
    forget
        Ids of events before this moment need not be known any more.
    outgoing
        Outcomes and dead letters, to be kept until they are delivered.
    delivered
        Those up to this number are.
    """

    saved: Saved
    segment: bytes | None = None
    drop: int = 0
    seen: Sequence[Seen] = ()
    forget: float = float("-inf")
    outgoing: Sequence[Outgoing] = ()
    delivered: int = 0


class Source(Protocol):
    """Where events come from."""

    def __init__(self, address: Address, *, follow: bool, max_bytes: int) -> None: ...

    def begin(self, position: Json, reader: str) -> None:
        """Go on at a position that `read` gave (None: at the beginning), as the reader of this name."""

    def read(self, most: int, wait: float) -> Read:
        """Up to `most` events that are there; where there are none, wait up to `wait` seconds for the first."""

    def done(self) -> None:
        """All that was read is committed."""

    def behind(self) -> int | None:
        """What is there and not yet read, in `unit`; None where nobody knows."""

    @property
    def unit(self) -> str:
        """What `behind` counts."""

    def close(self) -> None: ...


class Sink(Protocol):
    """Where outcomes go, each once, also if the worker is killed."""

    def __init__(self, address: Address) -> None: ...

    def begin(self, mark: Json) -> Json:
        """Be as it was at a mark (None: from now on): the mark to keep before anything is written."""

    def write(self, lines: Sequence[Outgoing]) -> Json:
        """Write in order; what was written after the mark that `begin` was given stands there once. The new mark."""

    def close(self) -> None: ...


class State(Protocol):
    """What survives a crash. One worker at a time; one that was replaced is refused."""

    def __init__(self, address: Address) -> None: ...

    def own(self) -> None:
        """Be its worker, before anything is committed; without it, a state is only looked at."""

    @property
    def saved(self) -> Saved | None:
        """What was committed last; None where nothing was."""

    def segments(self) -> Iterator[bytes]:
        """The events that windows may still see, in the order of arrival."""

    def outgoing(self) -> list[Outgoing]:
        """What was not told to be delivered, in order."""

    def known(self, ids: Sequence[str]) -> dict[str, bool]:
        """Which of these have their outcome, and whether that is a dead letter."""

    def commit(self, step: Step) -> None: ...

    def size(self) -> int:
        """Bytes that it takes."""

    def close(self) -> None: ...
