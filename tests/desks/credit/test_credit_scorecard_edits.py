"""Bins that a person edits: written, read again, held in the next fit, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from plait.desks.credit.scorecard import Scorecard, ScorecardSettings, fit_scorecard, read_edits, write_edits
from plait.desks.credit.scorecard.edits import Edit
from plait.errors import ConfigError


def refit(applicants: Any, bins: Any, **said: Any) -> Scorecard:
    return fit_scorecard(
        applicants.frame, applicants.bad, time="applied", settings=ScorecardSettings.of({"bins": bins, **said})
    )


def test_bins_written_are_the_bins_of_the_next_fit(scorecard: Scorecard, applicants: Any, tmp_path: Path) -> None:
    write_edits(tmp_path / "bins.yaml", scorecard, {})
    again = refit(applicants, str(tmp_path / "bins.yaml"))
    assert [each.name for each in again.variables] == [each.name for each in scorecard.variables]
    for new, old in zip(again.variables, scorecard.variables, strict=True):
        assert (new.bins.edges, new.bins.groups, new.bins.special) == (
            old.bins.edges,
            old.bins.groups,
            old.bins.special,
        )
        assert new.bins.fixed
        assert new.coefficient == pytest.approx(old.coefficient)


def test_an_edit_holds(scorecard: Scorecard, applicants: Any, tmp_path: Path) -> None:
    write_edits(tmp_path / "bins.yaml", scorecard, {"gone": Edit(edges=(3.0,), use="never")})
    told = yaml.safe_load((tmp_path / "bins.yaml").read_text())
    assert told.pop("gone") == {"edges": [3.0], "use": "never"}
    assert told["noise"].pop("use") == "never"
    told["noise"]["use"] = "always"
    told["income"]["edges"] = [12_000, 20_000, 31_000.5]
    told["job"]["levels"] = [["driver"], ["clerk", "*"]]
    told["debts"] = {"use": "never"}
    (tmp_path / "bins.yaml").write_text(yaml.safe_dump(told))
    card = refit(applicants, str(tmp_path / "bins.yaml"))
    by = {each.name: each for each in card.variables}
    assert by["income"].bins.edges == (12_000, 20_000, 31_000.5)
    assert by["job"].bins.groups == (("clerk", "*"), ("driver",))  # by bad rate
    assert "noise" in by
    assert {each.name: each.why for each in card.left_out}["debts"] == "a person's file says never"


def test_edges_that_turn_say_that_a_person_set_them(applicants: Any) -> None:
    card = refit(applicants, {"noise": {"edges": [-2, -1, -0.5, 0, 0.5, 1, 2], "use": "always"}})
    bins = next(each.bins for each in card.variables if each.name == "noise")
    assert not bins.monotone
    assert "person" in bins.why_not_monotone
    assert "not monotone" in str(card)


def test_numbers_can_be_taken_as_levels(applicants: Any) -> None:
    card = refit(applicants, {"debts": {"levels": [["0", 1], ["2", "3"], ["*"]]}})
    bins = next(each.bins for each in card.variables if each.name == "debts")
    assert bins.kind == "levels"
    assert card.score_row(applicants.frame.iloc[0].to_dict()) == pytest.approx(card.score(applicants.frame.head(1))[0])


def test_levels_in_no_group_count_as_missing_and_are_told(applicants: Any) -> None:
    card = refit(applicants, {"job": {"levels": [["driver"], ["clerk"]]}})
    assert any("stand in no group and count as missing" in note for note in card.notes)


@pytest.mark.parametrize(
    ("bins", "said"),
    [
        ({"incom": {"edges": [1]}}, "unknown variable of bins 'incom'; did you mean 'income'"),
        ({"job": {"levels": [["pilot"]]}}, "unknown level 'pilot'"),
        ({"income": {"edges": [3, 2]}}, "edges must rise, but 2 follows 3"),
        ({"income": {"edges": [3, 3]}}, "edges must rise"),
        ({"income": {"edges": ["a"]}}, "finite numbers"),
        ({"income": {"edges": 3}}, "expected a list"),
        ({"income": {"edge": [3]}}, "unknown key 'edge'"),
        ({"income": [3]}, "expected edges"),
        ({"income": {"edges": [1], "levels": [["a"]]}}, "keep one"),
        ({"opened": {"levels": [["a"]]}}, "edges and no levels"),
        ({"job": {"edges": [1]}}, "levels and no edges"),
        ({"job": {"levels": [["clerk"], ["clerk"]]}}, "stands twice"),
        ({"job": {"levels": [[]]}}, "at least one level"),
        ({"income": {"trend": "up"}}, "unknown trend 'up'"),
        ({"income": {"use": "maybe"}}, "unknown use 'maybe'"),
        ({"income": {"special": {"none": [1, 1]}}}, "a code stands twice"),
        ({"income": {"special": {"none": [True]}}}, "neither a number nor text"),
    ],
)
def test_edits_that_do_not_fit_are_one_clear_error(applicants: Any, bins: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        refit(applicants, bins)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_understood_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        read_edits(tmp_path / "none.yaml")
    (tmp_path / "bins.yaml").write_text("income: {edges: [2, 1]}")
    with pytest.raises(ConfigError, match=r"bins\.yaml: bins: income: edges must rise"):
        read_edits(tmp_path / "bins.yaml")
    (tmp_path / "bins.yaml").write_text("- 3")
    with pytest.raises(ConfigError, match="expected variables"):
        read_edits(tmp_path / "bins.yaml")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"min_ivv": 1}, "unknown key of scorecard 'min_ivv'; did you mean 'min_iv'"),
        ({"min_iv": -1}, "min_iv must be a number"),
        ({"max_bins": 2.5}, "max_bins"),
        ({"max_p_value": True}, "max_p_value"),
        ({"trends": {"x": "up"}}, "unknown trend"),
        ({"trends": 3}, "expected names"),
        ({"points": {"pdo": 0}}, "pdo"),
    ],
)
def test_settings_that_are_not_allowed(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ScorecardSettings.of(said)


def test_settings_are_written_and_read() -> None:
    said = {
        "min_iv": 0.01,
        "trends": {"a": "peak"},
        "special_codes": {"a": [-1, -2], "b": {"none": ["x", "y"], "late": "z"}},
        "points": {"at": 500, "odds": 20, "pdo": 40},
        "bins": {"a": {"edges": [1, 2]}, "b": {"levels": [["u"], ["v", "*"]], "use": "always"}},
    }
    made = ScorecardSettings.of(said)
    assert made.special_codes["a"] == {"-1": (-1,), "-2": (-2,)}
    assert ScorecardSettings.of(made.to_json()) == made
