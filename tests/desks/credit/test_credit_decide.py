"""Decisions, the gate and the search for alternatives, on a desk that was fitted on biased outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.contracts import Reason, Rows
from plait.data import samples
from plait.data.division import divide
from plait.data.schema import ColumnSpec, Schema
from plait.desks.credit import DESK
from plait.desks.credit.config import Config
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.model import CreditModel, load
from plait.desks.credit.policy.alternatives import Search, schema_of
from plait.desks.credit.policy.decide import decide
from plait.desks.credit.policy.gate import judge_approvals
from plait.desks.credit.policy.observed import Observed
from plait.desks.credit.policy.ranges import Ranges
from plait.desks.credit.policy.settings import PolicySettings
from plait.errors import ConfigError, DataError

SETTINGS = {
    "evidence": {"fusion": "early", "learner": "linear"},
    "policy": {"approve_below": 0.3, "refer": [0.25, 0.4], "handover": {"faults": False, "outside": False}},
}
N, TRAIN = 1600, 1000


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    frame = samples.biased(N, 3)
    return frame.assign(applicant=[f"A{i}" for i in range(N)])


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> CreditModel:
    schema = Schema.infer(rows, target="default", sensitive=["origin", "age"], id="applicant")
    train = rows.iloc[:TRAIN]
    return fit_credit(train, train["default"], schema=schema, config=Config.of(SETTINGS), n_jobs=1)


@pytest.fixture(scope="module")
def later(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.iloc[TRAIN:].reset_index(drop=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: CreditModel, rows: pd.DataFrame) -> Path:
    """A saved desk, and files of earlier and later rows."""
    place = tmp_path_factory.mktemp("desk")
    model.save(place / "run")
    rows.iloc[TRAIN:].to_parquet(place / "later.parquet")
    rows.iloc[:TRAIN].to_parquet(place / "earlier.parquet")
    return place


def policy(**said: object) -> PolicySettings:
    handover = {"faults": False, "outside": False, **said.pop("handover", {})}  # type: ignore[dict-item]
    return PolicySettings.of({"approve_below": 0.3, "handover": handover, **said})


def test_the_cut_off_and_the_grey_zone_decide(model: CreditModel, later: pd.DataFrame) -> None:
    scores = model.score(later)
    for each, chance in zip(decide(model, later), scores.pd, strict=True):
        assert each.action == ("approve" if chance <= 0.25 else "refer" if chance <= 0.4 else "decline")
        assert (each.handover is not None) == (each.action == "refer")
        assert [outcome.policy for outcome in each.policies] == ["cut-off", "grey zone"]
        assert each.prediction["pd"] == pytest.approx(chance)
        assert each.prediction["cut_off_pd"] == pytest.approx(0.3)


def test_a_decision_does_not_hang_on_the_rows_beside_it(model: CreditModel, later: pd.DataFrame) -> None:
    said = policy(margin=0.1, lgd=0.5, cost_of_review=50, review_finds=0.5, amount="amount")
    whole = decide(model, later.head(20), replace(said, approve_below=None))
    alone = [decide(model, later.iloc[[i]], replace(said, approve_below=None))[0] for i in range(20)]
    assert [each.action for each in whole] == [each.action for each in alone]
    assert {each.action for each in decide(model, later, said)} == {"approve", "refer", "decline"}


def test_the_operation_names_every_policy_that_may_be_asked(model: CreditModel, later: pd.DataFrame) -> None:
    wanted = {"capped": True, "faults": True, "outside": True, "missing": ["letter"], "proxies": ["district"]}
    wanted |= {"disagreement": 25, "amount_above": 15_000}
    said = policy(refer=[0.25, 0.4], capacity=0.5, reviews=0.1, amount="amount", handover=wanted)
    asked = {outcome.policy for outcome in decide(model, later.head(5), said)[0].policies}
    assert asked | {"uncertainty"} == set(DESK["decide"].policies)  # which takes a model that promises


def test_capacity_and_reviews_are_kept_and_told(model: CreditModel, later: pd.DataFrame) -> None:
    made = decide(model, later, policy(refer=[0.25, 0.4], capacity=100, reviews=0.05))
    actions = [each.action for each in made]
    assert actions.count("approve") == 100
    assert actions.count("refer") == 30
    changed = [o.policy for each in made for o in each.policies if o.effect == "change"]
    assert {"capacity", "reviews"} == set(changed)


def test_each_reason_to_hand_over_is_told(model: CreditModel, later: pd.DataFrame) -> None:
    odd = later.head(40).copy()
    odd.loc[0, "letter"] = None
    odd.loc[1, "income"] = 1e9
    odd.loc[2, "district"] = "district 99"
    wanted = {"missing": ["letter"], "outside": True, "amount_above": 15_000, "disagreement": 25, "capped": True}
    made = decide(model, odd, policy(amount="amount", handover=wanted))
    told = [each.handover or "" for each in made]
    assert "letter is missing" in told[0]
    assert "income is 1e+09, fitted on" in told[1]
    assert "'district 99', which was not seen" in told[2]
    scores = model.score(odd)
    apart = np.abs(scores.scorecard - scores.evidence) > 25
    for i, each in enumerate(made):
        assert ("the amount is above 15,000" in told[i]) == (odd["amount"][i] > 15_000)
        assert ("points apart" in told[i]) == apart[i]
        assert ("beyond its cap" in told[i]) == scores.capped[i]
        assert (each.action == "refer") == bool(told[i])
        assert len(each.policies) == 6
    assert made[0].evidence == (model.schema.sources[0].name,)


def test_decisions_that_hang_on_a_proxy_go_to_a_person(model: CreditModel, later: pd.DataFrame) -> None:
    made = decide(model, later, policy(handover={"proxies": ["district"]}))
    blind = model.score(later.assign(district=None)).pd <= 0.3
    hangs = blind != (model.score(later).pd <= 0.3)
    assert 0 < hangs.sum() < len(later)
    assert [each.action == "refer" for each in made] == hangs.tolist()


def test_what_cannot_be_asked_is_said(model: CreditModel, later: pd.DataFrame) -> None:
    bare = replace(model, record={})
    wrong = [
        (model, {"handover": {"missing": ["lettre"]}}, ConfigError, "did you mean 'letter'"),
        (model, {"handover": {"proxies": ["origin"]}}, ConfigError, "proxies 'origin'"),
        (model, {"handover": {"amount_above": 5}, "amount": "sum"}, ConfigError, "amount column of policy 'sum'"),
        (model, {"handover": {"uncertain": True}}, ConfigError, "conformal"),
        (bare, {"handover": {"outside": True}}, ConfigError, "fit the desk again"),
    ]
    for desk, said, error, match in wrong:
        with pytest.raises(error, match=match):
            decide(desk, later.head(3), policy(**said))


def test_declines_get_their_reasons(model: CreditModel, later: pd.DataFrame) -> None:
    asked: list[list[int]] = []

    def reasons(at: np.ndarray) -> list[tuple[Reason, ...]]:
        asked.append(at.tolist())
        return [(Reason("R1", {"en": f"row {i}"}, ("income",), 1.0),) for i in at]

    made = decide(model, later, policy(), reasons=reasons)
    declined = [i for i, each in enumerate(made) if each.action == "decline"]
    assert asked == [declined]
    assert all((each.reasons != ()) == (each.action == "decline") for each in made)
    assert made[declined[0]].reasons[0].sentences["en"] == f"row {declined[0]}"


def test_ranges_are_those_of_the_training_rows(model: CreditModel, rows: pd.DataFrame) -> None:
    kept = Ranges.from_json(model.record["ranges"])
    assert kept.numbers["amount"] == (rows["amount"][:TRAIN].min(), rows["amount"][:TRAIN].max())
    assert not any(kept.outside(rows.iloc[:TRAIN]))
    assert Ranges.from_json(json.loads(json.dumps(kept.to_json()))) == kept


def test_the_planted_bias_fails_the_gate_and_the_district_is_named(model: CreditModel, later: pd.DataFrame) -> None:
    seen = Observed.of(model, Rows(later), policy())
    found = judge_approvals(model, seen, policy(), ["origin"])
    assert "origin" in found.refusal(0.8)
    assert [p.column for p in found["origin"].proxies if p.told][:2] == ["all together", "district"]
    groups = {group.name: group.figures["favoured"].value for group in found["origin"].groups}
    approved = model.score(later).pd <= 0.3
    assert groups["B"] == pytest.approx(approved[later["origin"] == "B"].mean())


def test_rows_without_an_outcome_are_left_out(model: CreditModel, later: pd.DataFrame) -> None:
    some = later.head(60).astype({"default": "float64"})
    some.loc[:9, "default"] = np.nan
    assert len(Observed.of(model, Rows(some), policy()).bad) == 50
    with pytest.raises(DataError, match="no row has an outcome"):
        Observed.of(model, Rows(some.head(5)), policy())
    with pytest.raises(DataError, match=r"holds '7\.0'"):
        Observed.of(model, Rows(some.assign(default=7.0)), policy())


def test_weights_of_training_need_not_stand_beside_new_rows(model: CreditModel, later: pd.DataFrame) -> None:
    weighed = replace(model.schema, columns=(*model.schema.columns, ColumnSpec("fair_weight", "weight")))

    class Weighed(CreditModel):
        schema = weighed

    desk = Weighed(**{each.name: getattr(model, each.name) for each in fields(model)})
    assert (Observed.of(desk, Rows(later), policy()).weight == 1).all()
    assert Observed.of(desk, Rows(later.assign(fair_weight=2.0)), policy()).weight.sum() == 2 * len(later)
    with pytest.raises(DataError, match="weight 'fair_weight' is missing or below 0"):
        Observed.of(desk, Rows(later.assign(fair_weight=-1.0)), policy())


def test_verbs_decide_gate_swap_and_weigh(run: Callable, folder: Path) -> None:
    decided = run("credit", "decide", "run", "later.parquet", "--without-reasons", "-o", "decided.jsonl", "--json")
    assert decided.code == 0
    lines = [json.loads(line) for line in (folder / "decided.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == N - TRAIN == decided.json["rows"]
    assert lines[0]["applicant"] == f"A{TRAIN}"
    assert {"action", "pd", "points", "handover", "policies", "sources", "reasons"} <= set(lines[0])
    refused = run("credit", "fair", "run", "later.parquet", "--sensitive", "origin", "--require", "0.8", "-o", "drawn")
    assert refused.code == 3
    assert "four-fifths ratio" in refused.err
    assert (folder / "drawn" / "fairness_1.png").is_file()
    (folder / "credit.yaml").write_text("policy: {margin: 0.2, lgd: 0.5, amount: amount, capacity: 0.4}\n")
    weighed = run("credit", "policy", "run", "later.parquet", "--policy", "credit.yaml", "-o", "drawn", "--json")
    assert weighed.code == 0
    assert set(weighed.json["rules"]["outcomes"]) == {
        *("everyone", "PD up to one half", "implied by costs", "chosen on earlier rows", "the policy")
    }
    assert weighed.json["rules"]["outcomes"]["the policy"]["approved"]["value"] <= 0.4
    assert (folder / "drawn" / "trade_off.png").is_file()
    swapped = run("credit", "swap", "run", "later.parquet", "--approval", "0.5", "--json")
    assert swapped.code == 0
    assert swapped.json["approved"] == pytest.approx([0.5, 0.5], abs=0.01)


def test_what_is_searched_must_make_sense(model: CreditModel, later: pd.DataFrame) -> None:
    ones = np.ones(len(later))
    proxies = Search(model, later, ("origin",), ones, {}).proxies()
    assert proxies[0] == "district"
    left = schema_of(model.schema, proxies)
    assert "district" not in [name for source in left.sources for name in source.columns]
    assert left.target == model.schema.target
    wrong = [
        ((), later, ConfigError, "no column is sensitive"),
        (("nation",), later, DataError, "not in the data"),
        (("district",), later, ConfigError, "reads the sensitive column"),
        (("origin",), later.assign(default=None), DataError, "whose outcome is known"),
    ]
    for named, frame, error, match in wrong:
        with pytest.raises(error, match=match):
            Search(model, frame, named, ones, {})


@pytest.mark.parametrize("amount", [None, "amount"])
def test_a_search_approves_whom_the_gate_approves(model: CreditModel, later: pd.DataFrame, amount: str | None) -> None:
    said = {"margin": 0.1, "lgd": 0.5, "cost_of_review": 50 if amount else 0.005, "review_finds": 0.5, "amount": amount}
    desk = replace(model, config=Config.of({**SETTINGS, "policy": said}))
    searched = Search(desk, later, ("origin",), np.ones(len(later)), {})
    found = searched.approve(searched.sample(np.arange(len(later))), desk.score(later).pd)
    policy = desk.config.policy
    judged = judge_approvals(desk, Observed.of(desk, Rows(later), policy), policy, ["origin"], proxies=False)
    told = {group.name: group.figures["favoured"].value for group in judged["origin"].groups}
    assert pd.Series(found).groupby(later["origin"]).mean().to_dict() == pytest.approx(told)


def test_no_run_is_judged_on_rows_that_it_was_fitted_on(run: Callable, folder: Path) -> None:
    done = run("credit", "mitigate", "run", "earlier.parquet", "-o", "fair")
    assert done.code == 2
    assert "the run was fitted on 1,000 rows by seed 0, of these 750 by seed 0 would fit" in " ".join(done.err.split())


@pytest.mark.slow
def test_an_alternative_is_searched_fitted_and_kept(run: Callable, folder: Path, rows: pd.DataFrame) -> None:
    plain = rows.drop(columns=["letter", "age"])
    plain.to_parquet(folder / "plain.parquet")
    schema = Schema.infer(plain, target="default", sensitive="origin", id="applicant")
    said = Config.of({"evidence": SETTINGS["evidence"], "policy": {"approve_below": 0.3}})
    train = divide(plain, schema, classifies=True, test=0.25, seed=0).train
    fit_credit(train, train["default"], schema=schema, config=said, n_jobs=1).save(folder / "plain")
    done = run("credit", "mitigate", "plain", "plain.parquet", "-o", "fair", "--jobs", 1, "--json")
    assert done.code in (0, 3), done.err
    told = done.json
    tried = told["search"]["tried"]
    chosen = tried[told["search"]["chosen"]]
    assert tried[0]["ratios"]["origin"]["value"] < 0.8 <= chosen["ratios"]["origin"]["value"]
    assert chosen["passes"]
    before, after = (told[name]["attributes"][0]["figures"]["ratio"]["value"] for name in ("before", "after"))
    assert after > before
    assert (done.code == 3) == (after < 0.8)
    assert (folder / "fair" / "front.png").is_file()
    again = load(folder / "fair")
    assert "origin" not in again.used
    assert again.schema.weight == ("fair_weight" if chosen["way"]["strength"] else None)
    assert ("district" in again.used) == (not chosen["way"]["without"])
