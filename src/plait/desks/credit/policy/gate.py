"""The four-fifths gate: how approvals at a policy's cut-off fall on groups of people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from plait.contracts import Progress
from plait.contracts.crossing import unheard
from plait.desks.credit.policy.cutoff import APPROVE, settle
from plait.errors import DataError
from plait.judgement.fairness import Decided, FairnessReport, fairness_of

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.policy.observed import Observed
    from plait.desks.credit.policy.settings import PolicySettings

__all__ = ["judge_approvals"]


def judge_approvals(
    model: CreditModel,
    seen: Observed,
    policy: PolicySettings,
    sensitive: Sequence[str] = (),
    *,
    bins: Mapping[str, Sequence[float]] | None = None,
    crossed: bool = False,
    proxies: bool = True,
    seed: int = 0,
    report: Callable[[Progress], None] = unheard,
) -> FairnessReport:
    """Judge approvals by group, on rows that the model was not fitted on.

    Approved outright counts as favoured; whoever a person looks at does not, nor whoever is declined.

    Parameters
    ----------
    sensitive
        Columns; by default those of the model's schema with that role.
    bins, crossed, proxies
        See `plait.judgement.fairness.fairness`.

    Raises
    ------
    ConfigError
        If the policy has no cut-off, or no column is sensitive.
    DataError
        If an outcome is not known.
    """
    if np.isnan(seen.bad).any():
        raise DataError("fairness of approvals is judged on rows whose outcome is known; leave the others out")
    cut = policy.cut_off(model.points)
    zone = policy.zone(model.points, None if policy.amount is None else seen.amounts)
    done = settle(seen.scores.log_odds, cut, zone, capacity=policy.capacity, reviews=policy.reviews)
    good = next(label for label in model.evidence.classes_.tolist() if label != model.bad)
    decided = Decided(
        1 - seen.scores.pd,
        done.action == APPROVE,
        seen.bad == 0,
        seen.weight,
        good,
        f"approval, at a probability of default up to {expit(cut):.4g}",
        seed,
    )
    return fairness_of(
        decided,
        seen.frame,
        model.schema,
        tuple(sensitive) or None,
        bins=bins,
        crossed=crossed,
        proxies=proxies,
        sides=seen.sides,
        progress=report,
    )
