"""Events and the features of their windows through a model: what it says of each, or that it cannot read one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.contracts import Json
from plait.data.windows import Windows
from plait.errors import ConfigError, InputError, unknown
from plait.serving.answers import scored
from plait.serving.errors import RefusedError
from plait.serving.rows import Form

if TYPE_CHECKING:
    from plait.estimators.classifier import Classifier
    from plait.estimators.multitask import MultiTask
    from plait.estimators.regressor import Regressor
    from plait.serving.rows import Rows

__all__ = ["Scored", "Scorer", "Unread"]


@dataclass(frozen=True, slots=True)
class Unread:
    """Why the model cannot read an event."""

    message: str


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model says of an event: the prediction as JSON, whether it is an alert, and the digest of its row."""

    told: Mapping[str, Json]
    alert: bool | None
    digest: str


class Scorer:
    """A model over events.

    Parameters
    ----------
    estimator
        A fitted classifier, regressor, or model of several targets.
    alert_above
        Probability of `alert_class`, or value, from which an event is an alert; None: nothing is.
    alert_class
        By default the last class.
    digests
        Make digests of the rows, for the audit.

    Raises
    ------
    ConfigError
        If the model needs long tables, which no event has; if the alert is about a class that there is not.
    """

    def __init__(
        self,
        estimator: Classifier | Regressor | MultiTask,
        *,
        alert_above: float | None = None,
        alert_class: str | None = None,
        digests: bool = False,
    ) -> None:
        schema = estimator.schema_
        if schema.sides:
            raise ConfigError(f"the model reads the long table {schema.sides[0].name!r}, and events have none")
        self._estimator = estimator
        self._form = Form(schema, estimator.model_.rooms)
        self._digests = digests
        self._above = alert_above
        self._alerted = _alerted(estimator, alert_class) if alert_above is not None else None

    @property
    def reads(self) -> frozenset[str]:
        """The columns that the model reads."""
        return self._form.sources

    def ignored(self, windows: Windows | None) -> tuple[str, ...]:
        """Columns of windows that the model does not know."""
        return tuple(name for name in (windows.names if windows else ()) if name not in self._form.taken)

    def score(self, records: Sequence[Mapping[str, Json]]) -> list[Scored | Unread]:
        """What the model says of each of the rows, in their order; one that cannot be read does not stop the others."""
        found: list[Scored | Unread] = [Unread("")] * len(records)
        left = list(range(len(records)))
        while left:
            try:
                rows = self._form.records([records[i] for i in left])
                scored = self._scored(rows)
            except RefusedError as refused:
                wrong = {int(each["row"]): str(each["message"]) for each in refused.where}
                if not wrong:
                    wrong = dict.fromkeys(range(len(left)), refused.message)
                told = {int(e["row"]): f"{e['column']!r} {e['message']}" for e in refused.where if "column" in e}
            except InputError as error:
                if len(left) > 1:
                    half = len(left) // 2
                    for part in (left[:half], left[half:]):
                        for i, each in zip(part, self.score([records[i] for i in part]), strict=True):
                            found[i] = each
                    return found
                wrong, told = {0: str(error)}, {}
            else:
                for i, each in zip(left, scored, strict=True):
                    found[i] = each
                return found
            for row, message in wrong.items():
                found[left[row]] = Unread(told.get(row, message))
            left = [i for row, i in enumerate(left) if row not in wrong]
        return found

    def _scored(self, rows: Rows) -> list[Scored]:
        said = scored(self._estimator, rows.frame(), {})
        answers = [dict(answer) for answer in said.answers]
        for fault in said.faults:
            answers[fault["row"]].setdefault("faults", {})[fault["column"]] = fault["reason"]
        digests = rows.digests() if self._digests else [""] * len(rows)
        return [Scored(answer, self._alert(answer), each) for answer, each in zip(answers, digests, strict=True)]

    def _alert(self, answer: Mapping[str, Any]) -> bool | None:
        if self._above is None:
            return None
        value = answer["value"] if self._alerted is None else answer["probabilities"][self._alerted]
        return bool(value >= self._above)


def _alerted(estimator: Classifier | Regressor | MultiTask, label: str | None) -> str | None:
    """The class whose probability makes an alert; None: it is the value that does."""
    kind = estimator.model_.head.task
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        if label is not None or hasattr(estimator, "targets_"):
            raise ConfigError(f"alerts are of one class or one value, and the model predicts {kind}; leave them out")
        return None
    names = [str(each) for each in classes.tolist()]
    if label is not None and label not in names:
        raise unknown("class", label, names)
    return names[-1] if label is None else label
