"""What every benchmark shares: how its figures are measured, printed and written to docs/benchmarks.md.

A benchmark is a module with a docstring (its first line is the question) and a function ``run(seed) -> Report``::

    if __name__ == "__main__":
        sys.exit(main(run))
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import math
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from plait.contracts import Array
from plait.errors import PlaitError
from plait.metrics.classification import roc_auc
from plait.metrics.evaluation import Evaluation
from plait.metrics.intervals import Metric, bootstrap

__all__ = [
    "Beside",
    "Measured",
    "Ratio",
    "Report",
    "alone",
    "areas",
    "judged",
    "main",
    "markdown",
    "ratio",
    "side_by_side",
    "timed",
]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Beside:
    """A baseline's value with its interval, and ours minus it with the paired interval (None: undefined or unknown)."""

    value: float | None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


@dataclass(frozen=True)
class Measured:
    """One figure: what was measured, its value and 95% interval (None: it has none), and the baselines' by name."""

    what: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    baselines: Mapping[str, Beside] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What a benchmark answers: on which data and split, its figures, and what a reader should know of them."""

    data: str
    split: str
    figures: tuple[Measured, ...]
    notes: tuple[str, ...] = ()


class Ratio(NamedTuple):
    """Median seconds of both, and how many times as fast ours is (above 1: faster than the baseline)."""

    baseline: float
    ours: float
    times: float


def judged(what: str, evaluation: Evaluation, metric: str) -> Measured:
    """A metric of an evaluation as a figure, with its baselines and paired differences."""
    found = evaluation[metric]

    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    beside = {n: Beside(**{k: known(v) for k, v in asdict(other).items()}) for n, other in found.baselines.items()}
    return Measured(what, known(found.value), known(found.low), known(found.high), metric, beside)


def areas(
    targets: Array,
    scores: Mapping[str, Array],
    against: Sequence[str],
    *,
    metric: Metric = roc_auc,
    unit: str = "ROC AUC",
    seed: int = 0,
) -> dict[str, Measured]:
    """Every model's area under the ROC curve as a figure beside those named in `against`, all on the same resamples.

    Parameters
    ----------
    targets
        0 or 1, ``N``.
    scores
        Model name to ``N`` scores.
    metric, unit
        Another metric of targets, scores and weights, and what to call it.
    """
    found = bootstrap(metric, targets, scores, seed=seed)
    made = {}
    for name in scores:
        others = [other for other in against if other != name]
        beside = {o: Beside(*map(float, (*found.interval(o), *found.difference(name, o)))) for o in others}
        value, low, high = map(float, found.interval(name))
        made[name] = Measured(name, value, low, high, unit, beside)
    return made


def alone(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> tuple[T, int]:
    """Call a module's function in a fresh process: its result, and the peak MB of that process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_watched, call, *arguments, **named).result()


