"""``swap``: whom a new model approves and the old one does not, the other way round, and what that is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.policy.swaps import SwapReport

__all__ = ["OPERATION", "SwapRequest", "SwapResult"]


@dataclass(frozen=True)
class SwapRequest:
    """Two models, or a model and its own scorecard, on the same applications."""

    model: CreditModel = asked("fitted", "The new model: a folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "Applications with their outcomes, as far as these are known.")
    old: Path | None = asked("folder", "The old model's run; by default the new one's own scorecard.", default=None)
    approval: float | None = asked(
        "number",
        "Share that each approves; by default as many as the policy's cut-off approves by the old one.",
        default=None,
        least=0,
        most=1,
    )
    policy: Path | None = asked("file", "A credit.yaml with a policy; by default the new model's own.", default=None)
    seed: int = asked("count", "Of the resamples.", default=0, least=0, most=2**32 - 1)


@dataclass(frozen=True)
class SwapResult:
    """Swap sets."""

    swaps: SwapReport

    def __str__(self) -> str:
        return str(self.swaps)

    def to_json(self) -> Json:
        return self.swaps.to_json()


def run(request: SwapRequest, report: Callable[[Progress], None]) -> SwapResult:
    """Score by both and set their approvals against each other."""
    from plait.desks.credit.config import Config
    from plait.desks.credit.model import load
    from plait.desks.credit.policy.observed import Observed, policy_of
    from plait.desks.credit.policy.swaps import matched_cut, swap_sets

    model = request.model
    policy = policy_of(model, None if request.policy is None else Config.read(request.policy))
    report(Progress("scoring", 0, len(request.rows)))
    seen = Observed.of(model, request.rows, policy, known=False)
    before = model if request.old is None else load(request.old)
    if request.old is None:
        old, name = before.points.log_odds(seen.scores.scorecard), "scorecard"
    else:
        old, name = before.log_odds(seen.frame, seen.sides), str(request.old)
    if request.approval is not None:
        cut = matched_cut(old, request.approval, seen.weight)
    else:
        cut = policy.cut_off(before.points)
    swaps = swap_sets(
        old,
        seen.scores.log_odds,
        seen.bad,
        old_cut=cut,
        money=seen.money(policy),
        weight=seen.weight,
        names=(name, "blend" if request.old is None else "new"),
        seed=request.seed,
    )
    return SwapResult(swaps)


OPERATION = Operation(
    name="swap",
    request=SwapRequest,
    run=run,
    summary="Set two models' approvals against each other: swapped in and out, their bad rates, amounts and profit.",
    effect="reads",
    policies=("cut-off",),
    example={"model": "runs/new", "rows": "later.parquet", "old": "runs/old"},
)
