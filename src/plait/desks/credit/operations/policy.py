"""``policy``: where to cut off, by cost and capacity, on applications whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Array, Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.policy.cutoff import ChosenCutOff, CutOffReport
    from plait.desks.credit.policy.observed import Observed
    from plait.desks.credit.policy.settings import PolicySettings
    from plait.desks.credit.policy.tradeoff import TradeOff

__all__ = ["OPERATION", "PolicyRequest", "PolicyResult"]


@dataclass(frozen=True)
class PolicyRequest:
    """Applications whose outcome is known, and what the lender decided."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "Applications that the model was not fitted on, with their outcomes.")
    policy: Path | None = asked("file", "A credit.yaml with a policy; by default the model's own.", default=None)
    output: Path | None = asked("folder", "Folder for pictures.", default=None, short="o")
    seed: int = asked("count", "Of the resamples.", default=0, least=0, most=2**32 - 1)


@dataclass(frozen=True)
class PolicyResult:
    """Cut-offs side by side, and the trade-off along all of them.

    Parameters
    ----------
    rules
        What each rule approves, loses and earns on rows that chose none of them.
    trade_off
        Bad rate and profit by approved share: of the blend, the scorecard alone, and the evidence alone.
    chosen
        The cut-off chosen on the other rows, and the implied one; None: it is not said what loans earn and lose.
    cut
        The policy's own cut-off, as a probability; None: it has none.
    """

    rules: CutOffReport
    trade_off: TradeOff
    chosen: ChosenCutOff | None
    cut: float | None
    files: tuple[Path, ...]

    def __str__(self) -> str:
        from plait.metrics.shown import between, number

        told = [str(self.rules), ""]
        if self.chosen is not None:
            told += [
                f"implied by margin and LGD: approve to a PD of {number(self.chosen.implied)}; chosen on earlier rows: "
                f"{number(self.chosen.chosen)} (on other samples of them {between(*self.chosen.between)})",
                "",
            ]
        told += [str(self.trade_off), *(f"drew {path}" for path in self.files)]
        return "\n".join(told)

    def to_json(self) -> Json:
        from plait.metrics.shown import plain

        made = {"rules": self.rules, "trade_off": self.trade_off, "chosen": self.chosen, "cut": self.cut}
        return {**plain(made), "files": [str(path) for path in self.files]}


def run(request: PolicyRequest, report: Callable[[Progress], None]) -> PolicyResult:
    """Choose on the earlier half where there is something to choose, judge on the rest."""
    from scipy.special import expit

    from plait.desks.credit.policy.cutoff import choose, compare
    from plait.desks.credit.policy.observed import Observed
    from plait.desks.credit.policy.tradeoff import draw_trade_off, trade_off

    policy = _policy(request)
    report(Progress("scoring", 0, len(request.rows)))
    seen = Observed.of(request.model, request.rows, policy)
    chosen, notes = None, []
    if (money := seen.money(policy)) is not None:
        earlier, later = _halves(request.model, seen, request.seed)
        first = earlier.money(policy)
        assert first is not None
        chosen = choose(earlier.scores.pd, earlier.bad, first, weight=earlier.weight, seed=request.seed)
        notes = [f"chosen on {len(earlier.bad):,} rows, judged on {len(later.bad):,} others"]
        seen, money = later, later.money(policy)
    has = policy.approve_below is not None or policy.approve_from is not None or chosen is not None
    cut = float(expit(policy.cut_off(request.model.points))) if has else None
    rules = _rules(request.model, seen, policy, chosen)
    done = compare(rules, seen.scores.pd, seen.bad, money=money, weight=seen.weight, seed=request.seed, notes=notes)
    told = {"blend": seen.scores.pd, "scorecard": -seen.scores.scorecard, "evidence": -seen.scores.evidence}
    curves = trade_off(told, seen.bad, money=money, weight=seen.weight, seed=request.seed)
    files = () if request.output is None else draw_trade_off(curves, request.output, cut)
    return PolicyResult(done, curves, chosen, cut, files)


def _policy(request: PolicyRequest) -> PolicySettings:
    from plait.desks.credit.config import Config
    from plait.desks.credit.policy.observed import policy_of

    return policy_of(request.model, None if request.policy is None else Config.read(request.policy))


def _halves(model: CreditModel, seen: Observed, seed: int) -> tuple[Observed, Observed]:
    """The earlier rows, and the later ones (at random, where rows have no time)."""
    import numpy as np

    from plait.data.division import divide

    placed = seen.frame.reset_index(drop=True)
    found = divide(placed, model.schema, classifies=True, test=0.5, seed=seed)
    assert found.test is not None
    return seen.take(np.asarray(found.train.index)), seen.take(np.asarray(found.test.index))


def _rules(
    model: CreditModel, seen: Observed, policy: PolicySettings, chosen: ChosenCutOff | None
) -> Mapping[str, Array]:
    """What each rule does about the rows: approving everyone first."""
    from plait.desks.credit.policy.cutoff import settle

    chance = seen.scores.pd
    cuts = {"everyone": 1.0, "PD up to one half": 0.5}
    if chosen is not None:
        cuts |= {"implied by costs": chosen.implied, "chosen on earlier rows": chosen.chosen}
    made = {name: settle(chance, cut).action for name, cut in cuts.items()}
    if chosen is None and policy.approve_below is None and policy.approve_from is None:
        return made
    cut = policy.cut_off(model.points)
    zone = policy.zone(model.points, seen.amounts if policy.amount is not None else None)
    own = settle(seen.scores.log_odds, cut, zone, capacity=policy.capacity, reviews=policy.reviews)
    return {**made, "the policy": own.action}


OPERATION = Operation(
    name="policy",
    request=PolicyRequest,
    run=run,
    summary="Weigh cut-offs by cost and capacity: what each approves, loses and earns, and the trade-off between them.",
    effect="reads",
    policies=("cut-off", "grey zone", "reviews", "capacity"),
    example={"model": "runs/credit", "rows": "later.parquet", "policy": "credit.yaml", "output": "policy"},
)
