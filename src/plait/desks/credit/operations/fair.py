"""``fair``: how approvals at the policy's cut-off fall on groups of people, as a gate where that is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    from plait.desks.credit.model import CreditModel
    from plait.judgement.fairness import FairnessReport

__all__ = ["OPERATION", "FairRequest", "FairResult"]


@dataclass(frozen=True)
class FairRequest:
    """Applications whose outcome is known, and the columns that name groups of people."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "Applications that the model was not fitted on, with their outcomes.")
    sensitive: tuple[str, ...] = asked("names", "Columns; by default the schema's.", default=())
    require: float | None = asked(
        "number", "Refuse (exit code 3) below this four-fifths ratio, as in 0.8.", default=None, least=0, most=1
    )
    policy: Path | None = asked("file", "A credit.yaml with a policy; by default the model's own.", default=None)
    bins: Mapping[str, str] = asked("entries", "Where to cut a column of numbers, as in age=25,40,62.", default={})
    crossed: bool = asked("flag", "Judge every two sensitive columns crossed, too.", default=False)
    output: Path | None = asked("folder", "Folder for pictures.", default=None, short="o")
    seed: int = asked("count", "Of the resamples.", default=0, least=0, most=2**32 - 1)


@dataclass(frozen=True)
class FairResult:
    """What was found; `refusal` says why the gate that was asked for says no."""

    fairness: FairnessReport
    refusal: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        return "\n".join([str(self.fairness), *(f"drew {path}" for path in self.files)])

    def to_json(self) -> Json:
        return {**self.fairness.to_json(), "refusal": self.refusal, "files": [str(path) for path in self.files]}


def run(request: FairRequest, report: Callable[[Progress], None]) -> FairResult:
    """Judge, and refuse where the ratio that was asked for is not reached."""
    from plait.desks.credit.config import Config
    from plait.desks.credit.policy.gate import judge_approvals
    from plait.desks.credit.policy.observed import Observed, policy_of

    model = request.model
    policy = policy_of(model, None if request.policy is None else Config.read(request.policy))
    bins = _edges(request.bins)
    seen = Observed.of(model, request.rows, policy)
    found = judge_approvals(
        model,
        seen,
        policy,
        request.sensitive,
        bins=bins,
        crossed=request.crossed,
        seed=request.seed,
        report=report,
    )
    files: tuple[Path, ...] = ()
    if request.output is not None:
        from plait.report.judged import draw_fairness

        files = draw_fairness(found, request.output)
    return FairResult(found, "" if request.require is None else found.refusal(request.require), files)


def _edges(given: Mapping[str, str]) -> dict[str, list[float]]:
    from plait.errors import ConfigError

    found: dict[str, list[float]] = {}
    for name, text in given.items():
        try:
            found[name] = [float(edge) for edge in text.split(",")]
        except ValueError:
            raise ConfigError(f"bins: {name}={text}: edges are numbers, as in {name}=25,40,62") from None
    return found


OPERATION = Operation(
    name="fair",
    request=FairRequest,
    run=run,
    summary="Judge how approvals fall on groups: four-fifths ratio, error rates, and the columns that tell the groups.",
    effect="reads",
    policies=("cut-off", "four fifths"),
    example={"model": "runs/credit", "rows": "later.parquet", "sensitive": ["sex"], "require": 0.8},
)
