"""``mitigate``: search a less discriminatory alternative of a run, and fit the best that passes as a new run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.contracts import Json, Operation, Progress, Rows, asked

if TYPE_CHECKING:
    import pandas as pd

    from plait.data.division import Division
    from plait.desks.credit.model import CreditModel
    from plait.desks.credit.operations.fit import FitResult
    from plait.desks.credit.policy.alternatives import Search
    from plait.desks.credit.policy.mitigate import Mitigation, Way
    from plait.judgement.fairness import FairnessReport
    from plait.metrics.shown import Span

__all__ = ["OPERATION", "MitigateRequest", "MitigateResult"]

WEIGHT = "fair_weight"  # the column that row weights are written to


@dataclass(frozen=True)
class MitigateRequest:
    """A run, and rows to fit its alternatives on."""

    model: CreditModel = asked("fitted", "A folder that `plait credit fit` wrote.", shown="RUN")
    rows: Rows = asked(
        "rows", "The applications that the run was fitted on, with their outcomes and sensitive columns."
    )
    output: Path = asked("folder", "Folder for the new run.", short="o")
    sensitive: tuple[str, ...] = asked("names", "Columns; by default the schema's.", default=())
    require: float = asked("number", "The four-fifths ratio to reach.", default=0.8, least=0.01, most=1)
    test: float = asked("number", "Share of rows held out, as in the run's fit.", default=0.25, least=0.05, most=0.9)
    seed: int = asked("count", "Same seed, same result; that of the run's fit.", default=0, least=0, most=2**32 - 1)
    jobs: int | None = asked("count", "Threads; by default every core it may use.", default=None, least=1)


@dataclass(frozen=True)
class MitigateResult:
    """What was tried, what was fitted, and how both treat groups on rows held out.

    Parameters
    ----------
    search
        Every way on validation rows.
    before, after
        Approvals by group on the rows held out; `after` is None where nothing was fitted.
    cost
        ROC AUC of the new run minus that of the old one on the rows held out, paired.
    refusal
        Why there is no run that passes; "": there is.
    """

    search: Mitigation
    before: FairnessReport
    after: FairnessReport | None
    cost: Span | None
    refusal: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        told = [str(self.search), "", *(f"as it is, {name}" for name in _ratios(self.before))]
        if self.search.chosen == 0:
            told.append("nothing was fitted: the model as it is passes")
        if self.after is not None:
            told += [f"mitigated, {name}" for name in _ratios(self.after)]
        if self.cost is not None:
            told.append(
                f"ROC AUC on the rows held out: {self.cost.value:+.4f} ({self.cost.low:+.4f} to {self.cost.high:+.4f})"
            )
        return "\n".join([*told, *(f"wrote {path}" for path in self.files)])

    def to_json(self) -> Json:
        from plait.metrics.shown import plain

        told = {"search": self.search, "before": self.before, "after": self.after, "cost": self.cost}
        return {**plain(told), "refusal": self.refusal, "files": [str(path) for path in self.files]}


def _ratios(found: FairnessReport) -> list[str]:
    return [f"{each.name}: four-fifths ratio {each.ratio}" for each in found.attributes]


def run(request: MitigateRequest, report: Callable[[Progress], None]) -> MitigateResult:
    """Search on the training rows, fit the best that passes on all of them, and judge it on the rows held out."""
    from plait.data.asof import sides
    from plait.data.division import divide
    from plait.desks.credit.policy.alternatives import Search, alternatives, weights_of
    from plait.desks.credit.policy.mitigate import draw_front
    from plait.report.written import check_folder, write_json

    check_folder(request.output)
    model, frame = request.model, request.rows.frame
    division = divide(frame, model.schema, classifies=True, test=request.test, seed=request.seed)
    _check(model, division, request.seed)
    named = request.sensitive or model.schema.names("sensitive")
    weight = _weight(division.train, model)
    searched = Search(
        model, division.train, tuple(named), weight, sides(model.schema, request.rows.sides), request.seed, request.jobs
    )
    found = alternatives(searched, least=request.require, report=report)
    before = _judged(model, request, division)
    if found.best is None:
        why = f"no alternative reaches a four-fifths ratio of {request.require:g} on validation rows"
        return MitigateResult(found, before, None, None, why, ())
    if found.chosen == 0:
        return MitigateResult(found, before, None, None, before.refusal(request.require), ())
    fitted = _fit(request, searched, found.best.way, weights_of(searched, found.best.way, report), division, report)
    after = _judged(fitted.model, request, division)
    pictures = draw_front(found, request.output)
    write_json(request.output / "mitigation.json", found.to_json())
    cost = _cost(model, fitted.model, request, division)
    refusal = after.refusal(request.require)
    return MitigateResult(found, before, after, cost, refusal, (request.output, *pictures))


def _check(model: CreditModel, division: Division[pd.DataFrame], seed: int) -> None:
    """Before long work: were the rows held out held out of the run, too?

    Raises
    ------
    ConfigError
        If not: the run would be judged on rows that it was fitted on.
    """
    from plait.errors import ConfigError

    fitted, here = int(model.record["rows"]), len(division.train)
    if fitted != here or (division.kind != "time" and model.record["seed"] != seed):
        raise ConfigError(
            f"the run was fitted on {fitted:,} rows by seed {model.record['seed']}, of these {here:,} by seed {seed} "
            "would fit; give the file, --test and --seed of its fit, so that no run is judged on rows that it was "
            "fitted on"
        )


def _weight(frame: pd.DataFrame, model: CreditModel) -> Any:
    import numpy as np

    named = model.schema.weight
    return np.ones(len(frame)) if named is None else frame[named].to_numpy(np.float64)


def _fit(
    request: MitigateRequest,
    searched: Search,
    way: Way,
    weights: Any,
    division: Division[pd.DataFrame],
    report: Callable[[Progress], None],
) -> FitResult:
    """The new run, by the operation `fit`; what is needed to fit it again lies in its folder."""
    import numpy as np
    import yaml

    from plait.data.files import made_folder, replacing
    from plait.data.read import read, write_frame
    from plait.data.schema import ColumnSpec
    from plait.desks.credit.operations import fit
    from plait.desks.credit.policy.alternatives import schema_of

    model, rows = request.model, request.rows
    folder = made_folder(request.output)
    schema = schema_of(model.schema, way.without)
    if way.strength:
        whole = _weight(rows.frame, model)
        whole[np.asarray(rows.frame.index.get_indexer(division.train.index))] = weights
        kept = [ColumnSpec(c.name, "ignored") if c.role == "weight" else c for c in schema.columns if c.name != WEIGHT]
        schema = replace(schema, columns=(*kept, ColumnSpec(WEIGHT, "weight")))
        path = folder / "rows.parquet"
        write_frame(rows.frame.assign(**{WEIGHT: whole}), path)
        again = read(path)
        again.attrs.update(rows.frame.attrs)
        rows = Rows(again, rows.sides, str(path), {})
    schema.write(folder / "schema.yaml")
    with replacing(folder / "credit.yaml") as beside:
        beside.write_text(yaml.safe_dump(dict(model.config.said), allow_unicode=True, sort_keys=False), "utf-8")
    asked_for = fit.FitRequest(
        rows,
        folder,
        bad=str(model.bad),
        schema=folder / "schema.yaml",
        config=folder / "credit.yaml",
        test=request.test,
        seed=request.seed,
        jobs=request.jobs,
    )
    return fit.run(asked_for, report)


def _judged(model: CreditModel, request: MitigateRequest, division: Division[pd.DataFrame]) -> FairnessReport:
    """Approvals by group on the rows held out."""
    from plait.desks.credit.policy.gate import judge_approvals
    from plait.desks.credit.policy.observed import Observed

    rows = replace(request.rows, frame=_held(request.model, division, model))
    seen = Observed.of(model, rows, model.config.policy)
    return judge_approvals(model, seen, model.config.policy, request.sensitive, proxies=False, seed=request.seed)


def _held(old: CreditModel, division: Division[pd.DataFrame], model: CreditModel) -> pd.DataFrame:
    """The rows held out, weighed as they were before: no row is to count more because of its group."""
    assert division.test is not None
    frame = division.test
    if model.schema.weight == WEIGHT:
        return frame.assign(**{WEIGHT: _weight(frame, old)})
    return frame


def _cost(old: CreditModel, new: CreditModel, request: MitigateRequest, division: Division[pd.DataFrame]) -> Span:
    """ROC AUC of the new model minus the old one's, on the rows held out."""
    from plait.data.asof import sides
    from plait.desks.credit.policy.observed import outcomes
    from plait.metrics.classification import roc_auc
    from plait.metrics.intervals import bootstrap
    from plait.metrics.shown import Span

    frame = _held(old, division, new)
    told = {
        name: model.log_odds(frame, sides(model.schema, request.rows.sides))
        for name, model in (("old", old), ("new", new))
    }
    found = bootstrap(roc_auc, outcomes(old, frame), told, weight=_weight(frame, old), resamples=500, seed=request.seed)
    return Span.of(found.difference("new", "old"))


OPERATION = Operation(
    name="mitigate",
    request=MitigateRequest,
    run=run,
    summary="Search a less discriminatory alternative of a run, and fit the best one that passes the four-fifths gate.",
    effect="acts",
    policies=("prohibited", "cut-off", "four fifths"),
    example={"model": "runs/credit", "rows": "applications.parquet", "sensitive": ["origin"], "output": "runs/fair"},
)
