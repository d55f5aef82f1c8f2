"""``lift``: what each source of evidence adds to the scorecard, in points, in ranking and in money."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plait.contracts import Array, Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.judged import Judged
    from plait.desks.credit.lift import Money, PointShares, Without
    from plait.desks.credit.model import CreditModel

__all__ = ["OPERATION", "LiftRequest", "LiftResult"]


@dataclass(frozen=True)
class LiftRequest:
    """Applications that the model was not fitted on, best with their outcome."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked("rows", "Applications that it was not fitted on.")
    output: Path | None = asked("folder", "Folder for points by row and pictures.", default=None, short="o")
    amount: str | None = asked("string", "What was applied for: asks for profit.", default=None, shown="COLUMN")
    loss_given_default: float = asked("number", "Lost of the amount in a default.", default=0.6, least=0, most=1)
    margin: float = asked("number", "Earned on the amount of a loan repaid.", default=0.1, least=0)
    approve: float = asked("number", "Share of the applications approved.", default=0.8, least=0, most=1)
    sample: int = asked("count", "Rows, drawn at random, whose points are split; 0: all.", default=1000, least=0)
    seed: int = asked("count", "Of the draw, and of intervals.", default=0, least=0, most=2**32 - 1)


@dataclass(frozen=True)
class LiftResult:
    """What evidence adds.

    Parameters
    ----------
    shares
        Points of rows by line.
    table
        The same with the rows' identifiers.
    judged, without
        How scorecard, evidence and blend rank, and the blend with each source hidden; None, empty: no outcome is known.
    money
        Profit at equal approval, the share that was asked for among others; None: no amount was named.
    approve
        That share.
    """

    shares: PointShares
    table: pd.DataFrame
    judged: Judged | None
    without: tuple[Without, ...]
    money: Money | None
    approve: float

    def frame(self) -> pd.DataFrame:
        """Points by row and line."""
        return self.table

    def draw(self, folder: Path) -> tuple[Path, ...]:
        """Draw ``lift.png``, and ``money.png`` where an amount was named."""
        from plait.desks.credit.lift_pictures import draw_lift

        return draw_lift(folder, self.shares, self.without, self.money)

    def __str__(self) -> str:
        from plait.metrics.shown import aligned

        told = [f"points of {len(self.table):,} rows, the higher the safer", *aligned(self._points())]
        if self.judged is not None:
            told += ["", str(self.judged), "", "with a source of evidence hidden", *aligned(self._hidden())]
        if self.money is not None:
            told += ["", *self._money(self.money)]
        return "\n".join(told)

    def _points(self) -> list[tuple[str, ...]]:
        import numpy as np

        values = self.shares.values
        rows = zip(self.shares.lines, np.abs(values).mean(axis=0), values.mean(axis=0), strict=True)
        return [("", "mean |points|", "mean"), *((name, f"{size:.2f}", f"{mean:+.2f}") for name, size, mean in rows)]

    def _hidden(self) -> list[tuple[str, ...]]:
        rows = [
            (
                each.source,
                f"{each.present:.1%}",
                f"{each.roc_auc.value:.4f}",
                f"{each.lost.value:+.4f} ({each.lost.low:+.4f} to {each.lost.high:+.4f})",
            )
            for each in self.without
        ]
        return [("", "rows that have it", "ROC AUC without", "lost"), *rows]

    def _money(self, money: Money) -> list[str]:
        from plait.metrics.shown import aligned, count

        at = money.approved.tolist().index(self.approve)
        value, low, high = money.gained[at]
        rows = [(name, *(f"{part:.3f}" for part in each[at])) for name, each in money.profit.items()]
        return [
            f"profit of approving the safest {self.approve:.0%}, in % of {count(round(money.amount))} applied for",
            *aligned([("", "profit", "low", "high"), *rows]),
            f"blend minus scorecard {value:+.3f}% ({low:+.3f} to {high:+.3f}): {money.amount * value / 100:,.0f}",
            f"assumed of every loan: {money.terms.margin:.0%} of its amount earned where repaid, "
            f"{money.terms.loss_given_default:.0%} lost in a default",
        ]

    def to_json(self) -> Json:
        import numpy as np

        from plait.metrics.shown import plain

        values = self.shares.values
        return {
            "rows": len(self.table),
            "points": [
                {"line": name, "mean_size": float(size), "mean": float(mean)}
                for name, size, mean in zip(
                    self.shares.lines, np.abs(values).mean(axis=0), values.mean(axis=0), strict=True
                )
            ],
            "judged": None if self.judged is None else self.judged.to_json(),
            "without": plain(self.without),
            "money": plain(self.money),
        }


