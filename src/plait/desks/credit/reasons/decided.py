"""Applications as reasons ask about them: the same rows with other cells, and what the whole desk says of those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from plait.contracts import Array, Batches, Side
from plait.data.frame import source_columns
from plait.explain.changed import Cells, changed, joint_columns
from plait.explain.subject import Subject

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel

__all__ = ["Answer", "Decided"]

Floats = npt.NDArray[np.float64]


class Answer(NamedTuple):
    """Of ``M`` rows: log-odds of default (float64) by the desk and by the evidence model alone, and whether the
    evidence would have moved the score further if it could (bool)."""

    log_odds: Floats
    evidence: Floats
    capped: npt.NDArray[np.bool_]

    def put(self, rows: Array, others: Answer, taken: Array) -> Answer:
        """These, with ``others[taken]`` in place of `rows` (int both)."""
        log_odds, evidence, capped = self.log_odds.copy(), self.evidence.copy(), self.capped.copy()
        log_odds[rows], evidence[rows] = others.log_odds[taken], others.evidence[taken]
        capped[rows] = others.capped[taken]
        return Answer(log_odds, evidence, capped)


@dataclass(frozen=True)
class Decided(Subject):
    """``N`` applications, and the desk that decides about them.

    As a subject of explanation its rows are those of the evidence model, explained for default in log-odds; but what
    is said of rows with other cells, and the prediction, is the decision's own: scorecard and evidence, blended.
    """

    model: CreditModel = field(kw_only=True)
    rows: pd.DataFrame = field(kw_only=True)

    @classmethod
    def of(cls, model: CreditModel, frame: pd.DataFrame, sides: Mapping[str, Side] | None = None) -> Self:
        """Applications as they came, with the columns that the model reads."""
        own = model.evidence.model_
        columns = source_columns(frame, own.schema, sides)
        batches = Batches({name: room.transform(columns[name]) for name, room in own.rooms.items()}, len(frame))
        bad = np.full(len(frame), model.evidence.classes_.tolist().index(model.bad), np.int64)
        return cls(own.fitted, columns, batches, bad, "score", model=model, rows=frame)

    def take(self, rows: Array) -> Self:
        """Some of the applications, by index."""
        some = super().take(rows)
        return type(self)(
            some.fitted, some.columns, some.batches, some.output, "score", model=self.model, rows=self.rows.iloc[rows]
        )

    @property
    def evidence(self) -> Subject:
        """The same rows and the evidence model alone."""
        return Subject(self.fitted, self.columns, self.batches, self.output, self.scale)

    @cached_property
    def joint(self) -> dict[str, str]:
        """Columns that can be changed cell by cell, each with its source."""
        return joint_columns(self)

    @property
    def alone(self) -> tuple[str, ...]:
        """Sources of one column, that are there or not as a whole."""
        return tuple(name for name in self.sources if not self.rooms[name].joint)

    @cached_property
    def answer(self) -> Answer:
        """Of the rows as they are."""
        return self.asked(np.arange(len(self)))

    @property
    def prediction(self) -> Floats:
        """Of the decision, not of the evidence alone."""
        return self.answer.log_odds

    def with_cells(self, rows: Array, cells: Mapping[str, Cells]) -> Floats:
        return self.asked(rows, cells).log_odds

    def asked(
        self,
        rows: Array,
        cells: Mapping[str, Cells] | None = None,
        present: Array | None = None,
        given: Floats | float = 0.0,
    ) -> Answer:
        """What the desk says of ``M`` rows by index (repeats allowed).

        Parameters
        ----------
        cells
            Other cells in some columns of joint sources: values and presence, ``M`` each.
        present
            bool ``M x S``: sources that are not hidden.
        given
            Log-odds (``M``) that are added to those of the evidence model: what stands in for hidden sources.
        """
        view = self.view.replaced(rows, changed(self, rows, cells or {}))
        seen = np.ones((len(rows), len(self.sources)), bool) if present is None else present
        told = self.told(self.fitted.coalitions(view, np.arange(len(rows)), seen), self.output[rows]) + given
        card = self.model.scorecard.log_odds(self._frame(rows, cells or {}))
        moved = self.model.blend.log_odds(card, told)
        return Answer(moved.log_odds, told, moved.capped)

    def _frame(self, rows: Array, cells: Mapping[str, Cells]) -> pd.DataFrame:
        """What the scorecard reads of the rows, with other cells in some columns."""
        wanted = dict.fromkeys([*self.model.scorecard.columns, *filter(None, [self.model.schema.time])])
        names = [name for name in wanted if name in self.rows.columns]
        frame = self.rows[names].iloc[rows].reset_index(drop=True)
        return frame.assign(**{name: _series(*own) for name, own in cells.items() if name in names})


def _series(values: Array, present: npt.NDArray[np.bool_]) -> pd.Series[Any]:
    if present.all():
        return pd.Series(values)
    if values.dtype.kind == "b":
        values = values.astype(object)
    return pd.Series(values).where(present, None if values.dtype == object else np.nan)
