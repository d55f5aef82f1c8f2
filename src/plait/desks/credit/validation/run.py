"""A finished run of the desk, read again: what reports ask of any run, with the desk's own probabilities in place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from plait.contracts import Prediction
from plait.desks.credit.judged import Judged as Figures
from plait.desks.credit.judged import judge_scores
from plait.desks.credit.model import CreditModel, Scores
from plait.desks.credit.policy.gate import judge_approvals
from plait.desks.credit.policy.observed import Observed
from plait.desks.credit.reasons.neutral import cut_off_of
from plait.estimators.judged import Judged
from plait.judgement.fairness import FairnessReport
from plait.metrics.calibration import CalibrationReport, calibration_report
from plait.report.run import Run

__all__ = ["CreditRun", "Known"]

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """Rows held out, what the desk says of them, and what came of them.

    Parameters
    ----------
    scores
        Of ``N`` rows.
    bad
        float64 ``N``, 1 = default.
    weight
        float64 ``N``.
    """

    scores: Scores
    bad: Vector
    weight: Vector


class CreditRun(Run):
    """What ``plait credit fit`` wrote, with the data that it was fitted on.

    `told`, `calibration` and `fairness` are of the whole desk: sections of a report judge the probabilities that
    decide. `model` stays the evidence model, which importance, drift and stress ask.
    """

    words = "plait.desks.credit.validation"

    @cached_property
    def desk(self) -> CreditModel:
        """The scorecard, the evidence model, their blend and the grades."""
        return CreditModel.read(self.folder)

    @cached_property
    def known(self) -> Known:
        """The rows held out, scored again."""
        judged = self.judged()
        bad = (judged[self.target].to_numpy() == self.desk.bad).astype(np.float64)
        weight = np.ones(len(judged)) if self.weight is None else self.weight
        return Known(self.desk.score(judged, self.sides), bad, weight)

    @cached_property
    def figures(self) -> Figures:
        """How scorecard, evidence and blend do on them."""
        return judge_scores(self.known.scores, self.known.bad, weight=self.weight)

    @cached_property
    def told(self) -> Judged:
        found, pd = super().told, self.known.scores.pd
        by_class = np.stack([1 - pd, pd] if self.bad_class == 1 else [pd, 1 - pd], axis=1)
        said = Prediction("class", by_class, found.prediction.classes, found.prediction.faults)
        return replace(found, prediction=said)

    @cached_property
    def calibration(self) -> CalibrationReport:
        moments = None if self.moments is None else self.moments[1]
        pd = self.known.scores.pd
        what = f"{self.target}: {self.desk.bad}"
        return calibration_report(
            self.known.bad.astype(np.int64), pd, self.weight, time=moments, what=what, dated=self.dated, seed=self.seed
        )

    @cached_property
    def fairness(self) -> FairnessReport:
        """How approvals at the cut-off fall on groups, by every sensitive column."""
        known, policy = self.known, self.desk.config.policy
        if not self.says_cut_off:
            policy = replace(policy, approve_below=float(expit(cut_off_of(self.desk))))
        judged = self.judged()
        amounts = np.ones(len(judged)) if policy.amount is None else judged[policy.amount].to_numpy(np.float64)
        seen = Observed(judged, known.scores, known.bad, known.weight, amounts, self.sides)
        return judge_approvals(self.desk, seen, policy, seed=self.seed, report=self.asked.progress)

    @property
    def says_cut_off(self) -> bool:
        """Whether the lender said where the cut-off lies; else it is the rate of default that was fitted on."""
        policy = self.desk.config.policy
        return not (policy.approve_below is None and policy.approve_from is None and policy.costs is None)

    @property
    def bad_class(self) -> int:
        """Place of the class that means default among the evidence model's two."""
        classes: list[Any] = self.desk.evidence.classes_.tolist()
        return classes.index(self.desk.bad)
