"""Places inside cells: what they add, where they lie, and that taking them away is what it says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import plait
from plait.contracts import Place
from plait.data.samples.planted import Planted, planted
from plait.errors import ConfigError
from plait.explain.cells import explain_cells, without
from plait.explain.subject import Subject


@cache
def judged(kind: str, fusion: str = "early", learner: str | None = None) -> tuple[Planted, Subject]:
    """Rows with planted evidence, and a model fitted on others."""
    made, rows = planted(kind, 500 if fusion == "early" else 120, 11), planted(kind, 30, 12)
    options = {fusion: {"epochs": 2, "width": 16}} if fusion != "early" else None
    model = plait.Classifier(fusion=fusion, learner=learner, n_jobs=1, options=options)
    model.fit(made.frame.drop(columns="outcome"), made.frame["outcome"])
    return rows, model.subject(rows.frame.drop(columns="outcome"))


def overlaps(place: Place, truth: Any) -> bool:
    return bool(max(place.where[0], truth[0]) < min(place.where[1], truth[1]))


def with_letters(subject: Subject, rows: npt.NDArray[np.int64], letters: list[str | None]) -> Subject:
    """Some rows with other letters."""
    some = subject.take(rows)
    (column,) = some.columns["letter"]
    there = np.array([letter is not None for letter in letters])
    columns = (replace(column, values=np.array(letters, object), present=there),)
    batch = subject.rooms["letter"].transform(columns)
    return replace(
        some,
        columns={**some.columns, "letter": columns},
        batches=replace(some.batches, sources={**some.batches.sources, "letter": batch}),
    )


@pytest.mark.parametrize("kind", ["phrase", "step", "event"])
def test_the_top_place_is_the_planted_one(kind: str) -> None:
    made, subject = judged(kind)
    told, hits = 0, 0
    for shares in explain_cells(subject, sources=[str(made.truth.name)]):
        truth = made.truth[shares.row]
        if truth is None:
            continue
        gone = without(
            subject, shares.source, shares.row, (Place(shares.places[0].kind, truth, "it"),), np.zeros((1, 1), bool)
        )
        if abs(subject.prediction[shares.row] - gone[0]) >= 0.1:
            told += 1
            hits += overlaps(shares.places[int(np.abs(shares.values).argmax())], truth)
    assert told >= 6
    assert hits >= 0.85 * told


def test_values_of_few_places_are_exact_averages() -> None:
    _, subject = judged("phrase", learner="linear")
    room, columns = subject.rooms["letter"], subject.columns["letter"]
    for shares in explain_cells(subject.take(np.arange(8)), sources=["letter"], most=4):
        places = room.places(columns, shares.row, 4)  # type: ignore[attr-defined]
        if shares.places != places:
            continue
        kept = (np.arange(2 ** len(places))[:, None] >> np.arange(len(places))) % 2 == 1
        told = without(subject, "letter", shares.row, places, kept)
        adds = [told[kept[:, i]].mean() - told[~kept[:, i]].mean() for i in range(len(places))]
        np.testing.assert_allclose(shares.values, adds, atol=1e-9)
        assert not shares.error.any()


def test_with_all_kept_the_prediction_stays() -> None:
    _, subject = judged("step")
    room, columns = subject.rooms["balance"], subject.columns["balance"]
    for row in range(5):
        places = room.places(columns, row, 6)  # type: ignore[attr-defined]
        told = without(subject, "balance", row, places, np.ones((2, len(places)), bool))
        np.testing.assert_array_equal(told, subject.prediction[[row, row]])


def test_with_none_kept_the_source_is_absent() -> None:
    _, subject = judged("phrase")
    room, columns = subject.rooms["letter"], subject.columns["letter"]
    places = room.places(columns, 0, 6)  # type: ignore[attr-defined]
    told = without(subject, "letter", 0, places, np.zeros((1, len(places)), bool))
    present = np.array([[name != "letter" for name in subject.sources]])
    np.testing.assert_allclose(told, subject.coalitions(np.array([0]), present), atol=1e-12)


@pytest.mark.parametrize("fusion", ["early", "parallel"])
def test_versions_are_predicted_as_rows_of_their_own(fusion: str) -> None:
    made, subject = judged("phrase", fusion)
    row = int(np.flatnonzero(made.truth.notna())[0])
    first, last = map(int, made.truth[row])
    text = made.frame["letter"][row]
    cut = (text[:first] + (text[last:].lstrip() if text[:first].endswith(" ") else text[last:])) if first else text
    told = without(subject, "letter", row, (Place("span", (first, last), "it"),), np.zeros((1, 1), bool))
    expected = with_letters(subject, np.array([row]), [cut]).prediction
    np.testing.assert_allclose(told, expected, atol=1e-5)


def test_same_seed_same_answer_and_rows_do_not_depend_on_each_other() -> None:
    _, subject = judged("step")
    both = explain_cells(subject.take(np.arange(4)), seed=3)
    again = explain_cells(subject.take(np.arange(4)), seed=3)
    alone = explain_cells(subject.take(np.array([2])), seed=3)
    for one, other in zip(both, again, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_allclose(both[2].values, alone[0].values, atol=1e-9)
    assert both[2].places == alone[0].places


def test_at_most_so_many_places() -> None:
    _, subject = judged("step")
    for most in (2, 5, 40):
        for shares in explain_cells(subject.take(np.arange(4)), most=most):
            assert len(shares.places) == len(shares.values) == len(shares.error) <= most
            assert len({place.where for place in shares.places}) == len(shares.places)
            assert np.isfinite(shares.values).all()
            assert (shares.error >= 0).all()


def test_shuffled_labels_are_flat() -> None:
    made = planted("phrase", 500, 11)
    shuffled = np.random.default_rng(0).permutation(made.frame["outcome"].to_numpy())
    model = plait.Classifier(fusion="early", learner="linear", n_jobs=1)
    model.fit(made.frame.drop(columns="outcome"), shuffled)
    rows = planted("phrase", 12, 12)
    nothing = explain_cells(model.subject(rows.frame.drop(columns="outcome")), sources=["letter"])
    _, subject = judged("phrase", learner="linear")
    told = explain_cells(subject.take(np.arange(12)), sources=["letter"])
    flat = np.mean([np.abs(shares.values).max() for shares in nothing])
    assert flat < 0.15 * np.mean([np.abs(shares.values).max() for shares in told])


def test_missing_cells_are_left_out() -> None:
    _, subject = judged("phrase")
    some = with_letters(subject, np.arange(3), ["One.", None, "Two. Three."])
    assert [shares.row for shares in explain_cells(some, sources=["letter"])] == [0, 2]


def test_a_source_that_cannot_be_divided_is_named() -> None:
    _, subject = judged("phrase")
    with pytest.raises(ConfigError, match="letter"):
        explain_cells(subject, sources=["leter"])


def test_progress_is_told() -> None:
    _, subject = judged("step")
    heard: list[int] = []
    explain_cells(subject.take(np.arange(3)), progress=lambda progress: heard.append(progress.done))
    assert heard == [0, 1, 2]
