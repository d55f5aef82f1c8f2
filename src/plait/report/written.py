"""What a run leaves in its folder: the model, its schema, its record, and how it was judged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.data.files import replacing
from plait.data.read import digest
from plait.data.stream import Stream
from plait.errors import ConfigError, DataError

if TYPE_CHECKING:
    from plait.contracts import Json
    from plait.data.division import Division
    from plait.data.findings import Finding
    from plait.estimators import Classifier, MultiTask, Regressor
    from plait.judgement.fairness import FairnessReport
    from plait.metrics.evaluation import Evaluation

__all__ = ["MODEL", "REFUSED_MODEL", "check_folder", "run_record", "write_json", "write_run"]

MODEL, REFUSED_MODEL = "model.plait", "refused.plait"  # what no gate refused, and what one did


def check_folder(folder: Path | None, dry_run: bool = False) -> None:
    """Before hours of fitting: is there a folder that can be written to?

    Raises
    ------
    ConfigError
        If none is named, though something is to be written.
    DataError
        If it cannot be made.
    """
    if folder is None:
        if not dry_run:
            raise ConfigError("name the folder for the model with -o DIR")
        return
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise DataError(f"{folder} cannot be made: {above} is no folder that can be written to")


def run_record(
    output: Path,
    data: Path,
    division: Division[Any],
    share: float,
    estimator: Classifier | Regressor | MultiTask,
    chosen: Mapping[str, Any],
    evaluation: Evaluation | None,
    leaks: Sequence[Finding] = (),
) -> dict[str, Json]:
    """The run as JSON; its plan can be given to another run, and its rows can be found and divided again.

    Parameters
    ----------
    output
        The folder that the run is written to.
    data
        The file that the rows came from; ``division.train.attrs["read"]`` says how it was read.
    share
        The share of rows that was to be held out.
    chosen
        What was asked of the estimator.
    """
    schema, test = estimator.schema_, division.test
    return {
        "data": {
            "path": str(data),
            "sha256": digest(data),
            "rows": len(division.train) + (0 if test is None else len(test)),
            "split": division.kind,
            "test_rows": 0 if test is None else len(test),
            "test": share,
            "division": division.digest(),
            "folder": division.train.attrs.get("folder"),
            "from_run": os.path.relpath(data, output),
            "read": division.train.attrs["read"],
            "streamed": isinstance(division.train, Stream),
            "sides": {s.name: {"path": s.path, "sha256": s.path and digest(s.path)} for s in schema.sides},
        },
        "task": "classification" if hasattr(estimator, "classes_") else "regression",
        "configuration": {name: value for name, value in chosen.items() if name != "plan"},
        "schema": schema.to_json(),
        "plan": dict(estimator.plan_),
        **dict(estimator.record_),
        "metrics": {} if evaluation is None else evaluation.to_json()["figures"],
        "leaks": [finding.to_json() for finding in leaks],
    }


def write_run(
    folder: Path,
    estimator: Classifier | Regressor | MultiTask,
    record: Mapping[str, Json],
    evaluation: Evaluation | None,
    fairness: FairnessReport | None = None,
) -> None:
    """Write a run's folder; a model that a gate refused (``record["accepted"]`` is false) has another name."""
    from plait.report.canvas import save
    from plait.report.curves import draw
    from plait.report.learning import learning_figure

    name, other = (MODEL, REFUSED_MODEL) if record["accepted"] else (REFUSED_MODEL, MODEL)
    estimator.save(folder / name)
    shutil.rmtree(folder / other, ignore_errors=True)  # of an earlier run: a folder holds one model
    if fairness is not None:
        write_json(folder / "fairness.json", fairness.to_json())
    estimator.schema_.write(folder / "schema.yaml")
    write_json(folder / "run.json", record)
    if (learning := learning_figure(record)) is not None:
        save(learning, folder / "learning.png")
    if evaluation is not None:
        write_json(folder / "evaluation.json", evaluation.to_json())
        draw(evaluation, folder)


def write_json(path: Path, value: Json) -> None:
    """Write JSON that a person can read, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n", "utf-8")
