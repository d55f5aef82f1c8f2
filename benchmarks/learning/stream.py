"""Rows streamed from Parquet: what does LightGBM on 5 million of them take, in memory and in time?"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.runner import Beside, Measured, Report, alone, areas, main
from plait.contracts import Array, Json
from plait.data.stream import Stream

SIZES = (500_000, 5_000_000)
PIECE = 250_000  # rows of a file
LIMIT = 3_000  # MB that no process may need
SAMPLE = 100_000  # rows of the baseline, which has them in memory
SAMPLED = f"LightGBM on {SAMPLE:,} of the rows in memory"
CELLS = "the cells alone as 8-byte numbers"
BYTES = 30 * 8
TEST = 50_000  # later rows, to judge by
OPTIONS: dict[str, dict[str, Json]] = {"lightgbm": {"trees": 300, "leaves": 24, "members": 1}}
TOWNS = np.array([f"town {i:03d}" for i in range(400)], object)
LEVELS = {"purpose": 8, "channel": 5, "region": 30, "product": 12, "employer": 60, "branch": 200, "rating": 6}


def made(folder: Path, rows: int, seed: int = 0) -> None:
    """Write made loans in Parquet files of 250,000 rows, ordered by time: 30 columns of evidence, `day`, `default`.

    Fifteen numbers (a tenth of three of them missing, one in a hundred of two infinite), two numbers written as text
    of which one in fifty is no number, eight categories, three dates and two yes-or-no columns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, rows, PIECE):
        count = min(PIECE, rows - start)
        piece = _piece(np.random.default_rng([seed, start]), start, count, rows)
        piece.to_parquet(folder / f"{start:09d}.parquet", row_group_size=1 << 16, index=False)


def _piece(rng: np.random.Generator, start: int, count: int, rows: int) -> pd.DataFrame:
    numbers = rng.normal(size=(count, 15))
    levels = {name: rng.integers(0, size, count) for name, size in LEVELS.items()}
    towns = rng.integers(0, len(TOWNS), count)
    written = np.exp(rng.normal(3, 1, (count, 2)))
    day = pd.Timestamp("2015-01-01") + pd.to_timedelta((start + np.arange(count)) / rows * 3650, "D")
    age = rng.uniform(0, 3000, (count, 3))
    yes = rng.random((count, 2)) < (0.3, 0.6)
    risk = 0.6 * numbers[:, 0] - 0.4 * numbers[:, 1] + 0.5 * (numbers[:, 2] > 1) + 0.3 * numbers[:, 3] * numbers[:, 4]
    risk += 0.3 * (levels["purpose"] % 3 == 0) - 0.02 * levels["rating"] ** 2 + 0.5 * np.sin(towns)
    risk += 0.2 * np.log(written[:, 0]) - 0.0003 * age[:, 0] + 0.4 * yes[:, 0] - 2.5
    default = rng.random(count) < 1 / (1 + np.exp(-risk))
    numbers[:, :3][rng.random((count, 3)) < 0.1] = np.nan
    numbers[:, 5:7][rng.random((count, 2)) < 0.01] = np.inf
    texts = np.char.mod("%.2f", written).astype(object)
    texts[rng.random((count, 2)) < 0.02] = "n/a (none)"
    return pd.DataFrame(
        {
            **{f"number {i}": numbers[:, i] for i in range(15)},
            **{f"written {i}": texts[:, i] for i in range(2)},
            **{
                name: np.array([f"{name} {i}" for i in range(LEVELS[name])], object)[own]
                for name, own in levels.items()
            },
            "town": TOWNS[towns],
            **{f"date {i}": (day - pd.to_timedelta(age[:, i], "D")).floor("D") for i in range(3)},
            **{f"yes {i}": yes[:, i] for i in range(2)},
            "day": day,
            "default": default.astype(np.int8),
        }
    )


class Fit(NamedTuple):
    """A fit on a stream, and what it says of the later rows."""

    rows: int
    seconds: float
    scores: Array


def fitted(folder: Path, fusion: str, options: dict[str, dict[str, Json]], seed: int) -> Fit:
    """Fit on all rows but the latest, in the process of the caller, and predict those."""
    import plait

    stream = Stream.open(folder)
    train, test = stream.take(np.arange(len(stream) - TEST)), stream.take(np.arange(len(stream) - TEST, len(stream)))
    model = plait.Classifier(fusion=fusion, options=options, time="day", n_jobs=1, random_state=seed)
    start = perf_counter()
    model.fit(train, "default")
    return Fit(len(train), perf_counter() - start, model.predict_proba(test)[:, 1])


def on_sample(folder: Path, seed: int) -> npt.NDArray[np.float64]:
    """LightGBM, set up alike, on 100,000 of the rows in memory."""
    import plait

    stream = Stream.open(folder)
    train = stream.take(np.arange(len(stream) - TEST)).sample(SAMPLE, seed)
    model = plait.Classifier(fusion="early", options=OPTIONS, time="day", n_jobs=1, random_state=seed)
    model.fit(train.drop(columns="default"), train["default"])
    test = stream.take(np.arange(len(stream) - TEST, len(stream)))
    return np.asarray(model.predict_proba(test)[:, 1])


def asked(fusion: str, options: dict[str, dict[str, Json]], notes: tuple[str, ...], seed: int) -> Report:
    """Fits of both sizes, each in a process of its own."""
    figures, fits, peaks = [], [], []
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            made(folder, rows, seed)
            fit, peak = alone(fitted, folder, fusion, options, seed)
            fits.append(fit)
            peaks.append(peak)
            name = f"{rows / 1e6:g} million rows"
            figures += [
                Measured(f"{name}: peak of the fitting process", peak, unit="MB", baselines={"allowed": Beside(LIMIT)}),
                Measured(f"{name}: seconds of the fit", fit.seconds, unit="s"),
                Measured(f"{name}: rows a second", fit.rows / fit.seconds, unit="rows/s"),
            ]
            if rows == SIZES[-1]:
                stream = Stream.open(folder)
                truth = stream.take(np.arange(len(stream) - TEST, len(stream)))["default"].to_numpy()
                scores = {"all rows, streamed": fit.scores, SAMPLED: alone(on_sample, folder, seed)[0]}
                figures += [areas(truth, scores, (SAMPLED,), seed=seed)["all rows, streamed"]]
    more = SIZES[-1] - SIZES[0]
    whole = Beside(float(BYTES))
    figures += [
        Measured(
            "growth of the peak", (peaks[-1] - peaks[0]) * 2**20 / more, unit="bytes a row", baselines={CELLS: whole}
        ),
        Measured("times as long for ten times the rows", fits[-1].seconds / fits[0].seconds, unit="times"),
    ]
    return Report(
        data="made loans: 30 columns (numbers, text that says numbers, categories, dates, yes or no), some missing, "
        "some unreadable; Parquet files of 250,000 rows",
        split=f"the latest {TEST:,} rows to judge, all others to fit",
        figures=tuple(figures),
        notes=notes,
    )


def run(seed: int) -> Report:
    """300 trees of 24 leaves on one core."""
    return asked("early", OPTIONS, ("one booster of 300 trees of 24 leaves, not tuned; one core",), seed)


if __name__ == "__main__":
    sys.exit(main(run))
