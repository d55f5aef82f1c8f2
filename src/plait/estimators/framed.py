"""Rows as estimators take them: frames of any library, mappings, nameless arrays; and the schema that they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from plait.contracts import Progress, Side
from plait.data.frame import as_frame
from plait.data.schema import Schema
from plait.data.stream import Stream
from plait.errors import DataError, SchemaError
from plait.estimators.streams import LOOKED_AT, check_rows
from plait.estimators.targets import said_in_one_line

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["Framed", "Report", "Sides"]

Report: TypeAlias = Callable[[Progress], None]
Sides: TypeAlias = Mapping[str, Side]


class Framed(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator over frames of mixed columns; some of the columns may have roles, named by its arguments."""

    schema: Schema | str | PathLike[str] | None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _rows(self, X: object, *, reset: bool = False) -> pd.DataFrame:
        """`X` as a frame; nameless arrays are matched by position."""
        if isinstance(X, Stream):
            raise DataError("this reads rows that are in memory, and a stream's are not; give stream.sample(1000), say")
        named = isinstance(X, pd.DataFrame | Mapping) or hasattr(X, "to_pandas") or hasattr(X, "to_arrow")
        if named or hasattr(X, "tocsr"):
            frame = as_frame(X)
            if reset:
                validate_data(self, frame, skip_check_array=True, reset=True)
            if not frame.shape[1]:
                raise DataError(f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required.")
            if reset and not len(frame):
                raise DataError(f"Found array with 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required.")
            return frame
        with said_in_one_line():
            values = validate_data(self, X, dtype=None, ensure_all_finite=False, reset=reset)
        frame = as_frame(values)
        names = getattr(self, "feature_names_in_", None)
        return frame if names is None else frame.set_axis([str(name) for name in names], axis=1)

    def _stream(self, stream: Stream) -> Stream:
        """A stream to fit on."""
        check_rows(stream, least=2)
        validate_data(self, stream.take(np.arange(2)).frame(), skip_check_array=True, reset=True)
        return stream

    def _schema(self, X: object, frame: pd.DataFrame | Stream, sides: Sides | None) -> Schema:
        if isinstance(self.schema, Schema):
            return self.schema
        if self.schema is not None:
            return Schema.read(Path(self.schema))
        if isinstance(frame, Stream):
            X = frame = frame.sample(LOOKED_AT)
        roles: dict[str, Any] = {role: getattr(self, role, None) for role in ("time", "label_time", "group")}
        if not isinstance(X, pd.DataFrame) and frame.dtypes.map(lambda d: d.kind in "biuf").all():
            named = [role for role, column in roles.items() if column is not None]
            if named:
                raise SchemaError(f"{named[0]} names a column, but X has no column names; pass a data frame")
            return Schema.numeric(tuple(frame.columns))
        return Schema.infer(frame, **roles, sides=sides)
