"""An exported model: read, checked, and asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from plait import artifact, registry
from plait.conformal.intervals import ConformalIntervals, Spread
from plait.conformal.promise import Promise
from plait.conformal.promise import restored as restored_promise
from plait.contracts import Array, Batches, Json, Modality, Prediction, State
from plait.data.schema import Schema
from plait.edge.fitted import learner_of, restored
from plait.edge.graphs import Runner
from plait.edge.rows import Records, columns_of, told
from plait.errors import ArtifactError, PlaitError
from plait.evidence import Fitted, View

__all__ = ["FORMAT_VERSION", "Model", "load"]

FORMAT_VERSION = 1  # of what `plait.export` writes into an artifact


def load(path: str | os.PathLike[str], *, threads: int = 1, folder: str | None = None) -> Model:
    """Read an exported model.

    Parameters
    ----------
    path
        The folder or zip that ``plait export`` wrote.
    threads
        Of ONNX Runtime, for each graph. One is fastest for single rows.
    folder
        Where cells that are paths of files lie; None: no path is opened, and such cells are faults.

    Raises
    ------
    ArtifactError
        If it is damaged, hostile, of a newer format, or no exported model.
    MissingExtraError
        If ONNX Runtime is not installed.
    """
    manifest, state = artifact.read(path)
    try:
        return Model.restored(manifest, state, Runner(threads), folder)
    except PlaitError:
        raise
    except (AttributeError, LookupError, MemoryError, OverflowError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a complete exported model: {type(error).__name__} {error}") from None


@dataclass(frozen=True)
class Model:
    """A whole pipeline, from cells to answers.

    Parameters
    ----------
    schema
        The columns that it reads.
    about
        What the export knows of it: ``target``, ``model``, ``fusion``, ``precision``, ``parity``.
    rooms
        By source.
    fitted
        What scores rows.
    promise
        Sets or intervals, where the model promises them.
    folder
        Where cells that are paths lie, or None.
    """

    schema: Schema
    about: Mapping[str, Json]
    rooms: Mapping[str, Modality]
    fitted: Fitted
    promise: Promise | None
    folder: str | None

    @classmethod
    def restored(cls, manifest: Mapping[str, Json], state: State, runner: Runner, folder: str | None = None) -> Self:
        """The model of a file that was read."""
        about = manifest.get("edge")
        if not isinstance(about, dict):
            raise ArtifactError(
                "this is a model of plait, not an exported one; run `plait export MODEL --to onnx -o ...`"
            )
        if type(about["format"]) is not int or about["format"] > FORMAT_VERSION:
            raise ArtifactError(
                f"the model was exported in format {about['format']}, this reads {FORMAT_VERSION}; "
                "install the plait_edge it was exported with"
            )
        schema = Schema.from_json(manifest["schema"])
        head = registry.get("heads", state.values["head"]).from_state(state.parts["head"])
        saved = state.parts["rooms"].parts
        rooms = {s.name: registry.room(s).from_state(s, saved[s.name]) for s in schema.sources}
        fitted = restored(state.parts["fitted"], rooms, head, runner)
        promise = _promise(state.parts["promise"], runner) if "promise" in state.parts else None
        return cls(schema, about, rooms, fitted, promise, folder)

    def predict(self, rows: Records, *, sides: Mapping[str, Records] | None = None) -> list[dict[str, Json]]:
        """Answers, one record a row.

        Parameters
        ----------
        rows
            A mapping from column to cell each: numbers, text, booleans, dates, bytes or paths of files, lists. None and
            NaN are missing; a row of which nothing is there gets the prior.
        sides
            Records of the long tables that the schema names.

        Returns
        -------
        list of dict
            ``label`` and ``probabilities`` of classes, ``value``, ``quantiles``, ...; where they are promised ``set``,
            or ``low`` and ``high``; and ``faults`` (column and reason) of cells that could not be read.

        Raises
        ------
        DataError
            If rows lack a column that the model reads, or a moment does not parse.
        """
        batches = self.batches(rows, sides)
        view = View(batches, self.rooms)
        prediction = replace(self.fitted.head.decode(self.fitted.score(view)), faults=batches.faults)
        answers = told(prediction)
        self._add_promises(answers, prediction, view)
        for fault in prediction.faults:
            answers[fault.row].setdefault("faults", []).append({"column": fault.column, "reason": fault.reason})
        return answers

    def batches(self, rows: Records, sides: Mapping[str, Records] | None = None) -> Batches:
        """Cells as the rooms read them."""
        columns = columns_of(rows, self.schema, sides or {}, self.folder)
        return Batches({name: room.transform(columns[name]) for name, room in self.rooms.items()}, len(rows))

    def scores(
        self, rows: Records, *, sides: Mapping[str, Records] | None = None, present: Array | None = None
    ) -> npt.NDArray[np.float64]:
        """Scores before the head decodes them, float64 ``N x K``; `present` (bool ``N x S`` or ``S``) hides sources."""
        return self.fitted.score(View(self.batches(rows, sides), self.rooms, present))

    def prediction(self, batches: Batches, present: Array | None = None) -> Prediction:
        """What the head says of cells already read."""
        return replace(self.fitted.predict(batches, present), faults=batches.faults)

    def _add_promises(self, answers: list[dict[str, Json]], prediction: Prediction, view: View) -> None:
        if isinstance(self.promise, ConformalIntervals):
            features = None if self.promise.spread is None else view.joined.features
            for answer, (low, high) in zip(answers, self.promise(prediction.values, features).tolist(), strict=True):
                answer |= {"low": low, "high": high}
        elif self.promise is not None and prediction.classes is not None:
            classes = prediction.classes.tolist()
            for answer, inside in zip(answers, self.promise(prediction.values).tolist(), strict=True):
                answer["set"] = [label for label, is_in in zip(classes, inside, strict=True) if is_in]


def _promise(state: State, runner: Runner) -> Promise:
    spread = state.parts.get("spread")
    held = restored_promise(replace(state, parts={}))
    if spread is None or not isinstance(held, ConformalIntervals):
        return held
    values = spread.values
    low, high = values["bounds"]
    learner = learner_of(values["learner"], spread.parts["learner"], runner)
    return replace(held, spread=Spread(learner, values["centre"], values["width"], (low, high)))
