"""``plait watch``: a model on a stream of events, each with exactly one outcome."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from plait.cli.options import AsJson, Model
from plait.cli.screen import Screen
from plait.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from plait.serving.stream.opening import Asked
    from plait.serving.stream.worker import Tally

__all__ = ["watch"]

EVENTS = "A file of JSON lines, - (a pipe), or redis://HOST:PORT/DB/STREAM"

Sink: TypeAlias = Annotated[str, typer.Option(metavar="SINK", help=f"Where outcomes go. {EVENTS}.")]
State: TypeAlias = Annotated[
    str, typer.Option(metavar="STATE", help="What survives a crash: a path, or redis://HOST:PORT/DB/NAME.")
]
Origin: TypeAlias = Annotated[
    str, typer.Option("--from", metavar="SOURCE", help=f"Where events come from. {EVENTS}?group=NAME&idle=60.")
]
Replay: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DEAD", help="Try these dead letters again, instead of --from.")
]
Features: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Windows over the past of entities, as YAML.")
]
Ahead: TypeAlias = Annotated[
    str, typer.Option(metavar="SPAN", help="How far a time may be ahead of this machine's clock.")
]
AlertAbove: TypeAlias = Annotated[
    float | None, typer.Option(help="Probability, or value, from which an event is an alert.")
]
AlertClass: TypeAlias = Annotated[
    str | None, typer.Option(metavar="LABEL", help="Whose probability; by default the last class.")
]
MetricsPort: TypeAlias = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Figures for Prometheus, on 127.0.0.1.")
]


def watch(
    model: Model,
    to: Sink,
    state: State,
    origin: Origin = "-",
    replay: Replay = None,
    dead: Annotated[str, typer.Option(metavar="SINK", help="Dead letters; by default beside the outcomes.")] = "",
    features: Features = None,
    show_windows: Annotated[bool, typer.Option("--show-windows", help="Put them into the outcomes.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more at the end.")] = False,
    id_field: Annotated[str, typer.Option("--id", metavar="FIELD", help="That names an event.")] = "id",
    time_field: Annotated[str, typer.Option("--time", metavar="FIELD", help="Of its moment.")] = "time",
    late: Annotated[str, typer.Option(metavar="SPAN", help="How far behind an event still counts in windows.")] = "1m",
    remember: Annotated[str, typer.Option(metavar="SPAN", help="How far behind an event's id is still known.")] = "7d",
    ahead: Ahead = "1d",
    batch: Annotated[int, typer.Option(min=1, help="Events scored together at most.")] = 1000,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Events a second at most.")] = None,
    max_bytes: Annotated[int, typer.Option(min=16, help="Of an event.")] = 1 << 20,
    alert_above: AlertAbove = None,
    alert_class: AlertClass = None,
    audit: Annotated[str | None, typer.Option(metavar="URL", help="Put every decision into this audit.")] = None,
    metrics_port: MetricsPort = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say where the state is and how far, and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score events as they come; each has exactly one outcome.

    State, outcome and position are committed in one step. SIGTERM and Ctrl-C finish the batch. What cannot be scored
    becomes a dead letter with the reason, which --replay takes again.
    """
    from plait.data.windows import Windows, duration

    try:
        from plait.serving.stream import Reading, Rules
        from plait.serving.stream.opening import Asked
    except ModuleNotFoundError as error:
        if str(error.name).startswith("plait"):
            raise
        raise MissingExtraError(f"plait watch needs {error.name}: pip install 'plait[serve]'") from None

    if as_json and to == "-":
        raise ConfigError("--json and --to - would both write to standard output; leave one out")
    if follow and replay:
        raise ConfigError("--replay reads dead letters to their end; leave out --follow")
    rules = Rules(
        reading=Reading(id_field, time_field, duration(ahead), letters=replay is not None),
        windows=None if features is None else Windows.read(features),
        late=duration(late),
        remember=duration(remember),
        batch=batch,
        rate=rate,
        show_windows=show_windows,
    )
    wanted = Asked(model, replay or origin, to, state, dead, rules, follow, max_bytes, audit, alert_above, alert_class)
    screen = Screen(as_json)
    if dry_run:
        _look(screen, wanted)
    else:
        _work(screen, wanted, metrics_port)


def _look(screen: Screen, wanted: Asked) -> None:
    from plait.serving.stream.opening import looked_at

    found = looked_at(wanted)
    for name, value in found.items():
        screen.say(f"{name}: {value}")
    screen.result(found)


def _work(screen: Screen, wanted: Asked, port: int | None) -> None:
    from plait.serving.stream.opening import opened
    from plait.serving.stream.telemetry import Exposed, Teller

    with ExitStack() as held:
        held.enter_context(_seldom_collected())
        worker = held.enter_context(opened(wanted))
        stopped = held.enter_context(_signals())
        tellers: list[Callable[[Tally, float], None]] = [Teller(screen.note, worker.unit)]
        shown = None if port is None else held.enter_context(Exposed(port))
        if shown is not None:
            tellers.append(shown)
            screen.note(f"figures at http://127.0.0.1:{shown.port}/metrics")
        for name in worker.ignored:
            screen.note(f"the model does not read the window {name!r}")

        def heard(tally: Tally, seconds: float) -> None:
            for each in tellers:
                each(tally, seconds)

        tally = worker.run(lambda: bool(stopped), heard)
    summary = {**tally.told(), "decided": worker.decided, "stopped": bool(stopped), "to": wanted.to}
    dead = sum(tally.dead.values())
    screen.note(
        f"{'stopped' if stopped else 'done'}: {tally.read:,} events, {tally.outcomes:,} outcomes, "
        f"{tally.repeated:,} repeated, {tally.late:,} late, {dead:,} dead letters; the state is at {worker.decided:,}"
    )
    screen.result(summary)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for cycles of garbage seldom: windows are many small lists that never are any, and a fifth of the time went
    into looking at them."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """SIGTERM and SIGINT, gathered instead of obeyed at once."""
    got: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: got.append(number)) for each in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield got
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
