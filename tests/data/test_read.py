"""Files to frames and back; every bad file says what is wrong and where."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.data.delimited import MISSING
from plait.data.read import digest, read, write_frame
from plait.errors import DataError

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
KINDS = ("csv", "tsv", "jsonl", "parquet", "arrow")


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_types_of_delimited_text(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "a.csv",
        "code,count,rate,yes,day,big,mixed,none,signed,blank\n"
        "00123,1,1.5,true,2011-07-01,9007199254740993,1,NA,+1, \n"
        "45,2,-2e3,FALSE,2011-07-02,1,x,,-1,2\n"
        "6,3,inf,,2011-07-03,2,2,null,0,3\n",
    )
    frame = read(path)
    assert frame["code"].tolist() == ["00123", "45", "6"]
    assert frame["count"].tolist() == [1, 2, 3]
    assert frame["count"].dtype == np.int64
    assert frame["rate"].tolist() == [1.5, -2000.0, np.inf]
    assert frame["yes"].tolist() == [True, False, None]
    assert frame["day"].tolist() == ["2011-07-01", "2011-07-02", "2011-07-03"]
    assert frame["big"].tolist() == ["9007199254740993", "1", "2"]
    assert frame["mixed"].tolist() == ["1", "x", "2"]
    assert frame["none"].isna().all()
    assert frame["signed"].tolist() == [1, -1, 0]
    assert np.isnan(frame["blank"][0])


def test_text_may_hold_newlines_quotes_and_the_delimiter(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", 'a,b\r\n1,"two\nlines, ""quoted"""\r\n\r\n2,5" pipe\r\n3,6" pipe\r\n')
    assert read(path)["b"].tolist() == ['two\nlines, "quoted"', '5" pipe', '6" pipe']


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.csv", "|"), ("a.tsv", "\t")])
def test_delimiters(tmp_path: Path, name: str, delimiter: str) -> None:
    frame = read(put(tmp_path, name, delimiter.join("ab") + "\n" + delimiter.join("12")))
    assert frame.to_dict("list") == {"a": [1], "b": [2]}


def test_byte_order_mark_gzip_and_named_encoding(tmp_path: Path) -> None:
    assert read(put(tmp_path, "a.csv", b"\xef\xbb\xbfa\n1\n")).columns.tolist() == ["a"]
    assert read(put(tmp_path, "a.csv.gz", gzip.compress(b"a\n1\n")))["a"].tolist() == [1]
    assert read(put(tmp_path, "b.csv", "名,a\n好,1\n".encode("gb18030")), encoding="gb18030")["名"].tolist() == ["好"]


def test_a_header_alone_is_a_frame_without_rows_and_nameless_columns_get_names(tmp_path: Path) -> None:
    assert read(put(tmp_path, "a.csv", "a,b")).shape == (0, 2)
    assert read(put(tmp_path, "b.csv", ",b\n0,1\n")).columns.tolist() == ["unnamed_0", "b"]


def test_json_lines_keep_nested_cells(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jsonl", '{"a": 1, "l": [1, 2]}\n\n{"a": null, "l": {"k": [true]}, "s": "x"}\n')
    frame = read(path)
    assert frame["l"].tolist() == [[1, 2], {"k": [True]}]
    assert frame["s"].tolist() == [None, "x"]
    assert frame["a"].dtype == float


def test_a_folder_is_read_in_name_order(tmp_path: Path) -> None:
    put(tmp_path, "2.csv", "b,a\n3,02\n")
    put(tmp_path, "1.csv", "a,b\n1,1\n")
    put(tmp_path, "_SUCCESS", "")
    assert read(tmp_path).to_dict("list") == {"a": ["1", "02"], "b": [1, 3]}  # types are those of the whole


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "arrow"])
def test_folders_of_other_kinds(tmp_path: Path, kind: str) -> None:
    write_frame(pd.DataFrame({"a": [1]}), tmp_path / f"1.{kind}")
    write_frame(pd.DataFrame({"a": [2.5]}), tmp_path / f"2.{kind}")
    assert read(tmp_path)["a"].tolist() == [1.0, 2.5]


def test_a_named_index_in_parquet_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="who"))
    frame.to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").to_dict("list") == {"who": ["x"], "a": [1]}


