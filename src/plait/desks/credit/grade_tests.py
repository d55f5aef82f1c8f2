"""Whether grades keep their promise: each grade's probability tested, their order, and what grading loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from plait.calc.vasicek import count_p
from plait.contracts import Array, Json
from plait.desks.credit.grades import MasterScale, checked
from plait.errors import InputError
from plait.metrics.calibration import HosmerLemeshow, hosmer_lemeshow
from plait.metrics.classification import roc_auc
from plait.metrics.correction import holm
from plait.metrics.grades import (
    Concentration,
    Inversion,
    Spiegelhalter,
    concentration,
    inversions,
    jeffreys_interval,
    jeffreys_p,
    spiegelhalter,
)
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, between, chance, number, plain

__all__ = ["GradeLine", "GradeReport", "Light", "Lost", "grade_report"]

Light: TypeAlias = Literal["green", "yellow", "red", "-"]

YELLOW, RED = 0.05, 0.001  # p-values, corrected, below which a light turns (Tasche 2003)
RESAMPLES = 500


@dataclass(frozen=True)
class GradeLine:
    """One grade on rows whose outcome is known.

    Parameters
    ----------
    name, rows, share, defaults
        Of the grade; the share is of all rows.
    pd
        What stands for the grade, and is tested.
    mean_pd
        Mean PD of its rows; NaN without rows.
    rate
        Observed, with its 95% interval under Jeffreys' prior.
    binomial
        Exact: how likely so many defaults or more are if the PD is right and defaults are independent.
    jeffreys
        How probable it is that the true rate is not above the PD.
    corrected
        `binomial`, with the report's asset correlation, corrected by Holm for the number of grades.
    light
        Of `corrected`: green from .05, red below .001; ``"-"``: no rows.
    """

    name: str
    rows: int
    share: float
    defaults: int
    pd: float
    mean_pd: float
    rate: Span
    binomial: float
    jeffreys: float
    corrected: float
    light: Light


@dataclass(frozen=True)
class Lost:
    """What grading loses: Gini by PD, by grade, and the difference with its paired 95% interval."""

    pd: Span
    grade: Span
    lost: Span


@dataclass(frozen=True)
class GradeReport:
    """Grades against outcomes.

    Parameters
    ----------
    rows, rate, mean_pd
        All rows, the share that defaulted, their mean PD.
    lines
        Grade by grade, best first.
    correlation
        Asset correlation that the lights allow for; 0: defaults are independent.
    hosmer_lemeshow
        Of what stands for the grades, over all of them: too low and too high alike.
    spiegelhalter
        Of the PDs of the rows.
    inversions
        Grades that defaulted less often than the next better one.
    gini
        None if all outcomes are alike.
    concentration
        How rows gather in grades.
    """

    rows: int
    rate: float
    mean_pd: float
    lines: tuple[GradeLine, ...]
    correlation: float
    hosmer_lemeshow: HosmerLemeshow
    spiegelhalter: Spiegelhalter
    inversions: tuple[Inversion, ...]
    gini: Lost | None
    concentration: Concentration

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(line.name for line in self.lines)

    @property
    def monotone(self) -> bool:
        """Whether observed default rates rise from each grade with rows to the next."""
        return not self.inversions

    def exceptions(self) -> tuple[str, ...]:
        """Each inversion as a sentence."""
        return tuple(
            f"grade {self.lines[each.worse].name} defaulted less often ({self.lines[each.worse].rate.value:.2%}) than "
            f"the better {self.lines[each.better].name} ({self.lines[each.better].rate.value:.2%}), p {chance(each.p)}"
            for each in self.inversions
        )

    def cautious(self) -> tuple[str, ...]:
        """Grades whose PD is too high beyond chance: by Jeffreys' test turned round, at .05, corrected by Holm."""
        p = holm(np.array([1 - line.jeffreys for line in self.lines]))
        return tuple(line.name for line, each in zip(self.lines, p, strict=True) if each < YELLOW)

    def table(self) -> list[list[str]]:
        """Grades as a table of strings, the header first."""
        head = ["grade", "rows", "share", "PD", "mean PD", "observed", "95% interval", "binomial", "Jeffreys", "light"]
        made = [head]
        for line in self.lines:
            spread = "" if np.isnan(line.rate.low) else f"{100 * line.rate.low:.2f} to {100 * line.rate.high:.2f}%"
            rate, mean = ("-" if np.isnan(each) else f"{each:.2%}" for each in (line.rate.value, line.mean_pd))
            tested = (chance(line.binomial), chance(line.jeffreys), line.light)
            made.append(
                [line.name, f"{line.rows:,}", f"{line.share:.1%}", f"{line.pd:.2%}", mean, rate, spread, *tested]
            )
        return made

    def to_json(self) -> dict[str, Json]:
        return {**plain(self), "monotone": self.monotone, "cautious": list(self.cautious())}

    def __str__(self) -> str:
        test, gathered, z = self.hosmer_lemeshow, self.concentration, self.spiegelhalter
        lights = "independent defaults" if self.correlation == 0 else f"asset correlation {number(self.correlation)}"
        told = [
            f"{self.rows:,} rows, {self.rate:.2%} defaulted, {self.mean_pd:.2%} expected; lights: {lights}",
            *aligned(self.table()),
            "observed rates rise with the grade"
            if self.monotone
            else f"observed rates do not rise everywhere: {'; '.join(self.exceptions())}",
            f"Hosmer-Lemeshow over grades {number(test.statistic)} ({test.freedom} df), p {chance(test.p)}; "
            f"Spiegelhalter z {number(z.z)}, p {chance(z.p)}",
            f"Herfindahl {number(gathered.herfindahl)} (normalised {number(gathered.normalised)}); largest grade "
            f"{self.lines[gathered.largest].name} with {gathered.share:.1%}",
        ]
        if cautious := self.cautious():
            told.append(f"PDs higher than defaults bear out, beyond chance: grade {', '.join(cautious)}")
        if self.gini is not None:
            lost = self.gini.lost
            told.append(
                f"Gini {number(self.gini.pd.value)} by PD, {number(self.gini.grade.value)} by grade: "
                f"{number(lost.value)} lost ({between(lost.low, lost.high)})"
            )
        return "\n".join(told)


