"""What parts promise: protocols. The conformance suites say the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from plait.contracts.arrays import Array
from plait.contracts.crossing import (
    Batch,
    Batches,
    Column,
    Features,
    FitContext,
    Items,
    Json,
    Prediction,
    Progress,
    Source,
    State,
    Task,
    Tokens,
)
from plait.contracts.shares import FeatureShares, Origins
from plait.contracts.shown import Exhibit, Place

if TYPE_CHECKING:
    from pathlib import Path

    import torch

__all__ = [
    "ByColumn",
    "Calibrator",
    "Comparing",
    "Composite",
    "Detector",
    "Divisible",
    "Embedder",
    "Encoder",
    "Head",
    "Learner",
    "Modality",
    "Predictor",
    "Readable",
    "Reader",
    "Reconstruction",
    "Reconstructs",
    "Reducible",
    "Sendable",
    "Streaming",
    "Traceable",
    "Watcher",
]


class Modality(Protocol):
    """A room: two doors over the cells of one source. The conformance suite says the rest.

    `joint` rooms read all their columns as one source; others make each column a source.

    A room may say ``deep: ClassVar[bool] = True``: its cells are raw signals (pixels, sound) of which learned tokens
    tell more than its features, so that a network is worth trying on few rows already.
    """

    name: ClassVar[str]
    joint: ClassVar[bool]
    version: ClassVar[int]
    source: Source

    def __init__(self, source: Source) -> None: ...

    @staticmethod
    def accepts(column: Column) -> float:
        """How sure this room is that the column is its own, 0..1, from a sample of its cells."""

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Made columns of one source, with some cells missing and some broken, for the conformance suite."""

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn what needs no label (vocabularies, scales) from training rows; `chunks` can be iterated again."""

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Cells to arrays, presence and faults; never raises for a cell."""

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """Features of the training rows, out of fold (`context.folds`) wherever a label is used."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Features of any other rows."""

    def inputs(self, batch: Batch) -> Batch:
        """The arrays that the encoder reads (subword ids, scaled numbers), made once a fit, not once an epoch."""
        return batch

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """The module that turns inputs into tokens."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self: ...


class Readable(Modality, Protocol):
    """A room whose cells pretrained encoders read, too."""

    def items(self, batch: Batch) -> Items: ...


class Divisible(Modality, Protocol):
    """A room that can take places out of its cells, so that explanation finds which of them count."""

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """At most `most` places that share out the cell of `row`, or its place `within`, in order.

        None for a cell that is missing or unreadable, or cannot be divided further.
        """

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """``M`` versions of the row as `transform` would read them: version ``m`` lacks `places` wherever ``kept[m]``
        (bool ``M x P``) is false.

        What lies in no place stays. With all kept, the version is bitwise what `transform` makes of the row.
        """

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        """The cell of a row that is present, as a person looks at it."""


@runtime_checkable
class Traceable(Protocol):
    """A room that tells what its numbers are made of; those of other rooms belong to their source as a whole."""

    def origins(self) -> Origins: ...


@runtime_checkable
class Sendable(Protocol):
    """A fitted room that says what a program may send as its cells; of other rooms, any plain JSON may be sent."""

    def cells(self) -> Mapping[str, Json]:
        """By column, a JSON Schema of a cell that is there.

        What rooms use of it: ``type``, ``format: date-time``, ``items``, ``properties``, ``required``,
        ``additionalProperties``, ``anyOf``, ``description``, ``examples`` (made ones), and for the bytes of a file
        ``contentEncoding: base64``.
        """


class Embedder(Protocol):
    """An installed package that carries a pretrained encoder in Hugging Face format."""

    name: ClassVar[str]

    @staticmethod
    def folder() -> str:
        """Where its config.json and model.safetensors lie.

        Raises
        ------
        MissingExtraError
            If the package is not installed.
        """


class Encoder(Protocol):
    """An ``nn.Module`` from a room's inputs to tokens."""

    def collate(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """Arrays of one mini-batch as padded tensors, with ``"present"`` (bool ``B``) among them."""

    def __call__(self, tensors: Mapping[str, torch.Tensor]) -> Tokens:
        """Tokens; all masked in rows whose source is absent."""


@runtime_checkable
class ByColumn(Protocol):
    """An encoder whose tokens stand for columns."""

    @property
    def token_columns(self) -> npt.NDArray[np.int64]:
        """Number of each token's column (int64 ``T``), in the order of its room's `Origins.inputs`; -1: of several."""


class Reconstruction(Protocol):
    """An ``nn.Module`` that hides places of what an encoder reads, and asks the vector of the row for them."""

    def hide(
        self, tensors: Mapping[str, torch.Tensor], share: float, shown: float
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The encoder's tensors with about a `share` of their places hidden, and what telling each counts.

        The latter is float ``B x P``: 1 of hidden places, `shown` of others, 0 where there is none.
        """

    def __call__(
        self, pooled_BD: torch.Tensor, tensors: Mapping[str, torch.Tensor], asked_BP: torch.Tensor
    ) -> torch.Tensor:
        """How badly the vectors of rows tell their places, the mean of each row: ``B``; `tensors` hide nothing."""


@runtime_checkable
class Reconstructs(Protocol):
    """An encoder that says what of its room's cells is learned without labels. Of others, whole tokens are."""

    def reconstruction(self) -> Reconstruction: ...


class Learner(Protocol):
    """A classical learner over features. Its options are keyword arguments of the constructor."""

    name: ClassVar[str]
    version: ClassVar[int]
    accepts_wide: ClassVar[bool]
    accepts_categorical: ClassVar[bool]

    def tune(self, features: Features, context: FitContext) -> Self:
        """Choose what the user left open (trees, penalty) on inner held-out rows; `fit` then uses the choice."""

    def fit(self, features: Features, context: FitContext) -> Self:
        """Learn `context.targets` from all rows, weighted by `context.weight`."""

    @property
    def settings(self) -> dict[str, Json]:
        """The constructor's options that repeat this fit without choosing again."""

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        """float64 ``N x K``."""

    def contributions(self, features: Features, output: npt.NDArray[np.int64]) -> FeatureShares:
        """What each feature adds to one score of each row; `output` (int64 ``N``) says which of the ``K``."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, state: State) -> Self: ...


@runtime_checkable
class Streaming(Protocol):
    """A learner that can be fitted on more rows than memory holds. It is tuned on a sample before."""

    def fit_chunks(self, chunks: Iterable[Features], context: FitContext) -> Self:
        """`Learner.fit` on rows that come in chunks; `chunks` can be iterated again, `context` is of all rows."""


class Head(Protocol):
    """What is predicted: encodes targets, measures error, and turns scores into a `Prediction`."""

    name: ClassVar[str]
    version: ClassVar[int]
    task: ClassVar[Task]
    outputs: int

    def fit(self, targets: Array, weight: npt.NDArray[np.float64]) -> Self:
        """Learn the classes or the scale, and the prior."""

    def encode(self, targets: Array) -> npt.NDArray[np.float64]:
        """Class index or standardised value, float64 ``N``."""

    @property
    def prior(self) -> npt.NDArray[np.float64]:
        """Scores (``K``) of a row of which nothing is known."""

    def decode(self, scores: npt.NDArray[np.float64]) -> Prediction: ...

    def error(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        """Weighted loss of each row (log loss or squared error), for early stopping and stacking: float64 ``N``."""

    def module(self, width: int) -> torch.nn.Module:
        """From (tokens ``B x T x D``, mask ``B x T``, pooled ``B x D``) to scores ``B x K``."""

    def loss(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The mean weighted training loss, a scalar."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, state: State) -> Self: ...


@runtime_checkable
class Comparing(Protocol):
    """A head that learns from rows beside other rows of their group."""

    def together(self, encoded: Array) -> npt.NDArray[np.int64] | None:
        """The group of each row (int64 ``N``): those of one group are learned from together, and held out together.

        None where all rows are one group.
        """


@runtime_checkable
class Reducible(Protocol):
    """A head that classical learners serve by plain problems (two classes, classes, a value), each fitted on its own.

    `task` of such a head says only whether rows are divided by class.
    """

    def problems(self) -> tuple[Head, ...]:
        """A fitted plain head for each problem."""

    def split(self, encoded: Array) -> list[npt.NDArray[np.float64]]:
        """Each problem's targets as its head encodes them, float64 ``N``; NaN: the row is not asked."""

    def joined(self, scores: Sequence[Array]) -> npt.NDArray[np.float64]:
        """This head's scores, float64 ``N x K``, from those of the problems."""

    def origin(self, output: int) -> tuple[int, int] | None:
        """The problem, and which of its outputs, that a score is taken from as it is; None where it is made of more."""


@runtime_checkable
class Composite(Head, Protocol):
    """A head of several targets, each with a head of its own, that may lack any label of a row.

    `weights` is how much each target's loss counts: numbers by target, or the rule by which a training finds them.
    """

    members: dict[str, Head]
    weights: str | Mapping[str, float]

    @property
    def spans(self) -> Mapping[str, slice]:
        """Which of the scores are each target's."""

    @property
    def fixed(self) -> npt.NDArray[np.float64]:
        """The weights before any training has found others: float64 ``T``."""

    def errors(self, scores: Array, targets: Array, weight: Array) -> npt.NDArray[np.float64]:
        """What each row adds to each target's loss, float64 ``N x T``; 0 where it has no label."""

    def losses(self, scores: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Each target's mean weighted training loss: ``T``."""

    def unlabelled(self, targets: Array) -> tuple[str, ...]:
        """Targets of which encoded rows have no label."""


class Detector(Protocol):
    """How odd rows are, told from features alone. Its options are keyword arguments of the constructor."""

    name: ClassVar[str]
    version: ClassVar[int]

    def fit(self, features: Features, groups: npt.NDArray[np.int64], context: FitContext) -> Self:
        """Learn what is usual; `groups` (int64 ``F``) says which features belong to one source.

        Some of the rows may be odd; `context` has no targets.
        """

    def scores(self, features: Features) -> npt.NDArray[np.float64]:
        """float64 ``N``: the higher, the odder. That a cell is missing makes no row odd."""

    def shares(self, features: Features) -> npt.NDArray[np.float64]:
        """float64 ``N x F``: how much each feature makes its row odd; below 0 where it makes it less so."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, state: State) -> Self: ...


class Calibrator(Protocol):
    """A map from scores to scores under which probabilities come true as often as they say.

    Of two classes it rises strictly, so that rows keep their order. Its constructor takes no argument. `freedom` is how
    many numbers it learns (of each class, where it learns some of each): the fewer, the sooner it is preferred.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    freedom: ClassVar[float]

    def fit(self, scores: Array, targets: Array, weight: Array) -> Self:
        """Learn from scores (float64 ``N x K``, log-odds or logits) of rows that the scores were not learned from.

        `targets` are class indices, `weight` float64, both ``N``.
        """

    def __call__(self, scores: Array) -> npt.NDArray[np.float64]:
        """float64 ``N x K``; finite for finite scores."""

    def state(self) -> State: ...

    @classmethod
    def from_state(cls, state: State) -> Self: ...


class Reader(Protocol):
    """Reads facts off a picture: amounts of a page, values of a chart. Its constructor takes no argument.

    `version` changes whenever `read` would answer something else, since answers are kept.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    names: tuple[str, ...]

    def read(self, pixels: npt.NDArray[np.uint8]) -> Mapping[str, float]:
        """Numbers by name from a picture, uint8 ``H x W x 3``, at most 1,024 pixels a side; what is lacking is unknown.

        A function of the pixels alone, called from threads.
        """


class Watcher(Protocol):
    """Writes down what is reported of a long job, for people to look at while it runs and later.

    It is made from where to write, and whether what is there is of the same job and to be gone on with: no step is then
    written twice. What goes wrong in writing is an OSError or a PlaitError.
    """

    name: ClassVar[str]

    def __init__(self, target: str, *, goes_on: bool = False) -> None: ...

    @staticmethod
    def place(folder: Path) -> str:
        """Where it writes by default, beside what the job writes."""

    def asked(self, parameters: Mapping[str, Json]) -> None:
        """What the job was asked to do."""

    def __call__(self, progress: Progress) -> None: ...

    def close(self, files: Sequence[Path] = (), failed: str = "") -> None:
        """The job is over, with these files to show, or has failed (and how)."""


class Predictor(Protocol):
    """All that explanation and reports see of a fitted model."""

    @property
    def sources(self) -> tuple[str, ...]: ...

    def predict(self, batches: Batches, present: Array | None = None) -> Prediction:
        """Predict rows; `present` (bool ``N x S`` or ``S``) hides sources. With nothing present: the prior."""
