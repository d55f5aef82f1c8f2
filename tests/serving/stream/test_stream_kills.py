"""kill -9 of a worker in the middle of its work, three times on files and three on a real Redis."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = str(Path(__file__).parents[3])
if ROOT not in sys.path:
    sys.path.append(ROOT)

if TYPE_CHECKING:
    from benchmarks.serving.stream_kills import Ends

KILLS = 3
EVENTS = 12_000


@pytest.mark.slow
@pytest.mark.parametrize("where", ["files", "redis"])
def test_each_event_has_one_outcome_whenever_the_worker_is_killed(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from benchmarks.serving import stream_kills as asked
    from benchmarks.serving.payments.prepared import prepared

    model, made, log = prepared(tmp_path, 0), asked.events(EVENTS, 0), tmp_path / "log"
    (tmp_path / "events.jsonl").write_text("".join(f"{line}\n" for line in made))
    straight = asked.on_files(tmp_path, "straight")
    asked.killed(model, straight, 0, 0, log)
    ends: Ends = asked.on_files(tmp_path, "killed")
    if where == "redis":
        ends = asked.on_redis(request.getfixturevalue("redis_url"), made, "kills")
    asked.killed(model, ends, KILLS, 1, log)
    found = asked.found(made, ends, straight, KILLS)
    assert (found.lost, found.twice, found.unequal, found.gaps) == (0, 0, 0, 0)
