"""Panels as life leaves them, and how grades move in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.calc.transitions import after, generator_of
from plait.desks.credit.migration import migrate
from plait.desks.credit.panel import best_first, panel_of
from plait.errors import ConfigError, DataError, SchemaError

NAMES = ["A", "BBB", "B", "D"]
YEARLY = np.array([[0.90, 0.08, 0.015, 0.005], [0.05, 0.85, 0.08, 0.02], [0.01, 0.09, 0.75, 0.15], [0, 0, 0, 1]])


def made(firms: int = 500, seed: int = 0, months: int = 60) -> pd.DataFrame:
    """A panel by month with holes, withdrawals, rows twice, in any order."""
    rng = np.random.default_rng(seed)
    monthly = after(generator_of(YEARLY), 1 / 12)
    rows = []
    for firm in range(firms):
        state, gone = int(rng.integers(0, 3)), rng.exponential(120)
        for month in range(months + 1):
            if month > gone:
                break
            if rng.random() > 0.1 or state == 3:
                rows.append((f"F{firm}", str(np.datetime64("2019-01") + month), NAMES[state]))
            if state == 3:
                break
            state = int(rng.choice(4, p=monthly[state]))
    frame = pd.DataFrame(rows, columns=["firm", "month", "grade"])
    return pd.concat([frame, frame.head(40)]).sample(frac=1, random_state=seed)


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return made()


def few(rows: list[tuple[Any, Any, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["firm", "month", "grade"])


def stays(rows: list[tuple[Any, Any, Any]], **options: Any) -> list[tuple[int, float, float, int]]:
    found = panel_of(few(rows), "firm", "month", "grade", **options)
    return [
        (int(e), round(s - found.first, 6), round(u - found.first, 6), int(g))
        for e, s, u, g in zip(*found.spells, strict=True)
    ]


def test_stays_follow_one_another() -> None:
    rows = [("a", "2020-03", "B"), ("a", "2020-01", "A"), ("a", "2020-06", "A"), ("b", "2020-07", "A")]
    assert stays(rows) == [(0, 0, 2, 0), (0, 2, 5, 1), (0, 5, 6, 0), (1, 6, 6, 0)]


def test_the_last_word_of_a_month_counts_and_a_default_before_all() -> None:
    rows = [("a", "2020-01-20", "A"), ("a", "2020-01-05", "B"), ("a", "2020-09-01", "D"), ("a", "2020-09-30", "A")]
    found = panel_of(few(rows), "firm", "month", "grade")
    assert found.spells.state.tolist() == [1, 2]
    assert found.left_out == {"more than one row of an entity and month": 2}
    assert found.names == ("A", "B", "D")


def test_nobody_returns_from_default() -> None:
    rows = [("a", "2020-01", "A"), ("a", "2020-03", "D"), ("a", "2020-05", "A"), ("b", "2021-01", "A")]
    found = panel_of(few(rows), "firm", "month", "grade")
    assert found.left_out == {"after a default": 1}
    assert found.spells.end[1] == found.last  # in default to the end of the record


def test_withdrawals_end_a_stay_and_holes_do_not() -> None:
    rows = [("a", "2020-01", "A"), ("a", "2020-04", "NR"), ("b", "2020-01", "A"), ("b", "2020-08", "B")]
    found = stays([*rows, ("c", "2020-01", "A"), ("c", "2023-01", "A"), ("d", "2023-01", "A")])
    assert found[0][:2] == (0, 0)
    assert found[0][2] == pytest.approx(3)
    assert (1, 0, 7, 0) in found  # seven months without a row
    assert (2, 0, 0, 0) in found  # three years without one
    panel = panel_of(few(rows), "firm", "month", "grade")
    assert panel.spells.at(panel.first + 3)[0].tolist() == [1]  # gone in the month that says so


def test_a_row_missing_at_the_end_is_no_withdrawal() -> None:
    months = [str(np.datetime64("2020-01") + m) for m in range(12)]
    rows = [("a", m, "A") for m in months] + [("b", m, "B") for m in months[:-1]] + [("c", m, "B") for m in months[:6]]
    assert {each[:3] for each in stays(rows) if each[2] == 11} >= {(0, 10, 11), (1, 10, 11)}
    assert max(each[2] for each in stays(rows) if each[0] == 2) == 5


def test_rows_may_be_changes() -> None:
    rows = [("a", "2015-01", "A"), ("a", "2019-01", "B"), ("b", "2015-01", "A"), ("b", "2020-01", "WR")]
    assert stays(rows, changes=True) == [(0, 0, 48, 0), (0, 48, 60, 1), (1, 0, pytest.approx(60), 0)]


@pytest.mark.parametrize("dates", [[202001, 202107], [20200115, 20210703], ["2020-01-15", "2021-07-03"]])
def test_dates_may_be_numbers(dates: list[Any]) -> None:
    found = panel_of(few([("a", dates[0], 1), ("a", dates[1], 2)]), "firm", "month", "grade")
    assert (found.first, found.last) == (600, 618)
    assert found.names == ("1", "2")


def test_years_are_dates() -> None:
    found = panel_of(few([("a", 2020, 1.0), ("a", 2021, 2.0), (None, 2021, 2.0)]), "firm", "month", "grade")
    assert (found.first, found.last) == (600, 612)
    assert found.left_out == {"without an identifier or a date": 1}


def test_orders_that_can_be_told() -> None:
    assert best_first(["BB+", "AAA", "C", "BB-", "BB", "CCC"]) == ("AAA", "BB+", "BB", "BB-", "CCC", "C")
    assert best_first(["Baa1", "Aaa", "Baa3", "Ba1"]) == ("Aaa", "Baa1", "Baa3", "Ba1")
    assert best_first(["10", "9", "1"]) == ("1", "9", "10")
    assert best_first(["G", "A", "F"]) == ("A", "F", "G")
    assert best_first(["good", "poor"]) is None


@pytest.mark.parametrize(
    ("rows", "options", "error", "told"),
    [
        ([("a", "2020-01", "good"), ("a", "2021-01", "poor")], {}, DataError, "name them in order"),
        ([("a", "2020-01", "A"), ("a", "2021-01", "E")], {"order": ("A", "B")}, ConfigError, "unknown grade 'E'"),
        ([("a", "2020-01", "A"), ("b", "2020-01", "B")], {}, DataError, "two at least"),
        ([("a", "soon", "A"), ("b", "2020-01", "B")], {}, DataError, "soon"),
        ([("a", 7, "A"), ("b", 8, "B")], {}, DataError, "no dates"),
    ],
)
def test_what_is_no_panel_is_refused(rows: Any, options: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        panel_of(few(rows), "firm", "month", "grade", **options)


def test_columns_that_are_not_there_are_named(panel: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="did you mean 'firm'"):
        migrate(panel, "firms", "month", "grade")
    with pytest.raises(DataError, match="a year at least"):
        migrate(panel[panel["month"] < "2019-08"], "firm", "month", "grade")
    with pytest.raises(ConfigError, match="years=0"):
        migrate(panel, "firm", "month", "grade", years=0)


def test_a_known_matrix_is_told_back(panel: pd.DataFrame) -> None:
    found = migrate(panel, "firm", "month", "grade", resamples=50)
    assert found.names == tuple(NAMES)
    assert found.grades == ("A", "BBB", "B")
    np.testing.assert_allclose(found.duration, YEARLY, atol=0.04)
    np.testing.assert_allclose(found.cohort, YEARLY, atol=0.05)
    np.testing.assert_allclose(found.cohort.sum(1), 1)
    assert found.embedded is not None
    np.testing.assert_allclose(after(found.embedded, 1), found.cohort, atol=0.02)
    assert found.trust.same is not None
    assert found.trust.same.p > 0.01
    assert found.trust.memory.p > 0.01
    assert len(found.cohorts) == 5
    assert found.counts.sum() == sum(cohort.entities for cohort in found.cohorts) + found.counts[-1].sum()


def test_defaults_years_ahead_rise_with_years_and_grade(panel: pd.DataFrame) -> None:
    found = migrate(panel, "firm", "month", "grade", years=4, resamples=50)
    assert found.terms is not None
    for term in (found.terms.cohort, found.terms.duration):
        assert term.shape == (4, 3)
        assert (np.diff(term, axis=0) > 0).all()
        assert (np.diff(term, axis=1) > 0).all()
    assert (found.terms.low <= found.terms.duration[0]).all()
    assert (found.terms.high >= found.terms.duration[0]).all()
    np.testing.assert_allclose(found.terms.seen[0], found.cohort[:3, 3])
    again = migrate(panel, "firm", "month", "grade", years=4, resamples=50)
    assert again.terms is not None
    assert again.terms.low.tolist() == found.terms.low.tolist()


def test_a_panel_without_defaults_has_no_terms() -> None:
    frame = made(100, 1)
    found = migrate(frame[frame["grade"] != "D"], "firm", "month", "grade")
    assert found.terms is None
    assert found.names == ("A", "BBB", "B")
    assert "defaulted by then" not in str(found)
    json.dumps(found.to_json(), allow_nan=False)


def test_the_command_writes_matrices_and_pictures(panel: pd.DataFrame, run: Any, folder: Path) -> None:
    panel.to_csv(folder / "panel.csv", index=False)
    said = run("credit", "migrate", "panel.csv", "--id", "firm", "--date", "month", "--grade", "grade", "-o", "out")
    assert said.code == 0, said.err
    assert "a year later, by duration" in said.out
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "cohort.png",
        "duration.png",
        "migration.csv",
        "migration.json",
        "terms.png",
    ]
    table = pd.read_csv(folder / "out" / "migration.csv")
    np.testing.assert_allclose(table.groupby("from")["cohort"].sum(), 1)


def test_the_command_tells_without_writing(panel: pd.DataFrame, run: Any, folder: Path) -> None:
    panel.to_csv(folder / "panel.csv", index=False)
    asked = ("credit", "migrate", "panel.csv", "--id", "firm", "--date", "month", "--grade", "grade", "--years", "2")
    said = run(*asked, "--resamples", "0", "--json")
    assert said.code == 0, said.err
    assert said.json["names"] == NAMES
    assert said.json["terms"]["low"] == [None] * 3
    assert "written" not in run(*asked).out
    assert [path.name for path in folder.iterdir()] == ["panel.csv"]


def test_the_command_says_what_is_wrong(panel: pd.DataFrame, run: Any, folder: Path) -> None:
    panel.to_csv(folder / "panel.csv", index=False)
    said = run("credit", "migrate", "panel.csv", "--id", "firm", "--date", "month", "--grade", "rating")
    assert said.code == 2
    assert "unknown column 'rating'" in said.err
