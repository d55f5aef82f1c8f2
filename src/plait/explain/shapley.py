"""Shapley values of sources: what each adds, shared fairly over all orders in which sources may become known.

Shapley, "A Value for n-Person Games", 1953. The model answers for any subset of sources by itself, so nothing is
imputed and no surrogate is fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import factorial

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Progress
from plait.contracts.crossing import unheard
from plait.explain.explanation import SourceShares
from plait.explain.subject import Subject

__all__ = ["coalitions", "explain_sources", "shapley"]

EXACT = 10  # present sources up to which every coalition is asked
PAIRS = 100  # of orders and their reverses, above
ROWS = 64  # of one pattern asked at once, between two reports


def coalitions(players: int) -> npt.NDArray[np.bool_]:
    """All coalitions, bool ``2^P x P``: number ``c`` has player ``p`` where bit ``p`` of ``c`` is set."""
    return np.asarray((np.arange(2**players)[:, None] >> np.arange(players)) % 2, bool)


def shapley(values: Array) -> npt.NDArray[np.float64]:
    """Shapley values of games with ``P`` players.

    Parameters
    ----------
    values
        float64 ``... x 2^P``: the worth of each coalition, in the order of `coalitions`.

    Returns
    -------
    ndarray
        float64 ``... x P``: ``phi_p = sum_C |C|! (P - |C| - 1)! / P! (v(C + p) - v(C))`` over the coalitions ``C``
        without ``p``; their sum is the worth of all players less that of none.
    """
    worth = np.asarray(values, np.float64)
    players = (worth.shape[-1] - 1).bit_length()
    member = coalitions(players)
    size = member.sum(axis=1)
    each = [factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)]
    joining = np.array([*each, 0.0])[size]  # weight of a coalition that a player joins
    joined = np.array([0.0, *each])[size]  # and of one that has the player
    signed = np.where(member, joined[:, None], -joining[:, None])
    return np.asarray((worth - worth[..., :1]) @ signed)


def explain_sources(
    subject: Subject,
    *,
    seed: int = 0,
    exact: int = EXACT,
    pairs: int = PAIRS,
    progress: Callable[[Progress], None] = unheard,
) -> SourceShares:
    """What each source adds to each prediction, against the prior of a row of which nothing is known.

    Rows with at most `exact` present sources have exact values. Rows with more have means over `pairs` random orders
    and their reverses (antithetic permutations; Mitchell et al., "Sampling Permutations for Shapley Value Estimation",
    JMLR 2022, section 3.3), with a standard error each; these sum as exactly, since every order does.
    """
    there = subject.batches.present
    base, prediction = subject.base, subject.prediction
    values, error = np.zeros(there.shape), np.zeros(there.shape)
    done = 0
    for rows, players in _alike(there):
        progress(Progress("sources", done, len(subject)))
        if len(players) <= exact:
            worth = _asked(subject, rows, players, coalitions(len(players)))
            worth[:, 0], worth[:, -1] = base[rows], prediction[rows]
            values[np.ix_(rows, players)] = shapley(worth)
        else:
            means, errors = _sampled(subject, rows, players, pairs, seed)
            values[np.ix_(rows, players)], error[np.ix_(rows, players)] = means, errors
        done += len(rows)
    modalities = tuple(subject.rooms[name].source.modality for name in subject.sources)
    return SourceShares(subject.sources, modalities, base, values, error, there)


def _alike(there: npt.NDArray[np.bool_]) -> Iterator[tuple[Array, Array]]:
    """Some rows with the same sources, and which these are; rows with none are left out."""
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    for i, pattern in enumerate(patterns):
        players = np.flatnonzero(pattern)
        rows = np.flatnonzero(which.reshape(-1) == i)
        for start in range(0, len(rows) if len(players) else 0, ROWS):
            yield rows[start : start + ROWS], players


def _asked(subject: Subject, rows: Array, players: Array, member: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """What the model says of each row by each coalition of the players (bool ``C x P``): float64 ``N x C``."""
    present = np.zeros((len(member), len(subject.sources)), bool)
    present[:, players] = member
    said = subject.coalitions(np.repeat(rows, len(member)), np.tile(present, (len(rows), 1)))
    return said.reshape(len(rows), len(member))


def _sampled(
    subject: Subject, rows: Array, players: Array, pairs: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean gain of each player over random orders and their reverses, and its standard error: float64 ``N x P``."""
    rng = np.random.default_rng([seed, len(players)])
    orders = np.array([rng.permutation(len(players)) for _ in range(pairs)])
    orders = np.stack([orders, orders[:, ::-1]], axis=1).reshape(2 * pairs, -1)
    place = np.argsort(orders, axis=1)
    member = place[:, None, :] < np.arange(len(players) + 1)[None, :, None]  # orders x steps x players
    asked, where = np.unique(member.reshape(-1, len(players)), axis=0, return_inverse=True)
    worth = _asked(subject, rows, players, asked)
    worth[:, ~asked.any(axis=1)] = subject.base[rows, None]
    worth[:, asked.all(axis=1)] = subject.prediction[rows, None]
    gains = np.diff(worth[:, where.reshape(2 * pairs, -1)], axis=2)  # rows x orders x steps
    gains = np.take_along_axis(gains, place[None], axis=2)
    means = gains.reshape(len(rows), pairs, 2, len(players)).mean(axis=2)
    return means.mean(axis=1), means.std(axis=1, ddof=1) / np.sqrt(pairs)
