"""API keys: what opens a door, what does not, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plait.errors import ConfigError
from plait.serving.keys import Key, Keys


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.open(tmp_path / "store.db")


def test_a_token_opens_what_its_scopes_say(keys: Keys) -> None:
    key, token = keys.create("scoring", ["predict", "desk:credit"], rate=5, max_rows=10)
    found = keys.check(token)
    assert found is not None
    assert found.id == key.id
    assert (key.burst, key.max_rows, key.max_bytes, key.used) == (5, 10, None, None)
    assert key.may("predict")
    assert key.may("desk:credit")
    assert key.may("desk:credit.decide")
    assert not key.may("explain")
    assert not key.may("desk:fraud.score")
