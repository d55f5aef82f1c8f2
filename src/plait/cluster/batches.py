"""Predictions of many rows: Ray Data deals the row groups of Parquet files to processes that hold the model."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from plait.cluster.session import session
from plait.contracts import Array, Side
from plait.data.files import made_folder
from plait.data.read import files_of
from plait.data.stream import Stream
from plait.errors import ConfigError, DataError, PlaitError
from plait.estimators.streams import check_rows, predict_stream

__all__ = ["predict"]


def predict(
    model: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    workers: int = 2,
    sides: Mapping[str, Side] | None = None,
    folder: str | Path | None = None,
) -> int:
    """Predict Parquet files into a folder of Parquet files; the number of rows.

    Each row group of the data becomes a file of `output`, whole or not at all; in the order of their names, the files
    hold the rows in the order of the data (`plait.estimators.answers`). Neither the data nor the predictions are ever
    in memory as a whole, and rows do not travel: every process reads and writes its own. What is said of a row is what
    `predict` of the saved model says of it: bitwise with classical parts, up to rounding of 32-bit numbers with
    networks, which read rows of like length together.

    Parameters
    ----------
    model
        A saved model; every worker reads it once.
    output
        A folder that is new or empty.
    folder
        Where files named in cells lie; None: beside the data.

    Raises
    ------
    DataError
        If the data is no Parquet, or the folder is not empty.
    PlaitError
        If a row cannot be predicted, or a worker is lost.
    """
    parts, kind = files_of(data)
    if kind != "parquet":
        raise ConfigError(f"{str(data)!r}: predictions on a cluster read Parquet; write the rows as such")
    place = Path(output).absolute()
    if place.is_dir() and any(place.iterdir()):
        raise DataError(f"the folder {str(output)!r} is not empty; name a new one")
    stream = Stream.open(data)
    stream = replace(stream, groups=tuple(group for group in stream.groups if group.rows))
    check_rows(stream)
    stream.attrs["folder"] = str(Path(folder or parts[0].parent).absolute())
    with session(workers) as ray:
        made_folder(place)
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        groups = ray.data.range(len(stream.groups), override_num_blocks=len(stream.groups))
        said = groups.map_batches(
            _Answering,
            fn_constructor_args=(Path(model).absolute(), stream, place, dict(sides or {})),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
        )
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The minimum number of concurrent actors")  # few rows
                done = said.take_all()
        except ray.exceptions.RayError as error:
            raise _cause(error) from None
    return sum(int(told["rows"]) for told in done)


class _Answering:
    """A process that holds the model, and predicts row groups into files that are named by their place."""

    def __init__(self, model: Path, stream: Stream, place: Path, sides: Mapping[str, Side]) -> None:
        from plait.estimators import load_predictor

        self.estimator = load_predictor(model)
        self.stream, self.place, self.sides = stream, place, sides

    def __call__(self, batch: Mapping[str, Array]) -> dict[str, Array]:
        return {"rows": np.array([self._predicted(int(number)) for number in batch["id"]])}

    def _predicted(self, number: int) -> int:
        """Predict a row group; its rows."""
        group = self.stream.groups[number]
        own = replace(self.stream, groups=(group,))
        predict_stream(self.estimator, own, self.place / f"{number:09d}.parquet", sides=self.sides)
        return group.rows


def _cause(error: BaseException) -> PlaitError:
    """Our own error of a worker, or that one is gone."""
    said: BaseException | None = error
    while said is not None:
        if isinstance(said, PlaitError):
            return said
        said = getattr(said, "cause", None) or said.__cause__
    return PlaitError(f"the prediction on Ray failed: {' '.join(str(error).split())[:200]}")
