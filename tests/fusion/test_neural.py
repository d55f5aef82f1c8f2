"""Every registered neural fusion through its public door, on made sources that know no real room."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from plait import registry
from plait.contracts import Batch, Batches, FitContext, Job, Ragged, Source, State
from plait.errors import ArtifactError, ConfigError, PlaitError
from plait.evidence import Evidence, View
from plait.training.neural import NeuralFusion

STEPS = 12
NEURAL = [name for name in registry.names("fusions") if issubclass(registry.get("fusions", name), NeuralFusion)]
QUICK = {"width": 16, "epochs": 8, "batch_size": 64, "learning_rate": 5e-3}


class ToyRoom:
    """A room whose batches are what its encoder reads."""

    def __init__(self, name: str, encoder: str, share: str | None = None, **options):
        self.source = Source(name, "toy", (name,), share=share)
        self._encoder, self._options = encoder, options

    def inputs(self, batch):
        return batch

    def encoder(self, width, kind="auto"):
        return registry.get("encoders", self._encoder)(width, **self._options)


ROOMS = {
    "x.1": ToyRoom("x.1", "columns", numbers=3, levels=(5,)),
    "words": ToyRoom("words", "subwords", vocabulary=40, max_tokens=STEPS),
    "curve": ToyRoom("curve", "patches", channels=1, patch=4, max_patches=3),
}


def made(rows: int, task: str = "binary", seed: int = 0, missing: float = 0.1) -> tuple[Batches, np.ndarray]:
    """A target that needs all three sources: a number, a word, and a slope."""
    rng = np.random.default_rng(seed)
    numbers, slope, told = rng.normal(size=(rows, 3)), rng.normal(size=(rows, 1)), rng.random(rows) < 0.5
    offsets = np.concatenate([[0], np.cumsum(rng.integers(4, STEPS + 1, rows))])
    ids = rng.integers(2, 40, offsets[-1]).astype(np.int32)
    ids[offsets[:-1][told]] = 1
    curve = np.linspace(-1, 1, STEPS) * slope + rng.normal(0, 0.1, (rows, STEPS))
    arrays = (
        {
            "numbers": numbers.astype(np.float32),
            "numbers_present": np.ones((rows, 3), bool),
            "codes": rng.integers(0, 5, (rows, 1)),
        },
        {"ids": Ragged(ids, offsets)},
        {"values": Ragged(curve.reshape(-1, 1).astype(np.float32), np.arange(rows + 1) * STEPS)},
    )
    present = rng.random((rows, 3)) >= missing
    sources = {name: Batch(a, present[:, i]) for i, (name, a) in enumerate(zip(ROOMS, arrays, strict=True))}
    score = 2 * numbers[:, 0] + 4 * (told - 0.5) + 2 * slope[:, 0] + rng.logistic(size=rows)
    if task == "regression":
        return Batches(sources, rows), 100 + 7 * score
    return Batches(sources, rows), np.array(["a", "b", "c"])[np.digitize(score, [0.0] if task == "binary" else [-1, 1])]


def evidence(batches: Batches, raw: np.ndarray, task: str = "binary", rooms=ROOMS, weight=None, **context) -> Evidence:
    weight = np.ones(len(raw)) if weight is None else weight
    head = registry.get("heads", task)().fit(raw, weight)
    return Evidence(batches, rooms, head, FitContext(head.encode(raw), task, head.outputs, weight, **context))


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    ranks = scores.argsort().argsort() + 1
    ones = positive.sum()
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * (~positive).sum()))


def neural(name="attention", **options):
    return registry.get("fusions", name)(**{**QUICK, **options})


@pytest.fixture(scope="module", params=NEURAL)
def fitted(request):
    return neural(request.param, masking=0.3).fit(evidence(*made(1200)))


@pytest.fixture(scope="module")
def test_rows():
    return made(600, seed=1, missing=0.0)


def test_it_learns_from_all_sources(fitted, test_rows):
    batches, raw = test_rows
    assert auc(fitted.predict(batches).values[:, 1], raw == "b") > 0.87


@pytest.mark.parametrize("source", range(3))
def test_it_answers_with_any_source_alone_or_hidden(fitted, test_rows, source):
    batches, raw = test_rows
    alone = np.arange(3) == source
    assert auc(fitted.predict(batches, present=alone).values[:, 1], raw == "b") > 0.65
    assert auc(fitted.predict(batches, present=~alone).values[:, 1], raw == "b") > 0.76


def test_with_nothing_present_the_prior_answers(fitted, test_rows):
    batches, _ = test_rows
    values = fitted.predict(batches, present=np.zeros(3, bool)).values
    np.testing.assert_array_equal(
        values, np.tile(fitted.head.decode(fitted.head.prior[None]).values, (len(batches), 1))
    )
    partly = fitted.scores(View(batches, ROOMS, np.arange(600)[:, None] % 2 == np.zeros(3)))
    assert np.isfinite(partly).all()


def test_hidden_is_the_same_as_masked(fitted, test_rows):
    batches, _ = test_rows
    seen = np.random.default_rng(0).random((len(batches), 3)) < 0.5
    np.testing.assert_array_equal(
        fitted.predict(batches, present=seen).values, fitted.predict(batches.mask(seen)).values
    )


@pytest.mark.parametrize("name", NEURAL)
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_heads_learn_too(name, task):
    batches, raw = made(1000, task)
    fitted = neural(name).fit(evidence(batches, raw, task))
    batches, raw = made(500, task, seed=1)
    values = fitted.predict(batches)
    if task == "regression":
        assert 1 - np.square(values.values - raw).mean() / raw.var() > 0.6
    else:
        assert (values.classes[values.values.argmax(axis=1)] == raw).mean() > 0.6


@pytest.mark.parametrize("name", NEURAL)
def test_the_same_seed_gives_the_same_bytes(name, test_rows):
    batches, _ = test_rows
    few = evidence(*made(300), seed=5)
    first, second = (neural(name, epochs=2).fit(few).predict(batches).values for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = neural(name, epochs=2).fit(evidence(*made(300), seed=6)).predict(batches).values
    assert np.abs(first - other).max() > 0


def test_a_row_has_the_same_score_in_any_company(fitted, test_rows):
    batches, _ = test_rows
    whole = fitted.scores(View(batches, ROOMS))
    np.testing.assert_array_equal(whole, fitted.scores(View(batches, ROOMS)))
    rows = np.array([3, 599, 0, 77])
    np.testing.assert_allclose(fitted.scores(View(batches.take(rows), ROOMS)), whole[rows], atol=1e-5)
    for i in rows:
        np.testing.assert_allclose(fitted.scores(View(batches.take([i]), ROOMS)), whole[[i]], atol=1e-5)
    assert fitted.scores(View(batches.take(np.zeros(0, np.int64)), ROOMS)).shape == (0, 1)


def test_state_round_trip_predicts_the_same_bytes(fitted, test_rows):
    batches, _ = test_rows
    state = fitted.state()
    state = State(state.version, json.loads(json.dumps(state.values, allow_nan=False)), state.arrays)
    again = registry.get("fusions", fitted.fusion.name).from_state(state, ROOMS, fitted.head)
    np.testing.assert_array_equal(again.predict(batches).values, fitted.predict(batches).values)
    assert again.settings == fitted.settings


def test_weights_that_do_not_fit_the_rooms_are_an_error(fitted):
    state = fitted.state()
    cut = replace(state, arrays={name: array[:1] for name, array in state.arrays.items()})
    with pytest.raises(ArtifactError, match="does not fit"):
        registry.get("fusions", fitted.fusion.name).from_state(cut, ROOMS, fitted.head)


def test_rows_without_weight_teach_nothing(test_rows):
    batches, raw = made(1200)
    lied = np.random.default_rng(2).random(1200) < 0.5
    told = np.where(lied, np.where(raw == "a", "b", "a"), raw)
    fitted = neural().fit(evidence(batches, told, weight=np.where(lied, 0.0, 2.0)))
    batches, raw = test_rows
    assert auc(fitted.predict(batches).values[:, 1], raw == "b") > 0.85


def test_sources_of_one_share_have_one_encoder():
    batches, raw = made(200)
    batches = Batches({"one": batches.sources["curve"], "two": batches.sources["curve"]}, 200)
    sizes = []
    for share in (None, "tied"):
        rooms = {n: ToyRoom(n, "patches", share, channels=1, patch=4, max_patches=3) for n in ("one", "two")}
        fitted = neural(epochs=1).fit(evidence(batches, raw, rooms=rooms))
        sizes.append(sum(name.endswith("project.weight") for name in fitted.state().arrays))
        assert np.isfinite(fitted.predict(batches).values).all()
    assert sizes == [2, 1]


def test_it_leaves_no_trace_in_torch():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    few = evidence(*made(100), threads=threads + 1)
    neural(epochs=1).fit(few)
    assert torch.equal(torch.rand(4), expected)
    assert torch.get_num_threads() == threads


def test_rows_of_no_finite_loss_are_named():
    batches, raw = made(100, missing=0.0)
    batches.sources["curve"].arrays["values"].values[37 * STEPS] = np.inf
    with pytest.raises(PlaitError, match=r"not finite in training rows 37;"):
        neural(epochs=1, holdout=0, masking=0).fit(evidence(batches, raw))


def test_progress_and_history_tell_how_it_went():
    reports = []
    fitted = neural(epochs=3).fit(evidence(*made(300), job=Job(reports.append)))
    assert {r.stage for r in reports} == {"train"}
    steps = [r.done for r in reports]
    assert steps == sorted(steps)
    assert steps[-1] == reports[-1].total
    ends = [r for r in reports if "judged_loss" in r.metrics and r.metrics["epoch"] > 0]
    assert list(dict.fromkeys(r.metric for r in ends)) == list(fitted.history["judged"])
    assert all(r.metrics["learning_rate"] >= 0 and r.metrics["gradient_norm"] > 0 for r in reports)
    assert fitted.history["best_epoch"] == 1 + int(np.argmin(fitted.history["judged"]))


@pytest.mark.slow
def test_all_rows_may_train_and_the_rest_can_be_learned_again(test_rows):
    batches, raw = test_rows
    few = evidence(*made(600))
    whole = neural(holdout=0).fit(few)
    assert not whole.history["judged"]
    assert whole.history["best_epoch"] == QUICK["epochs"]
    again = neural(refit=True).fit(few)
    for fitted in (whole, again):
        assert auc(fitted.predict(batches).values[:, 1], raw == "b") > 0.8


def test_a_deadline_stops_at_an_epoch_and_is_recorded():
    fitted = neural(deadline=1e-9).fit(evidence(*made(200)))
    assert fitted.history["stopped"] == "deadline"
    assert len(fitted.history["losses"]) == 1


OUT_OF_RANGE = [
    ("attention", {"width": 30}),
    ("attention", {"heads": 0}),
    ("bottleneck", {"width": 30}),
    ("bottleneck", {"bottlenecks": 0}),
    ("sequence", {"cell": "lst"}),
    *((name, {"layers": 0}) for name in NEURAL if name != "parallel"),
    *((name, {"dropout": 1.0}) for name in NEURAL),
    *((name, {"masking": -0.1}) for name in NEURAL),
    *((name, {"holdout": 1}) for name in NEURAL),
    *((name, {"epochs": "many"}) for name in NEURAL),
    *((name, {"refit": "yes"}) for name in NEURAL),
    *((name, {"shard": 1}) for name in NEURAL),
]


@pytest.mark.parametrize(("name", "option"), OUT_OF_RANGE)
def test_options_out_of_range_are_named(name, option):
    with pytest.raises(ConfigError, match=f"{name}: {next(iter(option))}=.* out of range"):
        neural(name, **option)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("attention", {"layers": 3, "heads": 2}),
        ("bottleneck", {"layers": 1, "heads": 2, "bottlenecks": 2}),
        ("parallel", {"dropout": 0.0}),
        ("sequence", {"layers": 2, "cell": "gru"}),
    ],
)
def test_options_shape_the_body_and_are_saved(name, option):
    fitted = neural(name, epochs=1, **option).fit(evidence(*made(60)))
    assert fitted.state().values["body"].items() >= option.items()
    again = registry.get("fusions", name).from_state(fitted.state(), ROOMS, fitted.head)
    np.testing.assert_array_equal(again.predict(made(60)[0]).values, fitted.predict(made(60)[0]).values)


def test_torch_is_imported_no_earlier_than_fit():
    code = (
        "import sys; from plait import registry\n"
        f"for name in {NEURAL}: registry.get('fusions', name)().doors(9, [])\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
