"""One fit that several processes of a cluster share: the same code as under `torchrun`, started by Ray Train."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from plait.cluster.session import ADDRESS, ray_of, session
from plait.contracts import Side
from plait.errors import PlaitError
from plait.estimators.base import Estimator

__all__ = ["fit", "together"]

T = TypeVar("T")
E = TypeVar("E", bound=Estimator)


def fit(
    estimator: E,
    X: object,
    y: object,
    sample_weight: object = None,
    *,
    sides: Mapping[str, Side] | None = None,
    workers: int = 2,
) -> E:
    """The estimator, fitted by `workers` processes: rooms and classical parts by each, networks by all together.

    The result is that of one process up to rounding, where a network draws no random numbers of its own (dropout).
    """

    def work() -> E:
        fitted: E = estimator.fit(X, y, sample_weight, sides=sides)
        fitted.model_.add_references()  # while the training rows are at hand: they do not travel
        return fitted

    return together(work, workers)


def together(work: Callable[[], T], workers: int) -> T:
    """Call `work` in as many processes of the cluster, which are one team; what the leader returns.

    `work`, with all that it refers to, is sent to the workers, and its result comes back.

    Raises
    ------
    PlaitError
        What `work` raises, or where a worker is lost.
    """
    here = os.getcwd()

    def one() -> T:
        os.chdir(here)
        return work()

    shared = here if ADDRESS in os.environ else None  # what workers of other machines see, too
    with session(workers), tempfile.TemporaryDirectory(prefix=".plait-ray-", dir=shared) as folder:
        from ray import train
        from ray.train.torch import TorchConfig, TorchTrainer

        resources = train.ScalingConfig(num_workers=workers, use_gpu=_gpus() >= workers)
        run = train.RunConfig(name="fit", storage_path=folder, failure_config=train.FailureConfig(max_failures=0))
        trainer: Any = TorchTrainer(
            one,  # type: ignore[arg-type]  # what it returns comes back
            scaling_config=resources,
            run_config=run,
            torch_config=TorchConfig(timeout_s=600),
        )
        try:
            result = trainer.fit()
        except train.TrainingFailedError as error:
            raise _cause(error) from None
    value: T = result.return_value
    return value


def _gpus() -> int:
    return int(ray_of().cluster_resources().get("GPU", 0))


def _cause(error: Any) -> PlaitError:
    """Our own error of a worker, or that one is gone."""
    failures: Mapping[int, Any] = getattr(error, "worker_failures", {})
    for failure in failures.values():
        said = getattr(failure, "cause", failure)
        if isinstance(said, PlaitError):
            return said
    rank, first = next(iter(failures.items()), (None, error))
    where = "the fit on Ray failed" if rank is None else f"worker {rank} of the fit on Ray is gone"
    return PlaitError(f"{where}: {type(first).__name__}: {' '.join(str(first).split())[:200]}")
