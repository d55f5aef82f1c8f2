"""Which few groups of cells hold an application down: found by setting them to what approved applicants have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Progress
from plait.contracts.crossing import unheard
from plait.desks.credit.reasons.decided import Answer, Decided
from plait.desks.credit.reasons.neutral import Typical, replaced
from plait.desks.credit.reasons.settings import ReasonSettings
from plait.explain.changed import cells_of
from plait.explain.shapley import coalitions, shapley

__all__ = ["Candidate", "Picked", "candidates", "neutralised", "search"]

Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]

AT_ONCE = 4_096  # versions of rows asked at once, which bounds memory
ROWS = 256  # searched between two reports
LEAST = 0.5  # points that a reason must be worth
MINOR = 0.05  # of what all together are worth: what is worth less is no principal reason


@dataclass(frozen=True)
class Candidate:
    """What may be a reason: columns that say the same, or a source of its own.

    Parameters
    ----------
    code
        Stable name.
    columns
        Of the frame; more than one only where they share a source.
    source
        The source that they belong to.
    alone
        Whether that source has no other column, and is there or not as a whole.
    """

    code: str
    columns: tuple[str, ...]
    source: str
    alone: bool


@dataclass(frozen=True)
class Picked:
    """What was found of one row.

    Parameters
    ----------
    which
        Numbers of the candidates, the one that costs most first.
    shares
        Log-odds of default that each adds: Shapley values among those picked, which sum to what all of them add.
    after
        Log-odds of default with all of them set to what is typical.
    """

    which: tuple[int, ...]
    shares: tuple[float, ...]
    after: float


def candidates(
    decided: Decided, typical: Typical, settings: ReasonSettings, barred: Collection[str] = ()
) -> tuple[Candidate, ...]:
    """What may be named of a model, in the order of its columns.

    Columns of one code are one candidate, and so are those that say the same (`Typical.together`); a column in
    `barred` is in none.
    """
    allowed = [name for name in decided.joint if name not in barred]
    groups: list[list[str]] = []
    for name in allowed:
        mine = [group for group in groups if any(_same(name, other, typical, settings) for other in group)]
        joined = sorted([*(column for group in mine for column in group), name], key=allowed.index)
        groups = [group for group in groups if group not in mine] + [joined]
    groups.sort(key=lambda group: allowed.index(group[0]))
    found = []
    for group in groups:
        said = [settings.codes[name] for name in group if name in settings.codes]
        found.append(Candidate([*said, group[0]][0], tuple(group), decided.joint[group[0]], False))
    for source in decided.alone:
        own = decided.rooms[source].source.columns
        if not {source, *own} & set(barred):
            found.append(Candidate(settings.codes.get(source, source), own, source, True))
    return tuple(found)


def _same(one: str, other: str, typical: Typical, settings: ReasonSettings) -> bool:
    codes = settings.codes.get(one), settings.codes.get(other)
    if None not in codes:
        return codes[0] == codes[1]  # what the lender tells apart stays apart
    return any({one, other} <= set(group) for group in typical.together)


def neutralised(
    decided: Decided, typical: Typical, among: Sequence[Candidate], rows: npt.NDArray[np.int64], sets: Masks
) -> Answer:
    """What the desk says of ``M`` rows by index with some candidates set to what approved applicants have.

    Parameters
    ----------
    sets
        bool ``M x K``: which candidates.
    """
    parts = [
        _neutralised(decided, typical, among, rows[start : start + AT_ONCE], sets[start : start + AT_ONCE])
        for start in range(0, len(rows), AT_ONCE)
    ]
    return Answer(*(np.concatenate(told) for told in zip(*parts, strict=True))) if parts else decided.asked(rows)


def _neutralised(
    decided: Decided, typical: Typical, among: Sequence[Candidate], rows: npt.NDArray[np.int64], sets: Masks
) -> Answer:
    cells = {}
    present, given = np.ones((len(rows), len(decided.sources)), bool), np.zeros(len(rows))
    for candidate, where in zip(among, sets.T, strict=True):
        if not where.any():
            continue
        if candidate.alone:
            present[where, decided.sources.index(candidate.source)] = False
            given[where] += typical.given[candidate.source]
        else:
            for name in candidate.columns:
                cells[name] = replaced(cells_of(decided, name), rows, where, typical.cells[name])
    return decided.asked(rows, cells, present, given)


def search(
    decided: Decided,
    typical: Typical,
    among: Sequence[Candidate],
    *,
    most: int = 4,
    report: Callable[[Progress], None] = unheard,
) -> tuple[Picked, ...]:
    """The candidates that hold each row down, at most `most`, found on the decision itself.

    Greedy forward selection: the candidate is taken whose neutralising, with those taken before, lowers the row's
    log-odds of default most. Where the cap on evidence hides what a candidate does, what it does to the evidence model
    decides, and it stays only if it helps in the end. Then what does not help beside the others is dropped, and what
    remains is shared out (Shapley, 1953, over all subsets of those picked).

    Returns
    -------
    By row. Nothing is picked that is worth less than half a point, or than 5% of what all picked are worth.
    """
    found: list[Picked] = []
    for start in range(0, len(decided), ROWS):
        report(Progress("reasons", start, len(decided)))
        some = decided.take(np.arange(start, min(start + ROWS, len(decided))))
        taken = _greedy(some, typical, among, most)
        found += _shared(some, typical, among, taken)
    return tuple(found)


def _greedy(decided: Decided, typical: Typical, among: Sequence[Candidate], most: int) -> Masks:
    """Which candidates are taken: bool ``N x K``."""
    least = LEAST / decided.model.points.factor
    now = decided.answer
    taken = np.zeros((len(decided), len(among)), bool)
    idle = _idle(decided, typical, among)
    going = np.ones(len(decided), bool)
    for _ in range(min(most, len(among))):
        row, which = np.nonzero(going[:, None] & ~taken & ~idle)
        if not len(row):
            break
        sets = taken[row]
        sets[np.arange(len(row)), which] = True
        told = neutralised(decided, typical, among, row, sets)
        gain, beneath = now.log_odds[row] - told.log_odds, now.evidence[row] - told.evidence
        worth = np.full(taken.shape, -np.inf)
        hidden = now.capped[row] & (beneath > least)  # counts after whatever is seen to help, here less than any
        unseen = np.where(hidden, -1.0 / np.maximum(beneath, least), -np.inf)
        worth[row, which] = np.where(gain > least, gain, unseen)
        best = worth.argmax(axis=1)
        going = going & np.isfinite(worth[np.arange(len(decided)), best])
        picked = np.flatnonzero(going)
        taken[picked, best[picked]] = True
        place = np.full(taken.shape, -1)
        place[row, which] = np.arange(len(row))
        now = now.put(picked, told, place[picked, best[picked]])
    return taken


def _idle(decided: Decided, typical: Typical, among: Sequence[Candidate]) -> Masks:
    """Which candidates are typical already, so that nothing can be said of them: bool ``N x K``."""
    idle = np.zeros((len(decided), len(among)), bool)
    for i, candidate in enumerate(among):
        if not candidate.alone:
            idle[:, i] = np.all([typical.has(cells_of(decided, name)) for name in candidate.columns], axis=0)
    return idle


def _shared(decided: Decided, typical: Typical, among: Sequence[Candidate], taken: Masks) -> list[Picked]:
    """What each row's candidates are worth, from what the desk says of every subset of them."""
    rows, sets, sizes = [], [], []
    for row in range(len(decided)):
        own = np.flatnonzero(taken[row])
        subsets = np.zeros((2 ** len(own), len(among)), bool)
        subsets[:, own] = coalitions(len(own))
        rows.append(np.full(len(subsets), row))
        sets.append(subsets)
        sizes.append(len(subsets))
    told = neutralised(decided, typical, among, np.concatenate(rows), np.concatenate(sets)).log_odds
    least = LEAST / decided.model.points.factor
    found = []
    for row, worth in enumerate(np.split(-told, np.cumsum(sizes)[:-1])):
        kept = _helping(worth, least)
        own = np.flatnonzero(taken[row])[kept]
        worth = worth[~coalitions(len(kept))[:, ~kept].any(axis=1)]  # of subsets of what is kept
        shares = shapley(worth)
        order = np.argsort(-shares, kind="stable")
        after = -float(worth[-1])
        found.append(Picked(tuple(own[order].tolist()), tuple(shares[order].tolist()), after))
    return found


def _helping(worth: Floats, least: float) -> Masks:
    """Which of ``P`` help beside the others, by the worth of all ``2^P`` subsets; the least helpful goes first."""
    players = (len(worth) - 1).bit_length()
    kept = np.ones(players, bool)
    while kept.any():
        own = np.flatnonzero(kept)
        whole = int((2**own).sum())  # number of the subset, as `coalitions` counts
        helps = worth[whole] - worth[whole - 2**own]
        if helps.min() >= max(least, MINOR * (worth[whole] - worth[0])):
            break
        kept[own[helps.argmin()]] = False
    return kept
