"""Calls that do not know each other, as tasks of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from plait.cluster.session import check_workers, ray_of
from plait.errors import PlaitError

__all__ = ["Tasks"]

S = TypeVar("S")
A = TypeVar("A")
T = TypeVar("T")


class Tasks:
    """Where calls run beside each other, `workers` at once; a `plait.cluster.session` has to stand.

    What all calls share is sent once. Used as `spread` of `plait.tuning.tune`.
    """

    def __init__(self, workers: int) -> None:
        self.workers = check_workers(workers)
        self._sent: tuple[Any, Any] | None = None

    def __call__(self, call: Callable[[S, A], T], shared: S, each: Sequence[A]) -> list[T]:
        """``[call(shared, one) for one in each]``.

        Raises
        ------
        PlaitError
            What `call` raises, or where a worker is lost.
        """
        ray = ray_of()
        if self._sent is None or self._sent[0] is not shared:
            self._sent = shared, ray.put(shared)
        remote = ray.remote(num_cpus=1, max_retries=0)(call)
        tasks = [remote.remote(self._sent[1], one) for one in each]
        try:
            found: list[T] = ray.get(tasks)
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, PlaitError) else error from None
        except ray.exceptions.RayError as error:
            raise PlaitError(f"a worker of the cluster is gone: {' '.join(str(error).split())[:200]}") from None
        return found
