"""How an entity stands among others: its neighbours and theirs, triangles, cycles, and where PageRank puts it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt

from plait.contracts import Ragged
from plait.modalities.graph.activity import Floats, Rows, Told, largest, ratio
from plait.modalities.graph.links import FINE, Contacts, LinkTable, Whole, latest

__all__ = ["Around", "standing", "structure"]

PAIRS = 16  # neighbours whose links to each other are looked up
STEPS = 8  # neighbours a step of cycles of four goes to
DAMPING = 0.85
ITERATIONS = 40


@dataclass(frozen=True)
class Around:
    """The neighbourhoods of rows.

    Parameters
    ----------
    near, far
        Entities one and two links away: Ragged int64. Beyond a bound the latest met are kept, of those met at the same
        time a choice by hash; two links away, the square root of the bound at either link. A row's own entity is never
        there.
    pair
        Number of each near contact.
    links
        How often each near one was met: int64.
    through
        Share of a row's walks of two random steps that end at each far one: float64.
    """

    near: Ragged
    far: Ragged
    pair: Whole
    links: Whole
    through: Floats

    @classmethod
    def of(cls, table: LinkTable, rows: Rows, bound: int, hops: int) -> Around:
        met = table.contacts.met
        chosen = latest(*met.spans(rows.code, rows.seen), bound)
        row = np.repeat(np.arange(len(rows.code)), chosen.lengths)
        pair = met.link[chosen.values]
        first, last = table.between.spans(pair, rows.seen[row])
        near = Ragged(met.other[chosen.values], chosen.offsets)
        far, through = _walks(table, rows, isqrt(bound) if hops > 1 else 0)
        return cls(near, far, pair, last - first, through)

    @property
    def row(self) -> Whole:
        """The row of each near one."""
        return np.repeat(np.arange(len(self.near)), self.near.lengths)


def _walks(table: LinkTable, rows: Rows, each: int) -> tuple[Ragged, Floats]:
    """Entities two links away, by walks through at most `each` neighbours to at most `each` of theirs."""
    met, size = table.contacts.met, len(rows.code)
    step = latest(*met.spans(rows.code, rows.seen), each)
    row = np.repeat(np.arange(size), step.lengths)
    middle = met.other[step.values]
    onward = latest(*met.spans(middle, rows.seen[row]), each)
    walk = np.repeat(np.arange(len(middle)), onward.lengths)
    end = met.other[onward.values]
    away = end != rows.code[row[walk]]
    walk, end = walk[away], end[away]
    share = 1.0 / np.maximum(step.lengths[row[walk]] * onward.lengths[walk], 1)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(row[walk], minlength=size))])
    return Ragged(end, offsets), share


def structure(table: LinkTable, rows: Rows, around: Around, hops: int) -> Told:
    """All of it: float64 ``N`` each, NaN where it is not defined."""
    told = _neighbours(table, rows, around) | _triangles(table, rows) | _cycles(table, rows)
    if hops > 1:
        told |= _far(around, len(table.entities))
    if table.layout.attributes:
        told |= _attributes(table, rows, around, hops)
    return told | {"page_rank": standing(table, rows)}


def _mean(values: Floats, row: Whole, size: int, weight: Floats | None = None) -> Floats:
    mass = np.bincount(row, weight, size)
    return ratio(np.bincount(row, values if weight is None else values * weight, size), mass)


def _spread(values: Floats, row: Whole, size: int) -> Floats:
    off = values - _mean(values, row, size)[row]
    return np.sqrt(_mean(off * off, row, size))


def _neighbours(table: LinkTable, rows: Rows, around: Around) -> Told:
    size, row, near = len(rows.code), around.row, around.near
    seen = rows.seen[row]
    first, last = table.contacts.met.spans(near.values, seen)
    degree = (last - first).astype(np.float64)
    logs = np.log1p(degree)
    own = np.diff(table.contacts.met.spans(rows.code, rows.seen), axis=0)[0]
    most = largest(around.links.astype(np.float64), near)
    told = {
        "neighbour_degree_mean": _mean(logs, row, size),
        "neighbour_degree_spread": _spread(logs, row, size),
        "neighbour_degree_largest": largest(logs, near),
        "neighbour_degree_h": _h_index(degree, near),
        "exclusive": _mean(1.0 / np.maximum(degree, 1.0), row, size) * own,
        "largest_share": ratio(most, np.bincount(row, around.links, size)),
    }
    if table.layout.directed:
        into = np.diff(table.contacts_in.met.spans(near.values, seen), axis=0)[0]
        out = np.diff(table.contacts_out.met.spans(near.values, seen), axis=0)[0]
        told["neighbour_fan_in"] = _mean(np.log((into + 1.0) / (out + 1.0)), row, size)
    if table.layout.amount is not None:
        first, last = table.links.spans(near.values, seen)
        flow = np.arcsinh((table.sums[last] - table.sums[first]) * (table.layout.unit / table.layout.usual))
        told["neighbour_amount_mean"] = _mean(flow, row, size)
        told["neighbour_amount_largest"] = largest(flow, near)
    return told


def _h_index(values: Floats, rows: Ragged) -> Floats:
    """The largest h so that h neighbours have h neighbours: a step towards the k-core (Lu et al., 2016, theorem 1)."""
    row = np.repeat(np.arange(len(rows)), rows.lengths)
    order = np.lexsort((-values, row))
    place = np.arange(len(row)) - np.repeat(rows.offsets[:-1], rows.lengths) + 1
    return np.bincount(row[values[order] >= place], minlength=len(rows)).astype(np.float64)


def _padded(contacts: Contacts, rows: Rows, width: int) -> tuple[Whole, Whole]:
    """Entities met, the latest `width` of them, -1 where there are fewer; and how many there are in all."""
    first, last = contacts.met.spans(rows.code, rows.seen)
    place = last[:, None] - 1 - np.arange(width)
    inside = place >= first[:, None]
    if not len(contacts.met.other):
        return np.full(place.shape, -1, np.int64), last - first
    return np.where(inside, contacts.met.other[np.where(inside, place, 0)], -1), last - first


def _triangles(table: LinkTable, rows: Rows) -> Told:
    """Share of pairs of neighbours that know each other (Watts and Strogatz, 1998), and how many that makes."""
    others, degree = _padded(table.contacts, rows, PAIRS)
    a, b = np.triu_indices(PAIRS, 1)
    row, pair = np.nonzero((others[:, a] >= 0) & (others[:, b] >= 0))
    met = table.contacts.known(others[row, a[pair]], others[row, b[pair]], rows.seen[row])
    size = len(rows.code)
    share = ratio(np.bincount(row[met], minlength=size), np.bincount(row, minlength=size))
    return {"clustering": share, "triangles": np.nan_to_num(share) * degree * (degree - 1.0) / 2.0}


def _cycles(table: LinkTable, rows: Rows) -> Told:
    """Ways out of the entity and back in three and in four links along their direction, each entity passed once.

    Those of three are scaled up from the pairs looked at; those of four are counted among the latest met alone.
    """
    size = len(rows.code)
    if not table.layout.directed:
        return {}
    out, outs = _padded(table.contacts_out, rows, PAIRS)
    into, ins = _padded(table.contacts_in, rows, PAIRS)
    row, a, b = np.nonzero((out[:, :, None] >= 0) & (into[:, None, :] >= 0))
    y, z = out[row, a], into[row, b]
    closed = table.contacts_out.known(y, z, rows.seen[row])
    scale = np.maximum(outs / PAIRS, 1.0) * np.maximum(ins / PAIRS, 1.0)
    threes = np.bincount(row[closed], minlength=size) * scale
    one = _steps(table.contacts_out, rows, out[:, :STEPS])
    other = _steps(table.contacts_in, rows, into[:, :STEPS])
    return {"cycles_3": threes, "cycles_4": _meetings(one, other, size, len(table.entities))}


Paths = tuple[Whole, Whole, Whole]


def _steps(contacts: Contacts, rows: Rows, others: Whole) -> Paths:
    """Row, middle and end of paths of two links."""
    row, place = np.nonzero(others >= 0)
    middle = others[row, place]
    ends, _ = _padded(contacts, Rows(middle, rows.seen[row], rows.now[row]), STEPS)
    path, place = np.nonzero((ends >= 0) & (ends != rows.code[row][:, None]))
    return row[path], middle[path], ends[path, place]


def _meetings(one: Paths, other: Paths, size: int, entities: int) -> Floats:
    """Pairs of paths of a row that end at the same entity through different ones."""

    def tally(keys: Whole, others: Whole) -> tuple[Whole, Whole]:
        found, counts = np.unique(keys, return_counts=True)
        against, again = np.unique(others, return_counts=True)
        _, a, b = np.intersect1d(found, against, assume_unique=True, return_indices=True)
        return found[a], counts[a] * again[b]

    ends, pairs = tally(one[0] * entities + one[2], other[0] * entities + other[2])
    total = np.bincount(ends // max(entities, 1), pairs, size)
    # To an entity and back through the same one is no cycle.
    middles, codes = np.unique(np.concatenate([one[1], other[1]]), return_inverse=True)
    first, second = codes[: len(one[1])], codes[len(one[1]) :]
    ends, onward = np.unique(
        np.concatenate([one[0] * entities + one[2], other[0] * entities + other[2]]), return_inverse=True
    )
    same = np.intersect1d(
        onward[: len(first)] * len(middles) + first, onward[len(first) :] * len(middles) + second, assume_unique=True
    )
    return total - 1.0 * np.bincount(ends[same // max(len(middles), 1)] // max(entities, 1), minlength=size)


def _far(around: Around, entities: int) -> Told:
    """How many are two links away for each walk there: few where the neighbours know the same others."""
    size, far = len(around.far), around.far
    row = np.repeat(np.arange(size), far.lengths)
    ends = np.sort(row * max(entities, 1) + far.values)
    distinct = ends[np.diff(ends, prepend=-1) > 0] // max(entities, 1)
    return {"two_links_away": ratio(np.bincount(distinct, minlength=size), far.lengths)}


def _attributes(table: LinkTable, rows: Rows, around: Around, hops: int) -> Told:
    """Mean and spread over neighbours, mean by exclusiveness (1 / their degree), and mean over their neighbours."""
    layout, size, row = table.layout, len(rows.code), around.row
    seen, near = rows.seen[row], around.near.values
    last = table.between.at(around.pair, seen) - 1
    own = table.of_other(near, table.between.link[last]) / FINE
    first, end = table.links.spans(near, seen)
    onward = (table.attribute_sums[end] - table.attribute_sums[first]) / np.maximum(end - first, 1)[:, None] / FINE
    degree = np.diff(table.contacts.met.spans(near, seen), axis=0)[0]
    exclusive = 1.0 / np.maximum(degree, 1)
    told: Told = {}
    for i, (name, centre, spread) in enumerate(layout.attributes):
        told[f"neighbour_{name}"] = _mean(own[:, i], row, size) * spread + centre
        told[f"neighbour_{name}_spread"] = _spread(own[:, i], row, size) * spread
        told[f"neighbour_{name}_exclusive"] = _mean(own[:, i], row, size, exclusive) * spread + centre
        if hops > 1:
            told[f"two_links_{name}"] = _mean(onward[:, i], row, size) * spread + centre
    return told


def standing(table: LinkTable, rows: Rows) -> Floats:
    """PageRank of each row's entity, taken at the last epoch before the row's moment: NaN where it had no link then."""
    layout, all_of_them = table.layout, table.stride - 1
    since = np.floor((np.where(np.isinf(rows.now), layout.origin, rows.now) - layout.origin) / layout.step)
    seen = np.searchsorted(table.moments, layout.origin + since * layout.step, side="right")
    seen = np.where(np.isinf(rows.now) | (layout.time is None), all_of_them, seen)
    out = np.full(len(rows.code), np.nan)
    for until in np.unique(seen[rows.code >= 0]).tolist():
        if until not in table.ranks:
            table.ranks[until] = _page_rank(table, until)
        asks = (seen == until) & (rows.code >= 0)
        out[asks] = table.ranks[until][rows.code[asks]]
    return out


def _page_rank(table: LinkTable, seen: int) -> npt.NDArray[np.float64]:
    """Log of PageRank over its mean (Brin and Page, 1998), of links before rank `seen`: float64 ``n``, NaN unseen.

    By power iteration on distinct pairs, along their direction. Entities without a link yet do not take part, so that
    later ones change nothing.
    """
    met = table.contacts_out.met
    there = np.flatnonzero(met.place % table.stride < seen)
    source, target = met.place[there] // table.stride, met.other[there]
    out = np.full(len(table.entities), np.nan)
    taking, codes = np.unique(np.concatenate([source, target]), return_inverse=True)
    if not len(taking):
        return out
    size = len(taking)
    source, target = codes[: len(there)], codes[len(there) :]
    degree = np.bincount(source, minlength=size)
    rank = np.full(size, 1.0 / size)
    for _ in range(ITERATIONS):
        passed = np.bincount(target, (rank / np.maximum(degree, 1))[source], size)
        rank = (1.0 - DAMPING + DAMPING * rank[degree == 0].sum()) / size + DAMPING * passed
    out[taking] = np.log(rank * size)
    return out
