"""Why applications are declined: up to four reasons each, true to the decision by construction, told and located."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.contracts import Json, Place, Progress, Reason, Side
from plait.contracts.crossing import unheard
from plait.desks.credit.reasons.decided import Decided
from plait.desks.credit.reasons.neutral import Typical, cut_off_of
from plait.desks.credit.reasons.search import Candidate, Picked, candidates, neutralised, search
from plait.desks.credit.reasons.sentences import Words, check_codes
from plait.desks.credit.reasons.settings import LANGUAGES, ReasonSettings
from plait.errors import DataError, unknown
from plait.explain.cells import explain_cells
from plait.explain.changed import cells_of
from plait.explain.explanation import CellShares
from plait.metrics.shown import plain
from plait.report.masking import masked_cell

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel

__all__ = ["Told", "barred", "find_reasons", "reasons_of"]

PLACES = 3  # of a cell that are named
CLEAR = 3.0  # standard errors that a place must be worth
WEAK = 0.5  # of the strongest place: what is weaker is not named


@dataclass(frozen=True)
class Told:
    """Why one application is declined.

    Parameters
    ----------
    row
        Its label in the frame.
    points, cut_off
        What it has, and what it would need.
    neutral
        Points with everything named being as approved applicants typically have it.
    reasons
        The one that costs most first; `Reason.share` is in points.
    """

    row: Json
    points: float
    cut_off: float
    neutral: float
    reasons: tuple[Reason, ...]

    @property
    def closed(self) -> float:
        """Share of the gap to the cut-off that the named reasons account for; above 1 where they account for more."""
        gap = self.cut_off - self.points
        return (self.neutral - self.points) / gap if gap > 0 else float("nan")

    def to_json(self) -> Json:
        return plain(self)


def find_reasons(
    model: CreditModel,
    frame: pd.DataFrame,
    *,
    sides: Mapping[str, Side] | None = None,
    cut_off: float | None = None,
    settings: ReasonSettings | None = None,
    most: int | None = None,
    places: Collection[str] | None = None,
    report: Callable[[Progress], None] = unheard,
) -> tuple[Told, ...]:
    """Why the desk says no to each of these rows.

    A reason is a column (or columns that say the same), or a source such as a letter, whose neutralising raises the
    score of this very application: the cell is set to what approved applicants typically have, or the source is hidden
    and a typical one's contribution put in its place. Missing evidence is a reason where giving it would help.
    Regulation B (12 CFR 1002.9(b)(2)) asks for the principal reasons, specific and true to the factors actually scored,
    however complex the model (CFPB Circulars 2022-03 and 2023-03).

    Parameters
    ----------
    frame
        ``N`` rows.
    sides
        Long tables by name.
    cut_off
        Highest log-odds of default that are approved; default: the model's own.
    settings, most
        How reasons are told, and how many at most; default: as the model's config says.
    places
        Sources (letters, accounts, pages, recordings) inside whose cells the places that count are looked for, which
        costs most; default: all.

    Returns
    -------
    By row; a row without reasons has none that is worth half a point.

    Raises
    ------
    ConfigError
        If a setting names a column that the model does not read, or an unknown code.
    DataError
        If the model does not know what is typical, or a column is not there.
    """
    decided = Decided.of(model, frame, sides)
    return reasons_of(decided, cut_off=cut_off, settings=settings, most=most, places=places, report=report)


def reasons_of(
    decided: Decided,
    *,
    cut_off: float | None = None,
    settings: ReasonSettings | None = None,
    most: int | None = None,
    places: Collection[str] | None = None,
    report: Callable[[Progress], None] = unheard,
) -> tuple[Told, ...]:
    """As `find_reasons`, of rows that were read already."""
    model = decided.model
    if (typical := model.typical) is None:
        raise DataError("this model was not told what approved applicants typically have; fit the desk again")
    settings = model.config.reasons if settings is None else settings
    settings.check([*model.used, *decided.sources])
    check_codes(settings)
    goal = cut_off_of(model) if cut_off is None else cut_off
    among = candidates(decided, typical, settings, barred(model))
    picked = search(decided, typical, among, most=settings.most if most is None else most, report=report)
    for source in places or ():
        if source not in decided.alone:
            raise unknown("source to look into", source, decided.alone)
    looked = [each for each in among if each.alone and (places is None or each.source in places)]
    teller = _Teller(decided, typical, among, settings, _located(decided, looked, among, picked, report))
    points = model.points
    return tuple(
        Told(
            row=plain(decided.rows.index[row]),
            points=float(points.of(decided.prediction[row])),
            cut_off=float(points.of(goal)),
            neutral=float(points.of(found.after)),
            reasons=teller.reasons(row, found),
        )
        for row, found in enumerate(picked)
    )


def barred(model: CreditModel) -> frozenset[str]:
    """Columns that are never named: sensitive ones, and those that must not decide (but for a recorded reason: a column
    that lawfully decides has to be named)."""
    from plait.desks.credit.policy.prohibited import check_columns

    settings = model.config.prohibited
    blocked = {each.column for each in check_columns(model.schema, replace(settings, allow={}))}
    return frozenset({*model.schema.names("sensitive"), *(blocked - set(settings.allow))})


def _located(
    decided: Decided,
    looked: Sequence[Candidate],
    among: Sequence[Candidate],
    picked: Sequence[Picked],
    report: Callable[[Progress], None],
) -> dict[tuple[int, str], CellShares]:
    """What the places of the named sources' cells add to the evidence model's log-odds, by row and source."""
    found = {}
    for candidate in looked:
        which, there = among.index(candidate), decided.batches.sources[candidate.source].present
        rows = np.array([row for row, own in enumerate(picked) if which in own.which and there[row]], np.int64)
        if not len(rows) or not hasattr(decided.rooms[candidate.source], "places"):
            continue

        def named(now: Progress, source: str = candidate.source) -> None:
            report(replace(now, stage=f"places in {source}"))

        some = decided.take(rows).evidence
        for cell in explain_cells(some, sources=[candidate.source], progress=named):
            found[int(rows[cell.row]), candidate.source] = masked_cell(cell)
    return found


@dataclass(frozen=True)
class _Teller:
    """Puts what was found into words."""

    decided: Decided
    typical: Typical
    among: Sequence[Candidate]
    settings: ReasonSettings
    located: Mapping[tuple[int, str], CellShares]

    @cached_property
    def words(self) -> dict[str, Words]:
        return {language: Words(language, self.settings) for language in LANGUAGES}

    def reasons(self, row: int, found: Picked) -> tuple[Reason, ...]:
        factor = self.decided.model.points.factor
        return tuple(
            self._reason(row, self.among[which], factor * share)
            for which, share in zip(found.which, found.shares, strict=True)
        )

    def _reason(self, row: int, candidate: Candidate, share: float) -> Reason:
        words = self.words
        if candidate.alone:
            column = candidate.columns[0]
            there = bool(self.decided.batches.sources[candidate.source].present[row])
            cell = self.located.get((row, candidate.source))
            places = _strongest(cell) if cell is not None else ()
            told = {name: own.source(candidate.source, column, there, cell, places) for name, own in words.items()}
            beside: list[str] = []
        else:
            lead = self._leading(row, candidate)
            value, there = self._cell(row, lead)
            told = {name: own.column(lead, value, self._reference(lead)) for name, own in words.items()}
            places, beside = (), [name for name in candidate.columns if name != lead]
        sentences = {name: own.sentence(candidate.code, told[name], beside) for name, own in words.items()}
        code = candidate.code if there else f"{candidate.code}:absent"
        return Reason(code, sentences, candidate.columns, share, candidate.source, places)

    def _leading(self, row: int, candidate: Candidate) -> str:
        """Of columns that are one reason, the one that alone would help most."""
        if len(candidate.columns) == 1:
            return candidate.columns[0]
        each = [replace(candidate, columns=(name,)) for name in candidate.columns]
        rows = np.full(len(each), row)
        told = neutralised(self.decided, self.typical, each, rows, np.eye(len(each), dtype=bool)).log_odds
        return candidate.columns[int(told.argmin())]

    def _cell(self, row: int, column: str) -> tuple[object, bool]:
        own = cells_of(self.decided, column)
        value, there = own.values[row], bool(own.present[row])
        if not there:
            return None, False
        return (value if own.values.dtype.kind in "mM" else _scalar(value)), True

    def _reference(self, column: str) -> object:
        cell = self.typical.cells[column]
        if cells_of(self.decided, column).values.dtype.kind == "M" and cell is not None:
            return np.datetime64(str(cell))
        return cell


def _strongest(cell: CellShares) -> tuple[Place, ...]:
    """Places that raise the risk, the strongest first."""
    if not len(cell.values):
        return ()
    least = np.maximum(CLEAR * cell.error, WEAK * np.abs(cell.values).max())
    order: npt.NDArray[np.int64] = np.argsort(-cell.values, kind="stable")[:PLACES]
    return tuple(cell.places[i] for i in order if cell.values[i] > least[i])


def _scalar(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
