"""What moves in a film, in numbers: change, flow by block matching, and the figure before the background."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from plait.contracts import Array

__all__ = ["CHANNELS", "MOTION", "STEPS", "motion_numbers", "motion_track"]

CHANNELS = (
    *("change", "moving", "where_x", "where_y", "spread", "flow_x", "flow_y", "expansion", "turn", "speed"),
    *("brightness", "figure", "figure_x", "figure_y", "figure_speed"),
)
STEPS = 32  # of a track
BLOCK, REACH = 8, 3  # pixels of a block's side, and how far a block is looked for
COST = 0.002  # of a shift by one pixel: what does not move stays where it is
MOVING = 0.06  # change of brightness (0..1) from which a pixel moves
SHIFTS = tuple(product(range(-REACH, REACH + 1), repeat=2))
SECTORS = 8

MOTION = (
    *(f"{name}_{how}" for name in CHANNELS for how in ("mean", "sd", "most", "trend", "turns", "rhythm")),
    *(f"heading_{45 * i}" for i in range(SECTORS)),
    *("cuts", "jolt", "jolt_when", "kept_heading"),
)

Track = npt.NDArray[np.float32]


def motion_track(grey: Array, step: float) -> Track:
    """What happens between each frame and the next, brought to `STEPS` steps.

    Change is the mean difference; `moving` the share of pixels that change, around `where` with a `spread`. Flow is the
    mean shift of blocks found again nearby (full search: Jain & Jain, "Displacement measurement and its application in
    interframe image coding", 1981), each weighted by how much better it fits there than in its old place; expansion and
    turn are the parts of the shifts that point away from and around the middle. The figure is what differs from the
    median of all frames. Places are -1 to 1 from the left and from the top, flow is in sides a second.

    Parameters
    ----------
    grey
        Brightness 0..1, ``T x H x W``, both sides a multiple of 8.
    step
        Seconds from one frame to the next.

    Returns
    -------
    float32 ``STEPS x len(CHANNELS)``; zeros where there is one frame.
    """
    grey = grey.astype(np.float32)
    if len(grey) < 2:
        return np.zeros((STEPS, len(CHANNELS)), np.float32)
    before, after = grey[:-1], grey[1:]
    height, width = grey.shape[1:]
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width))
    change = np.abs(after - before)
    moving = change > MOVING
    where_x, where_y, spread = _around(change * moving, x, y)
    apart = np.abs(after - np.median(grey, axis=0))
    figure = apart > 1.5 * MOVING
    figure_x, figure_y, _ = _around(apart * figure, x, y)
    step = max(step, 1e-3)
    flow = _flow(before, after) / (step * width)
    pace = np.hypot(np.diff(figure_x, prepend=figure_x[:1]), np.diff(figure_y, prepend=figure_y[:1])) / (2 * step)
    made = [
        *(change.mean(axis=(1, 2)), moving.mean(axis=(1, 2)), where_x, where_y, spread, *flow, np.hypot(*flow[:2])),
        *(after.mean(axis=(1, 2)), figure.mean(axis=(1, 2)), figure_x, figure_y, pace),
    ]
    track = np.stack(made, axis=1)
    place = np.linspace(0, len(track) - 1, STEPS)
    return np.stack([np.interp(place, np.arange(len(track)), values) for values in track.T], axis=1).astype(np.float32)


def _around(weight: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Centre and spread of weights ``T x H x W``; 0 where there are none."""
    total = weight.sum(axis=(1, 2))
    there = np.maximum(total, 1e-6)
    columns, rows = weight.sum(axis=1), weight.sum(axis=2)
    middle_x, middle_y = (columns * x).sum(axis=1) / there, (rows * y).sum(axis=1) / there
    square = (columns * x * x).sum(axis=1) / there + (rows * y * y).sum(axis=1) / there
    return middle_x, middle_y, np.sqrt(np.maximum(square - middle_x**2 - middle_y**2, 0))


def _flow(before: Array, after: Array) -> Array:
    """Shift to the right and downward, expansion and turn of each step, in pixels: ``4 x T``."""
    count, height, width = before.shape
    rows, columns = height // BLOCK, width // BLOCK
    padded = np.pad(after, ((0, 0), (REACH, REACH), (REACH, REACH)), mode="edge")
    cost = np.empty((len(SHIFTS), count, rows, columns), np.float32)
    for i, (down, right) in enumerate(SHIFTS):
        seen = padded[:, REACH + down : REACH + down + height, REACH + right : REACH + right + width]
        off = np.abs(seen - before).reshape(count, rows, BLOCK, columns, BLOCK).sum(axis=4).sum(axis=2)
        cost[i] = off / BLOCK**2 + COST * np.hypot(down, right)
    best = cost.argmin(axis=0)
    gain = cost[SHIFTS.index((0, 0))] - cost.min(axis=0)
    total = np.maximum(gain.sum(axis=(1, 2)), 1e-6)
    down, right = np.array(SHIFTS, np.float32)[best].transpose(3, 0, 1, 2)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None]
    # Taken off the mean shift, so that a figure that moves off the middle is not said to expand.
    mean_right, mean_down = ((gain * part).sum(axis=(1, 2)) / total for part in (right, down))
    more_right, more_down = right - mean_right[:, None, None], down - mean_down[:, None, None]
    return np.stack(
        [
            mean_right,
            mean_down,
            (gain * (more_right * x + more_down * y)).sum(axis=(1, 2)) / total,
            (gain * (more_down * x - more_right * y)).sum(axis=(1, 2)) / total,
        ]
    )


