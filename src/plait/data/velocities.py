"""What was seen of an entity lately, kept up event by event: counts, sums, means, peaks, distinct values, recency."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.data.windows import Entity, Windows

__all__ = ["Velocities"]

# Sums are whole multiples of 2**-40, so that adding and taking away in any order gives the same sum to the last bit:
# windows that were kept up, rebuilt after a crash, or computed for training cannot differ.
SCALE = 2.0**40
FEW = 64  # entities below which none is cleared away
FULL = 8  # events of an entity below which none is
SHORT = 32  # events of an entity up to which it is quicker to look at them than to keep aggregates up
SHARED = 1 << 16  # names of which one copy is shared among the events that have them
NAN = math.nan


class Velocities:
    """The windows of a stream of events, as far as it was seen.

    An event sees the events of its entity that came before it and have ``time - span < their time <= time``. One that
    comes late (its time is before others') is put in its right place for those that come later, unless it is more than
    `late` seconds behind the latest time seen: then it is told as late, sees what is still known, and is not kept.

    Events older than the longest span and `late` together, counted from the latest time, are forgotten, and so are
    entities of which nothing else is known.

    Parameters
    ----------
    windows
        Which entities, spans and aggregates.
    late
        Seconds an event may be behind the latest time and still count.
    watermark
        The latest time seen so far, in seconds since 1970.
    """

    def __init__(self, windows: Windows, late: float = 0.0, watermark: float = -math.inf) -> None:
        self.watermark = watermark
        self.late = late
        self.keep = windows.longest + late
        self._books = tuple(_Book(entity, windows) for entity in windows.entities)
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        """Entities of which something is known."""
        return sum(len(book.tracks) for book in self._books)

    def see(self, time: float, texts: Sequence[str | None], numbers: Sequence[float]) -> tuple[list[float], bool]:
        """What is known at an event, then the event itself is taken in.

        Parameters
        ----------
        time
            Of the event, in seconds since 1970.
        texts, numbers
            Its cells of ``windows.texts`` (None: missing) and of ``windows.numbers`` (NaN: missing).

        Returns
        -------
        list of float, bool
            The features in the order of ``windows.names``, and whether the event is too late to count.
        """
        self.watermark = max(self.watermark, time)
        late = time < self.watermark - self.late
        floor = self.watermark - self.keep
        texts = self._shared(texts)
        found: list[float] = []
        for book in self._books:
            found += book.see(time, texts, numbers, floor, take=not late)
        return found, late

    def restore(self, time: float, texts: Sequence[str | None], numbers: Sequence[float]) -> None:
        """Take in an event that was seen, and was not late, before a restart; in the order of arrival."""
        texts = self._shared(texts)
        for book in self._books:
            book.see(time, texts, numbers, -math.inf, take=True)

    def _shared(self, texts: Sequence[str | None]) -> list[str | None]:
        """The same names, each as one object: they are held by the hundred thousand."""
        if len(self._names) > SHARED:
            self._names.clear()
        return [text and self._names.setdefault(text, text) for text in texts]


class _Recent:
    """The aggregates of a track over one span, as of its newest event."""

    __slots__ = ("first", "known", "peaks", "sums", "values")

    def __init__(self, numbers: int, peaks: int, kinds: int) -> None:
        self.first = 0  # index of the oldest event inside
        self.known = [0] * numbers
        self.sums = [0] * numbers
        self.peaks: list[list[tuple[float, float]]] = [[] for _ in range(peaks)]  # (time, value), values falling
        self.values: list[dict[str, int]] = [{} for _ in range(kinds)]


class _Track:
    """The events of one entity, by time; equal times by arrival."""

    __slots__ = ("full", "kinds", "numbers", "recents", "times")

    def __init__(self, book: _Book) -> None:
        self.times = array("d")
        self.numbers = tuple(array("d") for _ in book.numbers)
        self.kinds: tuple[list[str | None], ...] = tuple([] for _ in book.kinds)
        self.recents: tuple[_Recent, ...] = ()  # once it is long
        self.full = FULL


class _Book:
    """The tracks of one column of entities."""

    def __init__(self, entity: Entity, windows: Windows) -> None:
        self.tracks: dict[str, _Track] = {}
        self.spans = entity.seconds
        self._key = windows.texts.index(entity.column)
        used = entity.reads(("sum", "mean", "max", "ratio"))
        self.numbers = tuple(windows.numbers.index(name) for name in used)
        self.peaks = tuple(used.index(name) for name in entity.reads(("max",)))
        distinct = entity.reads(("distinct",))
        self.kinds = tuple(windows.texts.index(name) for name in distinct)
        places = {"distinct": distinct, "max": entity.reads(("max",))}
        self._asked = tuple((a.kind, places.get(a.kind, used).index(a.of) if a.of else 0) for a in entity.aggregates)
        self._since = entity.since
        self._until_sweep = FEW

    def see(
        self, time: float, texts: Sequence[str | None], numbers: Sequence[float], floor: float, *, take: bool
    ) -> list[float]:
        key = texts[self._key]
        own = [numbers[i] for i in self.numbers]
        if key is None:
            return self._nothing(unknown=True)
        track = self.tracks.get(key)
        if track is None:
            if not take:
                return self._nothing(unknown=False)
            track = self.tracks[key] = _Track(self)
        in_order = take and (not track.times or time >= track.times[-1])
        if in_order and track.recents:
            self._advance(track, time)
            found = self._told(track, own, time)
        else:
            found = self._looked_up(track, own, time, floor)
        if in_order:
            self._append(track, time, own, [texts[i] for i in self.kinds], floor)
        elif take:
            self._insert(track, time, own, [texts[i] for i in self.kinds])
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            self._sweep(floor)
        return found

    def _nothing(self, *, unknown: bool) -> list[float]:
        """Of an entity that was never seen; of a missing one, nothing can be said at all."""
        empty = [0.0 if kind in ("count", "sum", "distinct") and not unknown else NAN for kind, _ in self._asked]
        return ([NAN] if self._since else []) + empty * len(self.spans)

    def _advance(self, track: _Track, time: float) -> None:
        """Take out of each span what is over at `time`."""
        times = track.times
        for span, recent in zip(self.spans, track.recents, strict=True):
            over, at, n = time - span, recent.first, len(times)
            while at < n and times[at] <= over:
                for j, values in enumerate(track.numbers):
                    if (value := values[at]) == value:
                        recent.known[j] -= 1
                        recent.sums[j] -= int(value * SCALE)
                for counts, kinds in zip(recent.values, track.kinds, strict=True):
                    if (kind := kinds[at]) is not None:
                        if counts[kind] == 1:
                            del counts[kind]
                        else:
                            counts[kind] -= 1
                at += 1
            recent.first = at
            for peak in recent.peaks:
                while peak and peak[0][0] <= over:
                    del peak[0]

    def _told(self, track: _Track, own: list[float], time: float) -> list[float]:
        """The features as of the newest event, from the running aggregates."""
        n = len(track.times)
        found: list[float] = []
        if self._since:
            found.append(time - track.times[-1] if n and track.times[-1] > time - self.spans[-1] else NAN)
        for recent in track.recents:
            for kind, j in self._asked:
                if kind == "count":
                    found.append(float(n - recent.first))
                elif kind == "distinct":
                    found.append(float(len(recent.values[j])))
                elif kind == "max":
                    found.append(recent.peaks[j][0][1] if recent.peaks[j] else NAN)
                else:
                    found.append(_of_sum(kind, recent.sums[j], recent.known[j], own[j]))
        return found

    def _looked_up(self, track: _Track, own: list[float], time: float, floor: float) -> list[float]:
        """The features at a moment before the newest event, from the events themselves."""
        times = track.times
        end = bisect_right(times, time)
        found: list[float] = []
        if self._since:
            seen = end and times[end - 1] > max(time - self.spans[-1], floor)
            found.append(time - times[end - 1] if seen else NAN)
        before, told = -1, found
        for span in self.spans:
            start = bisect_right(times, max(time - span, floor), 0, end)
            if start != before:  # else the longer span sees no more than the shorter
                before, told = start, self._of_slice(track, own, start, end)
            found += told
        return found

    def _of_slice(self, track: _Track, own: list[float], start: int, end: int) -> list[float]:
        """The aggregates of the events from `start` up to `end`."""
        found: list[float] = []
        for kind, j in self._asked:
            if kind == "count":
                found.append(float(end - start))
            elif kind == "distinct":
                found.append(float(len(set(track.kinds[j][start:end]) - {None})))
            elif kind == "max":
                values = track.numbers[self.peaks[j]][start:end]
                found.append(max((value for value in values if value == value), default=NAN))
            else:
                inside = [int(value * SCALE) for value in track.numbers[j][start:end] if value == value]
                found.append(_of_sum(kind, sum(inside), len(inside), own[j]))
        return found

    def _append(self, track: _Track, time: float, own: list[float], kinds: list[str | None], floor: float) -> None:
        if len(track.times) >= track.full:
            self._forget(track, floor)
        track.times.append(time)
        for values, value in zip(track.numbers, own, strict=True):
            values.append(value)
        for names, kind in zip(track.kinds, kinds, strict=True):
            names.append(kind)
        for recent in track.recents:
            self._add(recent, time, own, kinds)
        if not track.recents and len(track.times) > SHORT:
            track.recents = tuple(self._gathered(track, time - span) for span in self.spans)

    def _gathered(self, track: _Track, over: float) -> _Recent:
        """The aggregates of the events after the moment `over`."""
        recent = _Recent(len(self.numbers), len(self.peaks), len(self.kinds))
        recent.first = bisect_right(track.times, over)
        for i in range(recent.first, len(track.times)):
            own, kinds = [values[i] for values in track.numbers], [names[i] for names in track.kinds]
            self._add(recent, track.times[i], own, kinds)
        return recent

    def _insert(self, track: _Track, time: float, own: list[float], kinds: list[str | None]) -> None:
        """Put an event that comes late in its place."""
        at, newest = bisect_right(track.times, time), track.times[-1]
        track.times.insert(at, time)
        for values, value in zip(track.numbers, own, strict=True):
            values.insert(at, value)
        for names, kind in zip(track.kinds, kinds, strict=True):
            names.insert(at, kind)
        for span, recent in zip(self.spans, track.recents, strict=False):  # a short track has none
            if time <= newest - span:
                recent.first += 1
            else:
                self._add(recent, time, own, kinds)

    def _add(self, recent: _Recent, time: float, own: list[float], kinds: list[str | None]) -> None:
        for j, value in enumerate(own):
            if value == value:
                recent.known[j] += 1
                recent.sums[j] += int(value * SCALE)
        for peak, j in zip(recent.peaks, self.peaks, strict=True):
            value = own[j]
            if value == value:
                at = bisect_right(peak, time, key=_moment)
                if at == len(peak) or peak[at][1] < value:
                    start = at
                    while start and peak[start - 1][1] <= value:
                        start -= 1
                    peak[start:at] = [(time, value)]
        for counts, kind in zip(recent.values, kinds, strict=True):
            if kind is not None:
                counts[kind] = counts.get(kind, 0) + 1

    def _forget(self, track: _Track, floor: float) -> None:
        """Drop the events that nobody can see any more."""
        gone = bisect_right(track.times, floor)
        for values in (track.times, *track.numbers):
            del values[:gone]
        for names in track.kinds:
            del names[:gone]
        for recent in track.recents:
            recent.first -= gone
        held = len(track.times)
        if held <= SHORT // 2:
            track.recents = ()
        track.full = max(FULL, held + held // 4)

    def _sweep(self, floor: float) -> None:
        """Drop the entities of which nothing can be seen any more."""
        for key in [key for key, track in self.tracks.items() if track.times[-1] <= floor]:
            del self.tracks[key]
        self._until_sweep = max(FEW, len(self.tracks))


def _moment(peak: tuple[float, float]) -> float:
    return peak[0]


def _of_sum(kind: str, total: int, known: int, own: float) -> float:
    """A sum, a mean, or the event's own value over the mean."""
    if kind == "sum":
        return total / SCALE
    if not known:
        return NAN
    mean = total / SCALE / known
    if kind == "mean":
        return mean
    return own / mean if mean else NAN
