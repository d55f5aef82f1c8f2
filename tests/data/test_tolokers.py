"""The graph of crowd workers: a made file with the same arrays, and the real one where PLAIT_DATA says it is."""

from __future__ import annotations

import os

import numpy as np
import pytest

from plait.data import public
from plait.errors import DataError


def archive(folder, **changed):
    arrays = {
        "node_features": np.arange(40, dtype=np.float32).reshape(4, 10),
        "node_labels": np.array([0, 1, 0, 1]),
        "edges": np.array([[0, 1], [1, 3]]),
        "train_masks": np.array([[True, True, False, False], [False, False, True, False]]),
        "val_masks": np.array([[False, False, True, False], [True, False, False, False]]),
        "test_masks": np.array([[False, False, False, True], [False, True, False, False]]),
        **changed,
    }
    (folder / "tolokers").mkdir()
    np.savez(folder / "tolokers" / "tolokers.npz", **{k: v for k, v in arrays.items() if v is not None})
    return folder


def test_links_carry_what_is_known_of_either_end(tmp_path):
    data = public.tolokers(archive(tmp_path))
    assert data.frame["banned"].tolist() == [0, 1, 0, 1]
    links = data.tables["links"]
    assert links[["worker", "peer"]].to_numpy().tolist() == [[0, 1], [1, 3]]
    assert links["worker.share0"].tolist() == [0, 10]
    assert links["peer.flag1"].tolist() == [19, 39]
    assert data.divisions.T.tolist() == [[0, 0, 1, 2], [1, 2, 0, -1]]


def test_other_files_are_told(tmp_path):
    with pytest.raises(DataError, match="lacks the arrays edges"):
        public.tolokers(archive(tmp_path, edges=None))
    path = tmp_path / "tolokers" / "tolokers.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="not a readable NumPy archive"):
        public.tolokers(tmp_path)


def test_nothing_is_unpickled(tmp_path):
    with pytest.raises(DataError, match="not a readable NumPy archive"):
        public.tolokers(archive(tmp_path, node_labels=np.array([{}, 1, 0, 1], object)))


@pytest.mark.realdata
def test_real_tolokers():
    folder = os.environ.get("PLAIT_DATA")
    if not folder:
        pytest.skip("PLAIT_DATA does not name the folder of public data")
    data = public.tolokers(folder)
    assert len(data.frame) == 11_758
    assert len(data.tables["links"]) == 519_000
    assert data.frame["banned"].mean() == pytest.approx(0.218, abs=1e-3)
    assert data.divisions.shape == (11_758, 10)
    assert [(data.divisions == part).sum(axis=0).tolist() for part in (0, 1, 2)] == [
        [5879] * 10,
        [2939] * 10,
        [2940] * 10,
    ]
    shares = data.frame[[f"share{i}" for i in range(4)]].sum(axis=1)
    np.testing.assert_allclose(shares, 1, atol=1e-5)
