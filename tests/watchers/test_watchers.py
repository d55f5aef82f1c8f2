"""What every registered watcher must do, and what each of ours writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait import registry
from plait.contracts import Progress
from plait.errors import ConfigError, PlaitError
from plait.watched import check_watchers, watched
from plait.watchers.jsonl import Jsonl
from plait.watchers.tensorboard import TensorBoard

QUIET = pytest.mark.filterwarnings("ignore::Warning:sqlalchemy", "ignore::Warning:mlflow", "ignore::Warning:alembic")


def step(done: int, epoch: float = 0.0, part: str = "network", **metrics: float) -> Progress:
    return Progress("train", done, 10, None, {"loss": 1 / (1 + done), "epoch": epoch, **metrics}, part)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    told = EventAccumulator(str(folder), size_guidance={TENSORS: 0}).Reload()
    return {
        tag: [(event.step, float(make_ndarray(event.tensor_proto))) for event in told.Tensors(tag)]
        for tag in told.Tags()[TENSORS]
    }


def test_jsonl_is_one_object_a_line_and_strict_json(tmp_path: Path) -> None:
    watcher = Jsonl(str(tmp_path / "deep" / "m.jsonl"))
    watcher(Progress("reading table", 0, 2))
    watcher(step(1, judged_loss=float("nan")))
    assert len(lines(tmp_path / "deep" / "m.jsonl")) == 2  # flushed: nothing is closed yet
    watcher.close()
    first, second = lines(tmp_path / "deep" / "m.jsonl")
    assert first["stage"] == "reading table"
    assert second["metrics"] == {"loss": 0.5, "epoch": 0.0, "judged_loss": None}
    assert (second["part"], second["step"], second["total"]) == ("network", 1, 10)


def test_jsonl_goes_on_without_telling_a_step_twice(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    first = Jsonl(str(path))
    for done in range(1, 6):
        first(step(done))
    first(step(5, epoch=1.0))
    first.close()
    with path.open("a") as file:
        file.write('{"time": "2026-')  # cut off in the middle of a line
    again = Jsonl(str(path), goes_on=True)
    for done in range(4, 8):  # from the last checkpoint on
        again(step(done, epoch=float(done > 5)))
    again(step(1, part="network again"))
    again.close()
    told = [(line["part"], line["step"], line["metrics"]["epoch"]) for line in lines(path)]
    assert len(told) == len(set(told))
    assert [each[1] for each in told] == [1, 2, 3, 4, 5, 5, 6, 7, 1]
    Jsonl(str(path)).close()
    assert not lines(path)  # a new job, a new file


def test_tensorboard_goes_on_without_telling_a_step_twice(tmp_path: Path) -> None:
    for steps, goes_on in (((1, 2, 3), False), ((2, 3, 4), True)):
        watcher = TensorBoard(str(tmp_path), goes_on=goes_on)
        for done in steps:
            watcher(step(done))
        watcher.close()
    told = scalars(tmp_path)
    assert told["network/train/loss"] == [(n, pytest.approx(1 / (1 + n))) for n in (1, 2, 3, 4)]


@pytest.mark.slow
@QUIET
def test_mlflow_store_reads_back_what_was_told(tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    from plait.watchers.mlflow import MLflow

    target = f"sqlite:///{tmp_path / 'runs.db'}"
    shown = tmp_path / "run.json"
    shown.write_text("{}")
    first = MLflow(target)
    first.asked({"fusion": "early", "options": {"linear": {"strength": 0.1}}, "plan": None})
    for done in (1, 2, 3):
        first(step(done))
    again = MLflow(target, goes_on=True)  # the first was killed
    assert again.run == first.run
    for done in (2, 3, 4):
        again(step(done))
    again.close([shown])
    client = MlflowClient(target)
    run = client.get_run(str(first.run))
    assert run.info.status == "FINISHED"
    assert run.data.params == {"fusion": "early", "options.linear.strength": "0.1"}
    history = client.get_metric_history(run.info.run_id, "network/train/loss")
    assert [(m.step, m.value) for m in history] == [(n, 1 / (1 + n)) for n in (1, 2, 3, 4)]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["run.json"]
    with pytest.raises(PlaitError), watched([f"mlflow={target}"]):
        raise PlaitError("the loss is not finite")
    failed = client.search_runs(["1"], "attributes.status = 'FAILED'")
    assert failed[0].data.tags["failed"] == "PlaitError: the loss is not finite"


@pytest.mark.slow
@QUIET
def test_a_store_that_cannot_be_opened_is_said_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file.db").write_text("no database")
    for place, why in ((tmp_path / "none" / "runs.db", "unable to open"), (tmp_path / "file.db", "not a database")):
        said: list[str] = []
        with watched([f"mlflow=sqlite:///{place}"], say=said.append) as report:
            report(step(1))
        assert len(said) == 1
        assert said[0].startswith(f"mlflow does not watch: MLflow at sqlite:///{place}: ")
        assert why in said[0]


class Broken:
    """A disk that is full."""

    name = "broken"
    calls = 0

    def __init__(self, target: str, *, goes_on: bool = False) -> None: ...

    @staticmethod
    def place(folder: Path) -> str:
        return str(folder)

    def asked(self, parameters: Any) -> None: ...

    def __call__(self, progress: Progress) -> None:
        Broken.calls += 1
        raise OSError(28, "No space left on device")

    def close(self, files: Any = (), failed: str = "") -> None:
        raise AssertionError("a watcher that failed is left alone")


def test_a_watcher_that_fails_is_said_once_and_the_job_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.get
    monkeypatch.setattr(registry, "names", lambda kind: ("broken", "jsonl"))
    monkeypatch.setattr(registry, "get", lambda kind, name: Broken if name == "broken" else real(kind, name))
    said: list[str] = []
    with watched(["broken", "jsonl"], tmp_path, say=said.append) as report:
        for epoch in range(5):
            report(step(epoch, epoch=float(epoch)))
    assert Broken.calls == 1
    assert said == ["broken no longer watches: [Errno 28] No space left on device"]
    assert len(lines(tmp_path / "metrics.jsonl")) == 5


def test_a_place_that_cannot_be_written_is_said_before_the_job(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    with watched([f"jsonl={tmp_path}/file/m.jsonl"], say=said.append) as report:
        report(step(1))
    assert len(said) == 1
    assert said[0].startswith("jsonl does not watch")


def test_steps_are_thinned_but_epochs_and_ends_are_told(tmp_path: Path) -> None:
    with watched(["jsonl"], tmp_path) as report:
        for done in range(1, 1001):
            report(Progress("train", done, 1000, None, {"epoch": float((done - 1) // 500)}))
    told = [line["step"] for line in lines(tmp_path / "metrics.jsonl")]
    assert {1, 501, 1000} <= set(told)
    assert len(told) < 100


@pytest.mark.parametrize("spec", ["jsnl", "jsonl=", "=x"])
def test_specs_that_cannot_be_read(spec: str) -> None:
    with pytest.raises(ConfigError):
        check_watchers([spec])


def test_a_spec_without_a_place_needs_a_folder() -> None:
    with pytest.raises(ConfigError, match="no folder"), watched(["jsonl"]):
        pass
    with pytest.raises(ConfigError, match="twice"):
        check_watchers(["jsonl", "jsonl=x"])


def test_a_fit_is_watched_in_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    small = {"attention": {"width": 8, "layers": 1, "heads": 1, "epochs": 2, "batch_size": 32}}
    with watched(["jsonl"], tmp_path) as report:
        model = plait.Classifier(fusion="attention", options=small, n_jobs=1)
        model.fit(frame, (frame["a"] > 0).rename("up"), progress=report)
    told = [line for line in lines(tmp_path / "metrics.jsonl") if line["stage"] == "train"]
    assert {line["part"] for line in told} == {"attention/network"}
    assert {1.0, 2.0} <= {line["metrics"]["epoch"] for line in told}
    assert all(line["metrics"]["loss"] > 0 and line["metrics"]["learning_rate"] >= 0 for line in told)


def test_every_watcher_has_a_place_of_its_own(tmp_path: Path) -> None:
    places = [registry.get("watchers", name).place(tmp_path) for name in registry.names("watchers")]
    assert len(set(places)) == len(places)
    assert all(str(tmp_path) in place for place in places)
