"""Term structures learned from who defaulted when: Kaplan-Meier by segment, and proportional hazards by covariates.

Durations are whole months; a row that had not defaulted when it was last seen is censored. Sources: Kaplan & Meier
(JASA 1958); Cox (JRSS B 1972); Prentice & Gloeckler (Biometrics 1978) for grouped months.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from plait.calc.expected_loss import cumulative
from plait.contracts import Array, Json
from plait.desks.credit.losses.design import Design
from plait.desks.credit.losses.term import TermStructure
from plait.errors import DataError, MissingExtraError, unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Method", "ProportionalHazards", "fit_hazards", "kaplan_meier"]

Floats = npt.NDArray[np.float64]
Method: TypeAlias = Literal["cox", "weibull", "discrete"]

EVERY = 3  # months over which a discrete baseline is constant
DOUBT = 1e-4  # of a penalty on coefficients: finite ones where a term tells all


def kaplan_meier(months: Array, defaulted: Array, segment: Array | None = None, horizon: int = 60) -> TermStructure:
    """Observed hazards month by month, a curve a segment (grade, product); months without defaults have none.

    Parameters
    ----------
    months
        ``N`` whole months on the books, 1 or more.
    defaulted
        bool ``N``: whether the last of them ended in default.
    segment
        ``N`` labels; None: one curve for all.
    horizon
        Months drawn; behind the last one observed the mean hazard goes on.

    Raises
    ------
    DataError
        If durations are no whole months of 1 or more, or a segment has no default within a year.
    MissingExtraError
        If lifelines is not installed.
    """
    try:
        from lifelines import KaplanMeierFitter
    except ImportError:
        raise MissingExtraError("survival curves need lifelines; pip install 'plait[credit]'") from None
    months, defaulted = _checked(months, defaulted)
    labels = np.full(len(months), "all") if segment is None else np.asarray(segment).astype(str)
    names = tuple(sorted(set(labels)))
    curves = np.empty((len(names), horizon))
    for i, name in enumerate(names):
        own = labels == name
        fitted = KaplanMeierFitter().fit(months[own], defaulted[own])
        along = np.arange(horizon + 1)
        alive = np.maximum(fitted.survival_function_at_times(along).to_numpy(), 1e-12)
        curves[i] = np.maximum(-np.diff(np.log(alive)), 0)
        if (last := int(months[own].max())) < horizon:
            curves[i, last:] = curves[i, :last].mean()
    return TermStructure(names, curves, "Kaplan-Meier")


@dataclass(frozen=True)
class ProportionalHazards:
    """Intensities ``baseline_t x exp(terms x coefficients)``: what Cox, Weibull and grouped months have in common.

    Parameters
    ----------
    method
        How it was fitted.
    design
        Columns to terms, standardised.
    coefficients
        Logarithm of the hazard ratio of each term.
    baseline
        Monthly intensities of a row whose terms are all 0; the last goes on for ever.
    """

    method: str
    design: Design
    coefficients: tuple[float, ...]
    baseline: tuple[float, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return self.design.columns

    @property
    def hazard_ratios(self) -> dict[str, float]:
        """By what a term multiplies the hazard: a standard deviation more, or the level instead of the usual one."""
        return dict(zip(self.design.names, np.exp(self.coefficients).tolist(), strict=True))

    def intensities(self, frame: pd.DataFrame, months: int) -> Floats:
        """Monthly intensities of rows: float64 ``N x T``."""
        known = np.array(self.baseline[:months])
        along = np.concatenate([known, np.full(months - len(known), self.baseline[-1])])
        return np.asarray(np.exp(self.design(frame) @ np.array(self.coefficients))[:, None] * along)

    def pd(self, frame: pd.DataFrame, months: int = 12) -> Floats:
        """Probability of a default by the end of each month: float64 ``N x T``."""
        return cumulative(self.intensities(frame, months))

    @property
    def term(self) -> TermStructure:
        """The shape over time alone: hazards being proportional, each row's own PD says the rest."""
        return TermStructure(("all",), np.array([self.baseline]), self.method)

    def to_json(self) -> dict[str, Json]:
        return {
            "method": self.method,
            "design": self.design.to_json(),
            "coefficients": list(self.coefficients),
            "baseline": list(self.baseline),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        design = Design.from_json(said["design"])
        return cls(str(said["method"]), design, tuple(said["coefficients"]), tuple(said["baseline"]))


def fit_hazards(
    frame: pd.DataFrame,
    months: Array,
    defaulted: Array,
    *,
    columns: Sequence[str] | None = None,
    method: Method = "cox",
    horizon: int = 60,
) -> ProportionalHazards:
    """Learn who defaults when.

    Parameters
    ----------
    frame
        What was known of ``N`` loans when they began.
    months, defaulted
        As in `kaplan_meier`.
    columns
        What is read; None: all of `frame`.
    method
        ``"cox"``: the baseline is Breslow's. ``"weibull"``: a baseline ``t^k``, that goes on beyond the data.
        ``"discrete"``: grouped months, the baseline constant over three each; needs no lifelines, and defaults of one
        month, however many, are no ties.
    horizon
        Months of the baseline that are kept.

    Raises
    ------
    ConfigError
        If there is no such method or column.
    DataError
        If durations are no whole months, or nobody defaulted.
    MissingExtraError
        If lifelines is not installed.
    """
    if method not in get_args(Method):
        raise unknown("method", method, get_args(Method))
    months, defaulted = _checked(months, defaulted)
    design = Design.learn(frame, tuple(columns or map(str, frame.columns)))
    terms = design(frame)
    if method == "discrete":
        coefficients, baseline = _discrete(terms, months, defaulted, horizon)
    else:
        coefficients, baseline = _lifelines(terms, months, defaulted, horizon, method)
    return ProportionalHazards(method, design, tuple(coefficients.tolist()), tuple(baseline.tolist()))


def _checked(months: Array, defaulted: Array) -> tuple[Floats, npt.NDArray[np.bool_]]:
    months, defaulted = np.asarray(months, np.float64), np.asarray(defaulted, bool)
    if months.shape != defaulted.shape or not ((months >= 1) & (months == np.round(months))).all():
        raise DataError("durations are whole months of 1 or more, one a row; count a loan's first month as 1")
    if not defaulted.any():
        raise DataError("nobody defaulted: there is nothing to learn a term structure from")
    return months, defaulted


def _lifelines(
    terms: Floats, months: Floats, defaulted: npt.NDArray[np.bool_], horizon: int, method: str
) -> tuple[Floats, Floats]:
    """Cox's model, or Weibull's: an accelerated failure time whose hazards are proportional, too."""
    import pandas as pd

    try:
        from lifelines import CoxPHFitter, WeibullAFTFitter
    except ImportError:
        raise MissingExtraError(f"method {method!r} needs lifelines; pip install 'plait[credit]'") from None
    names = [f"x{i}" for i in range(terms.shape[1])]
    table = pd.DataFrame(terms, columns=names).assign(months=months, defaulted=defaulted.astype(np.int64))
    along = np.arange(horizon + 1, dtype=np.float64)
    if method == "cox":
        cox = CoxPHFitter(penalizer=DOUBT).fit(table, "months", "defaulted")
        coefficients = cox.params_.reindex(names).to_numpy(np.float64)
        steps = cox.baseline_cumulative_hazard_.iloc[:, 0]
        held = np.interp(along, np.concatenate([[0.0], steps.index]), np.concatenate([[0.0], steps]))
        own = np.diff(held) * float(np.exp(-coefficients @ terms.mean(0)))  # lifelines centres its covariates
        last = int(min(months.max(), horizon))
        own[last:] = own[:last].mean()
        return coefficients, own
    weibull = WeibullAFTFitter(penalizer=DOUBT).fit(table, "months", "defaulted")
    shape = float(np.exp(weibull.params_["rho_", "Intercept"]))
    scale = weibull.params_["lambda_"]
    spread = np.diff((along / np.exp(scale["Intercept"])) ** shape)
    return -shape * scale.reindex(names).to_numpy(np.float64), spread


def _discrete(terms: Floats, months: Floats, defaulted: npt.NDArray[np.bool_], horizon: int) -> tuple[Floats, Floats]:
    """Maximum likelihood with the complementary log-log link; months of a row in which nothing changes are one term."""
    from scipy.optimize import minimize

    bands = -(-int(min(months.max(), horizon)) // EVERY)
    start = EVERY * np.arange(bands)
    ended = defaulted & (months <= EVERY * bands)
    stayed = np.clip((months - ended)[:, None] - start, 0, EVERY)  # months survived in each band, N x B
    last = np.minimum((months.astype(np.int64) - 1) // EVERY, bands - 1)
    rows, width = len(months), terms.shape[1]

    def loss(at: Floats) -> tuple[float, Floats]:
        level, effect = at[:bands], np.exp(np.clip(terms @ at[bands:], -30, 30))
        base = np.exp(np.clip(level, -30, 30))
        exposed = effect * (stayed @ base)
        hit = (effect * base[last])[ended]
        gained = hit / np.maximum(np.expm1(hit), 1e-300)  # derivative of log(1 - exp(-hit)) by log hit
        lost = exposed.sum() - np.log(-np.expm1(-hit)).sum()
        by_level = base * (effect @ stayed) - np.bincount(last[ended], gained, bands)
        by_row = exposed.copy()
        by_row[ended] -= gained
        effects = at[bands:]
        slope = np.concatenate([by_level, terms.T @ by_row + rows * DOUBT * effects])
        return float(lost + rows * DOUBT / 2 * effects @ effects) / rows, slope / rows

    began = np.full(bands, np.log(max(ended.sum(), 1) / months.sum()))
    found = minimize(
        loss, np.concatenate([began, np.zeros(width)]), jac=True, method="L-BFGS-B", options={"maxiter": 500}
    ).x
    baseline = np.repeat(np.exp(found[:bands]), EVERY)[:horizon]
    return found[bands:], baseline
