"""Sounds: calls, voice notes, machines; any format, one or many channels, any rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from plait import registry
from plait.contracts import (
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
    Source,
    State,
)
from plait.data.source_options import refuse_newer
from plait.data.versions import versions
from plait.errors import ConfigError, DataError, unknown
from plait.media.content import MAX_BYTES, UnreadableError, content, looks_like_file
from plait.media.decode import Arrays, decoded
from plait.media.prosody import NAMES, prosody
from plait.media.sound import MAGIC, RATES, SUFFIXES, decode_sound, from_array, sound_rate, wav
from plait.media.spans import hushed, inside, spans

__all__ = ["Audio"]

DEFAULTS: dict[str, Json] = {
    "rate": None,
    "max_seconds": 30.0,
    "max_bytes": MAX_BYTES,
    "encoder": "auto",
    "augment": True,
    "tokens": 8,
    "outside": False,
}
RANGES = {"rate": RATES, "max_seconds": (0.1, 3600.0), "max_bytes": (64, 1 << 32), "tokens": (1, 64)}
USUAL, TELEPHONE = 16_000, 8_000  # samples a second
PROBED = 64  # training cells whose rates are looked at
SHORTEST = 0.05  # seconds of a place
SHOWN = 16_000  # samples a second that an exhibit has at most


class Audio:
    """Sounds: each cell is a file of any format that FFmpeg decodes, or samples.

    A cell is a path, bytes, base64 text, a mapping with ``"bytes"`` or ``"path"``, or with ``"array"`` and
    ``"sampling_rate"`` (as Hugging Face data sets have it), a pair (rate, array), or an array at the option's rate.
    Channels are mixed to one and resampled. Of a sound, the first `max_seconds` are read; the feature ``cut`` says
    where it has as many. What is broken after its first samples counts as far as it can be decoded.

    Options of the column
    ---------------------
    rate
        Samples a second that sounds are resampled to, 1,000 to 768,000 (default: 8,000 where nine of ten of the first
        training cells have no more, else 16,000).
    max_seconds
        What is read of a sound, .1 to 3,600 (default 30).
    max_bytes
        What a cell may hold (default 256 MiB).
    encoder
        ``"mel_gru"`` (the default) or ``"mel_conv"``.
    augment
        Whether sounds are altered at random while the encoder is trained (default true).
    tokens
        Most tokens a sound (default 8).
    outside
        Whether paths may leave the data folder (default false).

    The batch holds ``samples`` (Ragged int16) and ``summary`` (float32 ``N x F``, see `plait.media.prosody`).
    """

    name: ClassVar[str] = "audio"
    joint: ClassVar[bool] = False
    deep: ClassVar[bool] = True
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        self._options = _options(source.options.get(self._column, {}), self._column)
        self._rate: int = self._options["rate"] or USUAL
        self._seconds = float(self._options["max_seconds"])
        self._bounds = {"max_bytes": self._options["max_bytes"], "outside": self._options["outside"]}

    @staticmethod
    def accepts(column: Column) -> float:
        """The share of cells that look like sounds, by the ends of paths and the beginnings of contents."""
        cells = column.values[column.present][:64] if column.values.dtype == object else ()
        sounds = sum(_held(cell) is not None or looks_like_file(cell, SUFFIXES, MAGIC) for cell in cells)
        return 0.97 * sounds / len(cells) if len(cells) and sounds >= 0.5 * len(cells) else 0.0

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Tones and noises of a tenth of a second in every form; one cell in ten missing, one in twenty broken."""
        values = np.empty(n, object)
        for row, kind in enumerate(rng.random(n)):
            time = np.arange(rng.integers(400, 900)) / TELEPHONE
            tone = np.sin(2 * np.pi * rng.uniform(90, 400) * time) + rng.normal(0, 0.05, len(time))
            samples = (tone * rng.uniform(500, 15_000)).astype(np.int16)
            if kind < 0.1:
                values[row] = None
            elif kind < 0.15:
                values[row] = [b"RIFF", "a note.wav", wav(samples[:0], TELEPHONE), 7.5][row % 4]
            elif kind < 0.25:
                values[row] = {"array": samples / 32768, "sampling_rate": TELEPHONE}
            else:
                values[row] = wav(samples, TELEPHONE)
        return (Column("sound", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn the rate from the first training cells that can be read, where the option does not give it."""
        if self._options["rate"] is None:
            rates: list[int] = []
            for (column,) in chunks:
                rates += self._rates(column, PROBED - len(rates))
            low = sum(rate <= TELEPHONE for rate in rates)
            self._rate = TELEPHONE if rates and low >= 0.9 * len(rates) else USUAL
        return self

    def _rates(self, column: Column, most: int) -> list[int]:
        """Rates of the first cells that tell one."""
        found: list[int] = []
        for row in np.flatnonzero(column.present).tolist():
            if len(found) >= most:
                break
            cell = column.values[row]
            try:
                held = _held(cell)
                if held is not None:
                    found.append(held[0])
                elif not _is_array(cell):
                    found.append(sound_rate(content(cell, column.folder, **self._bounds)))
            except UnreadableError:
                continue
        return found

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        """Cells to samples and their description; see the class for what the batch holds."""
        (column,) = columns
        present = np.zeros(len(column), bool)
        samples: list[Array] = [np.empty(0, np.int16)] * len(column)
        summary = np.full((len(column), len(NAMES)), np.nan, np.float32)
        faults: list[Fault] = []
        settings = ["sound", self.version, self._rate, self._seconds]
        for row, found in decoded(column, self._read, settings, given=self._given, **self._bounds):
            if isinstance(found, str):
                faults.append(Fault(row, column.name, found))
            else:
                present[row], samples[row], summary[row] = True, found["samples"], found["summary"]
        joined = Ragged.from_rows(samples, np.empty(0, np.int16))
        return Batch({"samples": joined, "summary": summary}, present, tuple(faults))

    def _read(self, data: bytes) -> Arrays:
        return self._described(decode_sound(data, self._rate, self._seconds))

    def _given(self, cell: object) -> Arrays | None:
        held = _held(cell)
        if held is None and _is_array(cell):
            if self._options["rate"] is None:
                raise UnreadableError("samples without a rate (give a pair of rate and array, or the option rate)")
            held = self._rate, np.asarray(cell)
        return None if held is None else self._described(from_array(held[1], held[0], self._rate, self._seconds))

    def _described(self, samples: Array) -> Arrays:
        return {"samples": samples, "summary": prosody(samples, self._rate)}

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """The same as `features`: none of them uses a label."""
        return self.features(batch)

    def features(self, batch: Batch) -> Features:
        """Pitch, voice, level, pauses, rate of speech, spectrum and its course; and whether the sound was cut."""
        summary = batch.arrays["summary"]
        assert isinstance(summary, np.ndarray)
        cut = _samples(batch).lengths >= int(self._rate * self._seconds)
        values = np.concatenate([summary, cut[:, None]], axis=1).astype(np.float32)
        values = np.where(batch.present[:, None], values, np.float32(np.nan))
        names = tuple(f"{self._column}.{name}" for name in (*NAMES, "cut"))
        no = np.zeros(len(names), bool)
        return Features(values, names, np.isfinite(values), no, no)

    def items(self, batch: Batch) -> Items:
        """The samples as they are, for pretrained encoders."""
        return Items("waves", _samples(batch), self._rate)

    def inputs(self, batch: Batch) -> Batch:
        """The samples; the encoder makes spectra of them."""
        return Batch({"samples": _samples(batch)}, batch.present, batch.faults)

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """Log-mel spectra through convolutions and a recurrent layer, as few tokens."""
        kind = self._options["encoder"] if kind == "auto" else kind
        make = registry.get("encoders", "mel_gru" if kind == "auto" else kind)
        tokens, augment = self._options["tokens"], self._options["augment"]
        encoder: Encoder = make(width=width, rate=self._rate, max_tokens=tokens, augment=augment)
        return encoder

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Spans of equal length, in seconds."""
        whole = self._one(columns[0], row)
        seconds = len(_samples(whole).values) / self._rate
        return spans("seconds", seconds, most, SHORTEST, within) if whole.present[0] else ()

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """Where a span is not kept, the sound's own quietest passage is heard; one with no span left is absent."""
        whole = self._one(columns[0], row)
        samples = _samples(whole).values
        clock = np.arange(len(samples)) / self._rate

        def without(gone: npt.NDArray[np.bool_]) -> Batch:
            out = inside(clock, [place for place, lost in zip(places, gone, strict=True) if lost])
            if out.all():
                return whole.mask(np.zeros(1, bool))
            made = self._described(hushed(samples, self._rate, out))
            heard = Ragged.from_rows([made["samples"]], np.empty(0, np.int16))
            return Batch({"samples": heard, "summary": made["summary"][None]}, np.ones(1, bool))

        return versions(whole, kept, without)

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        """The sound that is read, at most 16,000 samples a second."""
        whole = self._one(columns[0], row)
        if not whole.present[0]:
            raise DataError(f"row {row} of column {self._column!r} has no sound to show")
        samples, rate = _samples(whole).values, self._rate
        if rate > SHOWN:
            samples, rate = from_array(samples, rate, SHOWN, self._seconds), SHOWN
        return Exhibit("waves", samples.astype(np.float32) / 32768, rate)

    def _one(self, column: Column, row: int) -> Batch:
        return self.transform((column.take(np.array([row])),))

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        signal = {"type": "string", "contentEncoding": "base64", "contentMediaType": "audio/*"}
        return {self._column: {**signal, "description": "A recording: the bytes of a file."}}

    def state(self) -> State:
        return State(self.version, {"rate": self._rate})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        refuse_newer(source, state, cls.version)
        room = cls(source)
        room._rate = int(state.values["rate"])
        return room


def _options(given: Mapping[str, Json], column: str) -> dict[str, Json]:
    for key in given:
        if key not in DEFAULTS:
            raise unknown(f"option of column {column!r}", key, DEFAULTS)
    options = {**DEFAULTS, **{key: value for key, value in given.items() if value is not None}}
    for key, (low, high) in RANGES.items():
        value, kind = options[key], int | float if key == "max_seconds" else int
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high):
            whole = "a number" if key == "max_seconds" else "a whole number"
            raise ConfigError(f"column {column!r}: {key} is {value!r} (allowed: {whole} from {low:,} to {high:,})")
    for key in ("augment", "outside"):
        if not isinstance(options[key], bool):
            raise ConfigError(f"column {column!r}: {key} is {options[key]!r} (allowed: true, false)")
    if options["encoder"] != "auto":
        registry.target("encoders", str(options["encoder"]))
    return options


def _held(cell: object) -> tuple[int, Array] | None:
    """Rate and samples of a cell that holds both; None for any other."""
    if isinstance(cell, Mapping):
        cell = cell.get("sampling_rate"), cell.get("array")
    if not isinstance(cell, tuple) or len(cell) != 2:
        return None
    rate, values = cell
    if not isinstance(rate, int | float | np.number) or not _is_array(values) or not np.isfinite(rate):
        return None
    return int(rate), np.asarray(values)


def _is_array(cell: object) -> bool:
    """Whether a cell is samples: an array, or a list that begins with a number."""
    if isinstance(cell, np.ndarray):
        return cell.dtype.kind in "iuf"
    return isinstance(cell, list) and bool(cell) and isinstance(cell[0], int | float | np.number)


def _samples(batch: Batch) -> Ragged:
    array = batch.arrays["samples"]
    assert isinstance(array, Ragged)
    return array
