"""Alerts about borrowers: few enough to be read, not twice for the same trouble, and kept in a ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from plait.contracts import Json, Place
from plait.data.files import replacing
from plait.desks.credit.monitoring.signals import Signal
from plait.errors import ConfigError, DataError
from plait.metrics.shown import plain

__all__ = ["Alert", "AlertPolicy", "Ledger", "Standing", "priority", "ranked", "today"]

State: TypeAlias = Literal["watch", "alert", "cleared"]
STATES = ("watch", "alert", "cleared")
STEP = 1.0  # of priority, from which the same borrower is another matter


@dataclass(frozen=True)
class AlertPolicy:
    """When a signal becomes an alert.

    Parameters
    ----------
    most
        Alerts a day, the most urgent first; what is left over is watched.
    least
        Priority from which a borrower is alerted at all; below it, it is watched.
    again
        Days in which the same borrower is not alerted again, unless its priority is a step (1) higher than it was.
    clear
        Days without any signal after which a borrower is cleared.

    Raises
    ------
    ConfigError
        If one of them is out of range.
    """

    most: int = 10
    least: float = 1.5
    again: int = 60
    clear: int = 60

    def __post_init__(self) -> None:
        for name, low in (("most", 1), ("least", 0), ("again", 0), ("clear", 1)):
            if not getattr(self, name) >= low:
                raise ConfigError(f"{name}={getattr(self, name)} is out of range (allowed: {low} or more)")

    def __str__(self) -> str:
        return f"early warning: priority {self.least:g} or more, at most {self.most} a day; a person decides"


@dataclass(frozen=True)
class Alert:
    """What became known of a borrower: a reason for a person to look, never a decision.

    Parameters
    ----------
    borrower, day
        Who, and when (ISO date).
    state
        ``"watch"``: something is there. ``"alert"``: look today. ``"cleared"``: nothing any more.
    cause, severity
        Of the gravest signal (of one that was cleared: the last cause).
    priority
        By which alerts of a day are ranked: see `priority`.
    signals
        All that was found, the gravest first, each with its column and place.
    action
        What to do next.
    policy
        The rule that made it.
    """

    borrower: str
    day: str
    state: State
    cause: str
    severity: float
    priority: float
    signals: tuple[Signal, ...]
    action: str
    policy: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What may stand in a ledger only once."""
        return self.borrower, self.day, self.state

    def to_json(self) -> dict[str, Json]:
        return dict(plain(self))

    @classmethod
    def from_json(cls, told: Mapping[str, Json]) -> Alert:
        """Raises KeyError or TypeError where something is missing or odd."""
        if told["state"] not in STATES:
            raise KeyError(f"state {told['state']!r}")
        signals = tuple(
            Signal(
                str(each["cause"]),
                float(each["severity"]),
                str(each["why"]),
                str(each["column"]),
                None if each["place"] is None else Place(**{**each["place"], "where": tuple(each["place"]["where"])}),
            )
            for each in told["signals"]
        )
        return cls(**{**told, "signals": signals})


def priority(signals: Sequence[Signal]) -> float:
    """The gravest signal, and half of every other: several weak signs together weigh as much as one grave one."""
    weights = sorted((signal.severity for signal in signals), reverse=True)
    return weights[0] + 0.5 * sum(weights[1:]) if weights else 0.0


