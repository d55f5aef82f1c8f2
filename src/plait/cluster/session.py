"""A Ray cluster to work on: the one that the environment names, or one on this machine for as long as it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plait.errors import ConfigError, MissingExtraError, PlaitError

__all__ = ["ADDRESS", "check_workers", "ray_of", "session"]

ADDRESS = "RAY_ADDRESS"  # where a cluster runs that is to be used, by environment
SPARE = 2  # cores, in name, for what reads and writes beside the workers of a local cluster
STORE = 1 << 29  # bytes of the object store of a local cluster

# Set where the user has not: nothing is told to anybody, and workers stay where they were started
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_LOG_TO_STDERR": "0",
}


def ray_of() -> Any:
    """The library.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise MissingExtraError("work on a cluster needs Ray; pip install 'plait[scale]'") from None
    return ray


def check_workers(workers: int) -> int:
    """The number of workers.

    Raises
    ------
    ConfigError
        If it is none.
    """
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ConfigError(f"workers={workers!r} is out of range (allowed: 1, 2, ...)")
    return workers


@contextmanager
def session(workers: int = 1) -> Iterator[Any]:
    """The library, connected: to the cluster at ``RAY_ADDRESS``, or one of this machine that ends with the block.

    A connection that stands already is used and left as it is. A local cluster has room for so many workers, shows no
    dashboard and sends no usage statistics.

    Raises
    ------
    MissingExtraError, ConfigError, PlaitError
        If Ray is not installed, there are no workers, or the cluster cannot be reached.
    """
    check_workers(workers)
    ray = ray_of()
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get(ADDRESS)
    own: dict[str, Any] = {"num_cpus": workers + SPARE, "include_dashboard": False, "object_store_memory": STORE}
    try:
        ray.init(address=address or "local", log_to_driver=False, configure_logging=False, **({} if address else own))
    except (ConnectionError, RuntimeError, ValueError) as error:
        place = f"at {ADDRESS}={address}" if address else "on this machine"
        raise PlaitError(f"no Ray cluster {place}: {' '.join(str(error).split())[:160]}") from None
    try:
        yield ray
    finally:
        ray.shutdown()
