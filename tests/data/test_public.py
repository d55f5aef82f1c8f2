"""Public data: made files with the same columns, and the real ones where PLAIT_DATA says they are."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from plait.data import public
from plait.errors import DataError

LOADERS = [public.lendingclub, public.german_credit, public.taiwan_credit, public.bank_marketing]


@pytest.fixture
def lendingclub(tmp_path):
    (tmp_path / "lendingclub").mkdir()
    frame = pd.DataFrame(
        {
            "loan_amnt": [100, 200, 300, 400],
            "term": ["36", "60", "36", "36"],
            "int_rate": 0.1,
            "installment": 9.0,
            "grade": "A",
            "sub_grade": "A1",
            "issue_d": pd.to_datetime(["2011-07-01", "2009-02-01", "2010-01-01", "2011-06-01"]).astype(
                "datetime64[ms]"
            ),
            "earliest_cr_line": pd.to_datetime(["1999-01-01", None, "2000-01-01", "2001-01-01"]),
            "loan_status": [
                "Fully Paid",
                "Charged Off",
                "Does not meet the credit policy. Status:Fully Paid",
                "Fully Paid",
            ],
            "desc": ["Borrower added on 01/31/10 > For a car &amp; a boat<br/>Thanks", "  ", None, "<br>plain"],
            "issue_year": 2010,
            "total_pymnt": 1.0,
            "recoveries": 0.0,
        }
    )
    frame.to_parquet(tmp_path / "lendingclub" / "loans.parquet")
    return tmp_path


def test_lendingclub_leaves_out_what_came_later(lendingclub):
    data = public.lendingclub(lendingclub)
    assert (data.target, data.time, data.label_time) == ("charged_off", "issue_d", "outcome_known")
    assert set(data.frame.columns) == {
        *("loan_amnt", "term", "issue_d", "earliest_cr_line", "desc", "outcome_known", "charged_off")
    }
    assert data.frame["charged_off"].tolist() == [1, 0, 0]
    assert data.frame["desc"].tolist() == [None, "plain", "For a car & a boat Thanks"]
    assert data.frame["outcome_known"].astype(str).tolist() == ["2014-02-01", "2014-06-01", "2014-07-01"]
    assert (len(data.train), len(data.test)) == (2, 1)
    assert "total_pymnt" in data.notes


def test_lendingclub_keeps_the_rate_when_asked(lendingclub):
    rated = public.lendingclub(lendingclub, with_rate=True).frame
    assert {"grade", "sub_grade", "int_rate", "installment"} < set(rated.columns)
    assert not {"total_pymnt", "recoveries", "loan_status", "issue_year"} & set(rated.columns)


def test_german_credit(tmp_path):
    (tmp_path / "german_credit").mkdir()
    made = pd.DataFrame({"duration_in_month": [6, 12], "housing": ["own", "rent"], "creditability": ["good", "bad"]})
    made.to_csv(tmp_path / "german_credit" / "germancredit.csv", index=False)
    data = public.german_credit(tmp_path)
    assert data.frame["bad"].tolist() == [0, 1]
    assert "creditability" not in data.frame
    with pytest.raises(DataError, match="no reference split"):
        _ = data.train


def test_taiwan_credit_has_readable_names(tmp_path):
    (tmp_path / "taiwan_credit").mkdir()
    made = pd.DataFrame({"ID": [1, 2], **{f"X{i}": [i, 0] for i in range(1, 24)}, "Y": [0, 1]})
    made["X2"] = [2, 1]
    made.to_parquet(tmp_path / "taiwan_credit" / "clients.parquet")
    frame = public.taiwan_credit(tmp_path).frame
    assert not [name for name in frame.columns if name.startswith("X")]
    assert frame["sex"].tolist() == ["female", "male"]
    assert frame["education"].tolist() == ["high school", "undocumented"]
    first = frame.iloc[0]
    assert (first["repayment_status_sep"], first["repayment_status_apr"]) == (6, 11)
    assert (first["bill_sep"], first["bill_apr"], first["paid_sep"], first["paid_apr"]) == (12, 17, 18, 23)


def test_bank_marketing_is_in_order_and_without_duration(tmp_path):
    (tmp_path / "bank_marketing").mkdir()
    made = pd.DataFrame({"age": range(10), "duration": 5, "y": ["no"] * 9 + ["yes"]})
    made.to_parquet(tmp_path / "bank_marketing" / "bank.parquet")
    data = public.bank_marketing(tmp_path)
    assert data.frame.columns.tolist() == ["call_order", "age", "subscribed"]
    assert data.test["call_order"].tolist() == [8, 9]
    assert data.test["subscribed"].tolist() == [0, 1]


def test_banking77_knows_its_test_file(tmp_path):
    (tmp_path / "banking77").mkdir()
    for name, text in (("train", "where is my card"), ("test", "card lost")):
        pd.DataFrame({"text": [text], "category": ["card"]}).to_csv(tmp_path / "banking77" / f"{name}.csv", index=False)
    data = public.banking77(tmp_path)
    assert (data.train["message"].tolist(), data.test["message"].tolist()) == (["where is my card"], ["card lost"])


@pytest.mark.parametrize("load", [*LOADERS, public.banking77])
def test_what_is_not_there_is_told(load, tmp_path, monkeypatch):
    monkeypatch.delenv("PLAIT_DATA", raising=False)
    with pytest.raises(DataError, match="set the environment variable PLAIT_DATA"):
        load()
    with pytest.raises(DataError, match="argument `folder`"):
        load(tmp_path)
    monkeypatch.setenv("PLAIT_DATA", str(tmp_path))
    with pytest.raises(DataError, match="came from the environment variable PLAIT_DATA"):
        load()


def test_damaged_and_other_files_are_told(tmp_path):
    (tmp_path / "bank_marketing").mkdir()
    path = tmp_path / "bank_marketing" / "bank.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        public.bank_marketing(tmp_path)
    pd.DataFrame({"age": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="lacks the columns duration, y"):
        public.bank_marketing(tmp_path)


@pytest.fixture
def real() -> str:
    folder = os.environ.get("PLAIT_DATA")
    if not folder:
        pytest.skip("PLAIT_DATA does not name the folder of public data")
    return folder


@pytest.mark.realdata
def test_real_lendingclub(real):
    data = public.lendingclub(real)
    assert (len(data.train), len(data.test)) == (27_293, 12_493)
    assert data.test["charged_off"].mean() == pytest.approx(0.156, abs=0.001)
    assert not data.frame["desc"].str.contains(r"<br|Borrower added on", na=False).any()
    known = data.frame["outcome_known"] < pd.Timestamp("2011-07-01")
    assert known.sum() == 1124
    np.testing.assert_array_equal(data.frame["issue_d"], data.frame["issue_d"].sort_values())


@pytest.mark.realdata
def test_real_banking77(real):
    data = public.banking77(real)
    assert (len(data.train), len(data.test), data.frame["category"].nunique()) == (10_003, 3_080, 77)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("load", "rows", "rate"), list(zip(LOADERS[1:], (1000, 30_000, 45_211), (0.3, 0.2212, 0.117), strict=True))
)
def test_real_data_has_the_documented_size_and_rate(load, rows, rate, real):
    data = load(real)
    assert len(data.frame) == rows
    assert data.frame[data.target].mean() == pytest.approx(rate, abs=1e-4)
