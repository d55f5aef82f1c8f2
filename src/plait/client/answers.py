"""What a service answers: frozen, typed, and as a frame where rows were asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Json

__all__ = ["Answer", "Explained", "Feedback", "Predicted", "Served", "Shape", "Unread"]

Told = Mapping[str, Any]  # an object of an answer, parsed


@dataclass(frozen=True)
class Answer:
    """What is predicted for one row, or for one target of it; what its model does not answer is None.

    Parameters
    ----------
    decision
        The name under which the audit keeps it, and under which its outcome is told later.
    label
        The class.
    probabilities
        Class to probability.
    value
        The number.
    low, high
        The interval that is promised around the number.
    among
        The classes one of which is promised to be right.
    labels
        The classes that apply, where several may.
    quantiles
        Level (``"0.9"``) to number.
    targets
        An answer each, of a model that predicts several.
    """

    decision: str
    label: Json = None
    probabilities: Mapping[str, float] | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    among: tuple[Json, ...] | None = None
    labels: tuple[Json, ...] | None = None
    quantiles: Mapping[str, float] | None = None
    targets: Mapping[str, Answer] | None = None

    @classmethod
    def of(cls, told: Told, decision: str | None = None) -> Self:
        """From one of ``predictions``."""
        named = decision or told["decision"]
        plain = {name: told.get(name) for name in ("label", "probabilities", "value", "low", "high", "quantiles")}
        several = {name: told.get(key) for name, key in (("among", "set"), ("labels", "labels"))}
        lists: dict[str, Any] = {name: None if found is None else tuple(found) for name, found in several.items()}
        parts = told.get("targets")
        targets = None if parts is None else {name: cls.of(part, named) for name, part in parts.items()}
        return cls(decision=named, targets=targets, **plain, **lists)

    def flat(self) -> dict[str, Json]:
        """As the cells of one row: ``p(class)``, ``q(level)``, and ``target.label`` of one of several."""
        plain = {name: getattr(self, name) for name in ("label", "value", "low", "high")}
        cells = {name: cell for name, cell in plain.items() if cell is not None}
        cells |= {name: list(kept) for name in ("among", "labels") if (kept := getattr(self, name)) is not None}
        cells |= {f"p({name})": share for name, share in (self.probabilities or {}).items()}
        cells |= {f"q({name})": value for name, value in (self.quantiles or {}).items()}
        for name, part in (self.targets or {}).items():
            cells |= {f"{name}.{column}": cell for column, cell in part.flat().items()}
        return cells


@dataclass(frozen=True)
class Unread:
    """A cell that the model could not read, and did without: its row (from 0), its column, and why."""

    row: int
    column: str
    reason: str


def _unread(told: Told) -> tuple[Unread, ...]:
    return tuple(Unread(each["row"], each["column"], each["reason"]) for each in told.get("faults", ()))


@dataclass(frozen=True)
class Predicted:
    """What a model predicts for the rows of a request, in their order.

    Parameters
    ----------
    request
        The request's id, by which the service's log and audit know it.
    model, version
        Who answered: of a model with challengers, not always the same version.
    answers
        One a row.
    explanations
        One a row, where they were asked for; else empty.
    faults
        Cells that could not be read.
    ignored
        Columns that were sent and that the model does not know.
    """

    request: str
    model: str
    version: str
    answers: tuple[Answer, ...]
    explanations: tuple[Mapping[str, Json], ...] = ()
    faults: tuple[Unread, ...] = ()
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, told: Told) -> Self:
        """From the body of an answer."""
        return cls(
            request=told["request"],
            model=told["model"],
            version=str(told["version"]),
            answers=tuple(Answer.of(each) for each in told["predictions"]),
            explanations=tuple(told.get("explanations") or ()),
            faults=_unread(told),
            ignored=tuple(told.get("ignored", ())),
        )

    def __len__(self) -> int:
        return len(self.answers)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    def __getitem__(self, row: int) -> Answer:
        return self.answers[row]

    def frame(self) -> pd.DataFrame:
        """A row each: its decision, and the cells of `Answer.flat`."""
        import pandas as pd

        return pd.DataFrame([{"decision": each.decision, **each.flat()} for each in self.answers])


@dataclass(frozen=True)
class Explained:
    """Why a model predicts what it does: an explanation a row, in words and numbers.

    Parameters
    ----------
    request, model, version
        As of `Predicted`.
    explanations
        One a row, as the service tells it.
    ignored
        Columns that were sent and that the model does not know.
    """

    request: str
    model: str
    version: str
    explanations: tuple[Mapping[str, Json], ...]
    ignored: tuple[str, ...] = ()

    @classmethod
    def of(cls, told: Told) -> Self:
        """From the body of an answer."""
        explanations, ignored = tuple(told["explanations"]), tuple(told.get("ignored", ()))
        return cls(told["request"], told["model"], str(told["version"]), explanations, ignored)

    def __len__(self) -> int:
        return len(self.explanations)

    def __iter__(self) -> Iterator[Mapping[str, Json]]:
        return iter(self.explanations)

    def __getitem__(self, row: int) -> Mapping[str, Json]:
        return self.explanations[row]


@dataclass(frozen=True)
class Served:
    """One version of a model that is served.

    Parameters
    ----------
    model, version
        Its names.
    role
        ``"champion"``, ``"challenger"`` or ``"shadow"``.
    digest
        Of its files.
    share
        The share of requests that it answers; None where it has the rest, or none.
    """

    model: str
    version: str
    role: str
    digest: str
    share: float | None = None

    @classmethod
    def of(cls, told: Told) -> tuple[Self, ...]:
        """All versions of one of ``models``."""
        return tuple(
            cls(told["model"], str(each["version"]), each["role"], each["digest"], each["share"])
            for each in told["versions"]
        )


@dataclass(frozen=True)
class Shape:
    """How a request to a model has to look.

    Parameters
    ----------
    row
        JSON Schema (2020-12) of one row.
    example
        A request that the model answers, of made values.
    """

    row: Mapping[str, Json]
    example: Mapping[str, Json]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model reads."""
        return tuple(cast("Mapping[str, Json]", self.row.get("properties", {})))


@dataclass(frozen=True)
class Feedback:
    """How many outcomes were recorded, and of which model and version (``"loans 3"``)."""

    request: str
    recorded: int
    by_model: Mapping[str, int]

    @classmethod
    def of(cls, told: Told) -> Self:
        """From the body of an answer."""
        return cls(told["request"], told["recorded"], told["by_model"])
