"""What a model says of rows, as the service answers it and as the audit keeps it."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plait.contracts import Json, Prediction, Side
from plait.edge.rows import told
from plait.estimators import Classifier, MultiTask
from plait.media.decode import keeping_nothing
from plait.serving.audit import Entry
from plait.serving.batching import Scored

if TYPE_CHECKING:
    import pandas as pd

    from plait.estimators import Regressor
    from plait.serving.rows import Rows

__all__ = ["entries", "flat", "scored", "scoring_id", "subjects"]

LONGEST = 200  # characters of a subject in the audit


def scored(estimator: Classifier | Regressor | MultiTask, frame: pd.DataFrame, sides: Mapping[str, Side]) -> Scored:
    """What a model says of rows; nothing that is decoded of them is kept on disk.

    Returns
    -------
    Scored
        Of classes ``label`` and ``probabilities`` by class, of values ``value``, of several targets ``targets`` by
        name; and ``set``, or ``low`` and ``high``, where the model promises them.
    """
    with keeping_nothing():
        prediction = estimator.prediction(frame, sides=sides)
        answers = told(prediction)
        if not isinstance(estimator, MultiTask) and estimator.model_.conformal is not None:
            for answer, promised in zip(answers, _promised(estimator, frame, prediction, sides), strict=True):
                answer |= promised
    faults = [{"row": each.row, "column": each.column, "reason": each.reason} for each in prediction.faults]
    return Scored(answers, faults)


def _promised(
    estimator: Classifier | Regressor, frame: pd.DataFrame, prediction: Prediction, sides: Mapping[str, Side]
) -> list[dict[str, Json]]:
    if prediction.classes is None or not isinstance(estimator, Classifier):
        ends = estimator.predict_interval(frame, sides=sides).tolist()
        return [{"low": low, "high": high} for low, high in ends]
    classes: list[Any] = prediction.classes.tolist()
    inside = estimator.sets_of(frame, prediction).tolist()
    return [{"set": [c for c, there in zip(classes, row, strict=True) if there]} for row in inside]


def flat(answer: Mapping[str, Json], within: str = "") -> dict[str, Json]:
    """An answer as cells of a table: ``probability_<class>``, ``<target>_label``, and so on."""
    short = {"probabilities": "probability", "quantiles": "quantile", "targets": ""}
    found: dict[str, Json] = {}
    for name, value in answer.items():
        place = "_".join(filter(None, (within, short.get(name, name))))
        found |= flat(value, place) if isinstance(value, dict) else {place: value}
    return found


def subjects(rows: Rows, names: Sequence[str]) -> list[str | None]:
    """Whom each row is about, so that the audit can be asked and redacted by it: its identifiers as text."""
    found: list[str | None] = []
    for record in rows.records(names):
        cells = list(record.values())
        text = (str(cells[0]) if len(cells) == 1 else json.dumps(record, ensure_ascii=False)) if cells else ""
        found.append((text if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()) or None)
    return found


def scoring_id() -> str:
    """A name for one scoring, of the service's own making: no two are the same, and they sort by time.

    12 hexadecimal digits of Unix milliseconds and 16 random ones. Ids of requests are their callers' and may repeat.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def entries(
    kind: str,
    scoring: str,
    shared: Mapping[str, Json],
    rows: Rows,
    subject: Sequence[str],
    outputs: Sequence[Mapping[str, Json]],
    explanations: Sequence[Json] = (),
) -> list[Entry]:
    """An entry of the audit for each row: its digest, never its cells, and what was said of it.

    Parameters
    ----------
    scoring
        Of `scoring_id`; row by row it names decisions: ``<scoring>.<row>``.
    shared
        What the rows have in common: ``request``, ``key``, ``model``, ``version``, ``role``.
    subject
        Columns that say whom a row is about.
    """
    about = subjects(rows, subject)
    made = []
    for row, (digest, output) in enumerate(zip(rows.digests(), outputs, strict=True)):
        fields = {**shared, "decision": f"{scoring}.{row}", "input": digest, "output": dict(output)}
        if explanations:
            fields["explanation"] = explanations[row]
        if about[row] is not None:
            fields["subject"] = about[row]
        made.append(Entry(kind, fields))
    return made
