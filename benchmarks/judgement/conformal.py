"""Do sets and intervals hold the truth as often as promised: on like rows, by class in later vintages, on a stream?"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import plait
from benchmarks.runner import Beside, Measured, Report, main
from plait.conformal.adaptive import Adaptive
from plait.contracts import Array
from plait.data.public import lendingclub
from plait.errors import DataError
from plait.metrics.classification import wilson
from plait.metrics.intervals import bootstrap
from plait.metrics.weights import mean

Floats = npt.NDArray[np.float64]
SEEDS = 20
FIT, GIVEN, JUDGED = 2_000, 10_000, 10_000
PROMISED = 0.9
T19 = 2.093  # 97.5% quantile of Student's t with 19 degrees of freedom
AHEAD = 5  # trading days over which volatility is predicted, so that its truth comes five days late
PAST = (5, 22, 66)  # days of past volatility that predict it (Corsi, Journal of Financial Econometrics 2009)
ROLLING = 60
BLOCK = 20  # days that are drawn together


# Like rows: made data


def made(seed: int) -> pd.DataFrame:
    """Six numbers, one of four classes, and a value whose noise grows with the first number."""
    rng = np.random.default_rng([seed, 0xC0])
    rows = FIT + GIVEN + JUDGED
    x = rng.normal(size=(rows, 6))
    logits = x @ rng.normal(0, 0.8, (6, 4)) + 0.5 * (x[:, [0]] * x[:, [1]]) * rng.normal(size=4)
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    kind = (chance.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    value = x @ rng.normal(size=6) + np.exp(0.6 * x[:, 0]) * rng.standard_t(5, rows)
    return pd.DataFrame(x, columns=[f"number{i}" for i in range(6)]).assign(kind=kind, value=value)


def like_rows(seed: int) -> dict[str, tuple[float, float]]:
    """Coverage and mean size on rows like those given, by method, and of what is done without a promise."""
    from mapie.classification import SplitConformalClassifier
    from mapie.regression import SplitConformalRegressor

    frame = made(seed)
    X = frame.drop(columns=["kind", "value"]).to_numpy()  # mapie hands arrays on, without names
    fit, given, judged = (slice(0, FIT), slice(FIT, FIT + GIVEN), slice(FIT + GIVEN, None))
    kind, value = frame["kind"].to_numpy(), frame["value"].to_numpy()
    early: dict[str, Any] = {"fusion": "early", "learner": "linear", "n_jobs": 1, "random_state": seed}
    classes = plait.Classifier(**early).fit(X[fit], kind[fit])
    found = {}
    for method in ("lac", "aps", "raps"):
        classes.conformalize(X[given], kind[given], coverage=PROMISED, method=method)
        found[f"sets, {method}"] = _of_sets(classes.predict_set(X[judged]), kind[judged])
    theirs = SplitConformalClassifier(classes, confidence_level=PROMISED, prefit=True)
    theirs.conformalize(X[given], kind[given])
    found["sets, mapie"] = _of_sets(theirs.predict_set(X[judged])[1][:, :, 0], kind[judged])
    found["sets, naive"] = _of_sets(_likeliest(classes.predict_proba(X[judged])), kind[judged])
    values = plait.Regressor(**early).fit(X[fit], value[fit])
    for method in ("absolute", "scaled"):
        values.conformalize(X[given], value[given], coverage=PROMISED, method=method)
        found[f"intervals, {method}"] = _of_intervals(values.predict_interval(X[judged]), value[judged])
    regressor = SplitConformalRegressor(values, confidence_level=PROMISED, prefit=True)
    regressor.conformalize(X[given], value[given])
    found["intervals, mapie"] = _of_intervals(regressor.predict_interval(X[judged])[1][:, :, 0], value[judged])
    half = np.quantile(np.abs(value[fit] - values.predict(X[fit])), PROMISED)
    middle = values.predict(X[judged])
    found["intervals, naive"] = _of_intervals(np.stack([middle - half, middle + half], axis=1), value[judged])
    return found


def _of_sets(sets: Array, targets: Array) -> tuple[float, float]:
    return float(sets[np.arange(len(targets)), targets].mean()), float(sets.sum(axis=1).mean())


def _of_intervals(ends: Array, targets: Array) -> tuple[float, float]:
    held = (ends[:, 0] <= targets) & (targets <= ends[:, 1])
    return float(held.mean()), float((ends[:, 1] - ends[:, 0]).mean())


def _likeliest(chance: Floats) -> Array:
    """The likeliest classes until they sum to what is promised, as if probabilities were right."""
    order = np.argsort(-chance, axis=1)
    before = np.take_along_axis(chance, order, axis=1).cumsum(axis=1) - np.take_along_axis(chance, order, axis=1)
    sets = np.zeros(chance.shape, bool)
    np.put_along_axis(sets, order, before < PROMISED, axis=1)
    return sets


def on_like_rows(seed: int) -> list[Measured]:
    """Mean over the seeds beside mapie and the naive way, and how the seeds scatter beside the Beta law."""
    seeds = [like_rows(each) for each in range(seed, seed + SEEDS)]
    figures = []
    for name in ("sets, lac", "sets, aps", "sets, raps", "intervals, absolute", "intervals, scaled"):
        kind = name.partition(",")[0]
        covered, size = np.array([each[name] for each in seeds]).T
        others: dict[str, Beside] = {}
        sizes: dict[str, Beside] = {}
        for other in ("mapie", "naive"):
            theirs, theirs_size = np.array([each[f"{kind}, {other}"] for each in seeds]).T
            others[other] = Beside(*_mean(theirs), *_mean(covered - theirs))
            sizes[other] = Beside(*_mean(theirs_size), *_mean(size - theirs_size))
        figures.append(Measured(f"{name}: covered, mean of {SEEDS} seeds", *_mean(covered), "share", others))
        figures.append(Measured(f"{name}: size", *_mean(size), "classes" if kind == "sets" else "width", sizes))
        spent = {"sets, raps": 0.8, "intervals, scaled": 0.5}.get(name, 1.0)
        figures += _scatter(name, covered, round(spent * GIVEN))
    return figures


def _mean(values: Floats) -> tuple[float, float, float]:
    middle, half = values.mean(), T19 * values.std(ddof=1) / np.sqrt(len(values))
    return float(middle), float(middle - half), float(middle + half)


def _scatter(name: str, covered: Floats, given: int) -> list[Measured]:
    """Standard deviation over seeds beside the law's, and how many seeds lie within its central 95%.

    The coverage of one calibration is Beta(k, n + 1 - k), k = ceil((n + 1) c) (Vovk 2012); the rows judged add theirs.
    """
    from scipy.stats import betabinom

    k = np.ceil((given + 1) * PROMISED)
    law = betabinom(JUDGED, k, given + 1 - k)
    low, high = law.ppf([0.025, 0.975]) / JUDGED
    inside = int(((covered >= low) & (covered <= high)).sum())
    expected = {"Beta law": Beside(float(law.std() / JUDGED))}
    return [
        Measured(f"{name}: scatter of seeds", float(covered.std(ddof=1)), None, None, "share", expected),
        Measured(f"{name}: seeds within {low:.4f} to {high:.4f}, the law's 95%", inside, unit=f"of {SEEDS}"),
    ]


# By class, in later vintages


def by_class(seed: int) -> tuple[list[Measured], str]:
    """LendingClub: fitted on the earlier training vintages, given the later ones, judged after 2011-06."""
    data = lendingclub()
    train = data.train.sort_values("issue_d", kind="stable")
    cut = train["issue_d"].iloc[int(0.8 * len(train))]
    early, given = train[train["issue_d"] < cut], train[train["issue_d"] >= cut]
    roles = ["outcome_known", "issue_d"]
    model = plait.Classifier(fusion="early", n_jobs=1, random_state=seed)
    model.fit(early.drop(columns=[data.target, *roles]), early[data.target])
    later, truth = data.test.drop(columns=roles), data.test[data.target].to_numpy(np.int64)
    found: dict[str, tuple[Array, Array]] = {}
    for name, options in (("by class", {"by_class": True}), ("all classes together", {})):
        model.conformalize(given.drop(columns=roles), given[data.target], coverage=PROMISED, **options)
        sets = model.predict_set(later)
        found[name] = sets[np.arange(len(truth)), truth], sets.sum(axis=1)
    figures = []
    for c, told in ((0, "paid"), (1, "charged off")):
        own = truth == c
        both = {name: (float(hit[own].mean()), *_ends(hit[own])) for name, (hit, _) in found.items()}
        other = both["all classes together"]
        beside = {"all classes together": Beside(*other, both["by class"][0] - other[0])}
        figures.append(Measured(f"later vintages, {told}: covered", *both["by class"], "share", beside))
    sizes = {name: float(size.mean()) for name, (_, size) in found.items()}
    beside = {"all classes together": Beside(sizes["all classes together"])}
    figures.append(Measured("later vintages: size", sizes["by class"], None, None, "classes", beside))
    told = f"LendingClub: {len(early):,} loans issued before {cut:%Y-%m} to fit, {len(given):,} to 2011-06 given"
    return figures, f"{told}, {len(later):,} later ones judged; early fusion with LightGBM"


def _ends(hit: Array) -> tuple[float, float]:
    low, high = wilson(hit.mean(), np.asarray(len(hit)))
    return float(low), float(high)


# On a stream: volatility of a panel of stocks


@dataclass(frozen=True)
class Panel:
    """Log volatility over the next days of ``S`` stocks (``D x S``), what it is predicted from, and the days."""

    truth: Floats
    past: Floats
    days: npt.NDArray[np.datetime64]

    def frame(self, rows: slice, step: int = 1) -> pd.DataFrame:
        """One row a day and stock."""
        past = self.past[rows][::step].reshape(-1, len(PAST))
        named = pd.DataFrame(past, columns=[f"past {days} days" for days in PAST])
        return named.assign(volatility=self.truth[rows][::step].reshape(-1))


def panel() -> Panel:
    """Stocks of the S&P 500 with a price on every day of the file."""
    folder = os.environ.get("PLAIT_DATA")
    if folder is None:
        raise DataError("PLAIT_DATA is not set; name the folder that holds sp500/prices.parquet")
    prices = pd.read_parquet(Path(folder) / "sp500" / "prices.parquet")
    table = prices.pivot_table(index="Date", columns="Name", values="Close").sort_index().dropna(axis=1)
    squares = pd.DataFrame(np.square(np.diff(np.log(table.to_numpy()), axis=0)))
    logs = {days: np.log(np.sqrt(squares.rolling(days).mean().to_numpy()) + 1e-4) for days in {AHEAD, *PAST}}
    first, last = max(PAST) - 1, len(squares) - AHEAD
    past = np.stack([logs[days][first:last] for days in PAST], axis=-1)
    return Panel(logs[AHEAD][first + AHEAD :], past, np.asarray(table.index[1:], "datetime64[D]")[first:last])


def on_a_stream(seed: int) -> tuple[list[Measured], str]:
    """Days held, fixed intervals beside adaptive ones that hear each truth five days late."""
    data = panel()
    fit = slice(0, int(0.4 * len(data.days)))
    given = slice(fit.stop + AHEAD, int(0.55 * len(data.days)))
    later = slice(given.stop + AHEAD, None)
    model = plait.Regressor(fusion="early", learner="linear", n_jobs=1, random_state=seed)
    rows = data.frame(fit, step=5)
    model.fit(rows.drop(columns="volatility"), rows["volatility"])
    shape = data.truth[later].shape
    frame, known = data.frame(later), data.frame(given)
    said = model.predict(frame.drop(columns="volatility")).reshape(shape)
    residuals = (known["volatility"] - model.predict(known.drop(columns="volatility"))).to_numpy()
    days: dict[str, Floats] = {}
    widths: dict[str, Floats] = {}
    for method in ("absolute", "scaled"):
        model.conformalize(known.drop(columns="volatility"), known["volatility"], coverage=PROMISED, method=method)
        ends = model.predict_interval(frame.drop(columns="volatility")).reshape(*shape, 2)
        days[f"fixed, {method}"], widths[f"fixed, {method}"] = _by_day(ends, data.truth[later])
    for method in ("aci", "pid"):
        stream = Adaptive(PROMISED, method=method).warm(residuals)
        days[method], widths[method] = _streamed(stream, said, data.truth[later])
    blocks = np.arange(shape[0]) // BLOCK
    found = bootstrap(lambda _, held, weight: mean(held, weight), np.zeros(shape[0]), days, groups=blocks, seed=seed)
    figures = []
    for name in ("aci", "pid"):
        beside = {}
        for other in ("fixed, absolute", "fixed, scaled"):
            beside[other] = Beside(*map(float, (*found.interval(other), *found.difference(name, other))))
        value, low, high = map(float, found.interval(name))
        figures.append(Measured(f"stream, {name}: covered", value, low, high, "share", beside))
        worst = {other: Beside(_worst(days[other])) for other in beside}
        figures.append(
            Measured(f"stream, {name}: worst {ROLLING} days", _worst(days[name]), None, None, "share", worst)
        )
        wide = {other: Beside(float(widths[other].mean())) for other in beside}
        figures.append(Measured(f"stream, {name}: width", float(widths[name].mean()), None, None, "log", wide))
    told = f"S&P 500: log volatility of the next {AHEAD} days of {shape[1]} stocks; {shape[0]} days from "
    return figures, f"{told}{data.days[later][0]} judged, the {given.stop - given.start} before given"


def _by_day(ends: Floats, truth: Floats) -> tuple[Floats, Floats]:
    held = (ends[..., 0] <= truth) & (truth <= ends[..., 1])
    return held.mean(axis=1), (ends[..., 1] - ends[..., 0]).mean(axis=1)


def _streamed(stream: Adaptive, said: Floats, truth: Floats) -> tuple[Floats, Floats]:
    ends = []
    for day in range(len(said)):
        ends.append(stream.interval(said[day], day))
        if day >= AHEAD:
            stream.deliver(day - AHEAD, truth[day - AHEAD])
    return _by_day(np.array(ends), truth)


def _worst(held: Floats) -> float:
    return float(np.convolve(held, np.full(ROLLING, 1 / ROLLING), "valid").min())


def run(seed: int) -> Report:
    """Made data over the seeds, then real data once each."""
    classes, vintages = by_class(seed)
    stream, stocks = on_a_stream(seed)
    return Report(
        data="made: six numbers, four classes, a value with uneven noise; LendingClub; S&P 500 prices",
        split=(f"made: {FIT:,} rows to fit, {GIVEN:,} given, {JUDGED:,} judged, {SEEDS} seeds; {vintages}; {stocks}"),
        figures=(*on_like_rows(seed), *classes, *stream),
        notes=(
            f"{PROMISED:.0%} promised throughout; options are the defaults, none was chosen on rows judged",
            "intervals: over seeds by Student's t, by class Wilson's, on the stream by a bootstrap of blocks of "
            f"{BLOCK} days",
            "naive sets take the likeliest classes until they sum to 90%; naive intervals, residuals of training rows",
            "mapie (lac, absolute) gets the same fitted model; a spread or a penalty is learned on rows given, which "
            "then set no threshold",
        ),
    )


if __name__ == "__main__":
    sys.exit(main(run))
