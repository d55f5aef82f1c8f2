"""Shapes in a mask: connected components and long lines, by runs of pixels, without a loop over pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Shapes", "components", "shape_features"]

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]

LARGEST = 3  # shapes described one by one
LONG = 0.2  # of a side: from where on a run of pixels is a line


@dataclass(frozen=True)
class Shapes:
    """Connected components (8 neighbours), largest first: float64 ``S`` each, in pixels.

    Parameters
    ----------
    area
        Number of pixels.
    diameter
        The longest of the extents across, down and along both diagonals.
    top, left, bottom, right
        The box around it; `bottom` and `right` are the last pixel's place plus 1.
    """

    area: Numbers
    diameter: Numbers
    top: Numbers
    left: Numbers
    bottom: Numbers
    right: Numbers

    def __len__(self) -> int:
        return len(self.area)


def _runs(mask: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row, first column and last column + 1 of every horizontal run of true pixels."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 1), bool)
    padded[:, 1:] = mask
    # Row after row, each behind a pixel that is false, runs begin and end in turn.
    flat = np.append(padded, False)
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    row = ends[::2] // padded.shape[1]
    return row, ends[::2] - row * padded.shape[1], ends[1::2] - row * padded.shape[1]


def components(mask: Mask) -> Shapes:
    """Find the connected components of a mask (bool ``H x W``).

    Runs of neighbouring rows that touch are joined by hooking each root to the smaller one and halving paths until
    nothing changes (Shiloach & Vishkin, "An O(log n) Parallel Connectivity Algorithm", 1982).
    """
    row, first, last = _runs(mask)
    # Columns are numbered through all rows, two apart, so that one search finds the touching runs of the row above.
    stride = mask.shape[1] + 2
    above = np.searchsorted(row * stride + last, (row - 1) * stride + first, side="left")
    until = np.searchsorted(row * stride + first, (row - 1) * stride + last, side="right")
    touching = np.maximum(until - above, 0)
    lower = np.repeat(np.arange(len(row)), touching)
    upper = np.arange(len(lower)) - np.repeat(np.cumsum(touching) - touching, touching) + np.repeat(above, touching)
    root = np.arange(len(row))
    while True:
        a, b = root[lower], root[upper]
        apart = a != b
        if not apart.any():
            break
        np.minimum.at(root, np.maximum(a, b)[apart], np.minimum(a, b)[apart])
        while not np.array_equal(jumped := root[root], root):
            root = jumped
    _, shape = np.unique(root, return_inverse=True)
    count = int(shape.max(initial=-1)) + 1
    area = np.bincount(shape, last - first, count).astype(np.float64)
    low, high = np.full((4, count), np.iinfo(np.int64).max), np.full((4, count), np.iinfo(np.int64).min)
    # Rows, columns, and both diagonals; only the ends of a run can be the outermost.
    for i, (start, end) in enumerate(((row, row), (first, last - 1), (row + first, row + last - 1))):
        np.minimum.at(low[i], shape, start)
        np.maximum.at(high[i], shape, end)
    np.minimum.at(low[3], shape, row - last + 1)
    np.maximum.at(high[3], shape, row - first)
    extent = (high - low + np.array([[1], [1], [2], [2]])) / np.sqrt([[1], [1], [2], [2]])
    order = np.argsort(-area, kind="stable")
    box = (low[0], low[1], high[0] + 1, high[1] + 1)
    top, left, bottom, right = (side[order].astype(np.float64) for side in box)
    return Shapes(area[order], extent.max(axis=0)[order], top, left, bottom, right)


def shape_features(mask: Mask, name: str) -> dict[str, float]:
    """Describe the shapes of a mask.

    Parameters
    ----------
    mask
        bool ``H x W``.
    name
        What the mask holds: the prefix of the names.

    Returns
    -------
    dict
        Counts, sizes, forms and alignment of the connected components (specks of less than a 4,000th of the picture
        are counted apart), the largest ones by themselves, and the share of the mask in long straight lines.
    """
    height, width = mask.shape
    shapes = components(mask)
    tall, wide = shapes.bottom - shapes.top, shapes.right - shapes.left
    real = shapes.area >= mask.size / 4000
    specks = int((~real).sum())
    area, tall, wide = shapes.area[real], tall[real], wide[real]
    bottom, left, diameter = shapes.bottom[real], shapes.left[real], shapes.diameter[real]
    total = max(float(area.sum()), 1.0)
    filled = area / np.maximum(tall * wide, 1)
    roundness = np.minimum(4 / np.pi * area / np.maximum(diameter, 1) ** 2, 1.0)  # 1 for a disc, 0.64 for a square
    found = {"shapes": np.log1p(len(area)), "specks": np.log1p(specks)}
    found["rectangles"] = float(area[filled > 0.9].sum() / total)
    found["flat_shapes"] = float(area[wide > 3 * tall].sum() / total)
    found["tall_shapes"] = float(area[tall > 3 * wide].sum() / total)
    found["size_spread"] = float(np.log(area).std()) if len(area) else 0.0
    found["same_bottom"] = _agreeing(bottom[tall > 2], height)
    found["same_left"] = _agreeing(left[wide > 2], width)
    found["same_width"] = _agreeing(wide, width)
    found["same_height"] = _agreeing(tall, height)
    for i in range(LARGEST):
        there = i < len(area)
        found[f"shape{i}_area"] = float(area[i] / mask.size) if there else 0.0
        found[f"shape{i}_height"] = float(tall[i] / height) if there else 0.0
        found[f"shape{i}_width"] = float(wide[i] / width) if there else 0.0
        found[f"shape{i}_fill"] = float(filled[i]) if there else 0.0
        found[f"shape{i}_roundness"] = float(roundness[i]) if there else 0.0
    for direction, turned, side in (("horizontal", mask, width), ("vertical", mask.T, height)):
        _, first, last = _runs(turned)
        long = (last - first)[last - first >= LONG * side]
        found[f"in_{direction}_lines"] = float(long.sum() / max(int(mask.sum()), 1))
        found[f"{direction}_lines"] = float(np.log1p(len(long)))
    return {f"{name}_{key}": float(value) for key, value in found.items()}


def _agreeing(places: Numbers, side: int) -> float:
    """The share of the places that lie within a hundredth of the side from the middle one."""
    if len(places) < 2:
        return 0.0
    return float((np.abs(places - np.median(places)) <= max(side / 100, 1)).mean())
