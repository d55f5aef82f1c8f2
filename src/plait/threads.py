"""How many threads there are to use, and whether this process is one of several that do the same work together."""

from __future__ import annotations

import os

__all__ = ["cores", "leads", "threads_of", "together"]


def cores() -> int:
    """Processor cores that this process may use: its share, where it works beside others on this machine."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if together() else 1
    return max(1, own // beside)


def threads_of(n_jobs: int | None) -> int:
    """Thread count of scikit-learn's `n_jobs`: None or -1 is all cores this process may use."""
    if n_jobs is None:
        return cores()
    return max(1, cores() + 1 + n_jobs) if n_jobs < 0 else max(1, min(n_jobs, cores()))


def together() -> bool:
    """Whether this process is one of several of the same job, as `torchrun` says by environment."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process is the one of its job that writes and speaks."""
    return not together() or os.environ.get("RANK", "0") == "0"