def grade_report(scale: MasterScale, pd: Array, bad: Array, *, correlation: float = 0.0, seed: int = 0) -> GradeReport:
    """Hold grades against outcomes of rows that neither model nor scale has seen.

    Parameters
    ----------
    scale
        The grades.
    pd
        float64 ``N``.
    bad
        ``N``, 1 = default within the horizon of the PD.
    correlation
        Asset correlation of defaults, for the lights: defaults of one year share its weather, so that independent
        tests cry wolf in bad years (Tasche 2003). 0: independent.
    seed
        Of the resamples behind the interval of what grading loses.

    Raises
    ------
    InputError
        If lengths differ, or PDs or outcomes are none.
    """
    pd, bad = checked(pd, len(bad)), np.asarray(bad, np.float64)
    if not np.isin(bad, (0, 1)).all():
        raise InputError("outcomes must be 1 (default) or 0")
    grade, size = scale.assign(pd), len(scale)
    rows, defaults = np.bincount(grade, minlength=size), np.bincount(grade, bad, size)
    held, mids = rows > 0, np.array(scale.pds)
    sums = np.bincount(grade, pd, size)
    low, high = jeffreys_interval(defaults, rows)
    binomial, jeffreys = count_p(defaults, rows, mids), jeffreys_p(defaults, rows, mids)
    corrected = holm(np.where(held, count_p(defaults, rows, mids, correlation), np.nan))
    lines = tuple(
        GradeLine(
            name=name,
            rows=int(rows[g]),
            share=float(rows[g] / len(bad)),
            defaults=int(defaults[g]),
            pd=float(mids[g]),
            mean_pd=float(sums[g] / rows[g]) if held[g] else float("nan"),
            rate=Span(float(defaults[g] / rows[g]), float(low[g]), float(high[g])) if held[g] else Span(float("nan")),
            binomial=float(binomial[g]) if held[g] else float("nan"),
            jeffreys=float(jeffreys[g]) if held[g] else float("nan"),
            corrected=float(corrected[g]),
            light=_light(float(corrected[g])),
        )
        for g, name in enumerate(scale.names)
    )
    return GradeReport(
        rows=len(bad),
        rate=float(bad.mean()),
        mean_pd=float(pd.mean()),
        lines=lines,
        correlation=correlation,
        hosmer_lemeshow=hosmer_lemeshow(bad == 1, mids[grade], by=grade),
        spiegelhalter=spiegelhalter(bad, pd),
        inversions=inversions(defaults, rows),
        gini=_lost(bad, pd, grade, seed) if 0 < defaults.sum() < len(bad) else None,
        concentration=concentration(rows),
    )


def _light(p: float) -> Light:
    return "-" if np.isnan(p) else "red" if p < RED else "yellow" if p < YELLOW else "green"


def _lost(bad: Array, pd: Array, grade: Array, seed: int) -> Lost:
    scores = {"pd": pd, "grade": grade.astype(np.float64)}
    found = bootstrap(
        lambda targets, score, weight: 2 * roc_auc(targets, score, weight) - 1,
        bad.astype(np.int64),
        scores,
        resamples=RESAMPLES,
        seed=seed,
    )
    made = found.interval("pd"), found.interval("grade"), found.difference("pd", "grade")
    return Lost(*(Span.of(each) for each in made))
