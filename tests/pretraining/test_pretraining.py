"""Pretraining through its public doors: what is learned, kept, found, and taken over by fits."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

import plait
from plait import registry
from plait.contracts import FitContext, Reconstructs, Source, State
from plait.data.samples import loans
from plait.data.schema import Schema
from plait.errors import ArtifactError, ConfigError, DataError, SchemaError
from plait.layers.reconstruction import TokensAgain, runs
from plait.layers.seeded import reproducible
from plait.network import build
from plait.pretraining import Base, Pretraining, pretrain
from plait.pretraining.pretext import Pretext
from plait.pretraining.views import Views, seen

TINY = {"attention": {"width": 8, "heads": 2, "epochs": 2, "batch_size": 32}}


def twins(n: int, seed: int) -> pd.DataFrame:
    """Made rows in which a word and the swing of a curve say the same."""
    rng = np.random.default_rng(seed)
    calm = rng.random(n) < 0.5
    words = np.where(calm, "all is calm and quiet on the account today", "wild storm and chaos in every single payment")
    curves = [(rng.normal(size=24) * (0.1 if quiet else 3.0)).tolist() for quiet in calm]
    frame = pd.DataFrame({"said": [f"{w}, entry {i}" for i, w in enumerate(words)], "curve": curves, "calm": calm})
    frame.loc[frame.index % 10 == 3, "said"] = None
    frame.loc[frame.index % 10 == 6, "curve"] = None
    return frame


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return loans(160, 0)


@pytest.fixture(scope="module")
def base(rows) -> Base:
    return pretrain(rows, time="issued_at", ignore="default", options=TINY, n_jobs=1)


def test_same_seed_same_base_and_another_seed_another(rows, base):
    again = pretrain(rows, time="issued_at", ignore="default", options=TINY, n_jobs=1)
    other = pretrain(rows, time="issued_at", ignore="default", options=TINY, n_jobs=1, seed=1)
    np.testing.assert_array_equal(base.vectors(rows), again.vectors(rows))
    assert not np.allclose(base.vectors(rows), other.vectors(rows))
    assert base.record["losses"] == again.record["losses"] != other.record["losses"]


def test_a_base_is_the_same_after_it_was_written(rows, base, tmp_path):
    base.save(tmp_path / "base")
    again = Base.load(tmp_path / "base")
    np.testing.assert_array_equal(base.vectors(rows), again.vectors(rows))
    np.testing.assert_array_equal(base.vectors_of(rows, "letter"), again.vectors_of(rows, "letter"))
    assert again.record == json.loads(json.dumps(base.record))
    with pytest.raises(ArtifactError, match="not a complete plait model"):
        plait.load(tmp_path / "base")


def test_a_model_is_no_base(rows, tmp_path):
    plait.Regressor(fusion="early", learner="linear").fit(rows[["income", "term"]], rows["amount"]).save(tmp_path / "m")
    with pytest.raises(ArtifactError, match="holds a model, not a base"):
        Base.load(tmp_path / "m")


def test_vectors_have_length_one_and_rows_without_a_source_have_none(rows, base):
    whole, letters = base.vectors(rows), base.vectors_of(rows, "letter")
    assert whole.dtype == letters.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(letters[:, 0]), rows["letter"].isna())
    np.testing.assert_allclose(np.linalg.norm(letters[rows["letter"].notna()], axis=1), 1, rtol=1e-5)
    assert np.isnan(base.vectors(rows, present=np.zeros(3, bool))).all()


def test_a_source_is_read_without_the_columns_of_others(rows, base):
    few = rows[["issued_at", "letter"]]
    np.testing.assert_array_equal(base.vectors_of(few, "letter"), base.vectors_of(rows, "letter"))


def test_nearest_rows_are_those_of_the_highest_cosine(rows, base):
    found = base.nearest(rows.head(20), rows, of="letter", to="balance", k=4)
    asked, among = base.vectors_of(rows.head(20), "balance"), base.vectors_of(rows, "letter")
    cosines = np.where(np.isnan(among[:, 0]), -np.inf, np.nan_to_num(asked) @ np.nan_to_num(among).T)
    for row in range(20):
        if np.isnan(asked[row, 0]):
            assert (found.rows[row] == -1).all()
            assert np.isnan(found.scores[row]).all()
        else:
            np.testing.assert_allclose(found.scores[row], np.sort(cosines[row])[::-1][:4], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(cosines[row, found.rows[row]], found.scores[row], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_sources_that_say_the_same_find_each_other():
    options = {"attention": {"width": 16, "epochs": 20, "batch_size": 32, "learning_rate": 3e-3}}
    fitted = pretrain(twins(300, 0), ignore="calm", options=options | {"pretraining": {"contrast": 1.0}}, n_jobs=1)
    new = twins(100, 1)
    found = fitted.nearest(new, new, of="said", to="curve", k=1)
    there = found.rows[:, 0] >= 0
    calm = new["calm"].to_numpy()
    assert there.mean() > 0.8
    assert (calm[found.rows[there, 0]] == calm[there]).mean() > 0.9


@pytest.mark.parametrize("fusion", ["attention", "bottleneck", "parallel", "sequence"])
def test_every_body_reads_one_source_alone_as_it_reads_a_row_that_has_no_other(fusion):
    made = registry.make("fusions", fusion, {"width": 8, "dropout": 0.0})
    with reproducible(0, 1):
        body = made.body(3).eval()
        values = [torch.randn(5, t, 8) for t in (4, 6, 3)]
    masks = [torch.ones(5, t, dtype=torch.bool) for t in (4, 6, 3)]
    hidden = [mask & (i == 1) for i, mask in enumerate(masks)]

    class Only:
        places = dict.fromkeys("abc")

    Only.body = body
    torch.testing.assert_close(seen(Only, values[1], masks[1], 1), body(values, hidden)[2])


def _inputs(name: str) -> tuple[object, dict]:
    rng = np.random.default_rng(0)
    kind = registry.get("modalities", name)
    columns = kind.example(rng, 40)
    source = Source("it", name, tuple(column.name for column in columns))
    room = kind(source).fit([columns], FitContext.unlabelled(40))
    return room, {"it": room.inputs(room.transform(columns))}


@pytest.mark.parametrize("name", registry.names("modalities"))
def test_every_room_is_pretrained(name):
    """Hidden places change what is asked, the loss is finite, and encoder and body learn from it."""
    room, inputs = _inputs(name)
    made = registry.make("fusions", "attention", {"width": 8, "heads": 2})
    with reproducible(0, 1):
        network = build({"it": room}, Views(1, 8), made.body, 8)
        objective = Pretext(network, Pretraining())
        loss = objective(network, network.collate(inputs), torch.zeros(40), torch.ones(40))
    assert torch.isfinite(loss)
    loss.backward()
    for part in (network.encoders[0], network.body):
        assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in part.parameters())
    told = objective(network, network.collate(inputs), torch.zeros(40), torch.zeros(40))
    assert told.item() == 0.0


@pytest.mark.parametrize("columns", [["income", "amount"], ["purpose", "region"]])
def test_a_table_of_one_kind_of_columns_is_pretrained_on(rows, columns):
    """Warnings are errors here: torch warns of layers without outputs."""
    base = pretrain(rows[columns], options=TINY, n_jobs=1)
    assert np.isfinite(base.record["losses"]).all()


@pytest.mark.parametrize("name", registry.names("modalities"))
def test_what_encoders_hide_is_asked_for_and_not_shown(name):
    room, inputs = _inputs(name)
    with reproducible(0, 1):
        encoder = room.encoder(8).eval()
        if not isinstance(encoder, Reconstructs):
            return
        again = encoder.reconstruction()
        tensors = encoder.collate(inputs["it"])
        given, asked = again.hide(tensors, 0.5, 0.25)
    assert set(np.unique(asked.numpy())) <= {0.0, 0.25, 1.0}
    assert (asked == 1).any()
    assert not any(torch.equal(given[key], tensors[key]) for key in given if key in ("ids", "there"))
    assert (encoder(given).mask_BT <= encoder(tensors).mask_BT).all()
    absent = ~tensors["present"]
    assert (asked[absent] == 0).all()


def test_a_teacher_stands_still():
    room, _ = _inputs(next(n for n in registry.names("modalities") if not _reconstructs(n)))
    again = TokensAgain(8, room.encoder(8))
    again.train()
    assert not again.teacher.training
    assert not any(weight.requires_grad for weight in again.teacher.parameters())


def _reconstructs(name: str) -> bool:
    return isinstance(_inputs(name)[0].encoder(8), Reconstructs)


def test_runs_are_neighbours_and_never_all_of_nothing():
    there = torch.rand(200, 12, generator=torch.Generator().manual_seed(0)) < 0.7
    with reproducible(0, 1):
        hidden = runs(there, 0.3)
    assert not (hidden & ~there).any()
    assert (hidden.any(dim=1) == there.any(dim=1)).all()
    for row, gone in zip(there, hidden, strict=True):
        places = gone[row].nonzero()[:, 0]
        assert len(places) == 0 or places[-1] - places[0] == len(places) - 1
    assert 0.2 < (hidden.sum() / there.sum()).item() < 0.45


def test_rows_without_a_source_still_teach_the_others(rows):
    partial = rows.assign(letter=None, balance=rows["balance"].where(rows.index % 2 == 0, None))
    schema = Schema.infer(rows, time="issued_at", ignore="default")
    found = pretrain(partial, schema=schema, options=TINY, n_jobs=1)
    assert np.isfinite(found.record["losses"]).all()
    assert np.isnan(found.vectors_of(rows.assign(letter=None), "letter")).all()


class Kept:
    """A place in memory that is due at every step."""

    due = True

    def __init__(self) -> None:
        self.states: dict[str, State] = {}
        self.path = ""

    def claim(self, asked):
        pass

    def within(self, name):
        inner = Kept()
        inner.states, inner.path = self.states, f"{self.path}/{name}"
        return inner

    def read(self):
        return self.states.get(self.path)

    def write(self, state):
        self.states[self.path] = state


def test_a_pretraining_that_was_cut_off_goes_on_as_if_it_had_not_been(rows, base):
    kept = Kept()

    def cut(progress):
        if progress.stage == "train" and progress.done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(rows, time="issued_at", ignore="default", options=TINY, n_jobs=1, report=cut, keep=kept)
    again = pretrain(rows, time="issued_at", ignore="default", options=TINY, n_jobs=1, keep=kept)
    np.testing.assert_array_equal(base.vectors(rows), again.vectors(rows))


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"fusion": "early"}, ConfigError, "no network of its own"),
        ({"options": {"pretraining": {"hiden": 0.3}}}, ConfigError, "hidden"),
        ({"options": {"pretraining": {"hidden": 1.0}}}, ConfigError, "above 0 to below 1"),
        ({"options": {"late": {}}}, ConfigError, "late"),
        ({"options": {"attention": {"epsilon": 3.0}}}, ConfigError, "epsilon says nothing in pretraining"),
        ({"options": {"attention": {"masking": {"letter": 0.5}}}}, ConfigError, "masking says nothing in pretraining"),
        ({"options": {"attention": {"balance": "alternation"}}}, ConfigError, "balance says nothing in pretraining"),
        ({"options": {"attention": {"frozen": 2}}}, ConfigError, "frozen says nothing in pretraining"),
        ({"options": {"attention": {"epochs": 2}, "pretraining": {"passes": 1.0}}}, ConfigError, "leave one of them"),
        ({"ignore": ["letter", "balance"], "options": {"pretraining": {"contrast": 0.5}}}, ConfigError, "there is one"),
        ({"time": "no such"}, SchemaError, "no such"),
    ],
)
def test_mistakes_are_told_in_one_line(rows, asked, error, said):
    with pytest.raises(error, match=said) as caught:
        pretrain(rows, **({"time": "issued_at", "ignore": "default"} | asked))
    assert "\n" not in str(caught.value)


def test_a_single_row_is_not_enough(rows):
    with pytest.raises(DataError, match="at least 2"):
        pretrain(rows.head(1), schema=Schema.infer(rows, ignore="default"))


def test_what_nearest_cannot_be_asked(rows, base):
    with pytest.raises(ConfigError, match="letter"):
        base.nearest(rows, rows, of="leter", to="balance")
    with pytest.raises(ConfigError, match="k=0"):
        base.nearest(rows, rows, of="letter", to="balance", k=0)
    with pytest.raises(DataError, match="issued_at"):
        base.vectors_of(rows[["letter"]], "letter")
