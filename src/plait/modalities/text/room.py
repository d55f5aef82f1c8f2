"""The text room: free text in English, Chinese or any other language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

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
    Features,
    FitContext,
    Items,
    Json,
    Origins,
    Place,
    Ragged,
    Source,
    Sparse,
    State,
)
from plait.data.splits import inner_folds
from plait.errors import ArtifactError, ConfigError, unknown
from plait.modalities.text import subwords
from plait.modalities.text.cells import decode, likeness, pick, read, strings
from plait.modalities.text.ngrams import STATISTICS
from plait.modalities.text.places import divide, span_of, without
from plait.modalities.text.scores import MAX_SCORES, fit_scorer, out_of_fold, width
from plait.modalities.text.subwords import Subwords
from plait.modalities.text.tfidf import Frequencies, Tfidf
from plait.modalities.text.topics import find_topics

__all__ = ["Text"]

CHOICES = {
    "ngrams": ("auto", "words", "words+chars"),
    "encoder": ("auto", "subwords", "gru", "lstm", "words"),
    "units": ("words", "subwords"),
}
ENCODERS = {"auto": "subwords", "gru": "subword_gru", "lstm": "subword_lstm"}  # names here, and in the registry
EMBEDDED = 20_000  # n-grams that the encoder "words" knows
SHORT = 100  # characters: where texts are shorter on average, n-grams of characters join those of words
SVD_ROWS = 10_000  # training rows that the topics are found on
TOPICS = 32
WEIGHT = np.float32(
    2.0
)  # length of a row of the wide form: beside one-hot columns under one penalty, 1 says too little
SUBWORD_ROWS = 20_000  # training rows that subwords are found on
DEFAULTS: dict[str, Json] = {
    "ngrams": "auto",
    "encoder": "auto",
    "units": "words",
    "max_features": 50_000,
    "min_count": 2,
    "components": None,
    "lowercase": True,
    "max_tokens": 64,
    "vocabulary": None,
}
RANGES = {
    "max_features": (1, 1_000_000),
    "min_count": (1, 1_000_000),
    "components": (0, MAX_FEATURES - MAX_SCORES - len(STATISTICS)),
    "max_tokens": (1, 4096),
    "vocabulary": (300, 64_000),
}


class Text:
    """Free text: each cell is a string (or UTF-8 bytes) in any language; a Chinese character counts as a word.

    An empty or blank cell is missing. Of a cell, the first 20,000 characters are read. Cells of other types are faults.

    Options of the column
    ---------------------
    ngrams
        ``"words"``: words and pairs of neighbours; ``"words+chars"``: with n-grams of 2 to 4 characters inside words;
        ``"auto"`` (default): with characters where training texts have fewer than 100 characters on average.
    max_features
        Most n-grams of words, and again of characters, in the vocabulary (default 50,000).
    min_count
        Texts that an n-gram must stand in to be learned (default 2).
    components
        Topics (truncated SVD; Deerwester et al., 1990) among the dense features, 0 to 227 (default: 32 where there are
        more than two classes, else 0: beside one score they only dilute what trees see).
    lowercase
        Whether capitals count as small letters (default true).
    encoder
        ``"subwords"`` (default): subword embeddings merged by a convolution, read in order by the network's body;
        ``"gru"``, ``"lstm"``: a recurrent layer over subword embeddings, pooled by attention;
        ``"words"``: the mean embedding of the units, whatever their order: fast, and strong where words tell all.
    units
        Of ``"words"``: ``"words"`` (default: the n-grams, weighted by TF-IDF) or ``"subwords"``.
    max_tokens
        Subwords read of a cell by the encoder (default 64).
    vocabulary
        Subwords known to the encoder (default: 500 to 8,000, by the amount of text), or n-grams known to
        ``"words"`` (default: the 20,000 that stand in most texts).

    Dense features are `STATISTICS`, the topics, and linear scores (one a class or value, out of fold for training
    rows); the scores are absent until `fit_features` has seen labels. The wide form is the TF-IDF matrix, its rows of
    length 2 and its columns named by `terms`. The batch holds ``text``: UTF-8 bytes (Ragged uint8), each text ending in
    a newline.
    """

    name: ClassVar[str] = "text"
    joint: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __init__(self, source: Source) -> None:
        self.source = source
        (self._column,) = source.columns
        self._options = _options(source.options.get(self._column, {}), self._column)
        self._tfidf = Tfidf(np.empty(0, np.uint64), np.empty(0, np.float32), grams=False, lowercase=True)
        self.terms: tuple[str, ...] = ()
        self._topics = 0
        self._scores = 1
        # topics, then scores once they are fitted: float32 W x K, and what is taken off
        self._projection = np.empty((0, 0), np.float32)
        self._centre = np.empty(0, np.float32)
        self._subwords = Subwords(np.empty(0, np.uint8))

    @staticmethod
    def accepts(column: Column) -> float:
        """Near 1 for sentences, .5 for distinct names of a few words, near 0 for labels and codes, 0 for no strings."""
        return likeness(column)

    @staticmethod
    def example(rng: np.random.Generator, n: int) -> tuple[Column, ...]:
        """Made letters of a few clauses, some in Chinese; one cell in ten missing or blank, one in twenty broken."""
        english = [
            "I need a loan for my shop",
            "pay off two credit cards",
            "rent is late AGAIN",
            "we own 3 trucks, paid $9,500",
        ]
        chinese = ["我想申请贷款", "用于装修房屋", "每月还款3,000元", "收入稳定"]
        broken: list[Any] = [7.5, b"\xff\xfe", ["two", "cells"], {"a": 1}]
        values = np.empty(n, object)
        for row, kind in enumerate(rng.random(n)):
            clauses, end = (chinese, "。") if kind > 0.7 else (english, ". ")
            text = "".join(clauses[i] + end for i in rng.integers(0, len(clauses), rng.integers(2, 7)))
            values[row] = text if kind < 0.6 else f"{text}(ref {rng.integers(1000)})"
            if kind < 0.1:
                values[row] = None if kind < 0.05 else " \t"
            elif kind < 0.15:
                values[row] = broken[row % len(broken)]
        return (Column("letter", values, np.array([cell is not None for cell in values], bool)),)

    def fit(self, chunks: Iterable[tuple[Column, ...]], context: FitContext) -> Self:
        """Learn n-grams and topics, and subwords: each only if its door is in `context.doors`."""
        found, characters = [np.empty(0, np.int64)], 0
        for present, texts in _present(chunks):
            found.append(present)
            characters += int(((texts.values & 0xC0) != 0x80).sum())
        rows = np.concatenate(found)
        self._scores = width(context.outputs)
        if "features" in context.doors or self._by_words:
            grams = self._options["ngrams"]
            short = characters < SHORT * len(rows)
            self._fit_terms(chunks, grams == "words+chars" or (grams == "auto" and short))
        if "features" in context.doors:
            self._fit_topics(chunks, rows, context)
        if "tokens" in context.doors and len(rows) and not self._by_words:
            some = _gather(chunks, _sample(rows, SUBWORD_ROWS, context.rng("subwords")))
            model = subwords.train(strings(some), self._options["vocabulary"], self._options["lowercase"])
            self._subwords = Subwords(model)
        return self

    @property
    def _by_words(self) -> bool:
        """Whether the encoder reads n-grams instead of subwords."""
        return bool(self._options["encoder"] == "words" and self._options["units"] == "words")

    def _fit_terms(self, chunks: Iterable[tuple[Column, ...]], grams: bool) -> None:
        """Count all texts, then look again at some, to name the n-grams."""
        frequencies = Frequencies(grams=grams, lowercase=self._options["lowercase"])
        for where, texts in _present(chunks):
            frequencies.add(texts, where)
        hashes, frequency, holder = frequencies.select(self._options["min_count"], self._options["max_features"])
        self._tfidf = Tfidf.fit(hashes, frequency, frequencies)
        self.terms = tuple(self._tfidf.terms(_gather(chunks, np.unique(holder))))

    def _fit_topics(
        self, chunks: Iterable[tuple[Column, ...]], rows: npt.NDArray[np.int64], context: FitContext
    ) -> None:
        some = _gather(chunks, _sample(rows, SVD_ROWS, context.rng("topic rows")))
        wide, _ = self._tfidf.transform(some)
        components = self._options["components"]
        if components is None:
            components = 0 if context.outputs == 1 else TOPICS
        self._projection = find_topics(wide, components, context.seed)
        self._topics = self._projection.shape[1]
        self._centre = np.zeros(self._topics, np.float32)

    def transform(self, columns: tuple[Column, ...]) -> Batch:
        (column,) = columns
        texts, present, faults = decode(column)
        return Batch({"text": texts}, present, faults)

    def places(
        self, columns: tuple[Column, ...], row: int, most: int, within: Place | None = None
    ) -> tuple[Place, ...]:
        """Sentences; of a sentence its clauses; of a clause runs of four words, or its words where they are few."""
        text = read(columns[0], row)
        return divide(text, most, None if within is None else span_of(within)) if text else ()

    def keep(
        self, columns: tuple[Column, ...], row: int, places: Sequence[Place], kept: npt.NDArray[np.bool_]
    ) -> Batch:
        """The text with the characters of places cut out."""
        (column,) = columns
        text, spans = read(column, row), [span_of(place) for place in places]
        versions = np.empty(len(kept), object)
        versions[:] = [without(text, [spans[i] for i in np.flatnonzero(~seen)]) for seen in kept]
        return self.transform((Column(column.name, versions, np.ones(len(kept), bool)),))

    def exhibit(self, columns: tuple[Column, ...], row: int) -> Exhibit:
        return Exhibit("words", read(columns[0], row))

    def fit_features(self, batch: Batch, context: FitContext) -> Features:
        """Features with the scores out of fold; afterwards `features` gives those of a scorer of all rows."""
        folds = inner_folds(context) if context.folds is None else context.folds
        self._scores = width(context.outputs)  # of this target: the room may have been fitted for another
        rows, wide, statistics = self._read(batch)
        inner = context.take(rows)
        scorer = fit_scorer(wide, inner)
        topics = self._projection[:, : self._topics]
        self._projection = np.concatenate([topics, scorer.coefficients], axis=1)
        self._centre = np.concatenate([np.zeros(self._topics, np.float32), scorer.centre])
        dense = [statistics, wide.dot(topics), out_of_fold(wide, inner, folds[rows])]
        return self._assemble(batch, rows, wide, np.concatenate(dense, axis=1))

    def features(self, batch: Batch) -> Features:
        rows, wide, statistics = self._read(batch)
        dense = [statistics, wide.dot(self._projection) - self._centre]
        return self._assemble(batch, rows, wide, np.concatenate(dense, axis=1))

    def _read(self, batch: Batch) -> tuple[npt.NDArray[np.int64], Sparse, npt.NDArray[np.float32]]:
        """The present rows, their TF-IDF weights and their statistics."""
        rows = np.flatnonzero(batch.present)
        wide, statistics = self._tfidf.transform(pick(_texts(batch), rows))
        return rows, wide, statistics

    def _assemble(
        self, batch: Batch, rows: npt.NDArray[np.int64], wide: Sparse, dense: npt.NDArray[np.float32]
    ) -> Features:
        topics = [f"topic {i + 1}" for i in range(self._topics)]
        scores = ["score"] if self._scores == 1 else [f"score {i + 1}" for i in range(self._scores)]
        names = (*STATISTICS, *topics, *scores)
        values = np.full((len(batch), len(names)), np.nan, np.float32)
        values[rows, : dense.shape[1]] = dense
        lengths = np.zeros(len(batch) + 1, np.int64)
        lengths[rows + 1] = np.diff(wide.indptr)
        wide = Sparse(np.cumsum(lengths), wide.indices, wide.data * WEIGHT, wide.width)
        covered = np.arange(len(names)) >= len(STATISTICS)
        return Features(values, names, ~np.isnan(values), np.zeros(len(names), bool), covered, wide)

    def origins(self) -> Origins:
        """The n-grams of the wide form."""
        return Origins(terms=[f"'{term}'" for term in self.terms])

    def items(self, batch: Batch) -> Items:
        """The texts, for pretrained encoders."""
        return Items("words", strings(_texts(batch)))

    def inputs(self, batch: Batch) -> Batch:
        """What the encoder reads: ``ids`` (Ragged int32) of at most `max_tokens` subwords a row (0 is padding), or of
        n-grams, with ``weights`` (Ragged float32)."""
        rows = np.flatnonzero(batch.present)
        texts = pick(_texts(batch), rows)
        lengths = np.zeros(len(batch) + 1, np.int64)
        if self._by_words:
            wide = self._tfidf.transform(texts)[0].columns(self._embedded)
            lengths[rows + 1] = np.diff(wide.indptr)
            offsets = np.cumsum(lengths)
            arrays = {"ids": Ragged(wide.indices, offsets), "weights": Ragged(wide.data, offsets)}
            return Batch(arrays, batch.present)
        ids = self._subwords.encode(strings(texts), self._options["max_tokens"])
        lengths[rows + 1] = ids.lengths
        return Batch({"ids": Ragged(ids.values, np.cumsum(lengths))}, batch.present)

    @property
    def _embedded(self) -> npt.NDArray[np.int64]:
        """The n-grams that stand in most texts (rising)."""
        most = self._options["vocabulary"] or EMBEDDED
        return np.sort(np.argsort(self._tfidf.idf, kind="stable")[:most])

    def encoder(self, width: int, kind: str = "auto") -> Encoder:
        """The encoder of that name; ``"auto"`` is the column's, which by default is ``"subwords"``."""
        named = self._options["encoder"] if kind == "auto" else kind
        chosen = ENCODERS.get(named, named)
        options: dict[str, Json] = {"width": width, "vocabulary": self._subwords.size}
        if self._by_words:
            options["vocabulary"] = max(len(self._embedded), 1)
        if chosen != "words":
            options["max_tokens"] = self._options["max_tokens"]
        encoder: Encoder = registry.make("encoders", chosen, options)
        return encoder

    def cells(self) -> dict[str, Json]:
        """What a program may send as a cell."""
        return {self._column: {"type": "string", "examples": ["A few sentences in any language."]}}

    def state(self) -> State:
        arrays: dict[str, Array] = {
            "projection": self._projection,
            "centre": self._centre,
            "subwords": self._subwords.model,
        }
        values = {"topics": self._topics, "scores": self._scores}
        return State(self.version, values, arrays, {"terms": "\n".join(self.terms)}, {"tfidf": self._tfidf.state()})

    @classmethod
    def from_state(cls, source: Source, state: State) -> Self:
        if state.version > cls.version:
            raise ArtifactError(
                f"source {source.name!r} was written by text room version {state.version}, known: {cls.version}; "
                "load it with a newer plait"
            )
        room = cls(source)
        room._topics, room._scores = state.values["topics"], state.values["scores"]
        room._projection, room._centre = state.arrays["projection"], state.arrays["centre"]
        room._subwords = Subwords(state.arrays["subwords"])
        room._tfidf = Tfidf.from_state(state.parts["tfidf"])
        room.terms = tuple(state.texts["terms"].split("\n")) if state.texts["terms"] else ()
        return room


