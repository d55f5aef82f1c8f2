"""Made data: the promises of their docstrings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plait.data import samples


def auc(y, score) -> float:
    ranks = pd.Series(score).rank().to_numpy()
    ones = y.sum()
    return (ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones))


@pytest.fixture(scope="module")
def many() -> tuple[pd.DataFrame, pd.DataFrame]:
    return samples.loans(20_000, seed=1), samples.loans_oracle(20_000, seed=1)


def test_same_seed_same_frame():
    pd.testing.assert_frame_equal(samples.loans(300, seed=5), samples.loans(300, seed=5))
    pd.testing.assert_frame_equal(samples.mixed(300, seed=5), samples.mixed(300, seed=5))
    assert not samples.loans(300, seed=5).equals(samples.loans(300, seed=6))


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_rows(n):
    assert len(samples.loans(n)) == len(samples.loans_oracle(n)) == len(samples.mixed(n)) == n


def test_loans_are_as_documented(many):
    loans, _ = many
    assert loans["issued_at"].dtype == "datetime64[ns]"
    assert loans["issued_at"].is_monotonic_increasing
    assert loans["issued_at"].dt.year.unique().tolist() == [2022, 2023, 2024]
    assert 0.18 < loans["default"].mean() < 0.22
    missing = loans.isna().mean()
    for column, share in (("letter", 0.1), ("balance", 0.1), ("employment_years", 0.08), ("account_months", 0.05)):
        assert missing[column] == pytest.approx(share, abs=0.01)
    assert missing.drop(["letter", "balance", "employment_years", "account_months"]).sum() == 0
    lengths = loans["balance"].dropna().map(len)
    assert (lengths.min(), lengths.max()) == (12, 36)
    assert min(map(min, loans["balance"].dropna())) > 0


def test_letters_are_short_and_in_two_languages(many):
    letters = many[0]["letter"].dropna()
    chinese = ~letters.str.contains("[a-z]")
    assert 0.17 < chinese.mean() < 0.23
    words = letters[~chinese].str.split().str.len()
    assert (words.min(), words.max()) >= (20, 50)
    assert words.max() <= 64


def test_the_signal_is_divided_and_the_oracle_documented(many):
    loans, oracle = many
    y = loans["default"].to_numpy()
    documented = {"probability": 0.858, "from_columns": 0.698, "from_letter": 0.706, "from_balance": 0.705}
    for column, value in documented.items():
        assert auc(y, oracle[column]) == pytest.approx(value, abs=0.015)
        assert f"{value:.3f}"[1:] in (samples.loans.__doc__ or "")
    parts = oracle.drop(columns="probability")
    assert np.abs(parts.corr().to_numpy() - np.eye(4)).max() < 0.03
    np.testing.assert_allclose(oracle["probability"], 1 / (1 + np.exp(-parts.sum(axis=1))))


def test_loans_survive_parquet_and_concat(tmp_path):
    loans = samples.loans(50)
    loans.to_parquet(tmp_path / "loans.parquet")
    again = pd.read_parquet(tmp_path / "loans.parquet")
    assert again["balance"].dropna().map(list).tolist() == loans["balance"].dropna().tolist()
    assert len(pd.concat([loans, again])) == 100


def test_mixed_is_as_documented():
    frame = samples.mixed(5000)
    assert [frame[f"category{i}"].nunique() for i in range(3)] == [3, 10, 30]
    assert 150 < frame["category4"].nunique() <= 200
    assert set(frame["note"].str.split().str.len()) == {30}
    assert 0.4 < frame["outcome"].mean() < 0.6
    product = (frame["number2"] * frame["number3"]).to_numpy()
    y = frame["outcome"].to_numpy()
    assert auc(y, product) > 0.58
    assert abs(auc(y, frame["number2"]) - 0.5) < 0.03
