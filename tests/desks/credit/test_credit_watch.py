"""The watch list: signals that are there, alerts that are few, and a ledger that nothing can make say a thing twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.monitoring.alerts import Alert, AlertPolicy, Ledger, Standing, priority, today
from plait.desks.credit.monitoring.lexicon import hits, terms_of
from plait.desks.credit.monitoring.signals import Histories, Signal, signals
from plait.desks.credit.monitoring.watch import watch
from plait.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def borrowers() -> pd.DataFrame:
    return plait.samples.borrowers(200, 20, seed=1).drop(columns="default_month")


def history(**columns: list[Any]) -> pd.DataFrame:
    """One borrower, a row a month."""
    rows = len(next(iter(columns.values())))
    months = pd.date_range("2024-01-31", periods=rows, freq="ME")
    return pd.DataFrame({"who": "B1", "day": months, **columns})


def causes(frame: pd.DataFrame, **terms: float) -> dict[int, list[str]]:
    rows = Histories.of(frame, "who", "day")
    named = {name: name for name in frame.columns if name not in ("who", "day")}
    return {i: [each.cause for each in found] for i, found in signals(frame, rows, named, terms).items()}


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("The firm filed for bankruptcy in May.", "bankruptcy"),
        ("He was laid off.", "laid off"),
        ("She missed two payments to another bank.", "missed two payments"),
        ("Not only was he sued, he lost.", "sued"),
        ("Nothing new. A court order froze the account.", "froze"),
        ("There was no lawsuit before, but now the firm is insolvent.", "insolvent"),
        ("该公司已申请破产。", "破产"),
        ("客户上周被裁员，正在找工作。", "裁员"),
        ("账户被法院冻结", "冻结"),
        ("公司没有盈利，已停业。", "停业"),
    ],
)
def test_words_of_trouble_are_found(text: str, term: str) -> None:
    (found,) = hits(text)
    assert found.term.lower() == term
    begin, end = (int(place) for place in found.place.where)
    assert term in text[begin:end].lower()


@pytest.mark.parametrize(
    "text",
    [
        "Customer has never missed a payment.",
        "The firm is not insolvent.",
        "The employer denied rumours of layoffs.",
        "Rumours of bankruptcy were unfounded.",
        "They weren't sued.",
        "There was no lawsuit after all, the other side paid.",
        "A quiet month without overdue bills.",
        "客户从未逾期。",
        "公司否认裁员传闻。",
        "经核实，该企业没有被起诉。",
        "破产传闻不实。",
        "The shop reports a good season.",
        "",
    ],
)
def test_what_is_denied_or_harmless_is_not(text: str) -> None:
    assert not hits(text)


def test_own_words_count_and_built_in_ones_can_be_silenced() -> None:
    own = terms_of({"Recall": "2", "lawsuit": 0, "召回": 3})
    assert [each.weight for each in hits("A recall began. A lawsuit, too. 产品召回。", own)] == [2, 3]
    for wrong in ({"x": "much"}, {"x": 4.0}, {" ": 1}):
        with pytest.raises(ConfigError, match="word of trouble"):
            terms_of(wrong)


def test_quotes_show_no_personal_data() -> None:
    (found,) = hits("Mr. John Miller (john.miller@mail.com, +1 415 555 0100) was sued.")
    assert "john.miller@mail.com" not in found.quote
    assert "555" not in found.quote
    assert found.place.label == found.quote


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    for found in hits(text):
        begin, end = found.place.where
        assert 0 <= begin < end <= len(text)


def test_a_balance_is_held_against_its_own_past() -> None:
    usual = [1000.0, 1040, 980, 1010, 990, 1020]
    assert causes(history(balance=[*usual, 400.0])) == {6: ["balance dropped"]}
    assert causes(history(balance=[*usual, 800.0])) == {}  # far from usual, but not by a third
    assert causes(history(balance=[1000.0, 990, 400])) == {}  # too little is known
    assert causes(history(balance=[500.0, 2500, 900, 3000, 700, 1800, 600])) == {}  # never was even
    assert causes(history(balance=[*usual, np.nan])) == {}


def test_other_numbers_have_their_own_rules() -> None:
    assert causes(history(salary=[2000.0] * 6 + [0.0])) == {6: ["salary missed"]}
    assert causes(history(salary=[0.0] * 7)) == {}  # there never was one
    assert causes(history(utilisation=[0.3] * 6 + [0.95])) == {6: ["limit filling up"]}
    assert causes(history(utilisation=[0.95] * 7)) == {}
    assert causes(history(overdrafts=[0.0] * 5 + [1, 3])) == {6: ["overdrafts"]}
    assert causes(history(days_past_due=[0.0, 5, 12, 65])) == {2: ["days past due"], 3: ["days past due"]}


def test_signals_see_nothing_later(borrowers: pd.DataFrame) -> None:
    whole = watch(borrowers, id="borrower", date="month")
    cut = "2022-12-31"
    early = watch(borrowers[borrowers["month"] <= cut], id="borrower", date="month")
    assert early.alerts == tuple(alert for alert in whole.alerts if alert.day <= cut)
    assert watch(borrowers, id="borrower", date="month", until=cut).alerts == early.alerts


def test_the_order_of_rows_does_not_count(borrowers: pd.DataFrame) -> None:
    mixed = borrowers.sample(frac=1, random_state=0)
    assert watch(mixed, id="borrower", date="month").alerts == watch(borrowers, id="borrower", date="month").alerts


def test_most_alerts_are_of_borrowers_in_trouble(borrowers: pd.DataFrame) -> None:
    truth = plait.samples.borrowers_oracle(200, 20, seed=1).set_index("borrower")
    found = watch(borrowers, id="borrower", date="month", policy=AlertPolicy(most=5))
    stories = Counter(truth["story"][alert.borrower] for alert in found.alerts if alert.state == "alert")
    assert stories["steady"] <= 0.1 * stories.total()
    day = found.alerts[0].day
    onsets = truth["onset"]
    early = [a for a in found.alerts if a.state == "alert" and pd.Timestamp(a.day) < onsets[a.borrower]]
    assert len(early) <= 3, day


def signal(severity: float, cause: str = "bad news") -> Signal:
    return Signal(cause, severity, "why", "note")


def test_the_budget_goes_to_the_most_urgent() -> None:
    found = {f"B{i}": [signal(1.5 + i / 10)] for i in range(6)}
    made = today("2024-01-31", found, Standing(), AlertPolicy(most=2))
    assert [alert.borrower for alert in made if alert.state == "alert"] == ["B5", "B4"]
    assert {alert.borrower for alert in made if alert.state == "watch"} == {"B0", "B1", "B2", "B3"}


def test_weak_signs_are_watched_and_several_are_an_alert() -> None:
    policy = AlertPolicy()
    (one,) = today("2024-01-31", {"B": [signal(1)]}, Standing(), policy)
    assert one.state == "watch"
    (two,) = today("2024-01-31", {"B": [signal(1), signal(1, "overdrafts")]}, Standing(), policy)
    assert (two.state, two.priority, two.action) == ("alert", 1.5, "review the file")
    assert "person decides" in two.policy
    assert priority([]) == 0


def test_no_second_alert_but_for_something_graver_or_after_a_pause() -> None:
    policy = AlertPolicy(again=40)
    standing = Standing().after(today("2024-01-31", {"B": [signal(2)]}, Standing(), policy))
    assert not today("2024-02-29", {"B": [signal(2)]}, standing, policy)
    assert not today("2024-02-29", {"B": [signal(2, "overdrafts")]}, standing, policy)
    assert today("2024-02-29", {"B": [signal(3)]}, standing, policy)[0].state == "alert"
    assert today("2024-03-31", {"B": [signal(2)]}, standing, policy)[0].state == "alert"


def test_a_borrower_is_cleared_once_nothing_was_seen_for_long() -> None:
    policy = AlertPolicy(clear=60)
    standing = Standing().after(today("2024-01-31", {"B": [signal(2)]}, Standing(), policy))
    standing = standing.noticed("2024-02-29", {"B": [signal(1)]})  # too weak for anything, but there
    assert not today("2024-03-31", {"B": []}, standing, policy)
    (cleared,) = today("2024-04-30", {"B": []}, standing, policy)
    assert (cleared.state, cleared.cause) == ("cleared", "bad news")
    assert not today("2024-05-31", {"B": []}, standing.after([cleared]), policy)


@pytest.mark.parametrize("wrong", [{"most": 0}, {"least": -1}, {"again": -1}, {"clear": 0}])
def test_policies_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        AlertPolicy(**wrong)


def test_a_day_looked_at_twice_adds_nothing(borrowers: pd.DataFrame) -> None:
    first = watch(borrowers, id="borrower", date="month")
    again = watch(borrowers, id="borrower", date="month", ledger=first.ledger)
    assert not again.alerts
    assert again.ledger == first.ledger
    assert again.skipped == len(borrowers) - (borrowers["month"] == borrowers["month"].max()).sum()


def test_month_by_month_is_the_same_as_all_at_once(borrowers: pd.DataFrame) -> None:
    ledger = Ledger()
    for month in sorted(borrowers["month"].unique()):
        seen = borrowers[borrowers["month"] <= month]
        for _ in range(2):
            ledger = watch(seen, id="borrower", date="month", ledger=ledger).ledger
    assert ledger == watch(borrowers, id="borrower", date="month").ledger


def test_new_evidence_of_the_same_day_can_still_alert() -> None:
    calm = history(days_past_due=[0.0, 12.0])
    first = watch(calm, id="who", date="day")
    assert [alert.state for alert in first.alerts] == ["watch"]
    later = watch(calm.assign(days_past_due=[0.0, 45.0]), id="who", date="day", ledger=first.ledger)
    assert [alert.state for alert in later.alerts] == ["alert"]
    assert later.standing == {"B1": "alert"}


def test_a_ledger_survives_a_torn_line(borrowers: pd.DataFrame, tmp_path: Path) -> None:
    whole = watch(borrowers, id="borrower", date="month").ledger
    path = tmp_path / "watch.jsonl"
    whole.write(path)
    assert Ledger.read(path) == whole
    text = path.read_bytes()
    path.write_bytes(text[:-20])
    torn = Ledger.read(path)
    assert torn.torn
    assert torn.alerts == whole.alerts[:-1]
    again = watch(borrowers, id="borrower", date="month", ledger=torn)
    assert again.ledger.alerts == whole.alerts
    again.ledger.write(path)
    assert path.read_bytes() == text
    assert Ledger.read(tmp_path / "none.jsonl") == Ledger()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: ["{", *lines[1:]], "line 1"),
        (lambda lines: [lines[0], '{"borrower": "B"}', *lines[1:]], "line 2"),
        (lambda lines: [*lines, lines[0]], "twice"),
        (lambda lines: [lines[0].replace('"state": "', '"state": "not '), *lines[1:]], "line 1"),
    ],
)
def test_a_damaged_ledger_is_refused(
    borrowers: pd.DataFrame, tmp_path: Path, spoil: Callable[[list[str]], list[str]], said: str
) -> None:
    path = tmp_path / "watch.jsonl"
    watch(borrowers, id="borrower", date="month").ledger.write(path)
    path.write_text("\n".join(spoil(path.read_text().splitlines())) + "\n")
    with pytest.raises(DataError, match=said):
        Ledger.read(path)


def test_an_alert_is_json_and_back(borrowers: pd.DataFrame) -> None:
    for alert in watch(borrowers, id="borrower", date="month").alerts:
        assert Alert.from_json(json.loads(json.dumps(alert.to_json()))) == alert


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"id": "borower"}, "borrower"),
        ({"columns": {"salery": "salary"}}, "salary"),
        ({"columns": {"balance": "note"}}, "no numbers"),
        ({"until": "someday"}, "no date"),
    ],
)
def test_odd_requests_are_refused(borrowers: pd.DataFrame, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, DataError), match=said):
        watch(borrowers, **{"id": "borrower", "date": "month", **arguments})


def test_rows_that_cannot_be_are_refused(borrowers: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="two rows"):
        watch(pd.concat([borrowers, borrowers.tail(1)]), id="borrower", date="month")
    with pytest.raises(DataError, match="numbers"):
        watch(borrowers.assign(month=202401), id="borrower", date="month")
    with pytest.raises(DataError, match="no 'borrower'"):
        watch(borrowers.assign(borrower=None), id="borrower", date="month")
    with pytest.raises(DataError, match="nothing to look at"):
        watch(borrowers, id="borrower", date="month", until="2000-01-01")
    with pytest.raises(DataError, match="nothing to look at"):
        watch(borrowers[["borrower", "month"]], id="borrower", date="month")


@pytest.mark.slow
def test_a_score_that_fell_is_explained_by_what_made_it_fall() -> None:
    loans = plait.samples.loans(n=700, seed=2).drop(columns=["balance", "region", "issued_at"])
    past = loans.iloc[:600]
    config = Config.of({"evidence": {"fusion": "early", "learner": "linear"}})
    model = fit_credit(past.drop(columns="default"), past["default"], config=config, n_jobs=1)
    then = loans.iloc[600:612].drop(columns="default").assign(who=range(12), day="2024-01-31")
    bad = "My name is Jack Miller. I was laid off and have found nothing yet. A collector calls me almost every day."
    letters = [bad] * 6 + then["letter"].tolist()[6:]
    now = then.assign(letter=letters, day="2024-02-29")
    found = watch(pd.concat([then, now], ignore_index=True), id="who", date="day", model=model, fall=15)
    assert found.alerts
    assert {int(alert.borrower) for alert in found.alerts} <= set(range(6))
    told = [alert for alert in found.alerts if alert.state == "alert"]
    assert told
    for alert in told:
        assert (alert.cause, alert.signals[0].column) == ("score fell", "letter")
        assert "by letter -" in alert.signals[0].why
        assert alert.signals[0].place is not None
        assert any(word in alert.signals[0].place.label for word in ("laid off", "collector"))


def test_the_verb(borrowers: pd.DataFrame, run: Callable[..., Any], folder: Path) -> None:
    borrowers.rename(columns={"note": "news"}).to_parquet(folder / "rows.parquet")
    ask = [
        "credit",
        "watch",
        "rows.parquet",
        "--id",
        "borrower",
        "--date",
        "month",
        "--columns",
        "note=news",
        "-o",
        "watch.jsonl",
    ]
    said = run(*ask, "--most", "3", "--until", "2022-12-31")
    assert said.code == 0
    assert "alerts" in said.out
    before = (folder / "watch.jsonl").read_bytes()
    again = run(*ask, "--most", "3", "--until", "2022-12-31", "--json")
    assert again.json["alerts"] == []
    assert (folder / "watch.jsonl").read_bytes() == before
    later = run(*ask, "--most", "3", "--json").json
    per_day = Counter(alert["day"] for alert in later["alerts"] if alert["state"] == "alert")
    assert max(per_day.values()) <= 3
    assert run(*ask, "--terms", "merger=9").code == 2


def test_made_borrowers_are_as_they_are_said_to_be() -> None:
    frame, truth = plait.samples.borrowers(400, 24, seed=3), plait.samples.borrowers_oracle(400, 24, seed=3)
    pd.testing.assert_frame_equal(frame, plait.samples.borrowers(400, 24, seed=3))
    assert set(truth["story"]) == {"steady", "job", "spending", "trouble", "sudden", "scare"}
    assert truth.loc[truth["story"].isin(["steady", "scare"]), "default_month"].isna().all()
    assert truth["lead"].dropna().between(1, 8).all()
    ends = frame.groupby("borrower")["month"].max()
    defaults = truth.set_index("borrower")["default_month"]
    defaulted = defaults.dropna()
    assert (ends[defaulted.index] < defaulted).all()
    assert (ends[defaults.index[defaults.isna()]] == frame["month"].max()).all()
    late = frame[frame["days_past_due"] > 30]
    assert late["default_month"].notna().mean() > 0.8
    with pytest.raises(ValueError, match="months=5"):
        plait.samples.borrowers(10, 5)
