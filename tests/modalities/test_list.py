"""The list room: the forms of its cells, what it may see, what it says of the items, and whose items they can be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import registry
from plait.contracts import MAX_FEATURES, Column, Features, FitContext, Nested, Side, Source, Sparse
from plait.data.asof import side
from plait.errors import ConfigError, SchemaError
from plait.modalities.list import List
from plait.modalities.list.cells import UnreadableError, decode
from plait.modalities.list.pooled import kinds, pool, pool_wide
from plait.network import lengths

DAY = 86_400.0
POSTS = [
    ["the shop does well in these days", "we need no loan at all, thank you"],
    ["rent is late again and again", None, "prices went up once more"],
    ["a customer left us for good today"],
]


def column(cells, row_time=None, side=None, folder=None):
    values = np.empty(len(cells), object)
    values[:] = cells
    return Column("posts", values, np.array([cell is not None for cell in cells], bool), row_time, side, folder)


def context(n, **named):
    return FitContext(np.zeros(n), "binary", 1, np.ones(n), **named)


def fitted(cells, **options) -> List:
    cells = cells if isinstance(cells, Column) else column(cells)
    room = List(Source("posts", "list", ("posts",), {"posts": options}))
    return room.fit([(cells,)], context(len(cells)))


def sentences(batch, row):
    """The texts that a row of a batch holds."""
    nested = batch.arrays["items"].take(np.array([row]))
    return [bytes(nested.items.arrays["text"].row(i)).decode().rstrip("\n") for i in range(len(nested.items))]


def named(features: Features, row=0):
    return dict(zip(features.names, features.values[row].tolist(), strict=True))


# cells


def test_a_list_in_every_form():
    forms = [["a", "b"], ("a", "b"), np.array(["a", "b"], object), '["a", "b"]', [{"item": "a"}, {"item": "b"}]]
    for form in forms:
        found = decode(form)
        assert found.values == ["a", "b"]
        assert found.time is None


def test_timed_items_in_every_form():
    days = ["2024-03-02", "2024-03-01"]
    forms = [
        [{"time": day, "post": text} for day, text in zip(days, "ba", strict=True)],
        [{"time": day, "item": text, "likes": 3} for day, text in zip(days, "ba", strict=True)],
        [(day, text) for day, text in zip(days, "ba", strict=True)],
        [[np.datetime64(day), text] for day, text in zip(days, "ba", strict=True)],
        [[date.fromisoformat(day), text] for day, text in zip(days, "ba", strict=True)],
        json.dumps([[day, text] for day, text in zip(days, "ba", strict=True)]),
    ]
    for form in forms:
        found = decode(form)
        assert found.values == ["a", "b"]
        assert found.dated
        np.testing.assert_array_equal(found.time, [19783.0, 19784.0])
    numbers = decode([(5, "b"), (2.5, "a")])
    assert (numbers.values, numbers.dated) == (["a", "b"], False)
    np.testing.assert_array_equal(numbers.time, [2.5, 5.0])


def test_an_item_may_be_a_mapping():
    picture = {"bytes": b"GIF", "path": None}
    assert decode([picture]).values == [picture]
    assert decode([{"time": 1, **picture}]).values == [picture]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("text", "a text is not a list"),
        ("[1, 2", "not JSON"),
        (7.0, "a float is no list"),
        ({"a": 1}, "a dict is no list"),
        ([(1, "a"), "b"], "only some of the items have a time"),
        ([{"time": "someday", "post": "a"}], "'someday' is not a time"),
    ],
)
def test_what_is_no_list_says_so(cell, reason):
    with pytest.raises(UnreadableError, match=reason):
        decode(cell)


LEAVES = st.none() | st.booleans() | st.floats() | st.text()
CELLS = st.recursive(LEAVES, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=12)


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_any_cell_is_read_or_refused(cell):
    try:
        found = decode(cell)
    except UnreadableError:
        return
    assert found.time is None or (np.diff(found.time) >= 0).all()
    assert all(item is not None for item in found.values)


# what is read


def test_empty_lists_are_missing_and_broken_items_are_left_out():
    room = fitted(POSTS)
    batch = room.transform((column([[], None, [None], [7.5], ["fine words stand here", 7.5], 3]),))
    np.testing.assert_array_equal(batch.present, [False, False, False, False, True, False])
    assert [(fault.row, fault.column) for fault in batch.faults] == [(3, "posts"), (4, "posts"), (5, "posts")]
    assert batch.faults[0].reason.startswith("an item: ")
    assert batch.faults[2].reason == "a int is no list"


def test_files_in_lists_stay_in_the_folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    rows = column([["../secret.png", "http://a.example/b.png"]], folder=str(tmp_path / "data"))
    room = fitted(rows)
    batch = room.transform((rows,))
    assert not batch.present.any()
    assert [fault.reason for fault in batch.faults] == ["an item: a path that leaves the data folder"]


def test_the_most_recent_items_are_kept():
    cells = [[f"word number {i} of the list" for i in range(9)], ["one small thing stands here"]]
    batch = fitted(cells, max_items=3).transform((column(cells),))
    assert sentences(batch, 0) == [
        "word number 6 of the list",
        "word number 7 of the list",
        "word number 8 of the list",
    ]
    assert sentences(batch, 1) == ["one small thing stands here"]


def test_nothing_after_the_rows_time_is_seen():
    posts = [("2024-03-01", "old news are good news"), ("2024-03-05", "new news are bad news")]
    now = np.array([np.datetime64(f"2024-03-0{day}").astype("datetime64[s]").astype(float) for day in (2, 5, 1)])
    rows = column([posts] * 4, np.append(now, np.nan))
    batch = fitted(rows).transform((rows,))
    assert [len(sentences(batch, row)) for row in range(4)] == [1, 2, 1, 2]
    features = fitted(rows).features(batch)
    assert named(features, 0)["recency"] == 1.0
    assert named(features, 1)["recency"] == 0.0
    assert named(features, 1)["span"] == 4.0
    assert np.isnan(named(features, 3)["recency"])


def test_a_side_table_is_seen_as_of_the_rows_time():
    table = {
        "stock": ["x", "x", "x", "y"],
        "when": ["2024-03-03", "2024-03-01", "2024-03-02", "2024-03-09"],
        "post": ["third thing said of it", "first thing said of it", "second thing said of it", "of another stock"],
    }
    posts = side("posts", table, "stock", "when")
    now = np.array(
        [np.datetime64(day).astype("datetime64[s]").astype(float) for day in ["2024-03-02"] * 2 + ["2024-03-09"]]
    )
    keys = np.array(["x", "y", "x"], object)
    rows = Column("posts", keys, np.ones(3, bool), now, posts)
    assert List.accepts(rows) > 0.4
    room = fitted(rows, max_items=2)
    batch = room.transform((rows,))
    assert sentences(batch, 0) == ["first thing said of it", "second thing said of it"]
    assert sentences(batch, 2) == ["second thing said of it", "third thing said of it"]
    np.testing.assert_array_equal(batch.present, [True, False, True])
    np.testing.assert_array_equal(room.features(batch).values[[0, 2], 2], [0.0, 6.0])


def test_a_side_table_of_several_columns_is_refused():
    wide = Side(
        "posts", {"k": np.array(["x"], object), "a": np.array(["p"], object), "b": np.array(["q"], object)}, "k"
    )
    with pytest.raises(SchemaError, match="which has 'a', 'b'"):
        fitted(column(["x"], side=wide))


# options and rooms


def test_the_items_room_is_found_or_named():
    assert fitted(POSTS).state().values["of"] == fitted([None]).state().values["of"]
    walks = [[[1.0, 2.0, 3.0], [2.0, 1.0]], [[4.0, 5.0]]]
    found = fitted(walks, max_items=5)
    assert found.items_room.name == fitted(walks, of=found.items_room.name).items_room.name
    assert found.items_room.name != fitted(POSTS).items_room.name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"of": "txet"}, "modality of the items of column 'posts' 'txet'"),
        ({"of": "list"}, "'list'"),
        ({"of": "table"}, "'table'"),
        ({"max_items": 0}, "max_items is 0"),
        ({"max_items": True}, "max_items is True"),
        ({"of": "text", "colour": 1}, "option"),
        ({"colour": 1}, "option"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        fitted(POSTS, **options)


def test_other_options_go_to_the_items_room():
    room = fitted(POSTS, of="text", max_tokens=3)
    inputs = room.inputs(room.transform((column(POSTS),)))
    assert inputs.arrays["items"].items.arrays["ids"].lengths.max() == 3


def test_lists_are_told_from_events_series_and_texts():
    def surest(cells):
        asked = column(cells)
        sure = {name: registry.get("modalities", name).accepts(asked) for name in registry.names("modalities")}
        return max(sure, key=lambda name: sure[name]) if max(sure.values()) > 0 else None

    texts = [post for posts in POSTS for post in posts if post]
    timed = [[{"time": f"2024-03-0{i + 1}", "post": text} for i, text in enumerate(texts)]] * 5
    assert surest([texts] * 5) == "list"
    assert surest(timed) == "list"
    assert surest(texts) == "text"
    assert surest([[1.0, 2.0], [3.0]]) == "series"
    assert (
        surest([[{"time": 1.0, "kind": "rent", "amount": 5.0}, {"time": 2.0, "kind": "pay", "amount": 7.0}]] * 5)
        != "list"
    )
    assert surest([["a.png", "b.png"], ["c.png"]] * 5) == "list"


@pytest.mark.parametrize("of", [name for name in registry.names("modalities") if name != "list"])
def test_items_of_every_room_go_through_both_doors(of):
    room_class = registry.get("modalities", of)
    if room_class.joint:
        pytest.skip("a room of several columns")
    (example,) = room_class.example(np.random.default_rng(1), 60)
    if example.side is not None:
        pytest.skip("its cells are keys of a side table")
    cells = [
        [example.values[i] if example.present[i] else None for i in range(start, start + 3)]
        for start in range(0, 60, 3)
    ]
    rows = column([*cells, None], folder=example.folder)
    room = fitted(rows, of=of)
    batch = room.transform((rows,))
    assert batch.present.sum() > 15
    features = room.fit_features(batch, context(21))
    assert len(features.names) <= MAX_FEATURES
    assert not features.present[20].any()
    inputs = room.inputs(batch)
    encoder = room.encoder(16).eval()
    with torch.no_grad():
        tokens = encoder(encoder.collate(inputs))
    assert tokens.values_BTD.shape == (21, 3, 16)
    np.testing.assert_array_equal(tokens.mask_BT.any(dim=1).numpy(), batch.present)
    assert (lengths({"posts": inputs}) > 0).any()


# features


def features_of(values, categorical=None):
    values = np.asarray(values, np.float32)
    plain = np.zeros(values.shape[1], bool)
    names = tuple(f"f{i}" for i in range(values.shape[1]))
    return Features(values, names, ~np.isnan(values), plain if categorical is None else np.array(categorical), plain)


def test_pooling_says_mean_last_and_largest():
    items = features_of([[1, np.nan], [5, 2], [3, np.nan], [np.nan, np.nan]])
    found = pool(items, np.array([0, 3, 3, 4]), kinds(2, 10), 10)
    assert named(found, 0) == {
        "mean of f0": 3,
        "last f0": 3,
        "largest f0": 5,
        "mean of f1": 2,
        "last f1": 2,
        "largest f1": 2,
    }
    assert np.isnan(found.values[1:]).all()


def test_codes_are_pooled_by_the_last_and_columns_are_bounded():
    items = features_of([[1, 7], [2, 8]], [True, False])
    assert pool(items, np.array([0, 2]), kinds(2, 10), 10).names == ("last f0", "mean of f1", "last f1", "largest f1")
    assert kinds(300, 255) == ("mean of",)
    assert kinds(120, 255) == ("mean of", "last")
    many = pool(features_of(np.ones((2, 300))), np.array([0, 2]), kinds(300, 255), 255)
    assert len(many.names) == 255


def test_wide_rows_are_the_mean_of_the_items_as_long_as_an_item():
    wide = Sparse(np.array([0, 2, 3, 3]), np.array([0, 4, 4], np.int32), np.array([3, 4, 4], np.float32), 5)
    found = pool_wide(wide, np.array([0, 2, 2, 3])).dot(np.eye(5))
    mean = np.array([1.5, 0, 0, 0, 4])
    np.testing.assert_allclose(found, [mean / np.linalg.norm(mean) * (5 + 4) / 2, [0] * 5, [0] * 5], rtol=1e-6)


def test_labels_are_learned_from_the_items_of_other_rows():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(float)
    words = [
        ["sales are good and fine today", "we are happy with it"],
        ["rent is late and cash is short", "we are sad of it"],
    ]
    cells = [[words[int(label)][i] for i in rng.integers(0, 2, 3)] for label in labels]
    room = fitted(cells)
    batch = room.transform((column(cells),))
    learned = replace(context(200), targets=labels, folds=np.arange(200) % 5)
    features = room.fit_features(batch, learned)
    score = features.values[:, features.names.index("mean of score")]
    assert (score[labels > 0].min()) > score[labels == 0].max()


# tokens


def test_many_items_become_32_tokens():
    cells = [[f"thing number {i} of many things" for i in range(n)] for n in (100, 70, 1)] + [None]
    room = fitted(cells, max_items=80)
    encoder = room.encoder(16).eval()
    with torch.no_grad():
        tokens = encoder(encoder.collate(room.inputs(room.transform((column(cells),)))))
    assert tokens.mask_BT.shape[1] <= 32
    assert tokens.mask_BT.sum(dim=1).tolist() == [27, 24, 1, 0]


def test_age_tells_items_apart():
    texts = ["a thing is said here", "a thing is said here"]
    cells = [[("2024-03-01", texts[0]), ("2024-03-02", texts[1])], [("2023-03-01", texts[0]), ("2024-03-02", texts[1])]]
    room = fitted(cells)
    torch.manual_seed(0)
    encoder = room.encoder(16).eval()
    with torch.no_grad():
        values = encoder(encoder.collate(room.inputs(room.transform((column(cells),))))).values_BTD
    torch.testing.assert_close(values[0, 0], values[1, 0])
    assert (values[0, 1] - values[1, 1]).abs().max() > 1e-3


def test_nested_rows_are_taken_and_joined():
    room = fitted(POSTS)
    batch = room.transform((column(POSTS),))
    nested = batch.arrays["items"]
    assert isinstance(nested, Nested)
    twice = Nested.concatenate([nested, nested])
    np.testing.assert_array_equal(twice.lengths, [2, 2, 1, 2, 2, 1])
    assert sentences(batch.take(np.array([2, 0])), 1) == POSTS[0]
