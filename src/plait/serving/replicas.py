"""The service on a Ray cluster: so many replicas of the same application behind one address."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from plait.cluster import session
from plait.errors import ConfigError, MissingExtraError, PlaitError
from plait.serving.app import create_app
from plait.serving.settings import Settings
from plait.serving.telemetry import Telemetry

__all__ = ["replicas", "run"]

NAME = "plait"
LOOK_S = 1.0  # how often a replica is asked whether it lives; a dead one is replaced
AT_ONCE = 200  # requests in a replica; what is more waits at the door, and the service's own queues answer 503


class _Replica:
    """One process with the application in it; Ray Serve asks it to build the application there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __serve_build_asgi_app__(self) -> Any:
        return create_app(self.settings)


@contextmanager
def replicas(settings: Settings) -> Iterator[str]:
    """Run ``settings.listening.workers`` replicas for as long as the block lasts.

    Each has the models in memory and writes to the same audit. One that dies is replaced, and the others answer
    meanwhile; what it was asked is answered with status 500 by Ray's proxy, without a body of ours, which
    `plait.Client` asks again. Each takes its share of a key's rate.

    Yields
    ------
    str
        The address.

    Raises
    ------
    ConfigError
        If no port is named, or an application cannot be built of the settings.
    MissingExtraError, PlaitError
        If Ray is not installed, or the cluster cannot be reached.
    """
    where = settings.listening
    if not where.port:
        raise ConfigError("replicas need a port that is known (allowed: 1..65535)")
    told = replace(settings, shelf=Path(settings.shelf).resolve())
    options: dict[str, Any] = {"host": where.host, "port": where.port}
    if where.certificate and where.key:
        options |= {"ssl_certfile": str(where.certificate.resolve()), "ssl_keyfile": str(where.key.resolve())}
    with session(where.workers):
        serve = _serve_of()
        made = serve.deployment(
            serve.ingress()(_Replica),
            name=NAME,
            num_replicas=where.workers,
            max_ongoing_requests=AT_ONCE,
            health_check_period_s=LOOK_S,
            graceful_shutdown_timeout_s=settings.timeout_s + settings.body_s,
        )
        serve.start(http_options=options)
        try:
            _start(serve, made.bind(told))
            yield f"{'https' if where.certificate else 'http'}://{where.host}:{where.port}"
        finally:
            serve.shutdown()


def _serve_of() -> Any:
    try:
        from ray import serve
    except ImportError:
        raise MissingExtraError("replicas need Ray Serve; pip install 'plait[scale]'") from None
    return serve


def _start(serve: Any, application: Any) -> None:
    try:
        serve.run(application, name=NAME)
    except RuntimeError as error:  # what a replica met while it loaded, at the end of a report of many lines
        last = [line.strip() for line in str(error).splitlines() if line.strip()][-1]
        raise PlaitError(f"no replica of the service could start: {last[:200]}; try plait serve --check") from None


def run(settings: Settings) -> None:
    """Run replicas until SIGTERM or SIGINT; requests in flight are answered before they stop.

    Raises
    ------
    ConfigError, MissingExtraError, PlaitError
        As `replicas`.
    """
    asked = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        asked.set()

    with replicas(settings) as url:
        # Only now: Ray, as it starts, takes SIGTERM for itself, and ends by it at once
        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            Telemetry().event("serving", url=url, replicas=settings.listening.workers)
            asked.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
