"""What a long fit leaves in a folder: whole, held to one fit, taken from there again, and no reason to stop."""

from __future__ import annotations

import builtins
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait import artifact, registry
from plait.checkpoints import Checkpoints
from plait.contracts import FitContext, Progress, Source, State
from plait.data.fingerprint import fingerprint
from plait.data.stream import Stream
from plait.errors import ArtifactError, ConfigError, DataError

ROWS = 90
JOB = {"settings": {"seed": 0, "options": {"lightgbm": {"leaves": 31}}}, "versions": {"torch": "2.6"}}


def state(number: int) -> State:
    return State(1, {"number": number}, {"array": np.arange(number, dtype=np.float32)}, {"text": "x" * number})


def number_in(keep: Checkpoints) -> int | None:
    found = keep.read()
    return None if found is None else found.values["number"]


def opened(folder: Path, *, every: float = 0.0) -> tuple[Checkpoints, list[str]]:
    """Checkpoints of a process of its own, and what they tell."""
    told: list[str] = []
    return Checkpoints(folder, every=every, tell=told.append), told


class TestPlaces:
    @settings(deadline=None, max_examples=6)
    @given(names=st.lists(st.text(max_size=60), min_size=1, max_size=4, unique=True))
    def test_any_name_is_a_place_of_its_own_below_the_folder(
        self, names: list[str], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        keep, _ = opened(tmp_path_factory.mktemp("kept"))
        for number, name in enumerate(names):
            keep.within(name).write(state(number))
        for number, name in enumerate(names):
            place = keep.within(name)
            assert place.folder.parent == keep.folder
            assert number_in(place) == number
        assert keep.read() is None

    def test_the_last_two_states_are_there(self, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path)
        for number in range(5):
            keep.write(state(number))
        assert sorted(os.listdir(tmp_path)) == ["state-000004", "state-000005"]
        assert fingerprint(opened(tmp_path)[0].read()) == fingerprint(state(4))

    def test_time_to_write_goes_by_the_clock_of_all_places(self, tmp_path: Path, monkeypatch: Any) -> None:
        now = 0.0
        monkeypatch.setattr("plait.checkpoints.monotonic", lambda: now)
        keep, _ = opened(tmp_path, every=30)
        inner = keep.within("a").within("b")
        assert not inner.due
        now = 31.0
        assert inner.due
        keep.write(state(1))
        assert not inner.due

    def test_a_time_below_zero_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="checkpoints every -1 seconds: give 0 or more"):
            Checkpoints(tmp_path, every=-1)

    def test_what_is_over_is_gone(self, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path / "kept")
        keep.within("a").write(state(1))
        keep.remove()
        assert os.listdir(tmp_path) == []
        keep.remove()

    def test_only_the_first_of_many_processes_writes(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv("RANK", "1")
        keep, _ = opened(tmp_path / "kept")
        keep.claim(JOB)
        keep.write(state(1))
        assert not (tmp_path / "kept").exists()


class TestDamage:
    @pytest.mark.parametrize("damage", ["cut", "flipped", "missing", "foreign"])
    def test_of_a_damaged_state_the_one_before_is_taken_and_that_is_told(self, damage: str, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path)
        keep.write(state(3))
        keep.write(state(4))
        arrays = tmp_path / "state-000002" / "arrays.safetensors"
        held = arrays.read_bytes()
        if damage == "cut":
            arrays.write_bytes(held[:-1])
        elif damage == "flipped":
            arrays.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
        elif damage == "missing":
            arrays.unlink()
        else:
            (arrays.parent / "more").write_text("")
        keep, told = opened(tmp_path)
        assert number_in(keep) == 3
        assert len(told) == 1
        assert "the one before" in told[0]
        keep.write(state(5))  # it stands beside the whole one, not beside the damaged one
        assert sorted(os.listdir(tmp_path)) == ["state-000001", "state-000003"]

    def test_where_nothing_can_be_read_it_starts_again_and_that_is_told(self, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path)
        place = keep.within("early")
        place.write(state(1))
        (place.folder / "state-000001" / "manifest.json").unlink()
        keep, told = opened(tmp_path)
        assert keep.within("early").read() is None
        assert told[-1] == "no checkpoint of early can be read; it starts again"

    def test_what_a_cut_off_write_left_is_no_state_and_goes_with_the_next(self, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path)
        keep.write(state(1))
        (tmp_path / ".state-000002.abcd").mkdir()
        (tmp_path / ".state-000002.abcd" / "state.json").write_text("{")
        keep, told = opened(tmp_path)
        assert keep.read() is not None
        keep.write(state(2))
        assert not told
        assert sorted(os.listdir(tmp_path)) == ["state-000001", "state-000002"]


class _Full:
    """A disk that takes so many bytes and no more."""

    def __init__(self) -> None:
        self.room = 1 << 60

    def open(self, path: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        file = _open(path, mode, *more, **named)
        return _Bounded(file, self) if "x" in mode else file


_open = builtins.open


class _Bounded:
    """A file on it."""

    def __init__(self, file: Any, disk: _Full) -> None:
        self.file, self.disk = file, disk

    def __enter__(self) -> _Bounded:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: Any) -> int:
        if len(data) > self.disk.room:
            self.file.write(data[: self.disk.room])
            self.disk.room = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.disk.room -= len(data)
        written: int = self.file.write(data)
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the disk be full after so many bytes."""
    full = _Full()
    monkeypatch.setattr(artifact, "open", full.open, raising=False)

    def after(room: int) -> None:
        full.room = room

    return after


class TestFullDisk:
    def test_wherever_the_disk_is_full_the_states_before_stay_whole(
        self, tmp_path: Path, disk: Callable[[int], None]
    ) -> None:
        keep, told = opened(tmp_path)
        keep.write(state(1))
        size = sum(file.stat().st_size for file in (tmp_path / "state-000001").rglob("*") if file.is_file())
        for room in range(0, size, 211):
            disk(room)
            keep.write(state(2))
            assert os.listdir(tmp_path) == ["state-000001"], room
        assert len(told) == 1
        assert told[0].startswith("checkpoints cannot be written, and the fit goes on without new ones: ")
        assert "No space left on device" in told[0]
        disk(1 << 60)
        keep.write(state(2))
        assert number_in(keep) == 2

    def test_a_fit_goes_on_and_its_model_is_the_same(
        self, tmp_path: Path, disk: Callable[[int], None], loans: Any
    ) -> None:
        keep, told = opened(tmp_path / "kept")
        disk(20_000)
        model = early().fit(*loans, keep=keep)
        assert len(told) == 1
        np.testing.assert_array_equal(model.predict_proba(loans[0]), early().fit(*loans).predict_proba(loans[0]))
        with pytest.raises(ArtifactError, match="cannot be written: No space left on device"):
            model.save(tmp_path / "model.plait")
        assert os.listdir(tmp_path) == ["kept"]

    def test_without_a_job_nothing_is_kept(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        keep, told = opened(tmp_path / "file" / "kept")
        keep.claim(JOB)
        keep.claim({"more": 1})
        keep.write(state(1))
        assert len(told) == 1
        assert "file" in told[0]

    def test_by_default_it_is_a_warning(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.warns(RuntimeWarning, match="checkpoints cannot be written"):
            Checkpoints(tmp_path / "file").write(state(1))


class TestJobs:
    def test_the_same_job_goes_on(self, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path)
        keep.claim(JOB)
        keep.claim({"more": [1, 2]})
        keep.within("a").write(state(1))
        again, _ = opened(tmp_path)
        again.claim({"more": (1, 2)})
        again.claim(JOB)
        assert again.begun

    def test_of_a_team_nobody_waits_for_what_the_leader_writes(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv("RANK", "1")
        keep, _ = opened(tmp_path / "kept")
        keep.claim(JOB)
        keep.claim({"more": 1})
        with pytest.raises(ConfigError, match="more was 1, is 2"):
            keep.claim({"more": 2})
        assert not (tmp_path / "kept").exists()

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"settings": {"seed": 1, "options": {"lightgbm": {"leaves": 31}}}}, r"settings.seed was 0, is 1;"),
            ({"settings": {"seed": 0, "options": None}}, r"settings.options.lightgbm.leaves was 31, is null;"),
            ({"versions": {"torch": "2.7"}}, r'versions.torch was "2.6", is "2.7";'),
        ],
    )
    def test_of_another_job_it_is_said_what_differs(self, changed: Any, said: str, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path)
        keep.claim(JOB)
        keep.within("a").write(state(1))
        with pytest.raises(ConfigError, match=rf"keeps another fit: {said} fit as it was begun, or remove"):
            opened(tmp_path)[0].claim({**JOB, **changed})

    def test_where_nothing_was_done_any_job_may_begin(self, tmp_path: Path) -> None:
        opened(tmp_path)[0].claim(JOB)
        keep, _ = opened(tmp_path)
        assert not keep.begun
        keep.claim({**JOB, "settings": None})
        assert json.loads((tmp_path / "job.json").read_text())["settings"] is None

    def test_a_damaged_job_is_said(self, tmp_path: Path) -> None:
        keep, _ = opened(tmp_path)
        keep.claim(JOB)
        keep.within("a").write(state(1))
        (tmp_path / "job.json").write_text("{")
        with pytest.raises(DataError, match=r"job\.json cannot be read; remove"):
            opened(tmp_path)[0].claim(JOB)


@pytest.fixture(scope="module")
def loans() -> tuple[Any, Any]:
    frame = plait.samples.loans(n=ROWS, seed=0)[["income", "purpose", "letter", "default"]]
    return frame.drop(columns="default"), frame["default"]


def early(**more: Any) -> plait.Classifier:
    return plait.Classifier(**{"fusion": "early", "learner": "linear", "n_jobs": 1, "random_state": 0, **more})


class TestFits:
    def test_a_finished_fit_is_taken_from_there(self, tmp_path: Path, loans: Any) -> None:
        whole = early().fit(*loans, keep=opened(tmp_path)[0])
        seen: list[Progress] = []
        keep, told = opened(tmp_path)
        again = early().fit(*loans, keep=keep, progress=seen.append)
        assert keep.used == ["rooms / table", "rooms / letter", "early"]
        assert "done before: linear" in [now.stage for now in seen]
        assert not told
        assert alike(whole, again, loans[0])

    @pytest.mark.parametrize("changed", ["target", "weight", "seed", "schema"])
    def test_another_fit_is_refused(self, changed: str, tmp_path: Path, loans: Any) -> None:
        X, y = loans
        early().fit(X, y, keep=opened(tmp_path)[0])
        weight: Any = np.ones(ROWS)
        more: dict[str, Any] = {}
        if changed == "target":
            y = y.where(np.arange(ROWS) > 0, 1 - y)
        elif changed == "weight":
            weight = 1.0 + np.arange(ROWS) % 2
        elif changed == "seed":
            more = {"random_state": 1}
        else:
            X = X.rename(columns={"income": "earned"})
        with pytest.raises(ConfigError, match=r"keeps another fit: .*(targets|weights|seed|schema)"):
            early(**more).fit(X, y, weight, keep=opened(tmp_path)[0])

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"targets": {"amount": "regression", "term": "ordinal"}}, "head.asked differs"),
            ({"weights": "uncertainty"}, 'head.weights was "equal", is "uncertainty"'),
        ],
    )
    def test_other_targets_are_another_fit(self, changed: dict[str, Any], said: str, tmp_path: Path) -> None:
        rows = plait.samples.loans(n=ROWS, seed=0)[["income", "amount", "term"]]
        asked = {"targets": {"amount": "regression", "term": "multiclass"}, "weights": "equal", "n_jobs": 1}
        small = {"fusion": "parallel", "options": {"parallel": {"width": 4, "epochs": 1}}}
        plait.MultiTask(**asked, **small).fit(rows, keep=opened(tmp_path)[0])
        with pytest.raises(ConfigError, match=f"keeps another fit: {said}"):
            plait.MultiTask(**{**asked, **changed}, **small).fit(rows, keep=opened(tmp_path)[0])

    def test_rows_in_memory_are_not_those_of_a_stream(self, tmp_path: Path, loans: Any) -> None:
        X, y = loans
        X.assign(default=y).drop(columns="letter").to_parquet(tmp_path / "loans.parquet")
        small = {"fusion": "parallel", "options": {"parallel": {"width": 4, "epochs": 1}}}
        keep = tmp_path / "kept"
        early(learner=None, **small).fit(Stream.open(tmp_path / "loans.parquet"), "default", keep=opened(keep)[0])
        with pytest.raises(ConfigError, match=r"keeps another fit: .*streamed was true, is false"):
            early(learner=None, **small).fit(X.drop(columns="letter"), y, keep=opened(keep)[0])

    def test_other_cells_are_refused(self, tmp_path: Path, loans: Any) -> None:
        X, y = loans
        early().fit(X, y, keep=opened(tmp_path)[0])
        other = X.assign(income=X["income"] + (np.arange(ROWS) == 7))
        with pytest.raises(DataError, match="the cells of source 'table' are not those that this fit was begun with"):
            early().fit(other, y, keep=opened(tmp_path)[0])


def alike(one: plait.Classifier, other: plait.Classifier, X: Any) -> bool:
    """Bitwise the same predictions, state, plan and training record."""
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    for name, room in one.model_.rooms.items():
        assert fingerprint(room.state()) == fingerprint(other.model_.rooms[name].state()), name
    assert one.plan_ == other.plan_
    assert one.record_["training"] == other.record_["training"]
    return fingerprint(one.model_.fitted.state()) == fingerprint(other.model_.fitted.state())


class CutOffError(Exception):
    """The end of a process, as far as a test can have it without one."""


class Fragile(Checkpoints):
    """Cut off at a write: before it, or right after."""

    left: list[int]

    def write(self, given: State) -> None:
        self.left[0] -= 1
        if self.left[0] == 0:
            raise CutOffError
        super().write(given)


FUSIONS: dict[str, dict[str, Any]] = {
    "auto": {"fusion": "auto", "learner": None, "options": {"lightgbm": {"trees": 6, "leaves": 4}}},
    "late": {"fusion": "late", "options": {"late": {"learners": ["linear"]}}},
    "hybrid": {"fusion": "hybrid", "learner": None, "options": {"hybrid": {"together": "linear"}}},
    "average": {"fusion": "average", "learner": None, "options": {"average": {"parts": ["linear", "letter/linear"]}}},
    "forest": {"fusion": "early", "learner": "forest", "options": {"forest": {"trees": 6}}},
    "svm": {"fusion": "early", "learner": "svm"},
    "mlp": {"fusion": "early", "learner": "mlp", "options": {"mlp": {"epochs": 2}}},
    "parallel": {
        "fusion": "parallel",
        "learner": None,
        "options": {"parallel": {"width": 8, "epochs": 2, "refit": True}},
    },
    "stacked network": {
        "plan": {
            "fusion": "auto",
            "learner": None,
            "options": {"attention": {"width": 8, "epochs": 2}},
            "parts": [
                {"name": "early/linear", "fusion": "early", "learner": "linear"},
                {"name": "attention", "fusion": "attention"},
            ],
        }
    },
}


def cut_everywhere(tmp_path: Path, loans: Any, options: dict[str, Any], steps: int = 1) -> int:
    """Cut a fit off at every write in turn, each time going on from what is there; the writes."""
    whole = early(**options).fit(*loans).calibrate(method="platt")
    writes = 0
    for at in range(1, 200):
        keep = Fragile(tmp_path / "kept", every=1e9)
        keep.left = [steps]
        try:
            model = early(**options).fit(*loans, keep=keep).calibrate(method="platt")
        except CutOffError:
            writes = at
            steps = 2  # one more each time: two cuts in a row, and so on
            continue
        assert alike(whole, model, loans[0])
        return writes
    raise AssertionError("it never came to its end")


def test_a_fit_that_is_cut_off_at_every_write_ends_as_it_would_have(tmp_path: Path, loans: Any) -> None:
    assert cut_everywhere(tmp_path, loans, {}) > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", FUSIONS)
def test_every_fusion_and_learner_goes_on_from_any_write(name: str, tmp_path: Path, loans: Any) -> None:
    assert cut_everywhere(tmp_path, loans, FUSIONS[name]) > 2


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names("modalities"))
def test_rooms_that_come_back_learn_features_as_those_that_were_fitted(name: str) -> None:
    """What a room gives is the same whether it was fitted here or comes from a checkpoint."""
    columns = registry.get("modalities", name).example(np.random.default_rng(0), 60)
    source = Source("made", name, tuple(column.name for column in columns))
    targets = (np.arange(60) % 2).astype(float)
    context = FitContext(targets, "binary", 1, np.ones(60), folds=np.arange(60) % 3)
    room = registry.room(source)(source).fit([columns], context)
    back = type(room).from_state(source, room.state())
    assert fingerprint(room.transform(columns)) == fingerprint(back.transform(columns))
    one, other = (each.fit_features(each.transform(columns), context) for each in (room, back))
    np.testing.assert_array_equal(one.values, other.values)
    assert one.names == other.names
    assert fingerprint(room.state()) == fingerprint(back.state())
    inputs, again = (each.inputs(each.transform(columns)) for each in (room, back))
    assert fingerprint(inputs) == fingerprint(again)
