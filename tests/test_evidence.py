"""Evidence and views: features side by side, sources hidden, and trials that leave no trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plait import registry
from plait.contracts import Batches, Features, FitContext, Source
from plait.data.splits import inner_folds
from plait.evidence import Evidence, View, join, masked_copies

ROWS = 300


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """One source of every registered modality, fitted on its own example, and the first one twice."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, ROWS).astype(float)
    head = registry.get("heads", "binary")().fit(labels, np.ones(ROWS))
    context = FitContext(labels, "binary", 1, np.ones(ROWS), seed=2)
    rooms, batches = {}, {}
    names = registry.names("modalities")
    for name, modality in [*((n, n) for n in names), ("again", names[0])]:
        made = registry.get("modalities", modality)
        columns = made.example(rng, ROWS)
        room = made(Source(name, modality, tuple(column.name for column in columns))).fit([columns], context)
        rooms[name], batches[name] = room, room.transform(columns)
    evidence = Evidence(Batches(batches, ROWS), rooms, head, context)
    evidence.joined.features.values.flags.writeable = False  # features made are shared
    return evidence


@pytest.fixture(scope="module")
def view(evidence: Evidence) -> View:
    return View(evidence.batches, evidence.rooms)


def same(a: Features, b: Features) -> None:
    assert a.names == b.names
    for name in ("values", "present", "categorical", "covered"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.wide is None) == (b.wide is None)
    if a.wide is not None and b.wide is not None:
        assert a.wide.width == b.wide.width
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(a.wide, name), getattr(b.wide, name))


def hidden(sources: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((ROWS, sources)) < 0.6


def test_features_stand_side_by_side(evidence: Evidence, view: View) -> None:
    joined = view.joined
    assert joined.sources == tuple(evidence.rooms)
    assert joined.starts[-1] == len(joined.features.names) == joined.features.values.shape[1]
    assert len(set(joined.features.names)) == len(joined.features.names)
    for i, source in enumerate(joined.sources):
        own = evidence.rooms[source].features(evidence.batches.sources[source])
        span = slice(joined.starts[i], joined.starts[i + 1])
        assert joined.features.names[span] == tuple(f"{source}.{name}" for name in own.names)
        np.testing.assert_array_equal(joined.features.values[:, span], own.values)
        width = joined.wide_starts[i + 1] - joined.wide_starts[i]
        assert width == (0 if own.wide is None else own.wide.width)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_source_is_hidden_alike_in_batches_and_in_features(evidence: Evidence, view: View, seed: int) -> None:
    seen = hidden(len(evidence.rooms), seed)
    same(view.joined.mask(seen), View(evidence.batches, evidence.rooms, seen).joined.features)


@pytest.mark.parametrize("source", registry.names("modalities"))
def test_every_room_hides_its_source_alike(evidence: Evidence, source: str) -> None:
    seen, room = hidden(1), {source: evidence.rooms[source]}
    alone = Batches({source: evidence.batches.sources[source]}, ROWS)
    same(View(alone, room).joined.mask(seen), View(alone, room, seen).joined.features)


def test_a_source_narrowed_to_is_the_source_alone(evidence: Evidence, view: View) -> None:
    for source in evidence.rooms:
        alone = Batches({source: evidence.batches.sources[source]}, ROWS)
        expected = View(alone, {source: evidence.rooms[source]})
        same(view.narrow(source).joined.features, expected.joined.features)
        same(view.narrow(source).narrow(source).joined.features, expected.joined.features)
        np.testing.assert_array_equal(view.narrow(source).batches.present, expected.batches.present)
    narrowed = evidence.narrow("again")
    same(narrowed.joined.features, evidence.joined.only("again").features)
    assert narrowed.context is evidence.context


def test_training_features_are_out_of_fold(evidence: Evidence) -> None:
    context = replace(evidence.context, folds=inner_folds(evidence.context))
    rooms = evidence.take(np.arange(ROWS)).rooms
    parts = {name: rooms[name].fit_features(batch, context) for name, batch in evidence.batches.sources.items()}
    same(evidence.joined.features, join(parts, ROWS).features)


def test_a_trial_on_some_rows_leaves_no_trace(evidence: Evidence) -> None:
    before = View(evidence.batches, evidence.rooms).joined.features
    trial = evidence.take(np.arange(0, ROWS, 2))
    assert (len(trial), len(trial.joined.features), len(trial.context)) == (150, 150, 150)
    same(View(evidence.batches, evidence.rooms).joined.features, before)


def test_no_source_at_all() -> None:
    joined = join({}, 3)
    assert joined.features.values.shape == (3, 0)
    assert joined.mask(np.ones((3, 0), bool)).wide is None


# copies with sources hidden


def test_copies_hide_some_of_what_is_there_and_never_all(evidence: Evidence) -> None:
    present = evidence.batches.present
    features, context = masked_copies(evidence.joined, present, evidence.context, 0.5)
    candidates = (present.sum(axis=1) > 1).sum()
    copies = round(0.5 * candidates)
    assert len(features) == len(context) == ROWS + copies
    same(features.take(np.arange(ROWS)), evidence.joined.features)
    starts = evidence.joined.starts[:-1]
    shown = np.logical_or.reduceat(features.present, starts, axis=1)[ROWS:]
    assert shown.any(axis=1).all()
    assert (~shown).any(axis=1).mean() > 0.8
    twin = context.targets[ROWS:]
    assert set(np.unique(twin)) <= {0.0, 1.0}
    again, _ = masked_copies(evidence.joined, present, evidence.context, 0.5)
    same(features, again)


def test_copies_say_what_their_rows_say(evidence: Evidence) -> None:
    joined, present = evidence.joined, evidence.batches.present
    context = replace(evidence.context, targets=np.arange(float(ROWS)))  # tells which row a copy is of
    features, copied = masked_copies(joined, present, context, 1.0)
    origin = joined.features.take(copied.targets.astype(int))
    assert (features.present <= origin.present).all()
    np.testing.assert_array_equal(features.values, np.where(features.present, origin.values, np.nan))


def test_nothing_is_copied_where_nothing_can_be_hidden(evidence: Evidence) -> None:
    for share, present in ((0.0, evidence.batches.present), (1.0, np.eye(len(evidence.rooms), dtype=bool)[[0] * ROWS])):
        features, context = masked_copies(evidence.joined, present, evidence.context, share)
        assert features is evidence.joined.features
        assert context is evidence.context
