"""Reasons of declines: true to the decision that they explain, specific, and never of what must not decide."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.contracts import Exhibit, Place
from plait.desks.credit.blend import Blend, Line
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.model import CreditModel, load
from plait.desks.credit.reasons.change import alternatives, unchangeable
from plait.desks.credit.reasons.decided import Decided
from plait.desks.credit.reasons.find import barred, find_reasons, reasons_of
from plait.desks.credit.reasons.neutral import Spread, Typical, cut_off_of
from plait.desks.credit.reasons.search import candidates, neutralised, search
from plait.desks.credit.reasons.sentences import Words
from plait.desks.credit.reasons.settings import ReasonSettings, readable
from plait.errors import ConfigError, DataError
from plait.explain.explanation import CellShares

SAID: dict[str, Any] = {
    "evidence": {"fusion": "early", "learner": "linear"},
    "policy": {"approve_below": 0.25},
    "reasons": {
        "labels": {
            "employment_years": {"en": "Years employed", "zh": "工作年限", "unit": " y"},
            "balance": {"en": "Account balance", "zh": "账户余额", "step": "month"},
            "letter": {"zh": "申请信"},
        },
        "codes": {"employment_years": "length_of_employment"},
        "fixed": ["region"],
        "one_way": {"amount": "down"},
    },
}


@pytest.fixture(scope="module")
def parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    loans = plait.samples.loans(n=1200, seed=5)
    loans["income_in_thousands"] = (loans["income"] / 1000).round(2)
    return plait.split(loans, time="issued_at")


@pytest.fixture(scope="module")
def model(parts: Any) -> CreditModel:
    train, _ = parts
    return fit_credit(train, train["default"], time="issued_at", config=Config.of(SAID), n_jobs=1)


@pytest.fixture(scope="module")
def typical(model: CreditModel) -> Typical:
    assert model.typical is not None
    return model.typical


@pytest.fixture(scope="module")
def everyone(model: CreditModel, parts: Any) -> Decided:
    return Decided.of(model, parts[1])


@pytest.fixture(scope="module")
def declined(model: CreditModel, everyone: Decided) -> Decided:
    rows = np.flatnonzero(everyone.prediction > cut_off_of(model))
    assert 20 < len(rows) < len(everyone) - 20
    return everyone.take(rows)


@pytest.fixture(scope="module")
def told(declined: Decided) -> Any:
    return reasons_of(declined, places=("letter", "balance"))


def test_rows_are_answered_as_the_desk_answers_them(model: CreditModel, everyone: Decided, parts: Any) -> None:
    np.testing.assert_array_equal(everyone.prediction, model.log_odds(parts[1]))
    rows = np.array([3, 0, 3])
    cells = {
        "amount": (np.array([1e3, 2e4, 5e3]), np.array([True, True, False])),
        "purpose": (np.array(["car", "car", "car"], object), np.array([True, False, True])),
    }
    frame = parts[1].iloc[rows].reset_index(drop=True)
    frame["amount"], frame["purpose"] = [1e3, 2e4, np.nan], ["car", None, "car"]
    np.testing.assert_allclose(everyone.with_cells(rows, cells), model.log_odds(frame))


def test_a_hidden_source_is_one_that_was_not_given(model: CreditModel, everyone: Decided, parts: Any) -> None:
    rows, present = np.arange(5), np.ones((5, len(everyone.sources)), bool)
    present[:, everyone.sources.index("letter")] = False
    bare = model.log_odds(parts[1].iloc[:5].assign(letter=None))
    np.testing.assert_allclose(everyone.asked(rows, present=present).log_odds, bare)


def test_typical_is_the_middle_of_the_approved(model: CreditModel, everyone: Decided, parts: Any) -> None:
    found = Typical.of(everyone, cut_off=cut_off_of(model))
    approved = parts[1][everyone.prediction <= cut_off_of(model)]
    assert found.approved == len(approved)
    assert found.cells["income"] in set(approved["income"])
    below = (approved["income"] <= found.cells["income"]).mean()
    assert 0.5 <= below <= 0.5 + 2 / len(approved)
    counts = approved["purpose"].value_counts()
    assert counts[found.cells["purpose"]] == counts.max()
    assert ("income", "income_in_thousands") in found.together
    assert found.given["letter"] < 0  # a typical letter helps


def test_where_hardly_anyone_is_approved_the_safest_are_typical(everyone: Decided) -> None:
    assert Typical.of(everyone, cut_off=-99.0).approved == 30


def test_what_is_typical_is_kept_with_the_model(model: CreditModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert load(tmp_path).typical == model.typical
    assert model.typical is not None
    assert Typical.from_json(json.loads(json.dumps(model.typical.to_json(), allow_nan=False))) == model.typical


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=40))
def test_a_spread_has_only_cells_that_were_there(values: list[float | None]) -> None:
    from plait.data.frame import column

    own = column(pd.Series(values, name="x", dtype=np.float64))
    found = Spread.of(own).column(own)
    assert set(found.values.tolist()) <= {value for value in values if value is not None}


def test_reasons_account_for_the_decision(told: Any, declined: Decided, model: CreditModel) -> None:
    for row, each in enumerate(told):
        assert each.points == pytest.approx(model.points.of(declined.prediction[row]))
        assert sum(reason.share for reason in each.reasons) == pytest.approx(each.neutral - each.points)
        assert all(set(reason.columns) <= set(model.used) for reason in each.reasons)
        assert len(each.reasons) <= 4
        shares = [reason.share for reason in each.reasons]
        assert shares == sorted(shares, reverse=True)
    assert np.mean([each.closed >= 0.5 for each in told]) > 0.95


def test_neutralising_them_in_the_frame_raises_the_score_as_told(
    told: Any, declined: Decided, model: CreditModel, typical: Typical
) -> None:
    """Through the desk's own door: only rows whose reasons are all in cells of the table."""
    checked = 0
    for row, each in enumerate(told):
        if not each.reasons or any(reason.source in declined.alone for reason in each.reasons):
            continue
        frame = declined.rows.iloc[[row]].copy()
        for reason in each.reasons:
            for name in reason.columns:
                frame[name] = [typical.cells[name]]
        assert model.score(frame).points[0] == pytest.approx(each.neutral)
        checked += 1
    assert checked


