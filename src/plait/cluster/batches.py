"""Predictions of many rows: Ray Data streams Parquet files through processes that hold the model."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from plait.cluster.session import session
from plait.contracts import Side
from plait.data.files import made_folder
from plait.data.read import files_of
from plait.errors import ConfigError, DataError, PlaitError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ROWS", "predict"]

ROWS = 8_192  # rows that a process predicts at once


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

    Files of `output`, in the order of their names, hold the rows in the order of the data (`plait.estimators.answers`).
    Neither the data nor the predictions are ever in memory as a whole. What is said of a row is what `predict` of the
    saved model says of it: bitwise with classical parts, up to rounding of 32-bit numbers with networks, which read
    rows of like length together.

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
    place = made_folder(output).absolute()
    if any(place.iterdir()):
        raise DataError(f"the folder {str(output)!r} is not empty; name a new one")
    beside = str(Path(folder or parts[0].parent).absolute())
    with session(workers) as ray:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        rows = ray.data.read_parquet([str(part.absolute()) for part in parts])
        said = rows.map_batches(
            _Answering,
            fn_constructor_args=(str(Path(model).absolute()), dict(sides or {}), beside),
            batch_size=ROWS,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
        )
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The minimum number of concurrent actors")  # few rows
                said.write_parquet(str(place))
        except ray.exceptions.RayError as error:
            raise _cause(error) from None
    return _counted(place.glob("*.parquet"))


class _Answering:
    """A process that holds the model."""

    def __init__(self, model: str, sides: Mapping[str, Side], folder: str) -> None:
        from plait.estimators import load_predictor

        self.estimator = load_predictor(model)
        self.sides, self.folder = sides, folder

    def __call__(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        from plait.data.frame import as_frame
        from plait.estimators.answers import answers

        frame = as_frame(table.to_pandas(date_as_object=False))
        frame.attrs["folder"] = self.folder
        said = self.estimator.prediction(frame, sides=self.sides)
        return pa.Table.from_pandas(answers(self.estimator, frame, said, self.sides), preserve_index=False)


def _counted(files: Iterable[Path]) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in files)


def _cause(error: BaseException) -> PlaitError:
    """Our own error of a worker, or that one is gone."""
    said: BaseException | None = error
    while said is not None:
        if isinstance(said, PlaitError):
            return said
        said = getattr(said, "cause", None) or said.__cause__
    return PlaitError(f"the prediction on Ray failed: {' '.join(str(error).split())[:200]}")
