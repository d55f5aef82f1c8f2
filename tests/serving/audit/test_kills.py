"""A service that is killed under load: every decision that it acknowledged is in the audit, and the chain verifies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("where", ["file", "server"])
def test_acknowledged_decisions_survive_kills(
    where: str, loans_model: Path, loans_rows: list[dict[str, Any]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from benchmarks.serving.kills import kill_service

    audit = request.getfixturevalue("postgres_url") if where == "server" else str(tmp_path / "audit.db")
    found = kill_service(loans_model, loans_rows, audit, 3, 0)
    assert (found.kills, found.lost, found.unsound) == (3, 0, 0)
    assert found.acknowledged >= 10


def test_a_writer_that_does_not_wait_is_found_out(tmp_path: Path) -> None:
    from benchmarks.serving.kills import kill_hasty

    found = kill_hasty(str(tmp_path / "audit.db"), 1, 0)
    assert found.lost > 0
    assert found.unsound == 0
