"""Columns that must not decide: known by name and by contents, allowed for a reason, refused when a desk is fitted."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.schema import ColumnSpec, Schema, SideSpec
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.policy.prohibited import ProhibitedSettings, check_columns, refuse_prohibited
from plait.errors import ConfigError

ALL = ProhibitedSettings()
BLOCKED = {
    "sex": "sex",
    "Gender": "sex",
    "personal_status_and_sex": "sex",
    "isFemale": "sex",
    "race": "race",
    "ETHNICITY_CODE": "race",
    "age": "age",
    "age_in_years": "age",
    "applicantAge": "age",
    "loan_applicant_age": "age",
    "date-of-birth": "age",
    "marital_status": "marital",
    "foreign_worker": "origin",
    "union_member": "union",
    "religion": "religion",
    "facebook_friends": "networks",
    "disabled": "health",
    "性别": "sex",
    "民族": "race",
    "婚姻状况": "marital",
    "企业主年龄": "age",
    "政治面貌": "politics",
}
INNOCENT = (
    *("average", "agent", "page", "percentage", "stage", "mortgage", "usage", "wages", "coverage"),
    *("account_age", "age_of_oldest_account", "CreditAge", "vehicle age", "账龄", "企业年龄"),
    *("sextile", "trace", "grace_period", "embrace", "face_value", "credit_union", "good_faith", "minority interest"),
    *("income", "late_payments", "district", "financial_health", "device_fingerprint"),
)


@pytest.mark.parametrize(("name", "ground"), BLOCKED.items())
def test_a_name_tells(name: str, ground: str) -> None:
    (found,) = check_columns([name], ALL)
    assert (found.ground, found.how) == (ground, "name")
    assert found.rules
    assert all(rule.source and rule.says["en"] and rule.says["zh"] for rule in found.rules)


@pytest.mark.parametrize("name", INNOCENT)
def test_a_name_that_only_looks_alike_does_not(name: str) -> None:
    assert not check_columns([name], ALL)


@given(st.sampled_from(["date of birth", "marital status", "skin colour", "country of birth", "trade union"]))
@settings(deadline=None, max_examples=10)
def test_the_way_a_name_is_written_does_not_matter(phrase: str) -> None:
    words = phrase.split()
    written = ["_".join(words), "-".join(words), "".join(map(str.title, words)), " ".join(words).upper()]
    grounds = [check_columns([f"x_{name}_1"], ALL)[0].ground for name in written]
    assert len(set(grounds)) == 1


@pytest.mark.parametrize(
    ("cells", "ground"),
    [
        (["male", "female", None], "sex"),
        (["M", "F", "x"], "sex"),
        (["男", "女"], "sex"),
        (["male : single", "female : divorced"], "sex"),
        (["single", "Married ", "others"], "marital"),
        (["white", "asian", "black"], "race"),
        (["汉族", "回族"], "race"),
        (["white", "black", "red"], None),  # of cars
        (["single", "joint"], None),  # accounts
        (["M", "D", "Y"], None),
        ([1.0, 2.0], None),
        ([["male"], ["female"]], None),
        (["She is a female applicant who asks for a loan to repair a roof"] * 2, None),
    ],
)
def test_contents_tell(cells: list[object], ground: str | None) -> None:
    frame = pd.DataFrame({"v7": pd.Series(cells * 20, dtype=object)})
    found = check_columns(frame.columns, ALL, frame)
    assert [(each.ground, each.how) for each in found] == ([] if ground is None else [(ground, "contents")])


def test_regions_say_whose_rules_hold() -> None:
    american = ProhibitedSettings.of({"regions": "us"})
    assert not check_columns(["weibo_followers", "blood_type"], american)
    (found,) = check_columns(["age"], american)
    assert {rule.region for rule in found.rules} == {"us"}
    assert "1002.6(b)(2)" in str(found)


def test_only_evidence_is_looked_at_long_tables_too() -> None:
    columns = (
        ColumnSpec("age", "sensitive"),
        ColumnSpec("sex", "target"),
        ColumnSpec("customer", "id"),
        ColumnSpec("income", "source", "table"),
        ColumnSpec("payments", "source", "events", side="payments"),
    )
    schema = Schema(columns, (SideSpec("payments", "customer", columns=("amount", "payer_sex")),))
    assert [each.column for each in check_columns(schema, ALL)] == ["payments.payer_sex"]


def test_a_reason_allows_and_is_kept() -> None:
    said = {"allow": {"age": "62 and older are never scored lower"}, "block": {"postcode": "stands for origin"}}
    allowed = ProhibitedSettings.of(said)
    (found,) = check_columns(["age", "income", "postcode"], allowed)
    assert (found.column, found.how) == ("postcode", "settings")
    assert allowed.to_json()["allow"] == said["allow"]
    assert ProhibitedSettings.of(allowed.to_json()) == allowed


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"regions": ["mars"]}, "region 'mars'"),
        ({"regions": []}, "one or more of us, eu, china"),
        ({"regions": None}, "one or more of us, eu, china"),
        ({"allowed": {}}, "did you mean 'allow'"),
        ({"allow": ["age"]}, "with reasons"),
        ({"allow": {"age": " "}}, "a reason in words"),
    ],
)
def test_mistakes_are_told(said: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        ProhibitedSettings.of(said)


def test_what_allows_nothing_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="allow: unknown blocked column 'agee'"):
        check_columns(["age"], ProhibitedSettings.of({"allow": {"agee": "a slip"}}))


def test_the_refusal_names_column_rule_and_both_ways_out() -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_prohibited(["income", "age", "sex"], ALL)
    told = str(caught.value)
    assert "\n" not in told
    for part in ("'age'", "'sex'", "1002.6(b)(2)", "--sensitive age,sex", "allow: {age: WHY}", "check with counsel"):
        assert part in told
    refuse_prohibited(["income"], ALL)


def test_a_desk_is_not_fitted_on_such_columns() -> None:
    frame = pd.DataFrame({"income": [1.0, 2.0] * 20, "v": ["male", "female"] * 20, "bad": [0, 1, 1, 0] * 10})
    with pytest.raises(ConfigError, match=r"'v' \(sex, by what it holds"):
        fit_credit(frame, frame["bad"], config=Config.of({}))
