"""Lift and gain: how many of what is looked for stand at the top of the ranking, by tenths of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.contracts import Array, Json, Prediction
from plait.errors import ConfigError
from plait.metrics.checked import positive
from plait.metrics.intervals import bootstrap
from plait.metrics.shown import Span, aligned, count, number, plain
from plait.metrics.weights import as_weight, ratio

__all__ = ["Band", "LiftTable", "lift_table"]


@dataclass(frozen=True)
class Band:
    """Rows of neighbouring scores, and all rows down to them.

    Parameters
    ----------
    rows, share
        How many rows, and their share of the weight.
    highest, lowest
        Their scores.
    predicted, rate
        Mean probability, and share of the second class with its interval.
    lift
        That share over the share in all rows; NaN where none is of the second class.
    selected
        Share of the weight in this band and those above it.
    gain
        Share of the second class found there, with its interval.
    fpr
        Share of the first class there.
    ks
        `gain` minus `fpr`; its largest value is the KS statistic as far as bands can show it.
    """

    rows: int
    share: float
    highest: float
    lowest: float
    predicted: float
    rate: Span
    lift: float
    selected: float
    gain: Span
    fpr: float
    ks: float


@dataclass(frozen=True)
class LiftTable:
    """Bands from the highest scores down; `rate` is the share of the second class (`label`) in all rows."""

    n: int
    label: str
    rate: float
    bands: tuple[Band, ...]
    level: float
    resamples: int
    notes: tuple[str, ...]

    @property
    def ks(self) -> float:
        """The widest gap between the classes over the bands; NaN with one class only."""
        gaps = [band.ks for band in self.bands]
        return float("nan") if np.isnan(gaps).all() else float(np.nanmax(gaps))

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Bands as a table of strings, the header first; `*` marks the widest gap."""
        header = ("band", "rows", "scores", "predicted", "rate", "interval", "lift", "gain", "fpr", "ks")
        body = [
            (
                f"{i + 1}",
                count(band.rows),
                f"{number(band.lowest)} to {number(band.highest)}",
                _share(band.predicted),
                _share(band.rate.value),
                "-" if np.isnan(band.rate.low) else f"{band.rate.low:.1%} to {band.rate.high:.1%}",
                "-" if np.isnan(band.lift) else f"{band.lift:.2f}",
                _share(band.gain.value),
                _share(band.fpr),
                _share(band.ks) + (" *" if band.ks == self.ks else "  "),
            )
            for i, band in enumerate(self.bands)
        ]
        return (header, *body)

    def __str__(self) -> str:
        told = f"{self.n:,} rows, {self.rate:.1%} {self.label}; bands from the most probable down"
        return "\n".join([told, "", *aligned(self.rows()), *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> Json:
        """All of it as what `json.dumps` accepts; undefined numbers are null."""
        return plain({**vars(self), "ks": self.ks})


def lift_table(
    prediction: Prediction,
    targets: Array,
    *,
    weight: Array | None = None,
    groups: Array | None = None,
    bands: int = 10,
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> LiftTable:
    """Tabulate rate, lift, gain and KS by bands of equally many rows.

    Parameters
    ----------
    prediction, targets
        ``N`` rows of two classes, and their labels; the second class is what is looked for.
    weight
        float64 ``N``, not negative.
    bands
        How many; rows of equal scores share one, so that there are fewer where scores are few.
    groups, resamples, level, seed
        Of the bootstrap (see `plait.metrics.intervals.bootstrap`).

    Raises
    ------
    InputError
        If the prediction is not of two classes.
    ConfigError
        If `bands` is below 2.
    """
    if bands < 2:
        raise ConfigError(f"bands={bands} is out of range; a ranking is cut into at least 2")
    hit, scores = positive(prediction, targets, "a lift table")
    weight = as_weight(weight, len(hit))
    above = np.searchsorted(np.sort(-scores), -scores)  # rows with a higher score
    used, code = np.unique(above * bands // len(hit), return_inverse=True)
    inside = np.eye(len(used))[code]

    def figures(hit: Array, scores: Array, weight: Array) -> Array:
        """Rate of each band, then gain down to it."""
        true, mass = (weight * hit) @ inside, weight @ inside
        return np.concatenate([ratio(true, mass), ratio(true.cumsum(-1), true.sum(-1, keepdims=True))], -1)

    found = bootstrap(
        figures, hit, {"": scores}, weight=weight, groups=groups, resamples=resamples, seed=seed, level=level
    )
    shown = found.interval("")
    mass, true = weight @ inside, (weight * hit) @ inside
    fpr = ratio((mass - true).cumsum(), np.array((mass - true).sum()))
    rate = float(true.sum() / mass.sum())
    made = [
        Band(
            rows=int((code == i).sum()),
            share=float(mass[i] / mass.sum()),
            highest=float(scores[code == i].max()),
            lowest=float(scores[code == i].min()),
            predicted=float(ratio(weight @ (scores * inside[:, i]), mass[i])),
            rate=shown.at(i),
            lift=float(ratio(shown.value[i], np.array(rate))),
            selected=float(mass[: i + 1].sum() / mass.sum()),
            gain=shown.at(len(used) + i),
            fpr=float(fpr[i]),
            ks=float(shown.value[len(used) + i] - fpr[i]),
        )
        for i in range(len(used))
    ]
    label = np.asarray(prediction.classes)
    notes = []
    if len(used) < bands:
        notes.append(f"{len(np.unique(scores)):,} different score(s) make {len(used)} band(s), not {bands}")
    if hit.all() or not hit.any():
        notes.append(f"no target is {label[0 if hit.all() else 1]}: gain or fpr, and ks, are undefined")
    return LiftTable(len(hit), str(label[1]), rate, tuple(made), level, resamples, tuple(notes))


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1%}"
