"""``decide``: approve, decline or hand over each application, with reasons and every policy that was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.contracts import Decision, Json, Operation, Progress, Reason, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.policy.settings import PolicySettings

__all__ = ["OPERATION", "DecideRequest", "DecideResult"]

SHOWN = 5  # decisions


@dataclass(frozen=True)
class DecideRequest:
    """Applications to decide about, and by which policy."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "The applications.")
    policy: Path | None = asked("file", "A credit.yaml with a policy; by default the model's own.", default=None)
    without_reasons: bool = asked("flag", "Do not look for the reasons of declines.", default=False)
    places: bool = asked(
        "flag", "Also look where in letters, accounts, pages and recordings reasons show: takes longest.", default=False
    )
    output: Path | None = asked("file", "JSONL, CSV, TSV, Parquet or Arrow, a decision a row.", default=None, short="o")


@dataclass(frozen=True)
class DecideResult:
    """Decisions by row.

    Parameters
    ----------
    decisions
        In the order of the rows.
    keys
        Identifiers of the rows, a mapping each.
    """

    decisions: tuple[Decision, ...]
    keys: tuple[dict[str, Json], ...]
    output: Path | None

    def __str__(self) -> str:
        counts = Counter(decision.action for decision in self.decisions)
        whys = Counter(p.policy for each in self.decisions for p in each.policies if p.effect == "handover")
        told = [", ".join(f"{counts[action]:,} {action}" for action in ("approve", "refer", "decline"))]
        if whys:
            told.append("referred by " + ", ".join(f"{name} ({count:,})" for name, count in whys.most_common()))
        for key, each in list(zip(self.keys, self.decisions, strict=True))[:SHOWN]:
            about = " ".join(map(str, key.values()))
            turned = [policy.why for policy in each.policies if policy.effect == "change"]
            why = each.handover or "; ".join([*turned, *(reason.sentences["en"] for reason in each.reasons[:2])])
            figures = f"PD {each.prediction['pd']:.2%}, {each.prediction['points']:.0f} points"
            told.append(f"{about}: {each.action} ({figures})" + (f": {why}" if why else ""))
        if len(self.decisions) > SHOWN:
            told.append(f"... and {len(self.decisions) - SHOWN:,} more")
        return "\n".join([*told, *([f"written to {self.output}"] if self.output else [])])

    def to_json(self) -> Json:
        from plait.metrics.shown import plain

        counts = Counter(decision.action for decision in self.decisions)
        told: dict[str, Json] = {"rows": len(self.decisions), "actions": dict(sorted(counts.items()))}
        if self.output is not None:
            return {**told, "file": str(self.output)}
        return {**told, "decisions": [{**key, **plain(each)} for key, each in self._pairs()]}

    def frame(self) -> pd.DataFrame:
        """A row each: identifiers, ``action``, the figures, ``handover``, ``sources``, ``reasons``, ``policies``."""
        import pandas as pd

        from plait.metrics.shown import plain

        return pd.DataFrame([{**key, **_row(plain(each))} for key, each in self._pairs()])

    def _pairs(self) -> list[tuple[dict[str, Json], Decision]]:
        return list(zip(self.keys, self.decisions, strict=True))


def _row(said: Any) -> dict[str, Json]:
    figures, sources = said.pop("prediction"), said.pop("evidence")  # the figures have points by that name
    return {"action": said.pop("action"), **figures, "handover": said.pop("handover"), "sources": sources, **said}


def run(request: DecideRequest, report: Callable[[Progress], None]) -> DecideResult:
    """Decide, and write the decisions where that is asked."""
    from plait.data.asof import sides
    from plait.data.files import check_file
    from plait.data.read import write_frame
    from plait.desks.credit.config import Config
    from plait.desks.credit.policy.decide import decide
    from plait.desks.credit.policy.observed import policy_of
    from plait.metrics.shown import plain

    if request.output is not None:
        check_file(request.output)
    model, frame = request.model, request.rows.frame
    policy = policy_of(model, None if request.policy is None else Config.read(request.policy))
    report(Progress("deciding", 0, len(frame)))
    tables = sides(model.schema, request.rows.sides)
    made = decide(model, frame, policy, sides=tables, reasons=_reasons(request, policy, tables, report))
    named = [name for name in model.schema.names("id") if name in frame.columns]
    keys = plain(frame[named].to_dict("records")) if named else [{"row": i} for i in range(len(frame))]
    result = DecideResult(made, tuple(keys), request.output)
    if request.output is not None:
        write_frame(result.frame(), request.output)
    return result


def _reasons(
    request: DecideRequest, policy: PolicySettings, tables: Any, report: Callable[[Progress], None]
) -> Callable[[Any], Sequence[tuple[Reason, ...]]] | None:
    """From positions of declined rows to their reasons; None where they are not wanted."""
    model, frame = request.model, request.rows.frame
    if request.without_reasons or model.typical is None:
        return None

    def found(rows: Any) -> Sequence[tuple[Reason, ...]]:
        from plait.desks.credit.reasons.find import find_reasons

        declined = frame.iloc[rows]
        declined.attrs.update(frame.attrs)
        cut = policy.cut_off(model.points)
        places = None if request.places else ()
        told = find_reasons(model, declined, cut_off=cut, sides=tables, places=places, report=report)
        return [each.reasons for each in told]

    return found


OPERATION = Operation(
    name="decide",
    request=DecideRequest,
    run=run,
    summary="Decide about applications: approve, decline with reasons, or hand over to a person, and say why.",
    effect="acts",
    policies=(
        *("cut-off", "grey zone", "reviews", "capacity"),
        *("cap", "disagreement", "faults", "missing evidence", "range", "uncertainty", "proxy", "amount"),
    ),
    example={"model": "runs/credit", "rows": "new.parquet", "policy": "credit.yaml", "output": "decisions.jsonl"},
)