def run(request: LiftRequest, report: Callable[[Progress], None]) -> LiftResult:
    """Split points, judge the blend with and without each source, count money, and draw."""
    import numpy as np
    import pandas as pd

    from plait.data.asof import sides
    from plait.data.files import made_folder
    from plait.data.read import write_frame
    from plait.desks.credit.judged import judge_scores
    from plait.desks.credit.lift import APPROVED, Terms, money_by_approval, split_points, without_sources
    from plait.desks.credit.policy.observed import row_weights

    model, frame, seed = request.model, request.rows.frame, request.seed
    terms = Terms(request.loss_given_default, request.margin)
    bad = _outcomes(model, frame, request.amount)
    folder = None if request.output is None else made_folder(request.output)
    tables = sides(model.schema, request.rows.sides)
    chosen = np.arange(len(frame))
    if 0 < request.sample < len(frame):
        chosen = np.sort(np.random.default_rng([seed, 0x11F7]).permutation(len(frame))[: request.sample])
    some = frame.iloc[chosen]
    shares = split_points(model, some, tables, seed=seed, report=report)
    carried = [name for name in model.schema.names("id") if name in frame.columns]
    table = pd.concat([some[carried], shares.frame().set_axis(some.index)], axis=1)
    judged: Judged | None = None
    without: tuple[Without, ...] = ()
    money: Money | None = None
    if bad is not None:
        report(Progress("hidden sources", 0, len(frame)))
        scores, weight = model.score(frame, tables), row_weights(model, frame)
        judged = judge_scores(scores, bad, weight=weight, seed=seed)
        without = without_sources(model, frame, bad, tables, weight=weight, seed=seed)
        if request.amount is not None:
            risks = {"scorecard": -scores.scorecard, "evidence": -scores.evidence, "blend": scores.log_odds}
            amounts = frame[request.amount].to_numpy(np.float64)
            at = sorted({*APPROVED, request.approve})
            money = money_by_approval(risks, bad, amounts, terms=terms, approved=at, weight=weight, seed=seed)
    result = LiftResult(shares, table, judged, without, money, request.approve)
    if folder is not None:
        write_frame(table, folder / "points.csv")
        result.draw(folder)
    return result


def _outcomes(model: CreditModel, frame: pd.DataFrame, amount: str | None) -> Array | None:
    """1 where a row defaulted, 0 where not; None where no outcome is known."""
    from plait.desks.credit.policy.observed import outcomes
    from plait.errors import ConfigError, DataError, unknown

    if amount is not None and amount not in frame.columns:
        raise unknown("column", amount, map(str, frame.columns))
    target = model.schema.target
    if target not in frame.columns:
        if amount is not None:
            raise ConfigError(f"--amount asks for profit, which needs the outcome, but there is no column {target!r}")
        return None
    bad = outcomes(model, frame)
    if missing := int((bad != bad).sum()):
        raise DataError(
            f"{target!r} is missing in {missing:,} of {len(bad):,} rows; leave those rows out, or the column"
        )
    return bad


OPERATION = Operation(
    name="lift",
    request=LiftRequest,
    run=run,
    summary="What each source of evidence adds to the scorecard: points row by row, ranking, and money.",
    effect="reads",
    example={"model": "runs/credit", "rows": "later.parquet", "amount": "amount", "output": "lift"},
)
