"""A service that answers on a socket, in a thread of the test's own process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from plait.serving.app import create_app
from plait.serving.settings import Settings

__all__ = ["running"]

PATIENCE_S = 30.0


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """The address of a service that answers until the block ends."""
    config = uvicorn.Config(create_app(settings), port=0, log_level="warning", access_log=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    begin = time.monotonic()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        assert time.monotonic() - begin < PATIENCE_S, "the service did not start in time"
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
