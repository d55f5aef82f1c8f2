"""The graph room: what it counts, by brute force on small graphs; what it must not see; labels of neighbours."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.contracts import Batch, Column, Features, FitContext, Ragged, Side, Source
from plait.data import samples
from plait.data.asof import side
from plait.data.schema import Schema
from plait.errors import ConfigError, SchemaError
from plait.modalities.graph import Graph

DAY = 86_400.0


def links(rows, time=True) -> Side:
    """Links from tuples of source, target, day, amount and kind."""
    names = ["who", "whom", "day", "amount", "kind"]
    frame = pd.DataFrame([(*map(str, row[:2]), *row[2:]) for row in rows], columns=names)
    frame["day"] = frame["day"].astype(float) * DAY
    return side("links", frame if time else frame.drop(columns="day"), "who", "day" if time else None)


def column(cells, table, days=None) -> Column:
    values = np.array([None if cell is None else str(cell) for cell in cells], object)
    present = np.array([cell is not None for cell in cells], bool)
    return Column("who", values, present, None if days is None else np.array(days, float) * DAY, table)


def context(n, **more) -> FitContext:
    return FitContext(np.zeros(n), "binary", 1, np.ones(n), **more)


def fitted(cells: Column, **options) -> Graph:
    options = {"target": "whom", **options}
    return Graph(Source("who", "graph", ("who",), {"who": options})).fit([(cells,)], context(len(cells)))


def told(cells: Column, **options) -> dict[str, np.ndarray]:
    room = fitted(cells, **options)
    features = room.features(room.transform((cells,)))
    return {n.removeprefix("who."): v.astype(float) for n, v in zip(features.names, features.values.T, strict=True)}


ENTITIES = 7
LINK = st.tuples(
    st.integers(0, ENTITIES - 1),
    st.integers(0, ENTITIES - 1),
    st.integers(0, 9),
    st.integers(1, 99).map(float),
    st.sampled_from("ab"),
)
LINKS = st.lists(LINK, min_size=1, max_size=40)


# what is counted


@settings(deadline=None, max_examples=40)
@given(rows=LINKS, now=st.integers(0, 9))
def test_counts_and_flows_are_those_of_brute_force(rows, now):
    everyone = column(range(ENTITIES), links(rows), [now] * ENTITIES)
    found = told(everyone, windows=[2])
    seen = [row for row in rows if row[2] <= now and row[0] != row[1]]
    for x in range(ENTITIES):
        out, into = [r for r in seen if r[0] == x], [r for r in seen if r[1] == x]
        to, by = {r[1] for r in out}, {r[0] for r in into}
        assert found["links_out"][x] == len(out)
        assert found["links_in"][x] == len(into)
        assert (found["neighbours_out"][x], found["neighbours_in"][x]) == (len(to), len(by))
        assert found["neighbours"][x] == len(to | by)
        assert found["both_ways"][x] == len(to & by)
        assert found["amount_out"][x] == pytest.approx(sum(r[3] for r in out), rel=1e-3, abs=0.01)
        assert found["amount_in_2d"][x] == pytest.approx(sum(r[3] for r in into if r[2] > now - 2), rel=1e-3, abs=0.01)
        assert found["links_out_2d"][x] == sum(r[2] > now - 2 for r in out)
        kinds = Counter(r[4] for r in out)
        for kind in "ab":
            if f"out[{kind}]" in found:
                assert found[f"out[{kind}]"][x] == kinds[kind]
        if out or into:
            assert found["days_since_last"][x] == now - max(r[2] for r in out + into)
            assert found["amount_largest"][x] == pytest.approx(max(r[3] for r in out + into), rel=1e-3)
        else:
            assert np.isnan(found["days_since_last"][x])


@settings(deadline=None, max_examples=40)
@given(rows=LINKS, now=st.integers(0, 9))
def test_structure_is_that_of_brute_force(rows, now):
    everyone = column(range(ENTITIES), links(rows), [now] * ENTITIES)
    found = told(everyone)
    out = {x: {r[1] for r in rows if r[0] == x != r[1] and r[2] <= now} for x in range(ENTITIES)}
    into = {x: {y for y in out if x in out[y]} for x in out}
    near = {x: out[x] | into[x] for x in out}
    for x in out:
        closed = sum(b in near[a] for a, b in combinations(near[x], 2))
        assert found["triangles"][x] == pytest.approx(closed, abs=1e-4)
        threes = sum(z in out[y] for y in out[x] for z in into[x])
        assert found["cycles_3"][x] == threes
        fours = sum(
            w not in (x, y, z) and y != z and w in out[y] and z in out[w] for y in out[x] for z in into[x] for w in out
        )
        assert found["cycles_4"][x] == fours
        degrees = sorted((len(near[y]) for y in near[x]), reverse=True)
        assert found["neighbour_degree_h"][x] == sum(d >= i for i, d in enumerate(degrees, 1))
        if near[x]:
            assert found["neighbour_degree_largest"][x] == pytest.approx(np.log1p(degrees[0]), rel=1e-5)


def test_links_of_no_direction_are_used_both_ways():
    rows = [("a", "b", 0, 5.0, "x"), ("c", "a", 1, 7.0, "x"), ("b", "c", 2, 1.0, "x"), ("c", "d", 3, 2.0, "x")]
    found = told(column("abcd", links(rows)), directed=False)
    assert found["links"].tolist() == found["neighbours"].tolist() == [2, 2, 3, 1]
    assert found["amount"].tolist() == pytest.approx([12, 6, 10, 2])
    assert found["triangles"].tolist() == [1, 1, 1, 0]
    assert "links_in" not in found
    assert "cycles_3" not in found


def test_page_rank_is_the_fixed_point():
    pairs = [(0, 1), (0, 2), (1, 2), (2, 0), (3, 2), (4, 3)]
    found = told(column(range(5), links([(*pair, 0, 1.0, "x") for pair in pairs], time=False)))
    matrix = np.zeros((5, 5))
    for a, b in pairs:
        matrix[b, a] = 1 / sum(p[0] == a for p in pairs)
    exact = np.linalg.solve(np.eye(5) - 0.85 * matrix, np.full(5, 0.15 / 5))
    np.testing.assert_allclose(found["page_rank"], np.log(exact * 5), atol=2e-3)


def test_money_that_is_passed_on_at_once_shows():
    rows = [("a", "mule", day, 100.0, "x") for day in range(0, 20, 4)]
    rows += [("mule", "b", day + 0.5, 97.0, "x") for day in range(0, 20, 4)] + [("b", "keeper", 1, 5.0, "x")]
    found = told(column(["mule", "keeper"], links(rows), [30, 30]))
    assert found["passed_on"].tolist() == [1, 0]
    assert found["days_to_pass_on"][0] == pytest.approx(0.5)
    assert found["balance"][0] == pytest.approx(3 / 197, rel=1e-3)


def test_attributes_of_neighbours_come_from_the_link():
    table = pd.DataFrame({"who": ["a", "a", "b"], "whom": ["b", "c", "c"]})
    age = {"a": 20.0, "b": 30.0, "c": 70.0}
    for end in ("who", "whom"):
        table[f"{end}.age"] = table[end].map(age)
    found = told(column("abcz", side("links", table, "who")), directed=False)
    np.testing.assert_allclose(found["neighbour_age"], [50, 45, 25, np.nan], rtol=1e-4)
    np.testing.assert_allclose(found["neighbour_age_spread"][:3], [20, 25, 5], rtol=1e-3)


def test_amounts_may_be_anything():
    odd = [np.inf, -np.inf, np.nan, 1e308, -5e-324, 0.0]
    rows = [("a", f"n{i}", i, amount, "x") for i, amount in enumerate([*odd, 12.5])]
    found = told(column("a", links(rows)))
    assert found["links_out"].tolist() == [7]
    assert np.isfinite(found["amount_out"]).all()


# time


@settings(deadline=None, max_examples=40)
@given(rows=LINKS, later=LINKS, now=st.integers(0, 8))
def test_later_links_change_nothing(rows, later, now):
    known = [("x", "y", 0, 1.0, "a"), *(row for row in rows if row[2] <= now)]
    later = [
        (a, f"{b}{'new' * (i % 2)}", day + now + 1, amount, kind) for i, (a, b, day, amount, kind) in enumerate(later)
    ]
    few, many = links(known), links(known + later)
    cells = column(range(ENTITIES), few, [now] * ENTITIES)
    room = fitted(cells)
    same(room, cells, replace(cells, side=many))
    again = fitted(replace(cells, side=many))
    assert again.state().values == room.state().values


def same(room: Graph, one: Column, other: Column) -> None:
    a, b = room.transform((one,)), room.transform((other,))
    for name, values in a.arrays.items():
        against = b.arrays[name]
        if isinstance(values, Ragged):
            assert isinstance(against, Ragged)
            np.testing.assert_array_equal(values.offsets, against.offsets)
            values, against = values.values, against.values
        np.testing.assert_array_equal(values, against)


def test_the_order_of_the_table_changes_nothing_but_ties():
    accounts, transfers = samples.transfers(300, seed=2)
    moments = accounts["reviewed_at"].astype("int64").to_numpy() / 1e9
    values = accounts["account"].to_numpy(object)
    shuffled = transfers.sample(frac=1.0, random_state=0)
    first, second = (side("links", table, "account", "time") for table in (transfers, shuffled))
    cells = Column("who", values, np.ones(len(values), bool), moments, first)
    room = fitted(cells, target="payee")
    a, b = (room.features(room.transform((c,))).values for c in (cells, replace(cells, side=second)))
    np.testing.assert_array_equal(a, b)


def test_hubs_are_bounded_and_the_latest_kept():
    rows = [("hub", f"n{i}", i, 1.0, "x") for i in range(50)]
    room = fitted(column(["hub"], links(rows)), max_neighbours=10)
    batch = room.transform((column(["hub"], links(rows)),))
    near = batch.arrays["near"]
    assert isinstance(near, Ragged)
    assert near.lengths.tolist() == [10]
    assert dict(zip(room.features(batch).names, room.features(batch).values[0], strict=True))["who.neighbours"] == 50


# keys


def test_keys_of_any_type_are_one_entity():
    table = side("links", pd.DataFrame({"who": [1, 1, 2], "whom": [2, 3, 3]}), "who")
    room = fitted(column([1, 2], table))
    texts, numbers = column(["1", "2"], table), Column("who", np.array([1.0, 2.0]), np.ones(2, bool), None, table)
    same(room, texts, numbers)


def test_unknown_entities_are_there_and_broken_keys_are_faults():
    table = links([("a", "b", 0, 1.0, "x")] * 2)
    cells = Column(
        "who", np.array(["zz", ["a"], None, float("inf")], object), np.array([1, 1, 0, 1], bool), None, table
    )
    room = fitted(column("ab", table))
    batch = room.transform((cells,))
    assert batch.present.tolist() == [True, False, False, False]
    assert [(fault.row, fault.reason) for fault in batch.faults] == [(1, "a list is no key"), (3, "inf is no key")]
    assert room.features(batch).values[0, 0] == 0


def test_which_columns_hold_links():
    accounts, transfers = samples.transfers(300, seed=0)
    cells = Column("account", accounts["account"].to_numpy(object), np.ones(300, bool))

    def sure(table, key, time=None):
        return Graph.accepts(replace(cells, side=side("t", table, key, time)))

    assert sure(transfers, "account", "time") == 1
    assert sure(transfers.drop(columns="payee"), "account", "time") == 0
    steps = pd.DataFrame({"account": np.repeat(np.arange(300), 12), "month": np.tile(np.arange(12), 300)})
    assert sure(steps, "account") == 0
    assert Graph.accepts(cells) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hops": 3}, "allowed: 1 or 2"),
        ({"max_neighbours": 0}, "a whole number from 1"),
        ({"windows": [0]}, "a list of days"),
        ({"directed": "no"}, "true or false"),
        ({"target": 3}, "the name of a column"),
        ({"encoder": "nonesuch"}, "the name of an encoder"),
        ({"windws": [3]}, "did you mean 'windows'"),
    ],
)
def test_bad_options_are_told(options, said):
    with pytest.raises(ConfigError, match=said):
        Graph(Source("who", "graph", ("who",), {"who": options}))


def test_missing_columns_are_told():
    table = links([("a", "b", 0, 1.0, "x"), ("b", "c", 0, 1.0, "x")])
    with pytest.raises(ConfigError, match="amont"):
        fitted(column("ab", table), amount="amont")
    lonely = Side("links", {"who": table.columns["who"], "day": table.columns["day"]}, "who", "day")
    with pytest.raises(SchemaError, match="name one as `target`"):
        Graph(Source("who", "graph", ("who",))).fit([(column("ab", lonely),)], context(2))
    with pytest.raises(SchemaError, match="'kind' holds no numbers"):
        fitted(column("ab", table), amount="kind")
    room = fitted(column("ab", table))
    without = replace(table, columns={k: v for k, v in table.columns.items() if k != "amount"})
    with pytest.raises(ConfigError, match="amount"):
        room.transform((column("ab", without),))


# labels


def labelled(cells: Column, targets, test: Column, folds, **more) -> tuple[Features, Features]:
    room = fitted(cells)
    made = replace(context(len(cells), **more), targets=np.array(targets, float), folds=np.array(folds))
    first = room.fit_features(room.transform((cells,)), made)
    return first, room.features(room.transform((test,)))


def of(features: Features, name: str) -> list[float]:
    return features.values[:, features.names.index(f"who.{name}")].tolist()


def test_labels_are_of_neighbours_in_other_folds():
    table = links([(a, b, 0, 1.0, "x") for a, b in ("ab", "ac", "ad", "de")], time=False)
    train, test = labelled(column("abc", table), [1, 1, 0], column("ade", table), [0, 0, 1])
    assert of(train, "labels_known") == pytest.approx([1 * 3 / 1, 0, 3 / 2])  # as many as all labels would make
    assert of(test, "labels_known") == [2, 1, 0]
    assert of(test, "label_near") == pytest.approx([2 * (0.5 - 2 / 3) / 7, (1 - 2 / 3) / 6, 0])
    assert of(test, "labels_known_far") == [0, 2, 1]  # d-a-b, d-a-c; e-d-a


def test_labels_are_not_told_before_they_are_known():
    table = links([("a", "b", 0, 1.0, "x"), ("c", "b", 0, 1.0, "x")])
    train = column("bz", table, [1, 1])
    test = column("acac", table, [2, 4, 6, 6])
    day = np.array([1.0, 1.0]) * DAY
    _, by_row = labelled(train, [1, 0], test, [0, 1], time=day)
    assert of(by_row, "labels_known") == [1, 1, 1, 1]
    _, known = labelled(train, [1, 0], test, [0, 1], time=day, label_time=np.array([5.0, 5.0]) * DAY)
    assert of(known, "labels_known") == [0, 0, 1, 1]
    _, never = labelled(train, [1, 0], test, [0, 1], time=day, label_time=np.array([np.nan, 5.0]) * DAY)
    assert of(never, "labels_known") == [0, 0, 0, 0]


def test_each_class_has_its_share():
    table = links([(a, b, 0, 1.0, "x") for a, b in ("ab", "ac", "ad")], time=False)
    cells = column("bcd", table)
    room = Graph(Source("who", "graph", ("who",), {"who": {"target": "whom"}}))
    made = FitContext(np.array([0.0, 1.0, 2.0]), "multiclass", 3, np.ones(3), folds=np.arange(3))
    room.fit([(cells,)], made).fit_features(room.transform((cells,)), made)
    found = room.features(room.transform((column("a", table),)))
    assert [name for name in found.names if "label_near" in name] == [f"who.label_near[{i}]" for i in range(3)]


def test_neighbours_of_the_banned_are_found_out_of_fold():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 40, 400)
    bad = rng.random(40) < 0.5
    members = [np.flatnonzero(group == g) for g in range(40)]
    rows = [(a, b, 0, 1.0, "x") for m in members for a, b in rng.choice(m, (3 * len(m), 2))]
    table = links(rows, time=False)
    y = np.where(rng.random(400) < 0.9, bad[group], ~bad[group])
    cells = column(range(400), table)
    train, _ = labelled(cells, y, cells, rng.permutation(400) % 5)
    scores = np.array(of(train, "label_near"))
    assert (scores[y][:, None] > scores[~y]).mean() > 0.8


# the whole


def test_rings_are_found_through_the_public_face():
    import plait

    accounts, transfers = samples.transfers(1500, seed=1)
    sides = {"transfers": side("transfers", transfers, "account", "time")}
    schema = Schema.infer(accounts, target="ring", time="reviewed_at", label_time="outcome_known", sides=sides)
    assert [spec.modality for spec in schema.columns if spec.side == "transfers"] == ["graph"]
    train, test = plait.split(accounts, time="reviewed_at")
    model = plait.Classifier(schema=schema, fusion="early", n_jobs=1)
    model.fit(train.drop(columns="ring"), train["ring"], sides=sides)
    scores = model.predict_proba(test, sides=sides)[:, 1]
    ring = test["ring"].to_numpy() == 1
    assert (scores[ring][:, None] > scores[~ring]).mean() > 0.8


def test_the_encoder_tells_links_apart():
    import torch

    accounts, transfers = samples.transfers(200, seed=1)
    table = side("links", transfers, "account", "time")
    cells = Column("who", accounts["account"].to_numpy(object), np.ones(200, bool), None, table)
    room = fitted(cells, target="payee")
    inputs: Batch = room.inputs(room.transform((cells,)))
    torch.manual_seed(0)
    encoder = room.encoder(16)
    tokens = encoder(encoder.collate(inputs))
    assert tokens.values_BTD.shape == (200, 9, 16)
    assert tokens.mask_BT.all()
    own = inputs.arrays["own"]
    assert isinstance(own, np.ndarray)
    lost = Batch(
        {**inputs.arrays, "links": Ragged(np.zeros((0, 8), np.float32), np.zeros(201, np.int64))}, inputs.present
    )
    lost = Batch({**lost.arrays, "kinds": Ragged(np.zeros(0, np.int64), np.zeros(201, np.int64))}, inputs.present)
    without = encoder(encoder.collate(lost))
    torch.testing.assert_close(without.values_BTD[:, 0], tokens.values_BTD[:, 0])
    assert not torch.allclose(without.values_BTD[:, 1:], tokens.values_BTD[:, 1:])
