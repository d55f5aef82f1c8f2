"""Leaks of every kind are named where they are planted, and what merely looks like one is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import plait
from benchmarks.judgement.leaks import LEAKS, PLANTS, findings, named
from plait.data.asof import side
from plait.data.findings import Finding
from plait.data.quality import across, inspect, leaking
from plait.data.schema import Schema


def kinds(found: tuple[Finding, ...], *severities: str) -> set[tuple[str, str]]:
    return {(f.kind, f.columns[0] if f.columns else "") for f in found if f.severity in (severities or LEAKS)}


@pytest.mark.parametrize("what", PLANTS)
def test_planted_leaks_are_named(what: str) -> None:
    assert named(PLANTS[what](np.random.default_rng(7)), 7)


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_is_said_of_clean_data(seed: int) -> None:
    assert findings(plait.samples.loans(1000, seed=seed), "default", seed) == ()
    assert findings(plait.samples.mixed(1000, seed=seed), "outcome", seed) == ()


def test_means_computed_on_other_rows_are_no_leak() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 80, 4000)
    bad = (rng.random(4000) < rng.beta(2, 6, 80)[group]).astype(int)
    frame = pd.DataFrame({"bad": bad, "group": [f"g{code}" for code in group], "n": rng.normal(size=4000)})
    earlier, later = frame.iloc[:2000], frame.iloc[2000:]
    honest = later.assign(rate=later["group"].map(earlier.groupby("group")["bad"].mean()))
    half = np.arange(2000) % 2
    folded = later.assign(rate=0.0)
    for fold in (0, 1):
        means = later[half != fold].groupby("group")["bad"].mean()
        folded.loc[half == fold, "rate"] = later.loc[half == fold, "group"].map(means).fillna(bad.mean())
    own = later.assign(rate=later.groupby("group")["bad"].transform("mean"))
    counted = later.assign(rate=later.groupby("group")["bad"].transform("sum"))
    for clean in (honest, folded):
        assert kinds(inspect(clean, target="bad").findings) == set()
    for leaky in (own, counted):
        assert ("target_mean", "rate") in kinds(inspect(leaky, target="bad").findings)


def test_due_dates_are_noted_and_dates_before_are_not() -> None:
    loans = plait.samples.loans(600, seed=2)
    days = np.random.default_rng(0).integers(100, 4000, 600).astype("timedelta64[D]")
    made = loans.assign(
        due=[
            issued + pd.DateOffset(months=int(term))
            for issued, term in zip(loans["issued_at"], loans["term"], strict=True)
        ],
        first_account=(loans["issued_at"] - days).dt.strftime("%d.%m.%Y"),
    )
    found = inspect(made, target="default", time="issued_at").findings
    assert kinds(found, "note", "leak", "warning") == {("future", "due")}


def test_nested_items_without_a_time_of_the_row_are_noted() -> None:
    cells = [[{"time": f"2024-01-{day:02d}", "paid": float(day)} for day in range(1, 9)] for _ in range(60)]
    made = pd.DataFrame({"payments": cells, "amount": np.random.default_rng(0).normal(size=60)})
    found = inspect(made).findings
    assert kinds(found, "note") == {("future", "payments")}
    assert "name the time" in found[0].said


def test_long_tables_are_asked_for_their_time() -> None:
    rows = pd.DataFrame({"client": np.arange(50) % 10, "at": pd.date_range("2024-03-01", periods=50, freq="D")})
    rows["bad"] = np.arange(50) % 2
    days = pd.date_range("2024-01-01", periods=300, freq="D")
    long = pd.DataFrame({"client": np.arange(300) % 10, "day": days, "paid": np.arange(300.0)})
    for key, role, says in (
        (None, "at", "no column is its time"),
        ("day", None, "rows have none"),
        ("day", "at", "are not read"),
    ):
        table = side("paid", long, "client", key)
        found = inspect(rows, target="bad", time=role, sides={"paid": table}).findings
        assert [says in f.said for f in found if f.columns[:1] == ("paid",)] == [True]


def test_a_split_tells_copies_groups_and_long_texts() -> None:
    rng = np.random.default_rng(3)
    said = [" ".join(rng.choice(["loan", "late", "paid", "bank", "fee", "call"], 30)) for _ in range(400)]
    frame = pd.DataFrame(
        {"customer": rng.integers(0, 60, 400), "amount": rng.normal(size=400), "said": said, "bad": np.arange(400) % 2}
    )
    schema = Schema.infer(frame, target="bad")
    train, test = frame.iloc[:300], frame.iloc[300:]
    assert kinds(across(train, test, schema)) == {("shared_group", "customer")}
    grouped = Schema.infer(frame, target="bad", group="customer")
    assert [f.severity for f in across(train, test, grouped)] == ["leak"]
    apart = frame["customer"] < 45
    assert across(frame[apart], frame[~apart], grouped) == ()
    copied = test.assign(said=train["said"].to_numpy()[:100])
    assert ("repeated_rows", "said") in kinds(across(train, copied, schema))
    again = pd.concat([test, train.head(5)])
    found = next(f for f in across(train, again, schema) if f.kind == "repeated_rows")
    assert found.evidence == {"rows": 5, "exact": 5, "share": round(5 / 105, 4)}


def test_rows_alike_by_chance_are_no_copies() -> None:
    rng = np.random.default_rng(4)
    few = pd.DataFrame({name: rng.choice(["a", "b", "c"], 3000) for name in "pqrs"}).assign(
        bad=rng.integers(0, 2, 3000)
    )
    idle = pd.DataFrame(rng.gamma(1.0, 900.0, (3000, 9)).round(), columns=[f"bill{k}" for k in range(9)])
    idle[rng.random(3000) < 0.2] = 0.0
    idle["limit"] = rng.choice([10_000.0, 20_000.0, 50_000.0], 3000)
    for frame in (few, idle.assign(bad=few["bad"])):
        schema = Schema.infer(frame, target="bad")
        assert across(frame.iloc[:2000], frame.iloc[2000:], schema) == ()


def test_order_by_time_is_no_order_by_target() -> None:
    loans = plait.samples.loans(600, seed=5)
    late = loans.assign(default=(np.arange(600) > 400).astype(int))
    assert ("target_order", "") not in kinds(inspect(late, target="default", time="issued_at").findings)
    assert ("target_order", "") in kinds(inspect(late.drop(columns="issued_at"), target="default").findings)


def test_few_rows_and_no_test_are_no_trouble() -> None:
    loans = plait.samples.loans(40, seed=6)
    schema = Schema.infer(loans, target="default", time="issued_at")
    for rows in (0, 1, 2, 40):
        assert leaking(loans.head(rows), None, schema) == ()
        assert leaking(loans.head(rows), loans.head(0), schema) == ()


def test_findings_are_texts_and_json() -> None:
    finding = Finding("target_copy", ("a", "b"), "leak", "alone", {"auc": 1.0})
    assert str(finding) == "a, b: alone"
    assert finding.to_json() == {
        "kind": "target_copy",
        "columns": ["a", "b"],
        "severity": "leak",
        "said": "alone",
        "evidence": {"auc": 1.0},
    }
