"""Falls of a score between two looks at the same borrower, and the evidence that made it fall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from plait.contracts import Place, Side
from plait.desks.credit.monitoring.alerts import Alert, ranked
from plait.desks.credit.monitoring.lexicon import sentence_around
from plait.desks.credit.monitoring.signals import Histories, Signal
from plait.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from plait.desks.credit.model import CreditModel
    from plait.explain.explanation import CellShares

__all__ = ["FALL", "explained", "score_signals"]

FALL = "score fell"
TOLD = 3  # sources that are named


def score_signals(
    model: CreditModel, frame: pd.DataFrame, rows: Histories, fall: float, sides: Mapping[str, Side] | None
) -> dict[int, Signal]:
    """Rows whose score lies `fall` points or more under that of the borrower's row before, by their place in `rows`.

    A fall of `fall` is worth knowing (severity 1), twice that a concern, three times that or more grave.

    Raises
    ------
    ConfigError
        If `fall` is not above 0.
    """
    if not fall > 0:
        raise ConfigError(f"fall={fall:g} is out of range; give points above 0")
    points = model.score(frame, sides).points[rows.order]
    earlier = np.full(len(points), np.nan)
    later = np.flatnonzero(rows.place > 0)
    earlier[later] = points[later - 1]
    found = {}
    for i in np.flatnonzero(earlier - points >= fall).tolist():
        lost = float(earlier[i] - points[i])
        why = f"score fell by {lost:.0f} points, from {earlier[i]:.0f} to {points[i]:.0f}"
        found[i] = Signal(FALL, float(np.clip(lost / fall, 1, 3)), why, "score")
    return found


def explained(
    model: CreditModel, frame: pd.DataFrame, rows: Histories, alerts: Sequence[Alert], sides: Mapping[str, Side] | None
) -> list[Alert]:
    """The same alerts; those with a fall of the score say which evidence made it, and where in it that stands.

    Points by source: the scorecard's own, and what each source of the evidence model added to its log-odds then and now
    (Shapley values over sources), weighed by the blend, before its cap. The place is the one inside the strongest
    source's cell that adds most to the risk now.
    """
    place = {(str(key), str(day)): i for i, (key, day) in enumerate(zip(rows.key, rows.day, strict=True))}
    fallen = [at for at, alert in enumerate(alerts) if alert.state == "alert" and _fall(alert) is not None]
    if not fallen:
        return list(alerts)
    now = np.array([place[alerts[at].borrower, alerts[at].day] for at in fallen])
    both = frame.iloc[np.concatenate([rows.order[now - 1], rows.order[now]])]
    n, factor = len(fallen), model.points.factor
    card = -factor * model.blend.card.slope * model.scorecard.log_odds(both)
    told = model.evidence.explain(both, sides=sides, depths=("sources", "cells"), outputs=model.bad, scale="score")
    assert told.sources is not None
    weight = -factor * model.blend.gamma * model.blend.evidence.slope
    moved = weight * (told.sources.values[n:] - told.sources.values[:n])
    card_moved = (1 - model.blend.gamma) * (card[n:] - card[:n])
    made = list(alerts)
    for i, at in enumerate(fallen):
        by = {"scorecard": float(card_moved[i])}
        by |= dict(zip(told.sources.sources, moved[i].tolist(), strict=True))
        first = sorted(by, key=lambda name: by[name])
        named = [f"{name} {by[name]:+.0f}" for name in first[:TOLD] if by[name] <= -1]
        cells = {cell.source: cell for cell in told.cells if cell.row == n + i}
        where: Place | None = None
        for name in first:
            if by[name] <= -1 and name in cells:
                where = _shown(cells[name])
                break
        made[at] = _with(alerts[at], named, first[0], where)
    return made


def _shown(cell: CellShares) -> Place:
    """The place that adds most, as a person can read it: of words, their whole sentence."""
    place = cell.places[int(np.argmax(cell.values))]
    if isinstance(cell.exhibit.values, str):
        return sentence_around(cell.exhibit.values, place)
    return place


def _fall(alert: Alert) -> Signal | None:
    return next((signal for signal in alert.signals if signal.cause == FALL), None)


def _with(alert: Alert, named: Sequence[str], source: str, place: Place | None) -> Alert:
    fall = _fall(alert)
    assert fall is not None
    why = fall.why + (f"; by {', '.join(named)}" if named else "")
    why += f" ({place.label})" if place is not None else ""
    others = [signal for signal in alert.signals if signal is not fall]
    return replace(alert, signals=ranked([*others, replace(fall, why=why, column=source, place=place)]))
