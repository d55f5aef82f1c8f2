"""Parquet files read piece by piece say what they say when they are read whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.frame import column
from plait.data.read import read
from plait.data.stream import Stream
from plait.errors import ConfigError, DataError

ROWS = 500


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of unequal row groups."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=ROWS),
            "kind": rng.choice(np.array(["a", "b", None], object), ROWS),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS), "h"),
            "count": np.arange(ROWS),
            "items": [[1.0] * (i % 3) for i in range(ROWS)],
        }
    )
    folder = tmp_path_factory.mktemp("rows")
    frame[:300].to_parquet(folder / "0.parquet", row_group_size=37)
    frame[300:].to_parquet(folder / "1.parquet", row_group_size=70)
    return folder


@given(size=st.integers(1, 600), seed=st.integers(0, 5), share=st.sampled_from([0.0, 0.02, 0.5, 1.0]))
@settings(max_examples=12, deadline=None)
def test_chunks_put_together_are_the_rows(place: Path, size: int, seed: int, share: float) -> None:
    kept = np.random.default_rng(seed).random(ROWS) < share
    stream, whole = Stream.open(place).take(kept), read(place)[kept].reset_index(drop=True)
    chunks = list(stream.chunks(size))
    assert len(stream) == kept.sum()
    assert (stream.index == np.flatnonzero(kept)).all()
    assert [len(chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    if chunks:
        pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole)
    pd.testing.assert_frame_equal(stream.frame(), whole)


@given(size=st.integers(1, 600), seed=st.integers(0, 5), share=st.sampled_from([0.1, 1.0]))
@settings(max_examples=6, deadline=None)
def test_a_shuffled_pass_has_every_row_once_under_its_position(place: Path, size: int, seed: int, share: float) -> None:
    kept = np.random.default_rng(seed).random(ROWS) < share
    stream, counts = Stream.open(place).take(kept), np.arange(ROWS)[kept]
    places, again = (
        [(at, frame["count"].to_numpy()) for at, frame in stream.shuffled(np.random.default_rng(seed), size)]
        for _ in range(2)
    )
    assert all((counts[at] == found).all() for at, found in places)
    assert sorted(np.concatenate([np.zeros(0, int), *(at for at, _ in places)])) == list(range(len(stream)))
    assert all((one[0] == other[0]).all() for one, other in zip(places, again, strict=True))


def test_a_shuffled_pass_reads_row_groups_in_another_order_each_time(place: Path) -> None:
    stream, rng = Stream.open(place), np.random.default_rng(0)
    first, second = (np.concatenate([at for at, _ in stream.shuffled(rng, 100)]) for _ in range(2))
    assert not (first == second).all()


@pytest.mark.parametrize("name", ["amount", "kind", "day", "count"])
def test_a_whole_column_has_the_cells_of_the_frame(place: Path, name: str) -> None:
    mine, whole = column(Stream.open(place)[name]), column(read(place)[name])
    assert (mine.present == whole.present).all()
    assert (mine.values[mine.present] == whole.values[whole.present]).all()


def test_samples_are_seeded_and_in_order(place: Path) -> None:
    stream = Stream.open(place)
    first, again, other = (stream.sample(50, seed)["count"].to_numpy() for seed in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()
    assert (np.diff(first) > 0).all()
    assert len(stream.sample(10_000)) == ROWS


def test_selected_columns_are_all_that_is_read(place: Path) -> None:
    stream = Stream.open(place).select(["count", "kind"])
    assert list(next(stream.chunks()).columns) == ["count", "kind"]
    assert stream.drop("kind").columns == ("count",)
    with pytest.raises(ConfigError, match="unknown column 'amuont'; did you mean 'amount'"):
        Stream.open(place).select(["amuont"])


def test_files_whose_numbers_are_whole_in_one_and_not_in_another_agree(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2], "b": [None, None]}).to_parquet(tmp_path / "0.parquet")
    pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]}).to_parquet(tmp_path / "1.parquet")
    found = Stream.open(tmp_path).frame()
    assert found["a"].tolist()[:3] == [1.0, 2.0, 1.5]
    assert found["b"].tolist() == [None, None, "x", "y"]


def _csv(folder: Path) -> None:
    (folder / "rows.csv").write_text("a,b\n1,2\n")


def _damaged(folder: Path) -> None:
    (folder / "rows.parquet").write_bytes(b"PAR1 and no more")


def _unlike(folder: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(folder / "0.parquet")
    pd.DataFrame({"b": [1]}).to_parquet(folder / "1.parquet")


def _other_kind(folder: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(folder / "0.parquet")
    pd.DataFrame({"a": ["x"]}).to_parquet(folder / "1.parquet")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_csv, "is csv, and only Parquet is read piece by piece; write it as Parquet first"),
        (_damaged, "cannot read .*rows.parquet"),
        (_unlike, "differ in column"),
        (_other_kind, "differ in types"),
    ],
)
def test_what_cannot_be_streamed_is_refused_in_a_line(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=said) as error:
        Stream.open(tmp_path)
    assert "\n" not in str(error.value)
