"""Swap sets: whom a new model approves and the old one does not, the other way round, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from plait.contracts import Array, Json
from plait.desks.credit.policy.cutoff import Money
from plait.errors import DataError, InputError
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, plain
from plait.metrics.weights import as_weight, finite, ratio

__all__ = ["CELLS", "Cell", "SwapReport", "matched_cut", "swap_sets"]

CELLS = ("approved by both", "swapped in", "swapped out", "declined by both")
RESAMPLES = 500


class Cell(NamedTuple):
    """One of `CELLS`.

    `share` of rows; `bad_rate` of those whose outcome is known (`known` of them); `amount`: their sum; `profit`: of
    approving the known ones, their sum (NaN: not said).
    """

    rows: int
    share: float
    known: int
    bad_rate: Span
    amount: float
    profit: Span


@dataclass(frozen=True)
class SwapReport:
    """What a change of models changes.

    Parameters
    ----------
    old, new
        Names of the models.
    cut_offs
        Of each, on its own scale.
    approved
        Share of rows approved by each.
    cells
        `CELLS` to what is in them.
    bad_rate
        Of the new model's approvals minus that of the old one's, paired; of rows whose outcome is known.
    profit
        Of the new model's approvals minus that of the old one's, a row's mean over all rows; NaN: not said.
    """

    old: str
    new: str
    n: int
    cut_offs: tuple[float, float]
    approved: tuple[float, float]
    cells: Mapping[str, Cell]
    bad_rate: Span
    profit: Span
    notes: tuple[str, ...]

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of strings, the header first."""
        head = ("", "rows", "share", "bad rate", "amount", "profit if approved")
        body = [
            (
                name,
                f"{cell.rows:,}",
                f"{cell.share:.1%}",
                "-" if np.isnan(cell.bad_rate.value) else f"{cell.bad_rate.value:.2%}" + _between(cell.bad_rate, 100),
                f"{cell.amount:,.0f}",
                "-" if np.isnan(cell.profit.value) else f"{cell.profit.value:,.0f}" + _between(cell.profit, 1),
            )
            for name, cell in self.cells.items()
        ]
        return (head, *body)

    def __str__(self) -> str:
        known = not np.isnan(self.bad_rate.value)
        span = f"{100 * self.bad_rate.value:+.2f} points{_between(self.bad_rate, 100)}"
        moved = span if known else "not known, as one of them approves no row with a known outcome"
        told = [
            f"{self.n:,} rows; {self.old} approves {self.approved[0]:.1%}, {self.new} {self.approved[1]:.1%}",
            "",
            *aligned(self.rows()),
            f"bad rate of the approved: {moved}",
        ]
        if not np.isnan(self.profit.value):
            told.append(f"profit of a row: {self.profit}")
        return "\n".join([*told, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain(self)


def matched_cut(risk: Array, share: float, weight: Array | None = None) -> float:
    """The cut-off up to which `share` of the rows lie, as near as their number allows: -inf where it is none."""
    weight = as_weight(weight, len(risk))
    order = np.argsort(risk, kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(weight[order])])
    count = int(np.abs(mass - share * mass[-1]).argmin())
    return float(risk[order][count - 1]) if count else -np.inf


def swap_sets(
    old: Array,
    new: Array,
    bad: Array,
    *,
    old_cut: float,
    new_cut: float | None = None,
    money: Money | None = None,
    weight: Array | None = None,
    names: tuple[str, str] = ("old", "new"),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> SwapReport:
    """Who is approved by which of two models.

    Parameters
    ----------
    old, new
        float64 ``N``, rising with risk, each on its own scale.
    bad
        float64 ``N``: 1, 0, or NaN where the outcome is not known (the application was declined).
    old_cut, new_cut
        Approve up to here; by default the new model approves as many rows as the old one.
    money
        What loans earn and lose.

    Raises
    ------
    InputError
        If a score is no number, or an outcome neither 0, 1 nor NaN.
    DataError
        If no outcome is known.
    """
    rows = len(bad)
    old, new = finite(old, rows, "scores of the old model"), finite(new, rows, "scores of the new model")
    bad = np.asarray(bad, np.float64)
    known = ~np.isnan(bad)
    if not np.isin(bad[known], (0, 1)).all():
        raise InputError("outcomes are 1 (bad), 0 (good) or missing (not known)")
    if not known.any():
        raise DataError("no outcome is known; swap sets need rows of which at least some were approved and observed")
    weight = as_weight(weight, rows)
    was = old <= old_cut
    matched = new_cut is None
    cut = matched_cut(new, float(weight @ was / weight.sum()), weight) if new_cut is None else new_cut
    now = new <= cut
    code = np.where(was & now, 0, np.where(now, 1, np.where(was, 2, 3)))
    amounts = np.ones(rows) if money is None or money.amounts is None else np.asarray(money.amounts, np.float64)
    outcome = np.where(known, bad, 0.0)
    gain = np.full(rows, np.nan) if money is None else np.where(known, money.profit(outcome)[:, 0], 0.0)

    def figures(bad: Array, code: Array, weight: Array) -> Array:
        inside = np.eye(4)[code]
        mass, lost, gained = ((weight * each) @ inside for each in (known * 1.0, outcome, gain))
        new_book = ratio(lost[..., 0] + lost[..., 1], mass[..., 0] + mass[..., 1])
        old_book = ratio(lost[..., 0] + lost[..., 2], mass[..., 0] + mass[..., 2])
        more = (gained[..., 1] - gained[..., 2]) / weight.sum(-1)
        return np.concatenate([ratio(lost, mass), gained, np.stack([new_book - old_book, more], axis=-1)], axis=-1)

    found = bootstrap(figures, outcome, {"": code}, weight=weight, resamples=resamples, seed=seed).interval("")
    cells = {}
    for i, name in enumerate(CELLS):
        own = code == i
        share, amount = float(weight @ own / weight.sum()), float((weight * own) @ amounts)
        cells[name] = Cell(int(own.sum()), share, int((own & known).sum()), found.at(i), amount, found.at(4 + i))
    notes = []
    if matched:
        notes.append("the new model's cut-off approves as many rows as the old one's")
    if unseen := int((~known).sum()):
        notes.append(
            f"{unseen:,} outcomes are not known; bad rates and profit are of the others (see reject inference)"
        )
    approved = float(weight @ was / weight.sum()), float(weight @ now / weight.sum())
    return SwapReport(*names, rows, (old_cut, cut), approved, cells, found.at(8), found.at(9), tuple(notes))


def _between(span: Span, scale: float) -> str:
    if np.isnan(span.low):
        return ""
    form = "{:.2f}" if scale == 100 else "{:,.0f}"
    return f" ({form.format(scale * span.low)} to {form.format(scale * span.high)})"
