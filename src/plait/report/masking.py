"""Explanations whose cells show no personal data: letters and digits of it become dots, one for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from plait.contracts import Exhibit, Place
from plait.data.persons import spans
from plait.explain.explanation import CellShares, Explanation

__all__ = ["masked", "masked_cell", "masked_text"]

DOT = "•"


def masked(explanation: Explanation) -> Explanation:
    """The same explanation; words and values in its cells are masked, what pictures and sounds hold is not."""
    return replace(explanation, cells=tuple(map(masked_cell, explanation.cells)))


def masked_text(text: str) -> str:
    """The text, as long as it was, with every letter and digit of personal data as a dot."""
    letters = list(text)
    for _, start, end in spans(text):
        letters[start:end] = [DOT if letter.isalnum() else letter for letter in letters[start:end]]
    return "".join(letters)


def masked_cell(cell: CellShares) -> CellShares:
    """The same of one cell alone."""
    exhibit = _masked_exhibit(cell.exhibit)
    return replace(cell, exhibit=exhibit, places=tuple(_masked_place(place, exhibit) for place in cell.places))


def _masked_place(place: Place, exhibit: Exhibit) -> Place:
    """A span of words is told by what is left of them, any other place by its own label, masked."""
    if place.kind == "span" and isinstance(exhibit.values, str):
        first, last = map(int, place.where)
        return replace(place, label=exhibit.values[first:last])
    return replace(place, label=masked_text(place.label))


def _masked_exhibit(exhibit: Exhibit) -> Exhibit:
    values = exhibit.values
    if isinstance(values, str):
        return replace(exhibit, values=masked_text(values))
    if not isinstance(values, tuple):
        return exhibit
    exhibits = tuple(_masked_exhibit(item) for item in values if isinstance(item, Exhibit))
    return replace(
        exhibit, values=exhibits or tuple(_masked_record(item) for item in values if isinstance(item, Mapping))
    )


def _masked_record(record: Mapping[str, object]) -> Mapping[str, object]:
    return {name: masked_text(value) if isinstance(value, str) else value for name, value in record.items()}
