"""Ratings of companies: a PD from ratios, a grade, and notches up or down with every step recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.desks.credit.companies.ratios import RATIOS
from plait.errors import ConfigError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.grades import MasterScale
    from plait.desks.credit.scorecard import Scorecard, ScorecardSettings

__all__ = ["Anchor", "CompanyModel", "HandWeighted", "Notches", "Rated", "Step", "fit_ratio_scorecard", "notch"]

Floats = npt.NDArray[np.float64]
StepKind: TypeAlias = Literal["parent", "sector", "ceiling"]


class CompanyModel(Protocol):
    """What rates companies: `HandWeighted`, or a scorecard of ratios."""

    def log_odds(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of default of rows of ratios: float64 ``N``."""


class Anchor(NamedTuple):
    """How a ratio counts: its weight, the value that earns nothing, and the value that earns all."""

    weight: float
    worst: float
    best: float


@dataclass(frozen=True)
class HandWeighted:
    """A rating for where no defaults are known: ratios between anchors, weighted by hand.

    The score is 0 to 100, linear between the anchors and flat beyond; a ratio that is missing earns half. PDs come
    from two assumptions, which nothing in the data supports: what they are is written here for everyone to see.

    Parameters
    ----------
    anchors
        Ratio to `Anchor`.
    central
        PD of a company with score 50.
    halving
        Points that halve the odds of default.

    Raises
    ------
    ConfigError
        If a ratio is unknown, weights are not above 0, anchors are equal, or a number is out of range.
    """

    anchors: Mapping[str, Anchor] = field(
        default_factory=lambda: {
            "liabilities_to_assets": Anchor(0.20, 1.0, 0.3),
            "interest_cover": Anchor(0.15, 0.0, 8.0),
            "ebit_to_assets": Anchor(0.15, -0.05, 0.15),
            "quick_ratio": Anchor(0.15, 0.3, 1.5),
            "retained_earnings_to_assets": Anchor(0.10, -0.2, 0.5),
            "cash_flow_to_current_liabilities": Anchor(0.10, -0.1, 0.6),
            "net_margin": Anchor(0.05, -0.05, 0.10),
            "working_capital_to_assets": Anchor(0.05, -0.1, 0.4),
            "sales_growth": Anchor(0.05, -0.2, 0.15),
        }
    )
    central: float = 0.03
    halving: float = 10.0

    def __post_init__(self) -> None:
        for name, anchor in self.anchors.items():
            if name not in RATIOS:
                raise unknown("ratio", name, RATIOS)
            if not anchor.weight > 0 or anchor.worst == anchor.best:
                raise ConfigError(f"anchor of {name}: the weight is above 0, and worst and best differ")
        if not self.anchors or not 0 < self.central < 1 or not self.halving > 0:
            raise ConfigError("a hand-weighted rating needs ratios, a central PD between 0 and 1, and points above 0")

    @property
    def columns(self) -> tuple[str, ...]:
        """The ratios that are read."""
        return tuple(self.anchors)

    def earned(self, frame: pd.DataFrame) -> Floats:
        """What each ratio earns, 0 to 100 in all: float64 ``N x V``, in the order of `columns`."""
        total = sum(anchor.weight for anchor in self.anchors.values())
        parts = []
        for name, (weight, worst, best) in self.anchors.items():
            place = np.clip((frame[name].to_numpy(np.float64) - worst) / (best - worst), 0, 1)
            parts.append(100 * weight / total * np.where(np.isnan(place), 0.5, place))
        return np.column_stack(parts)

    def log_odds(self, frame: pd.DataFrame) -> Floats:
        """Log-odds of default of rows of ratios: float64 ``N``."""
        score = self.earned(frame).sum(1)
        return np.asarray(np.log(self.central / (1 - self.central)) - np.log(2) * (score - 50) / self.halving)


def fit_ratio_scorecard(values: pd.DataFrame, bad: Array, *, settings: ScorecardSettings | None = None) -> Scorecard:
    """A scorecard of ratios: weights of evidence and logistic regression, each ratio in the direction that makes sense.

    Parameters
    ----------
    values
        Of `plait.desks.credit.companies.ratios.Ratios`, one row a company.
    bad
        ``N``: 1 = default in the year after the statement.
    settings
        None: the defaults, with bad rates that fall with ratios of which more is safer, and rise with the others.

    Raises
    ------
    DataError, MissingExtraError
        As `plait.desks.credit.scorecard.fit_scorecard` does.
    """
    from plait.desks.credit.scorecard import ScorecardSettings, fit_scorecard
    from plait.desks.credit.scorecard.binned import Trend

    known = [name for name in values.columns if values[name].notna().any()]
    trends: dict[str, Trend] = {
        name: "falling" if RATIOS[name].better > 0 else "rising"
        for name in known
        if name in RATIOS and RATIOS[name].better
    }
    chosen = settings or ScorecardSettings(trends=trends)
    return fit_scorecard(values[known], np.asarray(bad, np.float64), settings=chosen)


@dataclass(frozen=True)
class Step:
    """One step from the grade of the statement to the final one.

    Parameters
    ----------
    before, after
        Names of grades; equal where a rule was asked and changed nothing.
    """

    kind: StepKind
    before: str
    after: str
    why: str

    def __str__(self) -> str:
        return f"{self.before} -> {self.after} ({self.why})"


@dataclass(frozen=True)
class Notches:
    """What is known of one company beside its statements.

    Parameters
    ----------
    parent
        Grade of a parent that stands behind it; None: there is none.
    support
        By how many grades at most the parent lifts it, never above the parent itself.
    sector
        Grades worse (above 0) or better (below 0) for its trade.
    ceiling
        The best grade that its country allows; None: any.
    """

    parent: str | None = None
    support: int = 2
    sector: int = 0
    ceiling: str | None = None


@dataclass(frozen=True)
class Rated:
    """The rating of one company: PD, the grade of its statements, the final one, and the steps between."""

    company: str
    pd: float
    standalone: str
    grade: str
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "company": self.company,
            "pd": self.pd,
            "standalone": self.standalone,
            "grade": self.grade,
            "steps": [vars(step) for step in self.steps],
        }


def notch(company: str, pd: float, scale: MasterScale, notches: Notches) -> Rated:
    """From a PD to a final grade: parent support, then the sector, then the ceiling of the country, which binds last.

    Raises
    ------
    ConfigError
        If a grade is not on the scale.
    """
    names = scale.names

    def place(grade: str) -> int:
        if grade not in names:
            raise unknown(f"grade of company {company!r}", grade, names)
        return names.index(grade)

    own = int(scale.assign(np.array([pd]))[0])
    at, steps = own, []

    def move(kind: StepKind, to: int, why: str) -> int:
        to = min(max(to, 0), len(names) - 1)
        steps.append(Step(kind, names[at], names[to], why))
        return to

    if notches.parent is not None:
        parent = place(notches.parent)
        lifted = min(at, max(parent, at - notches.support))
        at = move("parent", lifted, f"parent {notches.parent}, support of at most {notches.support}")
    if notches.sector:
        side = "worse" if notches.sector > 0 else "better"
        at = move("sector", at + notches.sector, f"sector: {abs(notches.sector)} {side}")
    if notches.ceiling is not None:
        at = move("ceiling", max(at, place(notches.ceiling)), f"the country allows {notches.ceiling} at best")
    return Rated(company, float(pd), names[own], names[at], tuple(steps))
