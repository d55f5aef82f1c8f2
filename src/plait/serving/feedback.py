"""Outcomes that became known later, recorded beside the decisions that they belong to."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from plait.contracts import Json
from plait.errors import unknown
from plait.serving.audit import Audit, Entry, Stored
from plait.serving.cells import UnfitError, moment
from plait.serving.errors import RefusedError
from plait.serving.payload import Payload
from plait.serving.store import UnavailableError

if TYPE_CHECKING:
    from plait.serving.house import House
    from plait.serving.keys import Key
    from plait.serving.telemetry import Visit

__all__ = ["FIELDS", "feedback"]

FIELDS: Final = ("labels",)
KEYS: Final = ("decision", "label", "known_at")
BESIDE: Final = ("feedback", "shadow")  # entries that name the decision of another


async def feedback(house: House, visit: Visit, key: Key | None, payload: Payload) -> dict[str, Json]:
    """Answer ``/v1/feedback``: how many labels were recorded, by model and version.

    A key tells outcomes of the decisions that it asked for itself (under any of its tokens), one of scope ``*`` of all.

    Raises
    ------
    RefusedError
        404 for a decision that the audit does not know (any more), one that another key asked for, or where there is no
        audit; 422 for labels that are none.
    """
    if payload.table is not None:
        raise RefusedError(415, "labels are sent as JSON")
    labels = payload.body.get("labels")
    if type(labels) is not list or not labels:
        raise RefusedError(422, 'labels: give a list: [{"decision": "...", "label": 1, "known_at": "2026-01-31"}]')
    if len(labels) > house.settings.max_rows:
        raise RefusedError(413, f"{len(labels):,} labels are more than {house.settings.max_rows:,}; send fewer")
    told = [_label(place, each) for place, each in enumerate(labels)]
    if house.audit is None:
        raise RefusedError(404, "no decision is known: the service runs without an audit (plait serve --audit URL)")
    try:
        found = await asyncio.to_thread(_decisions, house.audit, [each["decision"] for each in told], key)
    except UnavailableError:
        raise RefusedError(503, "the audit does not answer; try again", retry_after=1.0) from None
    kept, counts = [], Counter[str]()
    for each, stored in zip(told, found, strict=True):
        about = {name: stored.fields[name] for name in ("model", "version") if name in stored.fields}
        kept.append(Entry("feedback", {**each, **about, "request": visit.id, "key": visit.key}))
        counts[" ".join(map(str, about.values())) or stored.kind] += 1
    await house.record(kept)
    visit.rows = len(kept)
    return {"request": visit.id, "recorded": len(kept), "by_model": dict(sorted(counts.items()))}


def _label(place: int, said: Any) -> dict[str, Json]:
    where = f"labels[{place}]: "
    if type(said) is not dict:
        raise RefusedError(422, f"{where}give an object")
    for name in said:
        if name not in KEYS:
            raise RefusedError(422, f"{where}{unknown('key', name[:60], KEYS)}")
    decision, label = said.get("decision"), said.get("label")
    if type(decision) is not str or not 0 < len(decision) <= 200:
        raise RefusedError(422, f"{where}decision: give the text that came with the prediction")
    if type(label) not in (str, int, float, bool) or label in (float("inf"), -float("inf")):
        raise RefusedError(422, f"{where}label: give text, a number or a truth value")
    told = {"decision": decision, "label": label}
    if said.get("known_at") is not None:
        try:
            told["known_at"] = moment(said["known_at"]).isoformat()
        except UnfitError as unfit:
            raise RefusedError(422, f"{where}known_at {unfit}") from None
    return told


def _decisions(audit: Audit, names: list[str], key: Key | None) -> list[Stored]:
    """What the audit holds of decisions, all of them or a refusal, which does not tell others' from unknown ones."""
    found = []
    for name in names:
        stored = next((each for each in audit.entries(decision=name) if each.kind not in BESIDE), None)
        if stored is None or not (key is None or "*" in key.scopes or stored.fields.get("key") == key.id):
            raise RefusedError(404, f"no decision {name[:100]!r}; send the id that came with the prediction")
        found.append(stored)
    return found
