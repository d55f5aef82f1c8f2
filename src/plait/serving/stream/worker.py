"""The worker of a stream: reads what waits, makes windows, scores, commits in one step, and delivers."""

from __future__ import annotations

import json
import math
import time as clock
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from plait.contracts import Json
from plait.data.velocities import Velocities
from plait.data.windows import Windows, number_of, text_of
from plait.errors import ConfigError
from plait.serving.audit import Audit, Entry
from plait.serving.stream.events import REASONS, Event, Letter, Reading
from plait.serving.stream.parts import Outgoing, Raw, Saved, Seen, Sink, Source, State, Step
from plait.serving.stream.scoring import Scored, Scorer, Unread
from plait.serving.stream.segments import Taken, newest, pack, unpack

__all__ = ["Doors", "Rules", "Tally", "Worker"]

FEW = 64  # segments up to which they are left as they are at the start
WAIT = 0.2  # seconds after which an idle worker looks whether it should stop
_WRITE: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Rules:
    """How events are treated.

    Parameters
    ----------
    reading
        How they are read.
    windows
        The features of their entities' past; None: none.
    late, remember
        Seconds an event may be behind the latest time and still count in windows, and that its id is known.
    batch
        Events scored together at most.
    rate
        Events a second at most; None: as fast as it goes.
    show_windows
        Put the features of the windows into the outcomes.
    """

    reading: Reading = field(default_factory=Reading)
    windows: Windows | None = None
    late: float = 60.0
    remember: float = 604_800.0
    batch: int = 1000
    rate: float | None = None
    show_windows: bool = False

    def kept(self) -> dict[str, Json]:
        """What a state must have been made with."""
        entities = self.windows.to_json() if self.windows else {}
        return {"entities": entities, "late": self.late, "remember": self.remember}


@dataclass(frozen=True)
class Doors:
    """What a worker works between; `name` is the model's, `model` its digest."""

    source: Source
    origin: str
    sinks: Mapping[bool, tuple[str, Sink]]  # by whether a letter is dead: the address, and the sink
    state: State
    scorer: Scorer
    name: str = ""
    model: str = ""
    audit: Audit | None = None


@dataclass
class Tally:
    """What was done so far: events by what became of them, dead letters by reason, and where the stream stands."""

    read: int = 0
    outcomes: int = 0
    alerts: int = 0
    late: int = 0
    repeated: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    watermark: float = -math.inf
    entities: int = 0
    behind: int | None = None
    seconds: float = 0.0

    def told(self) -> dict[str, Json]:
        """As JSON."""
        known = {**vars(self), "dead": dict(self.dead)}
        return {name: None if value == -math.inf else value for name, value in known.items()}


