"""The neighbours of one entity, the weightiest first, and its links without those to some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from plait.contracts import Place
from plait.modalities.graph.activity import Rows
from plait.modalities.graph.links import LinkTable, Whole

__all__ = ["Surroundings"]

FIRST, LATER = 16, 8  # places of an entity, and of a group of neighbours
LISTED = 200  # neighbours that are told apart; the last one stands for all others


@dataclass(frozen=True)
class Surroundings:
    """What one row reads of the links: its entity's own, and those of its neighbours, up to its moment.

    Parameters
    ----------
    table
        These links alone.
    code
        Of the entity in `table`, -1 where it has no link.
    number
        Which neighbour each link joins the entity to, -1 a link among others: int64 ``E``. Neighbours are numbered by
        what flows between them and the entity, the most first; where links have no amounts, by how many there are.
    """

    table: LinkTable
    code: int
    number: Whole

    @classmethod
    def of(cls, whole: LinkTable, row: Rows) -> Self:
        """Of one row of `whole`."""
        code, seen = int(row.code[0]), int(row.seen[0])
        first, last = (int(end[0]) for end in whole.links.spans(row.code, row.seen))
        read = np.zeros(len(whole.entities), bool)
        read[whole.links.other[first:last]] = True
        if last > first:
            read[code] = True
        table = whole.part(np.flatnonzero((read[whole.source] | read[whole.target]) & (whole.rank < seen)))
        code = int(table.code(whole.entities[row.code])[0]) if last > first else -1
        own = (table.source == code) | (table.target == code)
        other = np.where(table.source == code, table.target, table.source)[own]
        met, place = np.unique(other, return_inverse=True)
        weight = np.bincount(place, minlength=len(met))
        if whole.layout.amount is not None:
            weight = np.bincount(place, np.abs(table.amount[own]), len(met))
        rank = np.empty(len(met), np.int64)
        rank[np.argsort(-weight, kind="stable")] = np.arange(len(met))
        number = np.full(len(own), -1, np.int64)
        number[own] = np.minimum(rank[place], LISTED - 1)
        return cls(table, code, number)

    def __len__(self) -> int:
        return int(self.number.max(initial=-1)) + 1

    def places(self, most: int, within: Place | None = None) -> tuple[Place, ...]:
        """Neighbours one by one, those of least weight in groups where there are more than may be."""
        first, last = (0, len(self)) if within is None else _numbers(within)
        most = min(most, FIRST if within is None else LATER)
        if last - first < (1 if within is None else 2):
            return ()
        alone = last - first if last - first <= most else 3 * most // 4
        cuts = np.linspace(first + alone, last, most - alone + 1).round() if last - first > most else [last]
        edges = [*range(first, first + alone), *map(int, cuts)]
        names = self.names
        return tuple(_place(a, b, names) for a, b in pairwise(edges))

    def without(self, places: Sequence[Place]) -> LinkTable:
        """The links less those to the neighbours in `places`."""
        gone = np.zeros(len(self) + 1, bool)  # the last one: of links among others
        for place in places:
            gone[slice(*_numbers(place))] = True
        return self.table.part(np.flatnonzero(~gone[self.number]))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the neighbours, by number."""
        table, layout = self.table, self.table.layout
        ends = table.side.columns[layout.key], table.side.columns[layout.target]
        found = []
        for number in range(len(self)):
            links = np.flatnonzero(self.number == number)
            others = len(np.unique([table.source[links], table.target[links]])) - 1
            goes = table.source[links[0]] == self.code
            found.append(str(ends[int(goes)][table.kept[links[0]]]) if others == 1 else f"{others:,} others")
        return tuple(found)

    def told(self) -> tuple[Mapping[str, object], ...]:
        """What there was between the entity and each neighbour, by number."""
        table, layout = self.table, self.table.layout
        names, found = self.names, []
        for number, name in enumerate(names):
            links = np.flatnonzero(self.number == number)
            out = table.source[links] == self.code
            one: dict[str, object] = {"neighbour": name, "links": len(links)}
            sides = {"out": out, "in": ~out} if layout.directed else {"amount": np.ones(len(links), bool)}
            for side, chosen in sides.items():
                if layout.amount is not None:
                    one[side] = round(float(table.amount[links[chosen]].sum()) * layout.unit, 2)
                elif layout.directed:
                    one[side] = int(chosen.sum())
            if layout.time is not None:
                moments = table.moments[table.rank[links]]
                one |= {"first": _date(moments.min()), "last": _date(moments.max())}
            found.append(one)
        return tuple(found)


def _numbers(place: Place) -> tuple[int, int]:
    """First neighbour, and the one after the last."""
    first = int(place.where[0])
    return first, int(place.where[1]) if len(place.where) > 1 else first + 1


def _place(first: int, last: int, names: Sequence[str]) -> Place:
    if last - first == 1:
        return Place("link", (float(first),), names[first])
    others = f"{last - first - 1} others" if last - first > 2 else names[first + 1]
    return Place("link", (float(first), float(last)), f"{names[first]} and {others}")


def _date(moment: float) -> str:
    return str(np.datetime64(round(moment), "s"))