def ranked(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """The gravest first."""
    return tuple(sorted(signals, key=lambda signal: (-signal.severity, signal.cause, signal.why)))


def _action(signals: Sequence[Signal]) -> str:
    if any(signal.severity >= 3 for signal in signals) or priority(signals) >= 4:
        return "review the file today, consider holding new drawings"
    return "contact the borrower" if priority(signals) >= 2 else "review the file"


@dataclass(frozen=True)
class Standing:
    """Where borrowers stand after some alerts.

    Parameters
    ----------
    state
        Of each borrower that was ever watched or alerted.
    alerted
        Day and priority of its last alert.
    seen
        Day and gravest cause of its last signal, whether or not that led to anything.
    """

    state: Mapping[str, State] = field(default_factory=dict)
    alerted: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    seen: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def after(self, alerts: Iterable[Alert]) -> Standing:
        """Once these have been made, in order of time."""
        state, alerted, seen = dict(self.state), dict(self.alerted), dict(self.seen)
        for alert in alerts:
            state[alert.borrower] = alert.state
            if alert.signals:
                seen[alert.borrower] = alert.day, alert.cause
            if alert.state == "alert":
                alerted[alert.borrower] = alert.day, alert.priority
        return Standing(state, alerted, seen)

    def noticed(self, day: str, found: Mapping[str, Sequence[Signal]]) -> Standing:
        """Once a day's signals have been seen, also those that led to nothing."""
        fresh = {who: (day, ranked(signals)[0].cause) for who, signals in found.items() if signals}
        kept = {who: said for who, said in fresh.items() if said[0] > self.seen.get(who, ("",))[0]}
        return Standing(self.state, self.alerted, {**self.seen, **kept})

    def due(self, borrower: str, day: str, found: Sequence[Signal], again: int) -> bool:
        """Whether there is something that a person was not asked to look at lately: a first alert, one after a pause of
        `again` days, or one a step graver than the last."""
        last = self.alerted.get(borrower)
        return last is None or _days(last[0], day) > again or priority(found) >= last[1] + STEP


def today(
    day: str,
    found: Mapping[str, Sequence[Signal]],
    standing: Standing,
    policy: AlertPolicy,
    known: Sequence[Alert] = (),
) -> list[Alert]:
    """What is new on a day.

    Parameters
    ----------
    day
        ISO date.
    found
        Signals by borrower, of all that have a row of that day (none: an empty list).
    standing
        After all alerts of earlier days.
    known
        Alerts of this very day that stand in the ledger: they use up the budget and are not made again.

    Returns
    -------
    The alerts, the most urgent first, then who is watched, then who is cleared. The order of borrowers does not count.
    """
    made = {alert.borrower: alert.state for alert in known}
    left = policy.most - sum(state == "alert" for state in made.values())
    alerts, watched, cleared = [], [], []
    for who in sorted(found, key=lambda who: (-priority(found[who]), who)):
        signals, state = found[who], standing.state.get(who, "cleared")
        if made.get(who, "watch") != "watch":
            continue
        if not signals:
            day_before, cause = standing.seen.get(who, (day, ""))
            if state != "cleared" and _days(day_before, day) >= policy.clear:
                cleared.append(_made(who, day, "cleared", signals, policy, cause))
        elif left > 0 and priority(signals) >= policy.least and standing.due(who, day, signals, policy.again):
            alerts.append(_made(who, day, "alert", signals, policy))
            left -= 1
        elif state == "cleared" and who not in made:
            watched.append(_made(who, day, "watch", signals, policy))
    return [*alerts, *watched, *cleared]


def _made(who: str, day: str, state: State, signals: Sequence[Signal], policy: AlertPolicy, cause: str = "") -> Alert:
    found = ranked(signals)
    worst = found[0] if found else Signal(cause, 0.0, "", "")
    action = _action(found) if state == "alert" else "keep an eye on it" if state == "watch" else "none"
    return Alert(who, day, state, worst.cause, worst.severity, priority(found), found, action, str(policy))


def _days(begin: str, end: str) -> int:
    return int((np.datetime64(end, "D") - np.datetime64(begin, "D")).astype(int))


@dataclass(frozen=True)
class Ledger:
    """All that was ever alerted, watched and cleared, oldest first: one line of JSON each.

    Parameters
    ----------
    alerts
        In the order of the file.
    torn
        Whether the file's last line broke off in the middle: that line is left out, and gone at the next writing.
    """

    alerts: tuple[Alert, ...] = ()
    torn: bool = False

    @classmethod
    def read(cls, path: str | Path) -> Ledger:
        """Read a ledger; one that is not there yet is empty.

        Raises
        ------
        DataError
            If a line other than the last is damaged, or an alert stands there twice.
        """
        file = Path(path)
        if not file.exists():
            return cls()
        text = file.read_bytes().decode("utf-8", "replace")
        *lines, rest = text.split("\n")
        alerts = []
        torn = bool(rest.strip())  # whole lines end with a line break
        for i, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                alerts.append(Alert.from_json(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise DataError(f"{str(path)!r}, line {i}: no line of a watch ledger; restore the file") from None
        if len({alert.key for alert in alerts}) < len(alerts):
            raise DataError(f"{str(path)!r} holds an alert twice; restore the file")
        return cls(tuple(alerts), torn)

    @property
    def last(self) -> str:
        """The latest day (ISO date); empty where there is none."""
        return max((alert.day for alert in self.alerts), default="")

    def before(self, day: str) -> Standing:
        """Where borrowers stood when a day began."""
        return Standing().after(alert for alert in self.alerts if alert.day < day)

    def of(self, day: str) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts if alert.day == day)

    def added(self, alerts: Sequence[Alert]) -> Ledger:
        """With more alerts; those that stand there already are not added again."""
        there = {alert.key for alert in self.alerts}
        return Ledger((*self.alerts, *(alert for alert in alerts if alert.key not in there)))

    def write(self, path: str | Path) -> None:
        """Write the file whole or not at all: it is either as before, or as it should be."""
        with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
            for alert in self.alerts:
                file.write(json.dumps(alert.to_json(), ensure_ascii=False, allow_nan=False) + "\n")