def test_every_reason_helps_beside_the_others(declined: Decided, model: CreditModel, typical: Typical) -> None:
    among = candidates(declined, typical, ReasonSettings())
    for row, found in enumerate(search(declined, typical, among)):
        sets = np.zeros((1 + len(found.which), len(among)), bool)
        sets[:, list(found.which)] = True
        sets[range(1, len(sets)), list(found.which)] = False
        asked = neutralised(declined, typical, among, np.full(len(sets), row), sets).log_odds
        assert asked[0] == pytest.approx(found.after)
        assert (model.points.factor * (asked[1:] - asked[0]) >= 0.5 - 1e-9).all()


def test_one_reason_is_the_best_there_is(declined: Decided, typical: Typical) -> None:
    among = candidates(declined, typical, ReasonSettings())
    some = declined.take(np.arange(10))
    every = np.repeat(np.arange(10), len(among))
    alone = neutralised(some, typical, among, every, np.tile(np.eye(len(among), dtype=bool), (10, 1)))
    best = alone.log_odds.reshape(10, -1).min(axis=1)
    for found, least in zip(search(some, typical, among, most=1), best, strict=True):
        assert found.after == pytest.approx(least) or not found.which


def test_copies_are_one_reason(told: Any, declined: Decided, typical: Typical) -> None:
    among = candidates(declined, typical, ReasonSettings())
    assert ("income", "income_in_thousands") in [each.columns for each in among]
    named = [reason for each in told for reason in each.reasons if "income" in reason.columns]
    assert named
    assert all("taken together with" in reason.sentences["en"] for reason in named)
    apart = ReasonSettings.of({"codes": {"income": "income_insufficient", "income_in_thousands": "income_unverified"}})
    assert ("income",) in [each.columns for each in candidates(declined, typical, apart)]
    joined = ReasonSettings.of({"codes": {"amount": "excessive_obligations", "term": "excessive_obligations"}})
    assert ("excessive_obligations", ("amount", "term")) in [
        (each.code, each.columns) for each in candidates(declined, typical, joined)
    ]


