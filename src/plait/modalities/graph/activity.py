"""What an entity did: how many links, with how many others, how much flowed, how lately, and at what pace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.contracts import Ragged
from plait.modalities.graph.layout import DAY
from plait.modalities.graph.links import Incidence, LinkTable, Whole, latest

__all__ = ["Floats", "Rows", "Told", "activity", "largest", "ratio"]

Floats = npt.NDArray[np.float64]
Told = dict[str, Floats]

RECENT = 128  # links that pace, largest amounts and passing on are read from, the most recent


@dataclass(frozen=True)
class Rows:
    """Rows that ask: their entity (int64 ``N``, -1 unknown to the links), ranks of time that they see (ranks below
    `seen`, int64 ``N``), and their moment in seconds (float64 ``N``; infinite where it is not known)."""

    code: Whole
    seen: Whole
    now: Floats

    @classmethod
    def of(cls, table: LinkTable, code: Whole, now: Floats) -> Rows:
        """Rows see links up to and with their own moment; a row of unknown moment sees all."""
        moment = np.where(np.isnan(now), np.inf, now)
        return cls(code, np.searchsorted(table.moments, moment, side="right").astype(np.int64), moment)

    def clock(self, table: LinkTable) -> Floats:
        """The moment, the last link's where it is not known."""
        last = table.moments[-1] if len(table.moments) else 0.0
        return np.where(np.isinf(self.now), last, self.now)

    def since(self, table: LinkTable, window: float) -> Whole:
        """The first rank within `window` seconds of the row's moment."""
        return np.minimum(np.searchsorted(table.moments, self.clock(table) - window, side="right"), self.seen)


def activity(table: LinkTable, rows: Rows) -> Told:
    """All of it: float64 ``N`` each, NaN where it is not defined."""
    told = _counts(table, rows)
    if table.layout.amount is not None:
        told |= _flows(table, rows)
    if table.layout.time is not None:
        for window in table.layout.windows:
            told |= _window(table, rows, window)
        told |= _pace(table, rows)
    if table.layout.kind is not None:
        told |= _kinds(table, rows)
    return told


