"""The trade-off of a lender: how many are approved, and how many of these turn out bad."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Json
from plait.desks.credit.policy.cutoff import Money
from plait.errors import InputError
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, number, plain
from plait.metrics.weights import as_weight, finite, ratio

__all__ = ["Curve", "TradeOff", "draw_trade_off", "trade_off"]

Vector = npt.NDArray[np.float64]

STEPS = 20
RESAMPLES = 500


@dataclass(frozen=True)
class Curve:
    """One score's trade-off at rising approval: float64 ``K`` each.

    Parameters
    ----------
    cut_offs
        Highest score approved.
    approved
        Share of rows approved.
    bad_rate, low, high
        Of the approved, with the interval at this cut-off.
    profit, profit_low, profit_high
        Mean of a row; NaN where it is not said what loans earn and lose.
    """

    name: str
    cut_offs: Vector
    approved: Vector
    bad_rate: Vector
    low: Vector
    high: Vector
    profit: Vector
    profit_low: Vector
    profit_high: Vector

    def at(self, approval: float) -> tuple[float, Span]:
        """The cut-off whose approval is nearest to a share, and its bad rate."""
        i = int(np.abs(self.approved - approval).argmin())
        return float(self.cut_offs[i]), Span(float(self.bad_rate[i]), float(self.low[i]), float(self.high[i]))


@dataclass(frozen=True)
class TradeOff:
    """Curves of one or more scores on the same rows, the first the one in question.

    Parameters
    ----------
    saved
        Bad rate of every other curve minus the first's at the same approval, paired: ``K`` spans by name.
    """

    n: int
    bad_rate: float
    curves: tuple[Curve, ...]
    saved: Mapping[str, tuple[Span, ...]]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first: bad rates at every second step of approval."""
        first = self.curves[0]
        earns = not np.isnan(first.profit).all()
        head = ["approved", f"cut-off of {first.name}", f"bad rate, {first.name}"]
        head += [f"{name}: worse by" for name in self.saved] + (["profit of a row"] if earns else [])
        body = []
        for i in range(1, len(first.approved), 2):
            told = [f"{first.approved[i]:.0%}", number(float(first.cut_offs[i]))]
            span = "" if np.isnan(first.low[i]) else f" ({first.low[i]:.2%} to {first.high[i]:.2%})"
            told.append(f"{first.bad_rate[i]:.2%}{span}")
            told += [_points(spans[i]) for spans in self.saved.values()]
            if earns:
                told.append(str(Span(*map(float, (first.profit[i], first.profit_low[i], first.profit_high[i])))))
            body.append(tuple(told))
        return (tuple(head), *body)

    def __str__(self) -> str:
        return "\n".join([f"{self.n:,} rows, {self.bad_rate:.1%} bad", "", *aligned(self.rows())])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