def test_what_must_not_decide_is_never_named(declined: Decided, typical: Typical) -> None:
    among = candidates(declined, typical, ReasonSettings(), barred={"purpose", "letter"})
    assert not {"purpose", "letter"} & {name for each in among for name in each.columns}


def test_a_sensitive_column_is_never_named(parts: Any) -> None:
    train, test = (part.assign(age=np.arange(len(part)) % 50 + 20) for part in parts)
    schema = plait.Schema.infer(train, target="default", time="issued_at", sensitive=["age"])
    desk = fit_credit(train, train["default"], schema=schema, config=Config.of({**SAID, "reasons": {}}), n_jobs=1)
    found = find_reasons(desk, test.head(40), cut_off=-9.0, places=())
    assert {name for each in found for reason in each.reasons for name in reason.columns} <= set(desk.used) - {"age"}


def test_what_lawfully_decides_is_named(model: CreditModel) -> None:
    told = {
        "block": {"region": "house rule", "home": "house rule"},
        "allow": {"home": "needed", "purpose": "by content"},
    }
    assert barred(replace(model, config=Config.of({**SAID, "prohibited": told}))) == {"region"}


def test_evidence_that_was_not_given_is_a_reason_where_it_would_help(
    model: CreditModel, declined: Decided, typical: Typical
) -> None:
    def reasons(given: float) -> dict[str, Any]:
        told = replace(model, typical=replace(typical, given={**typical.given, "letter": given}))
        found = find_reasons(told, declined.rows.assign(letter=None), places=())
        return {reason.code: reason for each in found for reason in each.reasons}

    absent = reasons(-1.0)["letter:absent"]
    assert absent.sentences["en"].startswith("Letter was not given")
    assert absent.sentences["zh"].startswith("未提供申请信")
    assert absent.places == ()
    assert not {"letter", "letter:absent"} & set(reasons(0.5))


def test_places_are_where_the_letter_tells_of_trouble(told: Any, declined: Decided) -> None:
    found = [(row, reason) for row, each in enumerate(told) for reason in each.reasons if reason.places]
    assert {reason.source for _, reason in found} == {"letter", "balance"}
    for row, reason in found:
        if reason.source == "letter":
            first, last = map(int, reason.places[0].where)
            assert declined.rows["letter"].iloc[row][first:last] == reason.places[0].label
        else:
            assert re.search(r"months? \d+", reason.sentences["en"])
            assert re.search(r"第\d+.*个月", reason.sentences["zh"])


def test_what_the_cap_hides_is_found(model: CreditModel, declined: Decided, typical: Typical) -> None:
    """Evidence alone decides, and so strongly that no single piece of it moves the score."""
    flat = Line(0.0, 0.0)
    capped = replace(model, blend=Blend(1.0, flat, Line(3.0, 2.0), 5.0, model.points.factor))
    some = Decided.of(capped, declined.rows)
    rows = np.flatnonzero(some.answer.capped & (some.prediction > 0))
    some = some.take(rows)
    among = candidates(some, typical, ReasonSettings())
    singly = neutralised(
        some, typical, among, np.repeat(np.arange(len(rows)), len(among)),
        np.tile(np.eye(len(among), dtype=bool), (len(rows), 1)),
    ).log_odds.reshape(len(rows), -1)  # fmt: skip
    stuck = np.flatnonzero((some.prediction[:, None] - singly < 1e-9).all(axis=1))
    found = [search(some.take(stuck), typical, among, most=6)]
    helped = [each for each in found[0] if each.which]
    assert helped
    assert all(len(each.which) > 1 for each in helped)


def test_changes_reach_the_cut_off_and_keep_to_what_can_change(model: CreditModel, declined: Decided) -> None:
    some = declined.take(np.arange(12))
    assert set(unchangeable(some, model.config.reasons)) == {"employment_years", "region"}
    found = alternatives(some, answers=2)
    assert sum(map(len, found)) > 6
    for row, answers in enumerate(found):
        for answer in answers:
            frame = some.rows.iloc[[row]].copy()
            for change in answer.changes:
                assert change.column not in ("employment_years", "region")
                assert change.column != "amount" or change.after < change.before  # type: ignore[operator]
                frame[change.column] = [change.after]
            points = model.score(frame).points[0]
            assert points == pytest.approx(answer.points)
            assert points >= model.points.of(cut_off_of(model)) - 1e-9
            assert answer.sentences["en"].startswith("If the ")
            assert "申请即可达到通过线" in answer.sentences["zh"]


