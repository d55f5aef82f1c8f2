"""Fixtures of real servers, for tests that import them: skipped, with the reason, where there is no such server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plait.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.servers import PostgreSQL

__all__ = ["postgres_server", "postgres_url", "redis_url"]

ROOT = str(Path(__file__).parents[1])
if ROOT not in sys.path:
    sys.path.append(ROOT)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgreSQL]:
    """A PostgreSQL server of this session's own, which a test may end and start again."""
    from benchmarks.servers import PostgreSQL

    try:
        made = PostgreSQL()
    except ConfigError as error:
        pytest.skip(str(error))
    with made as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgreSQL) -> str:
    """Its database, for `plait.serving.store.open_store`; tests share it."""
    return postgres_server.url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server of this session's own; tests share its database 0, so give streams names of their own."""
    from benchmarks.servers import Redis

    try:
        made = Redis()
    except ConfigError as error:
        pytest.skip(str(error))
    with made as server:
        yield server.url
