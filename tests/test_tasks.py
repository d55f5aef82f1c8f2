"""Heads that classical fusions serve by plain problems: what is learned, kept, shared, and added up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait import registry
from plait.contracts import State
from plait.data.schema import Schema
from plait.errors import ArtifactError, ConfigError, DataError
from plait.evidence import View
from plait.model import Model, Settings
from plait.tasks import FittedSeparate

LIGHT = {
    "lightgbm": {"trees": 30, "leaves": 6, "members": 1},
    "linear": {"strength": 0.03},
    "late": {"learner": "linear"},
    "attention": {"epochs": 6, "width": 16, "layers": 1},
}
N = 400
NEW = ("ordinal", "quantile", "ranking", "multilabel")


def rows(n: int = N, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    clauses = [
        "payment came late",
        "all is fine here",
        "some trouble came up",
        "we ask for patience",
        "the work goes on",
    ]
    letters = [". ".join(rng.choice(clauses, 4)) + f" (ref {rng.integers(10**6)})" for _ in range(n)]
    frame = pd.DataFrame(
        {
            "income": rng.normal(size=n),
            "debt": rng.normal(size=n),
            "region": rng.choice(list("uvw"), n),
            "letter": letters,
        }
    )
    latent = frame["income"] - frame["debt"] + (frame["region"] == "u") + frame["letter"].str.contains("late")
    return frame, latent.to_numpy() + 0.5 * rng.normal(size=n)


def cells(values: list[Any]) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made


def targets(name: str, latent: np.ndarray) -> np.ndarray:
    grade = np.digitize(latent, [-1.5, 0.0, 1.5])
    if name == "ranking":
        return cells(list(zip(grade.tolist(), (np.arange(len(grade)) // 8).tolist(), strict=True)))
    if name == "multilabel":
        return cells([["p", "q", "r"][: int(g)] for g in grade])
    return grade if name == "ordinal" else latent


def fit(name: str, fusion: str, frame: pd.DataFrame, y: np.ndarray, weight: Any = None, **options: Any) -> Model:
    weight = np.ones(len(frame)) if weight is None else weight
    head = registry.make("heads", name, options).fit(y, weight)
    settings = Settings.of({"fusion": fusion, "learner": None, "options": LIGHT}, n_jobs=1, random_state=0)
    return Model.fit(frame, y, weight, head, Schema.infer(frame), settings)


def view(model: Model, frame: pd.DataFrame) -> View:
    return View(model.batches(frame), model.rooms)


@pytest.fixture(scope="module")
def early() -> dict[str, Model]:
    frame, latent = rows()
    return {name: fit(name, "early", frame, targets(name, latent)) for name in NEW}


def gain(model: Model, frame: pd.DataFrame, y: np.ndarray) -> float:
    """Share of the prior's error that is gone."""
    head, encoded, one = model.head, model.head.encode(y), np.ones(len(frame))
    prior = head.error(np.tile(head.prior, (len(frame), 1)), encoded, one).mean()
    return float(1 - head.error(model.fitted.score(view(model, frame)), encoded, one).mean() / prior)


@pytest.mark.parametrize("name", NEW)
def test_classical_fusions_learn_any_head(early: dict[str, Model], name: str) -> None:
    later, latent = rows(seed=1)
    assert gain(early[name], later, targets(name, latent)) > 0.1


@pytest.mark.parametrize("name", ["ordinal", "ranking"])
def test_late_fusion_learns_them_too(name: str) -> None:
    frame, latent = rows()
    later, after = rows(seed=1)
    model = fit(name, "late", frame, targets(name, latent))
    assert isinstance(model.fitted, FittedSeparate)
    assert gain(model, later, targets(name, after)) > 0.1


@pytest.mark.parametrize("name", NEW)
def test_networks_learn_them_directly(name: str) -> None:
    frame, latent = rows()
    later, after = rows(seed=1)
    model = fit(name, "attention", frame, targets(name, latent))
    assert not isinstance(model.fitted, FittedSeparate)
    assert gain(model, later, targets(name, after)) > 0.02


@pytest.mark.parametrize("name", [n if n != "quantile" else pytest.param(n, marks=pytest.mark.slow) for n in NEW])
def test_save_and_load_change_nothing(early: dict[str, Model], name: str, tmp_path: Path) -> None:
    later, _ = rows(60, seed=1)
    model = early[name]
    model.save(tmp_path / "model", {})
    again, _ = Model.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(later).values, model.predict(later).values)
    beside = again.baselines(again.batches(later))
    assert {*beside} == {"constant", "linear", "lightgbm"}
    assert {told.kind for told in beside.values()} == {model.predict(later).kind}


