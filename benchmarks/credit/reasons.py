"""Reasons for declines on made applications: do they account for the decline, and do they point at what was planted?"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array
from plait.data.samples import applications, applications_oracle
from plait.data.samples.letters import DISTRESS
from plait.data.schema import Schema
from plait.desks.credit.fitting import fit_credit
from plait.desks.credit.model import CreditModel
from plait.desks.credit.policy.prohibited import check_columns
from plait.desks.credit.reasons.decided import Decided
from plait.desks.credit.reasons.find import Told, barred, reasons_of
from plait.desks.credit.reasons.search import Candidate, candidates, neutralised
from plait.explain.cells import explain_cells
from plait.explain.columns import explain_columns
from plait.metrics.intervals import bootstrap

FITTED, JUDGED = 1_500, 2_500
APPROVED = 0.6
MOST = 4
SENSITIVE = ["sex", "age", "origin"]

Spans = Sequence[tuple[float, ...]]
Pointed = tuple[int, Spans]  # a row, and places in its cell


@dataclass(frozen=True)
class Closed:
    """What four groups of cells, chosen by one way or another, account for when they are neutralised.

    Parameters
    ----------
    share
        float64 ``N``: of the gap to the cut-off.
    points
        float64 ``N``.
    """

    share: npt.NDArray[np.float64]
    points: npt.NDArray[np.float64]


def run(seed: int) -> Report:
    """A desk fitted on the first 1,500 of 4,000 applications in time; of the rest the safest 60% are approved."""
    made, truth = (make(FITTED + JUDGED, seed) for make in (applications, applications_oracle))
    past, later = made.iloc[:FITTED], made.iloc[FITTED:]
    schema = Schema.infer(past, target="default", time="applied_at", sensitive=SENSITIVE)
    model = fit_credit(past, past["default"], schema=schema, seed=seed, n_jobs=1)
    everyone = Decided.of(model, later)
    goal = float(np.quantile(everyone.prediction, APPROVED))
    declined = np.flatnonzero(everyone.prediction > goal)[:1_000]
    some = everyone.take(declined)
    start = time.perf_counter()
    reasons_of(some, cut_off=goal, most=MOST, places=())
    plainly = time.perf_counter() - start
    start = time.perf_counter()
    told = reasons_of(some, cut_off=goal, most=MOST, places=["letter"])
    located = time.perf_counter() - start - plainly
    among = candidates(some, model.typical, model.config.reasons, barred(model))
    approved = later.iloc[np.flatnonzero(everyone.prediction <= goal)]
    figures = [
        *gaps(some, told, among, goal, seed),
        swapped(model, some, told, approved, goal, seed),
        *faithful(everyone, told, among, seed),
        *places(some, told, truth.iloc[FITTED:].iloc[declined], seed),
    ]
    return Report(
        data=f"{FITTED + JUDGED:,} made applications of five sources (plait.samples.applications)",
        split=f"{FITTED:,} to fit; of {JUDGED:,} later ones the {APPROVED:.0%} safest by the model are approved, "
        f"{len(declined):,} declined ones explained",
        figures=tuple(figures),
        notes=(
            f"typical: the {model.typical.approved} rows above the model's own cut-off among the later fifth of those "
            "fitted on, by models that had not seen them",
            f"{len(among)} candidates; {np.mean([len(each.reasons) for each in told]):.2f} reasons named on average",
            f"{1000 * plainly / len(told):.0f} ms an application without places; with those in letters "
            f"{1000 * located / len(told):.0f} ms more",
        ),
    )


def gaps(
    some: Decided, told: Sequence[Told], among: Sequence[Candidate], goal: float, seed: int
) -> tuple[Measured, Measured]:
    """Shares of the gap that are closed: by the named reasons, by the four largest SHAP values, by four at random."""
    typical = some.model.typical
    assert typical is not None
    place = {candidate.columns: i for i, candidate in enumerate(among)}
    named = np.zeros((len(told), len(among)), bool)
    for row, each in enumerate(told):
        named[row, [place[reason.columns] for reason in each.reasons]] = True
    rng = np.random.default_rng([seed, 1])
    random = rng.random(named.shape).argsort(axis=1) < MOST
    sets = {"named": named, "top 4 by SHAP": largest(some, among), "4 at random": random}
    closed = {name: close(some, among, each, goal) for name, each in sets.items()}
    half = {name: (each.share >= 0.5).astype(float) for name, each in closed.items()}
    points = {name: each.points for name, each in closed.items()}
    return (
        measured("declined whose reasons close half of the gap or more", half, "share", seed),
        measured("points that neutralising them gives back", points, "points", seed),
    )


def close(some: Decided, among: Sequence[Candidate], sets: npt.NDArray[np.bool_], goal: float) -> Closed:
    """Neutralise some candidates (bool ``N x K``) of every row."""
    typical = some.model.typical
    assert typical is not None
    after = neutralised(some, typical, among, np.arange(len(some)), sets).log_odds
    gain = some.prediction - after
    return Closed(gain / (some.prediction - goal), gain * some.model.points.factor)


def largest(some: Decided, among: Sequence[Candidate]) -> npt.NDArray[np.bool_]:
    """The four candidates whose columns raise the evidence model's log-odds most, by the learners' own SHAP values."""
    shares = explain_columns(some.evidence)
    values = np.full((len(some), len(among)), -np.inf)
    for i, candidate in enumerate(among):
        own = [j for j, name in enumerate(shares.columns) if name in candidate.columns]
        if own:
            values[:, i] = shares.values[:, own].sum(axis=1)
    return (-values).argsort(axis=1).argsort(axis=1) < MOST


def swapped(
    model: CreditModel, some: Decided, told: Sequence[Told], approved: pd.DataFrame, goal: float, seed: int
) -> Measured:
    """The same share with the named cells of real approved applicants instead, each drawn at random."""
    rng = np.random.default_rng([seed, 2])
    donors = approved.iloc[rng.integers(0, len(approved), len(told))]
    names = np.array(model.used)

    def gained(chosen: Sequence[Sequence[str]]) -> Array:
        rows = some.rows.astype(object)
        for i, own in enumerate(chosen):
            for name in own:
                rows.iat[i, rows.columns.get_loc(name)] = donors[name].iloc[i]
        after = model.log_odds(rows.astype(some.rows.dtypes))
        return np.asarray((some.prediction - after) / (some.prediction - goal) >= 0.5, float)

    reasons = [[name for reason in each.reasons for name in reason.columns] for each in told]
    chance = [list(rng.permutation(names)[: len(own)]) for own in reasons]
    half = {"named": gained(reasons), "as many columns at random": gained(chance)}
    return measured("the same with the cells of approved applicants, drawn at random", half, "share", seed)


def faithful(
    everyone: Decided, told: Sequence[Told], among: Sequence[Candidate], seed: int
) -> tuple[Measured, Measured]:
    """Reasons that rest on a column without effect on any score, or on one that must not decide."""
    rng = np.random.default_rng([seed, 3])
    named = {name for each in told for reason in each.reasons for name in reason.columns}
    idle = set()
    for candidate in among:
        shuffled = everyone.rows.copy()
        order = rng.permutation(len(shuffled))
        for name in candidate.columns:
            shuffled[name] = everyone.rows[name].to_numpy()[order]
        if candidate.alone:
            hidden = np.tile([source != candidate.source for source in everyone.sources], (len(everyone), 1))
            moved = everyone.asked(np.arange(len(everyone)), present=hidden).log_odds
        else:
            moved = everyone.model.log_odds(shuffled)
        if np.array_equal(moved, everyone.prediction):
            idle |= set(candidate.columns)
    model = everyone.model
    never = {each.column for each in check_columns(everyone.rows.columns, model.config.prohibited)}
    unknown = named - set(model.used)
    return (
        Measured("named columns that the model does not read, or whose shuffling moves no score",
                 float(len(named & idle | unknown)), unit=f"of {len(named)}"),
        Measured("named columns that are sensitive or prohibited", float(len(named & (never | barred(model)))),
                 unit=f"of {len(named)}"),
    )  # fmt: skip


def places(some: Decided, told: Sequence[Told], truth: pd.DataFrame, seed: int) -> list[Measured]:
    """Whether reasons point at what was planted in letters; and the strongest place of an account, named or not."""
    letters, accounts = some.rows["letter"].tolist(), some.rows["account"].tolist()
    named: list[Pointed] = []
    for row, each in enumerate(told):
        own = [reason.places for reason in each.reasons if reason.source == "letter" and reason.places]
        named += [(row, [place.where[:2] for place in found]) for found in own]
    worst, dry = ([[] if span is None else [span] for span in truth[f"{name}_place"]] for name in ("letter", "account"))
    troubles = [trouble(letter) for letter in letters]
    there = np.array([row for row, spans in enumerate(dry) if spans and accounts[row] is not None])
    cells = explain_cells(some.evidence.take(there), sources=["account"])
    strongest: list[Pointed] = [(int(there[c.row]), [c.places[int(c.values.argmax())].where[:2]]) for c in cells]
    first = [(row, spans[:1]) for row, spans in named]
    return [
        pointed("letter: place named first tells of trouble", first, troubles, letters, seed),
        pointed("letter: a place named tells of the worst trouble", named, worst, letters, seed),
        pointed("account: riskiest place is in the dry months", strongest, dry, accounts, seed),
    ]


def pointed(what: str, found: Sequence[Pointed], planted: Sequence[Spans], cells: Sequence[Any], seed: int) -> Measured:
    """Whether one of a row's places lies in what was planted in it; chance: places of as many units anywhere."""
    hits, chance = [], []
    for row, spans in found:
        if planted[row]:
            hits.append(float(any(a < end and begin < b for a, b in spans for begin, end in planted[row])))
            reach = [sum(end - begin + b - a for begin, end in planted[row]) / len(cells[row]) for a, b in spans]
            chance.append(1 - float(np.prod([max(0.0, 1 - share) for share in reach])))
    what = f"{what} ({len(hits)} of them)"
    return measured(what, {"named": np.array(hits), "such places anywhere": np.array(chance)}, "share", seed)


def trouble(letter: object) -> Spans:
    """Where a made letter tells of trouble."""
    if not isinstance(letter, str):
        return []
    said = [sentence for language in DISTRESS for _, sentence in language if sentence in letter]
    return [(letter.index(sentence), letter.index(sentence) + len(sentence)) for sentence in said]


def measured(what: str, values: Mapping[str, Array], unit: str, seed: int) -> Measured:
    """The mean of the first, beside those of the others on the same resamples."""
    name, *others = values
    found = bootstrap(_mean, np.zeros(len(values[name])), values, seed=seed)
    value, low, high = map(float, found.interval(name))
    beside = {o: Beside(*map(float, (*found.interval(o), *found.difference(name, o)))) for o in others}
    return Measured(what, value, low, high, unit, beside)


def _mean(targets: Array, values: Array, weight: Array) -> Array:
    return np.asarray((weight @ values) / weight.sum(axis=-1))


if __name__ == "__main__":
    sys.exit(main(run))
