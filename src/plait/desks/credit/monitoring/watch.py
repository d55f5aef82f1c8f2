"""The watch list: new evidence on borrowers that one already has, day by day, to a few alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plait.contracts import Json, Side
from plait.desks.credit.monitoring.alerts import Alert, AlertPolicy, Ledger, Standing, today
from plait.desks.credit.monitoring.days import day_of, days_of
from plait.desks.credit.monitoring.lexicon import terms_of
from plait.desks.credit.monitoring.moves import explained, score_signals
from plait.desks.credit.monitoring.signals import Histories, named_columns, signals
from plait.errors import DataError
from plait.metrics.shown import aligned, count, plain

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pandas as pd

    from plait.desks.credit.model import CreditModel

__all__ = ["WatchReport", "watch"]

SHOWN = 20


@dataclass(frozen=True)
class WatchReport:
    """What is new, and where all borrowers stand now.

    Parameters
    ----------
    borrowers, days
        How many were looked at.
    alerts
        What was added to the ledger by this look: alerts, borrowers watched, borrowers cleared.
    ledger
        All that stands in it now.
    skipped
        Rows of days that the ledger had already gone past.
    """

    borrowers: int
    days: int
    alerts: tuple[Alert, ...]
    ledger: Ledger
    skipped: int = 0

    @property
    def standing(self) -> Mapping[str, str]:
        """Who is watched or alerted now: borrower to state."""
        state = self.ledger.before("9999").state
        return {who: said for who, said in sorted(state.items()) if said != "cleared"}

    def frame(self) -> pd.DataFrame:
        """A row for each of `alerts`."""
        import pandas as pd

        names = ("borrower", "day", "state", "cause", "severity", "priority", "action", "policy")
        told = [{name: getattr(alert, name) for name in names} | {"why": _why(alert)} for alert in self.alerts]
        return pd.DataFrame(told, columns=[*names, "why"])

    def draw(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """A picture: ``watch.png``."""
        from plait.desks.credit.monitoring.pictures import draw_watch

        return draw_watch(self, folder)

    def to_json(self) -> Json:
        told = {"borrowers": self.borrowers, "days": self.days, "skipped": self.skipped}
        return plain({**told, "alerts": [a.to_json() for a in self.alerts], "standing": self.standing})

    def __str__(self) -> str:
        new = Counter(alert.state for alert in self.alerts)
        now = Counter(self.standing.values())
        head = (
            f"{self.borrowers:,} borrowers on {self.days:,} days: {new['alert']:,} alerts, {new['watch']:,} newly "
            f"watched, {new['cleared']:,} cleared; now {now['alert']:,} alerted and {now['watch']:,} watched"
        )
        shown = [alert for alert in self.alerts if alert.state == "alert"]
        table = [("borrower", "day", "priority", "cause", "next")]
        table += [(a.borrower, a.day, f"{a.priority:.2f}", a.cause, a.action) for a in shown[-SHOWN:]]
        lines = [head, ""] + (aligned(table) if shown else [])
        if len(shown) > SHOWN:
            lines.append(f"(the last {SHOWN} of {len(shown):,} alerts)")
        lines += [f"{a.borrower}: {_why(a)}" for a in shown[-5:]]
        if self.skipped:
            lines.append(
                f"note: {count(self.skipped)} rows lie before {self.ledger.last}, which is closed in the ledger"
            )
        return "\n".join(lines).rstrip()


def watch(
    frame: pd.DataFrame,
    *,
    id: str,
    date: str,
    columns: Mapping[str, str] | None = None,
    terms: Mapping[str, float | str] | None = None,
    model: CreditModel | None = None,
    fall: float = 20.0,
    sides: Mapping[str, Side] | None = None,
    policy: AlertPolicy | None = None,
    ledger: Ledger | None = None,
    until: str | None = None,
) -> WatchReport:
    """Look at new evidence on borrowers.

    Parameters
    ----------
    frame
        A row a borrower and date, the past of each borrower with it: signals are deviations from it.
    id, date
        Columns: who, and of which day the row is. A row must hold what was known at the end of that day, and no more.
    columns
        Evidence (``"balance"``, ``"salary"``, ``"utilisation"``, ``"overdrafts"``, ``"days_past_due"``, ``"note"``) to
        column; columns of these names are found without it.
    terms
        Own words of trouble, with weights from 1 to 3 (0: ignore a built-in word).
    model
        Its score is a signal, too: a fall by `fall` points or more between two rows of a borrower.
    sides
        Long tables that the model reads.
    policy
        Budget, threshold and pauses.
    ledger
        What was alerted before. Days before its last day are closed; looking at a day twice adds nothing.
    until
        ISO date: later rows are not looked at.

    Raises
    ------
    DataError
        If there are no rows, or nothing to look at in them.
    ConfigError
        If a column, evidence or term is unknown or out of range.
    """
    policy, ledger = policy or AlertPolicy(), ledger or Ledger()
    if until is not None:
        frame = _until(frame, date, until)
    rows = Histories.of(frame, id, date)
    named = named_columns(frame, columns or {})
    if not len(rows.key) or not (named or model):
        raise DataError("there is nothing to look at: give rows with evidence (a balance, a note, ...) or a model")
    found = signals(frame, rows, named, terms_of(terms or {}))
    if model is not None:
        for at, signal in score_signals(model, frame, rows, fall, sides).items():
            found.setdefault(at, []).append(signal)
    days, code = np.unique(rows.day, return_inverse=True)
    order = np.argsort(code, kind="stable")
    ends = np.searchsorted(code[order], np.arange(len(days) + 1))
    names = days.astype(str).tolist()
    closed = sum(day < ledger.last for day in names)
    standing = ledger.before(names[closed]) if closed < len(names) else Standing()
    made: list[Alert] = []
    for at, day in enumerate(names):
        fresh = {str(rows.key[i]): found.get(i, []) for i in order[ends[at] : ends[at + 1]].tolist()}
        if at >= closed:
            known = ledger.of(day)
            alerts = today(day, fresh, standing, policy, known)
            made += alerts
            standing = standing.after([*known, *alerts])
        standing = standing.noticed(day, fresh)
    if model is not None:
        made = explained(model, frame, rows, made, sides)
    people = len(set(rows.key.tolist()))
    return WatchReport(people, len(names) - closed, tuple(made), ledger.added(made), int(ends[closed]))


def _until(frame: pd.DataFrame, date: str, until: str) -> pd.DataFrame:
    end = day_of(until, "until")
    early: pd.DataFrame = frame[~(days_of(frame, date) > end)]
    return early


def _why(alert: Alert) -> str:
    return "; ".join(signal.why for signal in alert.signals)
