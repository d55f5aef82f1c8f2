"""The stages of IFRS 9: who has become significantly riskier since origination, and by which rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.errors import ConfigError, unknown

__all__ = ["STAGES", "StageRules", "Staged", "Standing", "stage"]

STAGES = ("1", "2", "3", "POCI")


@dataclass(frozen=True)
class StageRules:
    """When a loan leaves stage 1, and when it may return. None switches a rule off.

    Parameters
    ----------
    ratio
        Stage 2 where the PD is at least so many times that at origination ...
    absolute
        ... and has risen by at least so much (of the yearly PD), so that tiny PDs do not jump.
    notches
        Stage 2 where the grade is at least so many steps worse than at origination.
    past_due
        Stage 2 where payments are more than so many days late (IFRS 9, 5.5.11: 30, rebuttable).
    default
        Stage 3 where they are so many days late or more (B5.5.37: 90, rebuttable).
    low_risk
        A yearly PD up to which a loan counts as of low risk whatever it was before (5.5.10). It is off by default.
    watch_list
        Whether rows on the watch list are in stage 2.
    probation, cure
        Months that a row stays in stage 2, and in stage 3, after its cause has gone.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    ratio: float | None = 2.0
    absolute: float = 0.005
    notches: int | None = 3
    past_due: int = 30
    default: int = 90
    low_risk: float | None = None
    watch_list: bool = True
    probation: int = 3
    cure: int = 3

    def __post_init__(self) -> None:
        least = {
            "ratio": 1,
            "absolute": 0,
            "notches": 1,
            "past_due": 0,
            "default": 1,
            "low_risk": 0,
            "probation": 0,
            "cure": 0,
        }
        for name, low in least.items():
            value = getattr(self, name)
            optional = value is None and name in ("ratio", "notches", "low_risk")
            if not optional and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= low):
                raise ConfigError(f"stages: {name} is {value!r}; give a number of {low} or more")
        if self.default <= self.past_due:
            raise ConfigError(
                f"stages: default is {self.default} days, but stage 2 begins after {self.past_due}; raise it"
            )

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """The section ``stages:`` of the section ``loss:``."""
        allowed = [each.name for each in fields(cls)]
        for name in said:
            if name not in allowed:
                raise unknown("rule of stages", name, allowed)
        return cls(**said)


@dataclass(frozen=True)
class Standing:
    """What is known of ``N`` loans, today and at origination; what is None is not known of any.

    Parameters
    ----------
    pd, pd_origin
        float64 ``N``: the PD today, and the one that was expected at origination for today, over the same horizon:
        both of twelve months, or both of the months that are left. NaN: not known.
    dpd
        float64 ``N``: days past due.
    defaulted, watch, poci
        bool ``N``: in default on other grounds; on the watch list; purchased or originated credit-impaired.
    grade, grade_origin
        float64 ``N``: 0 is the best.
    previous, months_clean
        float64 ``N``: the stage at the last reporting date (1 to 3), and how many months ago its cause went away (NaN:
        not known).
    """

    pd: Array
    pd_origin: Array | None = None
    dpd: Array | None = None
    defaulted: Array | None = None
    watch: Array | None = None
    poci: Array | None = None
    grade: Array | None = None
    grade_origin: Array | None = None
    previous: Array | None = None
    months_clean: Array | None = None


class Staged(NamedTuple):
    """Index into `STAGES`, int64 ``N``, and the rule that decided each row, ``N`` texts."""

    stage: npt.NDArray[np.int64]
    rule: npt.NDArray[np.object_]

    @property
    def names(self) -> npt.NDArray[np.object_]:
        return np.array(STAGES, object)[self.stage]


def stage(standing: Standing, rules: StageRules = StageRules()) -> Staged:
    """Put loans into stages; of the rules that hold, the first in this order decides.

    Credit-impaired when bought; default (flag, then days past due); still curing; more than 30 days past due; watch
    list; PD ratio with its absolute rise; notches; still on probation. The low-risk exemption overrules the comparisons
    with origination alone. A cause whose end is not known has not ended. A row that has nothing to be compared with
    stays in stage 1 and says so.
    """
    rows = len(standing.pd)
    no = np.zeros(rows, bool)

    def known(values: Array | None, fallback: float = np.nan) -> npt.NDArray[np.float64]:
        return np.full(rows, fallback) if values is None else np.asarray(values, np.float64)

    def flag(values: Array | None) -> npt.NDArray[np.bool_]:
        return no if values is None else np.asarray(values, bool)

    pd, origin, late = known(standing.pd), known(standing.pd_origin), known(standing.dpd, 0)
    previous, clean = known(standing.previous), np.nan_to_num(known(standing.months_clean))
    fell = known(standing.grade) - known(standing.grade_origin)
    low = no if rules.low_risk is None else np.asarray(pd <= rules.low_risk)
    riskier, lower = no, no
    if rules.ratio is not None:
        slack = 1 - 1e-12  # a PD that is written as 2 times 0.3% is 2 times 0.3%
        riskier = (pd >= rules.ratio * origin * slack) & (pd - origin >= rules.absolute * slack)
    if rules.notches is not None:
        lower = fell >= rules.notches
    nothing = (np.isnan(origin) | (rules.ratio is None)) & (np.isnan(fell) | (rules.notches is None))
    ordered: list[tuple[npt.NDArray[np.bool_], int, str]] = [
        (flag(standing.poci), 3, "credit-impaired when bought or originated"),
        (flag(standing.defaulted), 2, "in default"),
        (late >= rules.default, 2, f"{rules.default} days past due"),
        ((previous == 3) & (clean < rules.cure), 2, f"cured for less than {rules.cure} months"),
        (late > rules.past_due, 1, f"more than {rules.past_due} days past due"),
        (flag(standing.watch) & rules.watch_list, 1, "on the watch list"),
        (riskier & ~low, 1, f"PD at least {rules.ratio:g} times that at origination" if rules.ratio else ""),
        (lower & ~low, 1, f"{rules.notches} grades or more below origination"),
        ((previous == 2) & (clean < rules.probation), 1, f"on probation for less than {rules.probation} months"),
        (riskier | lower, 0, "low credit risk"),
        (nothing, 0, "nothing to compare with"),
    ]
    conditions = [condition for condition, _, _ in ordered]
    at = np.select(conditions, [index for _, index, _ in ordered], 0).astype(np.int64)
    which = np.select(conditions, np.arange(len(ordered)), len(ordered))
    names = np.array([*(name for _, _, name in ordered), "no significant rise"], object)
    return Staged(at, names[which])
