"""``plait pretrain``, ``plait nearest`` and ``plait fit --from``, through the command line."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from plait.data.samples import loans

SMALL = ("--option", "attention.width=8", "--option", "attention.heads=2", "--jobs", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pretrained")
    rows = loans(160, 0)
    rows.to_parquet(made / "all.parquet")
    rows.head(90).to_parquet(made / "few.parquet")
    rows[["issued_at", "balance"]].head(4).to_parquet(made / "queries.parquet")
    return made


@pytest.mark.slow
def test_from_rows_to_a_base_to_a_model_and_to_neighbours(run, folder):
    asked = ("--time", "issued_at", "--ignore", "default", "--epochs", 2, *SMALL)
    dry = run("pretrain", "all.parquet", *asked, "--dry-run", "--json")
    assert dry.code == 0
    assert dry.json["sources"]["letter"] == ["letter"]
    told = run("pretrain", "all.parquet", "-o", "base", *asked, "--json")
    assert told.code == 0, told.err
    assert len(told.json["losses"]) == 2
    assert {path.name for path in (folder / "base").iterdir()} == {
        "base.plait",
        "schema.yaml",
        "record.json",
        "losses.png",
    }
    assert json.loads((folder / "base" / "record.json").read_text("utf-8")) == told.json
    more = ("--fusion", "attention", "--option", "attention.epochs=1")
    fit = run(
        *("fit", "few.parquet", "--target", "default", "--time", "issued_at", "-o", "run", "--from", "base"),
        *more,
        *SMALL,
        "--json",
    )
    assert fit.code == 0, fit.err
    assert "attention: encoders of the base: table, letter, balance; its body too" in fit.err
    record = json.loads((folder / "run" / "run.json").read_text("utf-8"))
    assert record == fit.json
    found = run(
        *("nearest", "base", "queries.parquet", "--among", "all.parquet", "--of", "letter", "--to", "balance"),
        *("-k", 3, "--json"),
    )
    assert found.code == 0, found.err
    there = pd.read_parquet(folder / "queries.parquet")["balance"].notna()
    assert [len(each["nearest"]) for each in found.json["found"]] == [3 * here for here in there]
    wrong = run("nearest", "base", "queries.parquet", "--among", "all.parquet", "--of", "leter", "--to", "balance")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "letter" in wrong.err


def test_mistakes_cost_one_line_and_nothing_is_written(run, folder):
    for arguments, said in (
        (("pretrain", "all.parquet", "-o", "no", "--fusion", "early"), "no network"),
        (("pretrain", "all.parquet", "-o", "no", "--option", "pretraining.hiden=1"), "hidden"),
        (("pretrain", "all.parquet"), "-o DIR"),
        (("fit", "few.parquet", "--target", "default", "-o", "no", "--from", "nowhere"), "no such model"),
    ):
        told = run(*arguments)
        assert told.code == 2
        assert said in told.err
        assert told.err.count("\n") == 1
    assert not (folder / "no").exists()
