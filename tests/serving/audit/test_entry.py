"""Entries: the one form of JSON that is digested, and what an entry may hold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import DataError
from plait.serving.audit.entry import Entry, canonical, digest_of, link_of, seal

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=80)
@given(VALUES)
def test_canonical_json_is_one_form_of_the_same_value(value: Any) -> None:
    written = canonical(value)
    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written
    assert "\n" not in written


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(TEXTS, VALUES, min_size=2, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


def test_canonical_json_is_written_down_exactly() -> None:
    value = {"b": [1, 1.0, -0.0, 1e16, 0.1, None, True], "a": 'ü中"\\\n\x01/', "ä": {}}
    assert canonical(value) == '{"a":"ü中\\"\\\\\\n\\u0001/","b":[1,1.0,-0.0,1e+16,0.1,null,true],"ä":{}}'


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "NaN"),
        ([math.inf], "infinity"),
        ({1: "x"}, "no string"),
        ([{"a": {None: 1}}], "no string"),
        ("\ud800", "surrogate"),
        (b"bytes", "no JSON"),
        (object(), "no JSON"),
        (LOOP, "no JSON"),
    ],
)
def test_what_has_no_such_form_is_refused_by_name_and_not_by_value(value: Any, said: str) -> None:
    with pytest.raises(DataError, match=rf"field 'output' of a 'predict' entry .*{said}"):
        seal(Entry("predict", {"output": value}))


@pytest.mark.parametrize("value", ["", "x" * 201, "a\0b", 7, ["a"]])
def test_what_entries_are_found_by_is_a_short_text(value: Any) -> None:
    with pytest.raises(DataError, match="'decision' of a 'predict' entry must be a text of 1 to 200"):
        seal(Entry("predict", {"decision": value}))


@pytest.mark.parametrize("kind", ["", "Predict", "a b", "a.", "a" * 101])
def test_a_kind_is_a_plain_word(kind: str) -> None:
    with pytest.raises(DataError, match=r"credit\.decide"):
        seal(Entry(kind))


def test_digests_and_links_are_those_that_the_guide_gives() -> None:
    # made by sha256sum from 16 (32) zero bytes and the canonical JSON
    digest = digest_of(bytes(16), "label", "1")
    assert digest == "041e92218eb58bda808f0e41fd11e53be21299aafc33c1358bdaa14a2fd4c352"
    link = link_of("0" * 64, 1, "2026-01-31T09:30:00.000000Z", "predict", [("label", digest)])
    assert link == "ce850b189c9eb53499b85c92d21cb0b6394a805d279d82929c99dc20453b1303"


def test_the_same_value_has_another_digest_in_every_entry() -> None:
    first, second = (seal(Entry("predict", {"label": 1})) for _ in range(2))
    assert first.digests != second.digests