def test_nothing_has_to_change_where_the_answer_is_yes(everyone: Decided, model: CreditModel) -> None:
    safest = everyone.take(np.array([int(everyone.prediction.argmin())]))
    assert alternatives(safest) == ((),)


def test_a_model_that_does_not_know_the_typical_says_so(model: CreditModel, parts: Any) -> None:
    bare = replace(model, typical=None)
    for ask in (lambda: find_reasons(bare, parts[1]), lambda: alternatives(Decided.of(bare, parts[1]))):
        with pytest.raises(DataError, match="fit the desk again"):
            ask()


WORDS = ReasonSettings.of(
    {
        "labels": {"dti": {"en": "Debt to income", "zh": "负债收入比", "unit": "%"}, "flow": {"step": "month"}},
        "codes": {"dti": "excessive_obligations", "x": "own"},
        "texts": {"own": {"en": "House rule", "zh": "内部规定"}},
    }
)


@pytest.mark.parametrize(
    ("column", "value", "reference", "english", "chinese"),
    [
        ("dti", 31.2, 14.0, "Debt to income of 31.2% is above what approved applicants typically have (median 14%)",
         "负债收入比为31.2%，高于获批申请人的典型水平（中位数14%）"),
        ("dti", 3.0, 14.0, "Debt to income of 3% is below", "负债收入比为3%，低于"),
        ("dti", None, 14.0, "Debt to income was not given; approved applicants typically have 14%", "未提供负债收入比"),
        ("monthsSinceDelay", 5.0, None, "Months since delay of 5 was given; approved applicants typically have none",
         "Months since delay为5，而获批申请人通常没有此项"),
        ("home", "rent", "own", "Home is rent; approved applicants most often have own", "Home为“rent”"),
        ("has_car", True, False, "Has car is yes; approved applicants most often have no", "Has car为“是”"),
        ("since", np.datetime64("2020-05-01T00:00"), "2018-01-02T00:00", "Since, 2020-05-01, is later than", "晚于"),
        ("loan_amnt", 12345678.0, 9e5, "Loan amnt of 12,345,678 is above", "12,345,678"),
    ],
)  # fmt: skip
def test_a_cell_is_told_beside_the_typical_one(
    column: str, value: Any, reference: Any, english: str, chinese: str
) -> None:
    assert Words("en", WORDS).column(column, value, reference).startswith(english)
    assert chinese in Words("zh", WORDS).column(column, value, reference)


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_numbers_that_differ_are_told_apart(one: float, other: float) -> None:
    if abs(one - other) < 1e-5:
        return
    said = Words("en", WORDS).column("x", one, other)
    shown = re.fullmatch(r"X of (\S+) is (?:above|below) .* \(median (\S+)\)", said)
    assert shown
    assert shown[1] != shown[2]


def test_codes_have_their_general_text_first() -> None:
    assert Words("en", WORDS).sentence("excessive_obligations", "told") == (
        "Excessive obligations in relation to income: told."
    )
    assert Words("zh", WORDS).sentence("own", "所述", ["dti"]) == "内部规定：所述（与负债收入比一并考虑）。"
    assert Words("en", WORDS).sentence("unheard of", "told") == "told."


def test_steps_are_called_what_the_lender_calls_them() -> None:
    cell = CellShares(0, "flow", Exhibit("steps", np.zeros((9, 1))), (), np.zeros(0), np.zeros(0))
    place = Place("steps", (2.0, 5.0), "steps 3 to 5")
    assert Words("en", WORDS).place("flow", place, cell) == "months 3 to 5"
    assert Words("zh", WORDS).place("flow", replace(place, where=(2.0, 3.0)), cell) == "第3个月"
    assert Words("en", WORDS).place("other", place, cell) == "steps 3 to 5"


