"""LightGBM's boosters, deterministic, their state in LightGBM's own text (Ke et al., NeurIPS 2017)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Array, Features, FitContext, Progress, State
from plait.errors import ArtifactError
from plait.threads import cores

if TYPE_CHECKING:
    import lightgbm

__all__ = ["Boosted", "Booster", "applied", "basics", "dataset", "read", "reporter", "shares", "streamed", "texts"]

# cells under which one thread is used: several that wait for each other on busy cores took 12 times as long
SERIAL = 10_000_000
AT_ONCE = 2_048  # rows from which prediction uses all cores


class Booster(Protocol):
    """What learners ask of a fitted booster; LightGBM's own, or one that was exported."""

    def predict(self, data: Array, *, raw_score: bool, num_threads: int) -> Any: ...


class Boosted(ABC):
    """A learner made of boosters, whatever it is that runs them.

    `averages` says whether its score is the mean of them; else each has an output of its own.
    """

    averages: ClassVar[bool]

    @classmethod
    @abstractmethod
    def from_boosters(cls, state: State, made: Sequence[Any]) -> Self:
        """The learner of a state with these boosters, instead of those in its texts."""

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls.from_boosters(state, read(state))


def basics(context: FitContext, cells: int) -> dict[str, Any]:
    """Parameters that every booster has; `cells` is the size of its training matrix."""
    rows = len(context)
    return {
        "min_data_in_bin": max(1, min(3, rows // 50)),
        "max_bin": 63 if rows < 200_000 else 255,
        "seed": context.seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1 if cells < SERIAL else context.threads,
        "verbosity": -1,
    }


def dataset(features: Features, label: Array, weight: Array, parameters: dict[str, Any]) -> lightgbm.Dataset:
    """The dense features as LightGBM bins them."""
    import lightgbm

    return lightgbm.Dataset(
        features.values,
        label=label,
        weight=weight,
        categorical_feature=[int(i) for i in np.flatnonzero(features.categorical)],
        params=parameters,
        free_raw_data=False,
    )


def streamed(chunks: Iterable[Features], label: Array, weight: Array, parameters: dict[str, Any]) -> lightgbm.Dataset:
    """The dense features of all chunks as LightGBM bins them: of their floats, one chunk is in memory at a time.

    The chunks are read twice, once for the rows that tell where to cut the bins. The same bins as those of `dataset`.
    """
    import lightgbm

    class Rows(lightgbm.Sequence):
        """LightGBM asks for rows in order, first one by one, then in slices; so one reader going forward will do."""

        batch_size = AT_ONCE

        def __init__(self) -> None:
            self.start, self.values = 0, np.empty((0, 0), np.float32)
            self.reader: Iterator[Features] | None = None

        def __len__(self) -> int:
            return len(label)

        def __getitem__(self, asked: Any) -> npt.NDArray[np.float64]:
            if not isinstance(asked, slice):
                return np.asarray(self._from(int(asked))[0], np.float64)
            found, start = [], asked.start
            while start < asked.stop:
                found.append(self._from(start)[: asked.stop - start])
                start += len(found[-1])
            return np.concatenate(found, dtype=np.float64)

        def _from(self, row: int) -> Array:
            """The rows from `row` to the end of its chunk."""
            if row < self.start or self.reader is None:
                self.start, self.values, self.reader = 0, self.values[:0], iter(chunks)
            while row >= self.start + len(self.values):
                self.start += len(self.values)
                self.values = next(self.reader).values
            return self.values[row - self.start :]

    first = next(iter(chunks))
    return lightgbm.Dataset(
        Rows(),
        label=label,
        weight=weight,
        categorical_feature=[int(i) for i in np.flatnonzero(first.categorical)],
        params=parameters,
    )


def applied(booster: Booster, features: Features, *, raw: bool) -> npt.NDArray[np.float64]:
    """What a booster says, float64 ``N`` or ``N x K``: with `raw` the sum of its trees, else what they mean."""
    threads = 1 if len(features) < AT_ONCE else cores()  # 0 would repeat the last count that LightGBM was told
    return np.asarray(booster.predict(features.values, raw_score=raw, num_threads=threads), np.float64)


def shares(
    booster: lightgbm.Booster, features: Features, output: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What each feature adds to the sum of the trees (float64 ``N x F``), and what the trees say on average (``N``).

    LightGBM's own TreeSHAP (Lundberg et al., "Consistent Individualized Feature Attribution for Tree Ensembles", 2018).
    """
    rows, width = features.values.shape
    if not rows:
        return np.zeros((0, width)), np.zeros(0)
    threads = 1 if rows < AT_ONCE else cores()
    told = np.asarray(booster.predict(features.values, pred_contrib=True, num_threads=threads), np.float64)
    own = told.reshape(rows, -1, width + 1)[np.arange(rows), output]
    return own[:, :-1], own[:, -1]


def texts(boosters: Sequence[lightgbm.Booster]) -> dict[str, str]:
    """Boosters as the texts of a `State`."""
    return {str(i): booster.model_to_string() for i, booster in enumerate(boosters)}


def read(state: State) -> list[lightgbm.Booster]:
    """The boosters of a state's texts.

    Raises
    ------
    ArtifactError
        If LightGBM cannot read one.
    """
    import lightgbm

    try:
        return [lightgbm.Booster(model_str=state.texts[str(i)]) for i in range(len(state.texts))]
    except lightgbm.basic.LightGBMError as error:
        raise ArtifactError(f"the stored LightGBM model cannot be read: {error}") from None


def reporter(context: FitContext, total: int, stage: str) -> Callable[[Any], None]:
    """A LightGBM callback that tells `context.report` every twenty trees."""

    def report(env: Any) -> None:
        done = env.iteration + 1
        if done % 20 == 0 or done == total:
            metric = env.evaluation_result_list[0][2] if env.evaluation_result_list else None
            context.report(Progress(stage, done, total, metric))

    return report