class Worker:
    """Exactly one outcome for each event, whenever it is killed.

    State, outcome, id and position are committed in one step (the outbox of Garcia-Molina and others' sagas as used by
    Richardson, Microservices patterns, 2018, chapter 3); sinks are brought up to the outbox after it, each in its own
    idempotent way.

    Parameters
    ----------
    doors
        What it works between.
    rules
        How events are treated.

    Raises
    ------
    ConfigError
        If the state was made with other windows, another lateness, or another memory of ids.
    """

    def __init__(self, doors: Doors, rules: Rules) -> None:
        self._doors, self._rules = doors, rules
        self._saved = doors.state.saved or Saved(uuid.uuid4().hex[:12], windows=rules.kept())
        if self._saved.windows != rules.kept():
            raise ConfigError(
                "the state was made with other windows, --late or --remember; give those, or a new state "
                f"(it has {json.dumps(self._saved.windows)})"
            )
        mark = self._saved.watermark
        watermark = -math.inf if mark is None else mark
        self._windows = rules.windows or Windows(())
        self._past = Velocities(self._windows, rules.late, watermark)
        self._segments: deque[float] = deque()
        self._delivered = 0
        self.tally = Tally(watermark=watermark)

    @property
    def decided(self) -> int:
        """Number of the latest outcome or dead letter of the state."""
        return self._saved.seq

    @property
    def unit(self) -> str:
        """What the source counts that is not read yet."""
        return self._doors.source.unit

    @property
    def ignored(self) -> tuple[str, ...]:
        """Windows that the model does not read."""
        return self._doors.scorer.ignored(self._rules.windows)

    def start(self) -> None:
        """Be where the state is: windows as they were, sinks brought up to the outbox, the source at its position."""
        self._restore()
        marks = dict(self._saved.marks)
        for address, sink in self._doors.sinks.values():
            marks[address] = sink.begin(marks.get(address))
        self._commit(Step(replace(self._saved, marks=marks)))
        kept = self._doors.state.outgoing()
        self._deliver(kept, again=True)
        self._doors.source.begin(self._saved.positions.get(self._doors.origin), self._saved.identity)

    def run(self, stopped: Callable[[], bool], heard: Callable[[Tally, float], None]) -> Tally:
        """Work until the source ends, or until `stopped` says so between two batches.

        Parameters
        ----------
        heard
            Told after every batch: the tally, and the seconds that the batch took.
        """
        began, ended, rate = clock.monotonic(), False, self._rules.rate
        free = began
        most = self._rules.batch if rate is None else min(self._rules.batch, max(1, int(rate * WAIT)))
        while not ended and not stopped():
            read = self._doors.source.read(most, WAIT)
            since = clock.perf_counter()
            ended = read.ended
            if read.events:
                self._batch(read.events, read.position)
            elif self._delivered:
                self._commit(Step(self._saved))
            self.tally.behind = self._doors.source.behind()
            self.tally.seconds = clock.monotonic() - began
            heard(self.tally, clock.perf_counter() - since if read.events else 0.0)
            if rate is not None:
                free = max(free, clock.monotonic()) + len(read.events) / rate
                while (left := free - clock.monotonic()) > 0 and not stopped():
                    clock.sleep(min(left, WAIT))
        if self._delivered:
            self._commit(Step(self._saved))
        return self.tally

    def _restore(self) -> None:
        """Windows from the segments; many small ones become one."""
        floor = self._past.watermark - self._past.keep
        kept: list[Taken] = []
        for body in self._doors.state.segments():
            self._segments.append(newest(body))
            for event in unpack(body):
                if event[0] > floor:
                    self._past.restore(*event)
                    kept.append(event)
        if (number := len(self._segments)) > FEW:
            self._segments.clear()
            self._commit(Step(self._saved, segment=pack(kept) if kept else None, drop=number))

    def _batch(self, raws: Sequence[Raw], position: Json) -> None:
        """Score a batch and commit all that it changes in one step, then deliver."""
        found = [self._rules.reading(raw) for raw in raws]
        known = self._doors.state.known([name for each in found if (name := _name(each)) is not None])
        taken: list[Taken] = []
        fresh = [self._placed(each, taken) for each in found if self._is_new(each, known)]
        scored = iter(self._doors.scorer.score([{**e.cells, **f} for e, f, _ in fresh if isinstance(e, Event)]))
        outgoing, seen = self._outcomes(fresh, scored)
        positions = {**self._saved.positions, self._doors.origin: position}
        mark = self._past.watermark if math.isfinite(self._past.watermark) else None
        saved = replace(self._saved, seq=self._saved.seq + len(outgoing), watermark=mark, positions=positions)
        forget = self._past.watermark - self._rules.remember
        self._commit(Step(saved, pack(taken) if taken else None, self._over(), seen, forget, outgoing))
        self._doors.source.done()
        self._deliver(outgoing)
        self.tally.read += len(raws)
        self.tally.repeated += len(found) - len(fresh)
        self.tally.watermark, self.tally.entities = self._past.watermark, len(self._past)

    def _is_new(self, each: Event | Letter, known: dict[str, bool]) -> bool:
        """Whether it has no outcome yet; dead letters that are tried again do not count as one."""
        name = _name(each)
        if name is None:
            return True
        if name in known and not (self._rules.reading.letters and known[name]):
            return False
        known[name] = False
        return True

    def _placed(self, each: Event | Letter, taken: list[Taken]) -> tuple[Event | Letter, dict[str, Json], bool]:
        """An event with the features of its windows, and whether it came late; it is in the windows now."""
        if isinstance(each, Letter):
            return each, {}, False
        if each.time < self._past.watermark - self._rules.remember:
            return Letter(each.id, "too_old", REASONS["too_old"], each.raw), {}, False
        if each.features is not None and set(each.features) == set(self._windows.names):
            return each, dict(each.features), False
        names = tuple([text_of(each.cells.get(name)) for name in self._windows.texts])
        numbers = tuple([number_of(each.cells.get(name)) for name in self._windows.numbers])
        values, late = self._past.see(each.time, names, numbers)
        if not late and self._windows.entities:
            taken.append((each.time, names, numbers))
        told = {n: None if v != v else v for n, v in zip(self._windows.names, values, strict=True)}
        return each, told, late

    def _outcomes(
        self, fresh: Sequence[tuple[Event | Letter, dict[str, Json], bool]], scored: Any
    ) -> tuple[list[Outgoing], list[Seen]]:
        """Lines in the order of arrival, and the ids that have an outcome by them."""
        outgoing: list[Outgoing] = []
        seen: list[Seen] = []
        for seq, (each, features, late) in enumerate(fresh, self._saved.seq + 1):
            if isinstance(each, Event):
                said: Scored | Unread = next(scored)
                if isinstance(said, Scored):
                    try:
                        line = _WRITE(self._outcome(seq, each, features, late, said))
                    except ValueError:  # the only floats that are not checked yet are the model's
                        said = Unread("what the model says is no finite number")
                    else:
                        outgoing.append(Outgoing(seq, False, line))
                        seen.append(Seen(each.id, each.time, False))
                        self._counted(late, said)
                        continue
                each = Letter(each.id, "refused", said.message, each.raw, features or None)
            outgoing.append(Outgoing(seq, True, json.dumps(each.told(seq))))
            self.tally.dead[each.reason] += 1
            if (name := _name(each)) is not None:
                # Not its own time: a letter that is too old must be known, too, if it is read again.
                seen.append(Seen(name, max(self._past.watermark, 0.0), True))
        return outgoing, seen

    def _outcome(self, seq: int, event: Event, features: dict[str, Json], late: bool, said: Scored) -> dict[str, Json]:
        told: dict[str, Json] = {
            "seq": seq,
            "id": event.id,
            "time": event.cells[self._rules.reading.time],
            "decision": f"{self._saved.identity}.{seq}",
            "prediction": said.told,
        }
        if said.alert is not None:
            told["alert"] = said.alert
        if late:
            told["late"] = True
        if self._rules.show_windows:
            told["windows"] = features
        if said.digest:
            told["input"] = said.digest
        return told

    def _counted(self, late: bool, said: Scored) -> None:
        self.tally.outcomes += 1
        self.tally.late += late
        self.tally.alerts += bool(said.alert)

    def _over(self) -> int:
        """How many of the oldest segments nobody can see any more."""
        floor, over = self._past.watermark - self._past.keep, 0
        while self._segments and self._segments[0] <= floor:
            self._segments.popleft()
            over += 1
        return over

    def _commit(self, step: Step) -> None:
        self._doors.state.commit(replace(step, delivered=self._delivered))
        self._saved, self._delivered = step.saved, 0
        if step.segment is not None:
            self._segments.append(newest(step.segment))

    def _deliver(self, outgoing: Sequence[Outgoing], *, again: bool = False) -> None:
        """Audit, then sinks; how far they are is kept with the next commit."""
        if not outgoing:
            return
        if self._doors.audit is not None:
            self._audited(self._doors.audit, outgoing, again)
        marks = dict(self._saved.marks)
        for dead, (address, sink) in self._doors.sinks.items():
            marks[address] = sink.write([each for each in outgoing if each.dead == dead])
        self._saved = replace(self._saved, marks=marks)
        self._delivered = outgoing[-1].seq

    def _audited(self, audit: Audit, outgoing: Sequence[Outgoing], again: bool) -> None:
        """Put decisions into the audit; of those kept from before a crash, the ones that are not there yet."""
        entries = []
        for line in outgoing:
            told = json.loads(line.line)
            if line.dead or (again and audit.find(told["decision"]) is not None):
                continue
            fields = {name: told[name] for name in ("decision", "input") if name in told}
            output = {name: told[name] for name in ("prediction", "alert", "late") if name in told}
            who = {"event": told["id"], "model": self._doors.name, "digest": self._doors.model, "role": "champion"}
            entries.append(Entry("predict", {**fields, **who, "output": output}))
        if entries:
            audit.append(entries).result()


def _name(each: Event | Letter) -> str | None:
    """What an event is known by: its id, or the name that the source gave it."""
    return each.id if each.id is not None else (each.raw.key or None)
