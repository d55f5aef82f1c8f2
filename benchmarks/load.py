"""Load on a service: a `plait serve` of its own, and requests sent at fixed times from another process.

The load is open: a request is sent when its time has come, whether earlier ones were answered or not, and its latency
counts from that time, so that a service that stalls is not spared (Tene, How NOT to measure latency, 2015).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plait.errors import ConfigError

__all__ = ["Sent", "done", "quantile", "resampled", "sending", "serving", "wait_for"]

START_S = 90.0
BLOCK = 100  # requests in a row that are resampled together: latencies of neighbours hang together


@dataclass(frozen=True)
class Sent:
    """What became of requests, in the order in which they were due.

    Parameters
    ----------
    seconds
        From when each was due until its answer was read.
    statuses
        HTTP status of each; 0: no answer.
    versions
        The version of the model that answered each.
    """

    seconds: list[float]
    statuses: list[int]
    versions: list[str | None]

    @property
    def failed(self) -> int:
        return sum(status != 200 for status in self.statuses)


@contextmanager
def serving(shelf: str | Path, folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A `plait serve` in a process of its own, its lines in ``folder/serve.log``; its URL once it is ready."""
    log = folder / "serve.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "plait", "serve", str(shelf), "--port", "0", *options],
            stderr=said,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PLAIT_CACHE": "off"},
        )
    try:
        url = wait_for(process, log)
        yield url, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def wait_for(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL of a service that is ready.

    Raises
    ------
    ConfigError
        If it ends, or is not ready within 90 seconds.
    """
    import httpx

    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        urls = [json.loads(line)["url"] for line in log.read_text().splitlines() if '"url"' in line]
        try:
            if urls and httpx.get(f"{urls[0]}/readyz", verify=False).status_code == 200:
                return str(urls[0])
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise ConfigError(f"the service did not start: {log.read_text()[-500:]}")


def sending(
    url: str, path: str, bodies: Sequence[bytes], headers: Mapping[str, str], *, rate: float, seconds: float
) -> subprocess.Popen[bytes]:
    """Start to send requests at a rate from a process of its own; `done` waits for it and reads what became of them."""
    told = {"url": url, "path": path, "headers": dict(headers), "rate": rate, "seconds": seconds}
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps({**told, "bodies": [body.decode() for body in bodies]}).encode())
    process.stdin.close()
    return process


def done(process: subprocess.Popen[bytes]) -> Sent:
    """Wait for `sending` to end."""
    assert process.stdout is not None
    told = json.loads(process.stdout.read())
    process.wait()
    return Sent(**told)


def quantile(seconds: Sequence[float], level: float) -> float:
    """A quantile in milliseconds."""
    return float(1000 * np.quantile(seconds, level))


def resampled(seconds: Sequence[float], level: float, seed: int) -> tuple[float, float]:
    """The 95% interval of a quantile in milliseconds, by resampling blocks of neighbours (Kuensch, 1989)."""
    size = max(1, min(BLOCK, len(seconds) // 20))
    blocks = [seconds[i : i + size] for i in range(0, len(seconds), size)]
    rng = np.random.default_rng(seed)
    found = [
        quantile(np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))]).tolist(), level)
        for _ in range(500)
    ]
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


async def _send(told: Mapping[str, Any]) -> dict[str, Any]:
    """Send what was asked for, over as many connections as there are unanswered requests."""
    host, _, port = told["url"].removeprefix("http://").rpartition(":")
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    head = "".join(f"{name}: {value}\r\n" for name, value in told["headers"].items())
    top = f"POST {told['path']} HTTP/1.1\r\nhost: {host}\r\n{head}"
    bodies = [body.encode() for body in told["bodies"]]
    frames = [f"{top}content-length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    count = int(told["rate"] * told["seconds"])
    seconds, statuses, versions = [0.0] * count, [0] * count, [None] * count
    begun = time.perf_counter() + 0.2

    async def one(i: int, due: float) -> None:
        try:
            reader, writer = idle.pop() if idle else await asyncio.open_connection(host, int(port))
            writer.write(frames[i % len(frames)])
            top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(top.split("content-length: ")[1].split("\r\n")[0])
            body = await reader.readexactly(length)
            statuses[i] = int(top.split(" ", 2)[1])
            versions[i] = json.loads(body).get("version")
            if "connection: close" in top:
                writer.close()
            else:
                idle.append((reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            statuses[i] = 0
        seconds[i] = time.perf_counter() - due

    tasks = []
    for i in range(count):
        due = begun + i / told["rate"]
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(i, due)))
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
    return {"seconds": seconds, "statuses": statuses, "versions": versions}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_send(json.load(sys.stdin)))))
