"""How grades move: matrices of transitions from histories, their powers and generators, and whether they are Markov.

Histories come as spells: an entity is in a state from one time to another. Where no spell follows at once, it was
withdrawn, or the record ends. Sources: Lando and Skodeberg, J. Banking & Finance 2002; Israel, Rosenthal and Wei,
Mathematical Finance 2001; Anderson and Goodman, Ann. Math. Stat. 1957; Jafry and Schuermann, J. Banking & Finance 2004.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from plait.contracts import Array
from plait.errors import DataError, InputError, unknown

__all__ = [
    "Adjustment",
    "ChiSquare",
    "Mobility",
    "Spells",
    "after",
    "cohort_counts",
    "generator_of",
    "jumps",
    "matrix_of",
    "mobility",
    "no_generator",
    "rates_of",
    "same_in_time",
    "without_memory",
]

Adjustment: TypeAlias = Literal["weighted", "diagonal"]


class Spells(NamedTuple):
    """Stays of entities in states, ordered by entity and time, not overlapping.

    Parameters
    ----------
    entity, state
        int64 ``N``; states are ``0 .. S-1``.
    start, end
        float64 ``N``, in months, say. The end is part of a stay that nothing follows, else of the next one.
    """

    entity: Array
    start: Array
    end: Array
    state: Array

    @property
    def following(self) -> Array:
        """State right after each stay, int64 ``N``; -1: withdrawn, or the end of the record."""
        found = np.full(len(self.entity), -1, np.int64)
        next_one = (self.entity[1:] == self.entity[:-1]) & (self.start[1:] == self.end[:-1])
        found[:-1][next_one] = self.state[1:][next_one]
        return found

    def at(self, time: float) -> tuple[Array, Array]:
        """Entities with a state at a time, and those states."""
        here = (self.start <= time) & ((time < self.end) | ((time == self.end) & (self.following < 0)))
        return self.entity[here], self.state[here]


def cohort_counts(spells: Spells, times: Array, states: int, horizon: float, *, weight: Array | None = None) -> Array:
    """Where those in each state at each time are a horizon later: float64 ``T x S x (S + 1)``, the last one withdrawn.

    Parameters
    ----------
    times
        float64 ``T``: when cohorts begin.
    weight
        float64 by entity number: how often each entity counts (a bootstrap draw, say).
    """
    made = np.zeros((len(times), states, states + 1))
    for t, time in enumerate(times):
        who, before = spells.at(time)
        later_who, later = spells.at(time + horizon)
        place = np.minimum(np.searchsorted(later_who, who), max(len(later_who) - 1, 0))
        there = later_who[place] == who if len(later_who) else np.zeros(len(who), bool)
        after_it = np.full(len(who), states)
        after_it[there] = later[place[there]]
        counted = np.ones(len(who)) if weight is None else weight[who]
        np.add.at(made[t], (before, after_it), counted)
    return made


def matrix_of(counts: Array) -> Array:
    """Transition matrix ``S x S`` from counts ``S x S`` or ``S x (S + 1)``; the withdrawn are left out.

    Leaving them out supposes that who is withdrawn would have moved like those who stay. A state that nobody was in
    stays as it is.
    """
    kept = np.asarray(counts, np.float64)[:, : len(counts)]
    total = kept.sum(1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1), np.eye(len(kept)))


def jumps(spells: Spells, states: int, *, weight: Array | None = None) -> tuple[Array, Array]:
    """Moves from state to state (float64 ``S x S``), and the time spent in each (float64 ``S``).

    `weight`: see `cohort_counts`.
    """
    counted = np.ones(len(spells.entity)) if weight is None else weight[spells.entity]
    following = spells.following
    moved = following >= 0
    made = np.zeros((states, states))
    np.add.at(made, (spells.state[moved], following[moved]), counted[moved])
    return made, np.bincount(spells.state, counted * (spells.end - spells.start), states)


def rates_of(moves: Array, time: Array) -> Array:
    """Generator ``S x S`` by duration: moves over time at risk, the maximum likelihood estimate.

    Withdrawals need no assumption beyond their being uninformative: the time until then counts. Rare moves get a
    probability above 0 wherever some path leads there (Lando and Skodeberg 2002).
    """
    made = np.divide(moves, time[:, None], out=np.zeros_like(moves), where=time[:, None] > 0)
    np.fill_diagonal(made, 0)
    np.fill_diagonal(made, 0 - made.sum(1))
    return made


def after(generator: Array, time: float) -> Array:
    """Transition matrix of so much time: ``exp(Q t)``."""
    from scipy.linalg import expm

    return np.asarray(np.clip(expm(np.asarray(generator) * time), 0, 1))


def no_generator(matrix: Array) -> tuple[str, ...]:
    """Why no Markov process in continuous time can have this matrix (Israel, Rosenthal and Wei 2001).

    None of the conditions found broken does not prove that there is one.
    """
    matrix = _stochastic(matrix)
    determinant, found = float(np.linalg.det(matrix)), []
    if determinant <= 0:
        found.append(f"the determinant is not above 0 ({determinant:.3g})")
    elif determinant > np.prod(np.diag(matrix)) * (1 + 1e-12):
        found.append("the determinant is above the product of the diagonal")
    reached = np.linalg.matrix_power(((matrix > 0) | np.eye(len(matrix), dtype=bool)).astype(float), len(matrix)) > 0
    odd = int((reached & (matrix == 0)).sum())
    if odd:
        found.append(f"{odd} moves never happen in one step though a path of others leads there")
    return tuple(found)


def generator_of(matrix: Array, adjustment: Adjustment = "weighted") -> Array:
    """A generator whose exponential is near a yearly matrix.

    The matrix logarithm, its negative rates outside the diagonal set to 0, and rows brought back to a sum of 0: by the
    diagonal alone, or by all rates of the row in proportion to their size (Israel, Rosenthal and Wei 2001).

    Raises
    ------
    DataError
        If the matrix has no real logarithm: it is singular, or has an eigenvalue of 0 or below.
    InputError
        If rows are no probabilities that sum to 1.
    """
    from scipy.linalg import logm

    matrix = _stochastic(matrix)
    if adjustment not in get_args(Adjustment):
        raise unknown("adjustment", adjustment, get_args(Adjustment))
    values = np.linalg.eigvals(matrix)
    if (np.abs(values) < 1e-12).any() or ((np.abs(values.imag) < 1e-12) & (values.real <= 0)).any():
        raise DataError("the matrix has no real logarithm (an eigenvalue is 0 or below): use longer or more histories")
    log = np.real(logm(matrix))
    off = ~np.eye(len(log), dtype=bool)
    made = np.where(off, np.maximum(log, 0), log)
    excess = made.sum(1)
    if adjustment == "diagonal":
        return np.asarray(made - np.diag(excess))
    size = np.abs(made).sum(1)
    return np.asarray(made - np.abs(made) * np.divide(excess, size, out=np.zeros_like(size), where=size > 0)[:, None])


class Mobility(NamedTuple):
    """How much moves.

    Parameters
    ----------
    trace
        ``(S - tr P) / (S - 1)`` (Shorrocks, Econometrica 1978): 0 = nothing moves.
    singular
        Mean singular value of ``P - I`` (Jafry and Schuermann 2004).
    upward, downward
        Share of those who were in a grade that moved to a better or a worse one (default included), of counts.
    """

    trace: float
    singular: float
    upward: float
    downward: float

    @property
    def ratio(self) -> float:
        """Upgrades for each downgrade; NaN where there is none."""
        return self.upward / self.downward if self.downward > 0 else float("nan")


def mobility(matrix: Array, counts: Array) -> Mobility:
    """Mobility of a matrix ``S x S``, states from best to worst, and the directions of the counts behind it.

    Parameters
    ----------
    counts
        The first ``G`` rows of ``S x S``: those of grades, without the states that nobody leaves.
    """
    size, total = len(matrix), float(np.sum(counts))
    up, down = (
        float(part.sum()) / total if total else float("nan") for part in (np.tril(counts, -1), np.triu(counts, 1))
    )
    singular = float(np.linalg.svd(matrix - np.eye(size), compute_uv=False).mean())
    return Mobility(float((size - np.trace(matrix)) / (size - 1)), singular, up, down)


class ChiSquare(NamedTuple):
    """A likelihood-ratio statistic, its degrees of freedom, and how likely chance alone is to exceed it."""

    statistic: float
    freedom: int
    p: float


def same_in_time(counts: Array) -> ChiSquare:
    """Whether the matrices of periods differ beyond chance (Anderson and Goodman 1957): counts ``T x S x S``."""
    return _likelihood_ratio(np.swapaxes(counts, 0, 1))


def without_memory(spells: Spells, states: int) -> ChiSquare:
    """Whether the next move depends on the move before, beyond chance: a Markov chain of first order against second.

    Moves between grades by where the entity came from (Anderson and Goodman 1957): downgrade momentum, for
    one, is memory.
    """
    following = spells.following
    one = np.flatnonzero((following[:-1] >= 0) & (following[1:] >= 0) & (spells.entity[1:] == spells.entity[:-1]))
    made = np.zeros((states, states, states))  # [now, before, next]
    np.add.at(made, (spells.state[one + 1], spells.state[one], following[one + 1]), 1)
    return _likelihood_ratio(made)


def _likelihood_ratio(counts: Array) -> ChiSquare:
    """For each first index, whether rows of ``M x S`` have the same distribution; added up."""
    from scipy.special import chdtrc, xlogy

    statistic, freedom = 0.0, 0
    for table in counts:
        table = table[table.sum(1) > 0][:, table.sum(0) > 0]
        expected = table.sum(1, keepdims=True) * table.sum(0) / max(table.sum(), 1)
        statistic += float(2 * xlogy(table, table / np.where(expected > 0, expected, 1)).sum())
        freedom += max(len(table) - 1, 0) * max(table.shape[1] - 1, 0)
    return ChiSquare(statistic, freedom, float(chdtrc(freedom, statistic)) if freedom else float("nan"))


def _stochastic(matrix: Array) -> Array:
    matrix = np.asarray(matrix, np.float64)
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or not (matrix >= 0).all() or not np.allclose(matrix.sum(1), 1, atol=1e-8):
        raise InputError("a transition matrix is square, its rows probabilities that sum to 1")
    return matrix
