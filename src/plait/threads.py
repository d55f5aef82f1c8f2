"""How many threads there are to use."""

from __future__ import annotations

import os

__all__ = ["cores", "threads_of"]


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_of(n_jobs: int | None) -> int:
    """Thread count of scikit-learn's `n_jobs`: None or -1 is all cores this process may use."""
    if n_jobs is None:
        return cores()
    return max(1, cores() + 1 + n_jobs) if n_jobs < 0 else max(1, min(n_jobs, cores()))
