"""Numeric sequences: balances, prices, sensor readings; one or many channels, regular or timed, of unequal lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
    MAX_FEATURES,
    Array,
    Batch,
    Column,
    Encoder,
    Exhibit,
    Fault,
    Features,
    FitContext,
    Items,
    Json,
    Place,
    Ragged,
    Side,
    Source,
    State,
)
from plait.data.history import DAY, History, facts
from plait.data.sketch import LARGE, Sketch
from plait.data.source_options import column_options, refuse_newer
from plait.errors import ConfigError, SchemaError, unknown
from plait.media.content import UnreadableError
from plait.media.runs import bounds, runs
from plait.modalities.series import sensors
from plait.modalities.series.bars import Bars, describe, relative
from plait.modalities.series.cells import LARGEST, Steps, decode
from plait.modalities.series.places import bridged
from plait.modalities.series.rows import by_length, carry, own_scale
from plait.modalities.series.summary import NAMES, summarise

__all__ = ["Series"]

OPTIONS = ("channels", "encoder", "max_steps", "patch", "sensor", "time")
PATCHES = 16  # patches of steps that make a token
SENSOR = 256  # steps from which nine of ten series are signals
QUINTET = np.array([0.0, 0.25, 0.5, 0.75, 1.0])


class Series:
    """Numeric sequences: each cell is the recent history of something, oldest step first.

    A cell is a list or array of numbers, an array of steps x channels, a mapping of channel to list (with the steps'
    times under ``"time"``, if they have any), a list of records, or JSON text of these. Or the column holds keys of a
    long side table: then a row sees the steps of its key that were known at the row's time, and nothing later.

    NaN inside a cell is a step at which the channel was not observed: the last observed value is carried forward (the
    first one backward, where a series begins unobserved). Where training rows had such steps, features report their
    share and tokens a mask of them. An empty cell, or one with no observed number, is missing; infinity is a fault.

    Options of the column
    ---------------------
    channels
        Names of the channels to read (default: all that training rows hold, at most 256 named ones).
    time
        Key of the steps' times in mappings and records (default ``"time"``).
    max_steps
        Longer cells are cut to their most recent steps (default 2048).
    patch
        Steps a token covers (default: so that nine of ten training series fit in 16 tokens).
    encoder
        ``"patches"`` (default), ``"conv"``, ``"lstm"`` (with attention), ``"gru"`` or ``"rnn"``, or another that reads
        the same inputs.
    sensor
        Whether features tell of the spectrum (default: where one training series in ten has 256 steps or more).

    Channels named open, high, low and close, in any case, are market bars; volume and adj close may stand beside them.
    Their features are returns, ranges, volatilities and liquidity (`plait.modalities.series.bars`) instead of levels,
    and the encoder reads log-returns on the close before: none of them moves with the price level.

    The batch holds ``values`` (Ragged float32 ``T x C``, NaN = not observed) and, where training cells were timed,
    ``time`` (Ragged float64 ``T``: days since 1970 for datetimes and side tables, else the cells' own numbers).
    """

    name: ClassVar[str] = "series"
    joint: ClassVar[bool] = False
    version: ClassVar[int] = 2

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        options = column_options(source, OPTIONS)
        self._wanted = _names(options.get("channels"), self._column)
        self._time_key = str(options.get("time", "time"))
        self._max_steps = _positive(options.get("max_steps", 2048), "max_steps", self._column)
        self._patch = _positive(options["patch"], "patch", self._column) if "patch" in options else 0
        self._encoder = str(options.get("encoder", "auto"))
        if self._encoder != "auto":
            registry.target("encoders", self._encoder)
        self._given_sensor = _truth(options.get("sensor"), "sensor", self._column)
        self._sensor = bool(self._given_sensor)
        self._channels: tuple[str, ...] = self._wanted or ("",)
        self._bars = Bars.among(self._channels)
        self._timed = self._gappy = False
        self._location, self._scale = np.zeros(len(self._channels)), np.ones(len(self._channels))
        self._history: tuple[History, npt.NDArray[np.float64]] | None = None

    @staticmethod
    def accepts(column: Column) -> float:
        """Near 1 where (almost) all cells are sequences of numbers, or keys of a side table of numbers alone."""
        if column.side is not None:
            numeric = len(_numeric(column.side))
            return 0.0 if not numeric else 0.9 if numeric == len(facts(column.side)) else 0.4
        cells = column.values[column.present][:64] if column.values.dtype == object else ()
        held = read = 0
        for cell in cells:
            try:
                steps = decode(cell)
            except UnreadableError:
                held += 1
                continue
            held += steps is not None
            read += steps is not None
        return 0.95 * read / held if read and read >= 0.8 * held else 0.0

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Random walks of 1 to 40 steps, some with gaps; one cell in ten missing, one in twenty broken."""
        values = np.empty(n, object)
        for row, kind in enumerate(rng.random(n)):
            walk = np.round(rng.normal(size=rng.integers(1, 41)).cumsum() * 10 + 100, 2).tolist()
            if kind < 0.1:
                values[row] = [] if kind < 0.05 else None
            elif kind < 0.15:
                values[row] = ["no number", [float("inf"), 1.0], 7, {"a": [1, 2], "b": [1]}][row % 4]
            elif kind < 0.3 and len(walk) > 2:
                values[row] = [walk[0], None, *walk[2:]]
            else:
                values[row] = np.array(walk) if kind < 0.5 else walk
        return (Column("walk", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn the channels, whether steps are timed or unobserved, and each channel's level and spread.

        Level and spread are the median and the scaled interquartile range of the series' five-number summaries, so that
        a long series says no more than a short one and outliers say little.
        """
        self._learn_layout(chunks)
        lengths = Sketch(LARGE)
        summaries = [Sketch(LARGE) for _ in self._channels]
        for (column,) in chunks:
            batch = self.transform((column,))
            values = _ragged(batch, "values").take(np.flatnonzero(batch.present))
            lengths.add(values.lengths)
            self._gappy |= bool(np.isnan(values.values).any())
            filled, observed = carry(values)
            if self._bars is not None:
                filled = relative(Ragged(filled, values.offsets), self._bars)
            told = np.full((len(values), len(self._channels), len(QUINTET)), np.nan)
            for rows, dense in by_length(values.offsets, filled):
                quintet = np.sort(dense, axis=2)[:, :, np.rint(QUINTET * (dense.shape[2] - 1)).astype(int)]
                told[rows] = np.where(observed[rows][:, :, None], quintet, np.nan)
            for c, sketch in enumerate(summaries):
                sketch.add(told[:, c].ravel())
        for c, sketch in enumerate(summaries):
            levels = sketch.sample()
            if len(levels):
                low, self._location[c], high = np.quantile(levels, [0.25, 0.5, 0.75])
                spread = (high - low) / 1.349 or levels.std()
                self._scale[c] = spread if spread > 0 else 1.0
        usual = float(lengths.quantiles(0.9)) if lengths.count else 1
        if self._given_sensor is None:
            self._sensor = bool(usual >= SENSOR)
        if not self._patch:
            self._patch = int(np.ceil(usual / PATCHES))
        return self

    def _learn_layout(self, chunks: Iterable[tuple[Column, ...]]) -> None:
        named: Counter[str] = Counter()
        widths: Counter[int] = Counter()
        for (column,) in chunks:
            if column.side is not None:
                self._fix(self._wanted or _numeric(column.side), timed=column.side.time is not None)
                return
            for _, steps in self._decoded(column):
                if isinstance(steps, Steps):
                    named.update(steps.names or ())
                    widths.update([steps.values.shape[1]] * (steps.names is None))
                    self._timed |= steps.time is not None
        if self._wanted:
            return
        if sum(named.values()) > 0:
            kept = {name for name, _ in named.most_common(MAX_FEATURES)}
            self._fix(tuple(name for name in named if name in kept), self._timed)
        elif widths and widths.most_common(1)[0][0] > 1:
            self._fix(tuple(f"channel{i}" for i in range(widths.most_common(1)[0][0])), self._timed)

    def _fix(self, channels: tuple[str, ...], timed: bool) -> None:
        if not channels:
            raise SchemaError(f"column {self._column!r}: its side table has no numeric column to read as a channel")
        self._channels, self._timed, self._bars = channels, timed, Bars.among(channels)
        self._location, self._scale = np.zeros(len(channels)), np.ones(len(channels))

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Cells to steps; see the class for what the batch holds."""
        (column,) = columns
        if column.side is not None:
            return self._visible(column)
        present = np.zeros(len(column), bool)
        values: list[Array] = [np.empty((0, len(self._channels)), np.float32)] * len(column)
        times: list[Array] = [np.empty(0)] * len(column)
        faults: list[Fault] = []
        for row, steps in self._decoded(column):
            if isinstance(steps, str):
                faults.append(Fault(row, column.name, steps))
                continue
            aligned = self._align(steps)
            if aligned is None:
                reason = f"{steps.values.shape[1]} channels (allowed: {len(self._channels)})"
                faults.append(Fault(row, column.name, reason))
            elif not np.isnan(aligned).all():
                present[row] = True
                values[row] = aligned[-self._max_steps :].astype(np.float32)
                if self._timed:
                    time = np.arange(float(len(aligned))) if steps.time is None else steps.time
                    times[row] = time[-self._max_steps :]
        arrays = {"values": Ragged.from_rows(values, np.empty((0, len(self._channels)), np.float32))}
        if self._timed:
            arrays["time"] = Ragged.from_rows(times, np.empty(0))
        return Batch(arrays, present, tuple(faults))

    def _decoded(self, column: Column) -> Iterator[tuple[int, Steps | str]]:
        """Rows that hold something: their steps, none dated later than the row, or why they cannot be read."""
        now = np.full(len(column), np.nan) if column.row_time is None else column.row_time / DAY
        for row in np.flatnonzero(column.present).tolist():
            try:
                steps = decode(column.values[row], self._time_key, self._wanted)
            except UnreadableError as error:
                yield row, str(error)
                continue
            if steps is not None and (known := steps.known_by(float(now[row]))) is not None:
                yield row, known

    def _align(self, steps: Steps) -> Array | None:
        """Values in the fitted channels' order, float64 ``T x C``; None where they cannot be told apart."""
        if steps.names is None:
            return steps.values if steps.values.shape[1] == len(self._channels) else None
        if steps.names == self._channels:
            return steps.values
        aligned = np.full((len(steps.values), len(self._channels)), np.nan)
        where = {name: i for i, name in enumerate(steps.names)}
        for c, name in enumerate(self._channels):
            if name in where:
                aligned[:, c] = steps.values[:, where[name]]
        return aligned

    def _visible(self, column: Column) -> Batch:
        """What each row may see of its key's history in the side table."""
        side = column.side
        assert side is not None
        if self._history is None or self._history[0].side is not side:
            for name in self._channels:
                if name not in side.columns:
                    raise unknown(f"channel of side table {side.name!r}", name, _numeric(side))
            sorted_ = History.of(side)
            self._history = sorted_, np.stack([sorted_.values(c).astype(np.float64) for c in self._channels], axis=1)
        history, values = self._history
        first, last = history.spans(column, self._max_steps)
        broken = (np.abs(values) > LARGEST).any(axis=1)
        before = np.concatenate([[0], np.cumsum(broken)])
        bad = before[last] > before[first]
        observed = np.concatenate([[0], np.cumsum(~np.isnan(values).all(axis=1))])
        present = ~bad & (observed[last] > observed[first])
        lengths = np.where(present, last - first, 0)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        where = np.repeat(first - offsets[:-1], lengths) + np.arange(offsets[-1])
        arrays = {"values": Ragged(values[where].astype(np.float32), offsets)}
        if self._timed:
            time = np.arange(float(len(values))) if history.time is None else history.time
            arrays["time"] = Ragged(time[where], offsets)
        reason = "infinity, or a number beyond 3.4e38"
        return Batch(arrays, present, tuple(Fault(int(row), column.name, reason) for row in np.flatnonzero(bad)))

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Runs of steps of like length, down to single steps."""
        if within is None:
            return runs("steps", 0, len(_ragged(self._one(columns, row), "values").values), most)
        first, last = bounds(within)
        return runs("steps", first, last, most) if last - first > 1 else ()

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """The series with straight lines over the steps of places."""
        return bridged(self._one(columns, row), places, kept)

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        steps = _ragged(self._one(columns, row), "values").values
        return Exhibit("steps", steps.astype(np.float64), names=tuple(name or self._column for name in self._channels))

    def _one(self, columns: tuple[Column, ...], row: int) -> Batch:
        return self.transform(tuple(column.take(np.array([row])) for column in columns))

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """The same as `features`: none of them uses a label."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Level, trend, volatility, memory, falls and seasonality of each channel, and lengths and gaps of the whole.

        Of bars, what `plait.modalities.series.bars` says; of signals, their spectra too. Where all summaries of all
        channels would be more than 256, each channel has the most telling ones.
        """
        shared = [f"{self._column}.{name}" for name in self._shared]
        channels, kinds = self._summarised
        stems = [f"{self._column}.{self._channels[c]}" if self._channels[c] else self._column for c in channels]
        names = (*shared, *(f"{stem}.{kind}" for stem in stems for kind in kinds))
        out = np.full((len(batch), len(names)), np.nan)
        rows = np.flatnonzero(batch.present)
        values = _ragged(batch, "values").take(rows)
        time = _ragged(batch, "time").take(rows).values if self._timed else None
        filled, observed = carry(values)
        missing = np.isnan(values.values).astype(np.float64)
        for which, dense in by_length(values.offsets, filled):
            steps = dense.shape[2]
            inside = values.offsets[which][:, None] + np.arange(steps)
            clock = None if time is None else time[inside]
            whole = self._whole(dense, observed[which], clock)
            own = self._own(dense[:, channels], clock, missing[inside][:, :, channels])[:, :, : len(kinds)]
            own = np.where(observed[which][:, channels][:, :, None], own, np.nan)
            out[rows[which]] = np.concatenate([whole, own.reshape(len(dense), -1)], axis=1)
        present = np.isfinite(out)
        out = np.clip(out, -LARGEST, LARGEST).astype(np.float32)
        return Features(out, names, present, np.zeros(len(names), bool), np.zeros(len(names), bool))

    @property
    def _shared(self) -> tuple[str, ...]:
        """Names of what is said of all channels together."""
        pace = ("length", "span", "mean_gap", "longest_gap") if self._timed else ("length",)
        if self._bars is None:
            return pace
        return (*pace, *describe(np.ones((1, len(self._channels), 3)), self._bars))

    def _whole(self, dense: Array, observed: Array, clock: Array | None) -> Array:
        """What `_shared` names, of steps ``R x C x T``."""
        pace = _pace(len(dense), dense.shape[2], clock)
        if self._bars is None:
            return pace
        seen = np.asarray(observed[:, list(self._bars.prices)].all(axis=1, keepdims=True))
        told = np.stack([*describe(dense, self._bars).values()], axis=1)
        return np.concatenate([pace, np.where(seen, told, np.nan)], axis=1)

    @property
    def _summarised(self) -> tuple[list[int], tuple[str, ...]]:
        """The channels that are summarised one by one, and the kinds of summaries they all have."""
        inside = frozenset() if self._bars is None else self._bars.channels
        channels = [c for c in range(len(self._channels)) if c not in inside]
        kinds = (*NAMES, *(("unobserved",) if self._gappy else ()), *(sensors.NAMES if self._sensor else ()))
        room = MAX_FEATURES - len(self._shared)
        each = min(max(room // max(len(channels), 1), 1), len(kinds))
        return channels[: room // each], kinds[:each]

    def _own(self, dense: Array, clock: Array | None, missing: Array) -> Array:
        """Summaries of each channel: ``R x C x kinds`` of steps ``R x C x T``."""
        r, c, steps = dense.shape
        flat = np.ascontiguousarray(dense).reshape(r * c, steps)
        parts = [summarise(flat, None if clock is None else np.repeat(clock, c, axis=0))]
        if self._gappy:
            parts.append(missing.mean(axis=1).reshape(r * c, 1))
        if self._sensor:
            rate = None
            if clock is not None:
                span = clock[:, -1] - clock[:, 0]
                rate = np.repeat(np.divide(steps - 1, span, out=np.ones(r), where=span > 0), c)
            parts.append(sensors.signals(flat, rate))
        made = np.concatenate(parts, axis=1)
        return made.reshape(r, c, made.shape[1])

    def items(self, batch: Batch) -> Items:
        """The steps as they are, for pretrained encoders."""
        return Items("steps", _ragged(batch, "values"))

    def inputs(self, batch: Batch) -> Batch:
        """Numbers for the encoder, bounded and NaN-free: ``values``, Ragged float32 ``T x E``.

        Each channel comes on the training rows' scale (inverse hyperbolic sine, so that outliers stay bounded) and on
        its own series' scale (its shape); then masks of the observed steps, and the time since the step before.
        """
        values = _ragged(batch, "values")
        longest = self._patch * PATCHES
        lengths = np.where(batch.present, np.minimum(values.lengths, longest), 0)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        where = np.repeat(values.offsets[1:] - offsets[1:], lengths) + np.arange(offsets[-1])
        filled, _ = carry(Ragged(values.values[where], offsets))
        if self._bars is not None:
            filled = relative(Ragged(carry(values)[0], values.offsets), self._bars)[where]
        row = np.repeat(np.arange(len(batch)), lengths)
        parts = [np.arcsinh((filled - self._location) / self._scale), own_scale(filled, row, len(batch))]
        if self._gappy:
            parts.append(~np.isnan(values.values[where]))
        if self._timed:
            gap = np.diff(_ragged(batch, "time").values[where], prepend=0.0)
            gap[offsets[:-1][lengths > 0]] = 0.0
            usual = np.bincount(row, weights=gap, minlength=len(batch)) / np.maximum(lengths - 1, 1)
            parts.append(np.log1p(gap / np.where(usual > 0, usual, 1.0)[row])[:, None])
        made = np.concatenate(parts, axis=1).astype(np.float32)
        return Batch({"values": Ragged(made, offsets)}, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """Tokens of at most 16 patches of steps; see the options."""
        channels = len(self._channels) * (2 + self._gappy) + self._timed
        chosen = self._encoder if kind == "auto" else kind
        options = {"width": width, "channels": channels, "patch": self._patch, "max_patches": PATCHES}
        encoder: Encoder = registry.make("encoders", "patches" if chosen == "auto" else chosen, options)
        return encoder

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        named = any(self._channels)
        steps = {name: [1.0, 1.5, 1.25] for name in self._channels} if named else [1.0, 1.5, 1.25]
        said = "Numbers, oldest first; with several channels or times, lists by name, or records."
        return {self._column: {"type": ["array", "object"], "description": said, "examples": [steps]}}

    def state(self) -> State:
        values = {
            "channels": list(self._channels),
            "timed": self._timed,
            "gappy": self._gappy,
            "patch": self._patch,
            "sensor": self._sensor,
            "bars": self._bars is not None,
        }
        return State(self.version, values, {"location": self._location, "scale": self._scale})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        room._channels = tuple(state.values["channels"])
        room._timed, room._gappy = bool(state.values["timed"]), bool(state.values["gappy"])
        room._patch, room._sensor = int(state.values["patch"]), bool(state.values.get("sensor", False))
        room._bars = Bars.among(room._channels) if state.values.get("bars") else None
        room._location, room._scale = state.arrays["location"], state.arrays["scale"]
        return room


def _numeric(side: Side) -> tuple[str, ...]:
    """The columns of a side table that can be channels."""
    return tuple(name for name in facts(side) if side.columns[name].dtype.kind in "biuf")


def _names(given: Json, column: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    if not isinstance(given, list | tuple) or not given or len(set(given)) < len(given):
        raise ConfigError(f"column {column!r}: channels is {given!r} (allowed: a list of distinct names)")
    return tuple(str(name) for name in given)


def _truth(given: Json, option: str, column: str) -> bool | None:
    if given is not None and not isinstance(given, bool):
        raise ConfigError(f"column {column!r}: {option} is {given!r} (allowed: true or false)")
    return given


def _positive(given: Json, option: str, column: str) -> int:
    if not isinstance(given, int) or given < 1:
        raise ConfigError(f"column {column!r}: {option} is {given!r} (allowed: a whole number from 1)")
    return given


def _ragged(batch: Batch, key: str) -> Ragged:
    array = batch.arrays[key]
    assert isinstance(array, Ragged)
    return array


def _pace(rows: int, steps: int, clock: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    """Length, and where steps are timed the span, the mean gap and the longest gap."""
    length = np.full((rows, 1), float(steps))
    if clock is None:
        return length
    span = clock[:, -1:] - clock[:, :1]
    longest = np.diff(clock, axis=1).max(axis=1, initial=0.0)[:, None]
    return np.concatenate([length, span, span / max(steps - 1, 1), longest], axis=1)
