"""A hurried user at the command line: a right answer, or one clear line and exit code 2; never a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import plait
from plait.cli import main


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    error: str


def said(folder: Path, command: str) -> Said:
    """Run ``plait credit ...`` in a folder."""
    out, error = io.StringIO(), io.StringIO()
    heard = contextlib.redirect_stdout(out), contextlib.redirect_stderr(error)
    with contextlib.chdir(folder), heard[0], heard[1], pytest.raises(SystemExit) as left:
        main(["credit", *shlex.split(command)])
    code = left.value.code or 0
    assert isinstance(code, int)
    return Said(code, out.getvalue(), error.getvalue())


def refused(folder: Path, command: str) -> str:
    """The one line that a command ends in."""
    code, out, error = said(folder, command)
    assert (code, out) == (2, ""), error
    (line,) = error.strip().splitlines()
    return line


def answered(folder: Path, command: str) -> str:
    code, out, error = said(folder, command)
    assert code == 0, error
    assert "nan" not in out.lower().replace("finan", "").split()
    return out


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with loans, a run on them, and tables for the other verbs."""
    folder = tmp_path_factory.mktemp("desk")
    loans = plait.samples.loans(400, seed=0)
    loans.to_parquet(folder / "loans.parquet")
    loans.iloc[:1].to_parquet(folder / "one.parquet")
    loans.iloc[:0].to_parquet(folder / "none.parquet")
    fast = "evidence: {fusion: early, learner: linear}"
    (folder / "credit.yaml").write_text(fast)
    (folder / "full.yaml").write_text("policy: {approve_below: 0.9, capacity: 3}")
    fit = "fit loans.parquet --target default --time issued_at --config credit.yaml --jobs 1 --test 0 -o run"
    assert said(folder, fit).code == 0
    return folder


def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    frame.to_parquet(folder / f"{name}.parquet")


def book() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"pd": rng.beta(1, 20, 30), "ead": rng.lognormal(9, 1, 30), "rate": 0.05, "months": 24})


def test_rates_in_percent_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "book", book().assign(rate=5.0))
    assert "0.08 for 8%" in refused(tmp_path, "stage book.parquet")
    assert "0.08 for 8%" in refused(tmp_path, "loss book.parquet --rate 5 --months 24")


def test_a_missing_pd_is_called_missing(tmp_path: Path) -> None:
    rows = book()
    rows.loc[2, "pd"] = np.nan
    write(tmp_path, "book", rows)
    assert "pd ('pd') is missing in row 2" in refused(tmp_path, "loss book.parquet")


@pytest.mark.parametrize("rows", [0, 40])
def test_a_panel_needs_grades(tmp_path: Path, rows: int) -> None:
    panel = plait.samples.ratings(20, 12, seed=0).iloc[:rows].assign(grade=None)
    write(tmp_path, "panel", panel)
    assert "holds no grade" in refused(tmp_path, "migrate panel.parquet --id firm --date month --grade grade")


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("balance", "none", "'balance' holds no numbers"),
        ("note", 3.0, "'note' holds no words"),
        ("balance", np.inf, "'balance' holds infinity in"),
    ],
)
def test_evidence_that_cannot_be_read_is_not_passed_over(tmp_path: Path, column: str, cell: Any, told: str) -> None:
    write(tmp_path, "rows", plait.samples.borrowers(8, 12, seed=0).assign(**{column: cell}))
    watch = "watch rows.parquet --id borrower --date month -o ledger.jsonl"
    assert told in refused(tmp_path, watch)
    assert not (tmp_path / "ledger.jsonl").exists()


def test_vintages_of_loans_that_none_defaulted(tmp_path: Path) -> None:
    loans = plait.samples.loan_book(80, seed=0).assign(defaulted_at=pd.NaT)
    write(tmp_path, "book", loans)
    vintage = "vintage book.parquet --opened opened --defaulted defaulted_at"
    assert "no loan has defaulted" in answered(tmp_path, vintage)
    assert "age=9999 is out of range" in refused(tmp_path, f"{vintage} --age 9999")


def test_companies_without_a_score_of_altman(tmp_path: Path) -> None:
    firms = plait.samples.companies(20, seed=0)
    write(tmp_path, "firms", firms)
    write(tmp_path, "endless", firms.assign(sales=np.inf))
    answered(tmp_path, "company firms.parquet --altman public")
    assert "sales ('sales') is infinite in 40 row(s)" in refused(tmp_path, "company endless.parquet")