@pytest.mark.parametrize("name", NEW)
def test_sources_may_be_absent(early: dict[str, Model], name: str) -> None:
    later, _ = rows(40, seed=1)
    model, sources = early[name], len(early[name].rooms)
    present = np.random.default_rng(0).random((40, sources)) < 0.5
    present[0] = False
    told = model.fitted.score(View(model.batches(later), model.rooms, present))
    np.testing.assert_array_equal(told[0], model.head.prior)
    coalitions = model.fitted.coalitions(view(model, later), np.arange(40), present)
    np.testing.assert_allclose(coalitions, told, atol=1e-9)


@pytest.mark.parametrize("name", NEW)
def test_contributions_add_up_to_the_score(early: dict[str, Model], name: str) -> None:
    later, _ = rows(30, seed=1)
    model = early[name]
    output = np.arange(30) % model.head.outputs
    told = model.fitted.contributions(view(model, later), output)
    score = model.fitted.score(view(model, later))[np.arange(30), output]
    np.testing.assert_allclose(told.score, score)
    if name == "quantile":
        assert not told.origins  # every quantile is made of all cuts
    else:
        np.testing.assert_allclose(told.base + told.values.sum(axis=1), score, atol=1e-6)


def test_only_rooms_that_learn_from_labels_are_kept_apart(early: dict[str, Model]) -> None:
    frame, latent = rows()
    frame = frame[["income", "debt", "letter"]]  # no category whose levels have mean targets
    fitted = fit("ordinal", "early", frame, targets("ordinal", latent)).fitted
    assert isinstance(fitted, FittedSeparate)
    alone, shared = [], []
    for member in fitted.members:
        assert member is not None
        for name, room in member.rooms.items():
            (shared if room is fitted.rooms[name] else alone).append(name)
    assert {*alone} == {"letter"}
    assert len({*shared}) == 1
    state = fitted.state()
    assert {*state.parts["0"].parts["rooms"].parts} == {"letter"}


def test_a_problem_has_only_the_rows_that_it_is_asked_of() -> None:
    frame, latent = rows(200)
    frame = frame[["income", "debt"]]
    matrix = np.stack([latent > 0, latent > 1], axis=1).astype(float)
    odd = np.arange(200) % 2 == 1
    matrix[odd, 1] = np.nan
    half, whole = fit("multilabel", "early", frame[~odd], matrix[~odd]), fit("multilabel", "early", frame, matrix)
    scores = [model.fitted.score(view(whole, frame))[:, 1] for model in (half, whole)]
    np.testing.assert_allclose(*scores)  # the other label had twice as many


def test_of_a_single_answer_the_prior_is_told() -> None:
    frame, latent = rows(200)
    matrix = np.stack([latent > 0, np.zeros(200)], axis=1)
    model = fit("multilabel", "early", frame, matrix)
    assert isinstance(model.fitted, FittedSeparate)
    assert model.fitted.members[1] is None
    told = model.fitted.score(view(model, frame))
    np.testing.assert_array_equal(told[:, 1], model.head.prior[1])
    assert told[:, 0].std() > 0.1
    shares = model.fitted.contributions(view(model, frame), np.ones(200, np.int64))
    np.testing.assert_allclose(shares.base + shares.values.sum(axis=1), model.head.prior[1])


def test_nothing_to_tell_apart_is_named() -> None:
    frame, _ = rows(30)
    with pytest.raises(DataError, match="nothing to learn"):
        fit("multilabel", "early", frame, np.zeros((30, 2)))


def test_calibration_and_promises_are_refused(early: dict[str, Model]) -> None:
    frame, latent = rows(60, seed=2)
    model = early["ordinal"]
    context = model.context(frame, targets("ordinal", latent), np.ones(60))
    with pytest.raises(ConfigError, match="head of another kind"):
        model.calibrate("auto", (model.batches(frame), context))


def test_a_damaged_model_is_an_error(early: dict[str, Model]) -> None:
    model = early["ordinal"]
    state = model.fitted.state()
    wrong = State(state.version, {"problems": 9}, parts=state.parts)
    with pytest.raises(ArtifactError, match="9 problems"):
        FittedSeparate.from_state("early", wrong, model.rooms, model.head)


def test_rows_that_are_compared_stay_together_in_splits() -> None:
    frame, latent = rows()
    model = fit("ranking", "early", frame, targets("ranking", latent))
    assert model._evidence is not None
    groups = model._evidence.context.groups
    assert groups is not None
    assert len(np.unique(groups)) == N // 8
