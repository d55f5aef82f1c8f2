"""Inspection: what is said about each column, and which columns give the target away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.data.quality import Inspection, inspect
from plait.data.read import read
from plait.data.schema import ColumnSpec, Schema
from plait.errors import SchemaError

N = 400


def told(inspection: Inspection) -> dict[str, str]:
    return {report.name: "; ".join(report.warnings) for report in inspection.columns}


def frame() -> tuple[pd.DataFrame, np.random.Generator]:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"bad": rng.integers(0, 2, N), "income": rng.normal(size=N)}), rng


def test_reports_shares_counts_and_examples() -> None:
    made = pd.DataFrame(
        {
            "income": [1.5, np.nan, 2.0, 1.5],
            "day": pd.to_datetime(["2011-07-01", "2011-07-02", None, None]),
            "words": ["a  long\nletter " * 9, "b", None, "b"],
            "list": [[1, 2], [1, 2], None, [3]],
            "span": pd.to_timedelta(["1D", "2D", None, None]),
        }
    )
    seen = inspect(made, ignore=["words", "list", "span"])
    rows = {row["column"]: row for row in seen.rows()}
    assert rows["income"] | {"warnings": ""} == {
        "column": "income",
        "role": "source",
        "modality": "table",
        "missing": "25.0%",
        "distinct": "2",
        "examples": "1.5 | 2",
        "warnings": "",
    }
    assert rows["day"]["examples"] == "2011-07-01 | 2011-07-02"
    assert rows["words"]["examples"].startswith("a long letter a long")
    assert rows["list"]["examples"] == "[1, 2] | [3]"
    assert rows["list"]["distinct"] == ""
    assert rows["span"]["examples"] == "1 days 00:00:00 | 2 days 00:00:00"
    assert json.loads(json.dumps(seen.to_json(), allow_nan=False))["rows"] == 4


def test_finds_constants_identifiers_infinities_mixtures_and_twins() -> None:
    made, _ = frame()
    made = made.assign(
        same="x",
        loan_id=np.arange(N)[::-1],
        customer_id=np.arange(N) // 2,
        wide=np.where(np.arange(N) < 3, np.inf, made["income"]),
        mixed=[1, "a"] * (N // 2),
        copy=made["income"],
    )
    says = told(inspect(made, target="bad"))
    assert says["bad"] == says["income"] == ""
    assert says["same"] == "the same value in every row"
    assert says["loan_id"] == "unique, and named as an identifier"
    assert "is it the group?" in says["customer_id"]
    assert says["wide"] == "3 infinite values"
    assert says["mixed"] == "mixed types: 200 number, 200 str"
    assert says["copy"] == "same content as 'income'"


def test_finds_columns_that_give_a_class_away() -> None:
    made, rng = frame()
    bad = made["bad"].to_numpy()
    many = rng.integers(0, 40, N)
    made = made.assign(
        renamed=np.where(bad, "gone", "fine"),
        noisy=np.where(np.arange(N) < 2, 1 - bad, bad),
        score=-bad + 0.2 * rng.normal(size=N),
        parts=[f"{label}{part}" for label, part in zip(bad, many % 7, strict=True)],
        paid=pd.Series(np.where(bad == 1, 5.0, np.nan)).where(rng.random(N) < 0.999),
        recovered=np.where((bad == 1) & (rng.random(N) < 0.5), rng.random(N), 0.0),
        honest=bad + 2.0 * rng.normal(size=N),
        branch=[f"b{value}" for value in many],
        alone=rng.permutation([f"c{value // 2}" for value in range(N)]),
    )
    says = told(inspect(made, target="bad"))
    leaks = {name for name, warning in says.items() if "likely leak" in warning}
    assert leaks == {"renamed", "noisy", "score", "parts", "paid", "recovered"}
    assert "missing" in says["paid"]
    assert "extreme values" in says["recovered"]


def test_finds_columns_that_give_one_of_many_classes_or_a_value_away() -> None:
    made, rng = frame()
    grade = rng.choice(["a", "b", "c"], N)
    value = rng.normal(size=N)
    classes = made[["income"]].assign(grade=grade, flag=np.where(grade == "b", "y", "n"))
    assert "likely leak" in told(inspect(classes, target="grade"))["flag"]
    values = made[["income"]].assign(value=value, cubed=-(value**3), near=value + rng.normal(size=N))
    says = told(inspect(values, target="value"))
    assert "likely leak" in says["cubed"]
    assert says["near"] == says["income"] == ""


@pytest.mark.parametrize("labels", [[0, 1], [0] * 9 + [1]])
def test_noise_is_no_leak(labels: list[int]) -> None:
    rng = np.random.default_rng(1)
    made = pd.DataFrame({f"n{i}": rng.normal(size=60) for i in range(20)})
    made = made.assign(**{f"c{i}": rng.integers(0, 20, 60) for i in range(20)})
    made["bad"] = rng.permutation(np.resize(labels, 60))
    assert not any("likely leak" in warning for warning in told(inspect(made, target="bad")).values())


@pytest.mark.parametrize(
    ("column", "role", "says"),
    [
        ([1] * 40, "target", "one class only"),
        ([np.nan] * 40, "target", "no target in any row"),
        ([np.inf] + [0.5] * 39, "target", "1 infinite values"),
        ([None] + ["a", "b", "c"] * 13, "target", "missing in 1 rows"),
        (["soon"] * 40, "time", "'soon' does not parse"),
        ([np.nan] + [1.0] * 39, "time", "missing in 1 rows"),
        ([1] * 40, "id", "not unique"),
        ([-1.0] * 40, "weight", "finite and not negative"),
    ],
)
def test_warns_of_roles_that_cannot_work(column: list[object], role: str, says: str) -> None:
    made = pd.DataFrame({"it": column, "income": np.arange(40) % 7})
    assert says in told(inspect(made, **{role: "it"}))["it"]  # type: ignore[arg-type]


def test_frames_without_rows_or_with_one() -> None:
    made, _ = frame()
    assert "the frame has no rows" in inspect(made.head(0), target="bad").warnings
    assert len(inspect(made.head(1), target="bad").columns) == 2
    assert inspect(pd.DataFrame({"a": [None]})).warnings[0].startswith("no column is evidence")


def test_a_given_schema_is_taken_as_said() -> None:
    made, _ = frame()
    schema = Schema((ColumnSpec("income", "ignored"), ColumnSpec("gone", "source", "table")))
    seen = inspect(made, schema)
    assert told(seen)["bad"] == "not in the schema"
    assert any("'gone'" in warning for warning in seen.warnings)
    with pytest.raises(SchemaError, match="name the roles in the schema"):
        inspect(made, schema, target="bad")


@pytest.mark.realdata
def test_the_length_of_a_call_stands_out_as_what_is_known_after_it() -> None:
    folder = os.environ.get("PLAIT_DATA")
    if folder is None:
        pytest.skip("PLAIT_DATA names no folder of real data")
    found = inspect(read(Path(folder) / "bank_marketing" / "bank.parquet"), target="y", read_rows=0).findings
    assert [(f.kind, f.columns, f.severity) for f in found] == [("stands_out", ("duration",), "note")]


@pytest.mark.realdata
def test_finds_the_leak_in_lendingclub() -> None:
    folder = os.environ.get("PLAIT_DATA")
    if folder is None:
        pytest.skip("PLAIT_DATA names no folder of real data")
    made = read(Path(folder) / "lendingclub" / "loans.parquet")
    made = made[made["loan_status"].isin(["Fully Paid", "Charged Off"])]
    says = told(inspect(made, target="loan_status", time="issue_d"))
    assert [name for name, warning in says.items() if "likely leak" in warning] == ["recoveries"]
