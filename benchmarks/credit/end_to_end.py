"""The credit desk by its commands on LendingClub: is it done, from fit to validation, within five minutes?"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.runner import Beside, Measured, Report, main
from plait.data.public import lendingclub

ALLOWED = 300.0  # seconds
THREADS = 1
DECLINED = 200  # later applications that reasons are given for
TARGET, TIME = "charged_off", "issue_d"
COMMANDS = {
    "fit": f"credit fit past.parquet --target {TARGET} --time {TIME} --jobs {THREADS} -o run",
    "score": "credit score run later.parquet -o scores.parquet",
    "grade": "credit grade run later.parquet -o grades",
    "reasons": f"credit reasons run later.parquet --first {DECLINED} -o reasons.jsonl",
    "validate": "credit validate run -o validation",
}


def run(seed: int) -> Report:
    """Write the loans to files without what was known only later, then run every command in a process of its own."""
    data = lendingclub()
    seconds: dict[str, float] = {}
    busy: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, rows in (("past", data.train), ("later", data.test)):
            rows.drop(columns="outcome_known").to_parquet(folder / f"{part}.parquet", index=False)
        for verb, words in COMMANDS.items():
            extra = ["--seed", str(seed)] if verb == "fit" else []
            start, before = perf_counter(), _worked()
            told = _plait([*words.split(), *extra], folder)
            seconds[verb], busy[verb] = perf_counter() - start, _worked() - before
            if verb == "fit":
                judged = told["judged"]["standings"]
    allowed = {"allowed": Beside(ALLOWED)}
    figures = []
    for what, each in (("the clock", seconds), ("work", busy)):
        figures += [Measured(f"plait credit {verb}: {what}", round(each[verb], 1), unit="s") for verb in COMMANDS]
        figures.append(Measured(f"all of them: {what}", round(sum(each.values()), 1), unit="s", baselines=allowed))
    figures += [
        Measured(f"{name}, on the loans that fit held out", **each["roc_auc"], unit="ROC AUC")
        for name, each in judged.items()
    ]
    return Report(
        data=f"LendingClub 2007-2011, applications with their texts, without grade and rate: {len(data.frame):,} loans",
        split=f"{len(data.train):,} to 2011-06 for the fit, which holds out the latest quarter itself; "
        f"{len(data.test):,} later ones are scored, graded and given reasons",
        figures=tuple(figures),
        notes=(
            *(f"plait {words}" for words in COMMANDS.values()),
            "seconds of the clock, starting Python included, on a machine that others may be using at the same time; "
            f"and seconds that a processor was at work, with {THREADS} thread: the clock of an idle machine",
            f"reasons: the first {DECLINED} declined applications, with the places in their texts",
        ),
    )


def _worked() -> float:
    """Seconds that processors have been at work for processes that were started here and are done."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _plait(words: list[str], folder: Path) -> dict[str, Any]:
    """Run a command in a folder: its JSON.

    Raises
    ------
    RuntimeError
        If it fails; with its last words.
    """
    command = [str(Path(sys.executable).with_name("plait")), *words, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"plait {' '.join(words)} left with {done.returncode}: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main(run))