def test_personal_data_is_masked_in_what_is_quoted() -> None:
    from plait.report.masking import masked_cell

    letter = "Call me at +1 (415) 555-0132, I lost my job."
    place = Place("span", (0.0, 29.0), letter[:29])
    cell = masked_cell(CellShares(0, "letter", Exhibit("words", letter), (place,), np.ones(1), np.zeros(1)))
    said = Words("en", WORDS).source("letter", "letter", True, cell, cell.places)
    assert "Call me at" in said
    assert not re.search(r"\d", said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"mots": 4}, "did you mean 'most'"),
        ({"most": 0}, "1 to 8"),
        ({"most": True}, "1 to 8"),
        ({"twins": 2}, "twins=2"),
        ({"one_way": {"income": "sideways"}}, "allowed: down, up"),
        ({"one_way": {"income": 3}}, "give a text"),
        ({"labels": {"income": 3}}, "label of 'income'"),
        ({"labels": {"income": {"fr": "revenu"}}}, "unknown key"),
        ({"labels": {"income": {"step": "fortnight"}}}, "unknown step"),
        ({"labels": ["income"]}, "give columns"),
        ({"fixed": "income"}, "give a list"),
    ],
)
def test_a_mistake_in_the_settings_of_reasons_is_named(said: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ReasonSettings.of(said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"labels": {"incme": "Income"}}, "did you mean 'income'"),
        ({"codes": {"income": "excesive_obligations"}}, "did you mean 'excessive_obligations'"),
    ],
)
def test_settings_must_fit_the_model(declined: Decided, said: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reasons_of(declined, settings=ReasonSettings.of(said))


def test_places_are_looked_for_in_sources_that_there_are(declined: Decided) -> None:
    with pytest.raises(ConfigError, match="did you mean 'letter'"):
        reasons_of(declined, places=["leter"])


@pytest.mark.parametrize(
    ("name", "shown"),
    [("debt_to_income", "Debt to income"), ("monthsSinceDelay", "Months since delay"), ("FICO", "FICO"),
     ("annual-inc", "Annual inc"), ("_", "_")],
)  # fmt: skip
def test_names_are_made_readable(name: str, shown: str) -> None:
    assert readable(name) == shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: CreditModel, parts: Any) -> Path:
    place: Path = tmp_path_factory.mktemp("reasons")
    model.save(place / "run")
    parts[1].head(60).to_parquet(place / "new.parquet")
    return place


def test_reasons_on_the_command_line(run: Callable[..., Any], folder: Path) -> None:
    said = run("credit", "reasons", "run", "new.parquet", "-o", "out", "--changes", "--first", 3, "--json")
    assert said.code == 0, said.err
    assert said.json["explained"] == 3
    lines = [json.loads(line) for line in (folder / "out" / "reasons.jsonl").read_text("utf-8").splitlines()]
    assert [sorted(line) for line in lines] == [
        sorted(["row", "points", "cut_off", "neutral", "reasons", "changes"])
    ] * 3
    letters = sorted((folder / "out" / "letters").iterdir())
    assert len(letters) == 6
    english, chinese = (path.read_text("utf-8") for path in letters[:2])
    assert english.startswith("DRAFT")
    assert "1. " in english
    assert lines[0]["reasons"][0]["sentences"]["en"] in english
    assert chinese.startswith("草稿")
    assert lines[0]["reasons"][0]["sentences"]["zh"] in chinese
    assert (folder / "out" / "reasons.png").stat().st_size > 1000


def test_reasons_in_one_language_and_fewer(run: Callable[..., Any], folder: Path) -> None:
    words = ("credit", "reasons", "run", "new.parquet", "--most", 2, "--without-places", "--cut-off")
    said = run(*words, 0.2, "--language", "zh", "-o", "reasons.jsonl")
    assert said.code == 0, said.err
    assert "获批申请人" in said.out
    line = json.loads((folder / "reasons.jsonl").read_text("utf-8").splitlines()[0])
    assert all(list(reason["sentences"]) == ["zh"] for reason in line["reasons"])
    assert len(line["reasons"]) <= 2
    counts = [run(*words, cut, "--json").json["declined"] for cut in (0.999, 0.1, 530, 580)]
    assert counts[0] == 0
    assert 0 < counts[1] < 60
    assert counts[2] < counts[3]
    assert "neither a probability" in run(*words, 0).err
    assert run(*words, 0).code == 2