BAD: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("a.csv", "", "is empty"),
    "blank": ("a.csv", " \n", "is empty"),
    "ragged": ("a.csv", 'a,b\n1,"x\ny"\n\n2\n', "line 5: expected 2 cells, found 1"),
    "too many": ("a.csv", "a,b\n1,2\n1,2,3\n", "line 3: expected 2 cells, found 3"),
    "open quote": ("a.csv", 'a,b\n1,2\n1,"2\n3,4\n', "line 3: .*quote"),
    "twice": ("a.csv", "a,b,a\n1,2,3\n", "duplicate column.* 'a'"),
    "encoding": ("a.csv", b"a,b\n1,\xff\n", "byte 6 .*encoding='cp1252'"),
    "extension": ("a.cvs", "a\n1\n", "did you mean '.csv'"),
    "not gzip": ("a.csv.gz", "a\n1\n", "cannot read"),
    "cut gzip": ("a.csv.gz", gzip.compress(b"a\n1\n" * 99)[:-9], "cannot read"),
    "gzipped parquet": ("a.parquet.gz", "x", "unknown kind"),
    "json": ("a.jsonl", '{"a": 1}\n{"a": \n', "line 2: not JSON"),
    "deep json": ("a.jsonl", "[" * 100_000, "line 1: not JSON"),
    "json list": ("a.jsonl", "[1]\n", "line 1: expected a JSON object"),
    "no columns": ("a.jsonl", "{}\n", "no columns"),
    "parquet": ("a.parquet", "junk", "cannot read"),
    "arrow": ("a.arrow", "ARROW1junk", "cannot read"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(tmp_path: Path, case: str) -> None:
    name, content, says = BAD[case]
    with pytest.raises(DataError, match=says) as caught:
        read(put(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_missing_files_and_bad_folders(tmp_path: Path) -> None:
    put(tmp_path, "loans.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"did you mean 'loans\.csv'"):
        read(tmp_path / "loan.csv")
    with pytest.raises(DataError, match="unknown encoding 'utf-88'"):
        read(tmp_path / "loans.csv", encoding="utf-88")
    put(tmp_path, "more.csv", "b\n1\n")
    with pytest.raises(DataError, match=r"differ in column\(s\) 'a', 'b'"):
        read(tmp_path)
    put(tmp_path, "more.jsonl", "{}")
    with pytest.raises(DataError, match="several kinds"):
        read(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no files"):
        read(tmp_path / "none")


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n",;'), max_size=12).filter(
    lambda word: word.strip() not in MISSING
)
cells = st.none() | words.map(lambda word: f"w{word}")


@quick
@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            st.lists(cells, min_size=n, max_size=n),
            st.lists(st.integers(-(2**53), 2**53), min_size=n, max_size=n),
            st.lists(st.none() | st.floats(allow_nan=False), min_size=n, max_size=n),
            st.lists(st.booleans(), min_size=n, max_size=n),
        )
    ),
    st.sampled_from(KINDS),
)
def test_what_is_written_is_read(tmp_path: Path, columns: tuple[list[Any], ...], kind: str) -> None:
    frame = pd.DataFrame(dict(zip(["text", "whole, 1", "real", "yes"], columns, strict=True)))
    frame["real"] = frame["real"].astype(float)
    path = tmp_path / f"frame.{kind}"
    write_frame(frame, path)
    back = read(path)
    assert list(back.columns) == list(frame.columns)
    for name in frame.columns:
        assert back[name].astype(object).where(back[name].notna(), None).tolist() == (
            frame[name].astype(object).where(frame[name].notna(), None).tolist()
        )


nested = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@quick
@given(st.lists(st.fixed_dictionaries({"a": nested, "b": nested}), min_size=1, max_size=5))
def test_json_lines_round_trip(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame({name: pd.Series([record[name] for record in records], dtype=object) for name in "ab"})
    write_frame(frame, tmp_path / "a.jsonl")
    back = read(tmp_path / "a.jsonl")
    rows = [
        {name: None if isinstance(cell, float) and cell != cell else cell for name, cell in row.items()}
        for row in back.to_dict("records")
    ]
    assert rows == records


def test_nested_cells_and_moments_in_text_files(tmp_path: Path) -> None:
    frame = pd.DataFrame({"l": [[1, 2], np.array([3.0]), None], "t": pd.to_datetime(["2011-07-01"] * 3)})
    write_frame(frame, tmp_path / "a.csv")
    assert read(tmp_path / "a.csv").to_dict("list") == {"l": ["[1, 2]", "[3.0]", None], "t": ["2011-07-01"] * 3}
    write_frame(frame, tmp_path / "a.jsonl")
    assert read(tmp_path / "a.jsonl")["l"].tolist() == [[1, 2], [3.0], None]


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    path = put(tmp_path, "a.parquet", "before")
    with pytest.raises(DataError, match="does not fit into parquet"):
        write_frame(pd.DataFrame({"a": [1, "x", [2]]}), path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]
    for name, says in (("a.xls", "unknown kind"), ("a.csv.gz", "leave out"), ("no/a.csv", "cannot write")):
        with pytest.raises(DataError, match=says):
            write_frame(pd.DataFrame({"a": [1]}), tmp_path / name)


def test_digest_is_of_content(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None], "l": [[1, 2], {"k": 1}]})
    assert digest(frame) == digest(frame.copy().set_index(pd.Index([5, 6])))
    for changed in (
        frame.rename(columns={"a": "c"}),
        frame[["b", "a", "l"]],
        frame.assign(a=[1.0, 2.0]),
        frame.assign(b=["x", "y"]),
        frame.assign(b=["", "x"]),
        frame.assign(l=[[1, 2], {"k": 2}]),
        frame.iloc[::-1],
    ):
        assert digest(changed) != digest(frame)
    one = put(tmp_path, "a.csv", "a\n1\n")
    assert digest(one) != digest(put(tmp_path, "b.csv", "a\n2\n"))
    assert len(digest(tmp_path)) == 64
