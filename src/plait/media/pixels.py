"""What one picture is like, in numbers: colours, edges, texture, frequencies, layout and shapes."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from plait.contracts import Array
from plait.media.shapes import shape_features

__all__ = ["pixel_features", "pixel_names"]

Plane = npt.NDArray[np.float32]  # H x W, 0..1

SMALLEST = 16  # pixels a side that features are made of; smaller pictures are repeated at their borders
INK = 0.12  # how far a channel of a pixel is from the background's for the pixel to be ink
CHROMA = 0.15  # how far apart the channels of a pixel are for it to be coloured
STEP = 3  # of 255: how much brighter than the centre a neighbour is for the texture to see it
BANDS = (1, 2, 4, 8, 16, 33)  # cycles a side


def pixel_features(pixels: Array) -> dict[str, float]:
    """Describe one picture.

    Parameters
    ----------
    pixels
        ``H x W x 3`` red, green, blue: uint8, or floats of 0..1. Time and the meaning of texture and edges grow with
        the size: shrink a picture to some 256 pixels a side before.

    Returns
    -------
    dict
        `pixel_names` to finite numbers, in that order, none of which depends on anything but the pixels.
    """
    red, green, blue = planes = _planes(pixels)
    grey = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    # Plane by plane: numpy is ten times slower along an axis of three.
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    background, colours = _palette(planes)
    ink = np.zeros(grey.shape, bool)
    for plane, level in zip(planes, background, strict=True):
        ink |= np.abs(plane - level) > INK
    coloured = ink & (chroma > CHROMA)
    return {
        **_colour(red, green, blue, grey, chroma),
        **colours,
        **_edges(grey),
        **_texture(grey),
        **_frequencies(grey),
        **_layout(ink),
        **shape_features(ink, "ink"),
        **shape_features(coloured, "coloured"),
    }


@cache
def pixel_names() -> tuple[str, ...]:
    """The names of `pixel_features`, in its order."""
    return tuple(pixel_features(np.zeros((SMALLEST, SMALLEST, 3), np.uint8)))


def _planes(pixels: Array) -> tuple[Plane, Plane, Plane]:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"a picture of shape {pixels.shape} (allowed: H x W x 3)")
    if pixels.dtype == np.uint8:
        rgb = pixels.astype(np.float32) / np.float32(255)
    else:
        rgb = np.clip(np.nan_to_num(pixels.astype(np.float32)), 0, 1)
    lacking = [(0, max(0, SMALLEST - side)) for side in rgb.shape[:2]]
    if any(end for _, end in lacking):
        rgb = np.pad(rgb, (*lacking, (0, 0)), mode="edge")
    red, green, blue = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    return red, green, blue


def _share(values: Array, total: float) -> Array:
    """Parts of a whole; zeros where there is no whole."""
    return values / total if total > 0 else np.zeros(len(values))


def _disorder(share: Array) -> float:
    """Entropy over its largest possible value: 0 all in one, 1 evenly spread."""
    return float(-(share * np.log(np.where(share > 0, share, 1.0))).sum() / np.log(len(share)))


def _colour(red: Plane, green: Plane, blue: Plane, grey: Plane, chroma: Plane) -> dict[str, float]:
    """Channels, brightness, hues; colourfulness after Hasler & Süsstrunk, "Measuring Colourfulness", 2003, eq. 5."""
    planes = {"red": red, "green": green, "blue": blue, "brightness": grey, "chroma": chroma}
    found = {f"{name}_mean": float(plane.mean()) for name, plane in planes.items()}
    found |= {f"{name}_std": float(plane.std()) for name, plane in planes.items()}
    counts = np.bincount((grey * 255 + 0.5).astype(np.uint8).ravel(), minlength=256)
    reached = np.cumsum(counts)
    for percent in (5, 25, 50, 75, 95):
        found[f"brightness_q{percent:02d}"] = int(np.searchsorted(reached, percent * grey.size / 100)) / 255
    found["brightness_disorder"] = _disorder(counts / grey.size)
    redder, yellower = red - green, (red + green) / 2 - blue
    spread = np.hypot(float(redder.std()), float(yellower.std()))
    found["colourfulness"] = spread + 0.3 * np.hypot(float(redder.mean()), float(yellower.mean()))
    seen = chroma > CHROMA
    found["coloured"] = float(seen.mean())
    hue = np.arctan2(np.sqrt(3) * (green[seen] - blue[seen]), 2 * red[seen] - green[seen] - blue[seen])
    sector = np.floor(hue / (2 * np.pi) * 8 + 0.5).astype(np.int64) % 8  # sector 0 is centred on red
    share = _share(np.bincount(sector, minlength=8), seen.sum())
    named = ("red", "orange", "lime", "green", "cyan", "azure", "violet", "pink")
    found |= {f"hue_{name}": float(part) for name, part in zip(named, share, strict=True)}
    found["hue_disorder"] = _disorder(share)
    return found


def _palette(planes: tuple[Plane, Plane, Plane]) -> tuple[list[np.float32], dict[str, float]]:
    """The background (mean of the most frequent of 4,096 colours), and how the pixels spread over the colours."""
    red, green, blue = (np.minimum((plane * 16).astype(np.int16), 15) for plane in planes)
    code = red << 8 | green << 4 | blue
    counts = np.bincount(code.ravel(), minlength=4096)
    share = np.sort(counts)[::-1] / code.size
    chosen = code == counts.argmax()
    background = [plane[chosen].mean() for plane in planes]
    return background, {
        "background": float(share[0]),
        "background_brightness": float(sum(background) / 3),
        "second_colour": float(share[1]),
        "third_colour": float(share[2]),
        "colours": float(np.log1p((share > 0.002).sum())),
        "colour_disorder": _disorder(share),
    }


def _edges(grey: Plane) -> dict[str, float]:
    """Central differences: how many edges, how strong, and which way they run (weighted by strength)."""
    down = (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2
    across = (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2
    strength = np.hypot(down, across)
    edge = strength > 0.05
    weight = strength[edge].astype(np.float64)
    found = {"edges": float(edge.mean()), "edge_strength": float(weight.mean()) if len(weight) else 0.0}
    # Bin 0 holds gradients across the picture (vertical edges), bin 4 gradients down it (horizontal edges).
    turn = np.arctan2(down[edge], across[edge]) / np.pi
    sector = np.floor(turn * 8 + 0.5).astype(np.int64) % 8
    share = _share(np.bincount(sector, weight, minlength=8), weight.sum())
    found |= {f"edges_{round(i * 22.5)}deg": float(part) for i, part in enumerate(share)}
    off = np.abs(turn * 2 - np.round(turn * 2))  # 0 along an axis, 0.5 diagonal
    found["edges_along_axes"] = float(_share(weight[off < 0.04].sum(keepdims=True), weight.sum())[0])
    xx, yy, xy = (float((a * b).mean(dtype=np.float64)) for a, b in ((across, across), (down, down), (across, down)))
    found["edge_coherence"] = np.hypot(xx - yy, 2 * xy) / (xx + yy) if xx + yy > 0 else 0.0
    return found


@cache
def _patterns() -> npt.NDArray[np.int64]:
    """For each set of 8 neighbours, its number of members if they stand together, else 9."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), 9)


