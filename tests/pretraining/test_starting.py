"""Fits that start from a base: what is taken, what is not, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import plait
from plait.data.samples import loans
from plait.data.schema import ColumnSpec
from plait.errors import ConfigError, SchemaError
from plait.layers.seeded import reproducible
from plait.network import build
from plait.pretraining import Base, pretrain
from plait.pretraining.views import Views
from plait.training.groups import groups
from plait.training.start import start, still

OPTIONS = {"attention": {"width": 8, "heads": 2, "epochs": 1, "batch_size": 32}}


@pytest.fixture(scope="module")
def rows():
    return loans(160, 0)


@pytest.fixture(scope="module")
def base(rows) -> Base:
    return pretrain(rows, time="issued_at", ignore="default", options=OPTIONS, n_jobs=1)


def fitted(rows, base, options=OPTIONS, **told):
    asked = {"fusion": "attention", "time": "issued_at", "options": options, "n_jobs": 1} | told
    return plait.Classifier(**asked).fit(rows.drop(columns="default"), rows["default"], base=base)


def test_a_fit_takes_rooms_and_weights_and_is_saved_whole(rows, base, tmp_path):
    base.save(tmp_path / "base")
    model = fitted(rows.head(80), tmp_path / "base")
    assert model.record_["base"]["rooms"] == ["table", "letter", "balance"]
    taken = model.record_["training"]["attention"]["base"]
    assert taken == {"encoders": ["table", "letter", "balance"], "body": True}
    for name, room in model.model_.rooms.items():
        mine, theirs = room.state(), base.rooms[name].state()
        assert mine.arrays.keys() == theirs.arrays.keys()
    model.save(tmp_path / "model")
    Base.load(tmp_path / "base")
    for file in (tmp_path / "base").rglob("*"):
        if file.is_file():
            file.unlink()
    np.testing.assert_array_equal(plait.load(tmp_path / "model").predict_proba(rows), model.predict_proba(rows))


def test_a_base_is_not_changed_by_fits_from_it(rows, base):
    before = base.vectors(rows)
    first = fitted(rows, base).predict_proba(rows)
    np.testing.assert_array_equal(first, fitted(rows, base).predict_proba(rows))
    np.testing.assert_array_equal(before, base.vectors(rows))
    assert not np.allclose(first, fitted(rows, None).predict_proba(rows))


def test_weights_are_those_of_the_base_and_the_head_is_new(rows, base):
    with reproducible(7, 1):
        network = build(base.rooms, Views(3, 8), base.fusion.body, 8)
    head = {name: value.clone() for name, value in network.head.state_dict().items()}
    assert start(network, base.rooms, base.state(), 0.25)["body"]
    own, theirs = network.state_dict(), base.network.state_dict()
    for name, value in own.items():
        if name.startswith("head."):
            torch.testing.assert_close(value, head[name.removeprefix("head.")])
        else:
            torch.testing.assert_close(value, theirs[name])
    shares = {group["share"]: len(group["params"]) for group in groups(network)}
    assert set(shares) == {0.25, 1.0}
    with still(network):
        learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
        assert all(name == "source" or name.startswith("head.") for name in learning)
    assert all(weight.requires_grad for weight in network.parameters())


def test_sources_that_the_base_does_not_know_are_fitted_as_usual(rows, base):
    more = rows.assign(note=[f"note number {i} about nothing in particular" for i in range(len(rows))])
    model = fitted(more.drop(columns="balance"), base)
    assert sorted(model.record_["base"]["rooms"]) == ["letter", "table"]
    assert "note" in model.model_.rooms
    assert sorted(model.record_["training"]["attention"]["base"]["encoders"]) == ["letter", "table"]


def test_weights_that_read_through_another_room_are_left(rows, base):
    wide = [
        replace(spec, options={"lowercase": False}) if spec.name == "letter" else spec
        for spec in base.schema.columns
        if spec.name != "default"
    ]
    schema = replace(base.schema, columns=(*wide, ColumnSpec("default", "target")))
    model = fitted(rows, base, schema=schema, time=None)
    assert model.record_["base"]["rooms"] == ["table", "balance"]
    assert sorted(model.record_["training"]["attention"]["base"]["encoders"]) == ["balance", "table"]


def test_classical_fusions_take_the_rooms(rows, base):
    model = fitted(rows, base, None, fusion="early", learner="linear")
    assert model.record_["base"]["rooms"] == ["table", "letter", "balance"]
    assert np.isfinite(model.predict_proba(rows)).all()


def test_pretrained_weights_stand_still_for_the_epochs_that_were_asked_for(rows, base):
    slow = {"attention": OPTIONS["attention"] | {"frozen": 2, "base_rate": 1e-6, "holdout": 0.0}}
    own, theirs = fitted(rows, base, slow).model_.fitted.network.state_dict(), base.network.state_dict()
    for name, value in own.items():
        if name.startswith(("encoders.", "body.")):
            torch.testing.assert_close(value, theirs[name], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attention": {"width": 16, "heads": 2, "epochs": 1}}, "8 wide, this network 16"),
        ({"attention": OPTIONS["attention"] | {"frozen": -1}}, "frozen"),
        ({"attention": OPTIONS["attention"] | {"base_rate": 0}}, "base_rate"),
    ],
)
def test_what_does_not_fit_is_refused(rows, base, options, said):
    with pytest.raises(ConfigError, match=said):
        fitted(rows, base, options)


def test_options_of_a_base_are_refused_without_one(rows):
    with pytest.raises(ConfigError, match="without a pretrained base"):
        fitted(rows, None, {"attention": OPTIONS["attention"] | {"frozen": 1}})


def test_a_base_of_other_columns_or_another_time_is_refused(rows, base):
    with pytest.raises(SchemaError, match="none of the sources"):
        fitted(rows[["issued_at", "income", "default"]], base)
    with pytest.raises(SchemaError, match="issued_at"):
        fitted(rows.drop(columns="issued_at"), base, time=None)