def trade_off(
    scores: Mapping[str, Array],
    bad: Array,
    *,
    money: Money | None = None,
    weight: Array | None = None,
    steps: int = STEPS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> TradeOff:
    """Bad rates along the approved share.

    Parameters
    ----------
    scores
        Name to float64 ``N``, rising with risk (probabilities or log-odds of default); the first is the one in
        question.
    bad
        float64 ``N``: 1 or 0.
    money
        What loans earn and lose.
    steps
        Points of a curve, evenly spaced by approval, the last one approves every row.

    Raises
    ------
    InputError
        If there is no score, or a number is none.

    Notes
    -----
    Cut-offs are those of the sample; intervals are percentile bootstraps of rows at them, curves are compared on the
    same resamples at the same approval.
    """
    if not scores:
        raise InputError("no scores to draw a trade-off of; give at least one")
    bad = finite(bad, len(bad), "outcomes")
    weight = as_weight(weight, len(bad))
    earned = np.full(len(bad), np.nan) if money is None else money.profit(bad)[:, 0]
    cuts, codes = {}, {}
    for name, risk in scores.items():
        cuts[name] = _cuts(finite(risk, len(bad), f"scores of {name!r}"), weight, steps)
        codes[name] = np.searchsorted(cuts[name], risk)

    def figures(bad: Array, code: Array, weight: Array) -> Array:
        inside = np.eye(steps)[code]
        mass, lost, gained = (np.cumsum((weight * each) @ inside, axis=-1) for each in (1.0, bad, earned))
        total = weight.sum(-1)[..., None]
        return np.concatenate([mass / total, ratio(lost, mass), gained / total], axis=-1)

    found = bootstrap(figures, bad, codes, weight=weight, resamples=resamples, seed=seed)
    made = []
    for name in scores:
        value, low, high = (each.reshape(3, steps) for each in found.interval(name))
        made.append(Curve(name, cuts[name], value[0], value[1], low[1], high[1], value[2], low[2], high[2]))
    first, *others = scores
    saved = {}
    for name in others:
        apart = found.difference(name, first)
        saved[name] = tuple(apart.at(steps + i) for i in range(steps))
    return TradeOff(len(bad), float(weight @ bad / weight.sum()), tuple(made), saved)


def _cuts(risk: Array, weight: Array, steps: int) -> Vector:
    """Scores up to which 1/steps, 2/steps, ... of the rows lie, the last one the highest of all."""
    order = np.argsort(risk, kind="stable")
    mass = np.cumsum(weight[order])
    wanted = np.arange(1, steps + 1) / steps * mass[-1]
    place = np.minimum(np.searchsorted(mass, wanted * (1 - 1e-12)), len(order) - 1)
    place[-1] = len(order) - 1  # rows without weight may lie above all others
    return np.asarray(risk[order][place], np.float64)


def draw_trade_off(found: TradeOff, folder: str | os.PathLike[str], cut: float | None = None) -> tuple[Path, ...]:
    """Draw ``trade_off.png``: bad rates by approved share, and profit where it is known; `cut` is marked.

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """
    from plait.data.files import made_folder
    from plait.report.canvas import BLUE, DASHES, GREY, SERIES, canvas, finish, readable, save

    first = found.curves[0]
    earns = not np.isnan(first.profit).all()
    figure = canvas(9.6 if earns else 6.0, 4.2)
    panels = figure.subplots(1, 2 if earns else 1, squeeze=False)[0]
    parts = [("bad_rate", "low", "high", "Bad rate of the approved"), ("profit", "profit_low", "profit_high", "Profit")]
    marked = None if cut is None else float(np.interp(cut, first.cut_offs, first.approved))
    for axes, (value, low, high, title) in zip(panels, parts, strict=False):
        for i, curve in enumerate(found.curves[1:]):
            style = {"color": SERIES[i % len(SERIES)], "linestyle": DASHES[i % len(DASHES)], "linewidth": 1.4}
            axes.plot(curve.approved, getattr(curve, value), label=readable(curve.name), **style)
        axes.fill_between(
            first.approved, getattr(first, low), getattr(first, high), color=BLUE, alpha=0.18, linewidth=0
        )
        axes.plot(first.approved, getattr(first, value), color=BLUE, linewidth=2, label=readable(first.name))
        level = found.bad_rate if value == "bad_rate" else 0.0
        axes.axhline(level, color=GREY, linewidth=0.8)
        if marked is not None:
            axes.axvline(marked, color=GREY, linewidth=0.8, linestyle=":", label="cut-off")
        finish(axes, title, "Share of rows approved", "Share bad" if value == "bad_rate" else "Mean of a row", "best")
        axes.set_xlim(0, 1)
    return (save(figure, made_folder(folder) / "trade_off.png"),)


def _points(span: Span) -> str:
    between = "" if np.isnan(span.low) else f" ({100 * span.low:+.2f} to {100 * span.high:+.2f})"
    return f"{100 * span.value:+.2f}{between} points"
