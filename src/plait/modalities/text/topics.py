"""Topics: the leading right singular vectors of TF-IDF weights (latent semantic analysis; Deerwester et al., 1990)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Sparse

__all__ = ["find_topics", "project"]

BLOCK = 64  # rows projected at once: their gathered terms stay in the processor's cache


def find_topics(wide: Sparse, components: int, seed: int) -> npt.NDArray[np.float32]:
    """At most `components` topics of the rows (``N x W``) by randomised SVD (Halko et al., 2011): float32 ``W x C``.

    A topic's largest weight is positive.
    """
    components = min(components, len(wide) - 1, wide.width - 1)
    if components < 1:
        return np.zeros((wide.width, 0), np.float32)
    from scipy.sparse import csr_array
    from sklearn.utils.extmath import randomized_svd

    matrix = csr_array((wide.data, wide.indices, wide.indptr.astype(np.int32)), shape=(len(wide), wide.width))
    _, _, directions = randomized_svd(matrix, components, n_iter=4, random_state=seed, flip_sign=False)
    largest = np.abs(directions).argmax(axis=1)
    signs = np.where(directions[np.arange(components), largest] < 0, -1, 1)
    return np.ascontiguousarray((directions * signs[:, None]).T, np.float32)


def project(wide: Sparse, dense: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Product of a sparse and a dense matrix (``N x W`` by ``W x K``) in single precision: float32 ``N x K``."""
    out = np.zeros((len(wide), dense.shape[1]), np.float32)
    lengths = np.diff(wide.indptr)
    for start in range(0, len(wide), BLOCK):
        stop = min(start + BLOCK, len(wide))
        first, last = wide.indptr[start], wide.indptr[stop]
        terms = dense[wide.indices[first:last]]
        terms *= wide.data[first:last, None]
        filled = start + np.flatnonzero(lengths[start:stop])
        if len(filled):
            out[filled] = np.add.reduceat(terms, wide.indptr[filled] - first, axis=0)
    return out
