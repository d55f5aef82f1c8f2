"""Topics: the leading right singular vectors of TF-IDF weights (latent semantic analysis; Deerwester et al., 1990)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plait.contracts import Sparse

__all__ = ["find_topics"]


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
