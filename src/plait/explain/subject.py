"""Rows to be explained, and the model that predicts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Batch, Batches, Column, Contributions, Head, Modality
from plait.evidence import Fitted, View
from plait.explain.changed import Cells, changed

__all__ = ["Scale", "Subject"]

Scale: TypeAlias = Literal["output", "score"]


@dataclass(frozen=True)
class Subject:
    """``N`` rows through a fitted model, each explained for one of its outputs.

    Parameters
    ----------
    fitted
        What predicts.
    columns
        The cells, by source: what rooms divide.
    batches
        The same rows as the rooms read them.
    output
        int64 ``N``: the class that each row is explained for; 0 for values.
    scale
        ``"output"``: probability of that class, or the value. ``"score"``: its log-odds (two classes), logit, or
        standardised value, on which parts and learners add up.
    """

    fitted: Fitted
    columns: Mapping[str, tuple[Column, ...]]
    batches: Batches
    output: npt.NDArray[np.int64]
    scale: Scale = "output"

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def sources(self) -> tuple[str, ...]:
        return self.fitted.sources

    @property
    def rooms(self) -> Mapping[str, Modality]:
        return self.fitted.rooms

    @property
    def head(self) -> Head:
        return self.fitted.head

    def take(self, rows: Array) -> Self:
        """Some of the rows, by index."""
        rows = np.asarray(rows)
        columns = {name: tuple(column.take(rows) for column in own) for name, own in self.columns.items()}
        return replace(self, columns=columns, batches=self.batches.take(rows), output=self.output[rows])

    def predict(self, batches: Batches, output: Array, present: Array | None = None) -> npt.NDArray[np.float64]:
        """What the model says of any rows for the `output` of each (int ``M``), on this subject's scale: float64 ``M``.

        `present` (bool ``M x S`` or ``S``) hides sources; with nothing present it is the base.
        """
        return self.told(self.fitted.score(View(batches, self.rooms, present)), output)

    def coalitions(self, rows: Array, present: Array) -> npt.NDArray[np.float64]:
        """What the model says of this subject's `rows` (int ``M``) by the sources in `present` alone (bool ``M x S``).

        As `predict` of them: float64 ``M``; faster, since each source is looked at once.
        """
        return self.told(self.fitted.coalitions(self.view, rows, present), self.output[rows])

    @cached_property
    def contributions(self) -> Contributions:
        """What adds up to the score of each row for its output, in columns of the frame."""
        if self.head.task != "binary":
            return self.fitted.contributions(self.view, self.output)
        found = self.fitted.contributions(self.view, np.zeros_like(self.output))
        sign = np.where(self.output == 1, 1.0, -1.0)
        return replace(found, values=found.values * sign[:, None], base=found.base * sign, score=found.score * sign)

    def told(self, scores: npt.NDArray[np.float64], output: Array) -> npt.NDArray[np.float64]:
        """Scores (``M x K``) of rows for the `output` of each, on this subject's scale: float64 ``M``."""
        rows = np.arange(len(scores))
        if self.scale == "score":
            if self.head.task == "binary":
                return np.where(np.asarray(output) == 1, scores[:, 0], -scores[:, 0])
            return np.asarray(scores[rows, np.asarray(output)], np.float64)
        values = self.head.decode(scores).values
        return values if values.ndim == 1 else np.asarray(values[rows, np.asarray(output)], np.float64)

    @cached_property
    def view(self) -> View:
        """The rows as they are."""
        return View(self.batches, self.rooms)

    @cached_property
    def prediction(self) -> npt.NDArray[np.float64]:
        """Of the rows as they are: float64 ``N``."""
        return self.told(self.fitted.score(self.view), self.output)

    @property
    def base(self) -> npt.NDArray[np.float64]:
        """With nothing present: float64 ``N``."""
        return self.told(np.tile(np.asarray(self.head.prior, np.float64), (len(self), 1)), self.output)

    def instead(self, rows: Array, others: Mapping[str, Batch]) -> npt.NDArray[np.float64]:
        """What the model says of ``M`` rows by index (repeats allowed) with the cells of some sources being `others`.

        As `predict` of them: float64 ``M``; faster, since features of the sources that stay are not made again.
        """
        return self.told(self.fitted.score(self.view.replaced(rows, others)), self.output[np.asarray(rows)])

    def with_cells(self, rows: Array, cells: Mapping[str, Cells]) -> npt.NDArray[np.float64]:
        """What is said of ``M`` rows by index (repeats allowed) with other cells in some columns of joint sources.

        `cells` is as `plait.explain.changed.changed` takes it; float64 ``M``, on the subject's scale.
        """
        return self.instead(rows, changed(self, rows, cells))
