"""What a step is: parts of a mini-batch, mean weights, half precision, the sweep over rates, and who judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait import Classifier, Regressor, registry
from plait.contracts import FitContext
from plait.data.schema import Schema
from plait.errors import PlaitError
from plait.evidence import Evidence
from plait.fusion.parallel import Parallel
from plait.training import fitting
from plait.training.finder import STEPS, find
from plait.training.history import Judge
from plait.training.loop import train

OPTIONS: dict[str, Any] = {"width": 8, "dropout": 0.0, "batch_size": 16, "epochs": 2, "masking": 0.0}
ROWS = 64


def made(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 2)), columns=["a", "b"])
    frame["steps"] = list(rng.normal(size=(rows, 6)).astype(np.float32))
    return frame.assign(label=(frame["a"] + 0.3 * rng.normal(size=rows) > 0).astype(int))


def evidence_of(frame: pd.DataFrame, time: Any = None) -> Evidence:
    schema = Schema.infer(frame.drop(columns="label"))
    rooms = {source.name: registry.room(source)(source) for source in schema.sources}
    head = registry.get("heads", "binary")().fit(frame["label"].to_numpy(), np.ones(len(frame)))
    doors = frozenset({"tokens"})
    context = FitContext(head.encode(frame["label"]), head.task, head.outputs, np.ones(len(frame)), time, doors=doors)
    return Evidence.of(frame.drop(columns="label"), schema, rooms, head, context)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return evidence_of(made())


def weights(evidence: Evidence, **options: Any) -> dict[str, np.ndarray]:
    rows = np.arange(len(evidence))
    network, _, _ = fitting.trained(Parallel(**{**OPTIONS, **options}), evidence, rows, None, "network")
    return {name: value.numpy() for name, value in network.state_dict().items()}


def far(ours: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(ours[name] - other[name]).max()) for name in ours)


def test_parts_of_a_mini_batch_are_the_mini_batch(evidence: Evidence) -> None:
    whole = weights(evidence, optimiser="sgd")
    assert far(weights(evidence, optimiser="sgd", accumulate=3), whole) < 1e-6
    assert far(weights(evidence, optimiser="sgd", batch_size=5), whole) > 1e-3


def test_gradient_descent_is_the_step_of_a_mini_batch_of_all_rows(evidence: Evidence) -> None:
    all_rows = weights(evidence, optimiser="sgd", batch_size=ROWS, learning_rate=0.3)
    assert far(weights(evidence, optimiser="gradient_descent", batch_size="auto"), all_rows) < 1e-6


def test_mean_weights_are_the_running_mean(evidence: Evidence) -> None:
    """With one step an epoch, the weights after each step are those of shorter trainings with the same rate."""
    each = {"batch_size": ROWS, "optimiser": "sgd", "schedule": "constant"}
    first, second = (weights(evidence, **each, epochs=epochs) for epochs in (1, 2))
    start = {name: value.numpy() for name, value in untrained(evidence).state_dict().items()}
    mean = weights(evidence, **each, epochs=2, ema=0.75)
    wanted = {n: 0.75 * (0.75 * start[n] + 0.25 * first[n]) + 0.25 * second[n] for n in start}
    assert far(mean, wanted) < 1e-6


def test_half_precision_is_finite_and_close(evidence: Evidence) -> None:
    full, half = weights(evidence), weights(evidence, precision="bfloat16")
    assert all(np.isfinite(value).all() for value in half.values())
    assert 0 < far(half, full) < 0.05


def test_the_latest_rows_judge_where_time_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    order = np.random.default_rng(1).permutation(ROWS).astype(float)
    seen: list[Judge] = []
    monkeypatch.setattr(Judge, "__call__", lambda self, network: seen.append(self) or 1.0)
    frame = made()
    Parallel(**{**OPTIONS, "epochs": 5, "patience": 2, "holdout": 0.25}).fit(evidence_of(frame, order))
    assert len(seen) == 3  # the first is the best, and two more are waited for
    latest = np.sort(np.argsort(order)[-ROWS // 4 :])
    np.testing.assert_array_equal(seen[0].targets, frame["label"].to_numpy()[latest])


# learning-rate finder


def untrained(evidence: Evidence) -> Any:
    from plait.layers.seeded import reproducible
    from plait.network import build

    with reproducible(evidence.context.seed, 1):
        return build(evidence.rooms, evidence.head, Parallel(**OPTIONS).body, OPTIONS["width"])


def swept(evidence: Evidence, **options: Any) -> tuple[Any, ...]:
    """Network, what the loop reads, objective and settings, as `train` and `find` take them."""
    from plait.training.feed import Held
    from plait.training.masking import Masking
    from plait.training.objective import HeadLoss

    config = Parallel(**{**OPTIONS, **options}).config()
    feed = Held(evidence.inputs(np.arange(len(evidence))), evidence.context, 16, Masking(0.15))
    return untrained(evidence), feed, HeadLoss(evidence.head), config


def test_a_sweep_leaves_everything_as_it_was(evidence: Evidence) -> None:
    import torch

    given = swept(evidence)
    before, random = untrained(evidence).state_dict(), torch.get_rng_state()
    found = find(*given)
    assert all(torch.equal(value, before[name]) for name, value in given[0].state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert found == find(*given)
    history = train(*given)
    assert history == train(*swept(evidence))


def test_what_a_sweep_tells(evidence: Evidence, tmp_path: Path) -> None:
    found = find(*swept(evidence))
    assert 0 < len(found.rates) == len(found.changes) <= STEPS
    assert list(found.rates) == sorted(found.rates)
    assert found.rates[0] < found.suggested < found.best < 10
    assert json.loads(found.to_json())["suggested"] == found.suggested
    assert f"{found.suggested:.2g}" in str(found)
    found.picture(tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_that_is_never_finite_is_told(evidence: Evidence) -> None:
    network, feed, objective, config = swept(evidence)
    feed.context.weight[:] = np.inf
    try:
        with pytest.raises(PlaitError, match="not finite"):
            find(network, feed, objective, config)
    finally:
        feed.context.weight[:] = 1.0


def test_the_found_rate_is_recorded_and_repeated() -> None:
    options = {"parallel": {**OPTIONS, "learning_rate": "find", "holdout": 0.2}}
    frame = made()
    model = Classifier(fusion="parallel", n_jobs=1, options=options).fit(frame[["a", "b", "steps"]], frame["label"])
    found = model.record_["training"]["parallel"]["learning_rate"]
    assert 1e-6 < found < 1


def test_rows_of_no_finite_loss_are_named_as_in_their_frame() -> None:
    frame = made().sample(frac=1, random_state=1)
    frame.index = pd.Index([f"loan {i}" for i in range(ROWS)])
    value, weight = frame["a"].to_numpy().copy(), np.ones(ROWS)
    value[23], weight[23] = 1e30, 0.0  # nothing of infinity is no number
    told = frame[["b"]].assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS)[::-1], "D"))
    model = Regressor(fusion="parallel", time="day", options={"parallel": OPTIONS}, random_state=0)
    with pytest.raises(PlaitError, match="not finite in training rows loan 23;"):
        model.fit(told, value, weight)
