"""Loss given default: what workouts came to, and models of what the next ones will.

Every model has ``predict(frame) -> float64 N`` in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from plait.calc.discounting import discount
from plait.contracts import Array, Json
from plait.desks.credit.losses.book import flags, numbers
from plait.desks.credit.losses.design import Design, fractional_logit
from plait.desks.credit.monitoring.days import days_of
from plait.errors import ConfigError, DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from plait.estimators.regressor import Regressor

__all__ = [
    "Downturn",
    "EvidenceLgd",
    "SegmentLgd",
    "TwoStageLgd",
    "fit_evidence_lgd",
    "fit_segments",
    "fit_two_stage",
    "workout",
]

Floats = npt.NDArray[np.float64]

NOTHING = 1e-6  # an LGD up to this is no loss
DAYS = 365.25


@dataclass(frozen=True)
class Downturn:
    """What a bad time adds: ``LGD -> scale x LGD + add``, held in [0, 1].

    ``Downturn(0.92, 0.08)`` is the rule of the American supervisors (72 FR 69288, 2007) where a bank has no estimate of
    its own. The default adds nothing, and results say so.
    """

    scale: float = 1.0
    add: float = 0.0

    def __post_init__(self) -> None:
        for name in ("scale", "add"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
                raise ConfigError(f"downturn: {name} is {value!r}; give a number between 0 and 2")

    @classmethod
    def of(cls, said: Mapping[str, Json]) -> Self:
        """The section ``downturn:`` of the section ``loss:``."""
        allowed = [each.name for each in fields(cls)]
        for name in said:
            if name not in allowed:
                raise unknown("setting in downturn", name, allowed)
        return cls(**said)

    @property
    def told(self) -> str:
        """What it does to LGDs, in words."""
        if self == Downturn():
            return "LGDs are used as they are: no add-on for a downturn"
        return f"LGDs for a downturn: {self.scale:g} x LGD + {self.add:g}, at most 1"

    def __call__(self, lgd: Array) -> Floats:
        return np.clip(self.scale * np.asarray(lgd, np.float64) + self.add, 0.0, 1.0)


def workout(
    defaults: pd.DataFrame,
    flows: pd.DataFrame,
    *,
    key: str,
    ead: str,
    at: str,
    amount: str,
    when: str,
    rate: str,
    closed: str | None = None,
) -> pd.DataFrame:
    """Realised LGDs from what came back: ``1 - discounted (recoveries - costs) / EAD`` (CRE36.76, EBA/GL/2017/16).

    Parameters
    ----------
    defaults
        A row each default: `key`, exposure `ead`, moment `at`; `rate` is a column of effective yearly rates, or a
        number; `closed` a column that says whether the workout has ended.
    flows
        The long table behind: `key`, `amount` (recoveries positive, costs negative), moment `when`.

    Returns
    -------
    DataFrame, a row each default: ``lgd`` held in [0, 1] (NaN where the workout goes on), ``economic_lgd`` as it came
    out, ``recovered`` and ``costs`` as discounted shares of the exposure, ``flows`` and ``months`` to the last one.

    Raises
    ------
    DataError
        If a key comes twice among defaults or is unknown among flows, an exposure is not above 0, a date is missing or
        none, or a flow lies before its default.
    """
    import pandas as pd

    for frame, names in ((defaults, (key, ead, at)), (flows, (key, amount, when))):
        for name in names:
            if name not in frame.columns:
                raise unknown("column", name, map(str, frame.columns))
    index = pd.Index(defaults[key])
    if not index.is_unique:
        raise DataError(
            f"{key!r} {index[index.duplicated()][0]!r} stands more than once among the defaults; keep one row"
        )
    row = index.get_indexer(flows[key])
    if (row < 0).any():
        stranger = flows[key].iloc[int(np.flatnonzero(row < 0)[0])]
        raise DataError(f"{key!r} {stranger!r} of the flows is not among the defaults")
    owed, rates = numbers(defaults, ead, "ead"), numbers(defaults, rate, "rate")
    if (owed <= 0).any():
        raise DataError(f"ead ({ead!r}) is 0 in {int((owed <= 0).sum())} defaulted rows; leave them out")
    start, moment = days_of(defaults, at), days_of(flows, when)
    if lost := int(np.isnat(start).sum() + np.isnat(moment).sum()):
        raise DataError(f"{lost:,} defaults or flows have no date; fill in {at!r} and {when!r}, or leave them out")
    days = (moment - start[row]) / np.timedelta64(1, "D")
    if (days < 0).any():
        raise DataError(f"{int((days < 0).sum())} flow(s) lie before their default; mend {when!r} or {at!r}")
    paid = numbers(flows, amount, "amount")
    worth = paid * discount(rates[row], days / DAYS)
    back, spent = (np.bincount(row, np.maximum(sign * worth, 0), len(index)) / owed for sign in (1, -1))
    last = np.zeros(len(index))
    np.maximum.at(last, row, days / DAYS * 12)
    economic = 1 - back + spent
    ended = np.ones(len(index), bool) if closed is None else flags(defaults, closed, "closed")
    return pd.DataFrame(
        {
            key: index,
            "lgd": np.where(ended, np.clip(economic, 0, 1), np.nan),
            "economic_lgd": economic,
            "recovered": back,
            "costs": spent,
            "flows": np.bincount(row, minlength=len(index)),
            "months": last,
        }
    )


@dataclass(frozen=True)
class SegmentLgd:
    """The mean of each segment, drawn towards the mean of all where a segment has few rows.

    Parameters
    ----------
    column
        Segments are its values.
    means
        Segment to LGD.
    overall
        Of rows of a segment that was not seen.
    rows
        Segment to how many defaults its mean rests on.
    """

    column: str
    means: Mapping[str, float]
    overall: float
    rows: Mapping[str, int]
    downturn: Downturn = field(default_factory=Downturn)

    def predict(self, frame: pd.DataFrame) -> Floats:
        """LGD of rows: float64 ``N``."""
        if self.column not in frame.columns:
            raise unknown("column", self.column, map(str, frame.columns))
        found = [self.means.get(str(cell), self.overall) for cell in frame[self.column]]
        return self.downturn(np.array(found, np.float64))

    def to_json(self) -> dict[str, Json]:
        return {
            "kind": "segments",
            "column": self.column,
            "means": dict(self.means),
            "overall": self.overall,
            "rows": dict(self.rows),
            "downturn": [self.downturn.scale, self.downturn.add],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(said["column"], said["means"], said["overall"], said["rows"], Downturn(*said["downturn"]))


def fit_segments(
    frame: pd.DataFrame,
    lgd: Array,
    column: str,
    *,
    doubt: float = 20.0,
    downturn: Downturn = Downturn(),
) -> SegmentLgd:
    """Means by segment, each joined by `doubt` rows of the overall mean (Buehlmann's credibility).

    Raises
    ------
    DataError
        If no LGD is known.
    ConfigError
        If there is no such column.
    """
    if column not in frame.columns:
        raise unknown("column", column, map(str, frame.columns))
    lgd, known = _known(lgd, len(frame))
    segment = frame[column].astype(str).to_numpy()[known]
    overall = float(lgd.mean())
    means, rows = {}, {}
    for name in sorted(set(segment)):
        own = lgd[segment == name]
        means[name] = float((own.sum() + doubt * overall) / (len(own) + doubt))
        rows[name] = len(own)
    return SegmentLgd(column, means, overall, rows, downturn)


@dataclass(frozen=True)
class TwoStageLgd:
    """Whether there is a loss at all, and how large it then is: two linear models on the same terms.

    Parameters
    ----------
    design
        Columns to terms.
    loss, severity
        Constant and coefficients of the log-odds of a loss, and of the share lost where there is one.
    """

    design: Design
    loss: tuple[float, ...]
    severity: tuple[float, ...]
    downturn: Downturn = field(default_factory=Downturn)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return self.design.columns

    def predict(self, frame: pd.DataFrame) -> Floats:
        """LGD of rows: float64 ``N``: probability of a loss times its expected share."""
        terms = self.design(frame)
        chance, share = (_logistic(each[0] + terms @ np.array(each[1:])) for each in (self.loss, self.severity))
        return self.downturn(chance * share)

    def to_json(self) -> dict[str, Json]:
        return {
            "kind": "two-stage",
            "design": self.design.to_json(),
            "loss": list(self.loss),
            "severity": list(self.severity),
            "downturn": [self.downturn.scale, self.downturn.add],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        design = Design.from_json(said["design"])
        return cls(design, tuple(said["loss"]), tuple(said["severity"]), Downturn(*said["downturn"]))


def fit_two_stage(
    frame: pd.DataFrame,
    lgd: Array,
    *,
    columns: Sequence[str] | None = None,
    weight: Array | None = None,
    downturn: Downturn = Downturn(),
) -> TwoStageLgd:
    """Fit the probability of a loss by logistic regression, and its share by fractional logit on rows with a loss.

    Rows without loss are cures and full recoveries; a plain regression would spread them over the middle of a
    distribution that has two peaks.

    Parameters
    ----------
    lgd
        float64 ``N``: realised; NaN (the workout goes on) is left out.
    columns
        What is read; None: all of `frame`.

    Raises
    ------
    DataError
        If no LGD is known, or all are without loss.
    """
    lgd, known = _known(lgd, len(frame))
    design = Design.learn(frame[known], tuple(columns or map(str, frame.columns)))
    terms = design(frame[known])
    weight = np.ones(len(lgd)) if weight is None else np.asarray(weight, np.float64)[known]
    lost = lgd > NOTHING
    if not lost.any():
        raise DataError("no default came with a loss: there is no severity to learn; LGD is 0")
    chance = fractional_logit(terms, lost.astype(np.float64), weight)
    share = fractional_logit(terms[lost], lgd[lost], weight[lost])
    return TwoStageLgd(design, tuple(chance.tolist()), tuple(share.tolist()), downturn)


@dataclass(frozen=True)
class EvidenceLgd:
    """LGD from any evidence: a fitted `plait.Regressor`, its values held in [0, 1]."""

    model: Regressor
    downturn: Downturn = field(default_factory=Downturn)

    def predict(self, frame: pd.DataFrame) -> Floats:
        """LGD of rows: float64 ``N``."""
        return self.downturn(np.clip(self.model.predict(frame), 0.0, 1.0))


def fit_evidence_lgd(
    frame: pd.DataFrame, lgd: Array, *, downturn: Downturn = Downturn(), **options: Any
) -> EvidenceLgd:
    """Fit a `plait.Regressor` (whose arguments are `options`) on letters, pictures and all else that `frame` holds.

    Raises
    ------
    DataError
        If no LGD is known.
    """
    from plait.estimators.regressor import Regressor

    lgd, known = _known(lgd, len(frame))
    return EvidenceLgd(Regressor(**options).fit(frame[known], lgd), downturn)


def _known(lgd: Array, rows: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    lgd = np.asarray(lgd, np.float64)
    if lgd.shape != (rows,):
        raise DataError(f"lgd has shape {lgd.shape}, expected ({rows},)")
    known = ~np.isnan(lgd)
    if not known.any():
        raise DataError("no LGD is known: every workout goes on")
    if ((lgd[known] < 0) | (lgd[known] > 1)).any():
        raise DataError("lgd is to lie in 0..1; hold realised ones in it first, as `workout` does")
    return lgd[known], known


def _logistic(odds: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -odds)))