def motion_numbers(track: Track) -> npt.NDArray[np.float64]:
    """`MOTION` of a track, float64: each channel's level, spread, largest size, trend, changes of direction and rhythm.

    A rhythm is the highest autocorrelation beyond the first fall below zero (0: none). Headings are shares of the flow
    by direction, from rightward by way of downward; `kept_heading` is the cosine between the first third's flow and the
    last's. A jolt is the largest change of flow within a step, by its spread.
    """
    values = track.astype(np.float64)
    mean, sd = values.mean(axis=0), values.std(axis=0)
    centred = values - mean
    third = len(values) // 3
    turns = (np.diff(np.sign(centred), axis=0) != 0).mean(axis=0)
    told = [mean, sd, np.abs(values).max(axis=0), values[-third:].mean(axis=0) - values[:third].mean(axis=0), turns]
    told.append(np.array([_rhythm(column) for column in centred.T]))
    flow = values[:, [CHANNELS.index("flow_x"), CHANNELS.index("flow_y")]]
    speed = np.hypot(*flow.T)
    sector = np.rint(np.arctan2(flow[:, 1], flow[:, 0]) / (2 * np.pi / SECTORS)).astype(np.int64) % SECTORS
    heading = np.bincount(sector, speed, SECTORS) / max(speed.sum(), 1e-9)
    change = values[:, 0]
    cuts = (change > np.maximum(0.12, 4 * np.median(change))).sum()
    jolt = np.hypot(*np.diff(flow, axis=0).T)
    start, end = flow[:third].mean(axis=0), flow[-third:].mean(axis=0)
    kept = (start * end).sum() / (np.hypot(*start) * np.hypot(*end) + 1e-6)
    swing = np.sqrt(flow.var(axis=0).sum())
    last = [float(cuts), float(jolt.max() / (swing + 1e-6)), float(jolt.argmax() / len(jolt)), float(kept)]
    return np.concatenate([np.stack(told, axis=1).ravel(), heading, last])


def _rhythm(values: Array) -> float:
    size = len(values)
    power = (values * values).sum()
    if power < 1e-9:
        return 0.0
    lagged = np.array([(values[lag:] * values[: size - lag]).sum() for lag in range(1, size // 2 + 1)]) / power
    below = np.flatnonzero(lagged < 0)
    return float(lagged[below[0] :].max()) if len(below) else 0.0
