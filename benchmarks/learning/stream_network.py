"""Rows streamed from Parquet: what does a network that reads 5 million of them once take, in memory and in time?"""

from __future__ import annotations

import sys

from benchmarks.learning.stream import asked
from benchmarks.runner import Report, main
from plait.contracts import Json

OPTIONS: dict[str, dict[str, Json]] = {
    "attention": {"width": 16, "layers": 1, "heads": 2, "epochs": 1, "batch_size": 1024, "learning_rate": 3e-3}
}


def run(seed: int) -> Report:
    """A small attention fusion, one pass, on one core."""
    return asked("attention", OPTIONS, ("width 16, one layer, one pass in mini-batches of 1,024; one core",), seed)


if __name__ == "__main__":
    sys.exit(main(run))
