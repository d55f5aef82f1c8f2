"""A service as a process of its own, and how much memory it holds."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plait.client import Client
from plait.errors import PlaitError

__all__ = ["Service", "serving"]

PATIENCE_S = 120.0  # for the service to load its models, and to stop
MB = 1 << 20


@dataclass(frozen=True)
class Service:
    """Where it answers, and its process; `log` holds what it said."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def memory(self) -> float:
        """Resident MB now."""
        told = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return float(next(line for line in told if line.startswith("VmRSS")).split()[1]) / 1024


@contextmanager
def serving(shelf: Path, folder: Path, *options: str, wait: bool = True) -> Iterator[Service]:
    """``plait serve`` on a free port, until the block ends.

    Raises
    ------
    PlaitError
        If it does not start; the message is the end of its log.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / f"service-{port}.log"
    command = [sys.executable, "-m", "plait", "serve", str(shelf), "--port", str(port), *options]
    with log.open("wb") as told, subprocess.Popen(command, stdout=told, stderr=told) as process:
        made = Service(f"http://127.0.0.1:{port}", process, log)
        try:
            if wait:
                _wait_for(made)
            yield made
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(service: Service) -> None:
    begin = time.monotonic()
    with Client(service.url, retries=0) as client:
        while not client.ready():
            if service.process.poll() is not None or time.monotonic() - begin > PATIENCE_S:
                raise PlaitError(f"the service did not start: {service.log.read_text('utf-8', 'replace')[-400:]}")
            time.sleep(0.05)
