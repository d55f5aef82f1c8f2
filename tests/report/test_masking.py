"""No personal data in cells that are shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Exhibit, Place
from plait.data.findings import Finding
from plait.explain.explanation import CellShares, Explanation
from plait.report.masking import masked, masked_text
from plait.report.run import Asked, Run
from plait.report.sections import quality
from plait.report.words import Words

LETTER = "Write to ann.lee@example.com or call 13812345678, 谢谢。"


def explained(exhibit: Exhibit, places: tuple[Place, ...]) -> Explanation:
    shares = np.zeros(len(places))
    cell = CellShares(0, "letter", exhibit, places, shares, shares)
    return Explanation((0,), None, "output", np.zeros(1), cells=(cell,))


def test_letters_and_digits_become_dots_in_place() -> None:
    shown = masked_text(LETTER)
    assert len(shown) == len(LETTER)
    assert "ann" not in shown
    assert "138" not in shown
    assert shown.startswith("Write to •••")
    assert shown.endswith("谢谢。")


@given(st.text(max_size=60))
@settings(max_examples=20, deadline=None)
def test_a_text_keeps_its_length(text: str) -> None:
    shown = masked_text(text)
    assert len(shown) == len(text)
    assert all(new in (old, "•") for old, new in zip(text, shown, strict=True))


def test_places_are_told_by_what_is_left() -> None:
    place = Place("span", (0, len(LETTER)), LETTER)
    cell = masked(explained(Exhibit("words", LETTER), (place,))).cells[0]
    assert cell.places[0].label == cell.exhibit.values == masked_text(LETTER)


def test_records_and_items_are_masked_and_pictures_are_not() -> None:
    records = Exhibit("records", ({"note": LETTER, "paid": 3.5},))
    items = Exhibit("items", (Exhibit("words", LETTER),))
    pixels = Exhibit("pixels", np.zeros((2, 2, 3), np.uint8))
    shown = [masked(explained(each, ())).cells[0].exhibit for each in (records, items, pixels)]
    assert shown[0].values == ({"note": masked_text(LETTER), "paid": 3.5},)
    assert shown[1].values[0].values == masked_text(LETTER)
    assert shown[2] is pixels


def test_findings_that_quote_cells_are_masked_unless_asked_otherwise() -> None:
    quoted = Finding("encoding", ("letter",), "warning", f"read in the wrong encoding, such as {LETTER!r}")
    for shown in (False, True):
        asked = Asked(show_personal=shown)
        run = SimpleNamespace(say=Words(), record={"faults": []}, test=None, findings=(quoted,), asked=asked)
        section = quality.section(cast("Run", run))
        assert ("13812345678" in section.watch[0]) == shown
        assert ("13812345678" in str(section.blocks)) == shown