def _texture(grey: Plane) -> dict[str, float]:
    """Rotation-invariant uniform binary patterns (Ojala et al., 2002, eq. 9), and contrast within blocks of 8 x 8."""
    level = (grey * 255 + 0.5).astype(np.int16)
    centre = level[1:-1, 1:-1] + STEP
    rows, columns = centre.shape
    code = np.zeros(centre.shape, np.uint8)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (y, x) in enumerate(around):
        code |= (level[y : y + rows, x : x + columns] >= centre).astype(np.uint8) << bit
    counts = np.bincount(_patterns(), np.bincount(code.ravel(), minlength=256), minlength=10)
    found = {f"texture_{i}": float(part) for i, part in enumerate(counts[:9] / code.size)}
    found["texture_mixed"] = float(counts[9] / code.size)
    h, w = level.shape[0] // 8 * 8, level.shape[1] // 8 * 8
    rows_of_8 = level[:h, :w].reshape(h // 8, 8, w)
    high, low = (tops.reshape(-1, w // 8, 8) for tops in (rows_of_8.max(axis=1), rows_of_8.min(axis=1)))
    contrast = (high.max(axis=2) - low.min(axis=2)) / 255
    found["block_contrast"] = float(contrast.mean())
    found["flat_blocks"] = float((contrast < 0.03).mean())
    return found


def _frequencies(grey: Plane) -> dict[str, float]:
    """Shares of bands in the power of the picture at 64 x 64 (Hann window), and of waves along either axis."""
    small = block_means(grey, 64, 64)
    small = small - small.mean()
    window = np.hanning(66)[1:-1]
    power = np.abs(np.fft.rfft2(small * window[:, None] * window)) ** 2
    down, across = np.fft.fftfreq(64, 1 / 64)[:, None], np.arange(33.0)
    cycles = np.hypot(down, across)
    inside = (cycles >= 1) & (cycles < BANDS[-1])
    total = float(power[inside].sum())
    if total < 1e-9:
        power = np.zeros_like(power)
        total = 1.0
    found = {}
    for low, high in pairwise(BANDS):
        found[f"waves_{low}_{high}"] = float(power[(cycles >= low) & (cycles < high)].sum() / total)
    found["waves_down"] = float(power[inside & (np.abs(down) > 2 * across)].sum() / total)
    found["waves_across"] = float(power[inside & (across > 2 * np.abs(down))].sum() / total)
    return found


def block_means(plane: Array, rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Means of a plane over a grid of ``rows x columns`` blocks that differ by a pixel at most (or repeat pixels)."""
    out = plane.astype(np.float64)
    for axis, parts in ((0, rows), (1, columns)):
        side = out.shape[axis]
        starts = np.arange(parts) * side // parts
        sizes = np.maximum(np.append(starts[1:], side) - starts, 1)
        out = np.add.reduceat(out, starts, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
    return out


def _layout(ink: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Where the ink is: a grid of shares, margins, centre, symmetry, and what rows and columns of it look like."""
    height, width = ink.shape
    found = {"ink": float(ink.mean())}
    grid = block_means(ink, 4, 4)
    found |= {f"ink_row{y}_column{x}": float(grid[y, x]) for y in range(4) for x in range(4)}
    rows, columns = ink.mean(axis=1), ink.mean(axis=0)
    for name, profile in (("top", rows), ("bottom", rows[::-1]), ("left", columns), ("right", columns[::-1])):
        found[f"margin_{name}"] = float((profile > 0).argmax() / len(profile)) if profile.any() else 1.0
    for name, profile in (("y", rows), ("x", columns)):
        place = (np.arange(len(profile)) + 0.5) / len(profile)
        share = _share(profile, profile.sum())
        centre = float((share * place).sum()) if profile.any() else 0.5
        found[f"centre_{name}"] = centre
        found[f"spread_{name}"] = float(np.sqrt((share * (place - centre) ** 2).sum()))
    union = max(int(ink.sum()), 1)
    found["mirrored_sideways"] = float((ink & ink[:, ::-1]).sum() / union)
    found["mirrored_upright"] = float((ink & ink[::-1]).sum() / union)
    found["switches_in_rows"] = float((ink[:, 1:] != ink[:, :-1]).sum() / height)
    found["switches_in_columns"] = float((ink[1:] != ink[:-1]).sum() / width)
    for name, profile in (("row", rows), ("column", columns)):
        found |= {f"{name}_{what}": value for what, value in _profile(profile).items()}
    return found


def _profile(profile: Array) -> dict[str, float]:
    """One side's shares of ink: bands of ink between blank lines, their thickness and rhythm, full lines, period."""
    steps = np.diff(np.concatenate([[0], (profile > 0.002).astype(np.int8), [0]]))
    first, last = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)
    thick, gaps = (last - first) / len(profile), np.diff(first) / len(profile)
    # A line of text is some 1% to 6% of a page high.
    lines = (thick > 0.008) & (thick < 0.07)
    centred = profile - profile.mean()
    power = float((centred * centred).sum())
    lags = np.arange(3, len(profile) // 2)
    again = np.correlate(centred, centred, "full")[len(profile) - 1 + lags] / power if power > 1e-9 else None
    strongest = _first_peak(again) if again is not None else None
    return {
        "bands": float(np.log1p(len(first))),
        "lines": float(np.log1p(lines.sum())),
        "line_thickness": float(np.median(thick[lines])) if lines.any() else 0.0,
        "rhythm": float(1 - min(gaps.std() / gaps.mean(), 1.0)) if len(gaps) > 1 else 0.0,
        "fullest": float(profile.max()),
        "full": float((profile > 0.5).mean()),
        "unevenness": float(profile.std()),
        "period": float(lags[strongest] / len(profile)) if strongest is not None else 0.0,
        "periodicity": float(again[strongest]) if again is not None and strongest is not None else 0.0,
    }


def _first_peak(again: Array) -> int | None:
    """Where the autocorrelation is highest after it first fell below zero; None if it never comes back up."""
    below = np.flatnonzero(again < 0)
    if not len(below):
        return None
    peak = int(below[0] + again[below[0] :].argmax())
    return peak if again[peak] > 0 else None
