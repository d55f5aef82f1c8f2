"""What would bring a declined application to the cut-off, within what the applicant can change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from plait.contracts import Batches, Json, Progress
from plait.contracts.crossing import unheard
from plait.desks.credit.reasons.decided import Decided
from plait.desks.credit.reasons.find import barred
from plait.desks.credit.reasons.neutral import Typical, cut_off_of
from plait.desks.credit.reasons.sentences import Words, past
from plait.desks.credit.reasons.settings import LANGUAGES, ReasonSettings
from plait.errors import DataError
from plait.explain.changed import cells_of
from plait.explain.counterfactual import Change, Counterfactual, Direction, counterfactuals
from plait.explain.subject import Subject
from plait.metrics.shown import plain

__all__ = ["Alternative", "alternatives", "unchangeable"]


@dataclass(frozen=True)
class Alternative:
    """What would have been approved.

    Parameters
    ----------
    changes
        Columns with their cells as they are and as they would have to be.
    points
        The score it would have.
    sentences
        Language to one sentence.
    """

    changes: tuple[Change, ...]
    points: float
    sentences: Mapping[str, str]

    def to_json(self) -> Json:
        return plain(self)


def alternatives(
    decided: Decided,
    *,
    cut_off: float | None = None,
    settings: ReasonSettings | None = None,
    most_changes: int = 2,
    answers: int = 1,
    report: Callable[[Progress], None] = unheard,
) -> tuple[tuple[Alternative, ...], ...]:
    """The cheapest changes that bring each row to the cut-off, found on the whole decision.

    See `plait.explain.counterfactual.counterfactuals`; cells change to values that training rows had (their quantiles
    and categories, kept with the model), and never against `unchangeable` or the settings' ``one_way``.

    Parameters
    ----------
    cut_off
        Highest log-odds of default that are approved; default: the model's own.
    most_changes
        Columns changed at once.
    answers
        For each row, at most.

    Returns
    -------
    By row; none where nothing that can change brings it there, or it is there.

    Raises
    ------
    DataError
        If the model does not know what rows have.
    """
    model = decided.model
    if (typical := model.typical) is None:
        raise DataError("this model was not told what applicants typically have; fit the desk again")
    settings = model.config.reasons if settings is None else settings
    goal = cut_off_of(model) if cut_off is None else cut_off
    reference = _reference(decided, typical)
    words = [Words(language, settings) for language in LANGUAGES]
    found: list[tuple[Alternative, ...]] = []
    for row in range(len(decided)):
        report(Progress("what would change it", row, len(decided)))
        answered: tuple[Counterfactual, ...] = ()
        if decided.prediction[row] > goal:
            answered = counterfactuals(
                decided.take(np.array([row])),
                reference,
                goal=goal,
                fixed=unchangeable(decided, settings),
                one_way=cast("Mapping[str, Direction]", settings.one_way),
                most_changes=most_changes,
                answers=answers,
            )
        found.append(tuple(_alternative(decided, each, words) for each in answered))
    return tuple(found)


def unchangeable(decided: Decided, settings: ReasonSettings) -> tuple[str, ...]:
    """Columns that no answer changes: what the lender fixed, what must not decide, and what is past."""
    never = {*settings.fixed, *barred(decided.model)}
    return tuple(name for name in decided.joint if name in never or past(settings.codes.get(name)))


def _alternative(decided: Decided, found: Counterfactual, words: list[Words]) -> Alternative:
    cells = [(each.column, each.before, each.after) for each in found.changes]
    told = {own.language: own.change(cells) for own in words}
    return Alternative(found.changes, float(decided.model.points.of(found.after)), told)


def _reference(decided: Decided, typical: Typical) -> Subject:
    """Cells that training rows had, as rows to take them from: no applicant's own, since columns are told apart."""
    columns = {
        source: tuple(typical.spread[own.name].column(cells_of(decided, own.name)) for own in columns)
        for source, columns in decided.columns.items()
        if decided.rooms[source].joint
    }
    return Subject(decided.fitted, columns, Batches({}, 1), np.zeros(1, np.int64), "score")
