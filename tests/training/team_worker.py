"""A process of the tests of teams: fits small networks, one after the other, and writes down what came of each.

Its arguments are a folder and the fits, as JSON: of each a name (a folder), options of the fusion, and how it behaves.
``well``; ``nan`` (the second process's loss is none from its third step on), ``die`` and ``hang`` (the second process,
at its fifth step); ``stop`` (every process gives the fit up at its fifth step, with a checkpoint left behind) and
``end`` (at that step every process is gone).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

import plait
from plait.checkpoints import Checkpoints
from plait.contracts import Progress
from plait.errors import PlaitError
from plait.training.objective import HeadLoss

STEP = 5


class GivenUpError(Exception):
    """A fit is given up."""


def fit(folder: Path, options: dict[str, Any], behaviour: str) -> None:
    rank = int(os.environ.get("RANK", "0"))
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(101, 3)), columns=list("abc"))
    y = X["a"] - X["b"] + rng.normal(size=101)

    def progress(now: Progress) -> None:
        if now.stage != "train" or now.done != STEP:
            return
        if behaviour == "stop":
            raise GivenUpError
        if behaviour == "end":
            os._exit(0)
        if rank == 1 and behaviour == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if rank == 1 and behaviour == "hang":
            time.sleep(600)

    forward, calls = HeadLoss.forward, iter(range(10**9))
    broken = behaviour == "nan" and rank == 1
    own = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0, "epochs": 3, "batch_size": 32, **options}
    model = plait.Regressor(fusion="attention", options={"attention": own}, n_jobs=1)
    folder.mkdir(exist_ok=True)
    try:
        with mock.patch.object(
            HeadLoss, "forward", lambda *told: forward(*told) * (float("nan") if broken and next(calls) > 1 else 1)
        ):
            model.fit(X, y, keep=Checkpoints(folder / "kept", every=0), progress=progress)
    except PlaitError as error:
        told: dict[str, object] = {"error": str(error)}
    except GivenUpError:
        return
    else:
        history = model.model_.fitted.history  # type: ignore[attr-defined]
        told = {"losses": history["losses"], "judged": history["judged"], "predicted": model.predict(X).tolist()}
    (folder / f"{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    for name, options, behaviour in json.loads(sys.argv[2]):
        fit(Path(sys.argv[1]) / name, options, behaviour)
