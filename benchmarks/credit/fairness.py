"""Is a planted bias refused at the cut-off, what does it cost to mitigate it, and is the unlawful blocked at fit?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array
from plait.data import samples
from plait.data.public import german_credit, lendingclub, taiwan_credit
from plait.data.schema import Schema
from plait.desks.credit.policy.mitigate import Mitigation, Sample, Way, prices, reweighed, search, ways_of
from plait.desks.credit.policy.prohibited import ProhibitedSettings, check_columns
from plait.judgement.fairness import Decided, fairness_of
from plait.judgement.groups import groups_of
from plait.metrics.classification import roc_auc
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span

FIT, CHOOSE, JUDGE = 2_500, 1_500, 2_000
SEEDS = 20
LEAST = 0.8
CUT = 0.35  # probability of default up to which is approved: about 60% of the rows
BLOCKED = (
    *(
        "sex",
        "gender",
        "applicantGender",
        "personal_status_and_sex",
        "is_female",
        "race",
        "ethnic_group",
        "skin_colour",
    ),
    *("age", "age_in_years", "applicant_age", "dob", "date_of_birth", "birth_year", "marital_status", "married"),
    *("religion", "nationality", "country_of_birth", "foreign_worker", "disability", "medical_history", "blood_type"),
    *("political_party", "union_membership", "sexual_orientation", "facebook_friends", "welfare", "pregnant"),
    *("性别", "民族", "婚姻状况", "年龄", "出生日期", "宗教信仰", "国籍", "政治面貌", "病史", "血型", "指纹"),
)
INNOCENT = (
    *("income", "amount", "term", "purpose", "home_ownership", "dti", "late_payments", "utilisation", "district"),
    *("average_balance", "agent", "page_views", "percentage_used", "stage", "mortgage", "wages", "coverage", "usage"),
    *("account_age", "age_of_oldest_account", "vehicle_age", "credit_age", "trace_id", "grace_period", "face_value"),
    *("credit_union", "good_faith_deposit", "minority_interest", "financial_health", "device_fingerprint", "employer"),
    *("收入", "账龄", "企业年龄", "贷款金额", "逾期次数", "用途", "余额", "期限", "信用额度", "利率", "行业"),
)


@dataclass(frozen=True)
class Judged:
    """One seed: the search, four-fifths ratios as it is and as chosen, and what the choice costs, paired."""

    search: Mitigation
    before: float
    after: float
    cost: Span
    approved: tuple[float, float]


def fitted(train: pd.DataFrame, without: Sequence[str], weight: Array) -> Callable[[pd.DataFrame], Array]:
    """A model of table and letter that never sees origin or age."""
    import plait

    schema = Schema.infer(train, target="default", sensitive=["origin", "age"], ignore=list(without))
    model = plait.Classifier(schema=schema, fusion="early", learner="linear", n_jobs=1, random_state=0)
    model.fit(train.drop(columns="default"), train["default"], weight)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1])


def sample(frame: pd.DataFrame) -> Sample:
    codes = groups_of(frame["origin"], None)[0]
    return Sample(frame, frame["default"].to_numpy(np.float64), {"origin": codes}, np.ones(len(frame)))


def parts(seed: int, *, fair: bool) -> tuple[Sample, Sample, Sample, Sample]:
    """Rows to fit, to choose, both together, and to judge."""
    frame = samples.biased(FIT + CHOOSE + JUDGE, seed, fair=fair)
    ends = ((0, FIT), (FIT, FIT + CHOOSE), (0, FIT + CHOOSE), (FIT + CHOOSE, len(frame)))
    train, valid, both, test = (sample(frame.iloc[first:last]) for first, last in ends)
    return train, valid, both, test


def judge(seed: int) -> Judged:
    """Search on the first two parts of the rows, fit the choice on both, and judge on the third."""
    train, valid, both, test = parts(seed, fair=False)
    found = search(
        lambda without, weight: fitted(train.frame, without, weight),
        train,
        valid,
        ways_of(["district"], (0.75, 0.85, 0.95)),
        approve=lambda _, chance: chance <= CUT,
        least=LEAST,
        seed=seed,
    )
    plainly = fitted(both.frame, (), both.weight)
    way = found.best.way if found.best else Way()
    offsets = prices(both, plainly(both.frame) <= CUT)
    weight = both.weight * reweighed(both.bad, offsets, way.strength, both.weight)
    chosen = plainly if way == Way() else fitted(both.frame, way.without, weight)
    scores = {"as it is": plainly(test.frame), "mitigated": chosen(test.frame)}
    apart = bootstrap(roc_auc, test.bad, scores, resamples=500, seed=seed).difference("mitigated", "as it is")
    ratios = [four_fifths(test, chance) for chance in scores.values()]
    shares = [float((chance <= CUT).mean()) for chance in scores.values()]
    return Judged(found, ratios[0], ratios[1], Span.of(apart), (shares[0], shares[1]))


def counterpart(seed: int) -> float:
    """The ratio by origin of a model of the fair counterpart, as it is."""
    _, _, both, test = parts(seed, fair=True)
    return four_fifths(test, fitted(both.frame, (), both.weight)(test.frame))


def four_fifths(rows: Sample, chance: Array) -> float:
    """The ratio by origin at the cut-off."""
    schema = Schema.infer(rows.frame, target="default", sensitive=["origin", "age"])
    decided = Decided(1 - chance, chance <= CUT, rows.bad == 0, rows.weight, 0, f"PD up to {CUT}")
    return fairness_of(decided, rows.frame, schema, "origin", proxies=False)["origin"].ratio.value


def run(seed: int) -> Report:
    """Twenty pairs of sets of different seeds."""
    biased = [judge(seed + i) for i in range(SEEDS)]
    fair = [counterpart(seed + i) for i in range(SEEDS)]
    refused, counter = sum(each.before < LEAST for each in biased), sum(ratio < LEAST for ratio in fair)
    costs = np.array([each.cost.value for each in biased])
    spread = 1.96 * costs.std(ddof=1) / np.sqrt(SEEDS)
    mean = float(costs.mean())
    ways = [str(each.search.best.way) if each.search.best else "none passes" for each in biased]
    blocked, wronged = (len(check_columns(names, ProhibitedSettings())) for names in (BLOCKED, INNOCENT))
    named = []
    for data in (german_credit, taiwan_credit, lendingclub):
        frame = data().frame
        columns = [each.column for each in check_columns(frame.columns, ProhibitedSettings(), frame)]
        named.append(f"{data.__name__}: {', '.join(columns) or 'none'}")
    beside = {"fair counterpart": Beside(float(np.mean(fair)), min(fair), max(fair))}
    return Report(
        data=f"plait.samples.biased: made, table and letter, {SEEDS} seeds; lists of names written for this; the "
        "columns of three public data sets",
        split=f"{FIT:,} rows to fit, {CHOOSE:,} to choose, both to fit the choice, {JUDGE:,} to judge; approved up to "
        f"a probability of default of {CUT}",
        figures=(
            Measured(
                f"refused at {LEAST:g}, of {SEEDS}",
                refused,
                unit="runs",
                baselines={"fair counterpart": Beside(counter)},
            ),
            Measured(f"pass after mitigation, of {SEEDS}", sum(e.after >= LEAST for e in biased), unit="runs"),
            _mean("four-fifths ratio as it is", [each.before for each in biased], beside),
            _mean("four-fifths ratio after mitigation", [each.after for each in biased]),
            Measured("ROC AUC after minus before, mean of the seeds", mean, mean - spread, mean + spread, "ROC AUC"),
            Measured("ROC AUC after minus before, first seed", *biased[0].cost, "ROC AUC"),
            _mean("approved as it is", [each.approved[0] for each in biased]),
            _mean("approved after mitigation", [each.approved[1] for each in biased]),
            Measured(f"prohibited names blocked, of {len(BLOCKED)}", blocked, unit="names"),
            Measured(f"innocent names blocked, of {len(INNOCENT)}", wronged, unit="names"),
        ),
        notes=(
            "ways chosen: " + ", ".join(f"{way} ({ways.count(way)})" for way in dict.fromkeys(ways)),
            "blocked of public data sets: " + "; ".join(named),
            "ROC AUC is that of the recorded outcomes, which carry the bias: what is lost is partly the bias itself",
        ),
    )


def _mean(what: str, values: Sequence[float], baselines: Mapping[str, Beside] | None = None) -> Measured:
    """The mean over seeds, from the lowest to the highest."""
    told = f"{what}, mean of the seeds (lowest to highest)"
    return Measured(told, float(np.mean(values)), min(values), max(values), "share", baselines or {})


if __name__ == "__main__":
    sys.exit(main(run))
