"""A vocabulary of n-grams and their TF-IDF weights."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from plait.contracts import Ragged, Sparse, State
from plait.modalities.text.ngrams import FAMILY_SHIFT, GRAM, STATISTICS, count, slices

__all__ = ["Frequencies", "Tfidf"]

MERGE = 1 << 21  # n-grams gathered before equal ones are merged


class Frequencies:
    """In how many texts each n-gram stands, gathered chunk by chunk; what comes out does not depend on the chunks."""

    def __init__(self, *, grams: bool, lowercase: bool) -> None:
        self.grams = grams
        self.lowercase = lowercase
        self.texts = 0
        self._parts: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
        self._gathered = 0

    def add(self, texts: Ragged, rows: npt.NDArray[np.int64]) -> None:
        """Count more texts; `rows` (int64 ``N``, rising) says where each stands among all training rows."""
        self.texts += len(texts)
        for start, stop in slices(texts):
            counts = count(texts, start, stop, grams=self.grams, lowercase=self.lowercase)
            order = np.argsort(counts.ids, kind="stable")
            frequency = np.bincount(counts.ids, minlength=len(counts.hashes))
            first = order[np.cumsum(frequency) - frequency]
            self._parts.append((counts.hashes, frequency, rows[start + counts.row[first]]))
            self._gathered += len(counts.hashes)
            if self._gathered > MERGE:
                self._merge()

    def _merge(self) -> None:
        """Sum the frequencies of equal n-grams and keep the first row of each."""
        hashes, frequency, first = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        begins = np.flatnonzero(np.concatenate([np.ones(min(len(hashes), 1), bool), hashes[1:] != hashes[:-1]]))
        if len(begins):
            frequency = np.add.reduceat(frequency[order], begins)
            first = np.minimum.reduceat(first[order], begins)
        self._parts = [(hashes[begins], frequency, first)]
        self._gathered = 0

    def select(
        self, min_count: int, max_features: int
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The most frequent n-grams, ties by hash: sorted hashes, frequencies, and a row that holds each.

        Parameters
        ----------
        min_count
            Texts that an n-gram must stand in.
        max_features
            Bound on words and pairs of words together, and again on n-grams of characters.
        """
        if not self._parts:
            return np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64)
        self._merge()
        hashes, frequency, first = self._parts[0]
        kept = np.zeros(len(hashes), bool)
        spelled = hashes >> FAMILY_SHIFT == GRAM
        for family in (~spelled, spelled):
            own = np.flatnonzero(family & (frequency >= min_count))
            kept[own[np.argsort(-frequency[own], kind="stable")[:max_features]]] = True
        return hashes[kept], frequency[kept], first[kept]


class Tfidf:
    """Weights of known n-grams: sublinear count times inverse document frequency, each row of length 1.

    The weights are those of scikit-learn's ``TfidfVectorizer(sublinear_tf=True)``.

    Parameters
    ----------
    hashes
        uint64 ``W``, sorted: the vocabulary.
    idf
        float32 ``W``.
    grams, lowercase
        As the vocabulary was counted.
    """

    def __init__(
        self, hashes: npt.NDArray[np.uint64], idf: npt.NDArray[np.float32], *, grams: bool, lowercase: bool
    ) -> None:
        self.hashes = hashes
        self.idf = idf
        self.grams = grams
        self.lowercase = lowercase

    @classmethod
    def fit(cls, hashes: npt.NDArray[np.uint64], frequency: npt.NDArray[np.int64], frequencies: Frequencies) -> Self:
        idf = np.log((1 + frequencies.texts) / (1 + frequency)) + 1
        return cls(hashes, idf.astype(np.float32), grams=frequencies.grams, lowercase=frequencies.lowercase)

    def transform(self, texts: Ragged) -> tuple[Sparse, npt.NDArray[np.float32]]:
        """Weights (``N x W``) and statistics (float32 ``N x S``) of texts."""
        lengths, indices, data = [np.zeros(1, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
        statistics = [np.empty((0, len(STATISTICS)), np.float32)]
        for start, stop in slices(texts):
            counts = count(texts, start, stop, grams=self.grams, lowercase=self.lowercase)
            statistics.append(counts.statistics)
            known, place = self._look_up(counts.hashes)
            inside = known[counts.ids]
            row, columns = counts.row[inside], place[counts.ids[inside]]
            weights = (1 + np.log(counts.counts[inside].astype(np.float32))) * self.idf[columns]
            norm = np.sqrt(np.bincount(row, weights * weights, minlength=stop - start))
            lengths.append(np.bincount(row, minlength=stop - start))
            indices.append(columns.astype(np.int32))
            data.append((weights / norm[row]).astype(np.float32))
        indptr = np.cumsum(np.concatenate(lengths))
        sparse = Sparse(indptr, np.concatenate(indices), np.concatenate(data), len(self.hashes))
        return sparse, np.concatenate(statistics)

    def terms(self, texts: Ragged) -> list[str]:
        """The vocabulary as a person reads it, from texts that hold all of it."""
        found: dict[int, str] = {}
        named = np.zeros(len(self.hashes), bool)
        for start, stop in slices(texts):
            counts = count(texts, start, stop, grams=self.grams, lowercase=self.lowercase)
            known, place = self._look_up(counts.hashes)
            fresh = np.flatnonzero(known & ~named[place])
            found.update(zip(place[fresh].tolist(), counts.terms(fresh, self.lowercase), strict=True))
            named[place[fresh]] = True
        return [found[i] for i in range(len(found))]

    def _look_up(self, hashes: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Whether each hash is known, and its place in the vocabulary."""
        if not len(self.hashes):
            return np.zeros(len(hashes), bool), np.zeros(len(hashes), np.int64)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return self.hashes[place] == hashes, place

    def state(self) -> State:
        return State(1, {"grams": self.grams, "lowercase": self.lowercase}, {"hashes": self.hashes, "idf": self.idf})

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls(state.arrays["hashes"], state.arrays["idf"], **state.values)
