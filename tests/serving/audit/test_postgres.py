"""The audit in a real PostgreSQL server."""

from __future__ import annotations

import pytest

from plait.serving.audit import Audit, Entry


@pytest.mark.slow
def test_entries_are_kept(postgres_url: str) -> None:
    with Audit.open(postgres_url) as audit:
        numbers = audit.append([Entry("predict", {"decision": "p.0"}), Entry("predict", {"decision": "p.1"})])
        assert len(numbers.result(10)) == 2
        assert audit.find("p.1") is not None
