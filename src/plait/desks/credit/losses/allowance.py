"""The loss allowance of IFRS 9: stages, the losses that belong to each, and the sums by stage and by scenario."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plait.calc.money import rounded, total
from plait.contracts import Array, Json
from plait.desks.credit.losses.book import Book
from plait.desks.credit.losses.expected import Lifetime, lifetime_losses
from plait.desks.credit.losses.scenarios import Scenarios
from plait.desks.credit.losses.stages import STAGES, Staged
from plait.desks.credit.losses.term import TermStructure
from plait.metrics.shown import aligned

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Allowance", "StageSum", "allowance"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StageSum:
    """One stage: how many rows, what they owe, what is set aside for them, and by which rules they came there."""

    stage: str
    rows: int
    ead: Decimal
    ecl: Decimal
    rules: tuple[tuple[str, int], ...]

    @property
    def coverage(self) -> float:
        """Set aside, as a share of what is owed; NaN where nothing is."""
        return float(self.ecl / self.ead) if self.ead else float("nan")


@dataclass(frozen=True)
class Allowance:
    """What is set aside for a portfolio.

    Parameters
    ----------
    staged
        Stage and rule of each row.
    ecl
        float64 ``N``, to the coin: losses of twelve months in stage 1, of the lifetime in stage 2 and where a loan was
        bought credit-impaired, LGD x EAD in default.
    lifetime
        The losses behind, by scenario.
    by_scenario
        The whole allowance, had a scenario a weight of 1.
    of_average
        The allowance of the mean scenario: what weighting scenarios instead of losses would set aside.
    """

    staged: Staged
    ecl: Floats
    ead: Floats
    lifetime: Lifetime
    by_scenario: tuple[Decimal, ...]
    of_average: Decimal

    @property
    def total(self) -> Decimal:
        return total(self.ecl)

    @property
    def stages(self) -> tuple[StageSum, ...]:
        """Sums of the stages that have rows; they add up to the total."""
        found = []
        for i, name in enumerate(STAGES):
            here = self.staged.stage == i
            rules, counts = np.unique(self.staged.rule[here].astype(str), return_counts=True)
            told = sorted(zip(rules.tolist(), counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
            if here.any():
                sums = total(self.ead[here]), total(self.ecl[here])
                found.append(StageSum(name, int(here.sum()), *sums, tuple(told)))
        return tuple(found)

    def added(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with stage, rule and losses."""
        return frame.assign(
            stage=self.staged.names,
            rule=self.staged.rule,
            pd_lifetime=self.lifetime.pd,
            loss_12m=rounded(self.lifetime.year),
            loss_lifetime=rounded(self.lifetime.life),
            ecl=self.ecl,
        )

    def to_json(self) -> dict[str, Json]:
        stages = [
            {
                "stage": each.stage,
                "rows": each.rows,
                "ead": str(each.ead),
                "ecl": str(each.ecl),
                "coverage": each.coverage if each.ead else None,
                "rules": dict(each.rules),
            }
            for each in self.stages
        ]
        weights = self.lifetime.weights.tolist()
        scenarios = [
            {"scenario": name, "weight": weight, "ecl": str(ecl)}
            for name, weight, ecl in zip(self.lifetime.names, weights, self.by_scenario, strict=True)
        ]
        return {
            "rows": len(self.ecl),
            "ead": str(total(self.ead)),
            "ecl": str(self.total),
            "stages": stages,
            "scenarios": scenarios,
            "ecl_of_average_scenario": str(self.of_average),
        }

    def __str__(self) -> str:
        table = [("stage", "rows", "exposure", "ECL", "coverage")]
        table += [
            (each.stage, f"{each.rows:,}", f"{each.ead:,}", f"{each.ecl:,}", f"{each.coverage:.2%}")
            for each in self.stages
        ]
        owed = total(self.ead)
        share = f"{float(self.total / owed):.2%}" if owed else "-"
        table.append(("all", f"{len(self.ecl):,}", f"{owed:,}", f"{self.total:,}", share))
        lines = aligned(table)
        lines += ["", *aligned([("decided by", "rows"), *self._rules()])]
        if len(self.by_scenario) > 1:
            told = zip(self.lifetime.names, self.lifetime.weights, self.by_scenario, strict=True)
            rows = [(name, f"{weight:.0%}", f"{ecl:,}") for name, weight, ecl in told]
            rows.append(("weighted losses", "", f"{self.total:,}"))
            rows.append(("losses of the mean scenario", "", f"{self.of_average:,}"))
            rows.append(("what that would leave out", "", f"{self.total - self.of_average:,}"))
            lines += ["", *aligned([("scenario", "weight", "ECL"), *rows])]
        return "\n".join(lines)

    def _rules(self) -> list[tuple[str, str]]:
        return [(f"{each.stage}: {rule}", f"{rows:,}") for each in self.stages for rule, rows in each.rules]


def allowance(
    book: Book,
    staged: Staged,
    term: TermStructure,
    scenarios: Scenarios | None = None,
    defaulted: Array | None = None,
) -> Allowance:
    """Set aside for each row what its stage asks for.

    Parameters
    ----------
    defaulted
        bool ``N``: rows in default among those that were bought credit-impaired; None: none of them.
    """
    scenarios = scenarios or Scenarios()
    gone = (staged.names == "3") | (False if defaulted is None else np.asarray(defaulted, bool))
    found = lifetime_losses(book, term, scenarios)
    mean = lifetime_losses(book, term, scenarios.average)
    ecls = _by_stage(book, staged, gone, scenarios, found)
    average = _by_stage(book, staged, gone, scenarios.average, mean)[0]
    weighted = rounded(found.weights @ ecls)
    return Allowance(staged, weighted, book.ead, found, tuple(total(ecl) for ecl in ecls), total(average))


def _by_stage(book: Book, staged: Staged, gone: npt.NDArray[np.bool_], scenarios: Scenarios, found: Lifetime) -> Floats:
    """Loss of each row that its stage asks for, in each scenario: float64 ``S x N``."""
    lost = np.array([scenarios.lgd(scenario, book.lgd, 1)[:, 0] * book.ead for scenario in scenarios])
    going = np.where(staged.stage == 0, found.year_by, found.life_by)
    return np.where(gone, lost, going)
