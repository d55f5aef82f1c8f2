"""What every room must do. The suite walks the registry: a new room is judged without a test being written for it.

A room tells how to be tested through `example`. One whose quantities come from sketches may state a class attribute
``tolerance``: how far features may move when the training rows come in chunks (absolute and relative; default 0).
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plait import registry
from plait.contracts import (
    MAX_FEATURES,
    Batch,
    Column,
    Features,
    FitContext,
    Modality,
    Nested,
    Ragged,
    Source,
    Sparse,
    State,
)

ROWS, OTHERS = 600, 120
HEAVY = ("torch", "scipy", "sklearn", "pandas", "lightgbm", "matplotlib", "pyarrow")
GARBAGE: dict[str, Any] = {
    "objects": lambda i: object(),
    "never seen": lambda i: f"zyzzyva {i}",
    "numbers as text": lambda i: str(i * 1.5),
    "control characters": lambda i: "\x00\ud800\u202e" * (i % 3),
    "bytes": lambda i: b"\xff\xfe\x00",
    "nested": lambda i: [{"a": [1, None, "b"]}, (), [[]]][i % 3],
    "truth": lambda i: bool(i % 2),
    "large integers": lambda i: (-1) ** i * 10 ** (400 * (i % 2)),
    "complex": lambda i: complex(i, 1),
    "dates": lambda i: np.datetime64("2024-01-01") + i,
    "not a number": lambda i: [np.nan, np.inf, -np.inf, 1e308, np.float64("nan")][i % 5],
    "none": lambda i: None,
    "mixed": lambda i: [1, "two", None, 3.0, [4], {"five": 6}, True, np.int64(7)][i % 8],
}
ARRAYS = {
    "float64": lambda n: np.resize([0.0, -1.5, np.nan, np.inf, -np.inf, 1e308], n),
    "bool": lambda n: np.resize([True, False], n),
    "datetime64": lambda n: np.resize(np.array(["2024-01-01", "NaT"], "datetime64[ns]"), n),
    "timedelta64": lambda n: np.resize(np.array([5, "NaT"], "timedelta64[ns]"), n),
}


@dataclass(frozen=True)
class Case:
    """A fitted room with what it was fitted on, and other rows."""

    name: str
    source: Source
    columns: tuple[Column, ...]
    others: tuple[Column, ...]
    context: FitContext
    room: Modality

    def fit(self, chunks: list[tuple[Column, ...]], context: FitContext | None = None) -> Modality:
        room: Modality = registry.get("modalities", self.name)(self.source)
        return room.fit(chunks, context or self.context)


@pytest.fixture(scope="module", params=registry.names("modalities"))
def case(request: pytest.FixtureRequest) -> Case:
    room_class = registry.get("modalities", request.param)
    rng = np.random.default_rng(11)
    columns, others = room_class.example(rng, ROWS), room_class.example(rng, OTHERS)
    source = Source("evidence", request.param, tuple(column.name for column in columns))
    context = binary(ROWS)
    return Case(request.param, source, columns, others, context, room_class(source).fit([columns], context))


def binary(n: int, seed: int = 0) -> FitContext:
    """Labels that have nothing to do with the rows."""
    rng = np.random.default_rng([5, seed])
    labels = rng.integers(0, 2, n).astype(np.float64)
    return FitContext(labels, "binary", 1, np.ones(n), folds=rng.permutation(n) % 5, seed=3)


def take(columns: tuple[Column, ...], rows: Any) -> tuple[Column, ...]:
    return tuple(column.take(rows) for column in columns)


def replaced(columns: tuple[Column, ...], values: Any, present: Any = None) -> tuple[Column, ...]:
    seen = np.ones(len(values), bool) if present is None else present
    times = [None if c.row_time is None else c.row_time[: len(values)] for c in columns]
    return tuple(Column(c.name, values, seen, time) for c, time in zip(columns, times, strict=True))


def filled(make: Any, n: int) -> Any:
    values = np.empty(n, object)
    for i in range(n):
        values[i] = make(i)
    return values


def lawful(features: Features, rows: int) -> None:
    """What the contract says of any features."""
    values, shape = features.values, (rows, len(features.names))
    assert values.dtype == np.float32
    assert values.shape == features.present.shape == shape
    assert features.present.dtype == features.categorical.dtype == bool
    assert features.categorical.shape == (shape[1],)
    assert len(set(features.names)) == len(features.names) <= MAX_FEATURES
    np.testing.assert_array_equal(np.isnan(values), ~features.present)
    assert not np.isinf(values).any()
    codes = values[:, features.categorical]
    codes = codes[~np.isnan(codes)]
    assert (codes >= 0).all()
    assert (codes == np.round(codes)).all()
    if features.wide is not None:
        lawful_wide(features.wide, rows)


def lawful_wide(wide: Sparse, rows: int) -> None:
    assert len(wide) == rows
    assert (wide.indptr.dtype, wide.indices.dtype, wide.data.dtype) == (np.int64, np.int32, np.float32)
    assert wide.indptr[0] == 0
    assert (np.diff(wide.indptr) >= 0).all()
    assert wide.indptr[-1] == len(wide.indices) == len(wide.data)
    assert np.isfinite(wide.data).all()
    assert ((wide.indices >= 0) & (wide.indices < wide.width)).all()


def same_features(a: Features, b: Features, tolerance: float = 0.0) -> None:
    assert a.names == b.names
    np.testing.assert_array_equal(a.categorical, b.categorical)
    np.testing.assert_array_equal(a.present, b.present)
    close(a.values, b.values, tolerance)
    assert (a.wide is None) == (b.wide is None)
    if a.wide is not None and b.wide is not None:
        assert a.wide.width == b.wide.width
        np.testing.assert_array_equal(a.wide.indptr, b.wide.indptr)
        np.testing.assert_array_equal(a.wide.indices, b.wide.indices)
        close(a.wide.data, b.wide.data, tolerance)


def same_batch(a: Batch, b: Batch, tolerance: float = 0.0) -> None:
    np.testing.assert_array_equal(a.present, b.present)
    assert a.arrays.keys() == b.arrays.keys()
    for key, x in a.arrays.items():
        y = b.arrays[key]
        if isinstance(x, Nested) and isinstance(y, Nested):
            np.testing.assert_array_equal(x.lengths, y.lengths)
            same_batch(x.take(np.arange(len(x))).items, y.take(np.arange(len(y))).items, tolerance)
            continue
        if isinstance(x, Ragged) and isinstance(y, Ragged):
            np.testing.assert_array_equal(x.lengths, y.lengths)
            x, y = x.take(np.arange(len(x))).values, y.take(np.arange(len(y))).values
        close(x, y, tolerance)


def close(x: Any, y: Any, tolerance: float) -> None:
    assert x.dtype == y.dtype
    if tolerance and x.dtype.kind == "f":
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(x, y)


def same_state(a: State, b: State) -> None:
    assert (a.version, dict(a.values), dict(a.texts)) == (b.version, dict(b.values), dict(b.texts))
    assert a.arrays.keys() == b.arrays.keys()
    assert a.parts.keys() == b.parts.keys()
    for key, array in a.arrays.items():
        assert array.dtype == b.arrays[key].dtype
        assert array.tobytes() == b.arrays[key].tobytes()
    for key, part in a.parts.items():
        same_state(part, b.parts[key])


def write_state(state: State, folder: Path) -> None:
    """JSON and one npz a part: nothing that needs pickle gets through."""
    folder.mkdir()
    document = {"version": state.version, "values": dict(state.values), "texts": dict(state.texts)}
    document["parts"] = list(state.parts)
    (folder / "state.json").write_text(json.dumps(document, allow_nan=False))
    assert not any(array.dtype.hasobject for array in state.arrays.values())
    np.savez(folder / "arrays.npz", **state.arrays)
    for name, part in state.parts.items():
        write_state(part, folder / name)


def read_state(folder: Path) -> State:
    document = json.loads((folder / "state.json").read_text())
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        loaded = dict(arrays)
    parts: Mapping[str, State] = {name: read_state(folder / name) for name in document["parts"]}
    return State(document["version"], document["values"], loaded, document["texts"], parts)


def apply_only(name: str, folder: str) -> None:
    """Load a room and use it; runs in a process of its own, which then looks at what got imported."""
    room_class = registry.get("modalities", name)
    columns = room_class.example(np.random.default_rng(1), 5)
    room = room_class.from_state(Source("evidence", name, tuple(c.name for c in columns)), read_state(Path(folder)))
    batch = room.transform(columns)
    room.features(batch)
    room.inputs(batch)
    print(*(module for module in HEAVY if module in sys.modules))


# the room by itself


def test_says_who_it_is(case: Case) -> None:
    assert case.room.name == case.name
    assert isinstance(case.room.joint, bool)
    assert case.room.version >= 1
    assert case.room.source == case.source
    assert case.room.joint or len(case.columns) == 1


def test_claims_its_own_columns(case: Case) -> None:
    for column in case.columns:
        sure = {name: registry.get("modalities", name).accepts(column) for name in registry.names("modalities")}
        assert all(0 <= score <= 1 for score in sure.values())
        assert max(sure, key=lambda name: sure[name]) == case.name, (column.name, sure)


def test_accepts_never_raises(case: Case) -> None:
    for n in (0, 1, 20):
        for make in GARBAGE.values():
            assert 0 <= case.room.accepts(Column("x", filled(make, n), np.ones(n, bool))) <= 1
        for make in ARRAYS.values():
            assert 0 <= case.room.accepts(Column("x", make(n), np.ones(n, bool))) <= 1


def test_example_has_missing_cells(case: Case) -> None:
    assert not all(column.present.all() for column in case.columns)
    assert all(len(column) == ROWS for column in case.columns)


# fitting


def test_fit_is_deterministic(case: Case) -> None:
    same_state(case.fit([case.columns]).state(), case.fit([case.columns]).state())


def test_fit_looks_at_no_label(case: Case) -> None:
    other = replace(case.context, targets=1 - case.context.targets)
    same_state(case.fit([case.columns]).state(), case.fit([case.columns], other).state())


def test_only_training_rows_teach(case: Case) -> None:
    room = case.fit([case.columns])
    room.fit_features(room.transform(case.columns), case.context)
    before = copy.deepcopy(room.state())
    batch = room.transform(case.others)
    room.features(batch)
    room.inputs(batch)
    same_state(before, room.state())


def test_inputs_of_fit_are_left_alone(case: Case) -> None:
    before = copy.deepcopy(case.columns)
    room = case.fit([case.columns])
    batch = room.transform(case.columns)
    arrays = copy.deepcopy(batch)
    room.fit_features(batch, case.context)
    room.features(batch)
    room.inputs(batch)
    same_batch(arrays, batch)
    for old, new in zip(before, case.columns, strict=True):
        np.testing.assert_array_equal(old.present, new.present)
        if old.values.dtype.kind != "O":
            np.testing.assert_array_equal(old.values, new.values)


def test_chunks_make_no_difference(case: Case) -> None:
    cuts = [slice(0, 250), slice(250, 250), slice(250, 251), slice(251, ROWS)]
    chunked = case.fit([take(case.columns, cut) for cut in cuts])
    tolerance = float(getattr(type(chunked), "tolerance", 0.0))
    whole, parts = case.room.transform(case.others), chunked.transform(case.others)
    same_batch(whole, parts, tolerance)
    same_features(case.room.features(whole), chunked.features(parts), tolerance)
    same_batch(case.room.inputs(whole), chunked.inputs(parts), tolerance)


def test_copies_of_a_room_learn_about_other_targets(case: Case) -> None:
    batch, others = case.room.transform(case.columns), case.room.transform(case.others)
    four = replace(case.context, targets=np.arange(ROWS) % 4.0, task="multiclass", outputs=4)
    plain = copy.copy(case.room).fit_features(batch, case.context)
    other = copy.copy(case.room)
    told, later = other.fit_features(batch, four), other.features(others)
    assert told.names == later.names
    assert told.values.shape == (ROWS, len(told.names))
    again = type(other).from_state(case.source, other.state())
    np.testing.assert_array_equal(again.features(others).values, later.values)
    np.testing.assert_array_equal(other.fit_features(batch, case.context).values, plain.values)
    np.testing.assert_array_equal(copy.copy(case.room).fit_features(batch, case.context).values, plain.values)


def test_features_need_no_tokens(case: Case) -> None:
    room = case.fit([case.columns], replace(case.context, doors=frozenset({"features"})))
    batch = room.transform(case.others)
    same_features(room.features(batch), case.room.features(batch))


@pytest.mark.parametrize("rows", [1, 3, 20])
def test_fits_few_rows(case: Case, rows: int) -> None:
    columns, context = take(case.columns, np.arange(rows)), binary(rows)
    room = case.fit([columns], context)
    lawful(room.fit_features(room.transform(columns), context), rows)
    lawful(room.features(room.transform(case.others)), OTHERS)
    assert len(room.inputs(room.transform(case.others))) == OTHERS


def test_fits_where_all_is_missing(case: Case) -> None:
    nothing = tuple(replace(column, present=np.zeros(ROWS, bool)) for column in case.columns)
    room = case.fit([nothing])
    trained = room.fit_features(room.transform(nothing), case.context)
    lawful(trained, ROWS)
    assert not trained.present.any()
    lawful(room.features(room.transform(case.others)), OTHERS)


# reading


def test_missing_cells_are_absent(case: Case) -> None:
    nothing = tuple(replace(column, present=np.zeros(OTHERS, bool)) for column in case.others)
    batch = case.room.transform(nothing)
    assert not batch.present.any()
    assert batch.faults == ()
    features = case.room.features(batch)
    lawful(features, OTHERS)
    assert not features.present.any()
    assert features.wide is None or features.wide.indptr[-1] == 0


@pytest.mark.parametrize("kind", [*GARBAGE, *ARRAYS])
def test_garbage_is_fault_or_absence(case: Case, kind: str) -> None:
    values = ARRAYS[kind](40) if kind in ARRAYS else filled(GARBAGE[kind], 40)
    batch = case.room.transform(replaced(case.others, values))
    lawful(case.room.features(batch), 40)
    assert len(case.room.inputs(batch)) == 40
    assert len(batch) == 40
    for fault in batch.faults:
        assert 0 <= fault.row < 40
        assert fault.column in case.source.columns
        assert fault.reason
        assert "\n" not in fault.reason


def test_garbage_can_be_fitted(case: Case) -> None:
    for make in GARBAGE.values():
        columns = replaced(case.columns, filled(make, 60))
        context = binary(60)
        room = case.fit([columns], context)
        lawful(room.fit_features(room.transform(columns), context), 60)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row(case: Case, rows: int) -> None:
    few = np.arange(rows)
    batch = case.room.transform(take(case.others, few))
    features = case.room.features(batch)
    lawful(features, rows)
    assert len(case.room.inputs(batch)) == rows
    same_features(features, case.room.features(case.room.transform(case.others)).take(few))


def test_rows_do_not_know_each_other(case: Case) -> None:
    order = np.random.default_rng(2).permutation(OTHERS)
    whole, mixed = case.room.transform(case.others), case.room.transform(take(case.others, order))
    same_batch(whole.take(order), mixed)
    same_features(case.room.features(whole).take(order), case.room.features(mixed))
    same_batch(case.room.inputs(whole).take(order), case.room.inputs(mixed))


def test_pieces_make_the_whole(case: Case) -> None:
    whole = case.room.transform(case.others)
    cuts = [slice(0, 50), slice(50, 50), slice(50, OTHERS)]
    joined = Batch.concatenate([case.room.transform(take(case.others, cut)) for cut in cuts])
    same_batch(whole, joined)
    assert sorted(map(repr, whole.faults)) == sorted(map(repr, joined.faults))
    some = np.array([7, 3, 3, 110])
    same_features(case.room.features(whole).take(some), case.room.features(whole.take(some)))
    same_batch(case.room.inputs(whole).take(some), case.room.inputs(whole.take(some)))


def test_mask_is_honoured(case: Case) -> None:
    batch = case.room.transform(case.others)
    kept = np.arange(OTHERS) % 3 > 0
    full, masked = case.room.features(batch), case.room.features(batch.mask(kept))
    by_hand = replace(
        full,
        values=np.where(kept[:, None], full.values, np.float32(np.nan)),
        present=full.present & kept[:, None],
        wide=None if full.wide is None else full.wide.keep(kept),
    )
    same_features(masked, by_hand)
    lawful(masked, OTHERS)


def test_features_are_deterministic(case: Case) -> None:
    first, second = case.room.transform(case.others), case.room.transform(case.others)
    same_batch(first, second)
    assert first.faults == second.faults
    same_features(case.room.features(first), case.room.features(second))


# labels


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_training_features_look_like_the_others(case: Case, task: str) -> None:
    rng = np.random.default_rng(4)
    targets = rng.normal(size=ROWS) if task == "regression" else rng.integers(0, 3, ROWS) % (3 - (task == "binary"))
    outputs = 3 if task == "multiclass" else 1
    context = replace(case.context, targets=targets.astype(np.float64), task=task, outputs=outputs)  # type: ignore[arg-type]
    room = case.fit([case.columns], context)
    trained = room.fit_features(room.transform(case.columns), context)
    others = room.features(room.transform(case.others))
    lawful(trained, ROWS)
    assert trained.names == others.names
    np.testing.assert_array_equal(trained.categorical, others.categorical)
    assert (trained.wide and trained.wide.width) == (others.wide and others.wide.width)


@pytest.mark.parametrize("seed", range(3))
def test_random_labels_are_not_found(case: Case, seed: int) -> None:
    context = binary(ROWS, seed)
    room = copy.copy(case.room)
    features = room.fit_features(room.transform(case.columns), context)
    for name, values, present in zip(features.names, features.values.T, features.present.T, strict=True):
        labels = context.targets[present] > 0
        positive, negative = values[present][labels], values[present][~labels]
        if not len(positive) or not len(negative):
            continue
        above = (positive[:, None] > negative).mean() + (positive[:, None] == negative).mean() / 2
        noise = np.sqrt((len(positive) + len(negative) + 1) / (12 * len(positive) * len(negative)))
        assert abs(above - 0.5) < 4.5 * noise, (name, above)


@pytest.mark.parametrize("held_out", [True, False])
def test_no_row_sees_its_own_label(case: Case, held_out: bool) -> None:
    context = case.context
    if not held_out:
        context = replace(context, folds=np.where(np.arange(ROWS) < 100, -1, context.folds))
    batch = case.room.transform(case.columns)
    before = copy.copy(case.room).fit_features(batch, context)
    for row in (0, 17, 99, 311):
        targets = context.targets.copy()
        targets[row] = 1 - targets[row]
        after = copy.copy(case.room).fit_features(batch, replace(context, targets=targets))
        own = np.array([row])
        same_features(before.take(own), after.take(own))


def test_a_copy_learns_alone(case: Case) -> None:
    room = case.fit([case.columns])
    batch = room.transform(case.columns)
    room.fit_features(batch, case.context)
    before = room.features(batch)
    some = np.arange(200)
    copy.copy(room).fit_features(batch.take(some), binary(200, seed=9))
    same_features(before, room.features(batch))


# the disk


def test_state_comes_back(case: Case, tmp_path: Path) -> None:
    room = case.fit([case.columns])
    batch = room.transform(case.columns)
    room.fit_features(batch, case.context)
    write_state(room.state(), tmp_path / "state")
    again = type(room).from_state(case.source, read_state(tmp_path / "state"))
    first, second = room.transform(case.others), again.transform(case.others)
    same_batch(first, second)
    assert first.faults == second.faults
    same_features(room.features(first), again.features(second))
    same_batch(room.inputs(first), again.inputs(second))
    same_state(room.state(), again.state())


def test_applying_imports_little(case: Case, tmp_path: Path) -> None:
    write_state(case.room.state(), tmp_path / "state")
    code = f"import test_conformance; test_conformance.apply_only({case.name!r}, {str(tmp_path / 'state')!r})"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


# tokens


def test_tokens(case: Case) -> None:
    import torch

    torch.manual_seed(0)
    batch = case.room.transform(case.others)
    kept = np.arange(OTHERS) % 4 > 0
    inputs = case.room.inputs(batch.mask(kept))
    np.testing.assert_array_equal(inputs.present, batch.present & kept)
    encoder: Any = case.room.encoder(16)
    encoder.eval()
    with torch.no_grad():
        tokens = encoder(encoder.collate(inputs))
    rows, count, width = tokens.values_BTD.shape
    assert (rows, width) == (OTHERS, 16)
    assert tokens.mask_BT.shape == (rows, count)
    assert tokens.mask_BT.dtype == torch.bool
    assert torch.isfinite(tokens.values_BTD).all()
    np.testing.assert_array_equal(tokens.mask_BT.any(dim=1).numpy(), inputs.present)


def test_tokens_do_not_depend_on_the_minibatch(case: Case) -> None:
    import torch

    torch.manual_seed(0)
    inputs = case.room.inputs(case.room.transform(case.others))
    encoder: Any = case.room.encoder(16)
    encoder.eval()

    def pooled(rows: Any) -> Any:
        tokens = encoder(encoder.collate(inputs.take(rows)))
        mask = tokens.mask_BT[..., None]
        return ((tokens.values_BTD * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)).numpy()

    with torch.no_grad():
        together = pooled(np.arange(OTHERS))
        alone = np.concatenate([pooled(np.array([row])) for row in range(12)])
    np.testing.assert_allclose(together[:12], alone, atol=1e-5)


def test_inputs_without_a_row_can_be_collated(case: Case) -> None:
    encoder: Any = case.room.encoder(8)
    tokens = encoder(encoder.collate(case.room.inputs(case.room.transform(take(case.others, np.arange(0))))))
    assert len(tokens.values_BTD) == len(tokens.mask_BT) == 0
