"""The room of tabular columns."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    Array,
    Batch,
    Column,
    Encoder,
    Fault,
    Features,
    FitContext,
    Json,
    Origins,
    Source,
    Sparse,
    State,
)
from plait.data.splits import inner_folds
from plait.errors import ArtifactError, ConfigError, unknown
from plait.modalities.table import means
from plait.modalities.table.calendar import SIZES, calendar
from plait.modalities.table.cells import HEAD, Kind, codes, judge, likeness, read_head, values
from plait.modalities.table.fields import LIMIT, Category, Choice, Quantity, Tally
from plait.modalities.table.layout import Layout, plan

__all__ = ["Table"]

CLASSES = 8  # most classes of a multiclass target that get target means


class Table:
    """Tabular columns of one frame.

    Every column is a number, a category, a boolean, a date or a duration, judged from its first 1,000 present cells
    (95% of them must be of a kind; whatever is none of the others is a category). Cells that cannot be read as the
    kind are faults and count as missing: text in a number column, infinity, a date that is none.

    Options of a column (``Source.options[column]``):

    ``as``
        ``number | category | boolean | date | duration`` instead of the judgement.
    ``clean``
        What happens to numbers, dates' ages and durations in `features` (fitted on training rows): ``none`` (default),
        ``zscore``, ``robust`` (median and quartile range), ``quantile`` (normal scores), ``clip`` (to the 1% and 99%
        quantiles). Trees need none of it, and the linear learner scales by itself.
    ``missing``
        ``keep`` (default): a missing cell is an absent feature. ``impute``: the median, or the most frequent
        level, and a feature that says so. ``drop``: the column is left out if more than half of its training cells
        are missing or unreadable (otherwise as ``keep``).
    ``max_levels``
        Known levels of a category at most (default 1,000), the most frequent ones.
    ``min_count``
        Training rows a level needs to be known (default: a thousandth of the rows, within 2..10). Rarer levels, and
        those never seen, are one level of their own.

    ``encoder``
        Of all columns together, named at one of them or alike at several: ``columns`` (default: a token a column), or
        ``conv_columns`` (convolutions along the columns in their order).

    Features, at most 256 unless there are more columns:

    - numbers, 0/1 of booleans, durations in days, as they are (or cleaned);
    - dates as days before the row's time if rows have one, otherwise as days since the training median; then month,
      weekday, day of month and hour where they vary;
    - categories of up to 50 levels as codes (0 rare or unknown, then by frequency); of more, the smoothed mean target
      less the base rate, out of fold on training rows (one a class, up to 8 classes), and the log frequency;
    - in the wide form, categories one-hot, with missing and rare beside the levels.

    Beyond 256, `layout.plan` says which extras go first. Imputation and cleaning concern features; the encoder reads
    normal scores of numbers (a missing number is masked), category codes, and calendar parts as codes.

    All that is learned is the same however the rows are cut into chunks; quantiles come from a sample of at most
    16,384 rows (`plait.data.sketch`).
    """

    name: ClassVar[str] = "table"
    joint: ClassVar[bool] = True
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        for column in source.options:
            if column not in source.columns:
                raise unknown(f"column in the options of source {source.name!r}:", column, source.columns)
        self.source = source
        self._choices = {name: Choice.of(name, source.options.get(name, {})) for name in source.columns}
        named = {choice.encoder for choice in self._choices.values()} - {"auto"}
        if len(named) > 1:
            raise ConfigError(
                f"source {source.name!r} has one encoder, but its columns name {', '.join(sorted(named))}"
            )
        self._encoder = named.pop() if named else "columns"

    @staticmethod
    def accepts(column: Column) -> float:
        """1 for numbers, booleans, dates and durations; strings by how much they repeat; 0 for nested cells."""
        if column.side is not None:
            return 0.0
        if column.values.dtype.kind != "O":
            return 1.0
        cells: list[Any] = []
        read_head(column, cells)
        return likeness(cells)

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Eight made columns of all kinds, with missing, broken and infinite cells, judged in 2024."""
        row_time = 1.7e9 + rng.uniform(0, 3e7, n)
        amount = np.exp(rng.normal(8, 1, n))
        amount[rng.random(n) < 0.02] = np.inf
        written = np.array([f"{x:.2f}" for x in rng.normal(50, 20, n)], object)
        written[rng.random(n) < 0.02] = "n/a"
        opened = (row_time - rng.uniform(0, 3e8, n)).astype("datetime64[s]").astype("datetime64[ns]")
        branch = np.array([f"B{x:03d}" for x in rng.zipf(1.4, n) % 300], object)
        columns: dict[str, Array] = {
            "amount": amount,
            "visits": rng.poisson(3, n).astype(np.float64),
            "rate": written,
            "segment": rng.choice(np.array(["retail", "small business", "private"], object), n),
            "branch": branch,
            "insured": rng.random(n) < 0.3,
            "opened": opened,
            "delay": (rng.exponential(5e5, n)).astype("timedelta64[s]").astype("timedelta64[ns]"),
        }
        return tuple(Column(name, cells, rng.random(n) > 0.1, row_time) for name, cells in columns.items())

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Judge kinds, then count levels and sample numbers in one more pass; labels are not looked at."""
        names = self.source.columns
        tallies = [Tally(kind) for kind in self._kinds(chunks)]
        for chunk in chunks:
            for tally, column in zip(tallies, chunk, strict=True):
                tally.add(column)
        numbers, categories = [], []
        for name, tally in zip(names, tallies, strict=True):
            choice = self._choices[name]
            if choice.missing == "drop" and tally.present * 2 < tally.rows:
                continue
            if tally.kind == "category":
                categories.append(Category.learn(name, choice, tally))
            else:
                numbers.append(Quantity.learn(name, choice, tally))
        self._settle(numbers, categories, _means_of(context))
        return self

    def _kinds(self, chunks: Iterable[tuple[Column, ...]]) -> list[Kind]:
        """Kinds of the columns, judged by as many chunks as it takes where the schema does not say."""
        told = [self._choices[name].kind for name in self.source.columns]
        heads: dict[int, list[Any]] = {i: [] for i, kind in enumerate(told) if kind is None}
        for chunk in chunks:
            for i, cells in heads.items():
                read_head(chunk[i], cells)
            if all(len(cells) == HEAD for cells in heads.values()):
                break
        return [kind or judge(heads[i]) for i, kind in enumerate(told)]

    def _settle(self, numbers: list[Quantity], categories: list[Category], outputs: int) -> None:
        """Arrange what was learned for use on blocks of columns."""
        where = {name: i for i, name in enumerate(self.source.columns)}
        self._numbers, self._categories = numbers, categories
        self._dates = [i for i, number in enumerate(numbers) if number.kind == "date"]
        both: list[Quantity | Category] = [*numbers, *categories]
        self._at = {learned.name: where[learned.name] for learned in both}
        self._known = [{level: i + 2 for i, level in enumerate(category.levels)} for category in categories]
        cleanings = [number.cleaning for number in numbers]
        self._clean = np.array([[c.low, c.high, c.centre, c.scale] for c in cleanings]).reshape(-1, 4).T
        self._scored = [i for i, cleaning in enumerate(cleanings) if cleaning.scored]
        self._starts = np.array([0, *accumulate(category.codes for category in categories)], np.int64)
        self._frequencies = np.concatenate([np.zeros(0), *(category.log_frequency() for category in categories)])
        self._parts = [(d, p) for d, i in enumerate(self._dates) for p in numbers[i].parts]
        self._outputs = outputs
        self._layout: Layout = plan(numbers, categories, outputs)
        self._coded, self._meaned, self._counted, self._indicated = (
            np.array(at, np.int64)
            for at in (self._layout.coded, self._layout.meaned, self._layout.counted, self._layout.indicated)
        )
        self._means = np.zeros((int(self._starts[-1]), outputs))

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Read the cells.

        Returns
        -------
        Batch
            ``numbers`` float64 ``N x C`` (numbers, booleans, dates and durations in days, NaN missing), ``moments``
            float64 ``N x D`` (dates in seconds since 1970), ``codes`` int32 ``N x K`` (0 missing, 1 rare or unknown).
            A row is present if any cell can be read.
        """
        rows = len(columns[0])
        faults: list[Fault] = []
        numbers = np.empty((rows, len(self._numbers)))
        moments = np.empty((rows, len(self._dates)))
        levels = np.empty((rows, len(self._categories)), np.int32)
        date = 0
        for i, number in enumerate(self._numbers):
            column = columns[self._at[number.name]]
            found, unread = values(column, number.kind)
            if number.kind == "date":
                moments[:, date] = found
                date += 1
                found = number.days(column, found)
            numbers[:, i] = found
            faults += unread
        for i, category in enumerate(self._categories):
            levels[:, i], unread = codes(columns[self._at[category.name]], self._known[i])
            faults += unread
        beyond = np.abs(numbers) > LIMIT
        if beyond.any():
            for row, i in np.argwhere(beyond).tolist():
                faults.append(Fault(row, self._numbers[i].name, "infinite"))
            numbers[beyond] = np.nan
        readable = np.concatenate([~np.isnan(numbers), ~np.isnan(moments), levels > 0], axis=1)
        present = np.asarray(readable.any(axis=1), bool)
        return Batch({"numbers": numbers, "moments": moments, "codes": levels}, present, tuple(faults))

    def features(self, batch: Batch) -> Features:
        """Features of rows that the room was not fitted on; float32 ``N x F``."""
        levels = self._filled(batch)[1]
        at = self._meaned
        found = self._means[levels[:, at] + self._starts[at]]
        return self._features(batch, np.where(levels[:, at, None] > 0, found, np.nan))

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """Features of the training rows; mean targets come from the rows of other folds."""
        if self._categories and _means_of(context) != self._outputs:  # another target than the room was fitted for
            self._settle(self._numbers, self._categories, _means_of(context))
        folds = inner_folds(context) if context.folds is None else context.folds
        targets = context.targets[:, None]
        if context.task == "multiclass":
            targets = (targets == np.arange(self._outputs)).astype(np.float64)
        levels = np.where(batch.present[:, None], self._filled(batch)[1], 0)
        learned = self._means.copy()  # not in place: rooms are copied shallowly
        honest = np.full((len(batch), len(self._meaned), self._outputs), np.nan)
        for place, i in enumerate(self._meaned.tolist()):
            rows = np.flatnonzero(levels[:, i])  # a missing cell is an absent feature, not a level
            given = levels[rows, i], self._categories[i].codes, targets[rows], context.weight[rows]
            learned[self._starts[i] : self._starts[i + 1]] = means.table(*given)
            honest[rows, place] = means.out_of_fold(*given, folds[rows])
        self._means = learned
        return self._features(batch, honest)

    def _filled(self, batch: Batch) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Numbers and codes with imputed columns filled, and which of these columns' cells were missing."""
        numbers, levels = cast("Array", batch.arrays["numbers"]), cast("Array", batch.arrays["codes"])
        missing = np.concatenate([np.isnan(numbers), levels == 0], axis=1)[:, self._indicated]
        if len(self._indicated):
            numbers, levels = numbers.copy(), levels.copy()
            for place, i in enumerate(self._indicated.tolist()):
                if i < len(self._numbers):
                    numbers[missing[:, place], i] = self._numbers[i].fill
                else:
                    i -= len(self._numbers)
                    levels[missing[:, place], i] = self._categories[i].fill
        return numbers, levels, missing

    def _features(self, batch: Batch, level_means: npt.NDArray[np.float64]) -> Features:
        numbers, levels, missing = self._filled(batch)
        low, high, centre, scale = self._clean
        cleaned = (np.clip(numbers, low, high) - centre) / scale
        for i in self._scored:
            cleaned[:, i] = self._numbers[i].score(numbers[:, i])
        seen = levels > 0
        frequencies = np.where(seen, self._frequencies[levels + self._starts[:-1]], np.nan)
        blocks = [
            cleaned,
            np.where(seen, levels - 1.0, np.nan)[:, self._coded],
            level_means.reshape(len(batch), self._means.shape[1] * len(self._meaned)),
            missing.astype(np.float64),
            frequencies[:, self._counted],
            self._calendar(batch),
        ]
        values = np.concatenate(blocks, axis=1)
        if not self._layout.whole:
            values = values[:, self._layout.kept]
        values = np.clip(values, -LIMIT, LIMIT).astype(np.float32)
        values[~batch.present] = np.nan
        wide = self._one_hot(batch, levels) if self._categories else None
        return Features(
            values, self._layout.names, ~np.isnan(values), self._layout.categorical, self._layout.covered, wide
        )

    def _calendar(self, batch: Batch) -> npt.NDArray[np.float64]:
        """Calendar parts that vary: float64 ``N x P``, NaN where the date is missing."""
        moments = cast("Array", batch.arrays["moments"])
        if not self._parts:
            return np.empty((len(batch), 0))
        date, part = np.array(self._parts).T
        gone = np.isnan(moments)
        found = calendar(np.where(gone, 0.0, moments))[:, date, part]
        return np.where(gone[:, date], np.nan, found)

    def _scores(self, numbers: Array) -> npt.NDArray[np.float64]:
        """Normal scores of all numbers: float64 ``N x C``."""
        found = np.empty_like(numbers)
        for i, number in enumerate(self._numbers):
            found[:, i] = number.score(numbers[:, i])
        return found

    def _one_hot(self, batch: Batch, levels: Array) -> Sparse:
        rows, columns = levels.shape
        indices = (levels + self._starts[:-1]).astype(np.int32).ravel()
        indptr = np.arange(rows + 1, dtype=np.int64) * columns
        wide = Sparse(indptr, indices, np.ones(len(indices), np.float32), int(self._starts[-1]))
        return wide if batch.present.all() else wide.keep(batch.present)

    def inputs(self, batch: Batch) -> Batch:
        """What the encoder reads.

        Returns
        -------
        Batch
            ``numbers`` float32 ``N x C`` (normal scores, 0 where missing), ``numbers_present`` bool ``N x C``,
            ``codes`` int64 ``N x K`` (categories, then calendar parts; 0 missing, 1 rare or unknown, then levels).
        """
        there = batch.present[:, None]
        scores = self._scores(cast("Array", batch.arrays["numbers"]))
        seen = ~np.isnan(scores) & there
        parts = np.nan_to_num(self._calendar(batch) + 2.0)  # 0 where missing
        levels = np.where(there, np.concatenate([batch.arrays["codes"], parts], axis=1), 0)
        arrays = {
            "numbers": np.where(seen, scores, 0.0).astype(np.float32),
            "numbers_present": seen,
            "codes": levels.astype(np.int64),
        }
        return Batch(arrays, batch.present)

    def origins(self) -> Origins:
        """The columns of features, of one-hot levels, and of what the encoder numbers."""
        levels = [(c.name, level) for c in self._categories for level in ("missing", "rare or unknown", *c.levels)]
        return Origins(
            features=self._layout.columns,
            terms=[f"{name} = {level}" for name, level in levels],
            columns=[name for name, _ in levels],
            inputs=[
                *(number.name for number in self._numbers),
                *(category.name for category in self._categories),
                *(self._numbers[self._dates[date]].name for date, _ in self._parts),
            ],
        )

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """The encoder of that name; ``"auto"`` is the source's, which by default is ``"columns"``."""
        made = registry.get("encoders", self._encoder if kind == "auto" else kind)
        codes = (*(category.codes for category in self._categories), *(SIZES[part] + 2 for _, part in self._parts))
        return cast("Encoder", made(width, numbers=len(self._numbers), levels=codes))

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        kinds: dict[str, Json] = {
            "number": {"type": "number"},
            "boolean": {"type": "boolean"},
            "date": {"type": "string", "format": "date-time"},
            "duration": {"type": ["number", "string"], "description": "Days, or text such as 36 months."},
        }
        found: dict[str, Json] = {name: {} for name in self.source.columns}
        for number in self._numbers:
            found[number.name] = {**kinds[number.kind], "examples": [number.example]}
        for category in self._categories:
            found[category.name] = {"type": ["string", "number", "boolean"], "examples": list(category.levels[:5])}
        return found

    def state(self) -> State:
        values = {
            "numbers": [number.to_json() for number in self._numbers],
            "categories": [category.to_json() for category in self._categories],
            "outputs": self._outputs,
        }
        arrays = {
            "means": self._means,
            **{f"knots.{i}": number.knots for i, number in enumerate(self._numbers)},
            **{f"counts.{i}": category.counts for i, category in enumerate(self._categories)},
        }
        return State(self.version, values, arrays)

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        """Make the room again.

        Raises
        ------
        ArtifactError
            If the state was written by a newer version.
        """
        if state.version > cls.version:
            raise ArtifactError(
                f"source {source.name!r} was saved in version {state.version} of its room, this Plait reads up to "
                f"{cls.version}: upgrade Plait"
            )
        room, known, arrays = cls(source), state.values, state.arrays
        room._settle(
            [Quantity.from_json(values, arrays[f"knots.{i}"]) for i, values in enumerate(known["numbers"])],
            [Category.from_json(values, arrays[f"counts.{i}"]) for i, values in enumerate(known["categories"])],
            known["outputs"],
        )
        room._means = arrays["means"]
        return room


def _means_of(context: FitContext) -> int:
    """Mean targets of a level that are told: one, or one a class where those are few."""
    return 0 if context.task == "multiclass" and context.outputs > CLASSES else context.outputs
