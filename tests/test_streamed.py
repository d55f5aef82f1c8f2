"""What is learned from a stream: the same as from rows in memory, honestly, and a few chunks at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait import registry, streamed
from plait.checkpoints import Checkpoints
from plait.contracts import Array, FitContext, Progress
from plait.data.read import read
from plait.data.schema import Schema
from plait.data.stream import Stream
from plait.errors import ConfigError, DataError
from plait.estimators.streams import predict_stream
from plait.streamed import Streamed

ROWS = 900
BOOSTER = {"lightgbm": {"trees": 12, "leaves": 6, "members": 2}}
WORDS = np.array(["paid", "late", "well", "sick", "rich", "money", "house", "again"], object)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Loans of a table and a letter in many small row groups, some cells missing and some unreadable."""
    rng = np.random.default_rng(0)
    amount = rng.normal(size=ROWS)
    risk = amount + rng.normal(size=ROWS)
    amount[rng.random(ROWS) < 0.05] = np.nan
    amount[::100] = np.inf
    letters = np.array([" ".join(rng.choice(WORDS, 8)) for _ in range(ROWS)], object)
    letters[rng.random(ROWS) < 0.3] = None
    frame = pd.DataFrame(
        {
            "amount": amount,
            "shop": np.array([f"shop {i}" for i in rng.integers(0, 120, ROWS)], object),
            "letter": letters,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS), "D"),
            "default": np.where(risk > 0.5, "yes", "no"),
        }
    )
    folder = tmp_path_factory.mktemp("loans")
    frame[:500].to_parquet(folder / "0.parquet", row_group_size=61)
    frame[500:].to_parquet(folder / "1.parquet", row_group_size=40)
    return folder


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "HEAVY", 128)
    monkeypatch.setattr(streamed, "CHUNK", 128)


def classifier(fusion: str = "early", **options: Any) -> plait.Classifier:
    given = {"early": BOOSTER, "attention": {"attention": {"width": 8, "layers": 1, "epochs": 2, **options}}}
    return plait.Classifier(fusion=fusion, options=given.get(fusion), time="day", n_jobs=1, random_state=0)


def evidence(place: Path, labels: Callable[[Array], Array] = lambda codes: codes) -> Streamed:
    stream = Stream.open(place)
    schema = Schema.infer(stream.frame(), target="default", time="day")
    rooms = {source.name: registry.room(source)(source) for source in schema.sources}
    head = registry.get("heads", "binary")().fit(stream["default"].to_numpy(), np.ones(ROWS))
    codes = labels(head.encode(stream["default"].to_numpy()))
    context = FitContext(codes, "binary", 1, np.ones(ROWS), time=86_400.0 * np.arange(ROWS, dtype=np.float64))
    return Streamed.read(stream, schema, rooms, head, context, None, lambda stage: None)


def test_a_booster_from_chunks_is_that_of_rows_in_memory(place: Path, small_chunks: None) -> None:
    stream, frame = Stream.open(place), read(place)
    chunked = classifier().fit(stream, "default")
    whole = classifier().fit(frame.drop(columns="default"), frame["default"])
    assert chunked.schema_ == whole.schema_
    assert np.abs(chunked.predict_proba(frame) - whole.predict_proba(frame)).max() < 1e-12
    assert (chunked.predict_proba(stream) == chunked.predict_proba(frame)).all()
    assert chunked.record_["faults"] == whole.record_["faults"] != []


def test_regression_streams_too(place: Path, small_chunks: None) -> None:
    stream, frame = Stream.open(place).drop(["default", "letter"]), read(place).drop(columns=["default", "letter"])
    target = np.arange(ROWS) % 50 + frame["day"].dt.month.to_numpy()
    asked: dict[str, Any] = {"fusion": "early", "options": BOOSTER, "n_jobs": 1}
    chunked = plait.Regressor(**asked).fit(stream, target)
    whole = plait.Regressor(**asked).fit(frame, target)
    assert np.abs(chunked.predict(stream) - whole.predict(frame)).max() < 1e-9


def test_encodings_never_see_labels_beyond_the_sample(
    place: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed, "SAMPLE", 300)
    told = evidence(place)
    beyond = np.setdiff1d(np.arange(ROWS), told.chosen)
    assert len(told.chosen) == 300
    assert len(told.everyone) == ROWS

    def other(codes: Array) -> Array:
        changed = codes.copy()
        changed[beyond] = 1 - changed[beyond]
        return changed

    def features(source: Streamed) -> Array:
        rows = np.arange(ROWS)
        return np.concatenate([joined.features.values for _, joined in source.features(rows)])

    first, second = features(told), features(evidence(place, other))
    assert np.array_equal(first, second, equal_nan=True)
    assert np.array_equal(first[told.chosen], told.joined.features.values, equal_nan=True)
    assert not np.array_equal(first, features(evidence(place, lambda codes: 1 - codes)), equal_nan=True)