@pytest.mark.parametrize("verb", ["score", "decide", "reasons", "policy", "grade", "monitor"])
def test_the_data_is_never_written_over(desk: Path, verb: str) -> None:
    before = (desk / "loans.parquet").read_bytes()
    assert "would be lost" in refused(desk, f"{verb} run loans.parquet -o loans.parquet")
    assert (desk / "loans.parquet").read_bytes() == before


def test_numbers_that_are_none_are_refused(desk: Path) -> None:
    assert "--cut-off nan is no number" in refused(desk, "reasons run loans.parquet --cut-off nan")
    assert "--cut-off inf is no number" in refused(desk, "reasons run loans.parquet --cut-off inf")
    assert "--margin" in refused(desk, "lift run loans.parquet --amount amount --margin nan")


def test_one_row_is_told_without_nan(desk: Path) -> None:
    answered(desk, "policy run one.parquet")
    answered(desk, "swap run one.parquet --approval 0")
    answered(desk, "monitor run one.parquet --target default --time issued_at")


@pytest.mark.parametrize("verb", ["score", "grade", "decide --policy full.yaml"])
def test_no_rows_are_nothing_to_score(desk: Path, verb: str) -> None:
    name, _, rest = verb.partition(" ")
    assert "there are no rows" in refused(desk, f"{name} run none.parquet {rest}")


def test_a_missing_cut_off_says_where_to_write_it(desk: Path) -> None:
    line = refused(desk, "decide run loans.parquet")
    assert "approve_below" in line
    assert "credit.yaml" in line


def test_cut_offs_of_a_policy_are_probabilities(desk: Path) -> None:
    told = json.loads(said(desk, "policy run loans.parquet --json").out)["trade_off"]["curves"][0]
    assert told["name"] == "blend"
    assert 0 < min(told["cut_offs"]) < max(told["cut_offs"]) < 1


def test_half_a_row_is_no_capacity(desk: Path) -> None:
    (desk / "half.yaml").write_text("policy: {approve_below: 0.2, capacity: 2.5}")
    assert "capacity is a share up to 1 or a whole number" in refused(desk, "decide run one.parquet --policy half.yaml")


def test_who_is_crowded_out_is_told_so(desk: Path) -> None:
    told = answered(desk, "decide run loans.parquet --policy full.yaml --without-reasons")
    assert "less risky applications fill the capacity" in told


def test_places_are_looked_for_where_that_is_asked(desk: Path) -> None:
    def places(options: str) -> int:
        told = json.loads(said(desk, f"decide run few.parquet --policy full.yaml --json {options}").out)
        return sum(len(reason["places"]) for each in told["decisions"] for reason in each["reasons"])

    pd.read_parquet(desk / "loans.parquet").iloc[:20].to_parquet(desk / "few.parquet")
    assert places("") == 0
    assert places("--places") > 0


def test_the_cut_off_is_said_though_all_are_above_it(desk: Path) -> None:
    assert "below the cut-off of 20 points" in answered(desk, "reasons run loans.parquet --cut-off 20")


def test_reasons_are_written_as_what_their_name_says(desk: Path) -> None:
    assert "'.csv'" in refused(desk, "reasons run loans.parquet -o reasons.csv")
    assert not (desk / "reasons.csv").exists()


def test_outcomes_that_are_known_in_part_are_not_called_unknown(desk: Path) -> None:
    rows = pd.read_parquet(desk / "loans.parquet")
    rows["default"] = rows["default"].where(np.arange(len(rows)) % 3 > 0)
    write(desk, "gaps", rows)
    assert "no outcomes are known" not in answered(desk, "monitor run gaps.parquet --target default")
    assert "no outcomes are known" in answered(desk, "monitor run loans.parquet")


def test_an_encoding_is_only_blamed_on_what_it_is(desk: Path) -> None:
    (desk / "rows.csv").write_text("income,letter\n1,我的账单 – fine\n", "utf-8")
    assert "--encoding utf-8" in refused(desk, "score run rows.csv --encoding ascii")


def test_weights_are_numbers(desk: Path) -> None:
    fit = "scorecard loans.parquet --target default -o card"
    assert "weight" in refused(desk, f"{fit} --weight purpose")


@pytest.mark.parametrize("setting", ["labels: {incme: X}", "fixed: [incme]", "codes: {income: no_such_code}"])
def test_reasons_are_checked_before_the_work(desk: Path, setting: str) -> None:
    (desk / "typo.yaml").write_text(f"reasons: {{{setting}}}")
    assert "in reasons" in refused(desk, "fit loans.parquet --target default --config typo.yaml --jobs 1 -o typo")
    assert not (desk / "typo" / "credit.json").exists()
