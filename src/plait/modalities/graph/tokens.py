"""The latest links of an entity, each as a few bounded numbers, for the encoder."""

from __future__ import annotations

import numpy as np

from plait.contracts import Ragged
from plait.modalities.graph.activity import Rows
from plait.modalities.graph.layout import DAY, Layout
from plait.modalities.graph.links import FINE, LinkTable, latest

__all__ = ["NEAR", "described", "width_of"]

NEAR = 24  # links a row tells of


def width_of(layout: Layout) -> int:
    """Numbers that a link is told in."""
    return 6 + (layout.amount is not None) + (layout.time is not None) + 2 * len(layout.attributes)


def described(table: LinkTable, rows: Rows) -> tuple[Ragged, Ragged]:
    """The latest links of each row (untimed ones: a choice by hash), and their kinds.

    Returns
    -------
    links
        float32 ``T x E``: whether it goes out, whether it comes in, how many others the other end knew, was paid by and
        paid (log), how often the two had met (log), the amount (inverse hyperbolic sine, in usual amounts), its age
        (log days), and in spreads the other end's attributes and the mean of its own neighbours'.
    kinds
        int64 ``T``: 0 other, 1, ... in the layout's order.
    """
    layout = table.layout
    positions = latest(*table.links.spans(rows.code, rows.seen), NEAR)
    row = np.repeat(np.arange(len(rows.code)), positions.lengths)
    link, other = table.links.link[positions.values], table.links.other[positions.values]
    seen = rows.seen[row]
    goes = table.source[link] == rows.code[row] if layout.directed else np.ones(len(link), bool)
    comes = ~goes if layout.directed else goes
    degrees = [
        np.log1p(np.diff(contacts.met.spans(other, seen), axis=0)[0])
        for contacts in (table.contacts, table.contacts_in, table.contacts_out)
    ]
    first, last = table.between.spans(table.contacts.find(rows.code[row], other), seen)
    parts = [goes, comes, *degrees, np.log1p(last - first)]
    if layout.amount is not None:
        parts.append(np.arcsinh(table.amount[link] * (layout.unit / layout.usual)))
    if layout.time is not None:
        parts.append(np.log1p(np.maximum(rows.clock(table)[row] - table.moments[table.rank[link]], 0.0) / DAY))
    values = np.stack(parts, axis=1)
    if layout.attributes:
        first, last = table.links.spans(other, seen)
        around = (table.attribute_sums[last] - table.attribute_sums[first]) / np.maximum(last - first, 1)[:, None]
        both = np.concatenate([table.of_other(other, link), around], axis=1)
        values = np.concatenate([values, np.arcsinh(both / FINE)], axis=1)
    kinds = np.zeros(len(link), np.int64) if layout.kind is None else table.kind[link]
    return Ragged(values.astype(np.float32), positions.offsets), Ragged(kinds, positions.offsets)
