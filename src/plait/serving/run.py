"""The service as processes: uvicorn with a graceful end, TLS by files, and one or several workers on one socket."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final

import uvicorn

from plait.errors import ConfigError, PlaitError
from plait.serving.settings import Settings

__all__ = ["serve"]

BACKLOG: Final = 2048
AGAIN_S: Final = 1.0  # before a worker that ended is started again
UNFIT: Final = 2  # how a worker ends that cannot start, and would not the next time


def serve(settings: Settings) -> None:
    """Serve until the process is told to end (SIGTERM, SIGINT): then requests in flight are finished.

    Raises
    ------
    PlaitError
        If what is to be served cannot be loaded, or the address cannot be had.
    """
    listener = _listener(settings)
    if settings.listening.workers == 1:
        _work(settings, listener)
    else:
        _several(settings, listener)


def _listener(settings: Settings) -> socket.socket:
    where = settings.listening
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # told, or asyncio leaves Nagle's delay on
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((where.host, where.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {where.host}:{where.port} ({error.strerror}); name another") from None
    return listener


class _Server(uvicorn.Server):
    """Told to end, it says so at ``/readyz`` first, and answers for a while longer."""

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None], drain_s: float) -> None:
        super().__init__(config)
        self._leave, self._drain_s, self._left = leave, drain_s, False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._leave()
        if self._left or sig != signal.SIGTERM or not self._drain_s:
            super().handle_exit(sig, frame)
            return
        self._left = True
        timer = threading.Timer(self._drain_s, super().handle_exit, (sig, None))
        timer.daemon = True
        timer.start()


def _work(settings: Settings, listener: socket.socket) -> None:
    """One process that serves; several accept from one socket."""
    from plait.serving.app import create_app

    app = create_app(settings)
    house = app.state.house
    where = settings.listening
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        date_header=True,
        ssl_certfile=where.certificate,
        ssl_keyfile=where.key,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(settings.timeout_s) + 5,
    )

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, house.look)
        await server.serve(sockets=[listener])

    server = _Server(config, house.leave, where.drain_s)
    address = listener.getsockname()
    scheme = "https" if where.certificate else "http"
    house.telemetry.event("starting", url=f"{scheme}://{address[0]}:{address[1]}", process=os.getpid())
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what it would say, the service's own lines say
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(run())
    except SystemExit:
        if house.failed is None:
            raise
        raise house.failed from None


def _worker(settings: Settings, listener: socket.socket) -> None:
    """One of several processes; that it cannot start it says in one line."""
    try:
        _work(settings, listener)
    except PlaitError as error:
        print(f"plait: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(UNFIT)


def _several(settings: Settings, listener: socket.socket) -> None:
    """Start workers, and one more for each that ends before all are told to.

    Raises
    ------
    ConfigError
        If a worker cannot start.
    """
    from prometheus_client.multiprocess import mark_process_dead

    from plait.serving.telemetry import MULTIPROCESS

    context, ending = get_context("spawn"), threading.Event()

    def started() -> SpawnProcess:
        made = context.Process(target=_worker, args=(settings, listener))
        made.start()
        return made

    def passed_on(sig: int, frame: FrameType | None) -> None:
        for each in workers:
            if each.pid is not None and each.is_alive():
                os.kill(each.pid, sig)

    def told(sig: int, frame: FrameType | None) -> None:
        ending.set()

    with tempfile.TemporaryDirectory(prefix="plait-figures-") as folder:
        os.environ[MULTIPROCESS] = folder
        workers = [started() for _ in range(settings.listening.workers)]
        for sig, handler in ((signal.SIGTERM, told), (signal.SIGINT, told), (signal.SIGHUP, passed_on)):
            signal.signal(sig, handler)
        unfit = False
        while not unfit and not ending.wait(AGAIN_S):
            unfit = any(each.exitcode == UNFIT for each in workers)
            for dead in (each.pid for each in workers if not each.is_alive()):
                mark_process_dead(dead, folder)  # type: ignore[no-untyped-call]
            workers = [each if each.is_alive() or unfit else started() for each in workers]
        passed_on(signal.SIGTERM, None)
        for each in workers:
            each.join()
    if unfit:
        raise ConfigError("a worker could not start; its own line says why")
