"""Streams under kill -9: does each event have exactly one outcome, and are windows those of a run without kills?"""

from __future__ import annotations

import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.runner import Measured, Report, main
from benchmarks.servers import Redis
from benchmarks.serving.payments.prepared import Prepared, lines, prepared, watching
from plait.errors import DataError

__all__ = ["Ends", "Found", "events", "found", "killed", "on_files", "on_redis", "run", "told"]

KILLS = 20
EVENTS = 80_000
REPEATED, BROKEN = 50, 200  # one event in so many comes twice; one line in so many is broken
BATCH = 200
LIFE_S = (0.5, 3.5)  # between start and kill, uniformly: also while a worker starts
LONGEST_S = 200.0


@dataclass(frozen=True)
class Ends:
    """Addresses of a worker, and how to read what it wrote: outcomes, then dead letters."""

    options: tuple[object, ...]
    written: Callable[[], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Found:
    """What was found after kills, counted over events."""

    kills: int
    lost: int
    twice: int
    unequal: int
    gaps: int


def events(n: int, seed: int) -> list[str]:
    """Payments as lines; some come twice, some lines are broken."""
    draw = random.Random(seed)
    made: list[str] = []
    whole = list(lines(n, seed, cards=2_000, days=3.0))
    for place, line in enumerate(whole):
        made.append(line)
        if draw.randrange(REPEATED) == 0:
            made.append(whole[draw.randrange(max(0, place - 500), place + 1)])
        if draw.randrange(BROKEN) == 0:
            made.append(f'{{"broken": {len(made)}, "id": ')
    return made


def on_files(folder: Path, name: str) -> Ends:
    """From ``events.jsonl`` in the folder to files of this name."""
    out, dead = folder / f"{name}.jsonl", folder / f"{name}.jsonl.dead"
    options = ("--from", folder / "events.jsonl", "--to", out, "--state", folder / f"{name}.db")

    def written() -> Iterator[dict[str, Any]]:
        for path in (out, dead):
            for line in path.read_bytes().splitlines():
                yield json.loads(line)

    return Ends(options, written)


def on_redis(url: str, made: Iterable[str], name: str) -> Ends:
    """From a stream that is filled with events to streams of this name."""
    from redis import Redis as Client

    server = Client.from_url(url)
    pipe = server.pipeline(transaction=False)
    for line in made:
        pipe.xadd(f"{name}-events", {"event": line})
    pipe.execute()
    options = ("--from", f"{url}/{name}-events", "--to", f"{url}/{name}", "--state", f"{url}/{name}")

    def written() -> Iterator[dict[str, Any]]:
        for stream in (name, f"{name}.dead"):
            for _, fields in server.xrange(stream):
                yield json.loads(fields[b"event"])

    return Ends(options, written)


def killed(made: Prepared, ends: Ends, kills: int, seed: int, log: Path) -> int:
    """Work to the end, killed at random moments on the way; how many kills met a worker that was not done."""
    draw, done = random.Random(seed), 0
    options = (*ends.options, "--batch", BATCH, "--show-windows")
    for _ in range(kills):
        worker = watching(made, *options, log=log)
        time.sleep(draw.uniform(*LIFE_S))
        done += worker.poll() is None
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    if watching(made, *options, log=log).wait(LONGEST_S):
        raise DataError(f"the last worker refused: {log.read_text().splitlines()[-1]}")
    return done


def told(outcome: dict[str, Any]) -> str:
    """What an outcome or dead letter is about."""
    return str(outcome["event"] if outcome["id"] is None else outcome["id"])


def found(made: Iterable[str], ends: Ends, straight: Ends, kills: int) -> Found:
    """Every event against what was written, and against a run that nobody killed."""
    expected = set()
    for line in made:
        try:
            expected.add(json.loads(line)["id"])
        except ValueError:
            expected.add(line)
    wrote = list(ends.written())
    counts = Counter(told(each) for each in wrote)
    without = {told(each): each.get("windows") for each in straight.written()}
    return Found(
        kills=kills,
        lost=len(expected - counts.keys()),
        twice=sum(count - 1 for count in counts.values()) + len(counts.keys() - expected),
        unequal=sum(each.get("windows") != without.get(told(each), "none") for each in wrote),
        gaps=sum(seq != place for place, seq in enumerate(sorted(each["seq"] for each in wrote), 1)),
    )


def run(seed: int) -> Report:
    """Kill workers on files and on a Redis server of this run's own, and count."""
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory() as name, Redis() as server:
        folder = Path(name)
        model, made, log = prepared(folder, seed), events(EVENTS, seed), folder / "log"
        (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in made))
        straight = on_files(folder, "straight")
        killed(model, straight, 0, seed, log)
        ends = {"files": on_files(folder, "killed"), "Redis": on_redis(server.url, made, "killed")}
        for where, each in ends.items():
            kills = killed(model, each, KILLS, seed, log)
            figures += _figures(where, found(made, each, straight, kills))
    return Report(
        data=f"{EVENTS:,} made card payments of 2,000 cards in 3 days, 1 in {REPEATED} sent twice, 1 line in {BROKEN} "
        "broken; 20 features of windows",
        split="none: what is counted is events",
        figures=tuple(figures),
        notes=(
            f"kill -9 after {LIFE_S[0]} to {LIFE_S[1]} s of life, {KILLS} times each, then a last worker to the end",
            "unequal windows: against a run on files that nobody killed, compared to the last bit",
        ),
    )


def _figures(where: str, counted: Found) -> list[Measured]:
    names = {
        "kills of a worker that was not done": counted.kills,
        "events without an outcome": counted.lost,
        "outcomes beyond one an event": counted.twice,
        "outcomes with unequal windows": counted.unequal,
        "gaps in the numbers of outcomes": counted.gaps,
    }
    return [Measured(f"{where}: {name}", value, unit="count") for name, value in names.items()]


if __name__ == "__main__":
    sys.exit(main(run))
