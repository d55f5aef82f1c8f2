"""Figures of a job in MLflow: parameters, metrics, files and how it ended."""

from __future__ import annotations

import math
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from plait.contracts import Json, Progress, Watcher
from plait.errors import MissingExtraError, PlaitError

__all__ = ["MLflow"]

EXPERIMENT = "plait"
LONGEST = 500  # characters of a parameter
STRANGE = re.compile(r"[^\w\-./ :]")  # what MLflow takes in no name
# An unreachable server is to hold a fit up for seconds, not for the minutes that MLflow would try again.
HASTE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class MLflow(Watcher):
    """A run in the experiment ``plait`` of a tracking store; metrics are called ``part/stage/figure``.

    Parameters
    ----------
    target
        A tracking address as MLflow takes it: ``sqlite:///mlruns.db``, ``http://host:5000``.
    goes_on
        Go on with the latest run there that did not finish, if there is one; its steps are not told again.

    Raises
    ------
    MissingExtraError
        If MLflow is not installed.
    PlaitError
        If the store cannot be reached.
    """

    name: ClassVar[str] = "mlflow"

    def __init__(self, target: str, *, goes_on: bool = False) -> None:
        try:
            from mlflow.tracking import MlflowClient
        except ImportError:
            raise MissingExtraError("--watch mlflow needs MLflow: pip install 'plait[track]'") from None
        for name, value in HASTE.items():
            os.environ.setdefault(name, value)
        self._known: dict[str, int] = {}
        _open(target)
        with _told(target):
            self._client: Any = MlflowClient(target)
            self._target = target
            found = self._client.get_experiment_by_name(EXPERIMENT)
            where = (
                self._client.create_experiment(EXPERIMENT, _files_of(target)) if found is None else found.experiment_id
            )
            self.run = self._unfinished(where) if goes_on else None
            if self.run is None:
                self.run = str(self._client.create_run(where).info.run_id)

    @staticmethod
    def place(folder: Path) -> str:
        """``mlflow.db``, of SQLite, in the folder of the run."""
        return f"sqlite:///{(folder / 'mlflow.db').absolute()}"

    def asked(self, parameters: Mapping[str, Json]) -> None:
        from mlflow.entities import Param

        flat = {_name(key): str(value)[:LONGEST] for key, value in _flat(parameters) if value is not None}
        with _told(self._target):
            self._client.log_batch(self.run, params=[Param(key, value) for key, value in flat.items()])

    def __call__(self, progress: Progress) -> None:
        from mlflow.entities import Metric

        now, told = int(time.time() * 1000), []
        for name, value in progress.curves.items():
            key = _name("/".join(filter(None, (progress.part, progress.stage, name))))
            if math.isfinite(value) and progress.done > self._known.get(key, -1):
                self._known[key] = progress.done
                told.append(Metric(key, float(value), now, progress.done))
        if told:
            with _told(self._target):
                self._client.log_batch(self.run, metrics=told)

    def close(self, files: Sequence[Path] = (), failed: str = "") -> None:
        with _told(self._target):
            for file in files:
                self._client.log_artifact(self.run, str(file))
            if failed:
                self._client.set_tag(self.run, "failed", failed[:LONGEST])
            self._client.set_terminated(self.run, "FAILED" if failed else "FINISHED")

    def _unfinished(self, experiment: str) -> str | None:
        """The latest run that did not finish, and the last steps that it tells."""
        latest = self._client.search_runs(
            [experiment], "attributes.status != 'FINISHED'", max_results=1, order_by=["attributes.start_time DESC"]
        )
        if not latest:
            return None
        run = str(latest[0].info.run_id)
        self._client.update_run(run, status="RUNNING")
        for key in latest[0].data.metrics:
            self._known[key] = max(metric.step for metric in self._client.get_metric_history(run, key))
        return run


def _open(target: str) -> None:
    """Look whether a store in SQLite can be opened, which MLflow would try again and again for two minutes."""
    if not target.startswith("sqlite:///"):
        return
    try:
        with closing(sqlite3.connect(target.removeprefix("sqlite:///").partition("?")[0])) as store:
            store.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise PlaitError(f"MLflow at {target}: {error}") from None


@contextmanager
def _told(target: str) -> Iterator[None]:
    """What MLflow and its store say as an error of ours."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise PlaitError(f"MLflow at {target}: {' '.join(str(error).split())[:200]}") from None


def _files_of(target: str) -> str | None:
    """Where files of a store in SQLite lie: beside it, not in the folder that a command happens to run in."""
    path = target.removeprefix("sqlite:///")
    return None if path == target else (Path(path).absolute().parent / "mlartifacts").as_uri()


def _flat(values: Mapping[str, Json], before: str = "") -> Iterator[tuple[str, Json]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _name(text: str) -> str:
    return STRANGE.sub("_", text)