def _watched(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> tuple[T, int]:
    with contextlib.redirect_stdout(sys.stderr):
        result = call(*arguments, **named)
    return result, _own_peak_mb()


def side_by_side(calls: Mapping[str, Callable[[], object]], repeats: int = 7) -> dict[str, list[float]]:
    """Seconds of each call, run in turn so that all meet the same machine; the first turn warms up and is not kept."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: kept[1:] for name, kept in seconds.items()}


def ratio(baseline: Callable[[], object], ours: Callable[[], object], repeats: int = 7) -> Ratio:
    """Run a baseline and ours in turn (once more to warm up) and compare their median seconds."""
    seconds = side_by_side({"baseline": baseline, "ours": ours}, repeats)
    slow, fast = statistics.median(seconds["baseline"]), statistics.median(seconds["ours"])
    return Ratio(slow, fast, slow / fast)


def timed(what: str, seconds: Sequence[float], baselines: Mapping[str, Beside] | None = None) -> Measured:
    """Repeated seconds as a figure: the median, between the fastest and the slowest."""
    return Measured(what, statistics.median(seconds), min(seconds), max(seconds), "s", baselines or {})


def main(run: Callable[[int], Report], arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark of the calling module and print its result.

    Parameters
    ----------
    run
        From a seed to a `Report`. What it prints goes to stderr.
    arguments
        Instead of the command line's: ``--json`` (one object instead of a table), ``--seed N``.

    Returns
    -------
    int
        Exit code: 0, or 2 where the user's input (``PLAIT_DATA``, say) is wrong, with one line on stderr.
    """
    module = sys.modules[run.__module__]
    name = (module.__spec__.name if module.__spec__ else run.__module__).removeprefix("benchmarks.")
    question = (module.__doc__ or name).splitlines()[0]
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=question)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            report = run(options.seed)
    except PlaitError as error:
        print(f"benchmarks.{name}: {error}", file=sys.stderr)
        return 2
    result = {
        "name": name,
        "question": question,
        "command": f"python -m benchmarks.{name} --seed {options.seed}",
        **asdict(report),
        "seconds": round(time.perf_counter() - start, 2),
        "peak_mb": _peak_mb(),
        "seed": options.seed,
        "version": version("plait"),
        "machine": _machine(),
    }
    print(json.dumps(result, ensure_ascii=False, allow_nan=False) if options.json else markdown(result))
    return 0


def markdown(result: Mapping[str, Any]) -> str:
    """A result as a section of docs/benchmarks.md, readable in a terminal too."""
    names = list(dict.fromkeys(name for figure in result["figures"] for name in figure["baselines"]))
    table = [["what", "value", "interval", "unit", *names]]
    for figure in result["figures"]:
        cells = [_beside(figure["baselines"].get(name)) for name in names]
        table.append([figure["what"], _number(figure["value"]), _between(figure), figure["unit"], *cells])
    lines = [
        f"## {result['name']}",
        "",
        result["question"],
        "",
        f"    $ {result['command']}",
        "",
        f"- data: {result['data']}",
        f"- split: {result['split']}",
        f"- run: {result['seconds']:,.1f} s, {result['peak_mb']:,} MB at most, plait {result['version']}",
        f"- machine: {result['machine']}",
        *(f"- {note}" for note in result["notes"]),
        "",
        *_table(table),
    ]
    return "\n".join(lines)


def _beside(other: Mapping[str, Any] | None) -> str:
    if other is None:
        return ""
    if other["difference"] is None:
        return _number(other["value"])
    low, high = other["difference_low"], other["difference_high"]
    between = "" if low is None else f": {low:+.4f} to {high:+.4f}"
    return f"{_number(other['value'])} ({other['difference']:+.4f}{between})"


def _between(figure: Mapping[str, Any]) -> str:
    if figure["low"] is None or figure["high"] is None:
        return ""
    return f"{_number(figure['low'])} to {_number(figure['high'])}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if value != 0 and abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as a Markdown table, the header first; the first column to the left, the others to the right."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(3, *(len(row[j]) for row in rows)) for j in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        told = [cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]
        return f"| {' | '.join(told)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(rows[0]), line(rule), *map(line, rows[1:])]


def _peak_mb() -> int:
    """Peak resident memory of this process, or of a process that it started, whichever was larger."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def _own_peak_mb() -> int:
    """Peak resident memory of this process since it began: Linux counts the parent's in `getrusage` of a child."""
    with contextlib.suppress(OSError):
        told = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        if told:
            return round(int(told[0].split()[1]) / 1024)
    return _peak_mb()


def _machine() -> str:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        told = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = told[0].partition(":")[2].strip() if told else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    libraries = []
    for library in ("numpy", "scikit-learn", "lightgbm", "torch"):
        with contextlib.suppress(PackageNotFoundError):
            libraries.append(f"{library} {version(library)}")
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"{cores} cores, {model}; Python {platform.python_version()}, {', '.join(libraries)}; {date}"
