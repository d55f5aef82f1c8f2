"""A worker from what was written on the command line, and the look at a state that nobody works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from plait import registry
from plait.contracts import Json
from plait.errors import ConfigError
from plait.serving.audit import Audit
from plait.serving.shelf import digest_of
from plait.serving.stream.addresses import Address
from plait.serving.stream.parts import State
from plait.serving.stream.scoring import Scorer
from plait.serving.stream.worker import Doors, Rules, Worker

__all__ = ["Asked", "looked_at", "opened"]

READS = {"group": "plait", "idle": "60"}  # options of a Redis source: its group, seconds after which a reader is dead


@dataclass(frozen=True)
class Asked:
    """What to work on.

    Parameters
    ----------
    model
        Path of a saved model.
    origin, to, dead, state
        Addresses of the events, the outcomes, the dead letters ("": beside the outcomes) and the state.
    rules
        How events are treated.
    follow
        Wait for more at the end.
    max_bytes
        Of an event.
    audit
        Store of the audit; None: there is none.
    alert_above, alert_class
        As `Scorer`.
    """

    model: Path
    origin: str
    to: str
    state: str
    dead: str = ""
    rules: Rules = field(default_factory=Rules)
    follow: bool = False
    max_bytes: int = 1 << 20
    audit: str | None = None
    alert_above: float | None = None
    alert_class: str | None = None


@contextmanager
def opened(asked: Asked) -> Iterator[Worker]:
    """A worker that has started; everything is closed behind it.

    Raises
    ------
    InputError
        If an address, the model, the state or an option cannot be used.
    """
    from plait.estimators import load_predictor

    origin, to = Address.of(asked.origin, READS), Address.of(asked.to)
    dead = Address.of(asked.dead) if asked.dead else to.dead
    if len({origin.shown, to.shown, dead.shown} - {"-"}) < 3 - (origin.kind == "pipe") - (to.kind == "pipe"):
        raise ConfigError("events, outcomes and dead letters are at one address; give each its own")
    options = {"alert_above": asked.alert_above, "alert_class": asked.alert_class}
    scorer = Scorer(load_predictor(asked.model), **options, digests=asked.audit is not None)  # type: ignore[arg-type]
    with ExitStack() as held:
        state = held.enter_context(closing(_state(asked.state)))
        state.own()
        source = registry.get("event_sources", origin.kind)(origin, follow=asked.follow, max_bytes=asked.max_bytes)
        held.callback(source.close)
        sinks = {}
        for is_dead, address in ((False, to), (True, dead)):
            sink = registry.get("event_sinks", address.kind)(address)
            held.callback(sink.close)
            sinks[is_dead] = (address.shown, sink)
        audit = None if asked.audit is None else Audit.open(asked.audit)
        if audit is not None:
            held.callback(audit.close)
        digest = digest_of(asked.model) if audit is not None else ""
        doors = Doors(source, origin.shown, sinks, state, scorer, asked.model.name, digest, audit)
        worker = Worker(doors, asked.rules)
        worker.start()
        yield worker


def looked_at(asked: Asked) -> dict[str, Json]:
    """Where the state is and how far, and what would be read, without reading or writing any of it.

    Raises
    ------
    InputError
        If the state is in use, or an address cannot be used.
    """
    origin, address = Address.of(asked.origin, READS), Address.of(asked.state)
    found: dict[str, Json] = {"from": origin.shown, "state": address.shown, "known": False}
    if address.kind == "file" and not address.path.exists():
        return found
    with closing(_state(asked.state)) as state:
        saved = state.saved
        if saved is None:
            return found
        told = {"known": True, "decided": saved.seq, "watermark": saved.watermark, "bytes": state.size()}
        waiting = len(state.outgoing())
        return {**found, **told, "position": saved.positions.get(origin.shown), "not_delivered": waiting}


def _state(said: str) -> State:
    address = Address.of(said)
    if address.kind == "pipe":
        raise ConfigError("--state - is no place that survives a crash; give a path, or redis://HOST:PORT/DB/NAME")
    made: State = registry.get("event_states", address.kind)(address)
    return made
