"""What a desk offers: typed operations from a request to a result, and the decisions that come out of them.

The command line, a server and tools of assistants are made from these declarations; none of them is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from plait.contracts.crossing import Json, Progress, Side, unheard
from plait.contracts.shown import Place
from plait.errors import unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Asked",
    "AskedKind",
    "Decision",
    "Desk",
    "Effect",
    "Operation",
    "PolicyOutcome",
    "Reason",
    "Result",
    "Rows",
    "asked",
    "asks",
]

AskedKind: TypeAlias = Literal[
    "rows", "fitted", "folder", "file", "string", "number", "count", "flag", "choice", "names", "entries"
]
Effect: TypeAlias = Literal["reads", "acts"]
Report: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True)
class Rows:
    """Rows that an operation is given, however they came: from a file, or as records in a request.

    Parameters
    ----------
    frame
        The rows. Paths in cells are read where ``frame.attrs["folder"]`` names a folder.
    sides
        Long tables by name: read already, or the path of each, as `plait.data.asof.sides` takes them beside a schema.
    path, read
        The file that the rows are, and how it was read (arguments of `plait.data.read.read`); None for records.
    """

    frame: pd.DataFrame
    sides: Mapping[str, Side | str] = field(default_factory=dict)
    path: str | None = None
    read: Mapping[str, Json] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class Asked:
    """What a field of a request holds, for the faces that ask a person or a program for it.

    Parameters
    ----------
    kind
        ``"rows"``: `Rows`. ``"fitted"``: what the desk's `load` gives. ``"folder"``, ``"file"``: a path, named
        on the machine itself only. ``"string"``: str. ``"number"``: float. ``"count"``: int.
        ``"flag"``: bool. ``"choice"``: one of `choices`. ``"names"``: a tuple of str. ``"entries"``: a mapping of
        str to str.
    help
        One sentence.
    shown
        What stands for the value in help, ``"COLUMN"`` say.
    least, most
        Bounds of a number or count.
    short
        One letter for the command line.
    leading
        Given by its place on the command line, not by its name.
    """

    kind: AskedKind
    help: str
    shown: str | None = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    short: str | None = None
    leading: bool = False


def asked(
    kind: AskedKind,
    help: str,
    *,
    default: Any = MISSING,
    shown: str | None = None,
    choices: Sequence[str] = (),
    least: float | None = None,
    most: float | None = None,
    short: str | None = None,
    leading: bool | None = None,
) -> Any:
    """A field of a request: `dataclasses.field` with an `Asked`; without a default it must be given."""
    first = kind in ("rows", "fitted") if leading is None else leading
    said = Asked(kind, help, shown, tuple(choices), least, most, short, first)
    if isinstance(default, dict | list):
        return field(default_factory=lambda: type(default)(default), metadata={"asked": said})
    if default is MISSING:
        return field(metadata={"asked": said})
    return field(default=default, metadata={"asked": said})


def asks(request: type) -> dict[str, tuple[Field[Any], Asked]]:
    """The fields of a request by name, with what each asks for."""
    return {each.name: (each, each.metadata["asked"]) for each in fields(request)}


class Result(Protocol):
    """What an operation answers: a frozen dataclass that a person and a program can read.

    A result may also have ``frame() -> DataFrame`` (a row each, written where an output file is asked for),
    ``draw(folder) -> tuple[Path, ...]`` (pictures), and ``refusal: str`` (why a gate that was asked for says no; "":
    it does not).
    """

    def to_json(self) -> Json:
        """What `json.dumps` accepts, NaN and infinity excluded."""

    def __str__(self) -> str:
        """Readable lines."""


@dataclass(frozen=True)
class Operation:
    """One thing that a desk does.

    Parameters
    ----------
    name
        One word, a verb where there is one.
    request
        A frozen dataclass whose fields are made by `asked`.
    run
        From a request and a listener of `Progress` to a `Result`; imports what is heavy when it runs.
    summary
        What it does, as help shows it: one line, then more where needed.
    effect
        ``"reads"``: it tells. ``"acts"``: it decides about somebody, or writes what decides later.
    policies
        Names of the policies that can change or stop what it answers.
    example
        A request as a person would write it: field to value.
    """

    name: str
    request: type
    run: Callable[[Any, Report], Any]
    summary: str
    effect: Effect
    policies: tuple[str, ...] = ()
    example: Mapping[str, Json] = field(default_factory=dict)

    def __call__(self, request: object, report: Report = unheard) -> Any:
        """Run it.

        Raises
        ------
        TypeError
            If the request is not of its own kind.
        """
        if not isinstance(request, self.request):
            raise TypeError(f"{self.name} takes a {self.request.__name__}, not a {type(request).__name__}")
        return self.run(request, report)

    @property
    def local(self) -> bool:
        """Whether a request must name a file of the machine, so that only the machine itself may make it.

        A file or folder that a request may do without is never named by one from elsewhere.
        """
        paths = (field for field, said in asks(self.request).values() if said.kind in ("folder", "file"))
        return any(field.default is MISSING and field.default_factory is MISSING for field in paths)


@dataclass(frozen=True)
class Desk:
    """A desk: finance over the engine.

    Parameters
    ----------
    load
        From a path to what its operations take as ``"fitted"``.
    estimator
        From that to the estimator of `plait` that reads the rows, so that those who send rows are told what it takes.
    """

    name: str
    summary: str
    operations: tuple[Operation, ...]
    load: Callable[[str], Any]
    estimator: Callable[[Any], Any] | None = None

    def __getitem__(self, name: str) -> Operation:
        """The operation of a name.

        Raises
        ------
        ConfigError
            If there is none.
        """
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise unknown(f"operation of {self.name}", name, [each.name for each in self.operations])

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)


@dataclass(frozen=True)
class Reason:
    """Why a decision is what it is, in words that a person can check.

    Parameters
    ----------
    code
        Stable name of the reason, for records.
    sentences
        Language (``"en"``, ``"zh"``) to one sentence.
    columns
        The columns of the frame that it rests on.
    share
        What it adds to the score, in the decision's own unit (points lost, say).
    source, places
        Where in the evidence it can be seen, strongest place first.
    """

    code: str
    sentences: Mapping[str, str]
    columns: tuple[str, ...]
    share: float
    source: str | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class PolicyOutcome:
    """What a policy said of a decision: it lets it pass, changes it, or hands it to a person."""

    policy: str
    effect: Literal["pass", "change", "handover"]
    why: str


@dataclass(frozen=True)
class Decision:
    """What is to be done about one row, and all that it rests on.

    Parameters
    ----------
    action
        What to do, ``"approve"``, say.
    prediction
        The figures that it rests on, by name.
    reasons
        Strongest first.
    evidence
        Sources that the row had.
    policies
        Every policy that was asked, and what it said.
    handover
        Why a person has to decide; None: nobody has to.
    """

    action: str
    prediction: Mapping[str, Json]
    reasons: tuple[Reason, ...] = ()
    evidence: Collection[str] = ()
    policies: tuple[PolicyOutcome, ...] = ()
    handover: str | None = None
