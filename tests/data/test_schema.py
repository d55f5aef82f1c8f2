"""The schema: what is inferred, what people may write, and what every mistake says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.contracts import Side
from plait.data.schema import ROLES, SINGLE, ColumnSpec, Schema, SideSpec
from plait.errors import SchemaError

N = 60


def loans() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    words = ["please", "lend", "me", "some", "money", "for", "our", "shop", "because", "trade", "went", "well"]
    return pd.DataFrame(
        {
            "member_id": rng.permutation(N) + 1000,
            "code": [f"A{value:05x}" for value in rng.permutation(N)],
            "row": np.arange(N),
            "income": rng.normal(size=N),
            "purpose": rng.choice(["car", "house", None], N),
            "asked": pd.Timestamp("2011-07-01") + pd.to_timedelta(np.arange(N), unit="D"),
            "letter": [" ".join(rng.choice(words, 20)) for _ in range(N)],
            "balance": [rng.normal(size=12).tolist() for _ in range(N)],
            "country": "NL",
            "nothing": None,
            "sex": rng.choice(["f", "m"], N),
            "bad": rng.integers(0, 2, N),
        }
    )


def test_infer_finds_modalities_and_leaves_out_what_is_no_evidence() -> None:
    schema = Schema.infer(loans(), target="bad", time="asked", sensitive="sex")
    found = {spec.name: spec.modality or spec.role for spec in schema.columns}
    assert found == {
        "member_id": "id",
        "code": "id",
        "row": "id",
        "income": "table",
        "purpose": "table",
        "asked": "time",
        "letter": "text",
        "balance": "series",
        "country": "ignored",
        "nothing": "ignored",
        "sex": "sensitive",
        "bad": "target",
    }
    why = {spec.name: spec.why for spec in schema.columns if spec.why}
    assert set(why) == {"member_id", "code", "row", "country", "nothing"}
    assert why["country"] == "the same value in every row"
    assert [(source.name, source.columns) for source in schema.sources] == [
        ("table", ("income", "purpose")),
        ("letter", ("letter",)),
        ("balance", ("balance",)),
    ]
    assert (schema.target, schema.time, schema.group) == ("bad", "asked", None)
    assert schema.names("id") == ("member_id", "code", "row")


def test_one_row_and_no_rows_can_be_inferred() -> None:
    assert Schema.infer(loans().head(1)).names("source")
    assert Schema.infer(loans().head(0)).names("source") == ()


def test_words_that_end_in_id_are_no_identifiers() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {name: rng.permutation(N) for name in ("paid", "bid", "customerId", "ID", "loan_id_2", "uuid")}
    )
    schema = Schema.infer(frame)
    assert schema.names("source") == ("paid", "bid")


def test_numeric_columns_are_one_source_without_a_look() -> None:
    (source,) = Schema.numeric(["x0", "x1"]).sources
    assert source.columns == ("x0", "x1")
    assert (
        Schema.numeric(["x0"]).columns[0].modality == Schema.infer(pd.DataFrame({"a": [1.5, 2.5]})).columns[0].modality
    )


def test_a_long_table_is_a_source_of_its_own() -> None:
    side = Side("paid", {"who": np.array([1.0]), "at": np.array([0.0]), "amount": np.array([5.0])}, "who", "at")
    frame = pd.DataFrame({"who": [1, 2], "income": [1.5, 2.5]})
    schema = Schema.infer(frame, sides={"paid": side})
    assert schema.sides == (SideSpec("paid", "who", "at", ("amount",)),)
    assert [source.name for source in schema.sources] == ["table", "paid"]
    assert schema.names("id") == ("who",)
    with pytest.raises(SchemaError, match="the name of a column"):
        Schema.infer(frame, sides={"income": side})
    with pytest.raises(SchemaError, match="lacks 'who'"):
        Schema.infer(frame[["income"]], sides={"paid": side})
    bare = Side("paid", {"who": np.array([1.0])}, "who")
    with pytest.raises(SchemaError, match="no modality reads the long table 'paid'"):
        Schema.infer(frame, sides={"paid": bare})


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ({"target": "bda"}, "target 'bda' is no column: .*did you mean 'bad'"),
        ({"target": "bad", "ignore": ["bad"]}, "'bad' is named as target and as ignored"),
        ({"time": "asked", "label_time": "asked"}, "a column has one role"),
    ],
)
def test_infer_refuses_wrong_roles(roles: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        Schema.infer(loans(), **roles)


def test_sources_of_one_joint_modality_keep_apart_from_a_column_of_its_name() -> None:
    schema = Schema((ColumnSpec("table", "source", "text"), ColumnSpec("a", "source", "table")))
    assert [source.name for source in schema.sources] == ["table", "table_"]


def test_options_and_share_reach_the_sources() -> None:
    schema = Schema(
        (
            ColumnSpec("a", "source", "table", {"clean": "robust"}),
            ColumnSpec("b", "source", "table"),
            ColumnSpec("c", "source", "text", share="letters"),
            ColumnSpec("d", "source", "text", share="letters"),
        )
    )
    joint, *letters = schema.sources
    assert joint.options == {"a": {"clean": "robust"}}
    assert {letter.share for letter in letters} == {"letters"}


names = st.text(min_size=1, max_size=30).filter(lambda name: name.isprintable()) | st.sampled_from(
    ["yes", "null", "12", "2011-07-01", "a: b", "#", "- x", "{}", "名", "~", "? a", "'", '"', "=", "<<", "columns"]
)
values = st.recursive(
    st.booleans() | st.integers(-99, 99) | st.sampled_from([1.5, "none", "2011-07-01", "x y"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
sources = st.tuples(
    st.just("source"), st.sampled_from(["table", "text", "series"]), st.dictionaries(names, values, max_size=2)
)
others = st.tuples(st.sampled_from(sorted(set(ROLES) - {"source", *SINGLE})), st.none(), st.just({}))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, sources | others, max_size=5), st.dictionaries(names, names, max_size=2))
def test_what_is_written_is_read(tmp_path: Path, columns: dict[str, Any], sides: dict[str, str]) -> None:
    schema = Schema(
        tuple(ColumnSpec(name, *said, why="said so") for name, said in columns.items()),
        tuple(SideSpec(name, key, None, (key,), "a/b.csv") for name, key in sides.items()),
    )
    path = tmp_path / "schema.yaml"
    schema.write(path)
    assert Schema.read(path) == schema
    assert len(path.read_text(encoding="utf-8").splitlines()) == 6 + len(columns) + (1 + len(sides) if sides else 0)
    assert Schema.from_json(schema.to_json()) == schema


def test_a_schema_that_people_can_edit(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    Schema.infer(loans(), target="bad").write(path)
    text = path.read_text()
    assert "  income: table\n" in text
    assert "  country: ignored  # the same value in every row\n" in text
    path.write_text(text.replace("letter: text", "letter: {modality: text, options: {max_tokens: 128}, share: mail}"))
    assert Schema.read(path).sources[1].options == {"letter": {"max_tokens": 128}}


MISTAKES = {
    "columns: {a: tabel}": "column 'a': unknown modality or role 'tabel'; did you mean 'table'.*roles: target, time",
    "columns: {a: {modality: tabel}}": "column 'a': unknown modality 'tabel'; did you mean 'table'",
    "columns: {a: {role: taget}}": "column 'a': unknown role 'taget'; did you mean 'target'",
    "columns: {a: source}": "column 'a': unknown modality or role 'source'",
    "columns: {a: {role: source}}": "column 'a': unknown modality 'None'",
    "columns: {a: {modality: text, option: {}}}": "column 'a': unknown key 'option'; did you mean 'options'",
    "columns: {a: {modality: text, options: 3}}": "column 'a', options: expected 'name: value' pairs, found 3",
    "columns: {a: {modality: text, share: 3}}": "column 'a': share must be text, not 3",
    "columns: {a: {role: time, modality: text}}": "column 'a': role 'time' takes no modality",
    "columns: {a: 3}": "column 'a': expected 'name: value' pairs, found 3",
    "columns: {a: group, b: group}": "'a', 'b' all have role 'group'",
    "columns:\n  a: text\n  a: time": "line 3: 'a' stands twice",
    "columns: {a: {modality: text, side: s}}": "column 'a': unknown side 's'",
    "columns: {a: {modality: text, share: s}, b: {modality: series, share: s}}": "column 'b'.*only sources of one",
    "columns: []": "columns: expected",
    "column: {}": "unknown key 'column'; did you mean 'columns'",
    "version: 9\ncolumns: {}": "version 9; this Plait reads version 1",
    "columns: {}\nsides: {s: {}}": "side 's': 'key' is missing",
    "columns: {}\nsides: {s: {key: k, columns: k}}": "side 's': columns must be a list",
    "columns: {a: [}": "line 1: not YAML",
    "columns: " + "[" * 5000: "cannot read the schema",
    "columns: {[a]: text}": "line 1: a name must be plain text",
    "": "expected 'name: value' pairs, found None",
    "columns: !!python/object/apply:os.system [x]": "not YAML",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_every_mistake_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=MISTAKES[text]) as caught:
        Schema.read(path)
    assert "\n" not in str(caught.value)


def test_mistakes_in_code_are_named() -> None:
    with pytest.raises(SchemaError, match="column 'a' stands twice, as target and as source"):
        Schema((ColumnSpec("a", "target"), ColumnSpec("a", "source", "table")))
    with pytest.raises(SchemaError, match="reads its columns together"):
        _ = Schema(tuple(ColumnSpec(name, "source", "table", share="s") for name in "ab")).sources


def test_a_schema_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="cannot read the schema"):
        Schema.read(tmp_path / "none.yaml")
