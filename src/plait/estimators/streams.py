"""Streams where estimators else take frames: named targets, schemas from a sample, predictions into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plait.contracts import Batches, Json, Prediction, Progress, Side
from plait.contracts.crossing import unheard
from plait.data.faults import Tally
from plait.data.files import replacing
from plait.data.stream import Stream
from plait.errors import DataError
from plait.model import Model, single_threaded_blas
from plait.streamed import Reader

if TYPE_CHECKING:
    from plait.estimators.classifier import Classifier
    from plait.estimators.regressor import Regressor

__all__ = ["LOOKED_AT", "check_rows", "gathered", "predict_stream", "predicted", "target_of"]

LOOKED_AT = 50_000  # rows by which a schema is inferred


def target_of(X: object, y: object) -> tuple[object, Any]:
    """A stream without its target, and that column whole, where `y` names it; else both as they are."""
    if isinstance(X, Stream) and isinstance(y, str):
        return X.drop(y), X[y]
    return X, y


def check_rows(stream: Stream, *, least: int = 1) -> None:
    """Is there anything to read?

    Raises
    ------
    DataError
        If there are no columns, or fewer rows than `least`.
    """
    if not stream.columns:
        raise DataError("the stream has no column to learn from")
    if len(stream) < least:
        raise DataError(f"the stream has {len(stream)} row(s), and {least} at least are needed")


def gathered(parts: Sequence[Prediction]) -> Prediction:
    """Predictions of chunks as one of all their rows."""
    starts = np.cumsum([0, *map(len, parts)])
    faults = (replace(f, row=f.row + int(start)) for start, p in zip(starts, parts, strict=False) for f in p.faults)
    values = np.concatenate([part.values for part in parts])
    return replace(parts[0], values=values, faults=tuple(faults))


def predicted(
    model: Model,
    stream: Stream,
    sides: Mapping[str, Side] | None = None,
    report: Callable[[Progress], None] = unheard,
) -> Iterator[tuple[pd.DataFrame, Batches, Prediction]]:
    """Predict a stream, chunk by chunk: evidence and identifiers, what the rooms read, and what comes of it."""
    check_rows(stream)
    reader = Reader.of(stream, model.schema, sides, model.rooms)
    for start, frame in reader.frames():
        batches = model.batches(frame, sides)
        with single_threaded_blas():
            prediction = model.fitted.predict(batches)
        yield frame, batches, replace(prediction, faults=batches.faults)
        report(Progress("predicting: rows", start + len(frame), len(stream)))


def predict_stream(
    estimator: Classifier | Regressor,
    stream: Stream,
    path: str | PathLike[str],
    *,
    sides: Mapping[str, Side] | None = None,
    progress: Callable[[Progress], None] = unheard,
) -> list[dict[str, Json]]:
    """Predict a stream into a Parquet file, chunk by chunk; the file appears whole or not at all.

    One row each, in their order: identifiers, the prediction, a probability a class, and sets or intervals where the
    model promises them.

    Parameters
    ----------
    estimator
        A fitted one.
    path
        The file, ``.parquet``.
    progress
        Called with rows done.

    Returns
    -------
    list
        Cells that could not be read, counted (`plait.data.faults.counted`).

    Raises
    ------
    DataError
        If the file is no Parquet file or cannot be written, or columns are missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from plait.estimators.answers import answers

    path, tally, start = Path(path), Tally(), 0
    if path.suffix not in (".parquet", ".pq"):
        raise DataError(f"{str(path)!r}: a stream is predicted into Parquet; name a .parquet file")
    writer: Any = None
    with replacing(path) as beside:
        for frame, _, prediction in predicted(estimator.model_, stream, sides, progress):
            table = pa.Table.from_pandas(answers(estimator, frame, prediction, sides or {}), preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(beside, table.schema)
            writer.write_table(table.cast(writer.schema))
            tally.add(prediction.faults, start)
            start += len(frame)
        writer.close()
    return tally.told()
