"""What all tests stand on."""

from __future__ import annotations

import os

import pytest

# Workers of pytest-xdist keep to a core each, set before any library counts them: threads that wait for each other on
# the same cores cost more than all else.
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    own = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {own[int(worker.removeprefix("gw")) % len(own)]})


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Nothing decoded by tests is kept in the user's cache, also not by processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
