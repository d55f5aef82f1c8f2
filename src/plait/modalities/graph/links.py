"""Links sorted so that what an entity had to do with whom by a moment is one slice, found by binary search.

All sums of amounts and attributes are of whole numbers, in small units: they are exact, so that links of later, or of
others, cannot move them by a rounding error.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Ragged, Side
from plait.errors import unknown
from plait.modalities.graph.entities import entities, mix
from plait.modalities.graph.layout import Layout, numbers

__all__ = ["Contacts", "Incidence", "LinkTable", "Whole", "latest", "running"]

Whole = npt.NDArray[np.int64]
FINE = 10_000.0  # units that one spread of an attribute has
LARGEST = 1e12  # units counted of one number: sums of nine million such links still fit in 64 bits


@dataclass(frozen=True)
class Incidence:
    """Links by one of their ends.

    Parameters
    ----------
    place
        Entity and rank of time as one rising number, ``entity * stride + rank``: int64 ``S``.
    other, link
        The entity at the other end, and what is met there: int64 ``S``.
    starts
        First position of each entity, and the length: int64 ``n + 1``.
    stride
        Distinct moments plus one.
    """

    place: Whole
    other: Whole
    link: Whole
    starts: Whole
    stride: int

    @classmethod
    def of(cls, owner: Whole, rank: Whole, other: Whole, link: Whole, tie: Array, size: int, stride: int) -> Self:
        """Sort by owner (below `size`) and time, then by `tie`."""
        place = owner * stride + rank
        order = np.lexsort((tie, place))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(owner, minlength=size))])
        return cls(place[order], other[order], link[order], starts, stride)

    def at(self, entity: Whole, seen: Whole) -> Whole:
        """The first position of links of `entity` (-1: of none) from rank `seen` on."""
        if self.stride == 2:  # one moment: all or nothing
            return np.where(entity < 0, 0, self.starts[entity + seen])
        return np.where(entity < 0, 0, np.searchsorted(self.place, entity * self.stride + seen))

    def spans(self, entity: Whole, seen: Whole) -> tuple[Whole, Whole]:
        """First and last + 1 position of what each entity had before rank `seen`."""
        return np.where(entity < 0, 0, self.starts[entity]), self.at(entity, seen)


class Contacts:
    """Who met whom, and when first: an incidence of distinct pairs, and a look-up of single ones."""

    def __init__(self, owner: Whole, other: Whole, rank: Whole, tie: Array, size: int, stride: int) -> None:
        key = owner * size + other
        order = np.lexsort((rank, key))
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        self.size = size
        self.keys = key[order][starts]
        self.first = rank[order][starts]
        chosen = order[starts]
        pair = np.arange(len(starts))
        self.met = Incidence.of(owner[chosen], self.first, other[chosen], pair, tie[chosen], size, stride)

    def find(self, a: Whole, b: Whole) -> Whole:
        """The number of each pair, -1 where the two never met."""
        if not len(self.keys):
            return np.full(a.shape, -1, np.int64)
        key = a * self.size + b
        found = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where((self.keys[found] == key) & (a >= 0) & (b >= 0), found, -1)

    def known(self, a: Whole, b: Whole, seen: Whole) -> npt.NDArray[np.bool_]:
        """Whether the two had met before rank `seen`."""
        pair = self.find(a, b)
        if not len(self.keys):
            return np.zeros(a.shape, bool)
        return np.asarray((pair >= 0) & (self.first[pair] < seen))


class LinkTable:
    """A side table of links, compiled.

    Links without an end, and links of an entity to itself, are left out.

    Attributes
    ----------
    entities
        uint64 ``n``, sorted: the hashes of all entities.
    moments
        float64 ``M``, sorted: the distinct times of links, in seconds; one of minus infinity where they have none.
    links, out, into
        Links by either end, by their source and by their target; where links have no direction, all are the first.
    contacts, contacts_out, contacts_in
        The same, once for each pair.
    between
        Links by the number of their pair in `contacts`.
    ranks
        PageRank by the rank of time that it was taken at, kept once it was asked for.

    Raises
    ------
    ConfigError
        If the table lacks a column of the layout.
    """

    def __init__(self, side: Side, layout: Layout) -> None:
        for name in layout.columns:
            if name not in side.columns:
                raise unknown(f"column of links {side.name!r}", name, side.columns)
        self.side, self.layout = side, layout
        keys, ends = side.columns[layout.key], side.columns[layout.target]
        source, known = entities(keys, np.ones(len(keys), bool))
        target, reached = entities(ends, np.array([cell is not None for cell in ends.tolist()], bool))
        self.kept = np.flatnonzero(known & reached & (source != target))
        both = np.concatenate([source[self.kept], target[self.kept]])
        self.entities, codes = np.unique(both, return_inverse=True)
        self.source, self.target = codes[: len(self.kept)], codes[len(self.kept) :]
        if layout.time is None:
            self.moments, self.rank = np.full(1, -np.inf), np.zeros(len(self.kept), np.int64)
        else:
            self.moments, self.rank = np.unique(side.columns[layout.time][self.kept], return_inverse=True)
            if not len(self.moments):
                self.moments = np.full(1, -np.inf)
        self.stride = len(self.moments) + 1
        self.ranks: dict[int, npt.NDArray[np.float64]] = {}
        self._sort()

    def part(self, links: Whole) -> LinkTable:
        """The table of some of its links, by number and rising; moments stay those of the whole.

        So does PageRank, as far as it was asked for.
        """
        found = copy.copy(self)
        found.kept, found.rank = self.kept[links], self.rank[links]
        both = np.concatenate([self.source[links], self.target[links]])
        names, codes = np.unique(both, return_inverse=True)
        found.entities = self.entities[names]
        found.source, found.target = codes[: len(links)], codes[len(links) :]
        found.ranks = {seen: ranks[names] for seen, ranks in self.ranks.items()}
        for name in ("sums_out", "sums_in", "sums", "attribute_sums", "kind_sums"):
            found.__dict__.pop(name, None)
        if self.layout.amount is not None:
            found.amount = self.amount[links]
        if self.layout.kind is not None:
            found.kind = self.kind[links]
        found.attributes = self.attributes[np.concatenate([links, len(self.kept) + links])]
        found._sort()
        return found

    def _sort(self) -> None:
        size, stride, rank = len(self.entities), self.stride, self.rank
        owner, other = np.concatenate([self.source, self.target]), np.concatenate([self.target, self.source])
        tie, twice = mix(self.entities[owner], self.entities[other]), np.concatenate([rank, rank])
        link = np.arange(len(rank))
        self.links = Incidence.of(owner, twice, other, np.concatenate([link, link]), tie, size, stride)
        self.contacts = Contacts(owner, other, twice, tie, size, stride)
        pair = self.contacts.find(owner, other)
        pairs = len(self.contacts.keys)
        self.between = Incidence.of(
            pair, twice, other, np.concatenate([link, link]), np.zeros(len(pair)), pairs, stride
        )
        self.out = self.into = self.links
        self.contacts_out = self.contacts_in = self.contacts
        if self.layout.directed:
            e = len(rank)
            self.out = Incidence.of(self.source, rank, self.target, link, tie[:e], size, stride)
            self.into = Incidence.of(self.target, rank, self.source, link, tie[e:], size, stride)
            self.contacts_out = Contacts(self.source, self.target, rank, tie[:e], size, stride)
            self.contacts_in = Contacts(self.target, self.source, rank, tie[e:], size, stride)

    def code(self, hashes: npt.NDArray[np.uint64]) -> Whole:
        """The place of each entity, -1 where no link has it."""
        if not len(self.entities):
            return np.full(len(hashes), -1, np.int64)
        found = np.minimum(np.searchsorted(self.entities, hashes), len(self.entities) - 1)
        return np.where(self.entities[found] == hashes, found, -1)

    @cached_property
    def amount(self) -> Whole:
        """Of each link, in units of ``layout.unit``; a missing one counts as nothing."""
        assert self.layout.amount is not None
        return _whole(numbers(self.side, self.layout.amount)[self.kept], self.layout.unit)

    @cached_property
    def kind(self) -> Whole:
        """Code of each link's kind: 1, 2, ... in the layout's order, 0 for any other."""
        assert self.layout.kind is not None
        code = {name: i + 1 for i, name in enumerate(self.layout.kinds)}
        given = self.side.columns[self.layout.kind][self.kept].tolist()
        return np.fromiter((code.get(str(cell), 0) for cell in given), np.int64, len(given))

    @cached_property
    def attributes(self) -> Whole:
        """Attributes of all sources and then of all targets of links, in spreads / FINE from the centre: ``2E x A``."""
        return np.concatenate([self._ends(self.layout.key), self._ends(self.layout.target)])

    def _ends(self, end: str) -> Whole:
        out = np.zeros((len(self.kept), len(self.layout.attributes)), np.int64)
        for i, attribute in enumerate(self.layout.attributes):
            if f"{end}.{attribute.name}" in self.side.columns:
                values = numbers(self.side, f"{end}.{attribute.name}")[self.kept]
                out[:, i] = _whole(values - attribute.centre, attribute.spread / FINE)
        return out

    def of_other(self, other: Whole, link: Whole) -> Whole:
        """Attributes of the entity at the other end of each link, as told by the link: ``S x A``."""
        return self.attributes[link + np.where(self.target[link] == other, len(self.kept), 0)]

    @cached_property
    def sums_out(self) -> Whole:
        """Running sums of amounts over `out`; `sums_in` and `sums` likewise."""
        return running(self.amount[self.out.link])

    @cached_property
    def sums_in(self) -> Whole:
        return running(self.amount[self.into.link])

    @cached_property
    def sums(self) -> Whole:
        return running(self.amount[self.links.link])

    @cached_property
    def attribute_sums(self) -> Whole:
        """Running sums over `links` of the attributes of the other end: ``(S + 1) x A``."""
        return running(self.of_other(self.links.other, self.links.link))

    @cached_property
    def kind_sums(self) -> tuple[Whole, Whole]:
        """Running counts of each kind over `out` and `into`: ``(S + 1) x kinds``."""
        kinds = np.arange(1, len(self.layout.kinds) + 1)
        return (
            running((self.kind[self.out.link][:, None] == kinds).astype(np.int64)),
            running((self.kind[self.into.link][:, None] == kinds).astype(np.int64)),
        )


def _whole(values: npt.NDArray[np.float64], unit: float) -> Whole:
    """How many units each number is, bounded; 0 where there is none."""
    with np.errstate(over="ignore"):
        return np.rint(np.clip(np.nan_to_num(values / unit, nan=0.0), -LARGEST, LARGEST)).astype(np.int64)


def running(values: Whole) -> Whole:
    """Sums up to each position, with 0 in front."""
    return np.concatenate([np.zeros((1, *values.shape[1:]), np.int64), np.cumsum(values, axis=0)])


def latest(first: Whole, last: Whole, limit: int) -> Ragged:
    """Positions of each span, its last `limit` at most."""
    lengths = np.minimum(last - first, limit)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Ragged(np.repeat(last - offsets[1:], lengths) + np.arange(offsets[-1]), offsets)
