"""A process of the tests of teams: fits a small network, and writes down what came of it.

Its arguments are a folder, options of the fusion as JSON, and how it behaves: ``well``; ``nan`` (the second process's
loss is none from its third step on), ``die`` and ``hang`` (the second process, at its fifth step), ``stop`` (every
process, at its fifth step, with a checkpoint left behind).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import plait
from plait.checkpoints import Checkpoints
from plait.contracts import Progress
from plait.errors import PlaitError
from plait.training.objective import HeadLoss

STEP = 5


def main(folder: Path, options: dict[str, object], behaviour: str) -> None:
    rank = int(os.environ.get("RANK", "0"))
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(101, 3)), columns=list("abc"))
    y = X["a"] - X["b"] + rng.normal(size=101)

    def progress(now: Progress) -> None:
        if now.stage != "train" or now.done != STEP:
            return
        if behaviour == "stop":
            os._exit(0)
        if rank == 1 and behaviour == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if rank == 1 and behaviour == "hang":
            time.sleep(600)

    if behaviour == "nan" and rank == 1:
        forward, calls = HeadLoss.forward, iter(range(10**9))
        HeadLoss.forward = lambda *told: forward(*told) * (float("nan") if next(calls) > 1 else 1)  # type: ignore[method-assign]
    own = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0, "epochs": 3, "batch_size": 32, **options}
    model = plait.Regressor(fusion="attention", options={"attention": own}, n_jobs=1)
    try:
        model.fit(X, y, keep=Checkpoints(folder / "kept", every=0), progress=progress)
    except PlaitError as error:
        told: dict[str, object] = {"error": str(error)}
    else:
        history = model.model_.fitted.history  # type: ignore[attr-defined]
        told = {"losses": history["losses"], "judged": history["judged"], "predicted": model.predict(X).tolist()}
    (folder / f"{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3])