def ratio(above: Floats | Whole, below: Floats | Whole) -> Floats:
    """Quotients, NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def _length(incidence: Incidence, rows: Rows) -> Whole:
    first, last = incidence.spans(rows.code, rows.seen)
    return last - first


def _counts(table: LinkTable, rows: Rows) -> Told:
    links, neighbours = _length(table.links, rows), _length(table.contacts.met, rows)
    told = {"links": links, "neighbours": neighbours, "links_a_neighbour": ratio(links, neighbours)}
    if table.layout.directed:
        out, into = _length(table.contacts_out.met, rows), _length(table.contacts_in.met, rows)
        told |= {
            "links_out": _length(table.out, rows),
            "links_in": _length(table.into, rows),
            "neighbours_out": out,
            "neighbours_in": into,
            "fan_in": np.log((into + 1.0) / (out + 1.0)),
            "both_ways": out + into - neighbours,
            "reciprocity": ratio(out + into - neighbours, neighbours),
        }
    return {name: np.asarray(values, np.float64) for name, values in told.items()}


def _sums(table: LinkTable, rows: Rows, since: Whole) -> tuple[Floats, Floats]:
    """Amounts out and in from rank `since` on; where links have no direction, all and nothing."""
    unit = table.layout.unit
    sides = [(table.out, table.sums_out)] + ([(table.into, table.sums_in)] if table.layout.directed else [])
    found = [
        (sums[i.at(rows.code, rows.seen)] - sums[i.at(rows.code, since)]).astype(np.float64) * unit for i, sums in sides
    ]
    return found[0], found[1] if len(found) > 1 else np.zeros(len(rows.code))


def _flows(table: LinkTable, rows: Rows) -> Told:
    start = np.zeros_like(rows.seen)
    out, into = _sums(table, rows, start)
    links = _length(table.links, rows)
    positions = latest(*table.links.spans(rows.code, rows.seen), RECENT)
    amounts = Ragged(np.abs(table.amount[table.links.link[positions.values]]).astype(np.float64), positions.offsets)
    unit = table.layout.unit
    mean, spread = _moments(amounts)
    told = {
        "amount": out + into,
        "amount_mean": ratio(out + into, links),
        "amount_largest": largest(amounts.values, amounts) * unit,
        "amount_variation": ratio(spread, mean),
    }
    if table.layout.directed:
        told |= {
            "amount_out": out,
            "amount_in": into,
            "amount_out_mean": ratio(out, _length(table.out, rows)),
            "amount_in_mean": ratio(into, _length(table.into, rows)),
            "balance": ratio(into - out, np.abs(into) + np.abs(out)),
        }
    return told


def _window(table: LinkTable, rows: Rows, window: float) -> Told:
    since, name = rows.since(table, window), f"{window / DAY:g}d"
    met = table.contacts.met
    new = met.at(rows.code, rows.seen) - met.at(rows.code, since)
    told: Told = {f"new_neighbours_{name}": new.astype(np.float64)}
    sides = (("out", table.out), ("in", table.into)) if table.layout.directed else (("all", table.links),)
    for side, incidence in sides:
        count = incidence.at(rows.code, rows.seen) - incidence.at(rows.code, since)
        told[f"links_{side}_{name}"] = count.astype(np.float64)
    if table.layout.amount is not None:
        out, into = _sums(table, rows, since)
        if table.layout.directed:
            told |= {f"amount_out_{name}": out, f"amount_in_{name}": into}
            told[f"balance_{name}"] = ratio(into - out, np.abs(into) + np.abs(out))
        else:
            told[f"amount_all_{name}"] = out
    return told


def _pace(table: LinkTable, rows: Rows) -> Told:
    """Recency, gaps, burstiness (Goh and Barabasi, 2008, equation 1: (s - m) / (s + m) of the gaps), passing on."""
    first, last = table.links.spans(rows.code, rows.seen)
    positions = latest(first, last, RECENT)
    moments = table.moments[table.links.place[positions.values] % table.stride]
    lengths = positions.lengths
    gaps = np.diff(moments, prepend=0.0)
    inner = np.ones(len(gaps), bool)
    inner[positions.offsets[:-1][lengths > 0]] = False
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.maximum(lengths - 1, 0))])
    mean, spread = _moments(Ragged(gaps[inner], offsets))
    some = last > first
    newest = np.where(some, table.moments[_rank(table, np.maximum(last - 1, 0))], np.nan)
    oldest = np.where(some, table.moments[_rank(table, first)], np.nan)
    told = {
        "days_since_last": (rows.clock(table) - newest) / DAY,
        "days_since_first": (rows.clock(table) - oldest) / DAY,
        "gap_mean": mean / DAY,
        "burstiness": ratio(spread - mean, spread + mean),
    }
    return told | (_passing(table, rows) if table.layout.directed else {})


def _rank(table: LinkTable, position: Whole) -> Whole:
    if not len(table.links.place):
        return np.zeros_like(position)
    return table.links.place[np.minimum(position, len(table.links.place) - 1)] % table.stride


def _passing(table: LinkTable, rows: Rows) -> Told:
    """How soon what came in was followed by something out: layering passes it on at once."""
    positions = latest(*table.into.spans(rows.code, rows.seen), RECENT)
    row = np.repeat(np.arange(len(rows.code)), positions.lengths)
    rank = table.into.place[positions.values] % table.stride
    following = table.out.at(rows.code[row], rank + 1)
    followed = following < table.out.at(rows.code[row], rows.seen[row])
    after = table.moments[table.out.place[following[followed]] % table.stride]
    waits = np.log1p((after - table.moments[rank[followed]]) / DAY)
    size = len(rows.code)
    count, all_in = np.bincount(row[followed], minlength=size), np.bincount(row, minlength=size)
    return {
        "passed_on": ratio(count, all_in),
        "days_to_pass_on": np.expm1(ratio(np.bincount(row[followed], waits, size), count)),
    }


def _kinds(table: LinkTable, rows: Rows) -> Told:
    told: Told = {}
    sides = (("out", table.out, 0), ("in", table.into, 1)) if table.layout.directed else (("all", table.links, 0),)
    for side, incidence, which in sides:
        sums = table.kind_sums[which]
        first, last = incidence.spans(rows.code, rows.seen)
        counts = (sums[last] - sums[first]).astype(np.float64)
        told |= {f"{side}[{kind}]": counts[:, k] for k, kind in enumerate(table.layout.kinds)}
    return told


def _moments(values: Ragged) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each row, NaN of an empty one."""
    size, lengths = len(values), values.lengths
    row = np.repeat(np.arange(size), lengths)
    mean = ratio(np.bincount(row, values.values, size), lengths)
    off = values.values - mean[row]
    return mean, np.sqrt(ratio(np.bincount(row, off * off, size), lengths))


def largest(values: Floats, rows: Ragged) -> Floats:
    """The largest value of each row of `rows`, NaN of an empty one."""
    out = np.full(len(rows), np.nan)
    filled = np.flatnonzero(rows.lengths)
    if len(filled):
        out[filled] = np.maximum.reduceat(values, rows.offsets[:-1][filled])
    return out
