"""Export a fitted model: check what can be, write graphs and state, and compare before anything is put in place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from plait import artifact
from plait.conformal.intervals import Spread
from plait.contracts import Batches, Json, Side, State
from plait.data.asof import sides as read_sides
from plait.data.frame import as_frame
from plait.edge.model import FORMAT_VERSION, load
from plait.edge.model import Model as Edge
from plait.edge.rows import Records
from plait.errors import ConfigError, MissingExtraError
from plait.export.networks import Tracing
from plait.export.nodes import learner_state, networks_of, refusals, state_of
from plait.export.parity import TOLERANCE, Parity, Speed, compared, timed
from plait.export.records import made_frame, records_of, side_records
from plait.model import Model

if TYPE_CHECKING:
    from plait.estimators import Classifier, Detector, MultiTask, Regressor

    Estimator = Classifier | Regressor | MultiTask | Detector

__all__ = ["Exported", "Plan", "export", "plan"]

MADE = 200  # rows that are made where none are given
MOST = 2_000  # rows that are compared
DRIFT = 0.1  # difference beyond which weights in int8 are refused: rounding then broke something


@dataclass(frozen=True)
class Plan:
    """What an export would write.

    Parameters
    ----------
    sources
        Modality by source.
    fusion
        What joins them.
    refused
        What cannot be exported, a line each; empty: all of it can be.
    left_out
        What the exported model will not do, a line each.
    """

    sources: Mapping[str, str]
    fusion: str
    refused: tuple[str, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "sources": dict(self.sources),
            "fusion": self.fusion,
            "refused": list(self.refused),
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True)
class Exported:
    """What was written: where, how large in bytes, how equal, and how fast."""

    path: Path
    size: int
    parity: Parity
    speed: Speed
    plan: Plan
    rounded: float | None = None

    def to_json(self) -> dict[str, Json]:
        told = {"path": str(self.path), "bytes": self.size, "parity": self.parity.to_json(), **self.speed.to_json()}
        return {**told, **self.plan.to_json(), "int8_difference": self.rounded}


def plan(estimator: Estimator, *, int8: bool = False) -> Plan:
    """What `export` would write, and what it cannot."""
    try:
        model = _model(estimator)
    except ConfigError as error:
        return Plan({}, "", (str(error),), ())
    left_out = ["explanations, judgement and references: ask the model itself"]
    if model.conformal is not None and model.conformal.groups.by is not None:
        left_out.append(
            f"promises by groups of {model.conformal.groups.by!r}: conformalize without groups to take them along"
        )
    if int8 and not networks_of(model.fitted):
        left_out.append("int8: trees and linear models have no weights that it would shrink; nothing is rounded")
    sources = {source.name: source.modality for source in model.schema.sources}
    return Plan(sources, model.plan["fusion"], tuple(refusals(model.fitted, model.rooms)), tuple(left_out))


def export(
    estimator: Estimator,
    path: str | os.PathLike[str],
    *,
    rows: object = None,
    sides: Mapping[str, object] | None = None,
    int8: bool = False,
) -> Exported:
    """Write a model that runs on numpy and ONNX Runtime, if it says what `estimator` says.

    Parameters
    ----------
    estimator
        Fitted.
    path
        A folder to be, or a file ending in ``.zip``. An exported model that is there is replaced.
    rows
        Real rows to compare on, at most 2,000 of them (any frame); None: made ones.
    sides
        Long tables beside them, by name.
    int8
        Round the weights of networks to eight bits (dynamic quantisation).

    Raises
    ------
    ConfigError
        If a part cannot be exported, or the exported model would say something else (by more than 1e-4 of a
        probability, or of the spread of a value). Nothing is written then.
    MissingExtraError
        If the extra ``serve`` is not installed.
    """
    planned = plan(estimator, int8=int8)
    if planned.refused:
        raise ConfigError(f"the model cannot be exported: {'; '.join(planned.refused)}")
    _check_libraries()
    model = _model(estimator)
    tables = read_sides(model.schema, sides)
    frame = made_frame(model.rooms, model.schema, MADE) if rows is None else as_frame(rows).head(MOST)
    sample = _Sample(frame, tables, model.batches(frame, tables), records_of(frame, model.schema), _records(tables))
    state, rounded = _state(model, Tracing(sample.batches)), None
    edge = _restored(model, state, frame)
    parity = sample.compared(model, edge)
    if parity.most > TOLERANCE or not parity.faults:
        raise ConfigError(
            f"the exported model says something else: {parity.most:.2g} (at most {TOLERANCE:g} is allowed)"
            f"{'' if parity.faults else ', and other cells are faults'}; nothing was written, please report it"
        )
    if int8 and networks_of(model.fitted):
        state = _state(model, Tracing(sample.batches, int8=True))
        edge = _restored(model, state, frame)
        rounded = sample.compared(model, edge).most
        if rounded > DRIFT:
            raise ConfigError(f"weights in int8 change what the model says by {rounded:.2g}; export without int8")
    speed = sample.timed(estimator, edge)
    about = {"parity": parity.to_json(), "speed": speed.to_json(), "int8_difference": rounded}
    target = Path(path)
    artifact.write(target, state, _manifest(model, about))
    return Exported(target, _size(target), parity, speed, planned, rounded)


def _check_libraries() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        raise MissingExtraError("exporting needs the extra 'serve': pip install 'plait[serve]'") from None


def _model(estimator: Estimator) -> Model:
    model = getattr(estimator, "model_", None)
    if not isinstance(model, Model):
        name = type(estimator).__name__
        raise ConfigError(f"a {name} without a target or a fit cannot be exported; fit a classifier or a regressor")
    return model


def _state(model: Model, how: Tracing) -> State:
    """All that the exported model is made of."""
    parts = {
        "rooms": State(1, parts={name: room.state() for name, room in model.rooms.items()}),
        "head": model.head.state(),
        "fitted": state_of(model.fitted, how),
    }
    held = model.conformal
    if held is not None and held.groups.by is None:
        spread = getattr(held, "spread", None)
        own = {} if spread is None else {"spread": _spread(spread)}
        parts["promise"] = replace(held.state(), parts=own)
    return State(1, {"head": model.head.name}, parts=parts)


def _spread(spread: Spread) -> State:
    return replace(spread.state(), parts={"learner": learner_state(spread.learner)})


def _manifest(model: Model, more: Mapping[str, Json]) -> dict[str, Json]:
    about = {"format": FORMAT_VERSION, "fusion": model.plan["fusion"], "targets": list(model.schema.targets), **more}
    return {"schema": model.schema.to_json(), "edge": about}


def _restored(model: Model, state: State, frame: pd.DataFrame) -> Edge:
    """The exported model as it is read back from a disk."""
    with TemporaryDirectory(prefix="plait-export-") as folder:
        ready = Path(folder) / "model"
        artifact.write(ready, state, _manifest(model, {}))
        return load(ready, folder=str(frame.attrs.get("folder", ".")))


def _records(tables: Mapping[str, Side]) -> dict[str, Records]:
    return {name: side_records(table) for name, table in tables.items()}


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


@dataclass(frozen=True)
class _Sample:
    """Rows as both sides read them."""

    frame: pd.DataFrame
    tables: Mapping[str, Side]
    batches: Batches
    records: Records
    beside: Mapping[str, Records]

    def compared(self, model: Model, edge: Edge) -> Parity:
        return compared(model, edge, self.batches, edge.batches(self.records, self.beside))

    def timed(self, estimator: Estimator, edge: Edge) -> Speed:
        """Rows one by one, from cells to answers."""
        one, few = self.frame.head(1), min(len(self.records), 50)
        turn = cycle(range(few))
        model = _model(estimator)
        found = timed(
            {
                "exported": lambda: edge.predict([self.records[next(turn)]], sides=self.beside),
                "eager": lambda: model.predict(one, self.tables),
            }
        )
        return Speed(found["exported"], found["eager"])