def _options(given: Mapping[str, Json], column: str) -> dict[str, Any]:
    """Options with defaults, each in its range."""
    for key, value in given.items():
        if key not in DEFAULTS:
            raise unknown(f"option of column {column!r}", key, DEFAULTS)
        if key in CHOICES and value not in CHOICES[key]:
            raise unknown(f"{key} of column {column!r}", value, CHOICES[key])
        if key == "lowercase" and not isinstance(value, bool):
            raise ConfigError(f"lowercase of column {column!r} is {value!r}; it must be true or false")
        if key in RANGES and not (DEFAULTS[key] is None and value is None):
            low, high = RANGES[key]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ConfigError(
                    f"{key} of column {column!r} is {value!r}; it must be a whole number in {low}..{high}"
                )
    return {**DEFAULTS, **given}


def _texts(batch: Batch) -> Ragged:
    texts = batch.arrays["text"]
    assert isinstance(texts, Ragged)
    return texts


def _present(chunks: Iterable[tuple[Column, ...]]) -> Iterator[tuple[npt.NDArray[np.int64], Ragged]]:
    """Each chunk's present rows, counted over all chunks, and their texts."""
    start = 0
    for (column,) in chunks:
        texts, present, _ = decode(column)
        rows = np.flatnonzero(present)
        yield start + rows, pick(texts, rows)
        start += len(column)


def _gather(chunks: Iterable[tuple[Column, ...]], wanted: npt.NDArray[np.int64]) -> Ragged:
    """The texts of some of the present rows (sorted)."""
    empty = Ragged(np.empty(0, np.uint8), np.zeros(1, np.int64))
    parts = (pick(texts, np.flatnonzero(np.isin(rows, wanted))) for rows, texts in _present(chunks))
    return Ragged.concatenate([empty, *parts])


def _sample(rows: npt.NDArray[np.int64], most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
