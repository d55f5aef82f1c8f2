"""Does judging by slices, or comparing two models, raise false alarms, and does it find what is there?"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.runner import Beside, Measured, Report, main
from plait.contracts import Array, Prediction
from plait.metrics.compare import CANNOT_TELL, compare
from plait.metrics.slices import Slices, slices

CLASSES = np.array([0, 1])
SLICED, COMPARED = 1_500, 500
NULLS, PLANTED = 200, 50
RESAMPLES = 300
Z = 1.959963984540054  # of a two-sided 95% interval


def two(p: Array) -> Prediction:
    return Prediction("class", np.stack([1 - p, p], axis=1), CLASSES)


def chance(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


def sliced(rng: np.random.Generator, broken: bool) -> Slices:
    """Ten slices of loans by region, age and an absent letter; where `broken`, risk in the south is misjudged."""
    region = rng.choice(["north", "south", "east", "west"], SLICED, p=[0.4, 0.3, 0.2, 0.1])
    z = 1.5 * rng.normal(size=SLICED) - 1
    truth = np.where((region == "south") & broken, 0.4 * z - 0.8, z)
    y = (rng.random(SLICED) < chance(truth)).astype(int)
    present = rng.random((SLICED, 1)) < 0.8
    columns = {"region": region, "age": rng.normal(size=SLICED)}
    return slices(two(chance(z)), y, columns, present=present, sources=("letter",), resamples=RESAMPLES)


def alarms(found: Slices) -> tuple[bool, bool]:
    """Whether any slice stands out: with the correction, and by the interval of each difference alone."""
    apart = [each.difference.low > 0 or each.difference.high < 0 for each in found.slices]
    return any(each.verdict for each in found.slices), any(apart)


def paired(rng: np.random.Generator, noise: float) -> tuple[bool, bool]:
    """Whether two models are told apart: by the paired interval, and by intervals of each that do not overlap.

    Both see the truth blurred as much; the second also with further `noise`.
    """
    z = 1.5 * rng.normal(size=COMPARED)
    y = (rng.random(COMPARED) < chance(z)).astype(int)
    one, other = (chance(z + blur * rng.normal(size=COMPARED)) for blur in (0.7, 0.7 + noise))
    found = compare({"one": two(one), "other": two(other)}, y, resamples=RESAMPLES)
    alone = [slices(two(p), y, {}, resamples=RESAMPLES).figure for p in (one, other)]
    return found.verdict != CANNOT_TELL, alone[0].low > alone[1].high or alone[1].low > alone[0].high


def share(hits: list[bool]) -> tuple[float, float, float]:
    """Share of hits with its 95% Wilson interval."""
    n, p = len(hits), float(np.mean(hits))
    centre, half = (p + Z**2 / (2 * n)), Z * np.sqrt(p * (1 - p) / n + (Z / (2 * n)) ** 2)
    return p, float((centre - half) / (1 + Z**2 / n)), float((centre + half) / (1 + Z**2 / n))


def beside(what: str, pairs: list[tuple[bool, bool]], baseline: str) -> Measured:
    ours, theirs = zip(*pairs, strict=True)
    return Measured(what, *share(list(ours)), "share", {baseline: Beside(*share(list(theirs)))})


def run(seed: int) -> Report:
    """Made rows without and with a planted difference, many times."""

    def drawn(purpose: int, times: int) -> list[np.random.Generator]:
        return [np.random.default_rng([seed, purpose, i]) for i in range(times)]

    found = [sliced(rng, broken=True) for rng in drawn(1, PLANTED)]
    south = [[(each.column, each.value) for each in one.worse] == [("region", "south")] for one in found]
    widest = [max(one.slices, key=lambda each: abs(each.difference.value)).value == "south" for one in found]
    return Report(
        data="made: probabilities that are right but for one planted region of four, in which they are blurred",
        split=f"{SLICED:,} rows in ten slices, {COMPARED:,} rows for two models; no model is fitted",
        figures=(
            beside(
                f"slices: any alarm where there is nothing ({NULLS} samples)",
                [alarms(sliced(rng, broken=False)) for rng in drawn(0, NULLS)],
                "each 95% interval alone",
            ),
            beside(
                f"slices: the planted region named, and no other ({PLANTED} samples)",
                list(zip(south, widest, strict=True)),
                "the widest gap, without a test",
            ),
            beside(
                f"two equal models told apart ({NULLS} samples)",
                [paired(rng, 0) for rng in drawn(2, NULLS)],
                "intervals of each that do not overlap",
            ),
            beside(
                f"the better of two models told ({PLANTED} samples)",
                [paired(rng, 0.8) for rng in drawn(3, PLANTED)],
                "intervals of each that do not overlap",
            ),
        ),
        notes=(
            "slices by ROC AUC; alarms are corrected by Holm's method at 5%; intervals of the shares are Wilson's",
            "the widest gap names a slice in every sample, also where there is nothing to find",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
