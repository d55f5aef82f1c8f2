"""Columns that stand in for another: from which the groups of a sensitive column can be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Column, Source
from plait.judgement.groups import FEW
from plait.judgement.telling import Halves, Pair, alone, read, scored
from plait.metrics import classification
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span

__all__ = ["Proxy", "proxies_of"]

ROWS = 1_000  # of each group that proxies are looked for in
TOLD = 0.6  # ROC AUC from which a column is called a proxy, by the lower end of its interval


@dataclass(frozen=True)
class Proxy:
    """A column (or all of them) from which the groups can be told: ROC AUC on rows it was not learned on, macro over
    groups, with its interval; ``told`` where the interval lies above .6."""

    column: str
    auc: Span
    told: bool


def proxies_of(
    sources: Sequence[Source],
    columns: Mapping[str, tuple[Column, ...]],
    codes: npt.NDArray[np.int64],
    seed: int,
) -> tuple[Proxy, ...]:
    """The columns of sources by how well they tell groups, all together first; none where groups are too small.

    Parameters
    ----------
    columns
        The cells of ``N`` rows, by source.
    codes
        Group of each row, int64 ``N``; -1 is none.
    """
    counts = np.bincount(codes[codes >= 0])
    big = np.flatnonzero(counts >= FEW)
    if len(big) < 2:
        return ()
    place = np.full(len(counts) + 1, -1)
    place[big] = np.arange(len(big))
    halves = Halves.of(place[codes], len(big), most=ROWS, seed=seed)
    whole: dict[str, Pair] = {}
    single: dict[str, Pair] = {}
    for source in sources:
        own = columns[source.name]
        whole[source.name] = read(source, own, halves)
        if len(own) == 1:
            single[source.columns[0]] = whole[source.name]
        else:
            single |= {name: read(*part, halves) for name, part in alone(source, own).items()}
    found = sorted(
        (_proxy(name, scored({name: pair}, halves), halves) for name, pair in single.items()),
        key=lambda proxy: -proxy.auc.value,
    )
    return (_proxy("all together", scored(whole, halves), halves), *found)


def _proxy(name: str, scores: Array, halves: Halves) -> Proxy:
    if scores.ndim == 2:
        scores = np.exp(scores - scores.max(1, keepdims=True))
        scores /= scores.sum(1, keepdims=True)
    found = bootstrap(classification.roc_auc, halves.truth, {"": scores}, resamples=200, seed=halves.seed).interval("")
    span = Span.of(found)
    return Proxy(name, span, span.low > TOLD)
