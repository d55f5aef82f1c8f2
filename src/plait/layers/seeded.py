"""Random numbers and threads of torch that are put back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["reproducible", "uniform"]


@contextmanager
def reproducible(seed: int, threads: int) -> Iterator[None]:
    """Seed torch's generators, of the processor and of the GPU in use, and set its threads; all are put back as they
    were."""
    before = torch.get_num_threads()
    used: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if used else []):
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_available():
            torch.cuda.manual_seed(seed)  # at once, or as soon as it is initialised
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def uniform(like: torch.Tensor, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    """Numbers drawn evenly from `low` to `high`, float32, where `like` is; drawn on the processor, alike everywhere."""
    return torch.empty(shape).uniform_(low, high).to(like.device)
