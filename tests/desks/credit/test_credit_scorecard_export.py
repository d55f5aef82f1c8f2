"""Scorecards as files: SQL that says what the lookup says, JSON that is read back, pictures, and the two verbs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.desks.credit.scorecard import Points, Scorecard, Variable
from plait.desks.credit.scorecard.binned import Bins
from plait.desks.credit.scorecard.export import days_column, read_scorecard, to_json, to_sql
from plait.desks.credit.scorecard.pictures import draw_scorecard
from plait.errors import ArtifactError, ConfigError


def by_sql(card: Scorecard, frame: pd.DataFrame) -> Any:
    """Points by a database."""
    frame = frame.copy()
    for each in card.variables:
        if each.bins.kind == "days":
            frame[days_column(each.name)] = (frame[card.time] - frame.pop(each.name)).dt.total_seconds() / 86_400
    frame = frame[[name for name in frame.columns if name != card.time]]
    with sqlite3.connect(":memory:") as base:
        frame.reset_index(names="row").to_sql("applications", base, index=False)
        found = pd.read_sql(to_sql(card, keys=["row"]), base)
    base.close()
    return found.sort_values("row")["points"].to_numpy(float)


def test_sql_says_what_the_lookup_says(scorecard: Scorecard, strangers: pd.DataFrame) -> None:
    assert {"numbers", "levels", "days"} == {each.bins.kind for each in scorecard.variables}
    rows = strangers.drop(index=[23, 24])  # sqlite has no way to be handed infinity
    np.testing.assert_allclose(by_sql(scorecard, rows), scorecard.score(rows), rtol=0, atol=1e-9)


decimals = st.integers(-(10**9), 10**9).map(lambda thousandths: thousandths / 1000)  # as databases read them exactly
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(
    name=names.filter(lambda name: name.lower() != "row"),
    levels=st.lists(names.filter(lambda level: level != "*"), min_size=3, max_size=6, unique=True),
    edges=st.lists(decimals, min_size=1, max_size=5, unique=True),
    code=decimals,
    seed=st.integers(0, 1000),
)
@settings(max_examples=15, deadline=None)
def test_sql_and_json_say_the_same_whatever_the_names(
    name: str, levels: list[str], edges: list[float], code: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)

    def counts(n: int) -> tuple[float, ...]:
        return tuple(rng.integers(1, 50, n).astype(float).tolist())

    groups = (tuple(levels[:2]), (*levels[2:], "*")) if seed % 2 else (tuple(levels[:2]), tuple(levels[2:]))
    words = Bins(name, "levels", (), groups, {}, "monotone", False, 0.0, counts(3), counts(3))
    n = len(edges) + 3
    other = f"{name} 2"
    numbers = Bins(
        other, "numbers", tuple(sorted(edges)), (), {"none": (code,)}, "any", True, 0.0, counts(n), counts(n)
    )
    card = Scorecard(
        (Variable(words, -0.8, 0.1, 0.0, 0.0, 0.1), Variable(numbers, -1.1, 0.1, 0.0, 0.0, -0.2)), -1.0, Points()
    )
    values = [*edges, code, np.nextafter(code, np.inf), *(np.nextafter(edges, -np.inf)), 0.0, np.nan]
    frame = pd.DataFrame(
        {name: rng.choice(np.array([*levels, "\U0001f600?", None], object), len(values)), other: values}
    )
    frame[name] = frame[name].astype(object)
    np.testing.assert_allclose(by_sql(card, frame), card.score(frame), rtol=0, atol=1e-9)
    again = Scorecard.from_json(json.loads(to_json(card)))
    assert again == card
    np.testing.assert_array_equal(again.score(frame), card.score(frame))


def test_sql_refuses_what_it_cannot_hold(scorecard: Scorecard) -> None:
    with pytest.raises(ConfigError, match="zero character"):
        to_sql(scorecard, table="a\0b")


def test_json_is_read_back_whole(scorecard: Scorecard, tmp_path: Path) -> None:
    (tmp_path / "scorecard.json").write_text(to_json(scorecard))
    assert read_scorecard(tmp_path / "scorecard.json") == scorecard


def broken(**change: Any) -> Callable[[dict[str, Any]], None]:
    def apply(told: dict[str, Any]) -> None:
        for key, value in change.items():
            told["variables"][0]["bins"][key] = value

    return apply


@pytest.mark.parametrize(
    "spoil",
    [
        broken(good=[1.0]),
        broken(edges=[2.0, 1.0]),
        broken(kind="pictures"),
        broken(trend=3),
        lambda told: told.pop("variables"),
        lambda told: told.update(version=99),
        lambda told: told.update(points={"pdo": -1}),
        lambda told: told.update(intercept="much"),
        lambda told: told.update(left_out=[3]),
    ],
)
def test_a_damaged_file_is_refused(scorecard: Scorecard, tmp_path: Path, spoil: Callable[[Any], object]) -> None:
    told = json.loads(to_json(scorecard))
    spoil(told)
    (tmp_path / "scorecard.json").write_text(json.dumps(told))
    with pytest.raises((ArtifactError, ConfigError)):
        read_scorecard(tmp_path / "scorecard.json")
    (tmp_path / "scorecard.json").write_text("{")
    with pytest.raises(ArtifactError, match="no JSON"):
        read_scorecard(tmp_path / "scorecard.json")


def test_pictures_are_drawn_of_every_variable(scorecard: Scorecard, tmp_path: Path) -> None:
    made = draw_scorecard(scorecard, tmp_path)
    assert len(made) == 1 + len(scorecard.variables)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made)


FIT = "credit scorecard applications.csv --target lost --bad yes --time applied --config credit.yaml -o card --json"


@pytest.fixture
def written(applicants: Any, tmp_path: Path) -> Path:
    frame = applicants.frame.assign(lost=np.where(applicants.bad == 1, "yes", "no"))
    frame.drop(columns=["opened", "job"]).head(1200).to_csv(tmp_path / "applications.csv", index=False)
    (tmp_path / "credit.yaml").write_text("scorecard: {special_codes: {months: {never: -1}}}\n")
    return tmp_path


def test_the_verb_writes_a_scorecard_that_an_edit_changes(written: Path, run: Callable[..., Any]) -> None:
    first = run(*FIT.split())
    assert first.code == 0, first.err
    told = first.json
    assert told["held_out"] == pytest.approx(300, abs=5)
    assert 0.65 < told["roc_auc"]["value"] < 0.9
    assert all(each["monotone"] for each in told["variables"])
    made = {path.name for path in (written / "card").iterdir()}
    assert {"scorecard.json", "scorecard.sql", "bins.yaml", "points.png"} <= made
    assert "never" in (written / "card/bins.yaml").read_text()
    (written / "mine.yaml").write_text("debts: {edges: [1, 4]}\nnoise: {use: always}\n")
    second = run(*FIT.split(), "--bins", "mine.yaml")
    assert second.code == 0, second.err
    card = read_scorecard(written / "card/scorecard.json")
    assert next(each.bins.edges for each in card.variables if each.name == "debts") == (1.0, 4.0)
    assert "noise" in {each.name for each in card.variables}


def test_the_verb_exports(written: Path, run: Callable[..., Any], scorecard: Scorecard) -> None:
    (written / "scorecard.json").write_text(to_json(scorecard))
    assert run(*["credit", "export", "scorecard.json", "--to", "sql", "--key", "id", "-o", "card.sql"]).code == 0
    assert (written / "card.sql").read_text() == to_sql(scorecard, keys=["id"])
    assert run(*["credit", "export", "scorecard.json", "--to", "json", "-o", "again.json"]).code == 0
    assert read_scorecard(written / "again.json") == scorecard
    said = run(*["credit", "export", "scorecard.json", "--to", "json", "--key", "id", "-o", "again.json"])
    assert said.code == 2
    assert "--key" in said.err
    assert run(*["credit", "export", "scorecard.json", "--to", "xml", "-o", "again.json"]).code == 2


def test_prohibited_columns_do_not_enter(written: Path, run: Callable[..., Any]) -> None:
    frame = pd.read_csv(written / "applications.csv")
    frame["gender"] = np.where(frame.index % 2, "male", "female")
    frame.to_csv(written / "applications.csv", index=False)
    said = run(*FIT.split())
    assert said.code == 2
    assert "gender" in said.err
    assert run(*FIT.split(), "--sensitive", "gender").code == 0
