"""How a stream does: lines on standard error, and figures for Prometheus on this machine's own address."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self

from plait.errors import ConfigError, MissingExtraError
from plait.serving.stream.worker import Tally

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["Exposed", "Teller", "lag"]

HERE = "127.0.0.1"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.5)  # seconds of a batch


def lag(tally: Tally) -> float | None:
    """Seconds that the latest event is behind the clock of this machine; None before the first."""
    return None if tally.watermark == float("-inf") else max(0.0, clock.time() - tally.watermark)


class Teller:
    """Says how far a stream is, every few seconds.

    Parameters
    ----------
    say
        What takes a line.
    unit
        What the source counts that is not read yet.
    every
        Seconds between two lines.
    """

    def __init__(self, say: Callable[[str], None], unit: str, every: float = 5.0) -> None:
        self._say, self._unit, self._every = say, unit, every
        self._last, self._read = clock.monotonic(), 0

    def __call__(self, tally: Tally, seconds: float) -> None:
        now = clock.monotonic()
        if now - self._last < self._every:
            return
        rate = (tally.read - self._read) / (now - self._last)
        self._last, self._read = now, tally.read
        behind = "" if tally.behind is None else f", {tally.behind:,} {self._unit} not read yet"
        dead = f", {sum(tally.dead.values()):,} dead letters" if tally.dead else ""
        self._say(f"{tally.read:,} events, {rate:,.0f}/s{behind}{dead}")


class Exposed:
    """Figures of a tally at ``http://127.0.0.1:PORT/metrics``; a context manager.

    Parameters
    ----------
    port
        0: any that is free, told by `port`.

    Raises
    ------
    ConfigError
        If the port is taken.
    MissingExtraError
        If prometheus_client is not installed.
    """

    def __init__(self, port: int) -> None:
        try:
            from prometheus_client import CollectorRegistry, Histogram, start_http_server
        except ImportError:
            raise MissingExtraError("--metrics-port needs prometheus_client: pip install 'plait[serve]'") from None
        registry = CollectorRegistry()
        self._seconds = Histogram(
            "plait_stream_batch_seconds", "From read to delivered.", registry=registry, buckets=BOUNDS
        )
        self._tally = Tally()
        registry.register(_Figures(lambda: self._tally))
        try:
            self._server, self._thread = start_http_server(port, HERE, registry)
        except OSError as error:
            raise ConfigError(f"--metrics-port {port} cannot be opened ({error.strerror}); name a free one") from None
        self.port = int(self._server.server_port)

    def __call__(self, tally: Tally, seconds: float) -> None:
        self._tally = tally
        if seconds:
            self._seconds.observe(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Figures:
    """A tally as Prometheus collects it, at the moment when it asks."""

    def __init__(self, tally: Callable[[], Tally]) -> None:
        self._tally = tally

    def collect(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        now = self._tally()
        events = CounterMetricFamily("plait_stream_events", "Events by what became of them.", labels=["became"])
        for became in ("outcomes", "late", "repeated", "alerts"):
            events.add_metric([became], getattr(now, became))
        yield events
        dead = CounterMetricFamily("plait_stream_dead", "Dead letters by reason.", labels=["reason"])
        for reason, count in now.dead.copy().items():
            dead.add_metric([reason], count)
        yield dead
        yield GaugeMetricFamily("plait_stream_entities", "Entities of which something is known.", now.entities)
        if (seconds := lag(now)) is not None:
            yield GaugeMetricFamily("plait_stream_lag_seconds", "The clock less the latest event's time.", seconds)
        if now.behind is not None:
            yield GaugeMetricFamily("plait_stream_behind", "What is there and not read yet.", now.behind)