@pytest.mark.parametrize("fusion", ["early", "attention"])
def test_few_rows_are_in_memory_at_a_time(
    place: Path, small_chunks: None, monkeypatch: pytest.MonkeyPatch, fusion: str
) -> None:
    monkeypatch.setattr(streamed, "SAMPLE", 100)
    monkeypatch.setattr(streamed, "JUDGED", 50)
    live: list[weakref.ref[pd.DataFrame]] = []
    most, make = 0, Stream._frame

    def counting(self: Stream, table: Any) -> pd.DataFrame:
        nonlocal most
        frame = make(self, table)
        live.append(weakref.ref(frame))
        if len(self.columns) > 1:  # roles are read whole, a column each
            most = max(most, sum(len(held) for ref in live if (held := ref()) is not None))
        return frame

    model = classifier(fusion)
    model.set_params(schema=Schema.infer(read(place), target="default", time="day"))
    stream = Stream.open(place)
    monkeypatch.setattr(Stream, "_frame", counting)
    model.fit(stream, "default")
    assert 0 < most <= 4 * 128


def test_a_network_learns_from_a_stream_the_same_each_time(place: Path, small_chunks: None) -> None:
    stream, frame = Stream.open(place), read(place)
    first, again = (classifier("attention").fit(stream, "default") for _ in range(2))
    assert (first.predict_proba(frame) == again.predict_proba(frame)).all()
    whole = classifier("attention").fit(frame.drop(columns="default"), frame["default"])
    assert np.corrcoef(first.predict_proba(frame)[:, 1], whole.predict_proba(frame)[:, 1])[0, 1] > 0.5


def test_figures_of_a_stream_are_those_of_its_rows(place: Path, small_chunks: None) -> None:
    stream, frame = Stream.open(place), read(place)
    model = classifier().fit(stream, "default")
    mine, whole = model.evaluate(stream, "default"), model.evaluate(frame, frame["default"])
    assert mine.to_json() == whole.to_json()


def test_predictions_are_written_chunk_by_chunk(place: Path, small_chunks: None, tmp_path: Path) -> None:
    stream = Stream.open(place)
    model = classifier().fit(stream, "default")
    model.save(tmp_path / "model.plait")
    rows: list[int] = []
    loaded = plait.load(tmp_path / "model.plait")
    faults = predict_stream(loaded, stream, tmp_path / "out.parquet", progress=lambda told: rows.append(told.done))
    assert rows[-1] == ROWS
    assert len(rows) > 5
    assert faults == model.record_["faults"]
    found = read(tmp_path / "out.parquet")
    assert (found["probability_yes"].to_numpy() == model.predict_proba(stream)[:, 1]).all()
    with pytest.raises(DataError, match=r"name a \.parquet file"):
        predict_stream(loaded, stream, tmp_path / "out.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.plait", "out.parquet"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"fusion": "late"}, "fusion 'late' needs all rows in memory"),
        ({"fusion": "auto"}, "fusion early with lightgbm, or attention"),
        ({"fusion": "early", "learner": "forest"}, "with learner 'forest'"),
        ({"fusion": "attention", "options": {"attention": {"epsilon": 1.0}}}, "without privacy"),
    ],
)
def test_what_needs_all_rows_in_memory_is_refused_before_reading(
    place: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], said: str
) -> None:
    stream, schema = Stream.open(place), Schema.infer(read(place), target="default", time="day")
    model = plait.Classifier(schema=schema, **asked)
    monkeypatch.setattr(Stream, "chunks", None)
    with pytest.raises(ConfigError, match=said):
        model.fit(stream, "default")


def test_what_looks_at_rows_asks_for_some_of_them(place: Path) -> None:
    stream = Stream.open(place)
    model = classifier().fit(stream.drop("letter"), "default")
    with pytest.raises(DataError, match=r"give stream\.sample"):
        model.explain(stream)
    with pytest.raises(DataError, match="1 row"):
        model.fit(stream.take(np.arange(1)), "default")


@pytest.mark.slow
@pytest.mark.parametrize(("fusion", "stage"), [("attention", "train"), ("early", "lightgbm")])
def test_a_fit_on_a_stream_that_was_cut_off_goes_on(place: Path, tmp_path: Path, fusion: str, stage: str) -> None:
    stream = Stream.open(place)
    whole = classifier(fusion).fit(stream, "default").predict_proba(stream)

    def cut(told: Progress) -> None:
        if told.stage.startswith(stage) and told.done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classifier(fusion).fit(stream, "default", progress=cut, keep=Checkpoints(tmp_path / "kept", every=0.0))
    kept = Checkpoints(tmp_path / "kept", every=0.0)
    assert (classifier(fusion).fit(stream, "default", keep=kept).predict_proba(stream) == whole).all()
    assert kept.used
